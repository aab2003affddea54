"""What a user does with the installed SDK: ``sdk_session.py FOLDER``, with the registry in ``MODELYARD_URL``.

Run by the interpreters of other environments; it prints where the SDK is and what it found.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import modelyard
import modelyard.v1
from modelyard.v1 import resources_pb2


def import_everything() -> None:
    for module in pkgutil.iter_modules(modelyard.v1.__path__, "modelyard.v1."):
        importlib.import_module(module.name)
    for name in modelyard.__all__:
        getattr(modelyard, name)


def round_trip() -> None:
    model = resources_pb2.Model(name="namespaces/team/models/fraud", labels={"task": "tabular"})
    model.create_time.GetCurrentTime()
    assert resources_pb2.Model.FromString(model.SerializeToString()) == model


def push_and_pull(folder: Path) -> None:
    weights = folder / "out" / "weights.bin"
    weights.parent.mkdir()
    weights.write_bytes(bytes(range(256)) * 4096)
    pushed = modelyard.push("team/fraud", weights.parent, metrics={"auc": 0.9}, alias="production", capture=False)
    resolved = modelyard.resolve("team/fraud@production")
    pulled = modelyard.pull("team/fraud@production", folder / "pulled")
    assert pushed.digest == resolved.version.digest == pulled.version.digest
    assert (pulled.path / "weights.bin").read_bytes() == weights.read_bytes()


def main() -> None:
    import_everything()
    round_trip()
    push_and_pull(Path(sys.argv[1]))
    print(modelyard.__file__)


main()
