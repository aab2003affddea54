"""The synchronous face of a consumer: its heartbeats are sent by the private loop."""

from types import TracebackType
from typing import Self

from modelyard import _loop
from modelyard._client.serving import AsyncServing
from modelyard.core.names import VersionName
from modelyard.types import Deployment, PulledModel, Version


class Serving:
    """Tells the registry which versions a program serves, while the block is open. Made by ``Client.serving``.

    It sends heartbeats by itself, and registers again if the lease ran out while the registry was away. If another
    process registers as the same consumer, it gives a ``ServingWarning`` and sends no more heartbeats.
    """

    def __init__(self, serving: AsyncServing) -> None:
        self._serving = serving

    def __repr__(self) -> str:
        return repr(self._serving).removeprefix("Async")

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """The deployments that the registry was last told of, one for each model."""
        return self._serving.deployments

    def __enter__(self) -> Self:
        _loop.run(self._serving.__aenter__())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _loop.run(self._serving.__aexit__(exc_type, exc, traceback))

    def loaded(self, model: PulledModel | Version | str | VersionName, *, reference: str | None = None) -> None:
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
        _loop.run(self._serving.loaded(model, reference=reference))


def asynchronous(serving: Serving | None) -> AsyncServing | None:
    """What a synchronous one waits for."""
    return None if serving is None else serving._serving  # noqa: SLF001 - its own face
