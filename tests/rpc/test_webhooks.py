"""Webhooks: events posted at least once, those of a model in order, signed; what fails is tried again for a day."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path

import grpc
import pytest
from sqlalchemy import text, update
from tests.support.children import PATIENCE
from tests.support.fsck import check_running
from tests.support.postgres import Postgres
from tests.support.receiver import CERTIFICATE, Posted, Receiver, receiving
from tests.support.registry import RunningRegistry, refused, running_registry
from tests.support.requests import MODEL, NAMESPACE, commit, make_model, request_id
from tests.support.waiting import until

from modelyard.errors import VerificationError
from modelyard.v1 import events_pb2, webhooks_pb2
from modelyard.v1 import registry_pb2 as registry
from modelyard.v1 import resources_pb2 as pb
from modelyard_server import failpoints
from modelyard_server.outbound.https import HttpsSender
from modelyard_server.webhooks.deliveries.jobs import CLAIM_DURATION, Dispatcher
from modelyard_server.webhooks.deliveries.tables import webhook_deliveries
from modelyard_server.webhooks.signing import Message

_NAME = f"{NAMESPACE}/webhooks/deployer"
_LOOPBACK = ip_network("127.0.0.0/8")


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.fixture
async def yard(database_url: str, tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    """A registry that may post to this machine."""
    sender = HttpsSender([_LOOPBACK], deadline=PATIENCE)
    async with running_registry(database_url, tmp_path / "yard", sender=sender) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("", development=True)


async def _webhook(yard: RunningRegistry, receiver: Receiver, **fields: object) -> pb.Webhook:
    webhook = pb.Webhook(**{"url": receiver.url, "types": ["model.*", "version.*", "alias.*"], **fields})  # type: ignore[arg-type]  # fields are for protobuf to check
    request = webhooks_pb2.CreateWebhookRequest(parent=NAMESPACE, webhook_id="deployer", webhook=webhook)
    return await yard.webhooks.CreateWebhook(request)


async def _touch(yard: RunningRegistry, owner: str, model: str = MODEL) -> None:
    await yard.registry.UpdateModel(registry.UpdateModelRequest(model=pb.Model(name=model, owner=owner)))


def _owners(posted: list[Posted], model: str = MODEL) -> list[str]:
    """Of the events of a model, in the order in which they came; with repetitions."""
    events = [json.loads(each.body) for each in posted]
    return [event["data"]["model"].get("owner", "") for event in events if event["subject"] == model]


async def _deliveries(yard: RunningRegistry, **fields: object) -> list[webhooks_pb2.Delivery]:
    request = webhooks_pb2.ListDeliveriesRequest(parent=_NAME, **fields)  # type: ignore[arg-type]
    return list((await yard.webhooks.ListDeliveries(request)).deliveries)


async def _ended(yard: RunningRegistry, count: int) -> None:
    """Waits until so many deliveries have come to their end."""

    async def done() -> bool:
        states = [each.state for each in await _deliveries(yard)]
        return len([state for state in states if state != webhooks_pb2.Delivery.STATE_PENDING]) >= count

    await until(done)


async def _later(yard: RunningRegistry, seconds: float) -> None:
    """Moves the clock, and has what is due by then delivered."""
    yard.clock.advance(seconds)
    yard.app.job(Dispatcher).wake()


async def test_an_event_comes_as_a_cloud_event_signed(yard: RunningRegistry, receiver: Receiver) -> None:
    webhook = await _webhook(yard, receiver, types=["alias.created"])
    await make_model(yard)
    await commit(yard, aliases=["production"])

    (posted,) = await receiver.has(1)

    now = yard.clock().timestamp()
    event = posted.event(webhook.secret, now=now)
    namespace = await yard.registry.GetNamespace(registry.GetNamespaceRequest(name=NAMESPACE))
    assert posted.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": f"{namespace.uid}-5",
        "source": f"/{NAMESPACE}",
        "type": "dev.modelyard.alias.created",
        "subject": f"{MODEL}/aliases/production",
        "time": "2026-03-01T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "sequence": "00000000000000000005",
        "partitionkey": MODEL,
    }
    assert data["alias"]["version"] == f"{MODEL}/versions/1"
    for wrong in ({"secret": webhook.secret[:-4] + "AAA="}, {"now": now + 301}):
        with pytest.raises(VerificationError):
            posted.event(**{"secret": webhook.secret, "now": now} | wrong)  # type: ignore[arg-type]
    with pytest.raises(VerificationError):
        Posted(posted.headers, posted.body + b" ").event(webhook.secret, now=now)


async def test_only_subscribed_events_are_posted(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    await _webhook(yard, receiver, types=["model.updated"], model=MODEL)
    other = await make_model(yard, "other")
    await _touch(yard, "nobody", other.name)
    await _touch(yard, "ann")
    await _touch(yard, "bob")

    assert _owners(await receiver.has(2)) == ["ann", "bob"]
    assert len(await _deliveries(yard)) == 2


async def test_a_failed_delivery_delays_only_its_own_model(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    other = (await make_model(yard, "other")).name
    receiver.answer = lambda posted: 500 if f'"{MODEL}"'.encode() in posted.body else 204
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)
    await _touch(yard, "2")
    await _touch(yard, "x", other)

    assert _owners(await receiver.has(2), other) == ["x"]
    assert _owners(receiver.posted) == ["1"]
    receiver.answer = lambda _: 204
    await _later(yard, 10)
    assert _owners(await receiver.has(4)) == ["1", "1", "2"]
    await _ended(yard, 3)
    first = (await _deliveries(yard))[-1]
    assert (first.attempt_count, first.status_code, first.error) == (2, 204, "")


async def test_after_a_day_a_delivery_is_given_up_and_the_next_has_its_turn(
    yard: RunningRegistry, receiver: Receiver
) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 503
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)
    await _touch(yard, "2")

    pauses = []
    for attempts in range(1, 40):
        again = (await _failed(yard, attempts)).next_attempt_time.ToDatetime(UTC)
        pauses.append((again - yard.clock()).total_seconds())
        if sum(pauses) > 86_400:
            break
        await _later(yard, pauses[-1])

    assert pauses[0] >= 5
    assert all(later >= earlier * 1.5 for earlier, later in pairwise(pauses) if later < 3600)
    assert max(pauses) <= 3600 * 1.25
    receiver.answer = lambda posted: 204 if b'"owner":"2"' in posted.body else 503
    await _later(yard, 86_400)
    await _ended(yard, 2)
    second, first = await _deliveries(yard)
    assert (first.state, first.error) == (webhooks_pb2.Delivery.STATE_FAILED, "answered 503")
    assert (second.state, second.attempt_count) == (webhooks_pb2.Delivery.STATE_DELIVERED, 1)


async def test_a_delivery_is_tried_more_than_once_even_after_a_day(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 503
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await _failed(yard, 1)
    await _set_disabled(yard, disabled=True)
    yard.clock.advance(2 * 86_400)
    await _set_disabled(yard, disabled=False)

    for attempts in range(2, 5):
        failed = await _failed(yard, attempts)
        await _later(yard, (failed.next_attempt_time.ToDatetime(UTC) - yard.clock()).total_seconds())
    await _ended(yard, 1)
    (delivery,) = await _deliveries(yard)
    assert (delivery.state, delivery.attempt_count) == (webhooks_pb2.Delivery.STATE_FAILED, 5)


async def _failed(yard: RunningRegistry, attempts: int) -> webhooks_pb2.Delivery:
    """The delivery that is tried, once it has failed so often and that is stored."""

    async def stored() -> bool:
        query = "SELECT 1 FROM webhook_deliveries WHERE attempt_count = :attempts AND claim = ''"
        return bool(await yard.sql(query, attempts=attempts))

    await until(stored)
    (tried,) = [each for each in await _deliveries(yard) if each.attempt_count == attempts]
    return tried


async def test_retry_after_sets_the_next_attempt(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    receiver.answer, receiver.headers = lambda _: 429, {"Retry-After": "1800"}
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)

    delivery = await _failed(yard, 1)

    assert delivery.status_code == 429
    assert (delivery.next_attempt_time.ToDatetime(UTC) - yard.clock()).total_seconds() == 1800


@pytest.mark.parametrize("seconds", [3600, -3600])
async def test_a_clock_that_jumps_stalls_no_lane(yard: RunningRegistry, receiver: Receiver, seconds: int) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 500
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await _failed(yard, 1)
    await _touch(yard, "2")
    receiver.answer = lambda _: 204

    yard.clock.advance(seconds)
    await yard.app.sweeper.sweep()
    yard.app.job(Dispatcher).wake()

    assert _owners(await receiver.has(3)) == ["1", "1", "2"]


async def test_the_claim_of_a_dead_server_ends_though_the_clock_was_put_back(
    yard: RunningRegistry, receiver: Receiver
) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 500
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await _failed(yard, 1)
    claim = update(webhook_deliveries).values(claim="dead", next_attempt_time=yard.clock() + CLAIM_DURATION)
    await yard.database.write(lambda transaction: transaction.connection.execute(claim))
    receiver.answer = lambda _: 204

    yard.clock.advance(-3600)
    await yard.app.sweeper.sweep()

    (claimed,) = await _deliveries(yard)
    assert claimed.next_attempt_time.ToDatetime(UTC) == yard.clock() + CLAIM_DURATION
    await _later(yard, CLAIM_DURATION.total_seconds())
    assert _owners(await receiver.has(2)) == ["1", "1"]


async def test_an_ended_delivery_can_be_redelivered(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await _ended(yard, 1)
    (delivery,) = await _deliveries(yard)
    again = webhooks_pb2.RedeliverDeliveryRequest(name=delivery.name, request_id=request_id())

    answers = [await yard.webhooks.RedeliverDelivery(again) for _ in range(2)]

    assert answers[0].name == answers[1].name != delivery.name
    assert _owners(await receiver.has(2)) == ["1", "1"]
    ids = {posted.headers["webhook-id"] for posted in receiver.posted}
    assert len(ids) == 1, "receivers know repetitions by their id"
    await _ended(yard, 2)
    assert len(await _deliveries(yard)) == 2


async def test_a_pending_delivery_cannot_be_redelivered(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 500
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)
    (delivery,) = await _deliveries(yard)

    refusal = await refused(yard.webhooks.RedeliverDelivery(webhooks_pb2.RedeliverDeliveryRequest(name=delivery.name)))

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DELIVERY_PENDING")


async def test_a_new_secret_signs_beside_the_old_one_for_a_day(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    old = (await _webhook(yard, receiver)).secret
    renewed = await yard.webhooks.RotateWebhookSecret(webhooks_pb2.RotateWebhookSecretRequest(name=_NAME))
    assert renewed.secret not in {"", old}

    await _touch(yard, "1")
    await receiver.has(1)
    yard.clock.advance(86_401)
    await _touch(yard, "2")
    both, one = await receiver.has(2)

    then, now = yard.clock().timestamp() - 86_401, yard.clock().timestamp()
    assert both.event(old, now=then) == both.event(renewed.secret, now=then)
    one.event(renewed.secret, now=now)
    with pytest.raises(VerificationError, match="no signature fits"):
        one.event(old, now=now)


async def test_secrets_are_not_stored_or_shown_again(yard: RunningRegistry, receiver: Receiver) -> None:
    """Nor the path of the URL in the log, which is for all to read."""
    receiver.url += "/path-that-is-a-secret"
    webhook = await _webhook(yard, receiver)

    got = await yard.webhooks.GetWebhook(webhooks_pb2.GetWebhookRequest(name=_NAME))
    (listed,) = (await yard.webhooks.ListWebhooks(webhooks_pb2.ListWebhooksRequest(parent=NAMESPACE))).webhooks
    events = await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=NAMESPACE))
    dump = await yard.dump()

    assert got.secret == listed.secret == ""
    assert webhook.secret.removeprefix("whsec_") not in str(dump)
    assert "path-that-is-a-secret" not in str(dump["events"]) + str(events)
    assert events.events[-1].webhook.url == f"{receiver.url.removesuffix('/hooks/path-that-is-a-secret')}/…"


async def test_a_disabled_webhook_gets_no_events(yard: RunningRegistry, receiver: Receiver) -> None:
    """What waited goes on when it is enabled; what happened meanwhile is never told."""
    await make_model(yard)
    receiver.answer = lambda _: 500
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)
    await _set_disabled(yard, disabled=True)
    await _touch(yard, "2")
    receiver.answer = lambda _: 204
    await _later(yard, 7200)
    await _set_disabled(yard, disabled=False)
    await _touch(yard, "3")

    assert _owners(await receiver.has(3)) == ["1", "1", "3"]


async def _set_disabled(yard: RunningRegistry, *, disabled: bool) -> None:
    request = webhooks_pb2.UpdateWebhookRequest(webhook=pb.Webhook(name=_NAME, disabled=disabled))
    request.update_mask.paths.append("disabled")
    await yard.webhooks.UpdateWebhook(request)


async def test_test_webhook_reports_the_answer(yard: RunningRegistry, receiver: Receiver) -> None:
    webhook = await _webhook(yard, receiver)
    test = webhooks_pb2.TestWebhookRequest(name=_NAME)

    good = await yard.webhooks.TestWebhook(test)
    receiver.answer = lambda _: 302
    receiver.headers = {"Location": receiver.url}
    moved = await yard.webhooks.TestWebhook(test)

    assert (good.delivered, good.status_code, good.error) == (True, 204, "")
    assert (moved.delivered, moved.error) == (False, "answered 302; redirects are not followed")
    assert len(receiver.posted) == 2, "the redirect was not followed"
    event = receiver.posted[0].event(webhook.secret, now=yard.clock().timestamp())
    assert event["type"] == "dev.modelyard.webhook.test"
    assert await _deliveries(yard) == []


async def test_compaction_keeps_events_that_are_not_delivered_yet(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    other = (await make_model(yard, "other")).name
    receiver.answer = lambda posted: 204 if b"/models/other" in posted.body else 500
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)
    await _touch(yard, "x", other)  # the last that was rendered: the first is to be read again
    await receiver.has(2)
    revision = (await yard.sql("SELECT max(revision) AS last FROM events"))[0].last
    await yard.events.CompactEvents(events_pb2.CompactEventsRequest(parent=NAMESPACE, revision=revision))
    await yard.app.sweeper.sweep()
    assert len((await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=NAMESPACE))).events) == 1

    receiver.answer = lambda _: 204
    await _later(yard, 10)
    await _ended(yard, 2)
    assert _owners(receiver.posted) == ["1", "1"]

    await yard.app.sweeper.sweep()
    delivery = next(each for each in await _deliveries(yard) if each.resource == MODEL)
    refusal = await refused(yard.webhooks.RedeliverDelivery(webhooks_pb2.RedeliverDeliveryRequest(name=delivery.name)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED")


async def test_outcomes_are_forgotten_after_a_week(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    await _webhook(yard, receiver)
    await _touch(yard, "1")
    await _ended(yard, 1)

    yard.clock.advance(yard.limits.delivery_ttl + 1)
    await yard.app.sweeper.sweep()

    assert await _deliveries(yard) == []


async def test_a_removed_webhook_takes_its_deliveries_along(yard: RunningRegistry, receiver: Receiver) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 500
    webhook = await _webhook(yard, receiver)
    await _touch(yard, "1")
    await receiver.has(1)

    removed = await yard.webhooks.DeleteWebhook(webhooks_pb2.DeleteWebhookRequest(name=_NAME, etag=webhook.etag))

    assert removed.uid == webhook.uid
    await yard.app.sweeper.sweep()
    assert await yard.sql("SELECT * FROM webhook_deliveries") == []
    refusal = await refused(yard.webhooks.GetWebhook(webhooks_pb2.GetWebhookRequest(name=_NAME)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "WEBHOOK_NOT_FOUND")


async def test_a_change_needs_the_state_that_was_read(yard: RunningRegistry, receiver: Receiver) -> None:
    webhook = await _webhook(yard, receiver)
    change = webhooks_pb2.UpdateWebhookRequest(
        webhook=pb.Webhook(name=_NAME, description="x", etag=webhook.etag), request_id=request_id()
    )

    changed = [await yard.webhooks.UpdateWebhook(change) for _ in range(2)]
    change.request_id = ""
    refusal = await refused(yard.webhooks.UpdateWebhook(change))

    assert changed[0] == changed[1]
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_a_retried_creation_tells_the_secret_again(yard: RunningRegistry, receiver: Receiver) -> None:
    request = webhooks_pb2.CreateWebhookRequest(
        parent=NAMESPACE, webhook_id="deployer", webhook=pb.Webhook(url=receiver.url), request_id=request_id()
    )

    first, again = [await yard.webhooks.CreateWebhook(request) for _ in range(2)]
    request.request_id = ""
    refusal = await refused(yard.webhooks.CreateWebhook(request))

    assert first == again
    assert first.secret
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "WEBHOOK_EXISTS")


async def test_webhooks_are_listed_page_by_page(yard: RunningRegistry, receiver: Receiver) -> None:
    for identity in ("c", "a", "b"):
        request = webhooks_pb2.CreateWebhookRequest(
            parent=NAMESPACE, webhook_id=identity, webhook=pb.Webhook(url=receiver.url)
        )
        await yard.webhooks.CreateWebhook(request)
    names, token = [], ""
    while True:
        page = await yard.webhooks.ListWebhooks(
            webhooks_pb2.ListWebhooksRequest(parent=NAMESPACE, page_size=2, page_token=token)
        )
        names += [each.name.rpartition("/")[2] for each in page.webhooks]
        token = page.next_page_token
        if not token:
            break

    assert names == ["a", "b", "c"]


async def test_an_event_that_cannot_be_rendered_is_given_up(
    yard: RunningRegistry, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours must not hold up a model for ever."""
    await make_model(yard)
    await _webhook(yard, receiver)
    dispatcher = yard.app.job(Dispatcher)

    def broken(*_: object) -> Message:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "_render", broken)
        await _touch(yard, "1")
        failed = await _failed(yard, 1)
    assert failed.error == "the registry could not send it"
    await _later(yard, 10)

    assert _owners(await receiver.has(1)) == ["1"]


