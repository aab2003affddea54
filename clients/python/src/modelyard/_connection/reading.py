"""Messages that can't be read. gRPC would log them on standard error, and give None to the caller."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError

from modelyard.errors import BadAnswerError

_T = TypeVar("_T")

_UNREADABLE: Final = object()


def lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Never raises: what can't be read becomes a mark that :func:`readable` finds."""

    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except (DecodeError, RecursionError):
            return _UNREADABLE

    return read


def readable(message: _T) -> _T:
    """The message. Raises ``BadAnswerError`` if the bytes are not one."""
    if message is _UNREADABLE:
        raise BadAnswerError(
            "the registry's answer can't be read. Check that MODELYARD_URL is the address of a Modelyard registry.",
            reason="BAD_ANSWER",
        )
    return message
