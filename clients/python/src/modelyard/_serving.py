"""A consumer that says what it serves: with a lease for each model, kept by heartbeats while it is open.

Serving comes first. Whatever becomes of the registry, nothing here raises into the program that serves or makes it
wait; what could not be told is told later.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from modelyard import _convert_consumers, _naming
from modelyard._cache import Cache
from modelyard._caller import mailbox, warn
from modelyard._connection import Connection
from modelyard._messages import request_id
from modelyard._registration import observed_digest, registration
from modelyard.core.names import ModelName, VersionName
from modelyard.core.references import Selector
from modelyard.errors import (
    ConflictError,
    DeadlineExceededError,
    NotFoundError,
    ResourceExhaustedError,
    ServingWarning,
    UnavailableError,
)
from modelyard.types import Deployment, PulledModel, Resolution, Version
from modelyard.v1 import deployments_pb2 as pb

_AWAY: Final = (UnavailableError, DeadlineExceededError, ResourceExhaustedError)
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_TIMEOUT: Final = 10.0
_FAREWELL: Final = 2.0
"""Seconds that the end of a program may be held up by saying so."""
_random: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a program has loaded of one model."""

    version: VersionName
    reference: str
    observed: str = ""


@dataclass(slots=True)
class _Consumer:
    """What the registry is to know of one model, and what it knows."""

    loaded: _Loaded
    unread: PulledModel | None = None
    """Its files are looked at before they are told of."""
    told: _Loaded | None = None
    sent: tuple[_Loaded, pb.RegisterDeploymentRequest] | None = None
    """A registration without an answer yet: it is sent again as it was, for it may have taken effect."""
    deployment: Deployment | None = None
    lease: str = ""
    over: bool = False
    """Another process has taken its place."""
    complaint: str = ""
    """What was warned of last."""