async def test_the_log_does_not_tell_how_to_ask_for_a_secret_again(yard: RunningRegistry, receiver: Receiver) -> None:
    """Who knows the request_id of a call can have its answer once more."""
    await make_model(yard)
    request = webhooks_pb2.CreateWebhookRequest(
        parent=NAMESPACE, webhook_id="deployer", webhook=pb.Webhook(url=receiver.url), request_id=request_id()
    )
    await yard.webhooks.CreateWebhook(request)
    renewed = webhooks_pb2.RotateWebhookSecretRequest(name=_NAME, request_id=request_id())
    await yard.webhooks.RotateWebhookSecret(renewed)
    changed = webhooks_pb2.UpdateWebhookRequest(
        webhook=pb.Webhook(name=_NAME, description="x"), request_id=request_id()
    )
    await yard.webhooks.UpdateWebhook(changed)

    listed = await yard.events.ListEvents(events_pb2.ListEventsRequest(parent=NAMESPACE))
    told = {event.type: event.request_id for event in listed.events if event.type.startswith("webhook.")}
    assert told == {
        "webhook.created": "",
        "webhook.secret_rotated": "",
        "webhook.updated": changed.request_id,
    }


async def test_webhooks_are_made_beside_other_changes(yard: RunningRegistry, receiver: Receiver) -> None:
    """Both lock something of the namespace, and neither waits for what the other holds."""
    await make_model(yard)

    async def make(number: int) -> None:
        request = webhooks_pb2.CreateWebhookRequest(
            parent=NAMESPACE, webhook_id=f"w{number}", webhook=pb.Webhook(url=receiver.url, disabled=True)
        )
        await yard.webhooks.CreateWebhook(request)

    before = await _deadlocks(yard)
    await asyncio.gather(*(make(number) for number in range(30)), *(_touch(yard, str(n)) for n in range(60)))

    assert len(await yard.sql("SELECT 1 FROM webhooks")) == 30
    assert await _deadlocks(yard) == before


