"""The one door through which aliases move, and where it may be shut."""

from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from modelyard.core.names import AliasName, VersionName
from modelyard_server.calls.caller import Attempt
from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation
from modelyard_server.calls.resource import new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.aliases.events import ALIAS
from modelyard_server.registry.aliases.repository import AliasRepository
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version, VersionState

# Aliases go and come back with their model. These moves have no events of their own: the model's tells of them.
HIDDEN: Final = "hidden"
RESTORED: Final = "restored"


@dataclass(frozen=True, slots=True)
class Move:
    """An alias that is about to be created, moved, rolled back, deleted, hidden or restored."""

    name: AliasName
    verb: str
    before: VersionName | None
    after: VersionName | None


@runtime_checkable
class MoveGuard(Protocol):
    """May object to a move: raises the error that the caller gets. It is asked in the transaction that moves."""

    async def check_alias_move(self, transaction: Transaction, attempt: Attempt, move: Move) -> None: ...


@dataclass(frozen=True, slots=True)
class AliasMoves:
    """Every way in which an alias comes to point elsewhere passes here: whatever may forbid one is asked once, here."""

    mutations: Mutations
    guards: tuple[MoveGuard, ...] = field(default=())

    async def point(
        self,
        transaction: Transaction,
        attempt: Attempt,
        model: Model,
        name: AliasName,
        target: Version,
        *,
        before: Alias | None,
        verb: str,
        reason: str,
    ) -> Alias:
        """Points an alias at ``target``, which the transaction has locked, as it has ``before``."""
        _check_target(target)
        await self._check(transaction, attempt, Move(name, verb, before.version if before else None, target.name))
        now = self.mutations.clock()
        after = Alias(
            uid=before.uid if before else new_uid(),
            create_time=before.create_time if before else now,
            update_time=now,
            row_version=before.row_version + 1 if before else 1,
            key=before.key if before else 0,
            name=name,
            version=target.name,
            manifest_digest=target.manifest_digest,
            updated_by=attempt.actor,
            version_key=target.key,
        )
        aliases = AliasRepository(transaction)
        if before is None:
            after = await aliases.add(after, model.key)
        else:
            await aliases.update(after)
        self.mutations.record(
            transaction, attempt, model.namespace_key, ALIAS, verb, before=before, after=after, reason=reason
        )
        return after

    async def remove(
        self, transaction: Transaction, attempt: Attempt, model: Model, before: Alias, *, reason: str
    ) -> None:
        await self._check(transaction, attempt, Move(before.name, "deleted", before.version, None))
        await AliasRepository(transaction).remove(before)
        self.mutations.record(transaction, attempt, model.namespace_key, ALIAS, "deleted", before=before, reason=reason)

    async def hide(self, transaction: Transaction, attempt: Attempt, model: Model) -> None:
        """Takes the aliases of a model that is deleted out of use. They keep their rows until it is restored."""
        for alias, number in model.aliases.items():
            move = Move(model.name.alias(alias), HIDDEN, model.name.version(number), None)
            await self._check(transaction, attempt, move)

    async def restore(self, transaction: Transaction, attempt: Attempt, model: Model) -> None:
        """Lets the aliases of a model that is restored point where they pointed."""
        for alias, number in model.aliases.items():
            move = Move(model.name.alias(alias), RESTORED, None, model.name.version(number))
            await self._check(transaction, attempt, move)

    async def _check(self, transaction: Transaction, attempt: Attempt, move: Move) -> None:
        for guard in self.guards:
            await guard.check_alias_move(transaction, attempt, move)


def _check_target(target: Version) -> None:
    if target.state is VersionState.QUARANTINED:
        raise FailedPrecondition(
            f"{target.name} is quarantined; no alias may point at it",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(target.name), "the version is quarantined")],
            metadata={"resource": str(target.name)},
        )
