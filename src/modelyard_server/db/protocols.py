"""What the services ask of the database: transactions, and one repository per aggregate. ``db`` implements it.

In a write transaction every read of a row that the transaction goes on to change locks it, so that a check made on it
still holds at the commit.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from modelyard.core.manifest import File
from modelyard.core.names import (
    AliasName,
    DeliveryName,
    DeploymentName,
    ModelName,
    NamespaceName,
    UploadName,
    VersionName,
    WebhookName,
)
from modelyard_server.blobs.store import BlobKey
from modelyard_server.deployments.usage.values import Rollout, VersionUse
from modelyard_server.log.values import Change, Event, LogHead
from modelyard_server.query.listing import DeploymentListing, EventListing, Listed, Listing, RolloutQuery
from modelyard_server.registry.values import (
    Alias,
    Delivery,
    DeliveryState,
    Deployment,
    Evaluation,
    Model,
    Namespace,
    Upload,
    Version,
    Webhook,
)
from modelyard_server.webhooks.values import Heading

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """What a request with a request_id came to."""

    payload_hash: str
    snapshot: Mapping[str, Any]
    key: int
    """Of the resource that it answered."""


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that is to be tried now, and whom it goes to."""

    delivery: Delivery
    webhook: Webhook
    namespace_uid: str


class NamespaceRepository(Protocol):
    async def add(self, namespace: Namespace) -> Namespace: ...
    async def find(self, name: NamespaceName, *, lock: bool = False) -> Namespace | None: ...
    async def update(self, namespace: Namespace) -> None: ...
    async def page(self, *, after: str, limit: int) -> list[Namespace]: ...
    async def revision(self, name: NamespaceName) -> int | None:
        """The last that its log has; None if there is no such namespace."""
        ...


class ModelRepository(Protocol):
    async def add(self, model: Model) -> Model: ...
    async def find(self, name: ModelName, *, lock: bool = False) -> Model | None: ...
    async def update(self, model: Model) -> None: ...
    async def page(self, namespace_key: int, listing: Listing) -> Listed[Model]: ...
    async def search(self, namespace_key: int, words: list[str], listing: Listing) -> Listed[Model]:
        """Those that have words which begin with these, the best match first. Positions are scores and keys."""
        ...

    async def has_versions(self, key: int) -> bool: ...

    async def allocate_number(self, key: int) -> int:
        """The next version number; the row stays locked until the commit, so that numbers have no gaps."""
        ...


class VersionRepository(Protocol):
    async def add(self, version: Version) -> Version: ...
    async def find(self, name: VersionName, *, lock: bool = False) -> Version | None: ...
    async def follow(self, name: AliasName) -> tuple[Version, Alias] | None:
        """An alias and what it points at."""
        ...

    async def find_latest(self, name: ModelName) -> Version | None: ...
    async def find_by_digest(self, name: ModelName, digest: str) -> Version | None: ...
    async def files(self, key: int) -> tuple[File, ...]: ...
    async def largest_file(self, key: int) -> str:
        """Its digest; of several the first by digest."""
        ...

    async def file(self, key: int, *, path: str | None = None, digest: str | None = None) -> File | None: ...
    async def files_at(self, key: int, paths: Collection[str]) -> dict[str, File]:
        """Those files of a version that have one of these paths, by path."""
        ...

    async def update(self, version: Version) -> None: ...
    async def page(self, model: Model, listing: Listing) -> Listed[Version]:
        """Of one model; without an order the highest number comes first."""
        ...

    async def parents(self, keys: Collection[int], limit: int) -> list[Version]:
        """What versions were made from."""
        ...

    async def children(self, keys: Collection[int], limit: int, *, live: bool = False) -> list[Version]:
        """What was made from versions; with ``live`` what is not deleted, and not of a deleted model."""
        ...

    async def children_elsewhere(self, model_key: int, limit: int) -> list[Version]:
        """Live versions of other models that were made from versions of a model that are live."""
        ...

    async def mentioning(self, namespace_key: int, fields: Collection[str], value: str, limit: int) -> list[Version]:
        """Those of a namespace that have this text in one of the fields, the oldest first; also deleted ones."""
        ...

    async def page_of_all(self, namespace_key: int, listing: Listing) -> Listed[Version]:
        """Of all models of a namespace; without an order the newest comes first."""
        ...


