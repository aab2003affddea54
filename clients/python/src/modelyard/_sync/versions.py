"""Versions. Generated from ``modelyard._client.versions`` by ``make protos``."""

# ruff: noqa: A002 - the field has that name everywhere
from collections.abc import Mapping

from modelyard import _loop
from modelyard._client.versions import AsyncVersions
from modelyard._paging import Pager
from modelyard._unset import UNSET, Unset
from modelyard.core.names import ModelName, VersionName
from modelyard.types import Best, Comparison, Model, Usage, Version


class Versions:
    """Versions: ``client.versions``. A version is an immutable snapshot of files and facts; ``push`` creates it.

    Methods that read take any reference, as ``team/fraud@production``. Methods that change a version need its number,
    as ``team/fraud@7``: an alias could mean another version by the time the call arrives.

    >>> for version in yard.versions.list("team/fraud", filter="metrics.auc > 0.9", order_by="metrics.auc desc"):
    ...     print(version.number, version.metrics["auc"])
    """

    def __init__(self, client: AsyncVersions) -> None:
        self._client = client

    def get(self, version: str | VersionName | Version) -> Version:
        """Reads one version with its files, up to 10,000. By its number you also get a deleted version.

        ``resolve`` is cheaper if you don't need the files.

        Args:
            version: Any reference, as ``team/fraud@7`` or ``team/fraud@production``.

        Raises:
            NotFoundError: The reference means nothing.
        """
        return _loop.run(self._client.get(version))

    def list(
        self,
        model: str | ModelName | Model,
        *,
        filter: str = "",
        order_by: str = "",
        show_deleted: bool = False,
        page_size: int | None = None,
    ) -> Pager[Version]:
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
        return Pager(
            self._client.list(model, filter=filter, order_by=order_by, show_deleted=show_deleted, page_size=page_size)
        )

    def best(
        self,
        model: str | ModelName | Model,
        metric: str,
        *,
        lowest: bool | None = None,
        dataset: str = "",
        filter: str = "",
    ) -> Best:
        """Finds the version with the best value of a metric; of equal ones any.

        Only versions that are READY are compared. Whether the highest or the lowest value is the best is what the
        newest version says that was pushed with ``directions`` for the metric; on a data set, first what evaluations
        of the ten newest evaluated versions say. If none does, it is the highest. The answer tells the direction, and
        the version or the evaluation that says it.

        >>> best = yard.versions.best("team/fraud", "auc")
        >>> best.version.reference, best.value, best.direction
        >>> yard.versions.best("team/fraud", "loss", lowest=True, dataset="test-2026")

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
        return _loop.run(self._client.best(model, metric, lowest=lowest, dataset=dataset, filter=filter))

    def compare(self, base: str | VersionName | Version, other: str | VersionName | Version) -> Comparison:
        """Compares two versions, also of different models: params, metrics, data sets, source, packages and files.

        >>> comparison = yard.versions.compare("team/fraud@production", "team/fraud@latest")
        >>> for difference in comparison.differences:
        ...     print(difference.name, difference.before, difference.after)

        Args:
            base: Any reference; its values are ``before``.
            other: Any reference; its values are ``after``.

        Raises:
            NotFoundError: A reference means nothing.
        """
        return _loop.run(self._client.compare(base, other))

    def usage(self, version: str | VersionName | Version) -> Usage:
        """Tells how a version is used: downloads, the last use, and the number of deployments that serve it.

        Args:
            version: Any reference, as ``team/fraud@production``.

        Raises:
            NotFoundError: The reference means nothing.
        """
        return _loop.run(self._client.usage(version))

    def update(
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
        return _loop.run(
            self._client.update(version, description=description, labels=labels, annotations=annotations, etag=etag)
        )

    def deprecate(self, version: str | VersionName | Version, reason: str, *, etag: str | None = None) -> Version:
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
        return _loop.run(self._client.deprecate(version, reason, etag=etag))

    def quarantine(self, version: str | VersionName | Version, reason: str, *, etag: str | None = None) -> Version:
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
        return _loop.run(self._client.quarantine(version, reason, etag=etag))

    def release(self, version: str | VersionName | Version, reason: str, *, etag: str | None = None) -> Version:
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
        return _loop.run(self._client.release(version, reason, etag=etag))

    def delete(self, version: str | VersionName | Version, *, etag: str | None = None) -> Version:
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
        return _loop.run(self._client.delete(version, etag=etag))

    def undelete(self, version: str | VersionName | Version, *, etag: str | None = None) -> Version:
        """Restores a deleted version to the state that it had before.

        Args:
            version: By number, as ``team/fraud@7``.
            etag: Only restore the version if it still has this etag.

        Raises:
            NotFoundError: The version does not exist.
            AlreadyExistsError: The version is not deleted.
            ConflictError: The version has another etag.
        """
        return _loop.run(self._client.undelete(version, etag=etag))
