"""Evaluations, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelyard import _convert, _naming
from modelyard._caller import warn
from modelyard._client import measures
from modelyard._client.checking import Check, entry
from modelyard._client.messages import pager, request_id
from modelyard._client.resolving import pinned
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard.core.facts import Dataset, DatasetRole, Direction
from modelyard.core.names import EvaluationName, VersionName
from modelyard.errors import FactsWarning
from modelyard.types import Evaluation, Version
from modelyard.v1 import evaluations_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceStub
from modelyard.wire import dataset_to_proto, directions_to_proto


class AsyncEvaluations:
    """Evaluations: ``client.evaluations``. An evaluation adds metrics on a data set to a version, at any later time.

    Evaluations never change. To correct one, create another with ``supersedes``. Filter versions by them as
    ``evaluations.<dataset>.<metric>``.

    >>> await yard.evaluations.create("team/fraud@7", "test-2026", {"auc": 0.91}, harness="nightly")
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
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
        message, notes = _described(
            dataset=dataset,
            metrics=metrics,
            directions=directions,
            slices=slices,
            harness=harness,
            drop_nonfinite=drop_nonfinite,
        )
        message.supersedes = str(supersedes) if supersedes is not None else ""
        for note in notes:
            warn(note, FactsWarning)
        name = await pinned(self._connection, _naming.reference(version, "version"))
        request = pb.CreateEvaluationRequest(parent=str(name), evaluation=message, request_id=request_id())
        call = self._connection.stub(EvaluationsServiceStub).CreateEvaluation
        return _convert.evaluation(await self._connection.call(call, request))

    def list(self, version: str | VersionName | Version, *, page_size: int | None = None) -> AsyncPager[Evaluation]:
        """Lists the evaluations of a version, newest first, including those that were corrected.

        Args:
            version: By number, as ``team/fraud@7``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The version does not exist.
        """
        return pager(
            self._connection,
            lambda: self._connection.stub(EvaluationsServiceStub).ListEvaluations,
            pb.ListEvaluationsRequest(
                parent=str(_naming.version_name(version)), page_size=_naming.page_size(page_size)
            ),
            lambda page: page.evaluations,
            _convert.evaluation,
        )


def _described(
    *,
    dataset: str | Dataset,
    metrics: Any,
    directions: Mapping[str, Direction] | None,
    slices: Mapping[str, Any] | None,
    harness: str,
    drop_nonfinite: bool,
) -> tuple[resources.Evaluation, Sequence[str]]:
    """The message, and sentences about values that are recorded in another form than given."""
    check = Check()
    record = Dataset(name=dataset, role=DatasetRole.TEST) if isinstance(dataset, str) else dataset
    data = check.record("dataset", record, Dataset)
    if data is not None and not data.name:
        check.refuse("dataset.name", "is required")
    measured = measures.read(check, metrics, directions, drop_nonfinite=drop_nonfinite)
    if not measured.metrics:
        check.refuse("metrics", "has no number. Give at least one finite metric")
    parts = {
        part: measures.numbers(check, entry("slices", part), each, drop_nonfinite=drop_nonfinite)
        for part, each in check.mapping("slices", slices).items()
    }
    check.text("harness", harness, one_line=True)
    check.raise_any()
    assert data is not None, "refused if it is none"
    message = resources.Evaluation(
        dataset=dataset_to_proto(data),
        metrics=measured.metrics,
        directions=directions_to_proto(measured.directions),
        slices=[resources.Evaluation.Slice(name=part, metrics=numbers) for part, numbers in parts.items()],
        harness=harness,
    )
    return message, check.notes
