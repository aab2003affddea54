"""Paths and names that lead elsewhere, or mean something else somewhere."""

from typing import Final

from tests.support.calls import (
    Call,
    create_files,
    create_model,
    get_model,
    raw,
    read_file,
    read_files,
    resolve,
    set_alias,
)
from tests.support.paths import HOSTILE_PATHS
from tests.support.refusals import Row
from tests.support.requests import MODEL, NAMESPACE, blob_of

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

_CREATE_VERSION: Final = "/modelyard.v1.RegistryService/CreateVersion"


def _bad(identity: str, call: Call, *fields: str) -> Row:
    return Row(id=identity, call=call, detail="BadRequest", fields=fields)


def _undecodable_path() -> Call:
    """A path with half a surrogate pair: protobuf's own classes would not send it."""
    version = pb.Version(files=[pb.File(path="a???b", blob=blob_of(b"weights"))])
    request = rpc.CreateVersionRequest(parent=MODEL, version=version).SerializeToString()
    return raw(_CREATE_VERSION, request.replace(b"???", b"\xed\xa0\x80"))


def _alias(alias: str) -> Call:
    return set_alias(f"{MODEL}/aliases/{alias}")


ROWS: Final = [
    *(
        _bad(f"{attack} store {path[:20]!a}", create_files(path), "version.files[0].path")
        for attack, paths in HOSTILE_PATHS.items()
        for path in paths
    ),
    *(_bad(f"A01 read {path!a}", read_file(path=path), "path") for path in ("../x", "/etc/passwd", "a/../model.bin")),
    _bad("A03 read of no version", read_file(version=""), "version"),
    _bad("A03 read of no version in a batch", read_files("model.bin", version=""), "version"),
    _bad("A01 read in a batch", read_files("model.bin", "../x"), "paths[1]"),
    _bad("A06 store half a surrogate pair", _undecodable_path()),
    _bad("A08 paths that differ by case", create_files("Model.bin", "model.bin"), "version.files"),
    _bad("A08 paths that meet when folded", create_files("stra\u00dfe", "STRASSE"), "version.files"),
    _bad("A08 a file where a folder is", create_files("a", "a/b"), "version.files"),
    _bad("A10 10,001 files", create_files(*(f"{n}" for n in range(10_001))), "version.files"),
    Row(id="A10 100 paths that are long to repeat", call=create_files(*("\U0001f600" * 120 + "\x00",) * 100)),
    *(
        _bad(f"A12 model {name[:12]!a}", create_model(name), "model_id")
        for name in ("..", "-rf", "\u0430dmin", "x" * 64, "x" * 129, "Upper", "a b", "a/b", "")
    ),
    *(
        _bad(f"A12 alias {alias!a}", _alias(alias), "alias.name")
        for alias in ("latest", "main", "v3", "7", "Prod", "a.b", "..", "x" * 64)
    ),
    *(
        _bad(f"A12 name {name[:40]!a}", get_model(name), "name")
        for name in (f"{NAMESPACE}/models/..", f"{MODEL}/", f"/{MODEL}", f"{MODEL}/../fraud", f"{NAMESPACE}//models/a")
    ),
    *(
        _bad(f"A12 reference {text!a}", resolve(text), "reference")
        for text in ("../fraud", "default/../fraud", "fraud@..", "fraud@../1", "fraud@v3")
    ),
]
