"""Finds the largest file of a version. A download of it counts as a download of the version."""

from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.registry.versions.repository import VersionRepository


class LargestFiles:
    """Caches the digests for the versions that were used last. Files never change, so entries never expire."""

    def __init__(self, room: int) -> None:
        """``room`` is the maximum number of cached versions."""
        self._room = room
        self._known: dict[int, str] = {}

    async def of(self, transaction: Transaction, version_key: int) -> str:
        """The digest of a version's largest file."""
        known = self._known.get(version_key)
        if known is None:
            if len(self._known) >= self._room:
                self._known.clear()
            known = self._known[version_key] = await VersionRepository(transaction).largest_file(version_key)
        return known
