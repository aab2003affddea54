"""Lineage. Generated from ``modelyard._client.lineage`` by ``make protos``."""

from modelyard import _loop
from modelyard._client.lineage import AsyncLineageGraph
from modelyard.core.limits import DEFAULT_LINEAGE_DEPTH
from modelyard.core.names import DEFAULT_NAMESPACE, VersionName
from modelyard.types import Lineage, Version


class LineageGraph:
    """The lineage graph: ``client.lineage``. It joins versions, data sets, source commits and runs.

    >>> affected = yard.lineage.downstream(dataset="sales-2025", namespace="team")
    >>> for version in affected.versions:
    ...     print(version.name, version.aliases)
    """

    def __init__(self, client: AsyncLineageGraph) -> None:
        self._client = client

    def upstream(self, version: str | VersionName | Version, *, depth: int = DEFAULT_LINEAGE_DEPTH) -> Lineage:
        """Tells what a version was made from: parents, their parents, and their data sets, commits and runs.

        Args:
            version: Any reference, as ``team/fraud@7``.
            depth: Most steps from version to version, 1 to 50. ``truncated`` says that there is more.

        Raises:
            NotFoundError: The reference means nothing.
        """
        return _loop.run(self._client.upstream(version, depth=depth))

    def downstream(
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
        return _loop.run(
            self._client.downstream(version, dataset=dataset, commit=commit, run=run, namespace=namespace, depth=depth)
        )
