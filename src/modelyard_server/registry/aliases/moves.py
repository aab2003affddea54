"""Moves aliases. Every move of an alias goes through this module, which asks the guards."""

from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from modelyard.core.names import AliasName, VersionName
from modelyard_server.calls.caller import Attempt
from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation, ResourceExhausted
from modelyard_server.calls.resource import new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.registry.aliases.events import ALIAS
from modelyard_server.registry.aliases.repository import AliasRepository
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version, VersionState

# Verbs of aliases that are deleted and restored with their model. Only the model has an event.
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
    """May refuse a move: raises the caller's error. It is called in the transaction of the move."""

    async def check_alias_move(self, transaction: Transaction, attempt: Attempt, move: Move) -> None: ...


@dataclass(frozen=True, slots=True)
class AliasMoves:
    """Performs every move of an alias: set, roll back, delete and restore. Asks each guard once per move."""

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
        """Points an alias to ``target``. The transaction has locked ``target`` and ``before``."""
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
            await self._check_room(aliases, model)
            after = await aliases.add(after, model.key)
        else:
            await aliases.update(after)
        self.mutations.record(
            transaction, attempt, model.namespace_key, ALIAS, verb, before=before, after=after, reason=reason
        )
        return after

    async def _check_room(self, aliases: AliasRepository, model: Model) -> None:
        most = self.mutations.limits.aliases
        if await aliases.count(model.key) >= most:
            raise ResourceExhausted(
                f"{model.name} has {most} aliases, the maximum. Delete some that are not in use.",
                reason="TOO_MANY_ALIASES",
                metadata={"limit": str(most)},
            )

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
        """Restores the aliases of a restored model."""
        for alias, number in model.aliases.items():
            move = Move(model.name.alias(alias), RESTORED, None, model.name.version(number))
            await self._check(transaction, attempt, move)

    async def _check(self, transaction: Transaction, attempt: Attempt, move: Move) -> None:
        for guard in self.guards:
            await guard.check_alias_move(transaction, attempt, move)


def _check_target(target: Version) -> None:
    if target.state is VersionState.QUARANTINED:
        raise FailedPrecondition(
            f"{target.name} is quarantined. An alias can't point to it. Choose another version.",
            reason="QUARANTINED",
            violations=[PreconditionViolation("STATE", str(target.name), "the version is quarantined")],
            metadata={"resource": str(target.name)},
        )
