"""Events, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

from modelyard import _convert, _naming
from modelyard._client.messages import pager
from modelyard._connection import Connection
from modelyard._paging import AsyncPager
from modelyard.core.names import DEFAULT_NAMESPACE, AliasName, ModelName, VersionName
from modelyard.types import Event
from modelyard.v1 import events_pb2 as pb
from modelyard.v1.events_pb2_grpc import EventsServiceStub


class AsyncEvents:
    """The log: ``client.events``. Each change in a namespace is one event, and gets the next revision: 1, 2, 3.

    >>> async for event in yard.events.list("team/fraud@production", newest_first=True):
    ...     print(event.time, event.actor, event.type, event.reason)
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self,
        what: str | ModelName | VersionName | AliasName = DEFAULT_NAMESPACE,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        newest_first: bool = False,
        page_size: int | None = None,
    ) -> AsyncPager[Event]:
        """Lists events in the order of their revisions.

        Args:
            what: A namespace as ``team``, a model and everything in it as ``team/fraud``, a version as
                ``team/fraud@7``, or an alias as ``team/fraud@production``.
            filter: Only matching events, for example ``type = "alias.*" AND actor = anna AND time > now-30d``.
            newest_first: Reverse the order.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The filter can't be read. The message tells the character.
            NotFoundError: The namespace does not exist.
        """
        request = pb.ListEventsRequest(
            parent=_naming.place(what),
            filter=filter,
            order_by="revision desc" if newest_first else "",
            page_size=_naming.page_size(page_size),
        )
        return pager(
            self._connection,
            lambda: self._connection.stub(EventsServiceStub).ListEvents,
            request,
            lambda page: page.events,
            _convert.event,
        )
