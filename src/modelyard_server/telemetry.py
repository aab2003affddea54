"""Logs and metrics."""

import io
import logging
import sys
from contextlib import suppress
from typing import Final, Literal, TextIO, cast

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from structlog.typing import EventDict, Processor, WrappedLogger

_MAX_VALUE = 2048


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
    """Prometheus metrics. Labels are only method and code, because each model name would make a series."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "modelyard_rpcs", "Calls by method and status code.", ("method", "code"), registry=self.registry
        )
        self._seconds = Histogram(
            "modelyard_rpc_seconds",
            "Duration of calls.",
            ("method",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600),
            registry=self.registry,
        )
        self._received = Counter("modelyard_received_bytes", "Bytes of requests.", ("method",), registry=self.registry)
        self._sent = Counter("modelyard_sent_bytes", "Bytes of responses.", ("method",), registry=self.registry)
        self.in_flight = Gauge("modelyard_rpcs_in_flight", "Calls in flight.", registry=self.registry)

    def observe(self, method: str, code: str, seconds: float, bytes_in: int, bytes_out: int) -> None:
        self._calls.labels(method, code).inc()
        self._seconds.labels(method).observe(seconds)
        self._received.labels(method).inc(bytes_in)
        self._sent.labels(method).inc(bytes_out)
