"""Evaluations, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from collections.abc import Mapping

from modelyard import _convert, _naming
from modelyard._client.messages import pager, request_id
from modelyard._client.resolving import pinned
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard.core.facts import Dataset, DatasetRole, Direction
from modelyard.core.names import EvaluationName, VersionName
from modelyard.types import Evaluation, Version
from modelyard.v1 import evaluations_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceStub
from modelyard.wire import DIRECTIONS, dataset_to_proto


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
        metrics: Mapping[str, float],
        *,
        directions: Mapping[str, Direction] | None = None,
        slices: Mapping[str, Mapping[str, float]] | None = None,
        harness: str = "",
        supersedes: EvaluationName | None = None,
    ) -> Evaluation:
        """Adds an evaluation to a version.

        Args:
            version: Any reference, as ``team/fraud@production``. It is resolved once; that version is evaluated.
            dataset: The data that the version was measured on: a name, or a record.
            metrics: At least one, at most 10,000. Finite numbers; names up to 255 bytes.
            directions: For metrics of this evaluation: whether higher or lower is better.
            slices: Metrics of parts of the data, by the name of the part.
            harness: The program that measured; at most 4 KiB on one line.
            supersedes: The evaluation of the same version that this one corrects.

        Raises:
            InvalidArgumentError: A value breaks a limit. Nothing was added.
            NotFoundError: The reference means nothing.
            FailedPreconditionError: The version is not READY, or another evaluation corrects the same one already.
        """
        name = await pinned(self._connection, _naming.reference(version, "version"))
        record = Dataset(name=dataset, role=DatasetRole.TEST) if isinstance(dataset, str) else dataset
        with _naming.as_given("metrics"):
            message = resources.Evaluation(
                dataset=dataset_to_proto(record),
                metrics=metrics,
                directions={metric: DIRECTIONS.to_proto(direction) for metric, direction in (directions or {}).items()},
                slices=[
                    resources.Evaluation.Slice(name=part, metrics=values) for part, values in (slices or {}).items()
                ],
                harness=harness,
                supersedes=str(supersedes) if supersedes is not None else "",
            )
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