class AliasRepository(Protocol):
    async def add(self, alias: Alias, model_key: int) -> Alias: ...
    async def find(self, name: AliasName, *, lock: bool = False) -> Alias | None: ...
    async def update(self, alias: Alias) -> None: ...
    async def remove(self, alias: Alias) -> None: ...
    async def page(self, model_key: int, *, after: str, limit: int) -> list[Alias]: ...


class BlobRepository(Protocol):
    async def visible(self, namespace_key: int, digests: Collection[str], *, lock: bool = False) -> dict[str, int]:
        """Digest to size of those blobs that the namespace holds."""
        ...

    async def known_sizes(self, namespace_key: int, sizes: Collection[int]) -> set[int]: ...
    async def lease(self, namespace_key: int, digests: Collection[str], until: datetime) -> None: ...
    async def live(self, digests: Collection[str]) -> dict[str, BlobKey]:
        """The publications that are read from, by digest."""
        ...

    async def add(self, keys: Sequence[BlobKey], at: datetime) -> None:
        """Makes publications the live ones of their digests, but for digests that have one already."""
        ...

    async def grant(self, namespace_key: int, keys: Sequence[BlobKey], *, at: datetime, until: datetime) -> None:
        """Lets a namespace name blobs, and leases them."""
        ...


class UploadRepository(Protocol):
    async def add(self, upload: Upload, namespace_key: int) -> None: ...
    async def find(self, name: UploadName, *, lock: bool = False) -> Upload | None: ...
    async def count_open(self, namespace_key: int) -> int: ...
    async def claim(self, name: UploadName, expire_time: datetime) -> int | None:
        """Starts a new epoch of an open upload and answers it; None if it is not open."""
        ...

    async def commit(self, name: UploadName, digest: str) -> None: ...
    async def remove(self, name: UploadName) -> None: ...
    async def expired(self, now: datetime, limit: int) -> list[Upload]: ...
    async def known(self, uploads: Collection[str]) -> set[str]: ...


class EvaluationRepository(Protocol):
    async def add(self, evaluation: Evaluation, version: Version) -> Evaluation: ...
    async def find(self, version_key: int, evaluation_id: str) -> Evaluation | None: ...
    async def page(self, version_key: int, *, before: int | None, limit: int) -> list[Evaluation]:
        """Newest first."""
        ...


class DeploymentRepository(Protocol):
    """Those that are live at ``now``, unless it says otherwise; a row that has fallen silent counts as gone."""

    async def hold(self, version: VersionName) -> bool:
        """Keeps a version, and its model, from being deleted until the commit. False if there is none, or it is."""
        ...

    async def add(self, deployment: Deployment) -> Deployment: ...
    async def update(self, deployment: Deployment) -> None: ...
    async def remove(self, deployment: Deployment) -> None: ...
    async def find(self, name: DeploymentName, now: datetime, *, lock: bool = False) -> Deployment | None: ...
    async def find_consumer(self, like: Deployment) -> Deployment | None:
        """That of the same model, service, environment and instance, locked; also one that has fallen silent."""
        ...

    async def page(self, parent: Model | Namespace, listing: DeploymentListing) -> list[Deployment]:
        """The oldest first."""
        ...

    async def of_version(self, key: int, now: datetime, limit: int) -> list[Deployment]: ...
    async def of_model(self, key: int, now: datetime, limit: int) -> list[Deployment]: ...
    async def count(self, version_key: int, now: datetime) -> int: ...
    async def count_of_model(self, model_key: int) -> int:
        """All that have rows, also those that have fallen silent."""
        ...

    async def rollout(self, alias: Alias, query: RolloutQuery) -> Rollout: ...
    async def expired(self, now: datetime, limit: int) -> list[Deployment]:
        """Some that have fallen silent, locked, without those that another transaction is at."""
        ...


class UsageRepository(Protocol):
    async def add(self, uses: Mapping[int, VersionUse]) -> None:
        """Adds counts by the keys of versions, whoever else adds to them."""
        ...

    async def find(self, version_key: int) -> VersionUse | None: ...


