"""The contract of notes, made at run time: as a stub would bring it."""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from modelyard.v1 import options_pb2

_TEXT: Final = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_FILE: Final = "toy/v1/notes.proto"


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name=_FILE, package="toy.v1", syntax="proto3", dependency=["modelyard/v1/options.proto"]
    )
    for name, fields in {
        "Note": ("name", "text"),
        "CreateNoteRequest": ("parent", "note_id", "text", "request_id"),
        "GetNoteRequest": ("name",),
    }.items():
        message = file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            message.field.add(name=field, number=number, type=_TEXT, label=1)
    service = file.service.add(name="NotesService")
    for name, resource in (("CreateNote", "parent"), ("GetNote", "name")):
        method = service.method.add(name=name, input_type=f".toy.v1.{name}Request", output_type=".toy.v1.Note")
        options = method.options.Extensions
        options[options_pb2.permission] = f"notes.{name.removesuffix('Note').lower()}"
        options[options_pb2.resource_field].append(resource)
        options[options_pb2.call_class] = options_pb2.CALL_CLASS_SMALL
        options[options_pb2.default_deadline].seconds = 30
    return file


_POOL: Final = descriptor_pool.Default()
_POOL.AddSerializedFile(_file().SerializeToString())
SERVICE: Final[Any] = _POOL.FindServiceByName("toy.v1.NotesService")


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"toy.v1.{name}"))


Note: Final = _message("Note")
CreateNoteRequest: Final = _message("CreateNoteRequest")
GetNoteRequest: Final = _message("GetNoteRequest")
