"""Which store holds the bytes that the database names."""

from typing import Final

from sqlalchemy import Column, String, Table

from modelyard_server.db.metadata import metadata

stores: Final = Table(
    "stores",
    metadata,
    Column("name", String, primary_key=True),
    Column("identity", String, nullable=False),
)
