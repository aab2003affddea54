"""What people read of who serves what and who is told: deployments, rollouts, webhooks and deliveries."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from modelyard.cli.layout import columns, page, section, when
from modelyard.cli.text import age, ago, plain, resource, short
from modelyard.types import Delivery, DeliveryState, Deployment, Rollout, Webhook


def deployments(rows: Sequence[Deployment]) -> Table:
    table = columns("SERVICE", "ENVIRONMENT", "INSTANCE", "SERVES", "FOLLOWS", "SINCE", "HEARD OF", "BYTES")
    for row in rows:
        table.add_row(
            plain(row.service, "bold"),
            plain(row.environment),
            plain(row.instance),
            plain(short(row.version)),
            plain(row.reference),
            plain(ago(row.update_time)),
            plain(ago(row.heartbeat_time) if row.heartbeat_time else ""),
            plain(*_bytes(row)),
        )
    return table


def _bytes(row: Deployment) -> tuple[str, str]:
    """Whether a consumer has the bytes of the version, and how to colour it."""
    if row.mismatched:
        return "OTHER", "red"
    return ("verified" if row.observed_digest else "not told"), ""


def rollout(rollout: Rollout, environment: str = "") -> RenderableType:
    alias = rollout.alias
    what = f"{short(alias.name.model)}@{alias.name.alias} is version {alias.version.number}"
    total = rollout.matching_count + rollout.differing_count
    nobody = f"nobody follows it in {environment}" if environment else "nobody follows it"
    told = f"{rollout.matching_count} of {total} serve it" if total else nobody
    more = rollout.differing_count - len(rollout.differing)
    return page(
        plain(f"{what}: {told}"),
        section("differing", deployments(rollout.differing) if rollout.differing else None),
        plain(f"and {more} more", "dim") if more else None,
    )


def webhooks(rows: Sequence[Webhook]) -> Table:
    table = columns("WEBHOOK", "URL", "TYPES", "MODEL", "AGE", "STATE")
    for row in rows:
        table.add_row(
            plain(short(row.name), "bold"),
            plain(row.url),
            plain(", ".join(row.types) or "all"),
            plain(short(row.model) if row.model else ""),
            plain(age(row.create_time)),
            plain("DISABLED" if row.disabled else "ENABLED"),
        )
    return table


def deliveries(rows: Sequence[Delivery]) -> Table:
    table = columns("DELIVERY", "REVISION", "EVENT", "RESOURCE", "STATE", "ATTEMPTS", "LAST", "NEXT", "ANSWER")
    for row in rows:
        answer = row.error or (str(row.status_code) if row.status_code else "")
        last = when(row.attempt_time) if row.attempt_time else ""
        event = (row.revision, row.type, resource(row.resource))
        cells = (*event, row.state.value, row.attempt_count, last, _next(row), answer)
        table.add_row(plain(row.name.delivery, "bold"), *map(plain, cells))
    return table


def _next(row: Delivery) -> str:
    """When it is tried; of one that waits for those before it nobody knows."""
    if row.state is not DeliveryState.PENDING:
        return ""
    return when(row.next_attempt_time) if row.next_attempt_time else "in its turn"
