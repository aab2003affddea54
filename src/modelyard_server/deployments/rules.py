"""The rules for consumers."""

from modelyard_server.calls import validation
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.validation import Violations


def consumer(field: str, *, service: str, environment: str, instance: str, limits: Limits) -> Violations:
    """The identity of a consumer: service, environment and instance."""
    if not service:
        yield FieldViolation(f"{field}.service", "is required")
    for name, value in {"service": service, "environment": environment, "instance": instance}.items():
        yield from validation.text(f"{field}.{name}", value, max_bytes=limits.consumer_bytes, one_line=True)


def ttl(field: str, seconds: float, limits: Limits) -> Violations:
    shortest, longest = limits.deployment_ttl_min, limits.deployment_ttl_max
    if not shortest <= seconds <= longest:
        text = f"is {seconds:.0f} seconds; it must be between {shortest:.0f} seconds and {longest / 86_400:.0f} days"
        yield FieldViolation(field, text)
