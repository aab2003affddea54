"""Deployments, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import AsyncIterator, Awaitable, Callable

from modelyard import _convert, _convert_consumers, _naming
from modelyard._connection import Connection
from modelyard._messages import Page, items, request_id
from modelyard._registration import registration
from modelyard.core.names import DeploymentName, ModelName, VersionName
from modelyard.core.references import Selector
from modelyard.types import Deployment, Registration, Resolution, Rollout
from modelyard.v1 import deployments_pb2
from modelyard.v1 import resources_pb2 as resources


class AsyncDeployments:
    """Who serves what: ``client.deployments``.

    Consumers register what they have loaded, and say from time to time that they are still there;
    ``client.serving`` does all of that by itself.

    >>> async for deployment in yard.deployments.list("team/fraud", filter="version = 7"):
    ...     print(deployment.service, deployment.instance)
    """

    def __init__(self, connection: Connection, resolve: Callable[[str], Awaitable[Resolution]]) -> None:
        self._connection = connection
        self._resolve = resolve

    async def register(
        self,
        version: str | VersionName,
        service: str,
        *,
        environment: str = "",
        instance: str = "",
        observed_digest: str = "",
        reference: str | None = None,
        ttl: float | None = None,
    ) -> Registration:
        """Says that a consumer serves a version; ``client.serving`` does this, and what must follow, by itself.

        It counts until its lease runs out, and so long the version is not deleted. The same service, environment and
        instance are one consumer: whoever registered as it before has lost the lease.

        Args:
            version: As ``team/fraud@7``; what any reference means now is registered.
            service: What serves it, as ``fraud-api``.
            environment: Where, as ``production``.
            instance: Which of several alike, as the name of a pod.
            observed_digest: Manifest digest of the files that it found on its disk, if it looked.
            reference: What it follows, as ``team/fraud@production``. If not given, ``version``, unless that is pinned.
            ttl: Seconds until the lease runs out without a heartbeat, from 10 to 30 days; 90 if not given.

        Raises:
            NotFoundError: There is no such version, or it is deleted.
            FailedPreconditionError: The version is quarantined.
        """
        named = _naming.reference(version, "version")
        name = named.model.version(int(named.value)) if named.selector is Selector.NUMBER else None
        if name is None:
            name = (await self._resolve(str(named))).version.name
        followed = "" if named.pinned else str(named)
        request = registration(
            name,
            service=service,
            environment=environment,
            instance=instance,
            observed_digest=observed_digest,
            reference=followed if reference is None else reference,
            ttl=ttl,
        )
        call = self._connection.deployments.RegisterDeployment
        return _convert_consumers.registration(await self._connection.call(call, request))

    async def heartbeat(
        self, registration: Registration, *, version: VersionName | None = None, observed_digest: str = ""
    ) -> Deployment:
        """Says that a consumer is still there, and what it serves by now if that has changed.

        Raises:
            ConflictError: Another process has registered as the same consumer.
            NotFoundError: The lease ran out; register again.
        """
        request = deployments_pb2.HeartbeatDeploymentRequest(
            name=str(registration.deployment.name),
            lease=registration.lease,
            version=str(version) if version is not None else "",
            observed_digest=observed_digest,
        )
        call = self._connection.deployments.HeartbeatDeployment
        return _convert_consumers.deployment(await self._connection.call(call, request))

    async def delete(self, deployment: str | DeploymentName, *, etag: str | None = None, lease: str = "") -> Deployment:
        """Ends a deployment, whose consumer stops or is gone, and answers it as it was.

        With a ``lease`` only if it still is that deployment's, else ``ConflictError``.
        """
        request = deployments_pb2.DeleteDeploymentRequest(
            name=str(_naming.deployment_name(deployment)), etag=etag or "", lease=lease, request_id=request_id()
        )
        call = self._connection.deployments.DeleteDeployment
        return _convert_consumers.deployment(await self._connection.call(call, request))

    async def get(self, deployment: str | DeploymentName) -> Deployment:
        """One deployment. Raises ``NotFoundError`` if it has ended."""
        request = deployments_pb2.GetDeploymentRequest(name=str(_naming.deployment_name(deployment)))
        return _convert_consumers.deployment(
            await self._connection.call(self._connection.deployments.GetDeployment, request)
        )

    def list(
        self,
        model: str | ModelName,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
    ) -> AsyncIterator[Deployment]:
        """Who serves what now, the oldest first; fetched page by page as they are asked for.

        >>> async for deployment in yard.deployments.list("team/fraud", filter="version = 7"):
        ...     print(deployment.service, deployment.instance)

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Which ones, as ``version = 7 AND environment = production``.
        """
        parent = _naming.models_parent(model)

        async def fetch(token: str) -> Page[resources.Deployment]:
            request = deployments_pb2.ListDeploymentsRequest(parent=parent, filter=filter, page_token=token)
            page = await self._connection.call(self._connection.deployments.ListDeployments, request)
            return page.deployments, page.next_page_token

        return items(fetch, _convert_consumers.deployment)

    async def rollout(self, model: str | ModelName, alias: str, *, environment: str = "") -> Rollout:
        """Whether what runs is what an alias points at. Consumers that follow another reference are left out.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            environment: Only consumers there; all, if not given.
        """
        request = deployments_pb2.GetRolloutRequest(name=str(_naming.alias_name(model, alias)), environment=environment)
        return _convert.rollout(await self._connection.call(self._connection.deployments.GetRollout, request))
