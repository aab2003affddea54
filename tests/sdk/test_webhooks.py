"""What a receiver checks: who sent it, that it is whole, and that it is new."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import VerificationError
from modelyard.webhooks import verify
from modelyard_server.webhooks.signing import Message, headers, spelled

_KEY = bytes(range(32))
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SECONDS = _NOW.timestamp()
_BODY = json.dumps({"specversion": "1.0", "id": "x-7", "type": "dev.modelyard.alias.moved"}).encode()
_HEADERS = headers(Message("x-7", _BODY), [_KEY], _NOW)


def _changed(**values: str) -> dict[str, str]:
    return _HEADERS | {name.replace("_", "-"): value for name, value in values.items()}


def test_what_the_registry_signed_is_taken() -> None:
    shouted = {name.upper(): value for name, value in _HEADERS.items()}

    assert verify(_BODY, shouted, spelled(_KEY), now=_SECONDS)["id"] == "x-7"


def test_one_of_several_secrets_is_enough() -> None:
    secrets = [spelled(b"another"), spelled(_KEY)]

    assert verify(_BODY, _HEADERS, secrets, now=_SECONDS + 299)


_FORGED: dict[str, tuple[bytes, dict[str, str], float]] = {
    "A112 replayed later": (_BODY, _HEADERS, _SECONDS + 301),
    "A112 sent ahead": (_BODY, _HEADERS, _SECONDS - 301),
    "A112 replayed under a new time": (_BODY, _changed(webhook_timestamp=str(int(_SECONDS) + 400)), _SECONDS + 400),
    "A112 under another id": (_BODY, _changed(webhook_id="x-8"), _SECONDS),
    "A112 with another body": (_BODY.replace(b"moved", b"other"), _HEADERS, _SECONDS),
    "A112 signed with another secret": (_BODY, headers(Message("x-7", _BODY), [b"k"], _NOW), _SECONDS),
    "A112 with a signature of another version": (
        _BODY,
        _changed(webhook_signature=_HEADERS["webhook-signature"].replace("v1,", "v2,")),
        _SECONDS,
    ),
    "A112 without a signature": (_BODY, _changed(webhook_signature=""), _SECONDS),
    "A112 with a time that is none": (_BODY, _changed(webhook_timestamp="soon"), _SECONDS),
    "A112 with a time beyond all clocks": (_BODY, _changed(webhook_timestamp="9" * 400), _SECONDS),
    "A112 with a time in other digits": (_BODY, _changed(webhook_timestamp="١٢٣"), _SECONDS),
    "A112 with a time before all": (_BODY, _changed(webhook_timestamp="-1"), _SECONDS),
    "A112 without headers": (_BODY, {}, _SECONDS),
}


@pytest.mark.parametrize("attack", _FORGED)
def test_forgeries_are_refused(attack: str) -> None:
    body, given_headers, now = _FORGED[attack]

    with pytest.raises(VerificationError, match="the webhook can't be trusted"):
        verify(body, given_headers, spelled(_KEY), now=now)


@pytest.mark.parametrize(
    ("late", "told"), [(999, "it was sent 999 s ago; more than 300 s"), (-999, "its time lies 999 s ahead; clocks")]
)
def test_a_wrong_time_is_refused(late: int, told: str) -> None:
    with pytest.raises(VerificationError, match=told):
        verify(_BODY, _HEADERS, spelled(_KEY), now=_SECONDS + late)


def test_an_invalid_secret_raises_value_error() -> None:
    with pytest.raises(ValueError, match="a webhook's secret is"):
        verify(_BODY, _HEADERS, "whsec_not base64", now=_SECONDS)


@given(st.binary(max_size=50), st.dictionaries(st.text(max_size=20), st.text(max_size=20)), st.text(max_size=20))
def test_any_invalid_request_raises_the_same_error(body: bytes, given_headers: dict[str, str], signature: str) -> None:
    with pytest.raises(VerificationError):
        verify(body, {**_HEADERS, **given_headers, "webhook-signature": signature}, spelled(_KEY), now=_SECONDS)


@given(st.binary(min_size=1, max_size=64), st.dictionaries(st.text(), st.integers()))
def test_every_signed_event_is_taken(key: bytes, data: dict[str, Any]) -> None:
    body = json.dumps({"specversion": "1.0", "data": data}).encode()
    signed = headers(Message("m", body), [b"old", key], _NOW)

    assert verify(body, signed, f"whsec_{base64.b64encode(key).decode()}", now=_SECONDS)["data"] == data