async def _deadlocks(yard: RunningRegistry) -> int:
    if str(yard.engine.__class__.__name__).startswith("Sqlite"):
        return 0
    await yard.sql("SELECT pg_stat_clear_snapshot()")
    found = await yard.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(found[0].deadlocks)


async def test_test_webhook_delays_no_other_call(yard: RunningRegistry, receiver: Receiver) -> None:
    """A test waits for somebody else's server; a few may, and who wants more is told to come later."""
    receiver.hold = asyncio.Event()
    await _webhook(yard, receiver)
    tests = [
        asyncio.ensure_future(yard.webhooks.TestWebhook(webhooks_pb2.TestWebhookRequest(name=_NAME))) for _ in range(9)
    ]
    done, waiting = await asyncio.wait(tests, return_when=asyncio.FIRST_COMPLETED)

    assert len(done) == 1
    refusal = await refused(done.pop())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    await yard.registry.GetNamespace(registry.GetNamespaceRequest(name=NAMESPACE))
    receiver.hold.set()
    assert all([(await each).delivered for each in waiting])


async def test_two_replicas_deliver_each_event_once_in_order(
    postgres: Postgres, receiver: Receiver, tmp_path: Path
) -> None:
    url = postgres.migrated()
    async with (
        running_registry(url, tmp_path / "1", sender=HttpsSender([_LOOPBACK])) as yard,
        running_registry(url, tmp_path / "2", sender=HttpsSender([_LOOPBACK])) as replica,
    ):
        await make_model(yard)
        await _webhook(yard, receiver)
        for number in range(40):
            await _touch((yard, replica)[number % 2], str(number))
        posted = await receiver.has(40)
        await _ended(yard, 40)

    assert _owners(posted) == [str(number) for number in range(40)]


