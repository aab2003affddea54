"""The contract keeps the API rules (AIPs) that the protobuf linter doesn't know."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.api import field_behavior_pb2, field_info_pb2, resource_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from protos import generate

from modelyard.v1 import (
    artifacts_pb2,
    deployments_pb2,
    errors_pb2,
    evaluations_pb2,
    events_pb2,
    lineage_pb2,
    options_pb2,
    registry_pb2,
    resources_pb2,
    webhooks_pb2,
)
from modelyard_server.app import SERVICES
from modelyard_server.calls.methods import ContractError, table

_FILES = (
    registry_pb2.DESCRIPTOR,
    artifacts_pb2.DESCRIPTOR,
    evaluations_pb2.DESCRIPTOR,
    deployments_pb2.DESCRIPTOR,
    errors_pb2.DESCRIPTOR,
    options_pb2.DESCRIPTOR,
    events_pb2.DESCRIPTOR,
    lineage_pb2.DESCRIPTOR,
    resources_pb2.DESCRIPTOR,
    webhooks_pb2.DESCRIPTOR,
)
_METHODS = [method for service in SERVICES for method in service.methods]
_BEHAVIOR = field_behavior_pb2.FieldBehavior
_READS = ("Get", "List", "Search", "Compare", "Resolve", "Read", "Watch", "Verify", "Query")


def _messages(container: Any) -> Iterator[Any]:
    nested = getattr(container, "message_types_by_name", None) or getattr(container, "nested_types_by_name", {})
    for message in nested.values():
        if not message.GetOptions().map_entry:
            yield message
            yield from _messages(message)


MESSAGES = [message for file in _FILES for message in _messages(file)]
REQUESTS = [message for message in MESSAGES if message.name.endswith("Request")]
RESOURCES = [m for m in MESSAGES if m.GetOptions().Extensions[resource_pb2.resource].type]
FIELDS = [field for message in MESSAGES for field in message.fields]


def _behaviors(field: Any) -> set[int]:
    return set(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _named(item: Any) -> str:
    return str(item.full_name)


@pytest.mark.parametrize("method", _METHODS, ids=_named)
def test_every_method_declares_its_permission_and_idempotency(method: Any) -> None:
    options = method.GetOptions()

    assert re.fullmatch(r"[a-z]+\.[a-z]+", options.Extensions[options_pb2.permission])
    assert options.HasField("idempotency_level")
    reads = options.idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    assert reads == method.name.removeprefix("Batch").startswith(_READS)


def test_a_method_without_a_permission_stops_the_server() -> None:
    """Nobody can forget it: the table that the server is built from is refused."""
    file = descriptor_pb2.FileDescriptorProto(name="x.proto", package="x", syntax="proto3")
    file.message_type.add(name="Request")
    file.service.add(name="S").method.add(name="Forgotten", input_type=".x.Request", output_type=".x.Request")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    assert message_factory.GetMessageClass(pool.FindMessageTypeByName("x.Request"))

    with pytest.raises(ContractError, match=r"/x.S/Forgotten has no .* option"):
        table([pool.FindServiceByName("x.S")])


# Etags carry no behaviour (AIP-154); answers and what only the server writes need none.
_PLAIN = {"etag"}


@pytest.mark.parametrize("message", REQUESTS, ids=_named)
def test_every_field_of_a_request_has_a_behaviour(message: Any) -> None:
    for field in message.fields:
        if field.name not in _PLAIN and not field.containing_oneof:
            assert _behaviors(field) & {_BEHAVIOR.REQUIRED, _BEHAVIOR.OPTIONAL}, field.name


@pytest.mark.parametrize("message", RESOURCES, ids=_named)
def test_resources_are_named_and_every_field_has_a_behaviour(message: Any) -> None:
    resource = message.GetOptions().Extensions[resource_pb2.resource]

    assert re.fullmatch(r"(namespaces/\{namespace\})(/[a-z]+/\{[a-z]+\})*", resource.pattern[0])
    assert resource.type == f"modelyard.dev/{message.name}"
    assert _behaviors(message.fields[0]) == {_BEHAVIOR.IDENTIFIER}
    assert message.fields[0].name == "name"
    for field in message.fields:
        assert field.name in _PLAIN or _behaviors(field), field.name


@pytest.mark.parametrize("field", [f for f in FIELDS if f.name in {"uid", "request_id"}], ids=_named)
def test_uids_and_request_ids_are_uuids(field: Any) -> None:
    assert field.GetOptions().Extensions[field_info_pb2.field_info].format == field_info_pb2.FieldInfo.UUID4


# What they do is the same however often it is done, or they are streams.
_WITHOUT_REQUEST_ID = {
    "CompactEvents",
    "TestWebhook",
    "FindMissingBlobs",
    "BatchWriteBlobs",
    "WriteBlob",
    "CancelUpload",
    "ComposeBlob",
    "HeartbeatDeployment",
}


@pytest.mark.parametrize("method", _METHODS, ids=_named)
def test_every_change_can_be_retried_by_its_request_id(method: Any) -> None:
    reads = method.GetOptions().idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    expected = not reads and method.name not in _WITHOUT_REQUEST_ID

    assert ("request_id" in method.input_type.fields_by_name) == expected


def _fields(message: Any) -> list[str]:
    return [field.name for field in message.fields]


@pytest.mark.parametrize("method", [m for m in _METHODS if m.name.startswith("List")], ids=_named)
def test_lists_are_paged(method: Any) -> None:
    fields = _fields(method.input_type)
    assert {"page_size", "page_token"} <= set(fields)
    assert fields[0] == "parent" or method.name == "ListNamespaces"
    first, second, *_ = method.output_type.fields
    assert first.number == 1
    assert first.is_repeated
    assert second.name == "next_page_token"


@pytest.mark.parametrize("method", _METHODS, ids=_named)
def test_standard_methods_have_their_shape(method: Any) -> None:
    verb = next((v for v in ("Create", "Update", "Delete", "Undelete", "Get") if method.name.startswith(v)), "")
    fields, answer = _fields(method.input_type), method.output_type.name
    resource = method.name.removeprefix(verb)
    lower = resource.lower()
    if verb == "Create":
        # The server allots a version's number; namespaces are the top.
        assert f"{lower}_id" in fields or resource == "Version"
        assert "parent" in fields or resource == "Namespace"
        assert {lower, "validate_only"} <= set(fields)
        assert answer == resource
    elif verb == "Update":
        assert fields[:2] == [lower, "update_mask"]
        assert answer == resource
    elif verb in {"Delete", "Undelete"}:
        assert fields[:2] == ["name", "etag"]
        assert answer == resource
    elif verb == "Get" and resource not in {"ArtifactLimits", "Registry"}:
        assert fields[0] == "name"
        assert answer == resource


_PREPOSITIONS = {"of", "from", "with", "to", "for", "in", "on", "at"}
# Who did it: the field's own words.
_ALLOWED = {"created_by", "updated_by"}


@pytest.mark.parametrize("field", FIELDS, ids=_named)
def test_fields_follow_the_naming_rules(field: Any) -> None:
    words = field.name.split("_")

    assert field.name in _ALLOWED or not _PREPOSITIONS & set(words)
    assert words[0] != "is"
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        assert words[-1] == "time"
    if words[-1] in {"bytes", "size"}:
        assert field.cpp_type in {field.CPPTYPE_INT32, field.CPPTYPE_INT64}


@pytest.fixture(scope="module")
def commented(tmp_path_factory: pytest.TempPathFactory) -> list[descriptor_pb2.FileDescriptorProto]:
    """Our files, from a build of the contract that keeps comments."""
    folder = tmp_path_factory.mktemp("contract")
    generate.workspace(folder)
    image = folder / "image.binpb"
    generate.descriptors(folder, image, comments=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    return [file for file in files if file.name.startswith("modelyard/")]


_SYNTAX = (12,)
_SERVICES = 6
_TOP_LEVEL = 2
"""Numbers of fields of a file descriptor, and the length of a path to what stands directly in a file."""

_Named = Iterator[tuple[str, tuple[int, ...]]]
"""Names, and the paths by which source info tells of them: field numbers of the descriptor and indices."""


def _in_message(message: descriptor_pb2.DescriptorProto, path: tuple[int, ...]) -> _Named:
    if message.options.map_entry:
        return
    yield message.name, path
    for index, field in enumerate(message.field):
        yield f"{message.name}.{field.name}", (*path, 2, index)
    for index, nested in enumerate(message.nested_type):
        yield from _in_message(nested, (*path, 3, index))
    for index, enum in enumerate(message.enum_type):
        yield from _in_enum(enum, (*path, 4, index))


def _in_enum(enum: descriptor_pb2.EnumDescriptorProto, path: tuple[int, ...]) -> _Named:
    yield enum.name, path
    for index, value in enumerate(enum.value):
        yield f"{enum.name}.{value.name}", (*path, 2, index)


def _in_file(file: descriptor_pb2.FileDescriptorProto) -> _Named:
    for index, message in enumerate(file.message_type):
        yield from _in_message(message, (4, index))
    for index, enum in enumerate(file.enum_type):
        yield from _in_enum(enum, (5, index))
    for index, service in enumerate(file.service):
        yield service.name, (6, index)
        for number, method in enumerate(service.method):
            yield f"{service.name}.{method.name}", (6, index, 2, number)


def _comments(file: descriptor_pb2.FileDescriptorProto) -> dict[tuple[int, ...], str]:
    return {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}


def test_everything_is_documented(commented: list[descriptor_pb2.FileDescriptorProto]) -> None:
    bare = [
        f"{file.name}: {name}" for file in commented for name, path in _in_file(file) if not _comments(file).get(path)
    ]

    assert bare == []


def test_services_methods_messages_and_enums_state_their_first_release(
    commented: list[descriptor_pb2.FileDescriptorProto],
) -> None:
    unmarked = [
        f"{file.name}: {name}"
        for file in commented
        for name, path in _in_file(file)
        if (len(path) == _TOP_LEVEL or (path[0] == _SERVICES and len(path) > _TOP_LEVEL))
        and not re.search(r"^\s*Since: \d+\.\d+$", _comments(file)[path].splitlines()[-1])
    ]

    assert unmarked == []


def test_files_with_a_service_begin_with_a_stability_statement(
    commented: list[descriptor_pb2.FileDescriptorProto],
) -> None:
    for file in commented:
        if file.service:
            (syntax,) = (place for place in file.source_code_info.location if tuple(place.path) == _SYNTAX)
            assert "Stable since release" in syntax.leading_detached_comments[0], file.name
