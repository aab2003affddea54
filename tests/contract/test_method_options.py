"""Every method says in the contract what servers and clients have to know about it."""

from typing import Any

import pytest
from google.api import client_pb2, field_behavior_pb2

from modelyard.v1 import options_pb2, resources_pb2
from modelyard_server.app import SERVICES

_FILES = [resources_pb2.DESCRIPTOR, *{service.file.name: service.file for service in SERVICES}.values()]
_METHODS = [method for service in SERVICES for method in service.methods]
# They concern the registry as a whole.
_ABOVE_NAMESPACES = {"CreateNamespace", "ListNamespaces", "GetArtifactLimits", "GetRegistry"}


def _named(item: Any) -> str:
    return str(item.full_name)


def _field(message: Any, path: str) -> Any:
    """The field at a dotted path, or None."""
    first, _, rest = path.partition(".")
    field = message.fields_by_name.get(first)
    return field if field is None or not rest else _field(field.message_type, rest)


@pytest.mark.parametrize("method", _METHODS, ids=_named)
def test_every_method_names_the_fields_of_its_resources(method: Any) -> None:
    paths = list(method.GetOptions().Extensions[options_pb2.resource_field])

    assert paths
    assert (paths == ["*"]) == (method.name in _ABOVE_NAMESPACES)
    for path in set(paths) - {"*"}:
        field = _field(method.input_type, path)
        assert field is not None, path
        assert field.type == field.TYPE_STRING
        assert not field.is_repeated


@pytest.mark.parametrize("method", _METHODS, ids=_named)
def test_every_method_has_a_class_that_fits_its_streams(method: Any) -> None:
    options = method.GetOptions()
    kind = options.Extensions[options_pb2.call_class]

    assert options.HasExtension(options_pb2.call_class)
    assert kind != options_pb2.CALL_CLASS_UNSPECIFIED
    if method.client_streaming:
        assert kind == options_pb2.CALL_CLASS_UPLOAD
    if method.server_streaming:
        assert kind != options_pb2.CALL_CLASS_SMALL
    if kind == options_pb2.CALL_CLASS_WATCH:
        assert method.server_streaming


@pytest.mark.parametrize("method", _METHODS, ids=_named)
def test_unary_methods_have_a_deadline_and_streams_have_none(method: Any) -> None:
    options = method.GetOptions()
    deadline = options.Extensions[options_pb2.default_deadline]

    assert options.HasExtension(options_pb2.default_deadline)
    assert (deadline.ToSeconds() > 0) == (not method.client_streaming and not method.server_streaming)


def test_methods_that_return_a_secret_say_so() -> None:
    secretive = {m.name for m in _METHODS if m.GetOptions().Extensions[options_pb2.returns_secret]}

    assert secretive == {"CreateWebhook", "RotateWebhookSecret", "RegisterDeployment"}


def _required(message: Any) -> set[str]:
    behavior = field_behavior_pb2.field_behavior
    return {f.name for f in message.fields if field_behavior_pb2.REQUIRED in f.GetOptions().Extensions[behavior]}


@pytest.mark.parametrize("method", [m for m in _METHODS if not m.client_streaming], ids=_named)
def test_signatures_name_every_required_field(method: Any) -> None:
    signatures = list(method.GetOptions().Extensions[client_pb2.method_signature])

    assert signatures
    for signature in signatures:
        names = signature.split(",") if signature else []
        assert _required(method.input_type) <= set(names) <= set(method.input_type.fields_by_name)


@pytest.mark.parametrize("service", SERVICES, ids=_named)
def test_every_service_has_the_default_host(service: Any) -> None:
    """What a client connects to if its user says nothing: a registry on the same machine."""
    assert service.GetOptions().Extensions[client_pb2.default_host] == "localhost:4850"


@pytest.mark.parametrize("name", ["secret", "lease", "url"])
def test_secrets_are_left_out_of_debug_output(name: str) -> None:
    messages = [message for file in _FILES for message in file.message_types_by_name.values() if message.name != "Run"]
    fields = [message.fields_by_name[name] for message in messages if name in message.fields_by_name]

    assert fields
    assert all(field.GetOptions().debug_redact for field in fields)
