"""Values that are no values, too many, too large, or reserved."""

from typing import Any, Final

from tests.support.calls import VERSION, Call, another_model, create_model, create_version, raw, update_model
from tests.support.refusals import Row
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

_NAN: Final = float("nan")
_MIB: Final = 1 << 20
_REGISTRY: Final = "/modelyard.v1.RegistryService"


def _bad(identity: str, call: Call, *fields: str) -> Row:
    return Row(id=identity, call=call, detail="BadRequest", fields=fields)


def _nested(depth: int) -> Call:
    """A schema as deep as no JSON Schema is; built as bytes, for protobuf's classes would not parse it either."""
    inner = b"\x0a\x04\x0a\x00\x12\x00"  # fields { key: "" value {} }
    for _ in range(depth):
        value = b"\x2a" + _varint(len(inner)) + inner
        entry = b"\x0a\x01a\x12" + _varint(len(value)) + value
        inner = b"\x0a" + _varint(len(entry)) + entry
    signature = b"\x0a" + _varint(len(inner)) + inner
    version = b"\x82\x01" + _varint(len(signature)) + signature
    parent = rpc.CreateVersionRequest(parent=MODEL).SerializeToString()
    return raw(f"{_REGISTRY}/CreateVersion", parent + b"\x12" + _varint(len(version)) + version)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _view(method: str, request: Any) -> Row:
    request.view = 99  # past the stubs: enums are open in protobuf
    return _bad(f"A41 unknown view in {method}", raw(f"{_REGISTRY}/{method}", request.SerializeToString()), "view")


def _schema(maximum: float) -> pb.Signature:
    signature = pb.Signature()
    signature.inputs.fields["maximum"].number_value = maximum
    return signature


async def _one_label_too_many(yard: RunningRegistry) -> Call:
    """Each update is small; what it would come to is not."""
    name = await another_model(yard)
    full = pb.Model(name=name, labels={f"k{number}": "" for number in range(100)})
    await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=full))
    return update_model("labels.more", name=name, labels={"more": ""})


def _request_id(value: str) -> Call:
    return create_model("never", request_id=value)


_UUID: Final = "8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10"
_ODD_UUIDS: Final = (
    "once",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",  # version 1
    f"{{{_UUID}}}",
    f"urn:uuid:{_UUID}",
    _UUID.replace("-", ""),
    "-" * 100_000 + _UUID,
)

ROWS: Final = [
    _bad("A40 NaN as a metric", create_version(metrics={"m": _NAN}), "version.metrics['m']"),
    _bad(
        "A40 direction of no metric",
        create_version(metrics={"m": 1.0}, directions={"n": pb.Evaluation.DIRECTION_LOWER_IS_BETTER}),
        "version.directions['n']",
    ),
    _bad(
        "A40 direction that nobody knows",
        create_version(metrics={"m": 1.0}, directions={"m": 99}),
        "version.directions['m']",
    ),
    _bad("A40 infinity as a metric", create_version(metrics={"m": float("-inf")}), "version.metrics['m']"),
    _bad(
        "A40 NaN as a parameter",
        create_version(params={"p": pb.ParamValue(double_value=_NAN)}),
        "version.params['p']",
    ),
    _bad(
        "A40 NaN in a schema",
        create_version(signature=_schema(_NAN)),
        "version.signature.inputs",
    ),
    _bad("A41 parameter without a value", create_version(params={"p": pb.ParamValue()}), "version.params['p']"),
    _bad(
        "A41 unknown role",
        create_version(datasets=[pb.Dataset(name="d", role=99)]),  # type: ignore[arg-type]  # unknown on purpose
        "version.datasets[0].role",
    ),
    _bad(
        "A41 unknown fingerprint",
        create_version(datasets=[pb.Dataset(name="d", fingerprint=99)]),  # type: ignore[arg-type]  # unknown on purpose
        "version.datasets[0].fingerprint",
    ),
    _bad(
        "A44 too many parents",
        create_version(parents=[pb.Parent(version=VERSION, relation=pb.Parent.RELATION_MERGED_FROM)] * 101),
        "version.parents",
    ),
    _bad("A41 no relation", create_version(parents=[pb.Parent(version=VERSION)]), "version.parents[0].relation"),
    _bad(
        "A41 negative row count",
        create_version(datasets=[pb.Dataset(name="d", row_count=-1)]),
        "version.datasets[0].row_count",
    ),
    _view("GetVersion", rpc.GetVersionRequest(name=VERSION)),
    _view("ListVersions", rpc.ListVersionsRequest(parent=MODEL)),
    *(_bad(f"A41 request id {value[:40]!a}", _request_id(value), "request_id") for value in _ODD_UUIDS),
    *(
        _bad(f"A42 {what}", raw(f"{_REGISTRY}/{method}", request))
        for method in ("GetModel", "CreateVersion")
        for what, request in {
            f"junk to {method}": b"\xff\xff",
            f"bad UTF-8 to {method}": b"\x0a\x02\xc3\x28",
            f"cut short to {method}": b"\x0a\xff",
        }.items()
    ),
    _bad("A42 a schema 51 levels deep", _nested(51)),
    _bad("A42 a schema 10,000 levels deep", _nested(10_000)),
    _bad("A44 101 labels", create_version(labels={str(n): "" for n in range(101)}), "version.labels"),
    Row(id="A44 the 101st label", after=_one_label_too_many, detail="BadRequest", fields=("model.labels",)),
    _bad("A44 empty key", create_version(labels={"": "v"}), "version.labels"),
    _bad("A44 key of 129 bytes", create_version(labels={"k" * 129: ""}), f"version.labels['{'k' * 40}']"),
    _bad("A44 value of 5 KB", create_version(labels={"k": "x" * 5000}), "version.labels['k']"),
    _bad("A44 annotation of 5 KB", create_version(annotations={"k": "x" * 5000}), "version.annotations['k']"),
    _bad("A44 card of over 1 MiB", create_version(description="x" * (_MIB + 1)), "version.description"),
    _bad("A44 text with NUL", create_version(description="a\x00b"), "version.description"),
    _bad("A44 mask of 1,001 paths", update_model(*["owner"] * 1001, owner="x"), "update_mask"),
    _bad("A45 reserved label", create_version(labels={"sys/x": "1"}), "version.labels['sys/x']"),
    _bad(
        "A45 reserved label by a mask", update_model("labels.`sys/x`", labels={"sys/x": "1"}), "model.labels['sys/x']"
    ),
]
