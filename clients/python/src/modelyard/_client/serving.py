"""A consumer that tells the registry which versions it serves. Heartbeats keep one lease for each model.

Serving comes first: problems with the registry never raise into the program that serves, and never make it wait. What
could not be told is told later.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from modelyard import _convert, _naming
from modelyard._cache import Cache
from modelyard._caller import mailbox, warn
from modelyard._client.messages import request_id
from modelyard._client.registration import observed_digest, registration
from modelyard._client.resolving import pinned
from modelyard._connection import Connection
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
from modelyard.types import Deployment, PulledModel, Version
from modelyard.v1 import deployments_pb2 as pb
from modelyard.v1.deployments_pb2_grpc import DeploymentsServiceStub

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
    """Tells the registry which versions a program serves, while the block is open. Made by ``AsyncClient.serving``.

    It sends heartbeats by itself, and registers again if the lease ran out while the registry was away. If another
    process registers as the same consumer, it gives a ``ServingWarning`` and sends no more heartbeats.
    """

    def __init__(
        self,
        *,
        connection: Connection,
        cache: Callable[[], Cache],
        service: str,
        environment: str,
        instance: str,
        ttl: float,
    ) -> None:
        self._connection = connection
        self._cache = cache
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
        """The deployments that the registry was last told of, one for each model."""
        return tuple(each.deployment for each in self._consumers.values() if each.deployment is not None)

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("this consumer is open already; make another one")
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
        """Tells that the program serves a version from now on, in place of another version of the same model.

        Returns after the first attempt. If the registry could not be told, it is told later.

        Args:
            model: A pulled model: its files are hashed, so that the registry knows whether they are the version's. Or a
                version, or a reference to one, whose files are not looked at.
            reference: What the program follows, as ``team/fraud@production``. If not given, the reference that the
                model was pulled by.

        Raises:
            InvalidArgumentError: The reference can't be read.
            NotFoundError: The reference means nothing.
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
                followed = given or ("" if named.selector is Selector.NUMBER else str(named))
                self._set(_Loaded(await pinned(self._connection, named), followed))
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
            raise RuntimeError("use it inside of its 'with' block only")

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
                _complain(
                    f"The registry could not be told that {self._service} serves {consumer.loaded.version}: {error}"
                )
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
        call = self._connection.stub(DeploymentsServiceStub).RegisterDeployment
        answer = await self._connection.call(call, consumer.sent[1], timeout=_TIMEOUT, patience=0)
        consumer.sent, consumer.told, consumer.lease = None, loaded, answer.lease
        consumer.deployment = _convert.deployment(answer.deployment)

    async def _heartbeat(self, consumer: _Consumer, loaded: _Loaded) -> bool:
        """False if the lease has run out."""
        assert consumer.deployment is not None
        request = pb.HeartbeatDeploymentRequest(name=str(consumer.deployment.name), lease=consumer.lease)
        if loaded != consumer.told:
            request.version, request.observed_digest = str(loaded.version), loaded.observed
        try:
            call = self._connection.stub(DeploymentsServiceStub).HeartbeatDeployment
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
            _complain(f"{self._service} sends no more heartbeats: {error}")
            return True
        consumer.told, consumer.deployment = loaded, _convert.deployment(message)
        return True

    async def _end(self, consumer: _Consumer) -> None:
        if not consumer.lease or consumer.deployment is None:
            return
        # With the lease: it may be another's by now.
        request = pb.DeleteDeploymentRequest(
            name=str(consumer.deployment.name), lease=consumer.lease, request_id=request_id()
        )
        call = self._connection.stub(DeploymentsServiceStub).DeleteDeployment
        await self._connection.call(call, request, timeout=_FAREWELL, patience=0)


def _is_a_heartbeat(told: _Loaded, loaded: _Loaded) -> bool:
    """Whether a heartbeat can say it: what a program follows, and that its files are not known, only a registration."""
    known = loaded.version != told.version or loaded.observed or not told.observed
    return bool(known) and told.reference == loaded.reference


def _complain(message: str) -> None:
    # A program that makes errors of warnings does not mean to stop serving.
    with suppress(ServingWarning):
        warn(message, ServingWarning)
