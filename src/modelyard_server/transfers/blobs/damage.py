"""Finds blobs whose stored bytes are damaged, and reports them.

A version that names such a blob can't be pulled. So a damaged blob counts as missing until its bytes arrive again. They
then replace the stored ones, which heals every version that names them.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog
from prometheus_client import Counter

from modelyard.core.names import NamespaceName
from modelyard_server.blobs.store import BlobKey, BlobStore, Damage
from modelyard_server.calls.caller import SYSTEM
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.log.changes import Mutations, change_of
from modelyard_server.registry import lookup
from modelyard_server.telemetry import Metrics
from modelyard_server.transfers.blobs.events import BLOB, BlobCondition
from modelyard_server.transfers.blobs.repository import BlobRepository

_log: Final = structlog.get_logger("modelyard.blobs")
_MAX_REPORTED: Final = 100_000
"""Publications that are remembered as reported. Each takes some hundred bytes."""
_EVENTS_AT_ONCE: Final = 500
"""Events of one transaction."""


class DamagedBlobs:
    """Compares blobs with the store. Reports each damaged publication once, in the log and in a metric."""

    def __init__(self, mutations: Mutations, store: BlobStore, metrics: Metrics) -> None:
        self._mutations = mutations
        self._store = store
        self._reported: OrderedDict[tuple[int, BlobKey], Damage] = OrderedDict()
        self._found = Counter(
            "modelyard_blobs_damaged",
            "Blobs found damaged: `missing`, `resized`, or `changed` since they were stored.",
            ("damage",),
            registry=metrics.registry,
        )
        for damage in Damage:
            self._found.labels(damage.value)
        self._healed = Counter(
            "modelyard_blobs_healed",
            "Damaged blobs whose bytes arrived again and replaced the stored ones.",
            registry=metrics.registry,
        )

    async def damaged_among(self, parent: NamespaceName, digests: Collection[str]) -> set[str]:
        """The digests of the namespace's own blobs whose stored bytes are missing or damaged. Reads no bytes."""

        async def work(transaction: Transaction) -> tuple[int, dict[str, int], dict[str, BlobKey]]:
            namespace = await lookup.namespace(transaction, parent)
            blobs = BlobRepository(transaction)
            held = await blobs.visible(namespace.key, digests)
            return namespace.key, held, await blobs.live(held)

        namespace_key, held, live = await self._mutations.database.read(work)
        found = await self._store.find_damaged(list(live.values())) if live else {}
        await self._report(parent, namespace_key, found)
        return {key.digest for key in found} | (held.keys() - live.keys())

    async def of(self, digests: Collection[str]) -> Mapping[BlobKey, Damage]:
        """The damaged publications of these digests, in any namespace. The caller must not tell anybody."""
        live = await self._mutations.database.read(lambda transaction: BlobRepository(transaction).live(digests))
        return await self._store.find_damaged(list(live.values())) if live else {}

    def record_healing(
        self, transaction: Transaction, parent: NamespaceName, namespace_key: int, healed: Mapping[BlobKey, Damage]
    ) -> None:
        """Logs that blobs of a namespace were replaced by intact ones."""
        for key, damage in healed.items():
            self._record(transaction, parent, namespace_key, "healed", key, damage)

    def count_healed(self, keys: Sequence[BlobKey]) -> None:
        """Counts blobs that were replaced by intact ones, after the commit."""
        for key in keys:
            self._healed.inc()
            _log.warning("blob healed", digest=key.digest)

    async def _report(self, parent: NamespaceName, namespace_key: int, found: Mapping[BlobKey, Damage]) -> None:
        new = [(key, damage) for key, damage in found.items() if (namespace_key, key) not in self._reported]
        for start in range(0, len(new), _EVENTS_AT_ONCE):
            batch = new[start : start + _EVENTS_AT_ONCE]

            async def work(transaction: Transaction, batch: list[tuple[BlobKey, Damage]] = batch) -> None:
                for key, damage in batch:
                    self._record(transaction, parent, namespace_key, "damaged", key, damage)

            await self._mutations.database.write(work)
            for key, damage in batch:
                self._reported[namespace_key, key] = damage
                self._found.labels(damage.value).inc()
                _log.error("blob damaged", digest=key.digest, damage=damage.value, generation=key.generation)
        while len(self._reported) > _MAX_REPORTED:
            self._reported.popitem(last=False)

    def _record(
        self,
        transaction: Transaction,
        parent: NamespaceName,
        namespace_key: int,
        verb: str,
        key: BlobKey,
        damage: Damage,
    ) -> None:
        now = self._mutations.clock()
        intact = BlobCondition(
            uid="",
            create_time=now,
            update_time=now,
            name=f"{parent}/blobs/{key.digest}",
            digest=key.digest,
            size=key.size,
        )
        damaged = replace(intact, damage=damage.value)
        before, after = (intact, damaged) if verb == "damaged" else (damaged, intact)
        transaction.record(
            change_of(
                BLOB,
                verb,
                namespace_key=namespace_key,
                before=before,
                after=after,
                actor=SYSTEM.actor,
                request_id="",
                time=now,
            )
        )
