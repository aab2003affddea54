"""A later release: a copy of the server whose models stand in the log with other fields.

``make`` writes the copy. Run as a program under it, this is what a server of that release does on a registry.
"""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Final

import modelyard_server
from modelyard.v1 import events_pb2
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from tests.support.fsck import check_running
from tests.support.registry import running_registry
from tests.support.requests import NAMESPACE

_CODEC: Final = "registry/models/events.py"
_EDITS: Final = (
    # Schema 2: `owner` is called `steward`, `annotations` are gone, `titled` is new.
    (
        '        "owner": model.owner,\n',
        '        "steward": model.owner,\n        "titled": bool(model.display_name),\n',
    ),
    ('        "annotations": dict(model.annotations),\n', ""),
    ('stored.get("owner", "")', 'stored.get("steward", stored.get("owner", ""))'),
    (
        "schemas={0: _FIELDS_1, 1: _FIELDS_1}",
        "schemas={0: _FIELDS_1, 1: _FIELDS_1, 2: _FIELDS_1 - {'owner', 'annotations'} | {'steward', 'titled'}}",
    ),
    # A verb that this release does not know.
    ('"restored")', '"restored", "archived")'),
)
_SERVICE: Final = "registry/models/service.py"


def make(folder: Path) -> None:
    """Writes the package into ``folder``, to be put on the path."""
    package = folder / "modelyard_server"
    shutil.copytree(Path(modelyard_server.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    _edit(package / _CODEC, _EDITS)
    _edit(package / _SERVICE, (('"updated"', '"archived"'),))


def _edit(path: Path, edits: tuple[tuple[str, str], ...]) -> None:
    source = path.read_text()
    for before, after in edits:
        assert source.count(before) == 1, (path, before)
        source = source.replace(before, after)
    path.write_text(source)


async def _run(database_url: str, root: Path) -> None:
    """Reads and checks what the release before left, makes a model, changes one; prints all events as it reads them."""
    async with running_registry(database_url, root) as yard:
        report = await check_running(yard)
        assert report.clean, report.faults
        new = pb.Model(display_name="New", owner="them", annotations={"c": "d"})
        await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id="new", model=new))
        changed = pb.Model(name=f"{NAMESPACE}/models/old", description="changed")
        request = rpc.UpdateModelRequest(model=changed)
        request.update_mask.paths.append("description")
        await yard.registry.UpdateModel(request)
        report = await check_running(yard)
        assert report.clean, report.faults
        verdict = await yard.events.VerifyEvents(events_pb2.VerifyEventsRequest(parent=NAMESPACE))
        assert not verdict.broken_revision, verdict.fault
        listed = await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=NAMESPACE))
        print(json.dumps([[event.type, event.hash, event.model.owner] for event in listed.events]))


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], Path(sys.argv[2])))
