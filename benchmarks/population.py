"""Databases as they are after years: written row by row, as going through the servers would take hours."""

import json
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from modelyard.core.names import ModelName
from modelyard_server.log.changes import change_of
from modelyard_server.log.encoding import columns_of, encode, event_hash
from modelyard_server.registry.aliases.events import ALIAS
from modelyard_server.registry.aliases.values import Alias

MODEL: Final = "model-00007"
"""One of the models of a population."""
BUSY_MODEL: Final = "busy"
"""A model that has more versions than all others."""

_START: Final = datetime(2023, 11, 15, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOVES: Final = 50
"""How often the alias of a model has been set, if it has as many versions."""
_DIGEST: Final = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
_GENERATION: Final = "0" * 32
_BATCH: Final = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """A model, and how many versions it has."""

    key: int
    name: str
    versions: int

    @property
    def promoted_each(self) -> int:
        """Each version whose number this divides was in production."""
        return max(1, self.versions // _MOVES)


def _places(models: int, versions: int, busy: int) -> list[Place]:
    places = [Place(number + 1, f"model-{number:05}", versions // models) for number in range(models)]
    return [*places, Place(models + 1, BUSY_MODEL, busy)] if busy else places


def fill_modelyard(data: Path, *, models: int, versions: int, busy: int) -> None:
    """Adds to a server's data that has started once, and does not run. The versions share one blob of one byte."""
    digits = _DIGEST.removeprefix("sha256:")
    # A server does not start if it has none of the blobs that its database names.
    file = data / "blobs" / "sha256" / digits[:2] / f"{digits}.{_GENERATION}"
    file.write_bytes(b"x")
    database = sqlite3.connect(data / "modelyard.db")
    # Nobody waits for these bytes to be safe.
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-1000000")
    (namespace,) = database.execute("SELECT key FROM namespaces WHERE id = 'default'").fetchone()
    places = _places(models, versions, busy)
    time = _micros(_START)
    blob = {"digest": _DIGEST, "size": 1, "create_time": time}
    _insert(database, "blobs", [{**blob, "generation": _GENERATION, "state": "LIVE"}])
    _insert(database, "namespace_blobs", [{**blob, "namespace_key": namespace, "lease_expire_time": time}])
    _add_models(database, namespace, places)
    promoted: list[Generated] = []
    made = generated(places)
    while batch := list(islice(made, _BATCH)):
        _add_versions(database, namespace, batch)
        promoted += (each for each in batch if each.promoted)
    _add_promotions(database, namespace, promoted)
    database.commit()
    database.execute("ANALYZE")
    database.close()


def _add_models(database: sqlite3.Connection, namespace: int, places: list[Place]) -> None:
    time = _micros(_START)
    described = {"display_name": "", "description": "", "labels": "{}"}
    common = {**described, "namespace_key": namespace, "owner": "ann", "annotations": "{}", "row_version": 1}
    _insert(
        database,
        "models",
        [
            {**common, "key": each.key, "uid": each.name, "id": each.name, "last_number": each.versions}
            | {"create_time": time, "update_time": time}
            for each in places
        ],
    )
    words = {**described, "labels": ""}
    _insert(
        database, "model_words", [{**words, "rowid": each.key, "id": each.name.replace("-", " ")} for each in places]
    )


def _add_versions(database: sqlite3.Connection, namespace: int, versions: "list[Generated]") -> None:
    described = {"description": "", "annotations": "{}", "deprecation_reason": "", "row_version": 1, "state": "READY"}
    common = {**described, "namespace_key": namespace, "file_count": 1, "total_size": 1}
    _insert(
        database,
        "versions",
        [
            {**common, "key": each.key, "uid": f"{each.key:032x}", "model_key": each.place.key, "number": each.number}
            | {"manifest_digest": each.digest, "facts": json.dumps(each.facts), "labels": json.dumps(each.labels)}
            | {"created_by": each.author, "create_time": _micros(each.time), "update_time": _micros(each.time)}
            for each in versions
        ],
    )
    _insert(
        database,
        "version_files",
        [{"version_key": each.key, "path": "model.bin", "digest": _DIGEST, "size": 1} for each in versions],
    )
    _insert(
        database,
        "version_texts",
        [
            {"version_key": each.key, "field": field, "value": value}
            | {"namespace_key": namespace, "create_time": _micros(each.time)}
            for each in versions
            for field, value in each.texts()
        ],
    )
    _insert(
        database,
        "version_numbers",
        [
            {"version_key": each.key, "field": field, "value": value}
            | {"namespace_key": namespace, "model_key": each.place.key}
            for each in versions
            for field, value in each.numbers()
        ],
    )


def _add_promotions(database: sqlite3.Connection, namespace: int, promoted: "list[Generated]") -> None:
    """Sets the alias of each model again and again, and adds to the log what tells of it."""
    head = "SELECT revision, hash FROM log_heads WHERE namespace_key = ?"
    revision, previous = database.execute(head, [namespace]).fetchone()
    aliases: dict[int, Alias] = {}
    events = []
    for each in promoted:
        before = aliases.get(each.place.key)
        after = aliases[each.place.key] = each.alias(before)
        told = change_of(
            ALIAS,
            "moved" if before else "created",
            namespace_key=namespace,
            before=before,
            after=after,
            actor=each.author,
            request_id="",
            time=each.time,
        )
        revision += 1
        payload = encode(previous, revision, told)
        digest = event_hash(payload)
        row = columns_of(told) | {"revision": revision, "payload": payload, "hash": digest, "time": _micros(told.time)}
        events.append(row)
        previous = digest
    _insert(database, "events", events)
    log = [revision, previous, namespace]
    database.execute("UPDATE log_heads SET revision = ?, hash = ? WHERE namespace_key = ?", log)
    _insert(
        database,
        "aliases",
        [
            {"uid": alias.uid, "model_key": key, "id": alias.name.alias, "version_key": alias.version_key}
            | {"updated_by": alias.updated_by, "row_version": alias.row_version}
            | {"create_time": _micros(alias.create_time), "update_time": _micros(alias.update_time)}
            for key, alias in aliases.items()
        ],
    )


def _micros(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1)


class Generated:
    """A version with facts as a team's training jobs leave them; the same ones each time."""

    def __init__(self, key: int, place: Place, number: int) -> None:
        chance = random.Random(key)
        self.key = key
        self.place = place
        self.number = number
        self.time = _START + timedelta(minutes=key)
        self.digest = f"sha256:{key:064x}"
        self.author = f"user-{chance.randrange(50)}"
        self.labels = {"team": f"team-{chance.randrange(20)}", "tier": chance.choice(["gold", "silver", "bronze"])}
        self.params = {"lr": 10 ** chance.uniform(-5, -1), "depth": chance.randrange(2, 24)}
        self.metrics = {"auc": 1 - chance.expovariate(12), "loss": chance.expovariate(3)}
        self.optimizer = chance.choice(["adam", "adamw", "sgd", "lion"])
        self.dataset = f"sales-{chance.randrange(5000)}"
        self.commit = f"{chance.getrandbits(160):040x}"

    @property
    def promoted(self) -> bool:
        return self.number == self.place.versions or self.number % self.place.promoted_each == 0

    def alias(self, before: Alias | None) -> Alias:
        """The alias after this version was created."""
        model = ModelName("default", self.place.name)
        return Alias(
            uid=f"{self.place.key:032x}",
            create_time=before.create_time if before else self.time,
            update_time=self.time,
            row_version=before.row_version + 1 if before else 1,
            name=model.alias("production"),
            version=model.version(self.number),
            manifest_digest=self.digest,
            updated_by=self.author,
            version_key=self.key,
        )

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


def generated(places: list[Place]) -> Iterator[Generated]:
    """All versions in the order in which they were made: the first of each model, the second of each, and so on."""
    key = 0
    for number in range(1, max(place.versions for place in places) + 1):
        for place in places:
            if number <= place.versions:
                key += 1
                yield Generated(key, place, number)


def fill_mlflow(folder: Path, *, models: int, versions: int, busy: int) -> None:
    """The same for MLflow, as far as it has a place for it."""
    database = sqlite3.connect(folder / "mlflow.db")
    places = _places(models, versions, busy)
    time = _micros(_START) // 1000
    times = {"creation_time": time, "last_updated_time": time}
    _insert(database, "registered_models", [{"name": place.name, **times} for place in places])
    made = generated(places)
    while batch := list(islice(made, _BATCH)):
        _insert(database, "model_versions", [_mlflow_version(each) for each in batch])
        _insert(
            database,
            "model_version_tags",
            [
                {"name": each.place.name, "version": each.number, "key": key, "value": value}
                for each in batch
                for key, value in each.labels.items()
            ],
        )
    aliases = [{"alias": "production", "version": place.versions, "name": place.name} for place in places]
    _insert(database, "registered_model_aliases", aliases)
    database.commit()
    database.execute("ANALYZE")
    database.close()


def _mlflow_version(each: Generated) -> dict[str, Any]:
    time = _micros(each.time) // 1000
    return {
        "name": each.place.name,
        "version": each.number,
        "creation_time": time,
        "last_updated_time": time,
        "user_id": each.author,
        "current_stage": "None",
        "source": "s3://bucket/model",
        "status": "READY",
    }


def _insert(database: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Inserts rows of one shape."""
    names = list(rows[0])
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    database.executemany(statement, [list(row.values()) for row in rows])
