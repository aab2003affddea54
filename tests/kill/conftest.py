"""What the kill tests share."""

import pytest
from tests.support.children import PATIENCE

from modelyard._connection import Connection


@pytest.fixture(autouse=True)
def clients_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client waits for 15 s for a server to come back. On a busy machine a start may take longer."""
    defaults = Connection.call.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "patience", PATIENCE)
