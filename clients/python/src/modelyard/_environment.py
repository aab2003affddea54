"""The client behind the module's functions."""

import os
from functools import lru_cache
from typing import Final

from modelyard._sync import Client

_VARIABLES: Final = (
    "MODELYARD_URL",
    "MODELYARD_TOKEN",
    "MODELYARD_CA_FILE",
    "MODELYARD_INSECURE",
    "MODELYARD_CACHE_DIR",
    "MODELYARD_CACHE_BYTES",
    "XDG_CACHE_HOME",
)


def default_client() -> Client:
    """This process's client for what the environment says; a notebook may set a variable after the first call."""
    return _client(tuple(map(os.environ.get, _VARIABLES)))


@lru_cache(maxsize=1)
def _client(_environment: tuple[str | None, ...]) -> Client:
    return Client()
