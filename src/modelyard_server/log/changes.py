"""Runs changes: in one transaction, once per request_id, and optionally as a dry run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from modelyard_server import failpoints
from modelyard_server.calls.caller import Attempt, Clock
from modelyard_server.calls.errors import InvalidArgument, RegistryError, invalid
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.resource import Resource
from modelyard_server.db.requests import RequestRepository, StoredOutcome
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log.kinds import Kind
from modelyard_server.log.values import Change, Json

R = TypeVar("R", bound=Resource)


class Outcomes(Protocol[R]):
    """Stores the answer of a change for its retries, and rebuilds it."""

    def store(self, resource: R, /) -> Json:
        """The fields of the answer, except long lists that never change."""
        ...

    async def restore(self, transaction: Transaction, outcome: StoredOutcome, /) -> R: ...


@dataclass(frozen=True, slots=True)
class Mutations:
    """Runs changes. Shared by the services."""

    database: Database
    clock: Clock
    limits: Limits

    async def run(self, attempt: Attempt, work: Callable[[Transaction], Awaitable[R]], outcomes: Outcomes[R]) -> R:
        """Runs ``work`` in one transaction. For a retry, returns the stored answer instead."""
        made = False

        async def once(transaction: Transaction) -> R:
            nonlocal made
            made = False
            requests = RequestRepository(transaction)
            if (replayed := await _replay(transaction, requests, attempt, outcomes)) is not None:
                return replayed
            try:
                result = await work(transaction)
            except RegistryError:
                # A concurrent retry of the same request may have succeeded. Then its answer is ours.
                if (replayed := await _replay(transaction, requests, attempt, outcomes)) is not None:
                    return replayed
                raise
            if attempt.validate_only:
                transaction.discard()
            elif attempt.request_id:
                outcome = StoredOutcome(attempt.payload_hash, outcomes.store(result), result.key)
                await requests.add(attempt.actor, attempt.method, attempt.request_id, outcome, self.clock())
            failpoints.hit(f"{attempt.method}.before_commit")
            made = not attempt.validate_only
            return result

        result = await self.database.write(once)
        if made:
            failpoints.hit(f"{attempt.method}.after_commit")
        return result

    def record(
        self,
        transaction: Transaction,
        attempt: Attempt,
        namespace_key: int,
        kind: Kind[R],
        verb: str,
        *,
        before: R | None = None,
        after: R | None = None,
        reason: str = "",
    ) -> None:
        """Logs one change of one resource, from ``before`` to ``after``; one of them may be None."""
        transaction.record(
            change_of(
                kind,
                verb,
                namespace_key=namespace_key,
                before=before,
                after=after,
                actor=attempt.actor,
                request_id=attempt.logged_id,
                # The event has the time of the resource.
                time=self.clock() if after is None else after.update_time,
                reason=reason,
            )
        )

    def later(self, seconds: float) -> datetime:
        return self.clock() + timedelta(seconds=seconds)


def change_of(
    kind: Kind[R],
    verb: str,
    *,
    namespace_key: int,
    before: R | None,
    after: R | None,
    actor: str,
    request_id: str,
    time: datetime,
    reason: str = "",
) -> Change:
    """The step of one resource from ``before`` to ``after``; one of them may be None."""
    assert verb in kind.verbs, verb
    subject = after if after is not None else before
    assert subject is not None
    old = kind.snapshot(before) if before is not None else {}
    new = kind.snapshot(after) if after is not None else {}
    return Change(
        namespace_key=namespace_key,
        schema=kind.schema,
        type=f"{kind.name}.{verb}",
        resource=kind.resource_name(subject),
        actor=actor,
        request_id=request_id,
        reason=reason,
        time=time,
        # The snapshot has the fields of a created resource, so ``changes`` stays empty.
        changes=kind.changes(old, new) if old and new else {},
        snapshot=new or old,
    )


async def _replay(
    transaction: Transaction, requests: RequestRepository, attempt: Attempt, outcomes: Outcomes[R]
) -> R | None:
    """The stored answer to this request; None for its first call."""
    if not attempt.request_id:
        return None
    stored = await requests.find(attempt.actor, attempt.method, attempt.request_id)
    if stored is None:
        return None
    if stored.payload_hash != attempt.payload_hash:
        raise request_id_reused()
    return await outcomes.restore(transaction, stored)


def request_id_reused() -> InvalidArgument:
    return invalid(
        "request_id",
        "This request_id was used for another request. Use a new UUID for each request, and the same one to retry it.",
        reason="REQUEST_ID_REUSED",
    )
