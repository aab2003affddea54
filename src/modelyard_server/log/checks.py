"""Whether each log is whole, and whether rows and log say the same."""

from enum import StrEnum
from functools import partial

from modelyard_server.checking.look import Look
from modelyard_server.db.inspection import Unreadable
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log import inventory
from modelyard_server.log.chain import Break, fault_of
from modelyard_server.log.encoding import without_empty
from modelyard_server.log.inventory import Family, Logged, LogRecord
from modelyard_server.log.repository import EventRepository
from modelyard_server.log.values import GENESIS, LogHead, StoredEvent


class Kind(StrEnum):
    """What can be wrong with a log, and with a row beside it."""

    NOT_LOGGED = "NOT_LOGGED"
    ROW_MISSING = "ROW_MISSING"
    EVENT_MISSING = "EVENT_MISSING"
    EVENT_CHANGED = "EVENT_CHANGED"
    CHAIN_BROKEN = "CHAIN_BROKEN"
    HEAD_WRONG = "HEAD_WRONG"


def compare(look: Look, name: str, logged: Logged) -> None:
    """Reports a row that is not as its last event left it, in the fields that the event's own schema has."""
    if logged.event is None:
        if not logged.compacted:
            look.fault(Kind.NOT_LOGGED, name, "by its namespace's log it is not there")
        return
    fields, event = logged.kind.compared(logged.event.schema), without_empty(logged.event.snapshot)
    if changed := sorted(field for field in fields if logged.row.get(field) != event.get(field)):
        look.fault(Kind.NOT_LOGGED, name, f"not as its last event left it: {', '.join(changed)}")


async def check(look: Look) -> None:
    """The log of each namespace: its chain, its head, and that what it tells of has rows."""
    families = look.offers.of(Family)
    async for log in look.rows.each(inventory.LOGS):
        if isinstance(log, Unreadable):
            look.unreadable(log)
            continue
        await _at_log(look, log)
        last: int | None = 0
        while last is not None:
            step = partial(inventory.missing_rows, families=families, namespace_key=log.key, after=last)
            missing, last = await look.rows.read(step)
            for name in missing:
                look.fault(Kind.ROW_MISSING, name, "by its namespace's log it is there, and it has no row")


async def _head(look: Look, log: LogRecord) -> LogHead | None:
    async def work(transaction: Transaction) -> LogHead | None:
        return await EventRepository(transaction).head_at(log.key)

    return await look.rows.read(work)


async def _at_log(look: Look, log: LogRecord) -> None:
    head = await _head(look, log)
    last = await _at_events(look, log, head)
    # What came since the first look has moved the head too.
    head = await _head(look, log)
    if head is None:
        look.fault(Kind.HEAD_WRONG, log.name, f"its log has no head; its last event is {last}")
    elif head.revision < last:
        look.fault(Kind.HEAD_WRONG, log.name, f"its head is at {head.revision}, and its last event is {last}")


async def _at_events(look: Look, log: LogRecord, head: LogHead | None) -> int:
    """Checks the chain of what is kept; the last revision."""
    expected, previous = _beginning(head)
    look.count("events", 0)
    async for event in look.rows.each(inventory.EVENTS, of_namespace=log.key):
        look.count("events")
        if isinstance(event, Unreadable):
            look.unreadable(event)
            expected, previous = int(str(event.key)) + 1, None
            continue
        revision = event.revision
        if revision != expected:
            # Perhaps what is missing was compacted meanwhile, and what is there is soon to go.
            beginning = _beginning(await _head(look, log))
            expected, previous = max((expected, previous), beginning, key=lambda place: place[0])
        if revision < expected:
            continue
        if revision != expected:
            _gap(look, log, expected, f"the next is {revision}")
            previous = None
        _at_event(look, f"{log.name}/events/{revision}", event, previous)
        expected, previous = revision + 1, event.hash
        if head is not None and revision == head.revision and event.hash != head.hash:
            look.fault(Kind.HEAD_WRONG, log.name, f"its head does not have the hash of event {revision}")
    if head is not None and expected <= head.revision:
        _gap(look, log, expected, f"the head is at {head.revision}")
    return expected - 1


def _gap(look: Look, log: LogRecord, revision: int, text: str) -> None:
    look.fault(Kind.EVENT_MISSING, f"{log.name}/events/{revision}", text)


def _at_event(look: Look, name: str, event: StoredEvent, previous: str | None) -> None:
    fault = fault_of(event, event.revision, previous)
    if fault is not None:
        look.fault(Kind.CHAIN_BROKEN if fault.kind is Break.UNCHAINED else Kind.EVENT_CHANGED, name, fault.text)


def _beginning(head: LogHead | None) -> tuple[int, str | None]:
    """The first revision that is kept, and the hash it is chained to."""
    return (1, GENESIS) if head is None else (head.floor + 1, head.floor_hash)
