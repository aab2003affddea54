"""Every method says in the contract what servers and clients have to know about it."""

from typing import Any

import pytest

from modelyard.v1 import options_pb2
from modelyard_server.app import SERVICES

_METHODS = [method for service in SERVICES for method in service.methods]
# They concern the registry as a whole.
_ABOVE_NAMESPACES = {"CreateNamespace", "ListNamespaces", "GetArtifactLimits"}


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
        assert kind in {options_pb2.CALL_CLASS_DOWNLOAD, options_pb2.CALL_CLASS_WATCH}
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
