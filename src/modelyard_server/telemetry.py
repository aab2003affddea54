"""Logs and metrics."""

import io
import logging
import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Final, Literal, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from structlog.typing import EventDict, Processor, WrappedLogger

_MAX_VALUE = 2048
_BUILD: Final = {
    "version": version("modelyard-server"),
    "python": platform.python_version(),
    "grpc": version("grpcio"),
}


def _bounded(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Cuts long values, because log lines have values of callers."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > _MAX_VALUE and key != "exception":
            event[key] = value[:_MAX_VALUE] + "…"
    return event


def configure_logging(level: str, style: Literal["json", "text"]) -> None:
    """One line per record on standard error, as JSON or for people."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.add_logger_name,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _bounded,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_NamedPrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # Libraries use the standard logging: only warnings, in a plain format.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


class _StandardError(io.TextIOBase):
    """Drops a log line if it can't be written, for example to a full disk or a closed pipe. The call goes on."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


_standard_error: Final = cast("TextIO", _StandardError())


class _NamedPrintLogger(structlog.PrintLogger):
    """A print logger with the name that ``add_logger_name`` needs."""

    def __init__(self, name: str) -> None:
        super().__init__(_standard_error)
        self.name = name


class _NamedPrintLoggerFactory:
    def __call__(self, *names: str) -> _NamedPrintLogger:
        return _NamedPrintLogger(names[0] if names else "modelyard")


class Metrics:
    """Prometheus metrics. Labels have few values, all known at start, because each model name would make a series."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = Gauge(
            "modelyard_build_info", "Always 1; the labels say what runs.", tuple(_BUILD), registry=self.registry
        )
        build.labels(**_BUILD).set(1)
        self.started = Counter(
            "modelyard_rpcs_started",
            "Calls whose method was read. Those that gRPC itself refuses are here and not in modelyard_rpcs_total.",
            ("method",),
            registry=self.registry,
        )
        self.calls = Counter(
            "modelyard_rpcs", "Calls by method and status code.", ("method", "code"), registry=self.registry
        )
        self._seconds = Histogram(
            "modelyard_rpc_seconds",
            "Duration of calls. Watches are not in it: they last as long as their callers like.",
            ("method",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600),
            registry=self.registry,
        )
        self._received = Counter("modelyard_received_bytes", "Bytes of requests.", ("method",), registry=self.registry)
        self._sent = Counter("modelyard_sent_bytes", "Bytes of responses.", ("method",), registry=self.registry)
        self.in_flight = Gauge("modelyard_rpcs_in_flight", "Calls in flight.", ("method",), registry=self.registry)

    def observe(self, method: str, code: str, seconds: float | None, bytes_in: int, bytes_out: int) -> None:
        """Counts a call that has ended. ``seconds`` is None for calls whose duration says nothing."""
        self.calls.labels(method, code).inc()
        if seconds is not None:
            self._seconds.labels(method).observe(seconds)
        self._received.labels(method).inc(bytes_in)
        self._sent.labels(method).inc(bytes_out)

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A value that is read when Prometheus asks, on a thread of its own: ``read`` must not wait for anything."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def gauges(self, name: str, meaning: str, label: str, reads: Mapping[str, Callable[[], float]]) -> None:
        """The same for each value of a label."""
        made = Gauge(name, meaning, (label,), registry=self.registry)
        for value, read in reads.items():
            made.labels(value).set_function(read)
