"""Facts come back as they were given: over the wire, and from what the database keeps."""

import json
from datetime import datetime

from hypothesis import given
from tests.property.values import facts, moments

from modelyard import wire
from modelyard.core.facts import Facts
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.log.encoding import format_time
from modelyard_server.registry.versions.facts import facts_from_json, facts_to_json


def _typed(given: Facts) -> list[tuple[str, type, object]]:
    """Equality takes 1, 1.0 and True for one."""
    return [(name, type(value), value) for name, value in sorted(given.params.items())]


@given(given=facts)
def test_facts_survive_the_wire(given: Facts) -> None:
    message = pb.Version()
    wire.facts_into_proto(given, message)

    back = Facts(**wire.facts_from_proto(pb.Version.FromString(message.SerializeToString())))

    assert back == given
    assert _typed(back) == _typed(given)


@given(given=facts)
def test_facts_survive_the_database(given: Facts) -> None:
    back = facts_from_json(json.loads(json.dumps(facts_to_json(given), allow_nan=False)))

    assert back == given
    assert _typed(back) == _typed(given)


@given(moment=moments, other=moments)
def test_times_survive_as_text_and_sort_alike(moment: datetime, other: datetime) -> None:
    assert wire.moment(wire.timestamp(moment)) == moment
    assert datetime.fromisoformat(format_time(moment)) == moment
    assert (format_time(moment) < format_time(other)) == (moment < other)
