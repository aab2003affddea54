"""Lineage, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from modelyard import _convert, _naming
from modelyard._client.resolving import name_to_read
from modelyard._connection import Connection
from modelyard.core.limits import DEFAULT_LINEAGE_DEPTH
from modelyard.core.names import DEFAULT_NAMESPACE, VersionName
from modelyard.types import Lineage, Version
from modelyard.v1 import lineage_pb2 as pb
from modelyard.v1.lineage_pb2_grpc import LineageServiceStub


class AsyncLineageGraph:
    """The lineage graph: ``client.lineage``. It joins versions, data sets, source commits and runs.

    >>> affected = await yard.lineage.downstream(dataset="sales-2025", namespace="team")
    >>> for version in affected.versions:
    ...     print(version.name, version.aliases)
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upstream(self, version: str | VersionName | Version, *, depth: int = DEFAULT_LINEAGE_DEPTH) -> Lineage:
        """Tells what a version was made from: parents, their parents, and their data sets, commits and runs.

        Args:
            version: Any reference, as ``team/fraud@7``.
            depth: Most steps from version to version, 1 to 50. ``truncated`` says that there is more.

        Raises:
            NotFoundError: The reference means nothing.
        """
        request = pb.QueryLineageRequest(depth=depth, direction=pb.QueryLineageRequest.DIRECTION_UPSTREAM)
        return await self._of_version(version, request)

    async def downstream(
        self,
        version: str | VersionName | None = None,
        *,
        dataset: str | None = None,
        commit: str | None = None,
        run: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        depth: int = DEFAULT_LINEAGE_DEPTH,
    ) -> Lineage:
        """Tells what was made from a version, a data set, a commit or a run. Give exactly one of the four.

        Args:
            version: Any reference, as ``team/fraud@7``.
            dataset: The name, the digest or the URI of a data set.
            commit: The commit of the source code.
            run: The id of a run in an experiment tracker.
            namespace: Where the data set, the commit or the run is looked up. Not used with ``version``.
            depth: Most steps from version to version, 1 to 50. ``truncated`` says that there is more.

        Raises:
            InvalidArgumentError: Not exactly one origin is given.
            NotFoundError: The version or the namespace does not exist. An unknown data set, commit or run has an empty
                answer.
        """
        origins = {"version": version, "dataset": dataset, "commit": commit, "run": run}
        given = {name: value for name, value in origins.items() if value is not None}
        if len(given) != 1:
            raise _naming.invalid("version", "Give exactly one of version, dataset, commit and run.")
        request = pb.QueryLineageRequest(depth=depth, direction=pb.QueryLineageRequest.DIRECTION_DOWNSTREAM)
        if version is not None:
            return await self._of_version(version, request)
        request.parent = str(_naming.namespace_name(namespace))
        for name, value in given.items():
            with _naming.as_given(name):
                setattr(request, name, value)
        return await self._query(request)

    async def _of_version(self, version: str | VersionName | Version, request: pb.QueryLineageRequest) -> Lineage:
        request.version = await name_to_read(self._connection, version)
        request.parent = str(_naming.namespace_name(_naming.reference(version).model.namespace))
        return await self._query(request)

    async def _query(self, request: pb.QueryLineageRequest) -> Lineage:
        call = self._connection.stub(LineageServiceStub).QueryLineage
        return _convert.lineage(await self._connection.call(call, request))
