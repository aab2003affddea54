"""Notes."""

from typing import Final

from sqlalchemy import Column, MetaData, String, Table, Text

from modelyard_server.db.metadata import Id, Key, Moment

# Metadata of its own: that of the server describes the databases of all other tests.
notes: Final = Table(
    "notes",
    MetaData(),
    Column("key", Key, primary_key=True),
    Column("uid", String, nullable=False),
    Column("namespace_key", Key, nullable=False),
    Column("id", Id, nullable=False),
    Column("text", Text, nullable=False),
    Column("create_time", Moment, nullable=False),
)
