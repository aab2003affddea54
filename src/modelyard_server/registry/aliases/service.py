"""Reads and moves aliases. A move is a compare-and-set."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from modelyard.core.names import AliasName, ModelName, VersionName
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import Aborted
from modelyard_server.calls.resource import check_etag
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.listing import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.aliases import history
from modelyard_server.registry.aliases.events import ALIAS
from modelyard_server.registry.aliases.moves import AliasMoves
from modelyard_server.registry.aliases.repository import AliasRepository
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.lookup import digest_changed
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.versions.values import Version

_OUTCOMES: Final = SnapshotOutcomes(ALIAS)


@dataclass(frozen=True, slots=True)
class Precondition:
    """The preconditions of a move."""

    etag: str = ""
    create_only: bool = False
    manifest_digest: str = ""


@dataclass(frozen=True, slots=True)
class Aliases:
    mutations: Mutations
    moves: AliasMoves

    async def get(self, caller: Caller, name: AliasName) -> Alias:
        return await self.mutations.database.look(lambda transaction: lookup.alias(transaction, name))

    async def get_at(self, caller: Caller, name: AliasName, time: datetime) -> Alias:
        """The alias at a time in the past, from the log."""
        return await self.mutations.database.read(lambda transaction: history.alias_at(transaction, name, time))

    async def roll_back(self, attempt: Attempt, name: AliasName, *, etag: str, reason: str) -> Alias:
        """Points the alias to the version before its last move that has not been rolled back."""

        async def work(transaction: Transaction) -> Alias:
            model = await lookup.model(transaction, name.model)
            before = await lookup.alias(transaction, name, lock=True)
            check_etag(before, etag, name)
            earlier = await history.target_before(transaction, name)
            target = await lookup.version(transaction, earlier, lock=True)
            return await self.moves.point(
                transaction, attempt, model, name, target, before=before, verb="rolled_back", reason=reason
            )

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def page(self, caller: Caller, parent: ModelName, *, after: str, size: int) -> Page[Alias]:
        async def work(transaction: Transaction) -> Page[Alias]:
            model = await lookup.model(transaction, parent)
            found = await AliasRepository(transaction).page(model.key, after=after, limit=size + 1)
            return Page.of(found, size, lambda alias: alias.name.alias)

        return await self.mutations.database.read(work)

    async def set(
        self, attempt: Attempt, name: AliasName, version: VersionName, *, only_if: Precondition, reason: str
    ) -> Alias:
        async def work(transaction: Transaction) -> Alias:
            model = await lookup.model(transaction, name.model)
            # Lock the version, so that it can't be deleted before the commit: an alias never dangles.
            target = await lookup.version(transaction, version, lock=True)
            if only_if.manifest_digest not in {"", target.manifest_digest}:
                raise digest_changed(target, only_if.manifest_digest)
            return await self.point(transaction, attempt, model, name, target, only_if=only_if, reason=reason)

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def point(
        self,
        transaction: Transaction,
        attempt: Attempt,
        model: Model,
        name: AliasName,
        target: Version,
        *,
        only_if: Precondition,
        reason: str = "",
    ) -> Alias:
        """Moves or creates the alias within a transaction that has locked ``target``."""
        before = await AliasRepository(transaction).find(name, lock=True)
        if before is None:
            if only_if.etag:
                raise await lookup.alias_not_found(transaction, name)
        elif only_if.create_only:
            raise Aborted(
                f"{name} is already set, with etag {before.etag}. Read it, then decide.",
                reason="ETAG_MISMATCH",
                metadata={"resource": str(name), "etag": "", "currentEtag": before.etag},
            )
        else:
            check_etag(before, only_if.etag, name)
            if before.version_key == target.key:
                return before
        verb = "moved" if before else "created"
        return await self.moves.point(
            transaction, attempt, model, name, target, before=before, verb=verb, reason=reason
        )

    async def delete(self, attempt: Attempt, name: AliasName, *, etag: str, reason: str) -> Alias:
        async def work(transaction: Transaction) -> Alias:
            model = await lookup.model(transaction, name.model)
            before = await lookup.alias(transaction, name, lock=True)
            check_etag(before, etag, name)
            await self.moves.remove(transaction, attempt, model, before, reason=reason)
            return before

        return await self.mutations.run(attempt, work, _OUTCOMES)
