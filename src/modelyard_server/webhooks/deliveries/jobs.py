"""Delivers events to webhooks.

The log is the outbox: the transaction of a change writes the event, and nothing else. Delivery has two steps, which any
replica may run in its own transactions. First, each event that a webhook subscribes to becomes a delivery. Then each
delivery that is due is claimed, posted, and its outcome is stored. If a server dies in between, its claim runs out and
the delivery is tried again. So a receiver may get an event twice, but gets each event at least once.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from modelyard.core.names import DeliveryName, NamespaceName
from modelyard_server import failpoints
from modelyard_server.calls.errors import RegistryError
from modelyard_server.calls.resource import new_uid
from modelyard_server.db.unit_of_work import Transaction
from modelyard_server.jobs import Job
from modelyard_server.log.changes import Mutations
from modelyard_server.log.repository import EventRepository
from modelyard_server.log.values import Event, Heading
from modelyard_server.outbound.sender import Answer, Sender
from modelyard_server.webhooks.deliveries.repository import DeliveryRepository
from modelyard_server.webhooks.deliveries.schedule import next_attempt
from modelyard_server.webhooks.deliveries.values import Delivery, DeliveryState, DueDelivery
from modelyard_server.webhooks.repository import WebhookRepository
from modelyard_server.webhooks.signing import Message, headers, keys
from modelyard_server.webhooks.values import Webhook, concerns

_log: Final = structlog.get_logger("modelyard.webhooks")

POLL_SECONDS: Final = 1.0
"""Interval at which commits of other processes and due deliveries are found."""
_EVENTS_PER_TRANSACTION: Final = 500
"""Most events that one transaction turns into deliveries."""
_MAX_IN_FLIGHT: Final = 32
_MAX_IN_FLIGHT_PER_WEBHOOK: Final = 8
"""A webhook whose receiver hangs must not occupy the slots of all others."""
CLAIM_DURATION: Final = timedelta(seconds=20)
"""Longer than an attempt may take. A delivery of a server that died is tried again after this time."""
_MAX_ERROR: Final = 500
_chance: Final = random.SystemRandom()

Render = Callable[[Event, NamespaceName, str], Message]
"""Renders an event of a namespace, given by name and uid, as posted."""


class Dispatcher(Job):
    """Runs the deliveries of this process."""

    def __init__(
        self,
        mutations: Mutations,
        sender: Sender,
        render: Render,
        master: bytes,
        *,
        observe: Callable[[str], None],
    ) -> None:
        """``observe`` gets `delivered`, `failed` or `given_up` for each attempt."""
        self._mutations = mutations
        self._database = mutations.database
        self._sender = sender
        self._render = render
        self._master = master
        self._observe = observe
        self._news = asyncio.Event()
        self._followed: set[int] = set()
        """Keys of the namespaces with webhooks, as of the last round."""
        self._running: dict[asyncio.Task[None], tuple[DueDelivery, str]] = {}
        """Deliveries in flight, with their claims."""
        self._renderer = ThreadPoolExecutor(1, thread_name_prefix="webhooks")
        self._rendering = asyncio.Lock()
        self._rendered: tuple[tuple[int, int], Message] | None = None
        """The last rendered event, because all webhooks of a namespace get the same message."""
        self._dispatching: asyncio.Task[None] | None = None

    def committed(self, namespace_keys: Collection[int]) -> None:
        """Wakes the dispatcher after a commit, if one of the namespaces has webhooks."""
        if not self._followed.isdisjoint(namespace_keys):
            self.wake()

    def wake(self) -> None:
        """Wakes the dispatcher, because a delivery may be due."""
        self._news.set()

    async def start(self) -> None:
        self._database.listen(self.committed)
        self._dispatching = asyncio.create_task(self._dispatch())

    async def stop(self) -> None:
        """Starts no more deliveries, and releases those in flight. This or another replica tries them again."""
        claims = {claim for _, claim in self._running.values()}
        tasks = [*filter(None, [self._dispatching]), *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._renderer.shutdown(wait=False, cancel_futures=True)
        if claims:
            now = self._mutations.clock()
            await self._try(self._release(claims, now))

    async def _release(self, claims: Collection[str], now: datetime) -> None:
        await self._database.write(lambda transaction: DeliveryRepository(transaction).release(claims, now))

    async def _dispatch(self) -> None:
        while True:
            self._news.clear()
            await self._try(self._fan_out())
            await self._try(self._deliver())
            # Not wait_for: before Python 3.12 it loses a cancellation that arrives together with the wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._news.wait()

    @staticmethod
    async def _try(step: Coroutine[Any, Any, None]) -> None:
        """Runs a step. If it fails, the next round tries it again, and other steps go on."""
        try:
            await step
        except RegistryError as error:  # the database is down
            _log.warning("webhooks wait for the database", reason=error.reason)
        except Exception:  # noqa: BLE001 (it is logged, and must not end the task)
            _log.exception("webhooks wait for the next round")

    # From the log to deliveries

    async def _fan_out(self) -> None:
        async def work(transaction: Transaction) -> tuple[set[int], Sequence[int]]:
            return await WebhookRepository(transaction).followed(), await WebhookRepository(transaction).behind()

        self._followed, behind = await self._database.read(work)
        for key in behind:
            await self._try(self._queue(key))

    async def _queue(self, key: int) -> None:
        more = True
        while more:
            more = await self._database.write(partial(self._take, key=key))
            failpoints.hit("webhook.after_fan_out")

    async def _take(self, transaction: Transaction, *, key: int) -> bool:
        """Queues deliveries of a webhook's next events. True if there may be more events."""
        webhook = await WebhookRepository(transaction).at(key, lock=True)
        if webhook is None or webhook.disabled:
            return False
        events = await EventRepository(transaction).headings(
            webhook.namespace_key, after=webhook.queued_revision, limit=_EVENTS_PER_TRANSACTION
        )
        if not events:
            return False
        if wanted := [self._delivery(webhook, event) for event in events if concerns(webhook, event)]:
            await DeliveryRepository(transaction).add(webhook, wanted)
        await WebhookRepository(transaction).advance(key, events[-1].revision)
        return len(events) == _EVENTS_PER_TRANSACTION

    def _delivery(self, webhook: Webhook, event: Heading) -> Delivery:
        return Delivery(
            name=DeliveryName(webhook.name, new_uid()),
            revision=event.revision,
            type=event.type,
            resource=event.resource,
            lane=event.model_id,
            state=DeliveryState.PENDING,
            create_time=self._mutations.clock(),
        )

    # From deliveries to receivers

    async def _deliver(self) -> None:
        free = _MAX_IN_FLIGHT - len(self._running)
        now = self._mutations.clock()
        if free <= 0 or not await self._database.look(lambda transaction: DeliveryRepository(transaction).any_due(now)):
            return
        claim = new_uid()
        under_way = Counter(each.webhook.key for each, _ in self._running.values())
        due = await self._database.write(
            lambda transaction: DeliveryRepository(transaction).claim(
                now, now + CLAIM_DURATION, claim, limit=free, each=_MAX_IN_FLIGHT_PER_WEBHOOK, under_way=under_way
            )
        )
        for each in due:
            task = asyncio.create_task(self._attempt(each, claim))
            self._running[task] = each, claim
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The claim runs out, and the delivery is tried again.
            _log.warning("a delivery could not be ended", exc_info=error)
        self._news.set()

    async def _attempt(self, due: DueDelivery, claim: str) -> None:
        try:
            message = await self._message(due)
            if message is None:  # the event was compacted after RedeliverDelivery
                await self._end(due, claim, Answer(0, "the event was compacted", 0.0), give_up=True)
                return
            now = self._mutations.clock()
            signed = headers(message, keys(self._master, due.webhook, now), now)
            answer = await self._sender.post(due.webhook.url, signed, message.body)
        except RegistryError:  # the database is down: the claim runs out, and the delivery is tried again
            raise
        except Exception:  # noqa: BLE001 (a bug must not block the lane forever)
            _log.exception("a delivery can't be sent", webhook=str(due.webhook.name), revision=due.delivery.revision)
            answer = Answer(0, "the registry could not send it", 0.0)
        failpoints.hit("webhook.after_post")
        await self._end(due, claim, answer)

    async def _message(self, due: DueDelivery) -> Message | None:
        """The event as posted. Events are read and rendered one at a time, because a large one takes long."""
        key = due.webhook.namespace_key, due.delivery.revision
        async with self._rendering:
            if self._rendered is not None and self._rendered[0] == key:
                return self._rendered[1]
            event = await self._database.read(lambda transaction: EventRepository(transaction).at(*key))
            if event is None:
                return None
            namespace = NamespaceName(due.webhook.name.namespace)
            render = partial(self._render, event, namespace, due.namespace_uid)
            message = await asyncio.get_running_loop().run_in_executor(self._renderer, render)
            self._rendered = key, message
            return message

    async def _end(self, due: DueDelivery, claim: str, answer: Answer, *, give_up: bool = False) -> None:
        now = self._mutations.clock()
        delivery = due.delivery
        again = None
        if not answer.delivered and not give_up:
            again = next_attempt(
                created=delivery.create_time,
                now=now,
                attempts=delivery.attempt_count,
                chance=_chance.random(),
                retry_after=answer.retry_after,
            )
        state = DeliveryState.DELIVERED if answer.delivered else DeliveryState.FAILED
        ended = replace(
            delivery,
            state=state if again is None else DeliveryState.PENDING,
            status_code=answer.status_code,
            error=answer.error[:_MAX_ERROR],
            latency=answer.latency,
            next_attempt_time=again or now,
        )

        async def work(transaction: Transaction) -> bool:
            webhook = await WebhookRepository(transaction).at(due.webhook.key, lock=True)
            return webhook is not None and await DeliveryRepository(transaction).end(
                ended, claim, paused=webhook.disabled
            )

        if await self._database.write(work):
            failpoints.hit("webhook.after_end")
            self._report(due, ended)

    def _report(self, due: DueDelivery, ended: Delivery) -> None:
        outcome = {DeliveryState.DELIVERED: "delivered", DeliveryState.FAILED: "given_up"}.get(ended.state, "failed")
        self._observe(outcome)
        if outcome != "delivered":
            facts = {"revision": ended.revision, "attempts": ended.attempt_count, "error": ended.error}
            _log.warning("webhook not delivered", webhook=str(due.webhook.name), outcome=outcome, **facts)
