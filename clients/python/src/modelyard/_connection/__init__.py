"""Channels to one registry, and calls over them: retried, named, authorised and intercepted."""

from modelyard._connection.connection import PATIENCE, Connection
from modelyard._connection.methods import service_config
from modelyard._connection.reading import readable

__all__ = ["PATIENCE", "Connection", "readable", "service_config"]
