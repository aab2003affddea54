"""What a reference means now."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from modelyard.core.names import PRODUCTION, NamespaceName
from modelyard.core.references import Reference, Selector
from modelyard_server.db.protocols import Database, Transaction
from modelyard_server.deployments.usage.service import UsageCounter
from modelyard_server.log.changes import Clock
from modelyard_server.registry import lookup
from modelyard_server.registry.values import Alias, Version
from modelyard_server.registry.versions.service import with_files


class Rule(Enum):
    """Which rule of references matched."""

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
    usage: UsageCounter

    async def resolve(self, reference: Reference) -> Resolution:
        async def work(transaction: Transaction) -> Resolution:
            # Read before the answer: what is told may be newer than the revision says, never older.
            revision = await lookup.revision(transaction, NamespaceName(reference.model.namespace))
            version, rule, alias = await _match(transaction, reference)
            return Resolution(
                version=await with_files(transaction, version),
                rule=rule,
                alias=alias,
                revision=revision,
                serve_time=self.clock(),
            )

        resolution = await self.database.look(work)
        self.usage.used(resolution.version.key)
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
            found, rule, what = await transaction.versions.find_by_digest(model, value), Rule.MANIFEST_DIGEST, value
        case Selector.LATEST:
            found, rule, what = await transaction.versions.find_latest(model), Rule.LATEST, "READY version"
        case Selector.DEFAULT:
            if (followed := await transaction.versions.follow(model.alias(PRODUCTION))) is not None:
                return followed[0], Rule.DEFAULT_ALIAS, followed[1]
            found, rule = await transaction.versions.find_latest(model), Rule.DEFAULT_LATEST
            what = f"alias {PRODUCTION!r} and no READY version"
    if found is None:
        await lookup.model(transaction, model)
        raise lookup.version_not_found(
            model, what if rule is not Rule.MANIFEST_DIGEST else f"version with digest {what}"
        )
    return found, rule, None
