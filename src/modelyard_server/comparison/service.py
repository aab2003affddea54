"""Comparing versions."""

from dataclasses import dataclass

from modelyard.core.names import AliasName, VersionName
from modelyard_server.calls.caller import Caller
from modelyard_server.calls.offload import offload
from modelyard_server.comparison.values import Comparison, compare
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.registry.lookup import named, with_files
from modelyard_server.registry.versions.values import Version


@dataclass(frozen=True, slots=True)
class Comparer:
    database: Database

    async def compare(
        self, caller: Caller, base: VersionName | AliasName, other: VersionName | AliasName
    ) -> Comparison:
        """Compares two versions, read in one snapshot. Deleted versions can be compared too."""

        async def work(transaction: Transaction) -> list[Version]:
            found = [await named(transaction, name) for name in (base, other)]
            return [await with_files(transaction, version) for version in found]

        versions = await self.database.read_large(work)
        return await offload(sum(version.entries for version in versions), compare, *versions)
