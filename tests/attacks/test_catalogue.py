"""No attack is forgotten: each that concerns what exists is a row of the table, or names the tests that make it."""

from pathlib import Path
from typing import Final

import pytest
from tests.attacks.table import ROWS

_ROOT: Final = Path(__file__).parents[2]

_ONE_CALL: Final = {
    "A01": "paths that climb out",
    "A02": "absolute paths",
    "A03": "empty segments",
    "A04": "paths of Windows",
    "A05": "percent-encoded paths, URLs as paths",
    "A06": "control and invisible characters",
    "A08": "paths that differ in case alone",
    "A09": "device names, trailing dots",
    "A10": "too long, too deep, too many",
    "A12": "ids that mislead",
    "A13": "a digest of other bytes",
    "A14": "more bytes than announced",
    "A15": "fewer bytes than announced",
    "A17": "gaps and overlaps",
    "A18": "offsets and sizes out of range",
    "A19": "a chunk with another crc32c",
    "A22": "digests in other spellings",
    "A23": "the upload of somebody else",
    "A24": "a second finish",
    "A29": "looking for blobs of others",
    "A30": "changing what is frozen",
    "A31": "page sizes out of range",
    "A32": "page tokens that are not ours",
    "A33": "SQL in names",
    "A39": "batches too large",
    "A40": "metrics that are no numbers",
    "A41": "numbers and enums out of range",
    "A42": "broken messages",
    "A44": "labels and texts too many, too long",
    "A45": "reserved prefixes",
    "A82": "two writers of one alias",
    "A83": "aliases to what is deleted",
    "D01": "deployments of other consumers",
    "A110": "webhooks to where only the registry gets",
}
_OTHERS: Final = {
    "A16 streams that end without a finish": ("rpc/test_bytes.py", "test_a_cancelled_stream_is_resumed_where_it_broke"),
    "A21 sixteen clients with the same file": ("faults/test_contention.py", "A21"),
    "A25 uploads that are never finished": ("rpc/test_bytes.py", "A25"),
    "A47 messages too large": ("attacks/test_transport.py", "A47"),
    "A48 connections that say nothing, or junk": ("attacks/test_transport.py", "A48"),
    "A49 a byte a minute": ("rpc/test_bytes.py", "A49"),
    "A50 a reader that stops": ("faults/test_network.py", "A50"),
    "A51 resets, pings, headers without an end": ("attacks/test_transport.py", "A51"),
    "A54 odd deadlines": ("rpc/test_stages.py", "A54"),
    "A55 methods that are not served": ("attacks/test_transport.py", "A55"),
    "A56 plaintext and old TLS": ("attacks/test_transport.py", "A56"),
    "A56 a client's token in plaintext": (
        "sdk/test_config.py",
        "test_a_token_never_travels_in_plaintext_to_another_machine",
    ),
    "A99 escapes in names that a terminal shows": ("cli/test_render.py", "test_stored_text_is_shown_as_text"),
    "A100 cached files that were changed": (
        "sdk/test_cache.py",
        "test_what_was_tampered_with_is_noticed_and_made_good",
    ),
    "A101 a cache that others can write to": ("sdk/test_cache.py", "test_a_cache_that_others_can_write_to_is_refused"),
    "A101 a cache behind a link of others": (
        "sdk/test_cache_places.py",
        "test_a_link_of_another_user_is_refused",
    ),
    "A101 a cache of another user": ("sdk/test_cache.py", "test_a_cache_of_another_user_is_refused"),
    "A105 secrets in what is printed": ("sdk/test_config.py", "test_secrets_are_not_printed"),
    "A105 secrets among the arguments": ("cli/test_command_line.py", "test_no_option_takes_a_token"),
    "A106 forks": ("sdk/test_fork.py", "test_a_child_forked_during_a_long_call_is_told_and_the_call_goes_on"),
    "A107 values that break a log": ("server/test_process.py", "A107"),
    "A108 names as labels of metrics": ("server/test_process.py", "test_metrics_count_calls_and_name_no_models"),
    "A111 names that resolve elsewhere, redirects, endless answers": ("attacks/test_outbound.py", "A111"),
    "A112 webhooks replayed or forged": ("sdk/test_webhooks.py", "A112"),
    "A109 what the public port tells": ("attacks/test_transport.py", "A109"),
}


@pytest.mark.parametrize("attack", _ONE_CALL)
def test_an_attack_of_one_call_has_rows(attack: str) -> None:
    assert [row.id for row in ROWS if row.id.split()[0] == attack]


def test_every_row_belongs_to_an_attack() -> None:
    assert {row.id.split()[0] for row in ROWS} <= set(_ONE_CALL)


@pytest.mark.parametrize("attack", _OTHERS)
def test_an_attack_of_another_kind_has_its_test(attack: str) -> None:
    file, mark = _OTHERS[attack]
    assert mark in (_ROOT / "tests" / file).read_text()
