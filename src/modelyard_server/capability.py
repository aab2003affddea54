"""What a capability is: all that it adds to a server, declared once. ``app.py`` lists the capabilities."""

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
    """Something that time takes away, looked for every few minutes."""

    name: str
    run: Callable[[], Awaitable[int]]
    """Takes away all that is due; how much that was."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a server is built from."""

    database: Database
    store: BlobStore
    sender: Sender
    limits: Limits
    lists: Lists
    metrics: Metrics
    clock: Clock
    draining: asyncio.Event
    """Set once the server begins to drain."""
    offers: Offers
    secrets: dict[str, bytes]
    """What all replicas on one database share, by the names that capabilities declare."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A capability as part of one server."""

    servicers: Sequence[object] = ()
    """Their methods answer those of the contract's services, by name."""
    jobs: Sequence[Job] = ()
    sweeps: Sequence[Sweep] = ()


@dataclass(frozen=True, kw_only=True)
class Capability:
    """One thing that a registry can do. Its package holds all of it; see *Adding a capability* in ARCHITECTURE.md."""

    name: str
    tables: Sequence[Table] = ()
    services: Sequence[Any] = ()
    """Descriptors of the contract's services that it brings."""
    offers: Sequence[object] = ()
    """What it gives to capabilities below it: guards, and what the log needs to know of its resources."""
    checks: Sequence[Check] = ()
    secrets: Sequence[str] = ()
    migrations: Path | None = field(default=None)
    """A folder of Alembic revisions, of a capability that lives outside this package."""
    build: Callable[[Parts], Running] = field(default=lambda _parts: Running())
