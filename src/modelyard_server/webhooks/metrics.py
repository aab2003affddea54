"""What Prometheus is told of webhooks."""

from prometheus_client import Counter

from modelyard_server.telemetry import Metrics


def attempts(metrics: Metrics) -> Counter:
    """Counts attempts to deliver, by outcome: `delivered`, `failed` or `given_up`."""
    return Counter(
        "modelyard_webhook_attempts", "Deliveries tried, by outcome.", ("outcome",), registry=metrics.registry
    )
