"""Answers of which a part is encoded already, so that megabytes are not encoded again for each caller."""

from typing import Final, Protocol

from google.protobuf.message import Message

_LENGTH_DELIMITED: Final = 2


class Answer(Protocol):
    """A message, or an object that encodes itself as one."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 (as messages call it)


class Encoded:
    """A message, and more fields of it as bytes.

    A parser reads them one after the other and merges them, as protobuf does with parts of one message. A message in a
    field is merged too if it comes twice.
    """

    def __init__(self, message: Message, rest: bytes) -> None:
        self._message = message
        self._rest = rest

    def SerializeToString(self) -> bytes:  # noqa: N802 (as messages call it)
        return self._message.SerializeToString() + self._rest


def within(message: type[Message], field: str, encoded: bytes) -> bytes:
    """``encoded`` as part of a field that is a message. Nothing if it is empty."""
    if not encoded:
        return b""
    tag = message.DESCRIPTOR.fields_by_name[field].number << 3 | _LENGTH_DELIMITED
    return _varint(tag) + _varint(len(encoded)) + encoded


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
