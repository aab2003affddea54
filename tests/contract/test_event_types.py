"""The contract lists the types of events that the server writes."""

from modelyard.v1 import event_types_pb2, options_pb2
from modelyard_server.app import CAPABILITIES, offers_of
from modelyard_server.log.kinds import Kind, Kinds

EVENT_TYPES = Kinds(offers_of(CAPABILITIES).of(Kind)).types

_VALUES = {
    value.name: value.GetOptions().Extensions[options_pb2.event_type]
    for value in event_types_pb2.EventType.DESCRIPTOR.values
    if value.number
}


def test_the_contract_lists_exactly_the_types_that_the_server_writes() -> None:
    assert sorted(_VALUES.values()) == sorted(EVENT_TYPES)


def test_each_value_is_named_after_its_text() -> None:
    for name, text in _VALUES.items():
        assert name == f"EVENT_TYPE_{text.replace('.', '_').upper()}"
