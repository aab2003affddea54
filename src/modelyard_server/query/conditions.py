"""The terms of a filter as conditions on the rows of what is listed. Every value is a parameter."""

import operator
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Double,
    FromClause,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
    cast,
    exists,
    func,
    literal,
    not_,
    or_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from modelyard_server.query import terms
from modelyard_server.query.subject import Columns, Subject
from modelyard_server.query.syntax import Operator
from modelyard_server.query.terms import Term
from modelyard_server.query.texts import indexed

_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_EQUAL: operator.ge,
}
# Of SQLite's GLOB, which unlike its LIKE minds case.
_GLOB: Final = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_LIKE: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})
_SURROGATES: Final = range(0xD800, 0xE000)


class position_of(GenericFunction[int]):  # noqa: N801 (it is a function)
    """Where a text holds another as it is written, counted from 1; 0 if it does not."""

    type = BigInteger()
    inherit_cache = True


@compiles(position_of, "sqlite")
def _instr(element: position_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(position_of, "postgresql")
def _strpos(element: position_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


class by_code_point(GenericFunction[str]):  # noqa: N801 (it is a function)
    """A text that is compared by its code points, whatever the locale of the database."""

    type = Text()
    inherit_cache = True


@compiles(by_code_point, "sqlite")
def _binary(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(by_code_point, "postgresql")
def _collated(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return f'(({compiler.process(element.clauses, **options)}) COLLATE "C")'


class Pattern(TypeDecorator[tuple[str, ...]]):
    """Pieces with anything between them, as what the dialect's operator for patterns takes."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        escapes, anything = (_GLOB, "*") if dialect.name == "sqlite" else (_LIKE, "%")
        return anything.join(piece.translate(escapes) for piece in value)


class matches(GenericFunction[bool]):  # noqa: N801 (it is a function)
    """Whether a text fits a :class:`Pattern`."""

    type = Boolean()
    inherit_cache = True


@compiles(matches, "sqlite")
def _glob(element: matches, compiler: SQLCompiler, **options: Any) -> str:
    return _infix(element, "GLOB", compiler, options)


@compiles(matches, "postgresql")
def _like(element: matches, compiler: SQLCompiler, **options: Any) -> str:
    return _infix(element, "LIKE", compiler, options)


def _infix(element: matches, operator_: str, compiler: SQLCompiler, options: dict[str, Any]) -> str:
    text, pattern = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({text} {operator_} {pattern})"


def condition(term: Term, subject: Columns) -> ColumnElement[bool]:
    """What a row must satisfy. It is never unknown: NOT of it holds for all other rows."""
    match term:
        case terms.Negation(inner):
            return not_(condition(inner, subject))
        case terms.All(inner):
            return and_(*(condition(each, subject) for each in inner))
        case terms.Any(inner):
            return or_(*(condition(each, subject) for each in inner))
        case _ if (column := subject.columns.get(term.field)) is not None:
            return _column(term, column)
        case _:
            assert isinstance(subject, Subject)
            return _elsewhere(term, subject)


def _elsewhere(term: Term, subject: Subject) -> ColumnElement[bool]:
    """A field that is no column of the row itself."""
    assert isinstance(term, terms.Text | terms.Contains | terms.Number | terms.Present)
    if (related := subject.related.get(term.field)) is None:
        return attribute_exists(term, subject)
    query = related.rows
    if isinstance(term, terms.Text):
        query = query.where(text_condition(related.text, term))
    return query.correlate(subject.table).exists()


def _column(term: Term, column: ColumnElement[Any]) -> ColumnElement[bool]:
    match term:
        case terms.Number() | terms.Moment():
            return _COMPARE[term.operator](column, term.value)  # type: ignore[no-any-return]  # of operator
        case terms.Present():
            return column != "" if isinstance(column.type, String) else column.is_not(None)
        case terms.Text():
            return and_(text_condition(func.by_code_point(column), term), column != "")
        case terms.Contains():
            return func.position_of(column, term.part) > 0
        case _:
            raise AssertionError(term)


def attribute_exists(
    term: terms.Text | terms.Contains | terms.Number | terms.Present, subject: Subject
) -> ColumnElement[bool]:
    """That the resource has such a row among its texts or numbers."""
    found = []
    for table in _tables(term, subject):
        columns = table.c
        rows = exists().where(columns[subject.owner] == subject.key, attribute_condition(term, table))
        found.append(rows.correlate(subject.source))
    return or_(*found)


def _tables(term: Term, subject: Subject) -> list[Table]:
    if isinstance(term, terms.Number):
        return [] if subject.numbers is None else [subject.numbers]
    if not isinstance(term, terms.Present) or subject.numbers is None or term.field.startswith("labels."):
        return [subject.texts]
    return [subject.texts, subject.numbers]


def attribute_condition(term: Term, table: FromClause) -> ColumnElement[bool]:
    """What a row of texts or numbers must satisfy."""
    assert isinstance(term, terms.Text | terms.Contains | terms.Number | terms.Present)
    of_field: ColumnElement[bool] = table.c.field == term.field
    match term:
        case terms.Present():
            return of_field
        case terms.Number():
            compared: ColumnElement[bool] = _COMPARE[term.operator](table.c.value, cast(term.value, Double))
            return and_(of_field, compared)
        case terms.Text():
            return and_(of_field, text_condition(table.c.value, term, encode=indexed))
        case terms.Contains():
            return and_(of_field, func.position_of(table.c.value, term.part) > 0)


def text_condition(
    column: ColumnElement[Any], term: terms.Text, *, encode: Callable[[str], str] = str
) -> ColumnElement[bool]:
    if term.exact is not None:
        return _COMPARE[term.operator](column, encode(term.exact))  # type: ignore[no-any-return]  # of operator
    fits: ColumnElement[bool] = func.matches(column, literal(term.pieces, Pattern()))
    if term.operator is Operator.NOT_EQUAL:
        return not_(fits)
    # What an index can find; the pattern does the rest.
    if prefix := term.pieces[0]:
        fits = and_(column >= prefix, fits)
        if (end := _behind(prefix)) is not None:
            fits = and_(column < end, fits)
    return fits


def _behind(prefix: str) -> str | None:
    """The first text behind all those that begin with ``prefix``; None if there is none."""
    for length in range(len(prefix), 0, -1):
        following = ord(prefix[length - 1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= sys.maxunicode:
            return prefix[: length - 1] + chr(following)
    return None
