"""Prometheus metrics of transfers."""

from prometheus_client import Counter

from modelyard_server.telemetry import Metrics


def rehashed_bytes(metrics: Metrics) -> Counter:
    """Counts bytes of uploads that are read again, to hash them."""
    return Counter(
        "modelyard_upload_rehashed_bytes",
        "Bytes of resumed uploads that were read again, because their hash was not known.",
        registry=metrics.registry,
    )
