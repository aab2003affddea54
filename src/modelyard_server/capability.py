"""A capability declares once everything that it adds to a server. ``app.py`` lists the capabilities."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from modelyard_server.blobs.store import BlobStore
from modelyard_server.calls.caller import Clock
from modelyard_server.calls.limits import Limits
from modelyard_server.checking.look import Check
from modelyard_server.db.unit_of_work import Database
from modelyard_server.jobs import Job
from modelyard_server.offers import Offers
from modelyard_server.outbound.sender import Sender
from modelyard_server.query.requests import Lists
from modelyard_server.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Sweep:
    """Removes expired data, every few minutes."""

    name: str
    run: Callable[[], Awaitable[int]]
    """Removes all expired data. Returns the number of removed rows or files."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts from which a server is built."""

    database: Database
    store: BlobStore
    sender: Sender
    limits: Limits
    lists: Lists
    metrics: Metrics
    clock: Clock
    draining: asyncio.Event
    """Set when the server begins to drain."""
    offers: Offers
    secrets: dict[str, bytes]
    """Secrets that all replicas on one database share, by the names that capabilities declare."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A capability as part of one server."""

    servicers: Sequence[object] = ()
    """Objects whose methods implement the methods of the contract's services, by name."""
    jobs: Sequence[Job] = ()
    sweeps: Sequence[Sweep] = ()


@dataclass(frozen=True, kw_only=True)
class Capability:
    """One capability of a registry. One package has all of its code. See *Adding a capability* in ARCHITECTURE.md."""

    name: str
    tables: Sequence[Table] = ()
    services: Sequence[Any] = ()
    """Descriptors of the services that it implements."""
    offers: Sequence[object] = ()
    """Implementations for capabilities below it: guards, and the kinds of resources for the log."""
    checks: Sequence[Check] = ()
    secrets: Sequence[str] = ()
    migrations: Path | None = field(default=None)
    """A folder of Alembic revisions, for a capability outside this package."""
    build: Callable[[Parts], Running] = field(default=lambda _parts: Running())
