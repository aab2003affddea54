"""Webhooks. Generated from ``modelyard._client.webhooks`` by ``make protos``."""

from collections.abc import Sequence

from modelyard import _loop
from modelyard._client.webhooks import AsyncWebhooks
from modelyard._paging import Pager
from modelyard._unset import UNSET, Unset
from modelyard.core.names import DEFAULT_NAMESPACE, DeliveryName, ModelName, WebhookName
from modelyard.types import Delivery, DeliveryState, Webhook, WebhookTest


class Webhooks:
    """Webhooks: ``client.webhooks``. The registry posts events to a webhook's HTTPS endpoint as CloudEvents.

    Every event is posted at least once, and the events of one model in order. The receiver checks each request with
    :func:`modelyard.webhooks.verify`. A webhook is named as ``team/deployer``; without ``team/`` the namespace is
    ``default``.

    >>> webhook = yard.webhooks.create("team/deployer", "https://ci.example.com/modelyard", types=["alias.*"])
    >>> webhook.secret
    'whsec_…'
    """

    def __init__(self, client: AsyncWebhooks) -> None:
        self._client = client

    def create(
        self,
        webhook: str | WebhookName,
        url: str,
        *,
        types: Sequence[str] = (),
        model: str | ModelName | None = None,
        description: str = "",
        disabled: bool = False,
    ) -> Webhook:
        """Creates a webhook. The result holds its ``secret``: keep it, no other call returns it.

        Args:
            webhook: As ``team/deployer``. Its namespace must exist.
            url: ``https://…``, at most 2048 characters. It must lead to the public internet, or to a network that the
                registry's operator allows.
            types: Only these types of events, as ``alias.moved`` or ``alias.*``. All types if empty.
            model: Only events of this model. ``fraud`` means the one in the webhook's namespace.
            description: For people; at most 4 KiB.
            disabled: Deliver nothing until the webhook is enabled.

        Raises:
            InvalidArgumentError: A value breaks a limit, or the address is not allowed. Nothing was created.
            NotFoundError: The namespace does not exist.
            AlreadyExistsError: The id is taken.
            ResourceExhaustedError: The namespace has 100 webhooks.
        """
        return _loop.run(
            self._client.create(webhook, url, types=types, model=model, description=description, disabled=disabled)
        )

    def get(self, webhook: str | WebhookName) -> Webhook:
        """Reads one webhook, without its secret. Raises ``NotFoundError`` if it does not exist."""
        return _loop.run(self._client.get(webhook))

    def list(self, namespace: str = DEFAULT_NAMESPACE, *, page_size: int | None = None) -> Pager[Webhook]:
        """Lists the webhooks of a namespace, ordered by id, without their secrets.

        Args:
            namespace: As ``team``.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The namespace does not exist.
        """
        return Pager(self._client.list(namespace, page_size=page_size))

    def update(
        self,
        webhook: str | WebhookName,
        *,
        url: str | Unset = UNSET,
        types: Sequence[str] | Unset = UNSET,
        model: str | ModelName | Unset | None = UNSET,
        description: str | Unset = UNSET,
        disabled: bool | Unset = UNSET,
        etag: str | None = None,
    ) -> Webhook:
        """Changes the fields that are given and no others. Events while a webhook is disabled are never delivered.

        Args:
            webhook: As ``team/deployer``.
            url: As for ``create``.
            types: Replaces all types. All types of events if empty.
            model: Only events of this model; None for those of the whole namespace.
            description: For people; at most 4 KiB.
            disabled: Whether to stop deliveries. Those that wait are sent when the webhook is enabled again.
            etag: Only change the webhook if it still has this etag.

        Raises:
            InvalidArgumentError: A value breaks a limit, or no field is given. Nothing was changed.
            NotFoundError: The webhook does not exist.
            ConflictError: The webhook has another etag.
        """
        return _loop.run(
            self._client.update(
                webhook, url=url, types=types, model=model, description=description, disabled=disabled, etag=etag
            )
        )

    def delete(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Deletes a webhook and its deliveries for good, and returns it as it was.

        Args:
            webhook: As ``team/deployer``.
            etag: Only delete the webhook if it still has this etag.

        Raises:
            NotFoundError: The webhook does not exist.
            ConflictError: The webhook has another etag.
        """
        return _loop.run(self._client.delete(webhook, etag=etag))

    def rotate_secret(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Gives a webhook a new secret. The result holds it: keep it, no other call returns it.

        For one day deliveries are signed with the old secret too.

        Args:
            webhook: As ``team/deployer``.
            etag: Only change the webhook if it still has this etag.

        Raises:
            NotFoundError: The webhook does not exist.
            ConflictError: The webhook has another etag.
        """
        return _loop.run(self._client.rotate_secret(webhook, etag=etag))

    def test(self, webhook: str | WebhookName) -> WebhookTest:
        """Posts one test event now and tells what the receiver answered. Takes up to 20 s; never retried.

        Raises ``NotFoundError`` if the webhook does not exist. A receiver that refuses is no error: see ``delivered``.
        """
        return _loop.run(self._client.test(webhook))

    def deliveries(
        self, webhook: str | WebhookName, *, state: DeliveryState | None = None, page_size: int | None = None
    ) -> Pager[Delivery]:
        """Lists the deliveries of a webhook, newest first. Those that have ended are kept for a week.

        Args:
            webhook: As ``team/deployer``.
            state: Only deliveries in this state.
            page_size: Most items that the registry sends at once: 1 to 1000, 50 if not given.

        Raises:
            NotFoundError: The webhook does not exist.
        """
        return Pager(self._client.deliveries(webhook, state=state, page_size=page_size))

    def redeliver(self, delivery: DeliveryName) -> Delivery:
        """Sends an event again whose delivery has ended. Returns the new delivery.

        Raises:
            NotFoundError: The delivery is not kept any more.
            FailedPreconditionError: The delivery has not ended.
            OutOfRangeError: The log no longer holds the event.
        """
        return _loop.run(self._client.redeliver(delivery))
