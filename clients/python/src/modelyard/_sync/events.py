"""Events. Generated from ``modelyard._client.events`` by ``make protos``."""

# ruff: noqa: A002 - the field has that name everywhere
from modelyard._client.events import AsyncEvents
from modelyard._paging import Pager
from modelyard.core.names import DEFAULT_NAMESPACE, AliasName, ModelName, VersionName
from modelyard.types import Event


class Events:
    """The log: ``client.events``. Each change in a namespace is one event, and gets the next revision: 1, 2, 3.

    >>> for event in yard.events.list("team/fraud@production", newest_first=True):
    ...     print(event.time, event.actor, event.type, event.reason)
    """

    def __init__(self, client: AsyncEvents) -> None:
        self._client = client

    def list(
        self,
        what: str | ModelName | VersionName | AliasName = DEFAULT_NAMESPACE,
        *,
        filter: str = "",
        newest_first: bool = False,
        page_size: int | None = None,
    ) -> Pager[Event]:
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
        return Pager(self._client.list(what, filter=filter, newest_first=newest_first, page_size=page_size))