class EventRepository(Protocol):
    async def head(self, name: NamespaceName) -> LogHead | None:
        """None if there is no such namespace."""
        ...

    async def revisions(self, namespace_keys: Collection[int]) -> dict[int, int]:
        """The last revision of each."""
        ...

    async def page(self, log: LogHead, listing: EventListing) -> list[Event]:
        """Events that are kept, up to the head of ``log``."""
        ...

    async def headings(self, namespace_key: int, *, after: int, limit: int) -> list[Heading]:
        """What happened next, also where the log's floor lies above it by now."""
        ...

    async def at(self, namespace_key: int, revision: int) -> Event | None:
        """One event, as long as it is stored."""
        ...

    async def compact(self, namespace_key: int, revision: int, hash_: str) -> None:
        """Moves the floor of a log up to an event of that hash."""
        ...

    async def forget(self, limit: int) -> int:
        """Removes at most so many events below their floors that no webhook waits for; how many those were."""
        ...


class WebhookRepository(Protocol):
    async def add(self, webhook: Webhook) -> Webhook: ...
    async def find(self, name: WebhookName, *, lock: bool = False) -> Webhook | None: ...
    async def at(self, key: int, *, lock: bool = False) -> Webhook | None: ...
    async def update(self, webhook: Webhook) -> None: ...
    async def advance(self, key: int, queued_revision: int) -> None:
        """Says up to which revision its deliveries have been added."""
        ...

    async def remove(self, webhook: Webhook) -> None:
        """With its deliveries."""
        ...

    async def count(self, namespace_key: int) -> int: ...
    async def page(self, namespace_key: int, *, after: str, limit: int) -> list[Webhook]: ...
    async def followed(self) -> set[int]:
        """Keys of the namespaces that have any which are not disabled."""
        ...

    async def behind(self) -> Sequence[int]:
        """Keys of those that are not disabled, and whose namespaces' logs have gone on."""
        ...


class DeliveryRepository(Protocol):
    """What adds, ends, pauses or resumes deliveries has locked their webhook."""

    async def add(self, webhook: Webhook, deliveries: Sequence[Delivery]) -> None:
        """Each behind those of its lane."""
        ...

    async def find(self, name: DeliveryName) -> Delivery | None: ...
    async def page(
        self, webhook_key: int, *, before: int | None, limit: int, state: DeliveryState | None
    ) -> list[Delivery]:
        """Newest first."""
        ...

    async def any_due(self, now: datetime) -> bool: ...
    async def claim(
        self, now: datetime, until: datetime, claim: str, *, limit: int, each: int, under_way: Mapping[int, int]
    ) -> list[DueDelivery]:
        """Takes what is due, and is due again at ``until``; ``each`` of a webhook at most, with those under way."""
        ...

    async def release(self, claims: Collection[str], now: datetime) -> None:
        """Makes what was claimed, and is not tried after all, due at once."""
        ...

    async def end(self, delivery: Delivery, claim: str, *, paused: bool) -> bool:
        """Stores what came of an attempt; False if it was claimed again meanwhile. The next of its lane is due at
        ``next_attempt_time``, unless the webhook is paused.
        """
        ...

    async def pause(self, webhook_key: int) -> None: ...
    async def resume(self, webhook_key: int, now: datetime) -> None: ...
    async def forget(self, before: datetime, limit: int) -> int:
        """Removes at most so many that have ended and are older; how many those were."""
        ...


class RequestRepository(Protocol):
    async def find(self, actor: str, method: str, request_id: str) -> StoredOutcome | None: ...
    async def add(self, actor: str, method: str, request_id: str, outcome: StoredOutcome, at: datetime) -> None: ...
    async def sweep(self, before: datetime) -> None: ...


class Transaction(Protocol):
    """One transaction. It commits when the work that was given it returns, and not otherwise."""

    namespaces: NamespaceRepository
    models: ModelRepository
    versions: VersionRepository
    aliases: AliasRepository
    blobs: BlobRepository
    uploads: UploadRepository
    requests: RequestRepository
    events: EventRepository
    evaluations: EvaluationRepository
    webhooks: WebhookRepository
    deliveries: DeliveryRepository
    deployments: DeploymentRepository
    usage: UsageRepository

    def record(self, change: Change) -> None:
        """Adds a change to the log. Revisions are taken when all the work is done, so that they follow commit order."""
        ...

    def discard(self) -> None:
        """Lets the transaction roll back although its work returns: for ``validate_only``."""
        ...


class Database(Protocol):
    """Runs units of work."""

    async def read(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs ``work`` on one consistent snapshot."""
        ...

    async def look(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """The same for work that finds some rows by their keys, and reads no lists."""
        ...

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs ``work`` in one transaction, again from its start if another transaction stood in the way.

        It is shielded: if the caller is cancelled meanwhile, the transaction still runs to its end.
        """
        ...
