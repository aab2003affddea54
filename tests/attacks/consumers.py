"""Who would speak for another consumer, or for none."""

from typing import Any, Final
from uuid import uuid4

from tests.support.calls import VERSION, Call, another_model, quarantine
from tests.support.refusals import Code, Row
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL

from modelyard.v1 import deployments_pb2 as rpc
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb

_FORGED: Final = f"{MODEL}/deployments/{uuid4()}"


async def _registered(yard: RunningRegistry, parent: str) -> rpc.RegisterDeploymentResponse:
    given = pb.Deployment(service="fraud-api", version=f"{parent}/versions/1")
    request = rpc.RegisterDeploymentRequest(parent=parent, deployment=given)
    return await yard.deployments.RegisterDeployment(request)


def _heartbeat(**fields: Any) -> Call:
    request = rpc.HeartbeatDeploymentRequest(**{"name": _FORGED, "lease": "x", **fields})
    return lambda yard: yard.deployments.HeartbeatDeployment(request)


def _register(**fields: Any) -> Call:
    given = pb.Deployment(**{"service": "fraud-api", "version": VERSION, **fields})
    request = rpc.RegisterDeploymentRequest(parent=MODEL, deployment=given)
    return lambda yard: yard.deployments.RegisterDeployment(request)


def _another(lease: str) -> Any:
    """A heartbeat for the consumer of another program."""

    async def after(yard: RunningRegistry) -> Call:
        theirs = await _registered(yard, await another_model(yard))
        return _heartbeat(name=theirs.deployment.name, lease=lease)

    return after


async def _with_ones_own_lease(yard: RunningRegistry) -> Call:
    own = await _registered(yard, await another_model(yard))
    theirs = await _registered(yard, await another_model(yard))
    return _heartbeat(name=theirs.deployment.name, lease=own.lease)


async def _under_another_model(yard: RunningRegistry) -> Call:
    theirs = await _registered(yard, await another_model(yard))
    return _heartbeat(name=f"{MODEL}/deployments/{theirs.deployment.uid}", lease=theirs.lease)


async def _end_with_another_lease(yard: RunningRegistry) -> Call:
    theirs = await _registered(yard, await another_model(yard))
    request = rpc.DeleteDeploymentRequest(name=theirs.deployment.name, lease="x")
    return lambda yard: yard.deployments.DeleteDeployment(request)


async def _serve_what_is_quarantined(yard: RunningRegistry) -> Call:
    model = await another_model(yard)
    await quarantine(yard, f"{model}/versions/1")
    return lambda yard: _registered(yard, model)


async def _delete_what_is_served(yard: RunningRegistry) -> Call:
    model = await another_model(yard)
    await _registered(yard, model)
    return lambda yard: yard.registry.DeleteVersion(registry.DeleteVersionRequest(name=f"{model}/versions/1"))


async def _delete_the_model_of_what_is_served(yard: RunningRegistry) -> Call:
    model = await another_model(yard)
    await _registered(yard, model)
    return lambda yard: yard.registry.DeleteModel(registry.DeleteModelRequest(name=model, force=True))


def _lost(identity: str, after: Any) -> Row:
    return Row(id=identity, after=after, code=Code.ABORTED, reason="LEASE_LOST", metadata=("resource",))


def _missing(identity: str, **given: Any) -> Row:
    return Row(id=identity, code=Code.NOT_FOUND, reason="DEPLOYMENT_NOT_FOUND", detail="ResourceInfo", **given)


def _served(identity: str, after: Any) -> Row:
    detail = "PreconditionFailure"
    return Row(id=identity, after=after, code=Code.FAILED_PRECONDITION, reason="VERSION_IN_USE", detail=detail)


ROWS: Final = [
    _lost("D01 a heartbeat with a made-up lease", _another("x")),
    _lost("D01 a heartbeat with a lease that is no text of ASCII", _another("\U0001f600" * 100)),
    _lost("D01 a heartbeat with one's own lease for another's deployment", _with_ones_own_lease),
    _lost("D01 end another's deployment with a made-up lease", _end_with_another_lease),
    _missing("D01 a heartbeat under another model's name", after=_under_another_model),
    _missing("D01 a heartbeat for a forged name", call=_heartbeat()),
    Row(id="D01 a name with a path in it", call=_heartbeat(name=f"{MODEL}/deployments/../x"), fields=("name",)),
    Row(
        id="D01 move to a version of another model",
        call=_heartbeat(version=f"{MODEL}x/versions/1"),
        fields=("version",),
    ),
    Row(
        id="D01 serve a version of another model",
        call=_register(version=f"{MODEL}x/versions/1"),
        fields=("deployment.version",),
    ),
    Row(id="D01 a service that rewrites a terminal", call=_register(service="\x1b[2J"), fields=("deployment.service",)),
    Row(id="D01 a service of many bytes", call=_register(service="\u00e9" * 128), fields=("deployment.service",)),
    Row(
        id="D01 serve what is quarantined",
        after=_serve_what_is_quarantined,
        code=Code.FAILED_PRECONDITION,
        reason="QUARANTINED",
        detail="PreconditionFailure",
    ),
    _served("D01 delete what is served", _delete_what_is_served),
    _served("D01 delete the model of what is served", _delete_the_model_of_what_is_served),
]
