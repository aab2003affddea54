"""A server warns before its own certificate expires."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.certificates import self_signed
from tests.support.registry import Clock

from modelyard_server.rpc.expiry import CertificateExpiry, expiry_of
from modelyard_server.telemetry import Metrics

_DATA = Path(__file__).parents[1] / "data"
_METRIC = "modelyard_certificate_remaining_seconds"


def _copied(name: str, files: tuple[Path, Path]) -> None:
    for target in files:
        shutil.copy(_DATA / f"{name}{target.suffix}", target)


def test_it_warns_from_a_week_ahead_and_daily(tmp_path: Path) -> None:
    files = self_signed(tmp_path, days=10)
    clock, metrics = Clock(), Metrics()
    watch = CertificateExpiry(files, clock, metrics)
    end = expiry_of(*files)

    def told(left: timedelta) -> list[str]:
        clock.time = end - left
        with capture_logs() as lines:
            watch.look(*files)
        return [line["event"] for line in lines if line["log_level"] == "warning"]

    assert told(timedelta(days=10)) == []
    assert told(timedelta(days=7, minutes=1)) == []
    assert told(timedelta(days=7)) == ["the certificate expires soon"]
    assert told(timedelta(days=6, hours=1)) == []
    assert told(timedelta(days=6)) == ["the certificate expires soon"]
    assert metrics.registry.get_sample_value(_METRIC) == 6 * 86_400
    assert told(timedelta(0)) == ["the certificate has expired"]
    assert told(timedelta(hours=-23)) == []
    assert told(timedelta(days=-1)) == ["the certificate has expired"]
    assert metrics.registry.get_sample_value(_METRIC) == -86_400


def test_a_new_certificate_ends_the_warnings(tmp_path: Path) -> None:
    files = self_signed(tmp_path, days=3)
    clock, metrics = Clock(), Metrics()
    clock.time = expiry_of(*files) - timedelta(days=1)
    watch = CertificateExpiry(files, clock, metrics)

    with capture_logs() as lines:
        watch.look(*files)
        shutil.copy(_DATA / "first.crt", files[0])  # and not yet its key
        watch.look(*files)
        watch.look(*files)
    warnings = [line["event"] for line in lines]
    assert warnings == ["the certificate expires soon", "can't tell when the certificate expires"]

    _copied("first", files)
    with capture_logs() as lines:
        watch.look(*files)
        clock.advance(86_400)
        watch.look(*files)
    assert lines == []
    assert (metrics.registry.get_sample_value(_METRIC) or 0) > 86_400 * 365


@pytest.mark.parametrize("missing", [0, 1])
def test_missing_files_are_told_once(tmp_path: Path, missing: int) -> None:
    files = self_signed(tmp_path, days=3)
    files[missing].unlink()
    watch = CertificateExpiry(files, Clock(), Metrics())

    with capture_logs() as lines:
        watch.look(*files)
        watch.look(*files)

    assert [line["event"] for line in lines] == ["can't tell when the certificate expires"]


def test_an_expired_certificate_can_be_read() -> None:
    assert expiry_of(_DATA / "expired.crt", _DATA / "expired.key").year == 2025
