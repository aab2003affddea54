"""Channels to one registry, and calls over them: retried, named, authorised and intercepted."""

from modelyard._connection.connection import PATIENCE, Connection
from modelyard._connection.methods import service_config

__all__ = ["PATIENCE", "Connection", "service_config"]
