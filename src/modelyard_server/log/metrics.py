"""What Prometheus is told of watches."""

from collections.abc import Callable

from modelyard_server.telemetry import Metrics


def watchers(metrics: Metrics, count: Callable[[], int]) -> None:
    """Tells how many watches run."""
    metrics.gauge("modelyard_watchers", "Watches that run.", lambda: float(count()))
