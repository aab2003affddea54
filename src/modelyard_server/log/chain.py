"""Checks an event and its place in the chain."""

from enum import StrEnum
from typing import NamedTuple

from modelyard_server.log.encoding import columns_of, decode, event_hash
from modelyard_server.log.values import GENESIS, LogHead, StoredEvent


class Break(StrEnum):
    """Kinds of faults of a chain."""

    MISSING = "MISSING"
    CHANGED = "CHANGED"
    UNCHAINED = "UNCHAINED"


class Fault(NamedTuple):
    """A fault of an event."""

    kind: Break
    text: str


def floor_fault(head: LogHead, compaction: StoredEvent | None) -> str | None:
    """The fault in the place where the kept events of a log begin; None if there is none.

    The floor is where the last compaction says, which is an event of the chain. The events confirm the hashes of the
    head. If there are none, both hashes must be those of an empty log.
    """
    if head.floor == 0 and head.floor_hash != GENESIS:
        return "its first event would be chained to another hash than that of an empty log"
    if head.revision == head.floor and head.hash != head.floor_hash:
        return "it has no events, and its head has another hash than that of an empty log"
    told = 0 if compaction is None else _floor_of(compaction)
    if told is None or head.floor == told:  # if its bytes can't be read, the chain says so
        return None
    return f"its events up to {head.floor} are not kept, and by its last compaction that is {told}"


def _floor_of(compaction: StoredEvent) -> int | None:
    try:
        change = decode(compaction.payload, namespace_key=0, stored_hash="").change
        return int(change.changes["compacted_revision"][1])
    except (ValueError, LookupError, TypeError):
        return None


_CHANGED = Fault(Break.CHANGED, "was changed after it was written")


def fault_of(event: StoredEvent, expected: int, previous: str | None) -> Fault | None:
    """The fault of the event that should have revision ``expected``; None if it has none.

    ``previous`` is the hash of the event before it, None if that is not known.
    """
    if event.revision != expected:
        return Fault(Break.MISSING, "is missing")
    if event.hash != event_hash(event.payload):
        return _CHANGED
    try:
        read = decode(event.payload, namespace_key=event.columns["namespace_key"], stored_hash=event.hash)
        copied = columns_of(read.change)
    except (ValueError, AttributeError):
        return _CHANGED
    if read.revision != expected or (previous is not None and read.previous_hash != previous):
        return Fault(Break.UNCHAINED, "is not chained to the event before it")
    if differing := sorted(name for name, value in event.columns.items() if value != copied[name]):
        return Fault(
            Break.CHANGED, f"was changed after it was written: its columns {', '.join(differing)} differ from its bytes"
        )
    return None
