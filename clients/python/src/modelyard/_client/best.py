"""The best version by a metric: which way is better, which version it is, and what to say if there is none."""

import difflib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from modelyard import _convert
from modelyard._client.messages import pager
from modelyard._connection import Connection
from modelyard.core.facts import Direction
from modelyard.core.names import EvaluationName, VersionName
from modelyard.errors import BadAnswerError, NotFoundError
from modelyard.types import Best, Evaluation, Version
from modelyard.v1 import evaluations_pb2
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1.evaluations_pb2_grpc import EvaluationsServiceStub
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub

_ASKED: Final = 10
"""Newest versions whose evaluations are read for the direction of the metric."""
_LOOKED_AT: Final = 50
"""Newest versions whose metrics are read to suggest names."""
_EVALUATED: Final = 5
"""Newest versions whose evaluations are read to suggest names."""
_SUGGESTED: Final = 3
_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class BestOf:
    """Among which versions, and by what."""

    connection: Connection
    parent: str
    """The resource name of a model, or of all models of a namespace."""
    metric: str
    dataset: str
    """Of evaluations; empty for the metrics of pushes."""
    filter: str

    async def find(self, lowest: bool | None) -> Best:
        """What ``versions.best`` promises."""
        direction_from: VersionName | EvaluationName | None = None
        if lowest is None:
            direction, direction_from = await self._direction()
        else:
            direction = Direction.LOWER_IS_BETTER if lowest else Direction.HIGHER_IS_BETTER
        descending = "" if direction is Direction.LOWER_IS_BETTER else " desc"
        wanted = f"({self.filter}) AND " if self.filter else ""
        found = await self._versions(f"{wanted}{self._field}:* AND state = READY", f"{self._field}{descending}")
        if not found:
            raise NotFoundError(await self._nothing(), reason="VERSION_NOT_FOUND")
        (version,) = found
        return Best(
            version=version,
            metric=self.metric,
            value=await self._value(version),
            direction=direction,
            direction_from=direction_from,
        )

    @property
    def _field(self) -> str:
        place = ("evaluations", _quoted(self.dataset)) if self.dataset else ("metrics",)
        return ".".join((*place, _quoted(self.metric)))

    async def _direction(self) -> tuple[Direction, VersionName | EvaluationName | None]:
        """Which way is better, and the newest version or evaluation that says so. If none does: higher, and None."""
        if self.dataset:
            for version in await self._versions(f"{self._field}:*", size=_ASKED):
                async for evaluation in self._current(version.name):
                    if self.metric in evaluation.directions:
                        return evaluation.directions[self.metric], evaluation.name
        for version in await self._versions(f"directions.{_quoted(self.metric)}:*"):
            if self.metric in version.directions:
                return version.directions[self.metric], version.name
        return Direction.HIGHER_IS_BETTER, None

    async def _value(self, version: Version) -> float | None:
        if not self.dataset:
            return version.metrics.get(self.metric)
        async for evaluation in self._current(version.name):
            return evaluation.metrics[self.metric]
        return None

    async def _current(self, version: VersionName) -> AsyncIterator[Evaluation]:
        """The evaluations on the data set that have the metric, newest first, without those that were corrected."""
        request = evaluations_pb2.ListEvaluationsRequest(parent=str(version))
        stub = self.connection.stub
        evaluations = pager(
            self.connection,
            lambda: stub(EvaluationsServiceStub).ListEvaluations,
            request,
            lambda page: page.evaluations,
            _convert.evaluation,
        )
        async for evaluation in evaluations:
            counts = evaluation.dataset.name == self.dataset and evaluation.superseded_by is None
            if counts and self.metric in evaluation.metrics:
                yield evaluation

    async def _nothing(self) -> str:
        """Why there is no best version, with names that may have been meant."""
        among = " that match" if self.filter else ""
        on = f" on {self.dataset!r}" if self.dataset else ""
        model = self.parent.removeprefix("namespaces/").replace("/models/", "/")
        told = f"No READY versions of {model}{among} have the metric {self.metric!r}{on}."
        known = await self._known()
        meant = f"{self.dataset}.{self.metric}" if self.dataset else self.metric
        close = [each for each in difflib.get_close_matches(meant, known, n=_SUGGESTED) if each != meant]
        if close:
            return f"{told} Did you mean {' or '.join(map(repr, close))}?"
        return f"{told} There are {', '.join(sorted(known)[:_LISTED])}." if known else told

    async def _known(self) -> set[str]:
        """Names of metrics that the newest versions have."""
        newest = await self._versions("state = READY", size=_LOOKED_AT)
        if not self.dataset:
            return {name for version in newest for name in version.metrics}
        pages = [await self._evaluations(version.name) for version in newest[:_EVALUATED]]
        return {
            f"{message.dataset.name}.{name}"
            for page in pages
            for message in page.evaluations
            for name in message.metrics
        }

    async def _versions(self, conditions: str, order: str = "", size: int = 1) -> tuple[Version, ...]:
        request = pb.ListVersionsRequest(parent=self.parent, filter=conditions, order_by=order, page_size=size)
        call = self.connection.stub(RegistryServiceStub).ListVersions
        found = tuple(map(_convert.version, (await self.connection.call(call, request)).versions))
        if len(found) > size:
            raise BadAnswerError(f"the registry sent {len(found)} versions on a page of {size}", reason="BAD_ANSWER")
        return found

    async def _evaluations(self, version: VersionName) -> evaluations_pb2.ListEvaluationsResponse:
        request = evaluations_pb2.ListEvaluationsRequest(parent=str(version))
        call = self.connection.stub(EvaluationsServiceStub).ListEvaluations
        return await self.connection.call(call, request)


def _quoted(name: str) -> str:
    """A key in a filter, quoted if it has special characters."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
