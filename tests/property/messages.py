"""Requests that our clients never send: each field of a message has any value that its type allows."""

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

_F: Final = FieldDescriptor
_INT32: Final = 2**31
_INT64: Final = 2**63

_TEXTS: Final = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [
        "default/fraud@production",
        "fraud",
        "namespaces/default",
        "namespaces/default/models/fraud",
        "namespaces/default/models/fraud/versions/1",
        "namespaces/default/models/fraud/versions/production",
        "namespaces/default/models/fraud/aliases/production",
        "namespaces/default/uploads/8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10",
        "8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10",
        "sha256:" + "0" * 64,
        "model.bin",
        "../model.bin",
        "*",
        "labels.a",
        "x" * 5000,
    ]
)
_SCALARS: Final[dict[int, st.SearchStrategy[Any]]] = {
    _F.TYPE_STRING: _TEXTS,
    _F.TYPE_BYTES: st.binary(max_size=50),
    _F.TYPE_BOOL: st.booleans(),
    _F.TYPE_DOUBLE: st.floats(),
    _F.TYPE_FLOAT: st.floats(width=32),
    _F.TYPE_INT32: st.integers(-_INT32, _INT32 - 1),
    _F.TYPE_INT64: st.integers(-_INT64, _INT64 - 1) | st.integers(0, 10),
    _F.TYPE_UINT32: st.integers(0, 2 * _INT32 - 1),
    _F.TYPE_UINT64: st.integers(0, 2 * _INT64 - 1),
    _F.TYPE_FIXED32: st.integers(0, 2 * _INT32 - 1),
    _F.TYPE_ENUM: st.integers(-1, 12),
}
_DEPTH: Final = 4


@st.composite
def messages(draw: st.DrawFn, kind: type[Message], depth: int = _DEPTH) -> Message:
    """A message with some of its fields set."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if draw(st.booleans()):
            _fill(draw, message, field, depth)
    return message


def _fill(draw: st.DrawFn, message: Message, field: Any, depth: int) -> None:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        _fill_map(draw, getattr(message, field.name), entry, depth)
    elif entry is not None:
        if depth:
            kind = entry._concrete_class
            for filled in draw(st.lists(messages(kind, depth - 1), min_size=1, max_size=3 if _is_list(field) else 1)):
                if _is_list(field):
                    getattr(message, field.name).append(filled)
                else:
                    getattr(message, field.name).CopyFrom(filled)
    elif _is_list(field):
        getattr(message, field.name).extend(draw(st.lists(_SCALARS[field.type], max_size=4)))
    else:
        setattr(message, field.name, draw(_SCALARS[field.type]))


def _fill_map(draw: st.DrawFn, target: Any, entry: Any, depth: int) -> None:
    key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for name in draw(st.lists(_SCALARS[key.type], max_size=3)):
        if value.message_type is None:
            target[name] = draw(_SCALARS[value.type])
        elif depth:
            target[name].CopyFrom(draw(messages(value.message_type._concrete_class, depth - 1)))


def _is_list(field: Any) -> bool:
    return bool(field.is_repeated)


@st.composite
def mutated(draw: st.DrawFn, kind: type[Message]) -> bytes:
    """A message on its way over a line that changes bytes, drops them and adds some."""
    raw = bytearray(draw(messages(kind)).SerializeToString())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        raw[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(raw)
