"""How long the SDK's clients in this process wait for a server that is away."""

import pytest

from modelyard._connection import Connection


def set_patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """For the rest of a test. They wait for 15 s by default."""
    defaults = Connection.call.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "patience", seconds)
