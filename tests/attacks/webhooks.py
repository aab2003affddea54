"""Webhooks that would have the registry call where their owner can't."""

from typing import Final

from tests.support.calls import Call
from tests.support.refusals import Code, Row
from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE

from modelyard.v1 import resources_pb2 as pb
from modelyard.v1 import webhooks_pb2 as rpc

_INSIDE: Final = {
    "loopback": "https://127.0.0.1:4850/",
    "metadata of a cloud": "https://169.254.169.254/latest/meta-data/",
    "IPv6 loopback": "https://[::1]/",
    "IPv4 mapped into IPv6": "https://[::ffff:100.64.0.1]/",
    "IPv4 behind NAT64": "https://[64:ff9b::a9fe:a9fe]/",
    "IPv4 behind 6to4": "https://[2002:7f00:1::]/",
    "an address as one number": "https://2130706433/",
    "an address in octal": "https://0177.0.0.1/",
    "an address that is too short": "https://127.1/",
    "a name inside": "https://vault.internal/",
    "this machine by its name": "https://localhost/",
}
_WRONG: Final = {
    "a user in the URL": "https://admin:admin@hooks.example.com/",
    "a file": "file:///etc/passwd",
    "plaintext": "http://hooks.example.com/",
    "gopher": "gopher://hooks.example.com/_",
    "a line break": "https://hooks.example.com/\r\nHost: x",
}


def _create(url: str = "https://hooks.example.com/x", **fields: object) -> Call:
    webhook = pb.Webhook(url=url, **fields)  # type: ignore[arg-type]  # fields are for protobuf to check
    request = rpc.CreateWebhookRequest(parent=NAMESPACE, webhook_id="evil", webhook=webhook)
    return lambda yard: yard.webhooks.CreateWebhook(request)


async def _move_inside(yard: RunningRegistry) -> Call:
    webhook = pb.Webhook(url="https://hooks.example.com/x", disabled=True)
    made = await yard.webhooks.CreateWebhook(
        rpc.CreateWebhookRequest(parent=NAMESPACE, webhook_id="harmless", webhook=webhook)
    )
    request = rpc.UpdateWebhookRequest(webhook=pb.Webhook(name=made.name, url=_INSIDE["metadata of a cloud"]))
    return lambda yard: yard.webhooks.UpdateWebhook(request)


def _redeliver(name: str) -> Call:
    return lambda yard: yard.webhooks.RedeliverDelivery(rpc.RedeliverDeliveryRequest(name=name))


_NOBODY: Final = "00000000-0000-4000-8000-000000000000"
ROWS: Final = [
    *(
        Row(
            id=f"A110 {what}",
            call=_create(url),
            reason="ADDRESS_NOT_ALLOWED",
            detail="BadRequest",
            fields=("webhook.url",),
        )
        for what, url in _INSIDE.items()
    ),
    Row(
        id="A110 moved inside later",
        after=_move_inside,
        reason="ADDRESS_NOT_ALLOWED",
        detail="BadRequest",
        fields=("webhook.url",),
    ),
    *(
        Row(id=f"A110 {what}", call=_create(url), detail="BadRequest", fields=("webhook.url",))
        for what, url in _WRONG.items()
    ),
    Row(
        id="A110 types that never come",
        call=_create(types=["alias", "a.b", "alias.promoted", "alias." + "a" * 100_000, "alias.móved"]),
        fields=tuple(f"webhook.types[{index}]" for index in range(5)),
    ),
    Row(id="A110 a model of another namespace", call=_create(model="namespaces/x/models/y"), fields=("webhook.model",)),
    Row(
        id="A110 a model that is not there",
        call=_create(model=f"{MODEL}-x"),
        code=Code.NOT_FOUND,
        reason="MODEL_NOT_FOUND",
        detail="ResourceInfo",
    ),
    Row(
        id="A110 somebody else's delivery",
        call=_redeliver(f"{NAMESPACE}/webhooks/other/deliveries/{_NOBODY}"),
        code=Code.NOT_FOUND,
        reason="WEBHOOK_NOT_FOUND",
        detail="ResourceInfo",
    ),
]
