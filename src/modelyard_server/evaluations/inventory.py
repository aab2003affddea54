"""SQL with which `fsck` reads evaluations."""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, select

from modelyard.core.names import EvaluationName
from modelyard_server.db.inspection import Every
from modelyard_server.evaluations.events import EVALUATION
from modelyard_server.evaluations.repository import EVERY, from_row
from modelyard_server.evaluations.tables import evaluations
from modelyard_server.log.inventory import Family, Logged, logged, with_last_event
from modelyard_server.registry.inventory import VERSION_NAME
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces.tables import namespaces
from modelyard_server.registry.versions.tables import versions

NAME: Final[ColumnElement[str]] = VERSION_NAME + "/evaluations/" + evaluations.c.uid


class EvaluationRecord(NamedTuple):
    name: str
    logged: Logged
    dataset: str
    found_as: str
    """The name of the data set by which the evaluation is found."""


def _evaluation(row: Row[Any]) -> EvaluationRecord:
    evaluation = from_row(row)
    return EvaluationRecord(
        str(evaluation.name), logged(row, EVALUATION, evaluation), evaluation.dataset.name, row.dataset_name
    )


EVALUATIONS: Final = Every(
    with_last_event(EVERY, EVALUATION, NAME, namespaces.c.key), evaluations.c.key, _evaluation, evaluations.name
)


def _ids(name: str) -> tuple[object, ...]:
    return (EvaluationName.parse(name).evaluation,)


FAMILY: Final = Family(
    EVALUATION,
    _ids,
    (evaluations.c.uid,),
    select(NAME)
    .select_from(models)
    .join(namespaces)
    .join(versions, versions.c.model_key == models.c.key)
    .join(evaluations, evaluations.c.version_key == versions.c.key),
    namespaces.c.key,
)
