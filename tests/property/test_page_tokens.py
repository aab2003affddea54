"""Page tokens open for their query alone, and for nobody who made one up."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_server.calls.errors import InvalidArgument
from modelyard_server.calls.page_tokens import PageTokens

_NOW = datetime(2026, 3, 1, tzinfo=UTC)
_TTL = 1000.0
_TOKENS = PageTokens(b"k" * 32, lambda: _NOW, _TTL)
_POSITIONS = st.text(st.characters(codec="utf-8"), min_size=1) | st.integers(1, 2**63 - 1)


def _refused(query: str, token: str, tokens: PageTokens = _TOKENS) -> None:
    with pytest.raises(InvalidArgument) as error:
        tokens.open(query, token)
    assert error.value.reason == "PAGE_TOKEN_INVALID"


@given(query=st.text(), position=_POSITIONS)
def test_a_token_is_valid_for_its_query(query: str, position: str | int) -> None:
    assert _TOKENS.open(query, _TOKENS.seal(query, position)) == position


@given(query=st.text(), other=st.text(), position=_POSITIONS)
def test_a_token_is_invalid_for_other_queries_and_registries(query: str, other: str, position: str | int) -> None:
    token = _TOKENS.seal(query, position)

    if other != query:
        _refused(other, token)
    _refused(query, token, PageTokens(b"K" * 32, lambda: _NOW, _TTL))
    _refused(query, token, PageTokens(b"k" * 32, lambda: _NOW + timedelta(seconds=_TTL + 1), _TTL))


@given(position=_POSITIONS, data=st.data())
def test_an_edited_token_is_refused(position: str | int, data: st.DataObject) -> None:
    token = _TOKENS.seal("q", position)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    _refused("q", base64.urlsafe_b64encode(raw).rstrip(b"=").decode())
    _refused("q", token[: data.draw(st.integers(1, len(token) - 1))])
    _refused("q", token + data.draw(st.text(min_size=1)))


@given(token=st.text(min_size=1))
def test_a_forged_token_is_refused(token: str) -> None:
    _refused("q", token)
