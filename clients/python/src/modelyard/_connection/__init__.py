"""Channels to one registry, and calls over them: retried, named, authorised and intercepted."""

from modelyard._connection.connection import PATIENCE, Connection

__all__ = ["PATIENCE", "Connection"]
