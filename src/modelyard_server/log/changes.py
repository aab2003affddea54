"""What all changes have in common: one transaction, a request_id that makes a retry take effect once, a dry run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar
from uuid import uuid4

from modelyard_server import failpoints
from modelyard_server.calls.errors import Aborted, RegistryError, invalid
from modelyard_server.calls.limits import Limits
from modelyard_server.db.protocols import Database, StoredOutcome, Transaction
from modelyard_server.log.codec import recorded
from modelyard_server.log.values import change
from modelyard_server.registry.values import AnyResource, Resource

R = TypeVar("R", bound=AnyResource)
R_co = TypeVar("R_co", bound=AnyResource, covariant=True)

_ANSWERED_WITH_SECRETS: Final = frozenset({"CreateWebhook", "RotateWebhookSecret", "RegisterDeployment"})

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that wants to change something."""

    actor: str
    method: str
    payload_hash: str
    """Of the request without its request_id: what tells a retry from another request under the same id."""
    request_id: str = ""
    validate_only: bool = False

    @property
    def logged_id(self) -> str:
        """What the log tells of the request_id: whoever knows it can have the answer again, secrets and all."""
        return "" if self.method in _ANSWERED_WITH_SECRETS else self.request_id


class Restore(Protocol[R_co]):
    """Makes the answer of a stored outcome anew."""

    async def __call__(self, transaction: Transaction, outcome: StoredOutcome, /) -> R_co: ...


@dataclass(frozen=True, slots=True)
class Mutations:
    """Runs changes. Shared by the services."""

    database: Database
    clock: Clock
    limits: Limits

    async def run(self, attempt: Attempt, work: Callable[[Transaction], Awaitable[R]], restore: Restore[R]) -> R:
        """Runs ``work`` in one transaction, or answers what it came to the first time."""
        made = False

        async def once(transaction: Transaction) -> R:
            nonlocal made
            made = False
            if (replayed := await self._replay(transaction, attempt, restore)) is not None:
                return replayed
            try:
                result = await work(transaction)
            except RegistryError:
                # Perhaps our twin, sent at the same time, made it so that this one can't: then it has our answer.
                if (replayed := await self._replay(transaction, attempt, restore)) is not None:
                    return replayed
                raise
            if attempt.validate_only:
                transaction.discard()
            elif attempt.request_id:
                outcome = StoredOutcome(attempt.payload_hash, recorded(result), result.key)
                at = self.clock()
                await transaction.requests.add(attempt.actor, attempt.method, attempt.request_id, outcome, at)
            failpoints.hit(f"{attempt.method}.before_commit")
            made = not attempt.validate_only
            return result

        result = await self.database.write(once)
        if made:
            failpoints.hit(f"{attempt.method}.after_commit")
        return result

    @staticmethod
    async def _replay(transaction: Transaction, attempt: Attempt, restore: Restore[R]) -> R | None:
        """The stored answer to this request, if it was made before."""
        if not attempt.request_id:
            return None
        stored = await transaction.requests.find(attempt.actor, attempt.method, attempt.request_id)
        if stored is None:
            return None
        if stored.payload_hash != attempt.payload_hash:
            raise request_id_reused()
        return await restore(transaction, stored)

    def record(
        self,
        transaction: Transaction,
        attempt: Attempt,
        namespace_key: int,
        type_: str,
        *,
        before: AnyResource | None = None,
        after: AnyResource | None = None,
        reason: str = "",
    ) -> None:
        """Logs one change of one resource."""
        transaction.record(
            change(
                namespace_key,
                type_,
                before=before,
                after=after,
                actor=attempt.actor,
                request_id=attempt.logged_id,
                # One moment for both: what the log says of a time is what the resource said of it.
                time=self.clock() if after is None else after.update_time,
                reason=reason,
            )
        )

    def later(self, seconds: float) -> datetime:
        return self.clock() + timedelta(seconds=seconds)


def request_id_reused() -> Exception:
    return invalid(
        "request_id",
        "this id was used for another request; use a fresh UUID for each request, the same only to retry it",
        reason="REQUEST_ID_REUSED",
    )


def new_uid() -> str:
    return str(uuid4())


def check_etag(resource: Resource, etag: str, name: object) -> None:
    """Raises ``ETAG_MISMATCH`` if the caller has seen another state of the resource than there is now."""
    if etag and etag != resource.etag:
        raise Aborted(
            f"{name} was changed since you read it (its etag is {resource.etag}, not {etag}); read it again and decide",
            reason="ETAG_MISMATCH",
            metadata={"resource": str(name), "etag": etag, "currentEtag": resource.etag},
        )
