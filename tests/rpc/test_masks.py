"""Field masks: what is named changes, nothing else does."""

import pytest
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

_STORED = pb.Model(
    display_name="Fraud", description="d", owner="me", labels={"team": "risk", "odd.key": "1"}, annotations={"a": "b"}
)


@pytest.mark.parametrize(
    ("given", "paths", "changes"),
    [
        pytest.param(pb.Model(owner="you"), [], {"owner": "you"}, id="populated fields without a mask"),
        pytest.param(pb.Model(), ["owner"], {"owner": ""}, id="a named field is cleared"),
        pytest.param(pb.Model(labels={"x": "y"}), ["labels"], {"labels": {"x": "y"}}, id="a whole map"),
        pytest.param(
            pb.Model(labels={"team": "fraud"}),
            ["labels.team"],
            {"labels": {"team": "fraud", "odd.key": "1"}},
            id="an entry of a map",
        ),
        pytest.param(
            pb.Model(), ["labels.`odd.key`"], {"labels": {"team": "risk"}}, id="an entry with an odd key is removed"
        ),
        pytest.param(
            pb.Model(owner="you"),
            ["*"],
            {"owner": "you", "display_name": "", "description": "", "labels": {}, "annotations": {}},
            id="everything",
        ),
        pytest.param(
            pb.Model(uid="x", owner="you"), ["uid", "create_time", "owner"], {"owner": "you"}, id="output only"
        ),
    ],
)
async def test_mask(yard: RunningRegistry, given: pb.Model, paths: list[str], changes: dict[str, object]) -> None:
    stored = await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id="fraud", model=_STORED))
    given.name = MODEL
    request = rpc.UpdateModelRequest(model=given)
    request.update_mask.paths.extend(paths)

    changed = await yard.registry.UpdateModel(request)

    for field in ("display_name", "description", "owner", "labels", "annotations"):
        assert getattr(changed, field) == changes.get(field, getattr(stored, field)), field
    assert changed.uid == stored.uid
    assert changed.etag != stored.etag
