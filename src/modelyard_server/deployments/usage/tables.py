"""How often versions are used."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Table

from modelyard_server.db.metadata import Key, Moment, metadata

version_usage: Final = Table(
    "version_usage",
    metadata,
    Column("version_key", Key, ForeignKey("versions.key"), primary_key=True, autoincrement=False),
    Column("download_count", BigInteger, nullable=False),
    Column("download_time", Moment),
    Column("use_time", Moment, nullable=False),
)
