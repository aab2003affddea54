"""Resolves references."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from modelyard.core.names import PRODUCTION, NamespaceName
from modelyard.core.references import Reference, Selector
from modelyard_server.calls.caller import Caller, Clock
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.log import history
from modelyard_server.registry import lookup
from modelyard_server.registry.aliases.repository import AliasRepository
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.guards import UseListener
from modelyard_server.registry.lookup import check_servable, with_few_files
from modelyard_server.registry.versions.repository import VersionRepository
from modelyard_server.registry.versions.values import Version


class Rule(Enum):
    """The rule of references that matched."""

    NUMBER = "NUMBER"
    ALIAS = "ALIAS"
    MANIFEST_DIGEST = "MANIFEST_DIGEST"
    LATEST = "LATEST"
    DEFAULT_ALIAS = "DEFAULT_ALIAS"
    DEFAULT_LATEST = "DEFAULT_LATEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    version: Version
    rule: Rule
    alias: Alias | None
    revision: int
    serve_time: datetime


@dataclass(frozen=True, slots=True)
class Resolver:
    database: Database
    clock: Clock
    listeners: tuple[UseListener, ...]

    async def resolve(self, caller: Caller, reference: Reference, *, files: bool) -> Resolution:
        """With ``files`` the version has them if they are few; ``read_files`` reads many."""

        async def work(transaction: Transaction) -> Resolution:
            # Read the revision before the version: the version may be newer than the revision, never older.
            log = await history.log_of(transaction, NamespaceName(reference.model.namespace))
            version, rule, alias = await _match(transaction, reference)
            check_servable(version)
            return Resolution(
                version=await with_few_files(transaction, version) if files else version,
                rule=rule,
                alias=alias,
                revision=log.revision,
                serve_time=self.clock(),
            )

        resolution = await self.database.look(work)
        for listener in self.listeners:
            listener.used(resolution.version.key)
        return resolution


async def _match(transaction: Transaction, reference: Reference) -> tuple[Version, Rule, Alias | None]:
    model, value = reference.model, reference.value
    match reference.selector:
        case Selector.NUMBER:
            return await lookup.version(transaction, model.version(int(value))), Rule.NUMBER, None
        case Selector.ALIAS:
            version, alias = await lookup.follow(transaction, model.alias(value))
            return version, Rule.ALIAS, alias
        case Selector.DIGEST:
            found, rule, what = (
                await VersionRepository(transaction).find_by_digest(model, value),
                Rule.MANIFEST_DIGEST,
                value,
            )
        case Selector.LATEST:
            found, rule, what = await VersionRepository(transaction).find_latest(model), Rule.LATEST, "READY version"
        case Selector.DEFAULT:
            if (followed := await AliasRepository(transaction).follow(model.alias(PRODUCTION))) is not None:
                return followed[0], Rule.DEFAULT_ALIAS, followed[1]
            found, rule = await VersionRepository(transaction).find_latest(model), Rule.DEFAULT_LATEST
            what = f"alias {PRODUCTION!r} and no READY version"
    if found is None:
        await lookup.model(transaction, model)
        raise lookup.version_not_found(
            model, what if rule is not Rule.MANIFEST_DIGEST else f"version with digest {what}"
        )
    return found, rule, None
