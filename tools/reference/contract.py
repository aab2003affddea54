"""The pages of the RPCs and of the errors, from the protos and their comments."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from google.api import field_behavior_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
)
from google.rpc import code_pb2
from protos import generate
from tools.reference.markdown import entry, page, table

from modelyard.v1 import options_pb2

_PACKAGE: Final = ".modelyard.v1."
_ERRORS: Final = "errors.proto"
_FOLDER: Final = "rpc"
# Numbers of fields in descriptor.proto, as they are in the paths of comments.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM = 2, 3, 4
_MEMBER = 2  # a method of a service, a value of an enum

Place = tuple[int, ...]
"""Of a comment: its path in the descriptor."""


class _File:
    """A proto with its comments."""

    def __init__(self, descriptor: FileDescriptorProto) -> None:
        self.descriptor = descriptor
        self.name = Path(descriptor.name).name
        self._comments = {tuple(each.path): each.leading_comments for each in descriptor.source_code_info.location}

    @property
    def page(self) -> str:
        return f"{Path(self.name).stem}.md"

    def comment(self, path: Place) -> str:
        return "\n".join(line.removeprefix(" ") for line in self._comments.get(path, "").splitlines()).strip()

    def messages(self) -> Iterator[tuple[Place, str, DescriptorProto]]:
        """With the messages inside of others, as ``Outer.Inner``."""
        for index, message in enumerate(self.descriptor.message_type):
            yield from _nested((_FILE_MESSAGE, index), "", message)

    def enums(self) -> Iterator[tuple[Place, str, EnumDescriptorProto]]:
        for index, enum in enumerate(self.descriptor.enum_type):
            yield (_FILE_ENUM, index), enum.name, enum
        for path, name, message in self.messages():
            for index, enum in enumerate(message.enum_type):
                yield (*path, _MESSAGE_ENUM, index), f"{name}.{enum.name}", enum


def _nested(path: Place, outer: str, message: DescriptorProto) -> Iterator[tuple[Place, str, DescriptorProto]]:
    name = f"{outer}{message.name}"
    if not message.options.map_entry:
        yield path, name, message
    for index, inner in enumerate(message.nested_type):
        yield from _nested((*path, _MESSAGE_NESTED, index), f"{name}.", inner)


def pages() -> dict[str, str]:
    files = _read()
    homes = {name: file.page for file in files for _, name, _ in (*file.messages(), *file.enums())}
    rendered = {f"{_FOLDER}/{file.page}": _page(file, homes) for file in files if file.name != _ERRORS}
    services = [
        (f"[`{service.name}`]({_FOLDER}/{file.page}#{service.name})", _first(file.comment((_FILE_SERVICE, index))))
        for file in files
        for index, service in enumerate(file.descriptor.service)
    ]
    return rendered | {
        "rpc.md": page("RPCs", "The services of `modelyard.v1`.", table(("Service", "What it does"), services)),
        "errors.md": _errors(next(file for file in files if file.name == _ERRORS)),
    }


def _read() -> list[_File]:
    with tempfile.TemporaryDirectory() as scratch:
        generate.workspace(Path(scratch))
        target = Path(scratch) / "contract.binpb"
        generate.descriptors(Path(scratch), target, comments=True)
        found = FileDescriptorSet.FromString(target.read_bytes()).file
    return [_File(file) for file in found if file.package == _PACKAGE.strip(".")]


def _page(file: _File, homes: dict[str, str]) -> str:
    parts: list[str] = []
    for index, service in enumerate(file.descriptor.service):
        path: Place = (_FILE_SERVICE, index)
        parts += [_heading(2, service.name), file.comment(path)]
        for number, method in enumerate(service.method):
            parts += [_heading(3, method.name), *_method(file, method, (*path, _MEMBER, number), homes)]
    messages, enums = list(file.messages()), list(file.enums())
    if messages:
        parts.append("## Messages")
    for place, name, message in messages:
        parts += [_heading(3, name), file.comment(place), *_fields(file, place, message, homes)]
    if enums:
        parts.append("## Enums")
    for place, name, enum in enums:
        parts += [_heading(3, name), file.comment(place)]
        parts += [entry(f"`{value.name}`", file.comment((*place, _MEMBER, i))) for i, value in enumerate(enum.value)]
    return page(file.name, *parts)


def _heading(level: int, name: str) -> str:
    return f"{'#' * level} {name} {{#{name}}}"


def _method(file: _File, method: MethodDescriptorProto, path: Place, homes: dict[str, str]) -> Iterator[str]:
    options = method.options
    yield file.comment(path)
    takes, gives = _link(method.input_type, homes), _link(method.output_type, homes)
    deadline = options.Extensions[options_pb2.default_deadline].ToTimedelta().total_seconds()
    facts = {
        "Request": f"stream of {takes}" if method.client_streaming else takes,
        "Answer": f"stream of {gives}" if method.server_streaming else gives,
        "Permission": f"`{options.Extensions[options_pb2.permission]}`",
        "Retry": _retry(options),
        "Deadline": f"{deadline:g} s" if deadline else "none",
    }
    yield "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _retry(options: MethodOptions) -> str:
    return {
        MethodOptions.NO_SIDE_EFFECTS: "safe: changes nothing",
        MethodOptions.IDEMPOTENT: "safe: takes effect once",
    }.get(options.idempotency_level, "not safe")


def _fields(file: _File, path: Place, message: DescriptorProto, homes: dict[str, str]) -> Iterator[str]:
    for index, field in enumerate(message.field):
        behaviour = [
            field_behavior_pb2.FieldBehavior.Name(value).lower().replace("_", " ")
            for value in field.options.Extensions[field_behavior_pb2.field_behavior]
        ]
        traits = ", ".join([_type(field, message, homes), *behaviour])
        yield entry(f"`{field.name}`: {traits}", file.comment((*path, _MESSAGE_FIELD, index)))


def _type(field: FieldDescriptorProto, message: DescriptorProto, homes: dict[str, str]) -> str:
    for inner in message.nested_type:
        if inner.options.map_entry and field.type_name.endswith(f".{message.name}.{inner.name}"):
            key, value = (_type(part, inner, homes) for part in inner.field)
            return f"map of {key} to {value}"
    name = (
        _link(field.type_name, homes)
        if field.type_name
        else FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    )
    return f"list of {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _link(type_name: str, homes: dict[str, str]) -> str:
    name = type_name.removeprefix(_PACKAGE)
    return f"[{name}]({homes[name]}#{name})" if name in homes and homes[name] != "errors.md" else name.removeprefix(".")


def _first(text: str) -> str:
    return text.partition("\n\n")[0]


def _errors(file: _File) -> str:
    path, _, enum = next(file.enums())
    reasons = [(value, file.comment((*path, _MEMBER, index))) for index, value in enumerate(enum.value) if value.number]
    parts = [part for value, comment in reasons for part in _reason(value, comment)]
    return page("Errors", file.comment(path), *parts)


def _reason(value: EnumValueDescriptorProto, comment: str) -> Iterator[str]:
    handling: Any = value.options.Extensions[options_pb2.error]
    name = value.name.removeprefix("ERROR_REASON_")
    yield _heading(2, name)
    yield comment
    yield table(
        ("Code", "Retry", "Metadata"),
        [
            (
                f"`{code_pb2.Code.Name(handling.code)}`",
                f"`{options_pb2.Retry.Name(handling.retry)}`",
                ", ".join(f"`{key}`" for key in handling.metadata) or "none",
            )
        ],
    )
