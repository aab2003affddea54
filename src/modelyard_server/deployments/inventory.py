"""SQL with which `fsck` reads deployments."""

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, select

from modelyard.core.names import DeploymentName
from modelyard_server.db.inspection import Every
from modelyard_server.deployments.events import DEPLOYMENT
from modelyard_server.deployments.repository import EVERY, from_row
from modelyard_server.deployments.tables import deployments
from modelyard_server.log.inventory import Family, Logged, logged, with_last_event
from modelyard_server.registry.inventory import MODEL_NAME
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.namespaces.tables import namespaces

NAME: Final[ColumnElement[str]] = MODEL_NAME + "/deployments/" + deployments.c.uid


class DeploymentRecord(NamedTuple):
    name: str
    logged: Logged
    misplaced: bool
    """Lists look for it in another namespace than that of its model."""


def _deployment(row: Row[Any]) -> DeploymentRecord:
    deployment = from_row(row)
    return DeploymentRecord(str(deployment.name), logged(row, DEPLOYMENT, deployment), bool(row.misplaced))


DEPLOYMENTS: Final = Every(
    with_last_event(EVERY, DEPLOYMENT, NAME, namespaces.c.key).add_columns(
        (deployments.c.namespace_key != namespaces.c.key).label("misplaced")
    ),
    deployments.c.key,
    _deployment,
    deployments.name,
)


def _ids(name: str) -> tuple[object, ...]:
    return (DeploymentName.parse(name).deployment,)


FAMILY: Final = Family(
    DEPLOYMENT,
    _ids,
    (deployments.c.uid,),
    select(NAME).select_from(models).join(namespaces).join(deployments, deployments.c.model_key == models.c.key),
    namespaces.c.key,
)
