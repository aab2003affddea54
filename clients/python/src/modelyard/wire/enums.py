"""Enums of the contract and the Python enums that stand for them.

The contract prefixes each value with the name of its enum, ``STATE_READY``. Python does not: ``VersionState.READY``.
Only this module knows the prefix.
"""

import re
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

_Number = TypeVar("_Number", bound=int)
_Member = TypeVar("_Member", bound=Enum)


class EnumMapping(Generic[_Number, _Member]):
    """Numbers of one enum of the contract to members of a Python enum, and back.

    ``python`` has a member for each number but 0, which says that the field is not set. ``unknown`` is a further
    member: numbers that the Python enum does not know, 0 among them, read as it.
    """

    def __init__(
        self, contract: "_EnumTypeWrapper[_Number]", python: type[_Member], *, unknown: _Member | None = None
    ) -> None:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", contract.DESCRIPTOR.name).upper()
        self._name = contract.DESCRIPTOR.name
        self._unknown = unknown
        self._unset = contract.Value(f"{prefix}_UNSPECIFIED")
        self._numbers = {member: contract.Value(f"{prefix}_{member.value}") for member in python if member != unknown}
        self._members: dict[int, _Member] = {number: member for member, number in self._numbers.items()}

    def __contains__(self, number: int) -> bool:
        """Whether the Python enum has a member for the number."""
        return number in self._members

    def to_proto(self, member: _Member | None) -> _Number:
        """The number of ``member``; 0, which means not set, for None.

        Raises ``ValueError`` for the member ``unknown``, which stands for no one number.
        """
        if member is None:
            return self._unset
        if member not in self._numbers:
            raise ValueError(f"{member!r} is only read, never sent. Use another {self._name}, or None for any.")
        return self._numbers[member]

    def from_proto(self, number: int) -> _Member:
        """Raises ``ValueError`` for a number that is not known, if there is no member ``unknown``."""
        member = self._members.get(number, self._unknown)
        if member is None:
            raise ValueError(f"{number} is not a known value of {self._name}")
        return member
