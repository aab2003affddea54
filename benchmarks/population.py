"""Databases as they are after years: written row by row, as going through the servers would take hours."""

import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

MODEL: Final = "model-00007"
"""One of the models of a population."""
BUSY_MODEL: Final = "busy"
"""A model that has more versions than all others."""

_TIME: Final = 1_770_000_000_000_000


def _models(models: int, versions: int, busy: int) -> Iterator[tuple[str, int]]:
    """Names, and how many versions each has."""
    for number in range(models):
        yield f"model-{number:05}", versions // models
    if busy:
        yield BUSY_MODEL, busy


def fill_modelyard(data: Path, *, models: int, versions: int, busy: int) -> None:
    """Adds to a server's data that has started once, and does not run. The versions share one blob of one byte."""
    database = sqlite3.connect(data / "modelyard.db")
    # Nobody waits for these bytes to be safe.
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-1000000")
    namespace = database.execute("SELECT key FROM namespaces WHERE id = 'default'").fetchone()[0]
    digest = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
    blob = {"digest": digest, "size": 1, "create_time": _TIME}
    _insert(database, "blobs", [{**blob, "generation": "0" * 32, "state": "LIVE"}])
    _insert(database, "namespace_blobs", [{**blob, "namespace_key": namespace, "lease_expire_time": _TIME}])
    key = database.execute("SELECT coalesce(max(key), 0) FROM versions").fetchone()[0]
    described = {"description": "", "annotations": "{}", "row_version": 1}
    for name, count in _models(models, versions, busy):
        times = {"create_time": _TIME + key, "update_time": _TIME + key}
        model = {"uid": name, "namespace_key": namespace, "id": name, "display_name": "", "owner": "ann"}
        model |= {**described, **times, "labels": "{}", "last_number": count}
        (model_key,) = _insert(database, "models", [model])
        words = {"rowid": model_key, "id": name.replace("-", " "), "display_name": "", "description": "", "labels": ""}
        _insert(database, "model_words", [words])
        versions_ = [Generated(key + number, number) for number in range(1, count + 1)]
        key += count
        place = {"model_key": model_key, "namespace_key": namespace}
        _insert(
            database,
            "versions",
            [
                {"key": each.key, "uid": f"{name}-{each.number}", **place, "number": each.number, "state": "READY"}
                | {"file_count": 1, "total_size": 1, "manifest_digest": each.digest, "facts": json.dumps(each.facts)}
                | {"labels": json.dumps(each.labels), "created_by": each.author, "deprecation_reason": "", **described}
                | {"create_time": _TIME + each.key, "update_time": _TIME + each.key}
                for each in versions_
            ],
        )
        _insert(
            database,
            "version_files",
            [{"version_key": each.key, "path": "model.bin", "digest": digest, "size": 1} for each in versions_],
        )
        _insert(
            database,
            "version_texts",
            [
                {"version_key": each.key, "field": field, "value": value}
                | {"namespace_key": namespace, "create_time": _TIME + each.key}
                for each in versions_
                for field, value in each.texts()
            ],
        )
        _insert(
            database,
            "version_numbers",
            [
                {"version_key": each.key, "field": field, "value": value, **place}
                for each in versions_
                for field, value in each.numbers()
            ],
        )
        alias = {"uid": f"{name}-alias", "model_key": model_key, "id": "production", "version_key": key}
        _insert(database, "aliases", [{**alias, "updated_by": "anonymous", "row_version": 1, **times}])
    database.commit()
    database.execute("ANALYZE")
    database.close()


class Generated:
    """A version with facts as a team's training jobs leave them; the same ones each time."""

    def __init__(self, key: int, number: int) -> None:
        chance = random.Random(key)
        self.key = key
        self.number = number
        self.digest = f"sha256:{key:064x}"
        self.author = f"user-{chance.randrange(50)}"
        self.labels = {"team": f"team-{chance.randrange(20)}", "tier": chance.choice(["gold", "silver", "bronze"])}
        self.params = {"lr": 10 ** chance.uniform(-5, -1), "depth": chance.randrange(2, 24)}
        self.metrics = {"auc": 1 - chance.expovariate(12), "loss": chance.expovariate(3)}
        self.optimizer = chance.choice(["adam", "adamw", "sgd", "lion"])
        self.dataset = f"sales-{chance.randrange(5000)}"
        self.commit = f"{chance.getrandbits(160):040x}"

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "params": self.params | {"optimizer": self.optimizer},
            "metrics": self.metrics,
            "datasets": [
                {"name": self.dataset, "uri": "", "digest": "", "role": "TRAINING", "rows": None}
                | {"fingerprint": None}
            ],
            "source": {"repository": "", "commit": self.commit, "branch": "main", "dirty": False, "diff_digest": ""}
            | {"entry_point": "", "arguments": []},
            "framework": {"name": "torch", "version": "2.9"},
            "format": "safetensors",
        }

    def texts(self) -> Iterator[tuple[str, str]]:
        yield from ((f"labels.{name}", value) for name, value in self.labels.items())
        yield from (("params.optimizer", self.optimizer), ("created_by", self.author), ("digest", self.digest))
        yield from (("dataset", self.dataset), ("source.commit", self.commit), ("source.branch", "main"))
        yield from (("framework", "torch"), ("framework.version", "2.9"), ("format", "safetensors"))

    def numbers(self) -> Iterator[tuple[str, float]]:
        yield from ((f"params.{name}", float(value)) for name, value in self.params.items())
        yield from ((f"metrics.{name}", value) for name, value in self.metrics.items())


def fill_mlflow(folder: Path, *, models: int, versions: int, busy: int) -> None:
    """The same for MLflow."""
    database = sqlite3.connect(folder / "mlflow.db")
    times = {"creation_time": _TIME // 1000, "last_updated_time": _TIME // 1000}
    for name, count in _models(models, versions, busy):
        _insert(database, "registered_models", [{"name": name, **times}])
        version = {"name": name, **times, "current_stage": "None", "source": "s3://bucket/model", "status": "READY"}
        _insert(database, "model_versions", [{**version, "version": number} for number in range(1, count + 1)])
        tags = [{"name": name, "version": number, "key": "team"} for number in range(1, count + 1)]
        _insert(database, "model_version_tags", [{**tag, "value": f"team-{key % 20}"} for key, tag in enumerate(tags)])
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
