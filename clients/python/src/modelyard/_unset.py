"""The value of an argument that was not given, where None would be a value too."""

from enum import Enum
from typing import Final


class Unset(Enum):
    """Leave this field as it is."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.name


UNSET: Final = Unset.UNSET
