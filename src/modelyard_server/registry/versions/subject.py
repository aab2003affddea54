"""Maps the fields of versions to tables and columns, for filters and sort orders."""

from typing import Any, Final

from sqlalchemy import Select, case, select

from modelyard_server.query.subject import Related, Subject
from modelyard_server.registry.aliases.tables import aliases
from modelyard_server.registry.models.tables import models
from modelyard_server.registry.versions.tables import version_numbers, version_texts, versions


def _living(query: Select[Any]) -> Select[Any]:
    return query.join(models, models.c.key == versions.c.model_key).where(models.c.delete_time.is_(None))


SUBJECT: Final = Subject(
    table=versions,
    columns={
        "model": models.c.id,
        "number": versions.c.number,
        "state": case((versions.c.delete_time.is_not(None), "DELETED"), else_=versions.c.state),
        "description": versions.c.description,
        "create_time": versions.c.create_time,
        "update_time": versions.c.update_time,
        "total_size_bytes": versions.c.total_size,
        "file_count": versions.c.file_count,
    },
    texts=version_texts,
    numbers=version_numbers,
    owner="version_key",
    related={
        "alias": Related(
            text=aliases.c.id,
            rows=select(aliases.c.key).where(aliases.c.version_key == versions.c.key),
            keys=select(aliases.c.version_key).join(models, models.c.key == aliases.c.model_key),
            place=models,
        )
    },
    maps=frozenset({"labels", "params", "metrics", "directions", "evaluations"}),
    living=_living,
)
