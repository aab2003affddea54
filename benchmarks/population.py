"""Databases as they are after years: written row by row, as going through the servers would take hours."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

MODEL: Final = "model-00007"
"""One of the models of a population."""
BUSY_MODEL: Final = "busy"
"""A model that has more versions than all others."""

_TIME: Final = 1_770_000_000_000_000
_FACTS: Final = {"params": {"lr": 0.001, "depth": 6}, "metrics": {"auc": 0.931}, "format": "sklearn"}


def _models(models: int, versions: int, busy: int) -> Iterator[tuple[str, int]]:
    """Names, and how many versions each has."""
    for number in range(models):
        yield f"model-{number:05}", versions // models
    if busy:
        yield BUSY_MODEL, busy


def fill_modelyard(data: Path, *, models: int, versions: int, busy: int) -> None:
    """Adds to a server's data that has started once, and does not run. The versions share one blob of one byte."""
    database = sqlite3.connect(data / "modelyard.db")
    namespace = database.execute("SELECT key FROM namespaces WHERE id = 'default'").fetchone()[0]
    digest = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
    _insert(
        database,
        "blobs",
        [{"digest": digest, "generation": "0" * 32, "size": 1, "state": "LIVE", "create_time": _TIME}],
    )
    _insert(
        database,
        "namespace_blobs",
        [{"namespace_key": namespace, "digest": digest, "size": 1, "create_time": _TIME, "lease_expire_time": _TIME}],
    )
    common = {"create_time": _TIME, "update_time": _TIME, "row_version": 1}
    described = {"description": "", "labels": "{}", "annotations": "{}"}
    key = database.execute("SELECT coalesce(max(key), 0) FROM versions").fetchone()[0]
    for name, count in _models(models, versions, busy):
        model = {"uid": name, "namespace_key": namespace, "id": name, "display_name": "", "owner": "ann"}
        (model_key,) = _insert(database, "models", [{**model, **described, **common, "last_number": count}])
        rows = []
        for number in range(1, count + 1):
            key += 1
            rows.append(
                {"key": key, "uid": f"{name}-{number}", "model_key": model_key, "number": number, "state": "READY"}
                | {
                    "file_count": 1,
                    "total_size": 1,
                    "manifest_digest": f"sha256:{key:064}",
                    "facts": json.dumps(_FACTS),
                }
                | {"created_by": "anonymous", "deprecation_reason": "", **described, **common}
            )
        _insert(database, "versions", rows)
        _insert(
            database,
            "version_files",
            [{"version_key": row["key"], "path": "model.bin", "digest": digest, "size": 1} for row in rows],
        )
        alias = {"uid": f"{name}-alias", "model_key": model_key, "id": "production", "version_key": key}
        _insert(database, "aliases", [{**alias, "updated_by": "anonymous", **common}])
    database.commit()
    database.execute("ANALYZE")
    database.close()


def fill_mlflow(folder: Path, *, models: int, versions: int, busy: int) -> None:
    """The same for MLflow."""
    database = sqlite3.connect(folder / "mlflow.db")
    times = {"creation_time": _TIME // 1000, "last_updated_time": _TIME // 1000}
    for name, count in _models(models, versions, busy):
        _insert(database, "registered_models", [{"name": name, **times}])
        version = {"name": name, **times, "current_stage": "None", "source": "s3://bucket/model", "status": "READY"}
        _insert(database, "model_versions", [{**version, "version": number} for number in range(1, count + 1)])
        _insert(database, "registered_model_aliases", [{"alias": "production", "version": count, "name": name}])
    database.commit()
    database.execute("ANALYZE")
    database.close()


def _insert(database: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> list[int]:
    """Inserts rows of one shape; the key of the last."""
    names = list(rows[0])
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    if len(rows) == 1:
        return [int(database.execute(statement, list(rows[0].values())).lastrowid or 0)]
    database.executemany(statement, [list(row.values()) for row in rows])
    return []
