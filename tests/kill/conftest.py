"""What the kill tests share."""

import pytest
from tests.support.children import PATIENCE
from tests.support.patience import set_patience


@pytest.fixture(autouse=True)
def clients_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a server may take long to start, and that is not what is tested."""
    set_patience(monkeypatch, PATIENCE)
