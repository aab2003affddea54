"""JSON values between Python and protobuf."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2


def struct_to_proto(value: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(value))
    return struct


def value_from_proto(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_from_proto(value.struct_value)
    if kind == "list_value":
        return [value_from_proto(item) for item in value.list_value.values]
    if kind in {None, "null_value"}:
        return None
    plain = getattr(value, kind)
    # A Struct knows doubles only; a JSON Schema's `maxLength: 5` should come back as it was written.
    return int(plain) if kind == "number_value" and plain.is_integer() and abs(plain) < 2**53 else plain


def struct_from_proto(struct: struct_pb2.Struct) -> dict[str, Any]:
    return {key: value_from_proto(value) for key, value in struct.fields.items()}
