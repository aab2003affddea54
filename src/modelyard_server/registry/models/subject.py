"""Maps the fields of models to tables and columns, for filters and sort orders."""

from typing import Final

from sqlalchemy import select

from modelyard_server.query.subject import Related, Subject
from modelyard_server.registry.aliases.tables import aliases
from modelyard_server.registry.models.tables import model_texts, models

_COLUMNS: Final = ("id", "display_name", "description", "owner", "create_time", "update_time")

SUBJECT: Final = Subject(
    table=models,
    columns={name: models.c[name] for name in _COLUMNS},
    texts=model_texts,
    numbers=None,
    owner="model_key",
    maps=frozenset({"labels"}),
    related={
        "alias": Related(
            text=aliases.c.id,
            rows=select(aliases.c.key).where(aliases.c.model_key == models.c.key),
            keys=select(aliases.c.model_key).join(models, models.c.key == aliases.c.model_key),
            place=models,
        )
    },
)
