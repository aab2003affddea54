"""Versions, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import Mapping

from modelyard import _convert, _naming
from modelyard._client.best import BestOf
from modelyard._client.messages import field_mask, fill, pager, request_id
from modelyard._client.resolving import name_to_read, resolve
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard._unset import UNSET, Unset
from modelyard.core.names import ModelName, VersionName
from modelyard.core.references import Selector
from modelyard.types import Best, Comparison, Model, Usage, Version
from modelyard.v1 import deployments_pb2
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


class AsyncVersions:
    """Versions: ``client.versions``. A version is an immutable snapshot of files and facts; ``push`` creates it.

    Methods that read take any reference, as ``team/fraud@production``. Methods that change a version need its number,
    as ``team/fraud@7``: an alias could mean another version by the time the call arrives.

    >>> async for version in yard.versions.list("team/fraud", filter="metrics.auc > 0.9", order_by="metrics.auc desc"):
    ...     print(version.number, version.metrics["auc"])
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, version: str | VersionName | Version) -> Version:
        """Reads one version with its files, up to 10,000. By its number you also get a deleted version.

        ``resolve`` is cheaper if you don't need the files.

        Args:
            version: Any reference, as ``team/fraud@7`` or ``team/fraud@production``.

        Raises:
            NotFoundError: The reference means nothing.
        """
        reference = _naming.reference(version, "version")
        if reference.selector not in {Selector.NUMBER, Selector.ALIAS}:
            return _convert.version((await resolve(self._connection, reference, files=True)).version)
        request = pb.GetVersionRequest(name=f"{reference.model}/versions/{reference.value}")
        call = self._connection.stub(RegistryServiceStub).GetVersion
        return _convert.version(await self._connection.call(call, request))

    def list(
        self,
        model: str | ModelName | Model,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        order_by: str = "",
        show_deleted: bool = False,
        page_size: int | None = None,
    ) -> AsyncPager[Version]:
        """Lists the versions of a model, newest first. Their ``files`` are left out.

        If no version has a label, param or metric that the filter or the order names, you get an
        ``UnknownFieldWarning``: probably it is misspelt.

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Only matching versions, for example ``metrics.auc > 0.9 AND create_time > now-7d``.
            order_by: ``number``, ``create_time``, ``metrics.<name>`` or ``params.<name>``. Add ``desc`` to reverse the
                order, for example ``metrics.auc desc`` for the best first. Put a name with spaces in quotes.
            show_deleted: Include deleted versions that can still be restored.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The filter or the order can't be read. The message tells the character.
            NotFoundError: The model or the namespace does not exist.
        """
        request = pb.ListVersionsRequest(
            parent=_naming.models_parent(model),
            filter=filter,
            order_by=order_by,
            show_deleted=show_deleted,
            page_size=_naming.page_size(page_size),
        )
        return pager(
            self._connection,
            lambda: self._connection.stub(RegistryServiceStub).ListVersions,
            request,
            lambda page: page.versions,
            _convert.version,
        )

    async def best(
        self,
        model: str | ModelName | Model,
        metric: str,
        *,
        lowest: bool | None = None,
        dataset: str = "",
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
    ) -> Best:
        """Finds the version with the best value of a metric; of equal ones any.

        Only versions that are READY are compared. Whether the highest or the lowest value is the best is what the
        newest version says that was pushed with ``directions`` for the metric; on a data set, first what evaluations
        of the ten newest evaluated versions say. If none does, it is the highest. The answer tells the direction, and
        the version or the evaluation that says it.

        >>> best = await yard.versions.best("team/fraud", "auc")
        >>> best.version.reference, best.value, best.direction
        >>> await yard.versions.best("team/fraud", "loss", lowest=True, dataset="test-2026")

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            metric: The name of the metric, as ``auc``.
            lowest: True if the lowest value is the best, as of a loss; False if the highest is.
            dataset: Compare the latest evaluations on this data set, not the metrics of pushes.
            filter: Only matching versions; see ``list``.

        Raises:
            InvalidArgumentError: The filter can't be read. The message tells the character.
            NotFoundError: The model does not exist, or no READY version that matches has the metric. The message
                suggests metrics with similar names.
        """
        return await BestOf(self._connection, _naming.models_parent(model), metric, dataset, filter).find(lowest)

    async def compare(self, base: str | VersionName | Version, other: str | VersionName | Version) -> Comparison:
        """Compares two versions, also of different models: params, metrics, data sets, source, packages and files.

        >>> comparison = await yard.versions.compare("team/fraud@production", "team/fraud@latest")
        >>> for difference in comparison.differences:
        ...     print(difference.name, difference.before, difference.after)

        Args:
            base: Any reference; its values are ``before``.
            other: Any reference; its values are ``after``.

        Raises:
            NotFoundError: A reference means nothing.
        """
        names = [await name_to_read(self._connection, reference) for reference in (base, other)]
        request = pb.CompareVersionsRequest(base=names[0], other=names[1])
        call = self._connection.stub(RegistryServiceStub).CompareVersions
        return _convert.comparison(await self._connection.call(call, request))

    async def usage(self, version: str | VersionName | Version) -> Usage:
        """Tells how a version is used: downloads, the last use, and the number of deployments that serve it.

        Args:
            version: Any reference, as ``team/fraud@production``.

        Raises:
            NotFoundError: The reference means nothing.
        """
        request = deployments_pb2.GetUsageRequest(name=await name_to_read(self._connection, version))
        call = self._connection.stub(DeploymentsServiceStub).GetUsage
        return _convert.usage(await self._connection.call(call, request))

    async def update(
        self,
        version: str | VersionName | Version,
        *,
        description: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Version:
        """Changes the fields that are given and no others. Everything else of a version is frozen.

        Args:
            version: By number, as ``team/fraud@7``.
            description: Markdown; at most 1 MiB.
            labels: Replaces all labels. At most 100; keys up to 128 bytes, values up to 4 KiB. Filter as
                ``labels.<key>``.
            annotations: Replaces all annotations. Limits as for labels; not indexed.
            etag: Only change the version if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The version does not exist.
            ConflictError: The version has another etag.
        """
        message = resources.Version(name=str(_naming.version_name(version)), etag=etag or "")
        mask = fill(message, description=description, labels=labels, annotations=annotations)
        request = pb.UpdateVersionRequest(version=message, update_mask=field_mask(mask), request_id=request_id())
        call = self._connection.stub(RegistryServiceStub).UpdateVersion
        return _convert.version(await self._connection.call(call, request))

    async def deprecate(self, version: str | VersionName | Version, reason: str, *, etag: str | None = None) -> Version:
        """Marks a version as deprecated. It is still served; everyone who pulls it gets a warning with the reason.

        Args:
            version: By number, as ``team/fraud@7``.
            reason: Why, and what to use instead; at most 4 KiB.
            etag: Only change the version if it still has this etag.

        Raises:
            NotFoundError: The version does not exist.
            FailedPreconditionError: The version is not READY.
            ConflictError: The version has another etag.
        """
        request = pb.DeprecateVersionRequest(
            name=str(_naming.version_name(version)), reason=reason, etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).DeprecateVersion
        return _convert.version(await self._connection.call(call, request))

    async def quarantine(
        self, version: str | VersionName | Version, reason: str, *, etag: str | None = None
    ) -> Version:
        """Stops the use of a version at once: nobody can pull or resolve it, and no alias can be pointed at it.

        It works while aliases point at the version and deployments serve it. The aliases stay. Copies that were pulled
        before are not touched.

        Args:
            version: By number, as ``team/fraud@7``.
            reason: Why; at most 4 KiB.
            etag: Only change the version if it still has this etag.

        Raises:
            NotFoundError: The version does not exist.
            FailedPreconditionError: The version is quarantined already.
            ConflictError: The version has another etag.
        """
        request = pb.QuarantineVersionRequest(
            name=str(_naming.version_name(version)), reason=reason, etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).QuarantineVersion
        return _convert.version(await self._connection.call(call, request))

    async def release(self, version: str | VersionName | Version, reason: str, *, etag: str | None = None) -> Version:
        """Ends the quarantine of a version. It returns to the state that it had before.

        Args:
            version: By number, as ``team/fraud@7``.
            reason: Why; at most 4 KiB.
            etag: Only change the version if it still has this etag.

        Raises:
            NotFoundError: The version does not exist.
            FailedPreconditionError: The version is not quarantined.
            ConflictError: The version has another etag.
        """
        request = pb.ReleaseVersionRequest(
            name=str(_naming.version_name(version)), reason=reason, etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).ReleaseVersion
        return _convert.version(await self._connection.call(call, request))

    async def delete(self, version: str | VersionName | Version, *, etag: str | None = None) -> Version:
        """Deletes a version. ``undelete`` restores it until its ``purge_time``, 30 days later.

        Its number is never used again.

        Args:
            version: By number, as ``team/fraud@7``.
            etag: Only delete the version if it still has this etag.

        Raises:
            NotFoundError: The version does not exist.
            FailedPreconditionError: The version is in use: an alias points at it, a deployment serves it, or another
                version was made from it. Nothing was deleted.
            ConflictError: The version has another etag.
        """
        request = pb.DeleteVersionRequest(
            name=str(_naming.version_name(version)), etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).DeleteVersion
        return _convert.version(await self._connection.call(call, request))

    async def undelete(self, version: str | VersionName | Version, *, etag: str | None = None) -> Version:
        """Restores a deleted version to the state that it had before.

        Args:
            version: By number, as ``team/fraud@7``.
            etag: Only restore the version if it still has this etag.

        Raises:
            NotFoundError: The version does not exist.
            AlreadyExistsError: The version is not deleted.
            ConflictError: The version has another etag.
        """
        request = pb.UndeleteVersionRequest(
            name=str(_naming.version_name(version)), etag=etag or "", request_id=request_id()
        )
        call = self._connection.stub(RegistryServiceStub).UndeleteVersion
        return _convert.version(await self._connection.call(call, request))
