"""What no channel can show for sure."""

from types import SimpleNamespace
from typing import Any

import pytest

from modelyard_server import app
from modelyard_server.calls import methods
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import DeadlineExceeded
from modelyard_server.calls.stages import deadline

_METHODS = methods.table(app.SERVICES)


@pytest.mark.parametrize("path", _METHODS)
async def test_no_work_is_done_for_a_caller_that_gave_up(path: str) -> None:
    """A54. Over a channel it is up to the machine whether a deadline passes before or after the call comes in."""
    door: Any = SimpleNamespace(remaining=lambda: -0.001)
    with pytest.raises(DeadlineExceeded):
        async with deadline(Call(_METHODS[path], door, id="late")):
            pytest.fail("it went on")
