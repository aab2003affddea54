"""Prometheus metrics of webhooks."""

from prometheus_client import Counter

from modelyard_server.telemetry import Metrics


def attempts(metrics: Metrics) -> Counter:
    """Counts attempts to deliver, by outcome: `delivered`, `failed` or `given_up`."""
    return Counter(
        "modelyard_webhook_attempts",
        "Attempts to deliver an event to a webhook, by outcome.",
        ("outcome",),
        registry=metrics.registry,
    )