async def test_a_webhook_with_thousands_of_deliveries_is_deleted_whole_or_not_at_all(
    yard: RunningRegistry, receiver: Receiver, disarmed: None
) -> None:
    await make_model(yard)
    receiver.answer = lambda _: 500
    await _webhook(yard, receiver)
    await _touch(yard, "a")
    await receiver.has(1)
    columns = ", ".join(column.name for column in webhook_deliveries.columns if column.name not in {"key", "uid"})
    copied = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
        f" INSERT INTO webhook_deliveries (uid, {columns}) SELECT 'copy-' || i, {columns} FROM webhook_deliveries, n"
    )
    await yard.engine.migrate(lambda connection: connection.execute(copied))
    deletion = webhooks_pb2.DeleteWebhookRequest(name=_NAME)

    failpoints.arm("DeleteWebhook.before_commit=unavailable", development=True)
    assert (await refused(yard.webhooks.DeleteWebhook(deletion))).reason == "FAILPOINT"
    assert await yard.sql("SELECT count(*) FROM webhook_deliveries WHERE state = 'PENDING'") == [(2501,)]
    await yard.webhooks.GetWebhook(webhooks_pb2.GetWebhookRequest(name=_NAME))

    failpoints.arm("", development=True)
    deleted = await yard.webhooks.DeleteWebhook(deletion)
    assert (await refused(yard.webhooks.ListDeliveries(webhooks_pb2.ListDeliveriesRequest(parent=_NAME)))).reason == (
        "WEBHOOK_NOT_FOUND"
    )
    again = await _webhook(yard, receiver)
    assert again.uid != deleted.uid
    assert await _deliveries(yard) == []
    assert (await check_running(yard)).faults == []

    assert (await yard.app.sweeper.sweep())["deleted_webhooks"] == 2502
    assert await yard.sql("SELECT * FROM webhook_deliveries") == []
    assert await yard.sql("SELECT uid FROM webhooks") == [(again.uid,)]


async def test_a_deleted_webhook_is_told_nothing_more(yard: RunningRegistry, receiver: Receiver) -> None:
    """Also while its rows still wait for the sweep."""
    await make_model(yard)
    receiver.answer = lambda _: 500
    await _webhook(yard, receiver)
    await _touch(yard, "a")
    await receiver.has(1)
    await yard.webhooks.DeleteWebhook(webhooks_pb2.DeleteWebhookRequest(name=_NAME))

    receiver.answer = lambda _: 200
    await _webhook(yard, receiver)
    await _later(yard, 3600)
    await _touch(yard, "b")
    await _ended(yard, 1)

    assert _owners(receiver.posted)[1:] == ["b"]
