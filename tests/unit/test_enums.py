"""Enums of the contract as the SDK's enums."""

import pytest

from modelyard._convert import DELIVERY_STATES
from modelyard.types import DeliveryState


def test_a_number_that_a_later_server_sends_is_read_as_unknown() -> None:
    assert DELIVERY_STATES.from_proto(4711) is DeliveryState.UNKNOWN


def test_unknown_is_not_sent() -> None:
    with pytest.raises(ValueError, match="only read, never sent"):
        DELIVERY_STATES.to_proto(DeliveryState.UNKNOWN)
