"""What programs read: one JSON document a command, with the field names of :mod:`modelyard.types`.

Names are canonical (``namespaces/team/models/fraud/versions/3``), times are RFC 3339 in UTC, sizes are bytes. Fields
are added over time and never change their meaning.
"""

import json
import shutil
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TextIO

from modelyard.core.names import (
    AliasName,
    DeliveryName,
    DeploymentName,
    EvaluationName,
    ModelName,
    NamespaceName,
    VersionName,
    WebhookName,
)
from modelyard.core.times import rfc3339
from modelyard.types import Alias, Model, Namespace, Rollout, Version

_IN_MEMORY: Final = 1 << 20
"""Bytes of a list that wait in memory for its end; more wait on disk."""


def document(value: Any) -> Any:
    """``value`` as what :mod:`json` writes."""
    match value:
        case NamespaceName() | ModelName() | VersionName() | AliasName() | EvaluationName() | DeploymentName() | Path():
            return str(value)
        case WebhookName() | DeliveryName():
            return str(value)
        case datetime():
            return rfc3339(value)
        case Enum():
            return value.value
        case Mapping():
            return {key: document(value[key]) for key in sorted(value)}
        case list() | tuple():
            return [document(each) for each in value]
        case _ if is_dataclass(value):
            members = {each.name: getattr(value, each.name) for each in fields(value)}
            # The bytes of an event hold what its other fields do.
            told = {name: document(each) for name, each in members.items() if not isinstance(each, bytes)}
            return _identity(value) | told
        case _:
            return value


def _identity(value: Any) -> dict[str, Any]:
    # First, so that a person who looks finds it; and what the records tell by properties.
    match value:
        case Namespace():
            return {"name": str(NamespaceName(value.id))}
        case Version():
            return {"name": str(value.name), "reference": value.reference, "number": value.number}
        case Model() | Alias():
            return {"name": str(value.name), "reference": value.reference}
        case Rollout():
            return {"complete": value.complete}
        case _:
            return {}


def dumps(value: Any, *, indent: int | None = 2) -> str:
    # Pure ASCII: whatever was stored, nothing in it acts on a terminal.
    return json.dumps(document(value), indent=indent, allow_nan=False)


def write(value: Any, out: TextIO) -> None:
    out.write(f"{dumps(value)}\n")


def write_line(value: Any, out: TextIO) -> None:
    """One document on one line, at once: a reader may act on each."""
    out.write(f"{dumps(value, indent=None)}\n")
    out.flush()


def write_list(key: str, values: Iterable[Any], out: TextIO) -> None:
    """``{key: [...]}``, or nothing if a value can't be had. A long list waits on disk until it is complete."""
    with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="ascii") as waiting:
        waiting.write(f'{{\n  "{key}": [')
        comma = "\n"
        for value in values:
            waiting.write(f"{comma}{textwrap.indent(dumps(value), '    ')}")
            comma = ",\n"
        waiting.write("]\n}\n" if comma == "\n" else "\n  ]\n}\n")
        waiting.seek(0)
        shutil.copyfileobj(waiting, out)
