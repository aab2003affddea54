"""Comparing versions."""

from dataclasses import dataclass

from modelyard.core.names import AliasName, VersionName
from modelyard_server.calls.caller import Caller
from modelyard_server.comparison.values import Comparison, compare
from modelyard_server.db.unit_of_work import Database, Transaction
from modelyard_server.registry.lookup import named, with_files


@dataclass(frozen=True, slots=True)
class Comparer:
    database: Database

    async def compare(
        self, caller: Caller, base: VersionName | AliasName, other: VersionName | AliasName
    ) -> Comparison:
        """Compares two versions, read in one snapshot. Deleted versions can be compared too."""

        async def work(transaction: Transaction) -> Comparison:
            found = [await named(transaction, name) for name in (base, other)]
            return compare(*[await with_files(transaction, version) for version in found])

        return await self.database.read(work)
