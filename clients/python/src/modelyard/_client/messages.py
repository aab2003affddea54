"""What requests and lists have in common."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from modelyard import _naming
from modelyard._caller import warn
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard._unset import Unset
from modelyard.errors import UnknownFieldWarning

if TYPE_CHECKING:
    import grpc.aio

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)
_Item = TypeVar("_Item")
_T = TypeVar("_T")

_TOLD: Final = 20
"""Unknown fields of one page that are warned of."""


def pager(
    connection: Connection,
    method: "Callable[[], grpc.aio.UnaryUnaryMultiCallable[_Request, _Response]]",
    request: _Request,
    items: Callable[[_Response], Iterable[_Item]],
    convert: Callable[[_Item], _T],
) -> AsyncPager[_T]:
    """A list of the registry. ``method`` is asked for each time: a stub belongs to the channels of the moment."""

    async def fetch(token: str) -> tuple[tuple[_T, ...], str]:
        wanted: Any = type(request)()
        wanted.CopyFrom(request)
        wanted.page_token = token
        page: Any = await connection.call(method(), wanted)
        for field in getattr(page, "unknown_fields", ())[:_TOLD]:
            warn(f"Nothing in this list has the field {field!r}. Check its spelling.", UnknownFieldWarning)
        return tuple(map(convert, items(page))), page.next_page_token

    return AsyncPager(fetch)


def fill(message: Message, **fields: str | Mapping[str, str] | Unset | None) -> list[str]:
    """Sets the fields that are given, and returns their names."""
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
        raise _naming.invalid("fields", "Nothing to change. Give at least one field.")
    return FieldMask(paths=paths)


def request_id() -> str:
    return str(uuid4())
