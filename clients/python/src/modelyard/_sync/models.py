"""Models. Generated from ``modelyard._client.models`` by ``make protos``."""

# ruff: noqa: A002 - the field has that name everywhere
from collections.abc import Mapping

from modelyard import _loop
from modelyard._client.models import AsyncModels
from modelyard._paging import Pager
from modelyard._unset import UNSET, Unset
from modelyard.core.names import DEFAULT_NAMESPACE, ModelName
from modelyard.types import Model


class Models:
    """Models: ``client.models``. A model is a named family of versions in a namespace.

    >>> for model in yard.models.list("team", filter="alias:production"):
    ...     print(model.name, model.aliases)
    """

    def __init__(self, client: AsyncModels) -> None:
        self._client = client

    def create(
        self,
        model: str | ModelName | Model,
        *,
        display_name: str = "",
        description: str = "",
        owner: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Model:
        """Creates a model without versions, and its namespace if that does not exist. So does ``push``.

        Args:
            model: As ``team/fraud``.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            owner: Who answers for it; at most 256 characters.
            labels: Indexed. At most 100; keys up to 128 bytes, values up to 4 KiB. Filter as ``labels.<key>``.
            annotations: Like labels, but not indexed: for programs.

        Raises:
            InvalidArgumentError: A value breaks a limit. The model was not created.
            NotFoundError: The namespace is deleted.
            AlreadyExistsError: The id is taken, perhaps by a deleted model that can still be restored.
        """
        return _loop.run(
            self._client.create(
                model,
                display_name=display_name,
                description=description,
                owner=owner,
                labels=labels,
                annotations=annotations,
            )
        )

    def get(self, model: str | ModelName | Model) -> Model:
        """Reads one model, also a deleted one. Raises ``NotFoundError`` if it does not exist."""
        return _loop.run(self._client.get(model))

    def list(
        self,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        filter: str = "",
        order_by: str = "",
        show_deleted: bool = False,
        page_size: int | None = None,
    ) -> Pager[Model]:
        """Lists the models of a namespace, ordered by id.

        Args:
            namespace: As ``team``.
            filter: Only matching models, for example ``labels.tier = gold AND alias:production``.
            order_by: ``id``, ``create_time`` or ``update_time``. Add ``desc`` to reverse the order.
            show_deleted: Include deleted models that can still be restored.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The filter or the order can't be read. The message tells the character.
            NotFoundError: The namespace does not exist.
        """
        return Pager(
            self._client.list(
                namespace, filter=filter, order_by=order_by, show_deleted=show_deleted, page_size=page_size
            )
        )

    def search(self, query: str, namespace: str | None = None, *, page_size: int | None = None) -> Pager[Model]:
        """Finds models by words, the best match first.

        Every word of the query must be the beginning of a word in the model's id, display name, description or labels.
        Case and punctuation don't matter.

        Args:
            query: At most 256 characters, for example ``fraud detec``.
            namespace: As ``team``. All namespaces if not given.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            InvalidArgumentError: The query is empty or too long.
            NotFoundError: The namespace does not exist.
        """
        return Pager(self._client.search(query, namespace, page_size=page_size))

    def update(
        self,
        model: str | ModelName | Model,
        *,
        display_name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        owner: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Model:
        """Changes the fields that are given and no others. A mapping replaces the old one as a whole.

        Args:
            model: As ``team/fraud``.
            display_name: For people; at most 128 characters.
            description: Markdown; at most 1 MiB.
            owner: Who answers for it; at most 256 characters.
            labels: Indexed. At most 100; keys up to 128 bytes, values up to 4 KiB. Filter as ``labels.<key>``.
            annotations: Like labels, but not indexed: for programs.
            etag: Only change the model if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The model does not exist.
            ConflictError: The model has another etag.
        """
        return _loop.run(
            self._client.update(
                model,
                display_name=display_name,
                description=description,
                owner=owner,
                labels=labels,
                annotations=annotations,
                etag=etag,
            )
        )

    def delete(self, model: str | ModelName | Model, *, force: bool = False, etag: str | None = None) -> Model:
        """Deletes a model. ``undelete`` restores it until its ``purge_time``, 30 days later.

        Args:
            model: As ``team/fraud``.
            force: Delete its versions and aliases with it, in the same transaction.
            etag: Only delete the model if it still has this etag.

        Raises:
            NotFoundError: The model does not exist.
            FailedPreconditionError: The model has versions and ``force`` is not set, or a version is in use: a
                deployment serves it, or a version of another model was made from it. Nothing was deleted.
            ConflictError: The model has another etag.
        """
        return _loop.run(self._client.delete(model, force=force, etag=etag))

    def undelete(self, model: str | ModelName | Model, *, etag: str | None = None) -> Model:
        """Restores a deleted model with the versions and aliases that were deleted with it.

        Args:
            model: As ``team/fraud``.
            etag: Only restore the model if it still has this etag.

        Raises:
            NotFoundError: The model does not exist.
            AlreadyExistsError: The model is not deleted.
            ConflictError: The model has another etag.
        """
        return _loop.run(self._client.undelete(model, etag=etag))
