"""A seam around every call to the registry, for tracing, metrics and tests.

An interceptor is a function that takes a :class:`Call` and returns a context manager. The context manager is entered
before an attempt is sent and left when the attempt has ended. A stream (a download, an upload, a watch) is one attempt
from its first to its last message.

>>> @contextmanager
... def trace(call: modelyard.Call) -> Iterator[None]:
...     with tracer.start_as_current_span(call.method) as span:
...         call.metadata["traceparent"] = traceparent(span)
...         yield
>>> client = modelyard.Client(interceptors=[trace])

``Client`` and ``AsyncClient`` take the same interceptors. A context manager may be synchronous or asynchronous. It runs
on the event loop that makes the call, so a synchronous one must not block. With ``Client`` that is the SDK's own loop,
and the context variables of the calling thread are visible there.

Errors reach the context manager as :class:`modelyard.ModelyardError`. What it raises itself ends the attempt: an
``UnavailableError`` is retried like one of the registry's, any other error reaches the caller. An error that the
context manager suppresses becomes a ``RuntimeError``, because there is no answer to return.

Several interceptors nest: the first in the list is entered first and left last. The retries that gRPC makes by itself
within an attempt are not visible here.
"""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of a call to the registry, before it is sent."""

    method: str
    """As in the contract: ``modelyard.v1.RegistryService/ResolveVersion``."""
    request: object
    """The protobuf message to send. Don't change it. None if the client streams messages."""
    metadata: dict[str, str]
    """Headers to send; add your own. Keys are in lower case. The access token is added later and is not shown."""


class Interceptor(Protocol):
    """What ``Client(interceptors=[...])`` takes."""

    def __call__(self, call: Call, /) -> AbstractContextManager[Any] | AbstractAsyncContextManager[Any]: ...
