"""The synchronous client. Generated from ``modelyard._client.client`` by ``make protos``."""

import os
from collections.abc import Sequence
from functools import cached_property
from types import TracebackType
from typing import BinaryIO, Self

from modelyard import _loop
from modelyard._client.client import AsyncClient
from modelyard._serving_sync import Serving
from modelyard._sync.aliases import Aliases
from modelyard._sync.deployments import Deployments
from modelyard._sync.evaluations import Evaluations
from modelyard._sync.events import Events
from modelyard._sync.lineage import LineageGraph
from modelyard._sync.models import Models
from modelyard._sync.namespaces import Namespaces
from modelyard._sync.verbs import Verbs
from modelyard._sync.versions import Versions
from modelyard._sync.webhooks import Webhooks
from modelyard.core.limits import DEFAULT_DEPLOYMENT_TTL
from modelyard.core.names import VersionName
from modelyard.interceptors import Interceptor
from modelyard.types import Status, Version


class Client(Verbs):
    """A registry.

    The everyday verbs are here: ``push``, ``pull``, ``resolve``, ``watch``, ``promote``, ``rollback`` and ``diff``.
    Everything else is grouped by resource, as ``yard.models.list("team")`` or ``yard.versions.get("team/fraud@7")``.

    >>> with Client("grpcs://registry:443") as yard:
    ...     version = yard.push("team/fraud", "out/", metrics={"auc": 0.93}, alias="candidate")
    ...     for version in yard.versions.list("team/fraud"):
    ...         print(version.number, version.metrics)

    Names: a model is given as ``team/fraud``, a version as ``team/fraud@7``. Without ``team/`` the namespace is
    ``default``. Names that the client returned are accepted as they are.

    Atomicity: a call that changes something is one transaction. It takes effect completely or not at all.

    Retries: a call is sent again while the registry is unavailable, for up to 15 s if this client has reached it
    before, else for 3 s; then it raises ``UnavailableError``. A change still takes effect only once. One attempt has
    30 s; then the call raises ``DeadlineExceededError``. Other errors are not retried.

    Cancellation: Ctrl-C, or a callback that raises, cancels a call. Then, and after ``UnavailableError`` or
    ``DeadlineExceededError``, a change may have taken effect or not; read the resource to find out.

    Nothing is opened before the first call. A client may be used from any thread and in forked children.
    """

    _client: AsyncClient

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        insecure: bool = False,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        """Arguments that are not given come from the environment.

        TLS trusts the certificates that gRPC comes with, or those in the file that ``MODELYARD_CA_FILE`` names (PEM).

        Args:
            url: ``grpc://host:port`` (plaintext), ``grpcs://host:port`` (TLS), or a gRPC target such as
                ``dns:///host:port``. Else ``MODELYARD_URL``, else ``grpc://127.0.0.1:4850``.
            token: The access token. Else ``MODELYARD_TOKEN``.
            insecure: Allow plaintext to another machine; so does ``MODELYARD_INSECURE=1``. A token is never sent in
                plaintext to another machine.
            cache_dir: The folder that pulled models are kept in. Else ``MODELYARD_CACHE_DIR``, else
                ``~/.cache/modelyard``.
            cache_bytes: Most bytes that the cache keeps. Else ``MODELYARD_CACHE_BYTES``, else 100 GiB.
            interceptors: Context managers around every call, for tracing and tests: see :mod:`modelyard.interceptors`.

        Raises:
            InvalidArgumentError: An argument or a variable can't be used.
        """
        super().__init__(
            AsyncClient(
                url,
                token=token,
                insecure=insecure,
                cache_dir=cache_dir,
                cache_bytes=cache_bytes,
                interceptors=interceptors,
            )
        )

    def __repr__(self) -> str:
        return repr(self._client).removeprefix("Async")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancels the calls under way and closes the connections. Later calls raise ``RuntimeError``."""
        _loop.run(self._client.close())

    def status(self) -> Status:
        """Asks the registry for its release, its time, and who it takes this client for.

        Raises:
            UnavailableError: The registry can't be reached.
        """
        return _loop.run(self._client.status())

    def open(self, version: str | VersionName | Version, path: str) -> BinaryIO:
        """Opens one file of a version for reading, from any position.

        The file is pulled into the cache and verified as a whole first, unless it is there: a part of a file can't be
        verified alone. A version is plain data, which can be compared, pickled and sent elsewhere, and belongs to no
        client; so this is a method of the client and not of the version.

        >>> with yard.open("team/fraud@production", "config.json") as file:
        ...     config = json.load(file)

        Args:
            version: Any reference, as ``team/fraud@7`` or ``team/fraud@production``.
            path: The file's path in the version.

        Raises:
            NotFoundError: The reference means nothing, or the version has no such file.
            VerificationError: The registry sent bytes that do not match the version's digest. Nothing was kept.
        """
        return _loop.run(self._client.open(version, path))

    def serving(
        self, service: str, *, environment: str = "", instance: str | None = None, ttl: float = DEFAULT_DEPLOYMENT_TTL
    ) -> Serving:
        """A consumer that tells the registry which versions it serves, while its block is open.

        It sends heartbeats by itself. Problems with the registry never raise into your program: they become a
        ``ServingWarning``, and what could not be told is told later.

        >>> with yard.serving("fraud-api", environment="production") as serving:
        ...     for model in yard.watch("team/fraud@production", serving=serving):
        ...         holder.swap(load(model.path))

        Args:
            service: The name of the consumer, as ``fraud-api``; at most 255 bytes.
            environment: Where it runs, as ``production``; at most 255 bytes.
            instance: Which of several alike; at most 255 bytes. Host name and process id if not given.
            ttl: Seconds after the last heartbeat until the consumer counts as gone: 10 to 2,592,000 (30 days).

        Raises:
            InvalidArgumentError: The service has no name, or the ttl is out of range.
        """
        return Serving(self._client.serving(service, environment=environment, instance=instance, ttl=ttl))

    @cached_property
    def namespaces(self) -> Namespaces:
        """Namespaces: create, get, list, update."""
        return Namespaces(self._client.namespaces)

    @cached_property
    def models(self) -> Models:
        """Models: create, get, list, search, update, delete, undelete."""
        return Models(self._client.models)

    @cached_property
    def versions(self) -> Versions:
        """Versions: get, list, best, compare, usage, update, deprecate, delete, undelete."""
        return Versions(self._client.versions)

    @cached_property
    def aliases(self) -> Aliases:
        """Aliases: get, list, set, rollback, delete."""
        return Aliases(self._client.aliases)

    @cached_property
    def events(self) -> Events:
        """The log: list."""
        return Events(self._client.events)

    @cached_property
    def lineage(self) -> LineageGraph:
        """The lineage graph: upstream, downstream."""
        return LineageGraph(self._client.lineage)

    @cached_property
    def evaluations(self) -> Evaluations:
        """Evaluations: create, list."""
        return Evaluations(self._client.evaluations)

    @cached_property
    def deployments(self) -> Deployments:
        """Deployments: register, heartbeat, get, list, rollout, delete."""
        return Deployments(self._client.deployments)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Webhooks: create, get, list, update, delete, rotate_secret, test, deliveries, redeliver."""
        return Webhooks(self._client.webhooks)
