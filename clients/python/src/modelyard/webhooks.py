"""For receivers of webhooks: whether what came is from the registry, is whole, and is new.

Needs nothing but the standard library, and no connection to the registry.

>>> from modelyard.webhooks import verify
>>> event = verify(request.body, request.headers, secret)
>>> event["type"], event["subject"]
('dev.modelyard.alias.moved', 'namespaces/team/models/fraud/aliases/production')
"""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelyard.errors import VerificationError

TOLERANCE: Final = 300.0
"""Seconds by which a message may be old, or the clocks differ."""

_PREFIX: Final = "whsec_"
_MOMENT: Final = re.compile("[0-9]{1,12}")


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> dict[str, Any]:
    """The CloudEvent that was posted, once its signature and its age were checked.

    An event may come more than once: keep the ``id`` of those that were handled. Each attempt carries a time of its
    own, so ``tolerance`` does not sort repetitions out: the registry tries for up to a day, and people may send an
    event again for as long as its delivery is kept, a week.

    Args:
        body: As it came, byte for byte.
        headers: Of the request; the case of their names does not matter.
        secret: As the registry told it, or several of which one must fit.
        tolerance: Seconds by which a message may be old, or lie ahead.
        now: Seconds since the epoch, for a clock of your own.

    Raises:
        VerificationError: It is not from the registry, was changed on its way, or is too old.
        ValueError: ``secret`` is none that the registry told.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        identity, moment = given["webhook-id"], given["webhook-timestamp"]
        signatures = given["webhook-signature"].split()
    except KeyError as missing:
        raise _refused(f"the header {missing.args[0]} is missing") from None
    if not _MOMENT.fullmatch(moment):
        raise _refused(f"the time {moment[:40]!r} is no number of seconds")
    age = (time.time() if now is None else now) - int(moment)
    if age > tolerance:
        raise _refused(f"it was sent {age:.0f} s ago; more than {tolerance:.0f} s is taken for a replay")
    if age < -tolerance:
        raise _refused(f"its time lies {-age:.0f} s ahead; clocks may differ by {tolerance:.0f} s")
    signed = f"{identity}.{moment}.".encode() + body
    secrets = [secret] if isinstance(secret, str) else secret
    expected = [base64.b64encode(hmac.digest(_key(each), signed, "sha256")) for each in secrets]
    found = [value.encode() for version, _, value in (each.partition(",") for each in signatures) if version == "v1"]
    if not any(hmac.compare_digest(mine, theirs) for mine in expected for theirs in found):
        raise _refused("no signature fits: another secret, or it was changed on its way")
    event = json.loads(body)
    if not isinstance(event, dict) or event.get("specversion") != "1.0":
        raise _refused("it is no CloudEvent")
    return event


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"a webhook's secret is {_PREFIX!r} and base64, as the registry told it") from None


def _refused(why: str) -> VerificationError:
    return VerificationError(f"the webhook can't be trusted: {why}", reason="WEBHOOK_NOT_VERIFIED")
