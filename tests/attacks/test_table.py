"""Every attack that is one call: the answer it gets, and that nothing else comes of it."""

import pytest
from tests.attacks.table import ROWS
from tests.support.refusals import Row, check
from tests.support.registry import RunningRegistry

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_attack(fraud_yard: RunningRegistry, row: Row) -> None:
    await check(fraud_yard, row)
