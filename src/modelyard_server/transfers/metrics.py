"""Prometheus metrics of transfers."""

from prometheus_client import Counter

from modelyard_server.telemetry import Metrics


def reread(metrics: Metrics) -> Counter:
    """Counts bytes of uploads that are read again."""
    return Counter(
        "modelyard_upload_reread_bytes",
        "Bytes of resumed uploads that were read again, because their hash was not known.",
        registry=metrics.registry,
    )
