"""Deployments. Generated from ``modelyard._client.deployments`` by ``make protos``."""

# ruff: noqa: A002 - the field has that name everywhere
from modelyard import _loop
from modelyard._client.deployments import AsyncDeployments
from modelyard._paging import Pager
from modelyard.core.names import DeploymentName, ModelName, VersionName
from modelyard.types import Deployment, Model, Registration, Rollout, Version


class Deployments:
    """Deployments: ``client.deployments``. A deployment says that a consumer, such as a service, serves a version.

    It lives as long as the consumer sends heartbeats. ``client.serving`` registers a consumer and sends its heartbeats;
    use the methods here to look, or to do it yourself.

    >>> for deployment in yard.deployments.list("team/fraud", filter="version = 7"):
    ...     print(deployment.service, deployment.instance)
    """

    def __init__(self, client: AsyncDeployments) -> None:
        self._client = client

    def register(
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
        return _loop.run(
            self._client.register(
                version,
                service,
                environment=environment,
                instance=instance,
                observed_digest=observed_digest,
                reference=reference,
                ttl=ttl,
            )
        )

    def heartbeat(
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
        return _loop.run(self._client.heartbeat(registration, version=version, observed_digest=observed_digest))

    def delete(self, deployment: str | DeploymentName, *, etag: str | None = None, lease: str = "") -> Deployment:
        """Ends a deployment and returns it as it was: its consumer stops, or is gone.

        Args:
            deployment: Its name, as the registry gave it.
            etag: Only end the deployment if it still has this etag.
            lease: Only end the deployment if it still has this lease.

        Raises:
            NotFoundError: The deployment has ended.
            ConflictError: The deployment has another etag or lease.
        """
        return _loop.run(self._client.delete(deployment, etag=etag, lease=lease))

    def get(self, deployment: str | DeploymentName) -> Deployment:
        """Reads one deployment. Raises ``NotFoundError`` if it has ended."""
        return _loop.run(self._client.get(deployment))

    def list(
        self, model: str | ModelName | Model, *, filter: str = "", page_size: int | None = None
    ) -> Pager[Deployment]:
        """Lists the deployments that are alive, oldest first.

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Only matching deployments, for example ``version = 7 AND environment = production``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The filter can't be read. The message tells the character.
            NotFoundError: The model or the namespace does not exist.
        """
        return Pager(self._client.list(model, filter=filter, page_size=page_size))

    def rollout(self, model: str | ModelName | Model, alias: str, *, environment: str = "") -> Rollout:
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
        return _loop.run(self._client.rollout(model, alias, environment=environment))