class AsyncServing:
    """Tells the registry what a program serves, from ``async with`` on to its end. Made by ``AsyncClient.serving``.

    It sends heartbeats by itself, and registers again if the registry was away for so long that the lease ran out. If
    another process registers as the same consumer, it warns with a ``ServingWarning`` and leaves it the place.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        cache: Callable[[], Cache],
        resolve: Callable[[str], Awaitable[Resolution]],
        service: str,
        environment: str,
        instance: str,
        ttl: float,
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._resolve = resolve
        self._service = service
        self._environment = environment
        self._instance = instance
        self._ttl = ttl
        self._consumers: dict[ModelName, _Consumer] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._service!r}, {self._environment!r}, {self._instance!r})"

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """What the registry was last told, one for each model."""
        return tuple(each.deployment for each in self._consumers.values() if each.deployment is not None)

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("it is open already; make another one")
        # Its warnings have no caller to go to: whoever opens it does not wait for it.
        context = copy_context()
        context.run(mailbox.set, None)
        self._task = asyncio.get_running_loop().create_task(self._beat(), context=context)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await asyncio.gather(*map(self._end, self._consumers.values()), return_exceptions=True)

    async def loaded(self, model: PulledModel | Version | str | VersionName, *, reference: str | None = None) -> None:
        """Says that the program serves a model from now on, instead of what it served of the same one before.

        Returns once it was tried to tell; what could not be told is told later.

        Args:
            model: What was pulled; its files are looked at, and the registry learns whether they are the version's. Of
                a version, or a reference to one, it learns no more than that.
            reference: What the program follows, as ``team/fraud@production``; what it was pulled by, if not given.

        Raises:
            InvalidArgumentError: What is given is no reference.
            NotFoundError: A reference means nothing.
        """
        self._require_open()
        given = "" if reference is None else str(_naming.reference(reference))
        match model:
            case PulledModel():
                self._note(model, given)
            case Version():
                self._set(_Loaded(model.name, given))
            case _:
                named = _naming.reference(model)
                if named.selector is Selector.NUMBER:
                    self._set(_Loaded(named.model.version(int(named.value)), given))
                else:
                    found = (await self._resolve(str(named))).version.name
                    self._set(_Loaded(found, given or str(named)))
        if not await self._tell_all():
            self._wake.set()  # the next try is soon, and not with the next heartbeat

    async def acknowledging(self, models: AsyncGenerator[PulledModel, None]) -> AsyncGenerator[PulledModel, None]:
        """The models, each told of when the next is asked for: then the program is done with it."""
        self._require_open()
        async with aclosing(models):
            async for model in models:
                yield model
                self._note(model, "")
                self._wake.set()

    def _require_open(self) -> None:
        if self._task is None or self._task.cancelling():
            raise RuntimeError("a program serves inside of 'with' only: that is how its end is known")

    def _note(self, model: PulledModel, reference: str) -> None:
        self._set(_Loaded(model.version.name, reference or model.reference), unread=model)

    def _set(self, loaded: _Loaded, unread: PulledModel | None = None) -> None:
        consumer = self._consumers.setdefault(loaded.version.model, _Consumer(loaded))
        consumer.loaded, consumer.unread = loaded, unread

    async def _beat(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            self._wake.clear()
            if await self._tell_all():
                # Consumers that were started together need not speak together.
                pause, wait = _FIRST_PAUSE, self._ttl / 3 * _random.uniform(0.8, 1)
            else:
                wait, pause = _random.uniform(0, pause), min(2 * pause, _LONGEST_PAUSE, self._ttl / 3)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _tell_all(self) -> bool:
        """Whether the registry could be told, and knows all."""
        async with self._turn:
            return all([await self._tried(consumer) for consumer in list(self._consumers.values())])

    async def _tried(self, consumer: _Consumer) -> bool:
        """Whether there is nothing to try again soon."""
        if consumer.over:
            return True
        try:
            await self._tell(consumer)
        except _AWAY:
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, serving goes on
            if str(error) != consumer.complaint:
                consumer.complaint = str(error)
                _complain(f"the registry was not told that {self._service} serves {consumer.loaded.version}: {error}")
        else:
            consumer.complaint = ""
        return True

    async def _tell(self, consumer: _Consumer) -> None:
        while (unread := consumer.unread) is not None:
            digest = await asyncio.to_thread(observed_digest, unread, self._cache())
            if consumer.unread is unread:
                consumer.loaded, consumer.unread = replace(consumer.loaded, observed=digest), None
        loaded, told = consumer.loaded, consumer.told
        beats = told is not None and consumer.lease and _is_a_heartbeat(told, loaded)
        if not beats or not await self._heartbeat(consumer, loaded):
            await self._register(consumer, loaded)

    async def _register(self, consumer: _Consumer, loaded: _Loaded) -> None:
        if consumer.sent is None or consumer.sent[0] != loaded:
            request = registration(
                loaded.version,
                service=self._service,
                environment=self._environment,
                instance=self._instance,
                observed_digest=loaded.observed,
                reference=loaded.reference,
                ttl=self._ttl,
            )
            consumer.sent = loaded, request
        with self._connection.in_use() as channels:
            call = channels.deployments.RegisterDeployment
            answer = await self._connection.call(call, consumer.sent[1], timeout=_TIMEOUT, patience=0)
        consumer.sent, consumer.told, consumer.lease = None, loaded, answer.lease
        consumer.deployment = _convert_consumers.deployment(answer.deployment)

    async def _heartbeat(self, consumer: _Consumer, loaded: _Loaded) -> bool:
        """False if the lease has run out."""
        assert consumer.deployment is not None
        request = pb.HeartbeatDeploymentRequest(name=str(consumer.deployment.name), lease=consumer.lease)
        if loaded != consumer.told:
            request.version, request.observed_digest = str(loaded.version), loaded.observed
        try:
            with self._connection.in_use() as channels:
                call = channels.deployments.HeartbeatDeployment
                message = await self._connection.call(call, request, timeout=_TIMEOUT, patience=0)
        except NotFoundError as error:
            if error.reason != "DEPLOYMENT_NOT_FOUND":
                raise
            consumer.lease = ""
            return False
        except ConflictError as error:
            if error.reason != "LEASE_LOST":
                raise
            consumer.over, consumer.lease = True, ""
            _complain(f"{self._service} is not told of any more: {error}")
            return True
        consumer.told, consumer.deployment = loaded, _convert_consumers.deployment(message)
        return True

    async def _end(self, consumer: _Consumer) -> None:
        if not consumer.lease or consumer.deployment is None:
            return
        # With the lease: it may be another's by now.
        request = pb.DeleteDeploymentRequest(
            name=str(consumer.deployment.name), lease=consumer.lease, request_id=request_id()
        )
        with self._connection.in_use() as channels:
            call = channels.deployments.DeleteDeployment
            await self._connection.call(call, request, timeout=_FAREWELL, patience=0)


def _is_a_heartbeat(told: _Loaded, loaded: _Loaded) -> bool:
    """Whether a heartbeat can say it: what a program follows, and that its files are not known, only a registration."""
    known = loaded.version != told.version or loaded.observed or not told.observed
    return bool(known) and told.reference == loaded.reference


def _complain(message: str) -> None:
    # A program that makes errors of warnings does not mean to stop serving.
    with suppress(ServingWarning):
        warn(message, ServingWarning)
