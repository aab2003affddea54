"""How resources stand in the log: golden files that never change, and fields that come and go.

Never change a golden file: logs hold such bytes. If a test fails here after a change of a codec, give the kind a new
schema (`docs/explanation/log.md`) and add a golden file for it.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from tests.support.golden import RECORDS

from modelyard_server.app import CAPABILITIES, offers_of
from modelyard_server.log.encoding import canonical
from modelyard_server.log.kinds import Kind
from modelyard_server.webhooks.values import Webhook

_FILES: Final = Path(__file__).parents[1] / "data/events"
_KINDS: Final = {kind.name: kind for kind in offers_of(CAPABILITIES).of(Kind)}
_READ: Final = [name for name, kind in _KINDS.items() if kind.render is not None]


def _golden(name: str) -> bytes:
    return (_FILES / f"{name}.json").read_bytes()


@pytest.mark.parametrize("name", _KINDS)
def test_a_record_is_written_as_its_golden_file(name: str) -> None:
    assert canonical(_KINDS[name].snapshot(RECORDS[name])) == _golden(name)
    assert set(json.loads(_golden(name))) == _KINDS[name].schemas[1], "the record has a field that is empty"


@pytest.mark.parametrize("name", _READ)
def test_a_golden_file_is_read_as_its_record(name: str) -> None:
    kind = _KINDS[name]
    read = kind.decode(json.loads(_golden(name)))

    if isinstance(read, Webhook):  # of a URL, the log has only the host
        read = replace(read, url="https://hooks.example/secret/path")
    assert read == RECORDS[name]


def test_every_kind_has_a_golden_file() -> None:
    assert {path.stem for path in _FILES.iterdir()} == set(_KINDS)
