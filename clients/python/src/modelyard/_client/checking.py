"""Checks of arguments that the registry would make too: all that is wrong is found before anything is sent."""

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

from modelyard._client.plain import NotPlainError, a_kind, flat
from modelyard.core.limits import MAX_FACT_NAME_BYTES, MAX_FACTS, MAX_TEXT_BYTES, NOT_ON_ONE_LINE
from modelyard.errors import FieldViolation, InvalidArgumentError

_T = TypeVar("_T")

_FREE_TEXTS: Final = frozenset({"arguments"})
"""Texts that may have several lines."""


class Check:
    """Collects violations. The result of a method is of no use if there are any."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []
        self.notes: list[str] = []
        """Sentences for people about values that are recorded in another form than given."""

    def refuse(self, field: str, why: str) -> None:
        self.violations.append(FieldViolation(field, why))

    def raise_any(self) -> None:
        """Raises ``InvalidArgumentError`` with every violation, if there is one."""
        if self.violations:
            raise InvalidArgumentError(self.violations)

    def flattened(self, field: str, given: Any) -> dict[str, Any]:
        """The values by their checked names."""
        found: dict[str, Any] = {}
        if given is None:
            return found
        try:
            for name, value in flat(given):
                at = entry(field, name)
                if name in found:
                    self.refuse(at, "is there twice: once with a dot in its name, once nested")
                self.name(field, name)
                found[name] = value
        except NotPlainError as error:
            self.refuse(field, str(error))
        except Exception as error:  # noqa: BLE001 - a configuration of others may fail in any way when it is read
            self.refuse(field, f"can't be read: {error}")
        self.count_facts(field, found)
        return found

    def mapping(self, field: str, given: Any) -> Mapping[str, Any]:
        """Values by name; empty for None."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.refuse(field, f"is {a_kind(given)}; give a mapping")
            return {}
        self.count_facts(field, given)
        for name in given:
            self.text(f"{field} name", name, one_line=True)
        return given

    def name(self, field: str, name: str) -> None:
        if not name:
            self.refuse(field, "has an empty name")
        self.text(f"{field} name", name, MAX_FACT_NAME_BYTES, one_line=True)

    def count_facts(self, field: str, found: Any) -> None:
        self.count(field, found, MAX_FACTS, ". Push the rest as a file")

    def count(self, field: str, found: Any, most: int, advice: str = "") -> None:
        if len(found) > most:
            self.refuse(field, f"has {len(found)} entries; at most {most} are allowed{advice}")

    def text(self, field: str, value: Any, max_bytes: int = MAX_TEXT_BYTES, *, one_line: bool = False) -> str:
        if not isinstance(value, str):
            self.refuse(field, f"is {a_kind(value)}; give text")
            return ""
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            self.refuse(field, f"{ascii(value)[:80]} has a lone surrogate (half a character), which is not text")
            return ""
        if size > max_bytes:
            self.refuse(field, f"is {size} bytes long; at most {max_bytes} are allowed")
        if "\x00" in value:
            self.refuse(field, "has a NUL character")
        elif one_line and any(unicodedata.category(character) in NOT_ON_ONE_LINE for character in value):
            self.refuse(field, "has a control or invisible character. Use one line of plain text")
        return str.__str__(value)  # an enum's text, not its name

    def finite(self, field: str, number: float, *, instead: str = "Leave it out") -> float:
        if not math.isfinite(number):
            self.refuse(field, f"is {number}; only finite numbers are allowed. {instead}")
        return number

    def instance(self, field: str, given: Any, made_by: type[_T]) -> _T | None:
        if given is None or isinstance(given, made_by):
            return given
        self.refuse(field, f"is {a_kind(given)}; give a modelyard.{made_by.__name__}")
        return None

    def record(self, field: str, given: Any, made_by: type[_T]) -> _T | None:
        """A record of texts, lists of texts and maps of texts. All have the same limits."""
        found = self.instance(field, given, made_by)
        if found is None:
            return None
        for each in fields(found):  # type: ignore[arg-type]  # all of them are dataclasses
            value, at = getattr(found, each.name), f"{field}.{each.name}"
            if isinstance(value, Mapping):
                self.count_facts(at, value)
                for name, text in value.items():
                    self.name(at, name)
                    self.text(entry(at, name), text)
            elif isinstance(value, tuple | list):
                self.count_facts(at, value)
                for index, text in enumerate(value):
                    self.text(f"{at}[{index}]", text)
            elif each.type is str or isinstance(value, str):
                self.text(at, value, one_line=each.name not in _FREE_TEXTS)
        return found

    def attempt(self, field: str, check: Callable[[Any], object], value: Any) -> None:
        try:
            check(value)
        except (ValueError, TypeError, AttributeError) as error:
            self.refuse(field, str(error))


def entry(field: str, name: Any) -> str:
    """How an error names one value of a map."""
    return f"{field}[{ascii(name)[:60]}]"
