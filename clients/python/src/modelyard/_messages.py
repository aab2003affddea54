"""What requests and lists have in common."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TypeVar
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from modelyard import _naming
from modelyard._unset import Unset

_Message = TypeVar("_Message")
_T = TypeVar("_T")
Page = tuple[Iterable[_Message], str]
"""The messages of one page, and the token of the next."""


async def items(
    fetch: Callable[[str], Awaitable[Page[_Message]]], convert: Callable[[_Message], _T]
) -> AsyncIterator[_T]:
    """Of a list, page by page as they are asked for."""
    token = ""
    while True:
        messages, token = await fetch(token)
        for message in messages:
            yield convert(message)
        if not token:
            return


def fill(message: Message, **fields: str | Mapping[str, str] | Unset | None) -> list[str]:
    """Sets the fields that are given, and tells which."""
    given: list[str] = []
    for name, value in fields.items():
        if value is None or isinstance(value, Unset):
            continue
        given.append(name)
        try:
            if isinstance(value, Mapping):
                getattr(message, name).update(value)
            else:
                setattr(message, name, value)
        except (TypeError, ValueError) as error:
            raise _naming.invalid(name, f"can't be sent: {error}") from None
    return given


def field_mask(paths: list[str]) -> FieldMask:
    if not paths:
        raise _naming.invalid("fields", "nothing to change is given")
    return FieldMask(paths=paths)


def request_id() -> str:
    return str(uuid4())
