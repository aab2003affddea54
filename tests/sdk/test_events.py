"""Events as the SDK gives them."""

import hashlib

from tests.support.server import ServerProcess

from modelyard import AsyncClient


async def test_events_come_with_the_bytes_that_their_hash_covers_if_asked(server: ServerProcess) -> None:
    async with AsyncClient(server.url) as yard:
        await yard.models.create("fraud")

        bare = [event async for event in yard.events.list()]
        events = [event async for event in yard.events.list(include_payload=True)]

    assert [event.payload for event in bare] == [b"", b""]
    assert [event.hash for event in bare] == [hashlib.sha256(b"\0" + event.payload).hexdigest() for event in events]
