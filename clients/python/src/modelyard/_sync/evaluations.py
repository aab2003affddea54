"""Evaluations. Generated from ``modelyard._client.evaluations`` by ``make protos``."""

from collections.abc import Mapping
from typing import Any

from modelyard import _loop
from modelyard._client.evaluations import AsyncEvaluations
from modelyard._paging import Pager
from modelyard.core.facts import Dataset, Direction
from modelyard.core.names import EvaluationName, VersionName
from modelyard.types import Evaluation, Version


class Evaluations:
    """Evaluations: ``client.evaluations``. An evaluation adds metrics on a data set to a version, at any later time.

    Evaluations never change. To correct one, create another with ``supersedes``. Filter versions by them as
    ``evaluations.<dataset>.<metric>``.

    >>> yard.evaluations.create("team/fraud@7", "test-2026", {"auc": 0.91}, harness="nightly")
    """

    def __init__(self, client: AsyncEvaluations) -> None:
        self._client = client

    def create(
        self,
        version: str | VersionName | Version,
        dataset: str | Dataset,
        metrics: Any,
        *,
        directions: Mapping[str, Direction] | None = None,
        slices: Mapping[str, Any] | None = None,
        harness: str = "",
        supersedes: EvaluationName | None = None,
        drop_nonfinite: bool = False,
    ) -> Evaluation:
        """Adds an evaluation to a version.

        Args:
            version: Any reference, as ``team/fraud@production``. It is resolved once; that version is evaluated.
            dataset: The data that the version was measured on: a name, or a record.
            metrics: As in ``push``: a mapping, a dataclass and the like, also nested; 1 to 10,000 finite numbers. Names
                up to 255 bytes.
            directions: For metrics of this evaluation: whether higher or lower is better. ``best`` goes by it.
            slices: Metrics of parts of the data, by the name of the part; the metrics of each as in ``metrics``.
            harness: The program that measured; at most 4 KiB on one line.
            supersedes: The evaluation of the same version that this one corrects.
            drop_nonfinite: Leave out metrics that are NaN or infinite, with a ``FactsWarning``, instead of refusing
                them.

        Raises:
            InvalidArgumentError: A value breaks a limit. All that is wrong is listed, and nothing was added.
            NotFoundError: The reference means nothing.
            FailedPreconditionError: The version is not READY, or another evaluation corrects the same one already.
        """
        return _loop.run(
            self._client.create(
                version,
                dataset,
                metrics,
                directions=directions,
                slices=slices,
                harness=harness,
                supersedes=supersedes,
                drop_nonfinite=drop_nonfinite,
            )
        )

    def list(self, version: str | VersionName | Version, *, page_size: int | None = None) -> Pager[Evaluation]:
        """Lists the evaluations of a version, newest first, including those that were corrected.

        Args:
            version: By number, as ``team/fraud@7``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The version does not exist.
        """
        return Pager(self._client.list(version, page_size=page_size))
