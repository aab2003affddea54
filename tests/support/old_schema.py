"""A registry as the code of schema 0003 left it: tables and files from ``tests/data/schema_0003.json``."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Boolean, Column, Connection, MetaData, insert, text

from modelyard_server.db import migrations

_DUMP: Final = Path(__file__).parents[1] / "data/schema_0003.json"


@cache
def dump() -> Any:
    return json.loads(_DUMP.read_text())


def fill(connection: Connection) -> None:
    """Makes the tables of schema 0003 in an empty database, and their rows."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0003")
    metadata = MetaData()
    metadata.reflect(connection, only=list(dump()["tables"]))
    for table in metadata.sorted_tables:
        rows = dump()["tables"][table.name]
        values = [{name: _value(table.c[name], value) for name, value in row.items()} for row in rows]
        connection.execute(insert(table), values)
        if connection.dialect.name == "postgresql" and "key" in table.c:
            numbered = {"table": table.name}
            if connection.scalar(text("SELECT pg_get_serial_sequence(:table, 'key')"), numbered):
                query = f"SELECT setval(pg_get_serial_sequence(:table, 'key'), max(key)) FROM {table.name}"
                connection.execute(text(query), numbered)


def _value(column: Column[Any], value: Any) -> Any:
    """SQLite's value as the column of any dialect takes it."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if isinstance(column.type, JSON) and value is not None:
        return json.loads(value)
    return bool(value) if isinstance(column.type, Boolean) else value


def write_files(root: Path) -> None:
    """The blobs that the rows name."""
    for name, content in dump()["files"].items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
