"""The log of each namespace: every change is one event, in commit order, without gaps, chained by hash.

Services record their changes with :class:`~modelyard_server.log.changes.Mutations`. The commit assigns revisions.
Watches, history, webhooks and `fsck` read this log. The log knows kinds of resources only by name. Each capability
declares how its resources are encoded (:class:`~modelyard_server.log.kinds.Kind`).
"""

from typing import Final

from modelyard.v1 import events_pb2
from modelyard_server.capability import Capability, Parts, Running, Sweep
from modelyard_server.log import tables
from modelyard_server.log.changes import Mutations
from modelyard_server.log.checks import check
from modelyard_server.log.events import LOG
from modelyard_server.log.kinds import Kind, Kinds
from modelyard_server.log.messages import EventMessages
from modelyard_server.log.metrics import watchers
from modelyard_server.log.service import Log
from modelyard_server.log.servicer import EventsServicer
from modelyard_server.log.sweeps import EventKeeper, ForgetEvents
from modelyard_server.log.types import EventTypes
from modelyard_server.log.watching import Watching


def _build(parts: Parts) -> Running:
    kinds = Kinds(parts.offers.of(Kind))
    render = EventMessages(kinds, parts.limits.resource_bytes)
    types = EventTypes(kinds.types)
    watching = Watching(parts.database, types, render, progress_seconds=parts.limits.watch_progress)
    watchers(parts.metrics, lambda: watching.watchers)
    log = Log(Mutations(parts.database, parts.clock, parts.limits))
    return Running(
        servicers=[EventsServicer(log, watching, render, parts.lists, parts.limits)],
        jobs=[watching],
        sweeps=[Sweep("events", ForgetEvents(parts.database, parts.offers.of(EventKeeper)))],
    )


CAPABILITY: Final = Capability(
    name="log",
    tables=[tables.log_heads, tables.events],
    services=[events_pb2.DESCRIPTOR.services_by_name["EventsService"]],
    offers=[LOG],
    checks=[check],
    build=_build,
)
