"""Deployments, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from modelyard import _convert, _naming
from modelyard._client.messages import pager, request_id
from modelyard._client.registration import registration
from modelyard._client.resolving import pinned
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard.core.names import DeploymentName, ModelName, VersionName
from modelyard.types import Deployment, Model, Registration, Rollout, Version
from modelyard.v1 import deployments_pb2 as pb
from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceStub


class AsyncDeployments:
    """Deployments: ``client.deployments``. A deployment says that a consumer, such as a service, serves a version.

    It lives as long as the consumer sends heartbeats. ``client.serving`` registers a consumer and sends its heartbeats;
    use the methods here to look, or to do it yourself.

    >>> async for deployment in yard.deployments.list("team/fraud", filter="version = 7"):
    ...     print(deployment.service, deployment.instance)
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def register(
        self,
        version: str | VersionName | Version,
        service: str,
        *,
        environment: str = "",
        instance: str = "",
        observed_digest: str = "",
        reference: str | None = None,
        ttl: float | None = None,
    ) -> Registration:
        """Registers a consumer that serves a version. The version can't be deleted until the lease runs out.

        Service, environment and instance together identify the consumer. If another process registered as the same
        consumer before, it loses its lease.

        Args:
            version: Any reference, as ``team/fraud@7``. It is resolved once; that version is registered.
            service: The name of the consumer, as ``fraud-api``; at most 255 bytes.
            environment: Where it runs, as ``production``; at most 255 bytes.
            instance: Which of several alike, as the name of a pod; at most 255 bytes.
            observed_digest: The manifest digest of the files on the consumer's disk. Leave it out if nobody looked.
            reference: What the consumer follows, as ``team/fraud@production``. If not given, it is ``version``, unless
                that is a number or a digest.
            ttl: Seconds until the lease runs out without a heartbeat: 10 to 2,592,000 (30 days), 90 if not given.

        Raises:
            InvalidArgumentError: A value breaks a limit. Nothing was registered.
            NotFoundError: The version does not exist or is deleted.
            FailedPreconditionError: The version is quarantined.
            ResourceExhaustedError: The model has 10,000 deployments.
        """
        named = _naming.reference(version, "version")
        followed = "" if named.pinned else str(named)
        request = registration(
            await pinned(self._connection, named),
            service=service,
            environment=environment,
            instance=instance,
            observed_digest=observed_digest,
            reference=followed if reference is None else reference,
            ttl=ttl,
        )
        call = self._connection.stub(DeploymentsServiceStub).RegisterDeployment
        return _convert.registration(await self._connection.call(call, request))

    async def heartbeat(
        self, registration: Registration, *, version: VersionName | None = None, observed_digest: str = ""
    ) -> Deployment:
        """Renews the lease of a deployment. Send one at a third of the ttl.

        Args:
            registration: What ``register`` returned.
            version: The version that is served now, if it has changed.
            observed_digest: With ``version``: the manifest digest of the files on the consumer's disk.

        Raises:
            ConflictError: Another process registered as the same consumer, and has the lease now.
            NotFoundError: The lease ran out. Register again.
        """
        request = pb.HeartbeatDeploymentRequest(
            name=str(registration.deployment.name),
            lease=registration.lease,
            version=str(version) if version is not None else "",
            observed_digest=observed_digest,
        )
        call = self._connection.stub(DeploymentsServiceStub).HeartbeatDeployment
        return _convert.deployment(await self._connection.call(call, request))

    async def delete(self, deployment: str | DeploymentName, *, etag: str | None = None, lease: str = "") -> Deployment:
        """Ends a deployment and returns it as it was: its consumer stops, or is gone.

        Args:
            deployment: Its name, as the registry gave it.
            etag: Only end the deployment if it still has this etag.
            lease: Only end the deployment if it still has this lease.

        Raises:
            NotFoundError: The deployment has ended.
            ConflictError: The deployment has another etag or lease.
        """
        request = pb.DeleteDeploymentRequest(
            name=str(_naming.deployment_name(deployment)), etag=etag or "", lease=lease, request_id=request_id()
        )
        call = self._connection.stub(DeploymentsServiceStub).DeleteDeployment
        return _convert.deployment(await self._connection.call(call, request))

    async def get(self, deployment: str | DeploymentName) -> Deployment:
        """Reads one deployment. Raises ``NotFoundError`` if it has ended."""
        request = pb.GetDeploymentRequest(name=str(_naming.deployment_name(deployment)))
        call = self._connection.stub(DeploymentsServiceStub).GetDeployment
        return _convert.deployment(await self._connection.call(call, request))

    def list(
        self,
        model: str | ModelName | Model,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        page_size: int | None = None,
    ) -> AsyncPager[Deployment]:
        """Lists the deployments that are alive, oldest first.

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Only matching deployments, for example ``version = 7 AND environment = production``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The filter can't be read. The message tells the character.
            NotFoundError: The model or the namespace does not exist.
        """
        request = pb.ListDeploymentsRequest(
            parent=_naming.models_parent(model), filter=filter, page_size=_naming.page_size(page_size)
        )
        return pager(
            self._connection,
            lambda: self._connection.stub(DeploymentsServiceStub).ListDeployments,
            request,
            lambda page: page.deployments,
            _convert.deployment,
        )

    async def rollout(self, model: str | ModelName | Model, alias: str, *, environment: str = "") -> Rollout:
        """Compares what is served with what an alias points at.

        Consumers that follow another reference are left out. The rollout is ``complete`` if at least one consumer
        follows the alias, and all that do serve its version.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            environment: Only consumers that run there; all of them if not given.

        Raises:
            NotFoundError: The alias is not set.
        """
        request = pb.GetRolloutRequest(name=str(_naming.alias_name(model, alias)), environment=environment)
        call = self._connection.stub(DeploymentsServiceStub).GetRollout
        return _convert.rollout(await self._connection.call(call, request))
