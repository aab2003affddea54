"""Encodes webhooks for the log, with the host of the URL and a hash of the rest: the path is often a secret."""

import hashlib
from typing import Any, Final
from urllib.parse import urlsplit

from modelyard.core.names import WebhookName
from modelyard_server.log.kinds import Kind
from modelyard_server.log.snapshots import COMMON, common, common_from, optional_time, optional_time_from
from modelyard_server.log.values import Json
from modelyard_server.webhooks.messages import webhook_message
from modelyard_server.webhooks.values import Webhook

_FIELDS_1: Final = COMMON | {
    *("url", "url_digest", "types", "model_id", "description", "disabled", "secret_generation", "overlap_end_time"),
    "created_by",
}


def logged_url(url: str) -> dict[str, str]:
    """The parts of a URL in the log: every caller can read the log, and the path of a URL is often a secret."""
    parts = urlsplit(url)
    return {
        "url": f"{parts.scheme}://{parts.netloc}/…",
        "url_digest": f"sha256:{hashlib.sha256(url.encode()).hexdigest()}",
    }


def encode(webhook: Webhook) -> Json:
    return {
        **common(webhook, webhook.name),
        **logged_url(webhook.url),
        "types": list(webhook.types),
        "model_id": webhook.model_id,
        "description": webhook.description,
        "disabled": webhook.disabled,
        "secret_generation": webhook.secret_generation,
        "overlap_end_time": optional_time(webhook.overlap_end_time),
        "created_by": webhook.created_by,
    }


def encode_whole(webhook: Webhook) -> dict[str, Any]:
    """The fields that a stored answer has and the log has not."""
    return {"url": webhook.url, "queued_revision": webhook.queued_revision}


def decode(stored: Json) -> Webhook:
    """Decodes a webhook. From an event, its URL has only the parts in the log."""
    return Webhook(
        **common_from(stored),
        name=WebhookName.parse(stored["name"]),
        url=stored.get("url", ""),
        types=tuple(stored.get("types", ())),
        model_id=stored.get("model_id", ""),
        description=stored.get("description", ""),
        disabled=stored.get("disabled", False),
        secret_generation=stored.get("secret_generation", 1),
        overlap_end_time=optional_time_from(stored, "overlap_end_time"),
        created_by=stored.get("created_by", ""),
        queued_revision=stored.get("queued_revision", 0),
    )


WEBHOOK: Final = Kind(
    name="webhook",
    verbs=("created", "updated", "secret_rotated", "deleted"),
    removals=("deleted",),
    schemas={0: _FIELDS_1, 1: _FIELDS_1},
    encode=encode,
    decode=decode,
    message_field="webhook",
    render=webhook_message,
)
