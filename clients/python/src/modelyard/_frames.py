"""Records as data frames of pandas, which is loaded when the first one is made."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from modelyard.core.record import Record, identity, members, plain

if TYPE_CHECKING:
    import pandas as pd


def to_dataframe(records: Iterable[Record]) -> "pd.DataFrame":
    """A row for each record, in their order, and a column for each field or key that any record has.

    >>> frame = modelyard.to_dataframe(yard.versions.list("team/fraud"))
    >>> frame.sort_values("metrics.auc")[["reference", "params.lr", "metrics.auc"]]

    Maps become columns, as ``params.lr``, ``metrics.auc`` and ``labels.team``; so do the fields of records inside, as
    ``source.commit`` and ``dataset.name``, but not their maps: a version has hundreds of packages. Lists of records, as
    ``files``, are left out. Times are timestamps in UTC, names and enums text. A value that a record lacks is missing;
    whole numbers stay exact.

    Args:
        records: Versions, evaluations, models, events and the like: a list of them, or what a method ``list`` returned,
            which is read to its end. All rows are held in memory.

    Raises:
        ImportError: pandas is not installed; ``modelyard[pandas]`` brings it.
    """
    pandas = _pandas()
    rows = [dict(_cells(record)) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pandas.DataFrame({name: _column(pandas, [row.get(name) for row in rows]) for name in names})


def _pandas() -> Any:
    try:
        import pandas as pd  # noqa: PLC0415 - an extra, and it takes longer to load than all of the SDK
    except ImportError:
        told = "to_dataframe needs pandas, which is not installed. Install it with: pip install 'modelyard[pandas]'"
        raise ImportError(told, name="pandas") from None
    return pd


def _cells(record: Record) -> Iterator[tuple[str, Any]]:
    first = identity(record)
    yield from first.items()
    for name, value in _values(record):
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", _cell(each)) for key, each in value.items())
        elif isinstance(value, Record):
            inside = ((inner, each) for inner, each in _values(value) if not isinstance(each, Mapping | Record))
            yield from ((f"{name}.{inner}", _cell(each)) for inner, each in inside)
        elif name not in first:
            yield name, _cell(value)


def _values(record: Any) -> Iterator[tuple[str, Any]]:
    """The fields that fit into cells: without lists of records and bytes."""
    types = {each.name: each.type for each in fields(record)}
    for name, value in members(record):
        if not isinstance(value, bytes) and (not isinstance(value, tuple) or types[name] == tuple[str, ...]):
            yield name, value


def _cell(value: Any) -> Any:
    """A time as it is, and any other value as in JSON."""
    return value if isinstance(value, datetime) else plain(value)


def _column(pandas: Any, values: list[Any]) -> Any:
    present = [value for value in values if value is not None]
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in present)
    if present and whole and len(present) < len(values):
        return pandas.array(values, dtype="Int64")  # NaN would make floats of them, which round
    return values
