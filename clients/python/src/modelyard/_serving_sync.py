"""The synchronous face of a consumer: its heartbeats are sent by the private loop."""

from types import TracebackType
from typing import Self

from modelyard import _loop
from modelyard._serving import AsyncServing
from modelyard.core.names import VersionName
from modelyard.types import Deployment, PulledModel, Version


class Serving:
    """Tells the registry what a program serves, from ``with`` on to its end. Made by ``Client.serving``.

    It sends heartbeats by itself, and registers again if the registry was away for so long that the lease ran out. If
    another process registers as the same consumer, it warns with a ``ServingWarning`` and leaves it the place.
    """

    def __init__(self, serving: AsyncServing) -> None:
        self._serving = serving

    def __repr__(self) -> str:
        return repr(self._serving).removeprefix("Async")

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """What the registry was last told, one for each model."""
        return self._serving.deployments

    def __enter__(self) -> Self:
        _loop.run(self._serving.__aenter__())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _loop.run(self._serving.__aexit__(exc_type, exc, traceback))

    def loaded(self, model: PulledModel | Version | str | VersionName, *, reference: str | None = None) -> None:
        """Says that the program serves a model from now on; see :meth:`modelyard.AsyncServing.loaded`."""
        _loop.run(self._serving.loaded(model, reference=reference))


def asynchronous(serving: Serving | None) -> AsyncServing | None:
    """What a synchronous one waits for."""
    return None if serving is None else serving._serving  # noqa: SLF001 - its own face
