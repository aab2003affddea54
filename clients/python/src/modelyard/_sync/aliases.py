"""Aliases. Generated from ``modelyard._client.aliases`` by ``make protos``."""

from datetime import datetime

from modelyard import _loop
from modelyard._client.aliases import AsyncAliases
from modelyard._paging import Pager
from modelyard.core.names import ModelName, VersionName
from modelyard.types import Alias, Model, Version


class Aliases:
    """Aliases: ``client.aliases``. An alias is a movable pointer to one version of its model, as ``production``.

    ``client.promote`` is the everyday way to move one. Each move is one event of the log.

    >>> alias = yard.aliases.get("team/fraud", "production")
    >>> yard.aliases.set("team/fraud", "production", 8, etag=alias.etag, reason="better recall")
    """

    def __init__(self, client: AsyncAliases) -> None:
        self._client = client

    def get(self, model: str | ModelName | Model, alias: str, *, at: datetime | str | None = None) -> Alias:
        """Reads one alias, as it is or as it was.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            at: Read the alias as it was at this time: a ``datetime``, or a text such as ``2026-03-31T12:00:00Z``,
                ``7d`` or ``3h ago``. Without a zone it is in UTC. A text without fractions of a second includes that
                second.

        Raises:
            InvalidArgumentError: ``at`` is not a time, or is in the future.
            NotFoundError: The alias is not set, or was not set at that time.
            OutOfRangeError: The log no longer reaches back to that time.
        """
        return _loop.run(self._client.get(model, alias, at=at))

    def list(self, model: str | ModelName | Model, *, page_size: int | None = None) -> Pager[Alias]:
        """Lists the aliases of a model, ordered by id.

        Args:
            model: As ``team/fraud``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The model does not exist.
        """
        return Pager(self._client.list(model, page_size=page_size))

    def set(
        self,
        model: str | ModelName | Model,
        alias: str,
        version: int | str | VersionName | Version,
        *,
        etag: str | None = None,
        create_only: bool = False,
        expected_digest: str | None = None,
        reason: str = "",
    ) -> Alias:
        """Points an alias at a version, and creates the alias if it does not exist.

        Args:
            model: As ``team/fraud``.
            alias: A lower-case letter, then lower-case letters, digits, ``_`` or ``-``; at most 63 characters.
            version: The number, or any reference to a version of this model. A reference is resolved first; the alias
                then points at that version and no other, even if the reference moves at the same time.
            etag: Only move the alias if it still has this etag.
            create_only: Only create the alias; never move one that exists.
            expected_digest: Only move the alias if the version has this manifest digest.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The version or the model does not exist.
            ConflictError: The alias has another etag, or exists although ``create_only`` is set.
            FailedPreconditionError: The version has another digest, or is quarantined. The alias was not moved.
        """
        return _loop.run(
            self._client.set(
                model,
                alias,
                version,
                etag=etag,
                create_only=create_only,
                expected_digest=expected_digest,
                reason=reason,
            )
        )

    def rollback(
        self, model: str | ModelName | Model, alias: str, *, etag: str | None = None, reason: str = ""
    ) -> Alias:
        """Points an alias back at the version before its last move. Call it again to go back one move more.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            etag: Only move the alias if it still has this etag.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The alias is not set.
            ConflictError: The alias has another etag.
            FailedPreconditionError: There is no earlier move, or the earlier version is deleted or quarantined.
        """
        return _loop.run(self._client.rollback(model, alias, etag=etag, reason=reason))

    def delete(self, model: str | ModelName | Model, alias: str, *, etag: str | None = None, reason: str = "") -> Alias:
        """Deletes an alias and returns it as it was. The version stays.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            etag: Only delete the alias if it still has this etag.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The alias is not set.
            ConflictError: The alias has another etag.
        """
        return _loop.run(self._client.delete(model, alias, etag=etag, reason=reason))
