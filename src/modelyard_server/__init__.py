"""The server of Modelyard, a model registry."""

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    if name == "__version__":
        return version("modelyard-server")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
