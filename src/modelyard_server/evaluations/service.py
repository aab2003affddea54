"""Creates and reads evaluations. An evaluation never changes."""

from dataclasses import dataclass, replace
from typing import Final

from modelyard.core.names import EvaluationName, VersionName
from modelyard_server.calls.caller import Attempt, Caller
from modelyard_server.calls.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    PreconditionViolation,
    ResourceExhausted,
)
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.evaluations.events import EVALUATION
from modelyard_server.evaluations.repository import EvaluationRepository
from modelyard_server.evaluations.values import Evaluation
from modelyard_server.log.changes import Mutations
from modelyard_server.log.outcomes import SnapshotOutcomes
from modelyard_server.query.listing import Page
from modelyard_server.registry import lookup
from modelyard_server.registry.versions.values import Version, VersionState

_OUTCOMES: Final = SnapshotOutcomes(EVALUATION, lambda evaluation: {"superseded_by": evaluation.superseded_by})


@dataclass(frozen=True, slots=True)
class Evaluations:
    mutations: Mutations

    async def create(self, attempt: Attempt, evaluation: Evaluation) -> Evaluation:
        """Adds ``evaluation``, and sets its times and author."""

        async def work(transaction: Transaction) -> Evaluation:
            name = evaluation.name
            # Locked, so that only the first of two concurrent corrections succeeds.
            version = await lookup.version(transaction, name.version, lock=True)
            _check_ready(version)
            if await EvaluationRepository(transaction).find(version.key, name.evaluation) is not None:
                raise AlreadyExists(
                    f"There is already an evaluation {name.evaluation} of {name.version}. Use another id.",
                    reason="EVALUATION_EXISTS",
                    kind="Evaluation",
                    name=str(name),
                )
            # Ids are unique in the whole registry, and only that this one is taken may be told of another model.
            if await EvaluationRepository(transaction).is_taken(name.evaluation):
                raise AlreadyExists(
                    f"The id {name.evaluation} is taken by an evaluation of another version. Use another id.",
                    reason="EVALUATION_EXISTS",
                    kind="Evaluation",
                    name=str(name),
                )
            await self._check_room(transaction, version)
            if evaluation.supersedes:
                corrected = await _find(transaction, version, EvaluationName.parse(evaluation.supersedes))
                _check_current(corrected)
            now = self.mutations.clock()
            added = await EvaluationRepository(transaction).add(
                replace(evaluation, create_time=now, update_time=now, created_by=attempt.actor), version
            )
            self.mutations.record(transaction, attempt, version.namespace_key, EVALUATION, "created", after=added)
            return added

        return await self.mutations.run(attempt, work, _OUTCOMES)

    async def _check_room(self, transaction: Transaction, version: Version) -> None:
        most = self.mutations.limits.evaluations
        if await EvaluationRepository(transaction).count(version.key) >= most:
            raise ResourceExhausted(
                f"{version.name} has {most} evaluations, the maximum. Record more metrics in each evaluation.",
                reason="TOO_MANY_EVALUATIONS",
                metadata={"limit": str(most)},
            )

    async def get(self, caller: Caller, name: EvaluationName) -> Evaluation:
        async def work(transaction: Transaction) -> Evaluation:
            return await _find(transaction, await lookup.version(transaction, name.version, deleted=True), name)

        return await self.mutations.database.look(work)

    async def page(self, caller: Caller, parent: VersionName, *, before: int | None, size: int) -> Page[Evaluation]:
        async def work(transaction: Transaction) -> Page[Evaluation]:
            version = await lookup.version(transaction, parent, deleted=True)
            room = self.mutations.limits.list_bytes
            return await EvaluationRepository(transaction).page(version.key, before=before, size=size, room=room)

        return await self.mutations.database.read(work)


async def _find(transaction: Transaction, version: Version, name: EvaluationName) -> Evaluation:
    found = await EvaluationRepository(transaction).find(version.key, name.evaluation)
    if found is None:
        raise NotFound(
            f"There is no evaluation {name.evaluation} of {name.version}.",
            reason="EVALUATION_NOT_FOUND",
            kind="Evaluation",
            name=str(name),
        )
    return found


def _check_ready(version: Version) -> None:
    if version.state is not VersionState.READY:
        raise FailedPrecondition(
            f"{version.name} is {version.state.value}. Only a READY version can be evaluated.",
            reason="VERSION_NOT_READY",
            violations=[PreconditionViolation("STATE", str(version.name), f"the version is {version.state.value}")],
            metadata={"resource": str(version.name), "state": version.state.value},
        )


def _check_current(evaluation: Evaluation) -> None:
    if evaluation.superseded_by:
        raise FailedPrecondition(
            f"{evaluation.name} is already superseded by {evaluation.superseded_by}. Correct that one.",
            reason="ALREADY_SUPERSEDED",
            violations=[PreconditionViolation("STATE", str(evaluation.name), "it is already superseded")],
            metadata={"resource": str(evaluation.name), "supersededBy": evaluation.superseded_by},
        )
