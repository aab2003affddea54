"""What rows weigh, counted by the database: nothing is read that is not shown."""

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, LargeBinary, String, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class octets(GenericFunction[int]):  # noqa: N801 (it is a function)
    """Bytes of a text, or of JSON as text. None for NULL."""

    type = BigInteger()
    inherit_cache = True


@compiles(octets, "sqlite")
def _of_blob(element: octets, compiler: SQLCompiler, **options: Any) -> str:
    # Characters would be counted one by one.
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


@compiles(octets, "postgresql")
def _of_text(element: octets, compiler: SQLCompiler, **options: Any) -> str:
    return f"octet_length(({compiler.process(element.clauses, **options)})::text)"


def weight_of(columns: Iterable[ColumnElement[Any]]) -> ColumnElement[int]:
    """Bytes of the texts, JSON and binaries among ``columns``, labelled ``weight``."""
    sizes = (func.coalesce(_size(column), 0) for column in columns if isinstance(column.type, _LONG))
    return reduce(add, sizes).label("weight")


_LONG = (JSON, String, LargeBinary)


def _size(column: ColumnElement[Any]) -> ColumnElement[int]:
    # Of a binary both dialects know the length without reading it.
    return func.length(column) if isinstance(column.type, LargeBinary) else octets(column)
