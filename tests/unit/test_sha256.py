"""A sha256 goes on from its state, and says the same as hashlib."""

import hashlib
import random

import pytest

from modelyard_server.blobs import sha256
from modelyard_server.blobs.sha256 import new_sha256, resume_sha256

_RANDOM = random.Random(3)


@pytest.fixture(params=["openssl", "hashlib"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "hashlib":
        monkeypatch.setattr(sha256, "_library", lambda: None)
    return str(request.param)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 128, 1000, 1 << 20])
def test_the_digest_is_that_of_hashlib(engine: str, size: int) -> None:
    data = _RANDOM.randbytes(size)
    running = new_sha256()
    for start in range(0, size, 300):
        running.update(data[start : start + 300])

    assert running.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert running.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"  # asking changes nothing


@pytest.mark.parametrize("paused", [0, 1, 55, 63, 64, 65, 127, 128, 999, 1000])
def test_a_hash_goes_on_from_its_state(paused: int) -> None:
    data = _RANDOM.randbytes(1000)
    first = new_sha256()
    first.update(data[:paused])
    state = first.state
    first.update(b"something else")

    assert state is not None, "this Python keeps no state: uploads are read again after each restart"
    assert len(state) == 40 + paused % 64
    second = resume_sha256(state, paused)
    assert second is not None
    assert second.state == state
    second.update(data[paused:])
    assert second.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_hash_of_more_than_half_a_gibibyte_goes_on() -> None:
    """The number of bits does not fit into the first of its two words."""
    part, count = bytes(1 << 20), 513
    whole, running = hashlib.sha256(), new_sha256()
    for _ in range(count):
        whole.update(part)
        running.update(part)
    state = running.state
    assert state is not None
    resumed = resume_sha256(state, count << 20)
    assert resumed is not None
    for each in (whole, resumed):
        each.update(b"the rest")

    assert resumed.digest == f"sha256:{whole.hexdigest()}"


def test_a_state_is_the_same_on_every_machine() -> None:
    """The words are those of FIPS 180-4, big end first; so a state may be taken up by any release on any processor."""
    running = new_sha256()
    running.update(b"abc")

    assert running.state == (
        bytes.fromhex("6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19") + bytes(7) + b"\x03abc"
    )


@pytest.mark.parametrize("change", [b"", b"x", bytes(39), bytes(104)])
def test_what_is_no_state_is_not_taken_up(change: bytes) -> None:
    assert resume_sha256(change, 0) is None


def test_the_state_of_other_bytes_is_not_taken_up() -> None:
    running = new_sha256()
    running.update(bytes(100))
    state = running.state
    assert state is not None

    assert resume_sha256(state, 99) is None
    assert resume_sha256(state[:-1], 100) is None
    assert resume_sha256(state + b"x", 100) is None


def test_without_openssl_no_state_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    state = new_sha256().state
    monkeypatch.setattr(sha256, "_library", lambda: None)

    assert state is not None
    assert new_sha256().state is None
    assert resume_sha256(state, 0) is None
