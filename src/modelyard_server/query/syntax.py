"""Parses filters: a scanner and a recursive descent parser for the grammar of https://google.aip.dev/160.

As in that grammar, ``OR`` binds tighter than ``AND``: ``a AND b OR c`` is ``a AND (b OR c)``. Words without an
operator, functions, and fields on the right side are not supported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_BYTES: Final = 4096
MAX_DEPTH: Final = 20
MAX_TERMS: Final = 100

_EXCERPT_LENGTH: Final = 20
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT"})
_WORD_DELIMITERS: Final = frozenset("()<>=!,\"'")
_ESCAPES: Final = {"n": "\n", "t": "\t"}


class Operator(Enum):
    """The operator between a field and a value."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    HAS = ":"


# Longer operators first, because the first match is used.
_OPERATORS: Final = sorted(Operator, key=lambda operator: -len(operator.value))


@dataclass(frozen=True, slots=True)
class Literal:
    """The right side of a comparison."""

    pieces: tuple[str, ...]
    """The text between the wildcards: one piece without wildcards."""
    quoted: bool
    at: int

    @property
    def text(self) -> str:
        return "*".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``labels.team = "nlp"``."""

    path: tuple[str, ...]
    operator: Operator
    value: Literal
    at: int
    """Start of the field in the filter, in characters."""


@dataclass(frozen=True, slots=True)
class Not:
    term: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple["Expression", ...]


Expression = Comparison | Not | And | Or


class FilterError(ValueError):
    """The filter is invalid. The message has the position of the error in characters, counted from 1."""

    def __init__(self, text: str, at: int, why: str) -> None:
        rest = text[at : at + _EXCERPT_LENGTH]
        where = f"before {rest!r}" if rest else "at the end"
        super().__init__(f"at character {at + 1}, {where}: {why}")
        self.at = at


def parse(text: str) -> Expression | None:
    """Parses a filter; None for an empty one. Raises :class:`FilterError`."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise FilterError("", 0, f"the filter is longer than {MAX_BYTES} bytes")
    if "\x00" in text:
        raise FilterError(text, text.index("\x00"), "a NUL character can't be searched for")
    return _Parser(text).filter()


def parse_field(text: str) -> tuple[tuple[str, ...], str]:
    """Reads a field at the start of a text; the second value is the rest of the text. Raises :class:`FilterError`."""
    return _Parser(text).field()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0
        self._depth = 0

    def filter(self) -> Expression | None:
        self._space()
        if self._ended():
            return None
        expression = self._expression()
        if not self._ended():
            raise self._error("expected AND or OR here")
        return expression

    # The grammar

    def _expression(self) -> Expression:
        terms = self._series("AND", self._factor)
        return terms[0] if len(terms) == 1 else And(terms)

    def _factor(self) -> Expression:
        terms = self._series("OR", self._term)
        return terms[0] if len(terms) == 1 else Or(terms)

    def _series(self, keyword: str, parse: Callable[[], Expression]) -> tuple[Expression, ...]:
        terms = [parse()]
        while self._keyword(keyword):
            terms.append(parse())
        return tuple(terms)

    def _term(self) -> Expression:
        if self._keyword("NOT") or self._takes("-"):
            return Not(self._nested(self._term))
        if self._takes("("):
            inner = self._nested(self._expression)
            if not self._takes(")"):
                raise self._error("expected ) here, or AND or OR")
            self._space()
            return inner
        return self._comparison()

    def _nested(self, parse: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"the filter is nested more than {MAX_DEPTH} deep")
        self._space()
        inner = parse()
        self._depth -= 1
        return inner

    def _comparison(self) -> Comparison:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._error(f"the filter has more than {MAX_TERMS} comparisons")
        at = self._at
        path = self._path()
        self._space()
        operator = next((known for known in _OPERATORS if self._takes(known.value)), None)
        if operator is None:
            raise self._error("expected an operator here: = != < <= > >= or :")
        if operator is Operator.EQUAL and self._peek() == "=":
            raise self._error("there is no operator ==. Use =")
        self._space()
        value = self._literal()
        self._space()
        return Comparison(path, operator, value, at)

    # Words

    def field(self) -> tuple[tuple[str, ...], str]:
        self._space()
        return self._path(), self._text[self._at :].strip()

    def _path(self) -> tuple[str, ...]:
        segments = [self._segment()]
        while self._takes("."):
            segments.append(self._segment())
        return tuple(segments)

    def _segment(self) -> str:
        start = self._at
        if self._peek() in {'"', "'"}:
            (name,) = self._quoted(wildcards=False)
            if not name:
                self._at = start
                raise self._error("expected the name of a field here")
            return name
        word = self._word(stops=".:")
        if not word or word in _KEYWORDS:
            self._at = start
            raise self._error("expected the name of a field here")
        return word

    def _literal(self) -> Literal:
        at = self._at
        if self._peek() in {'"', "'"}:
            return Literal(self._quoted(wildcards=True), quoted=True, at=at)
        word = self._word()
        if not word or word in _KEYWORDS:
            self._at = at
            raise self._error("expected a value here; put text in quotes")
        return Literal(tuple(word.split("*")), quoted=False, at=at)

    def _word(self, *, stops: str = "") -> str:
        start = self._at
        while not self._ended():
            character = self._text[self._at]
            if character in _WORD_DELIMITERS or character in stops or character.isspace():
                break
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self, *, wildcards: bool) -> tuple[str, ...]:
        start = self._at
        quote = self._text[start]
        self._at += 1
        pieces = [""]
        while not self._ended():
            character = self._text[self._at]
            self._at += 1
            if character == quote:
                return tuple(pieces)
            if character == "\\" and not self._ended():
                escaped = self._text[self._at]
                self._at += 1
                pieces[-1] += _ESCAPES.get(escaped, escaped)
            elif character == "*" and wildcards:
                pieces.append("")
            else:
                pieces[-1] += character
        self._at = start
        raise self._error("this quote is not closed")

    # Characters

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _ended(self) -> bool:
        return self._at >= len(self._text)

    def _takes(self, expected: str) -> bool:
        if not self._text.startswith(expected, self._at):
            return False
        self._at += len(expected)
        return True

    def _keyword(self, keyword: str) -> bool:
        """Consumes a keyword, but not the beginning of a longer word such as ``ANDROID``."""
        start = self._at
        if self._word() != keyword:
            self._at = start
            return False
        self._space()
        return True

    def _space(self) -> None:
        while not self._ended() and self._text[self._at].isspace():
            self._at += 1

    def _error(self, why: str) -> FilterError:
        return FilterError(self._text, self._at, why)
