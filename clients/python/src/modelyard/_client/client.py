"""The asynchronous client. The synchronous one is generated from it: run ``make protos`` after a change."""

import os
from collections.abc import Sequence
from functools import cached_property
from time import perf_counter
from types import TracebackType
from typing import BinaryIO, Self

from modelyard import _config, _convert, _naming
from modelyard._client.aliases import AsyncAliases
from modelyard._client.deployments import AsyncDeployments
from modelyard._client.evaluations import AsyncEvaluations
from modelyard._client.events import AsyncEvents
from modelyard._client.lineage import AsyncLineageGraph
from modelyard._client.models import AsyncModels
from modelyard._client.namespaces import AsyncNamespaces
from modelyard._client.registration import default_instance
from modelyard._client.serving import AsyncServing
from modelyard._client.verbs import AsyncVerbs
from modelyard._client.versions import AsyncVersions
from modelyard._client.webhooks import AsyncWebhooks
from modelyard._connection import Connection
from modelyard.core.limits import DEFAULT_DEPLOYMENT_TTL, MAX_DEPLOYMENT_TTL, MIN_DEPLOYMENT_TTL
from modelyard.core.names import VersionName
from modelyard.interceptors import Interceptor
from modelyard.types import Status, Version
from modelyard.v1.registry_pb2 import GetRegistryRequest
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


class AsyncClient(AsyncVerbs):
    """A registry, for programs that run an event loop.

    The everyday verbs are here: ``push``, ``pull``, ``resolve``, ``watch``, ``promote``, ``rollback`` and ``diff``.
    Everything else is grouped by resource, as ``yard.models.list("team")`` or ``yard.versions.get("team/fraud@7")``.

    >>> async with AsyncClient("grpcs://registry:443") as yard:
    ...     version = await yard.push("team/fraud", "out/", metrics={"auc": 0.93}, alias="candidate")
    ...     async for version in yard.versions.list("team/fraud"):
    ...         print(version.number, version.metrics)

    Names: a model is given as ``team/fraud``, a version as ``team/fraud@7``. Without ``team/`` the namespace is
    ``default``. Names that the client returned are accepted as they are.

    Atomicity: a call that changes something is one transaction. It takes effect completely or not at all.

    Retries: a call is sent again while the registry is unavailable, for up to 15 s if this client has reached it
    before, else for 3 s; then it raises ``UnavailableError``. A change still takes effect only once. One attempt has
    30 s; then the call raises ``DeadlineExceededError``. Other errors are not retried.

    Cancellation: a call may be cancelled at any time. Then, and after ``UnavailableError`` or
    ``DeadlineExceededError``, a change may have taken effect or not; read the resource to find out.

    Nothing is opened before the first call. It belongs to the loop that makes the first call.
    """

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
        connection = Connection(_config.endpoint(url, token=token, insecure=insecure), interceptors)
        super().__init__(connection, cache_dir=cache_dir, cache_bytes=_config.cache_bytes(cache_bytes))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.server!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancels the calls under way and closes the connections. Later calls raise ``RuntimeError``."""
        await self._connection.close()

    async def status(self) -> Status:
        """Asks the registry for its release, its time, and who it takes this client for.

        Raises:
            UnavailableError: The registry can't be reached.
        """
        started = perf_counter()
        call = self._connection.stub(RegistryServiceStub).GetRegistry
        return _convert.status(
            await self._connection.call(call, GetRegistryRequest()), self._connection.server, perf_counter() - started
        )

    async def open(self, version: str | VersionName | Version, path: str) -> BinaryIO:
        """Opens one file of a version for reading, from any position.

        The file is pulled into the cache and verified as a whole first, unless it is there: a part of a file can't be
        verified alone. A version is plain data, which can be compared, pickled and sent elsewhere, and belongs to no
        client; so this is a method of the client and not of the version.

        >>> with await yard.open("team/fraud@production", "config.json") as file:
        ...     config = json.load(file)

        Args:
            version: Any reference, as ``team/fraud@7`` or ``team/fraud@production``.
            path: The file's path in the version.

        Raises:
            NotFoundError: The reference means nothing, or the version has no such file.
            VerificationError: The registry sent bytes that do not match the version's digest. Nothing was kept.
        """
        return (await self.pull(version, files=[path])).open(path)

    def serving(
        self, service: str, *, environment: str = "", instance: str | None = None, ttl: float = DEFAULT_DEPLOYMENT_TTL
    ) -> AsyncServing:
        """A consumer that tells the registry which versions it serves, while its block is open.

        It sends heartbeats by itself. Problems with the registry never raise into your program: they become a
        ``ServingWarning``, and what could not be told is told later.

        >>> async with yard.serving("fraud-api", environment="production") as serving:
        ...     async for model in yard.watch("team/fraud@production", serving=serving):
        ...         holder.swap(load(model.path))

        Args:
            service: The name of the consumer, as ``fraud-api``; at most 255 bytes.
            environment: Where it runs, as ``production``; at most 255 bytes.
            instance: Which of several alike; at most 255 bytes. Host name and process id if not given.
            ttl: Seconds after the last heartbeat until the consumer counts as gone: 10 to 2,592,000 (30 days).

        Raises:
            InvalidArgumentError: The service has no name, or the ttl is out of range.
        """
        if not service:
            raise _naming.invalid("service", "is required")
        # Checked here too: heartbeats come at a third of it.
        if not MIN_DEPLOYMENT_TTL <= ttl <= MAX_DEPLOYMENT_TTL:
            raise _naming.invalid("ttl", f"{ttl:g} seconds is not between 10 seconds and 30 days.")
        return AsyncServing(
            connection=self._connection,
            cache=lambda: self._cache,
            service=service,
            environment=environment,
            instance=default_instance() if instance is None else instance,
            ttl=ttl,
        )

    @cached_property
    def namespaces(self) -> AsyncNamespaces:
        """Namespaces: create, get, list, update."""
        return AsyncNamespaces(self._connection)

    @cached_property
    def models(self) -> AsyncModels:
        """Models: create, get, list, search, update, delete, undelete."""
        return AsyncModels(self._connection)

    @cached_property
    def versions(self) -> AsyncVersions:
        """Versions: get, list, best, compare, usage, update, deprecate, delete, undelete."""
        return AsyncVersions(self._connection)

    @cached_property
    def aliases(self) -> AsyncAliases:
        """Aliases: get, list, set, rollback, delete."""
        return AsyncAliases(self._connection)

    @cached_property
    def events(self) -> AsyncEvents:
        """The log: list."""
        return AsyncEvents(self._connection)

    @cached_property
    def lineage(self) -> AsyncLineageGraph:
        """The lineage graph: upstream, downstream."""
        return AsyncLineageGraph(self._connection)

    @cached_property
    def evaluations(self) -> AsyncEvaluations:
        """Evaluations: create, list."""
        return AsyncEvaluations(self._connection)

    @cached_property
    def deployments(self) -> AsyncDeployments:
        """Deployments: register, heartbeat, get, list, rollout, delete."""
        return AsyncDeployments(self._connection)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        """Webhooks: create, get, list, update, delete, rotate_secret, test, deliveries, redeliver."""
        return AsyncWebhooks(self._connection)
