"""Namespaces. Generated from ``modelyard._client.namespaces`` by ``make protos``."""

from collections.abc import Mapping

from modelyard import _loop
from modelyard._client.namespaces import AsyncNamespaces
from modelyard._paging import Pager
from modelyard._unset import UNSET, Unset
from modelyard.types import Namespace


class Namespaces:
    """Namespaces: ``client.namespaces``. A namespace belongs to a team and holds its models.

    >>> for namespace in yard.namespaces.list():
    ...     print(namespace.id, namespace.display_name)
    """

    def __init__(self, client: AsyncNamespaces) -> None:
        self._client = client

    def create(
        self,
        namespace: str,
        *,
        display_name: str = "",
        description: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Namespace:
        """Creates a namespace.

        Args:
            namespace: Its id: lower-case letters and digits, joined by single ``.``, ``_`` or ``-``; at most 63
                characters.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            labels: At most 100; keys up to 128 bytes, values up to 4 KiB.
            annotations: Like labels, but for programs.

        Raises:
            InvalidArgumentError: A value breaks a limit. Nothing was created.
            AlreadyExistsError: The id is taken.
        """
        return _loop.run(
            self._client.create(
                namespace, display_name=display_name, description=description, labels=labels, annotations=annotations
            )
        )

    def get(self, namespace: str) -> Namespace:
        """Reads one namespace. Raises ``NotFoundError`` if it does not exist."""
        return _loop.run(self._client.get(namespace))

    def list(self, *, page_size: int | None = None) -> Pager[Namespace]:
        """Lists all namespaces, ordered by id.

        Args:
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.
        """
        return Pager(self._client.list(page_size=page_size))

    def update(
        self,
        namespace: str,
        *,
        display_name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Namespace:
        """Changes the fields that are given and no others. A mapping replaces the old one as a whole.

        Args:
            namespace: As ``team``.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            labels: At most 100; keys up to 128 bytes, values up to 4 KiB.
            annotations: Like labels, but for programs.
            etag: Only change the namespace if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The namespace does not exist.
            ConflictError: The namespace has another etag.
        """
        return _loop.run(
            self._client.update(
                namespace,
                display_name=display_name,
                description=description,
                labels=labels,
                annotations=annotations,
                etag=etag,
            )
        )
