"""Whatever may forbid the move of an alias is asked at every way in which one can move."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused, running_registry
from tests.support.requests import MODEL, commit, make_model

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.app import CAPABILITIES
from modelyard_server.calls.caller import Attempt
from modelyard_server.calls.errors import PermissionDenied
from modelyard_server.capability import Capability
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.registry.aliases.moves import Move

ALIAS = f"{MODEL}/aliases/production"


class Freeze:
    """Refuses every move while it is on, and notes those that it was asked about."""

    def __init__(self) -> None:
        self.on = False
        self.asked: list[str] = []

    async def check_alias_move(self, _transaction: Transaction, _attempt: Attempt, move: Move) -> None:
        self.asked.append(move.verb)
        if self.on:
            raise PermissionDenied(f"{move.name} is frozen", reason="PERMISSION_DENIED")


@pytest.fixture
def freeze() -> Freeze:
    return Freeze()


@pytest.fixture
async def frozen_yard(freeze: Freeze, database_url: str, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    above = Capability(name="freeze", offers=[freeze])
    async with running_registry(database_url, tmp_path / "yard", capabilities=(*CAPABILITIES, above)) as running:
        yield running


async def test_every_move_asks_the_guard_and_none_gets_past_it(frozen_yard: RunningRegistry, freeze: Freeze) -> None:
    registry = frozen_yard.registry
    await make_model(frozen_yard)
    one = await commit(frozen_yard, b"1", aliases=["production"])
    two = await commit(frozen_yard, b"2")
    await registry.SetAlias(rpc.SetAliasRequest(alias=pb.Alias(name=ALIAS, version=two.name)))
    before = await frozen_yard.dump()
    freeze.on = True
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "created": lambda: registry.SetAlias(
            rpc.SetAliasRequest(alias=pb.Alias(name=f"{MODEL}/aliases/canary", version=one.name))
        ),
        "moved": lambda: registry.SetAlias(rpc.SetAliasRequest(alias=pb.Alias(name=ALIAS, version=one.name))),
        "rolled_back": lambda: registry.RollbackAlias(rpc.RollbackAliasRequest(name=ALIAS)),
        "deleted": lambda: registry.DeleteAlias(rpc.DeleteAliasRequest(name=ALIAS)),
        "hidden": lambda: registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, force=True)),
    }

    for verb, call in calls.items():
        freeze.asked.clear()
        assert (await refused(call())).code is grpc.StatusCode.PERMISSION_DENIED, verb
        assert freeze.asked == [verb]
    freeze.asked.clear()
    with pytest.raises(grpc.aio.AioRpcError, match="frozen"):
        await commit(frozen_yard, b"1", aliases=["production"])
    assert freeze.asked == ["moved"]
    assert {name: rows for name, rows in (await frozen_yard.dump()).items() if name != "namespace_blobs"} == {
        name: rows for name, rows in before.items() if name != "namespace_blobs"
    }


async def test_restoring_a_model_asks_for_each_of_its_aliases(frozen_yard: RunningRegistry, freeze: Freeze) -> None:
    registry = frozen_yard.registry
    await make_model(frozen_yard)
    await commit(frozen_yard, b"1", aliases=["canary", "production"])
    await registry.DeleteModel(rpc.DeleteModelRequest(name=MODEL, force=True))
    freeze.asked.clear()
    freeze.on = True

    found = await refused(registry.UndeleteModel(rpc.UndeleteModelRequest(name=MODEL)))

    assert found.code is grpc.StatusCode.PERMISSION_DENIED
    assert freeze.asked == ["restored"]
    freeze.on = False
    await registry.UndeleteModel(rpc.UndeleteModelRequest(name=MODEL))
    assert freeze.asked == ["restored", "restored", "restored"]
