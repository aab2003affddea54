"""Converts the terms of a filter to SQL conditions. Every value is a parameter."""

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
# The special characters of SQLite's GLOB, which is case-sensitive, unlike its LIKE.
_GLOB: Final = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_LIKE: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})
_SURROGATES: Final = range(0xD800, 0xE000)


class position_of(GenericFunction[int]):  # noqa: N801 (it is a function)
    """Position of one text in another, counted from 1, case-sensitive. 0 if it does not occur."""

    type = BigInteger()
    inherit_cache = True


@compiles(position_of, "sqlite")
def _instr(element: position_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(position_of, "postgresql")
def _strpos(element: position_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


class by_code_point(GenericFunction[str]):  # noqa: N801 (it is a function)
    """Compares a text by code points, in any locale of the database."""

    type = Text()
    inherit_cache = True


@compiles(by_code_point, "sqlite")
def _binary(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(by_code_point, "postgresql")
def _collated(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return f'(({compiler.process(element.clauses, **options)}) COLLATE "C")'


class Pattern(TypeDecorator[tuple[str, ...]]):
    """A text with wildcards, converted to the pattern syntax of the dialect."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        escapes, anything = (_GLOB, "*") if dialect.name == "sqlite" else (_LIKE, "%")
        return anything.join(piece.translate(escapes) for piece in value)


class matches(GenericFunction[bool]):  # noqa: N801 (it is a function)
    """Whether a text matches a :class:`Pattern`."""

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
    """The condition of a term. It is never NULL, so that its NOT holds for all other rows."""
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
    """The condition on a field that is not a column of the row itself."""
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
    """The condition that the resource has a matching row in its texts or numbers."""
    found = []
    for table in tables_of(term, subject):
        columns = table.c
        rows = exists().where(columns[subject.owner] == subject.key, attribute_condition(term, table))
        found.append(rows.correlate(subject.source))
    return or_(*found)


def tables_of(term: Term, subject: Subject) -> list[Table]:
    """The tables that have the field of a term, if it is not in the row itself."""
    if isinstance(term, terms.Number):
        return [] if subject.numbers is None else [subject.numbers]
    if not isinstance(term, terms.Present) or subject.numbers is None or term.field.startswith("labels."):
        return [subject.texts]
    return [subject.texts, subject.numbers]


def attribute_condition(term: Term, table: FromClause) -> ColumnElement[bool]:
    """The condition on a row of texts or numbers."""
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
    # The index finds the range of the prefix. The pattern checks the rest.
    if prefix := term.pieces[0]:
        fits = and_(column >= prefix, fits)
        if (end := _prefix_end(prefix)) is not None:
            fits = and_(column < end, fits)
    return fits


def _prefix_end(prefix: str) -> str | None:
    """The smallest text that sorts after all texts with ``prefix``; None if there is none."""
    for length in range(len(prefix), 0, -1):
        following = ord(prefix[length - 1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= sys.maxunicode:
            return prefix[: length - 1] + chr(following)
    return None
