"""Where a client goes, and what it never sends."""

from pathlib import Path

import pytest

import modelyard
from modelyard import _config
from modelyard._config import endpoint

REMOTE = "a.example"
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "TOKEN", "CA_FILE", "INSECURE", "CACHE_DIR"):
        monkeypatch.delenv(f"MODELYARD_{name}", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.mark.parametrize(
    ("url", "target", "server", "tls"),
    [
        (None, "dns:///127.0.0.1:4850", "grpc://127.0.0.1:4850", False),
        ("grpc://localhost", "dns:///localhost:4850", "grpc://localhost:4850", False),
        ("grpc://LocalHost:1/", "dns:///localhost:1", "grpc://localhost:1", False),
        ("grpc://[::1]:9", "dns:///[::1]:9", "grpc://[::1]:9", False),
        (f"grpcs://{REMOTE}", f"dns:///{REMOTE}:443", f"grpcs://{REMOTE}:443", True),
        (f" grpcs://{REMOTE}:8443 ", f"dns:///{REMOTE}:8443", f"grpcs://{REMOTE}:8443", True),
        (f"dns:///{REMOTE}:1", f"dns:///{REMOTE}:1", f"dns:///{REMOTE}:1", True),
        ("unix:/run/yard.sock", "unix:/run/yard.sock", "unix:/run/yard.sock", False),
        ("unix:///run/yard.sock", "unix:///run/yard.sock", "unix:///run/yard.sock", False),
        ("xds:///yard", "xds:///yard", "xds:///yard", True),
    ],
)
def test_addresses_are_read(url: str | None, target: str, server: str, tls: bool) -> None:
    found = endpoint(url)

    assert (found.target, found.server, found.tls) == (target, server, tls)


@pytest.mark.parametrize("url", ["grpc://127.9.9.9:1", "grpc://[::1]:1", "grpc://localhost:1", "unix:x"])
def test_a_token_may_travel_in_plaintext_on_this_machine(url: str | None) -> None:
    assert endpoint(url, token="secret").token == "secret"


@pytest.mark.parametrize(
    "url", [f"grpc://{REMOTE}:1", "grpc://10.0.0.1", "grpc://localhost.example:1", "grpc://0.0.0.0:1"]
)
def test_plaintext_to_another_machine_must_be_asked_for(url: str | None) -> None:
    with pytest.raises(modelyard.InvalidArgumentError, match="insecure=True"):
        endpoint(url)
    assert not endpoint(url, insecure=True).tls


def test_plaintext_can_be_allowed_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(modelyard.InvalidArgumentError, match=r"MODELYARD_CA_FILE .* MODELYARD_INSECURE=1"):
        endpoint(f"grpc://{REMOTE}:1")
    monkeypatch.setenv("MODELYARD_INSECURE", "1")
    assert not endpoint(f"grpc://{REMOTE}:1").tls
    with pytest.raises(modelyard.InvalidArgumentError, match="plaintext"):
        endpoint(f"grpc://{REMOTE}:1", token="secret")
    monkeypatch.setenv("MODELYARD_INSECURE", "perhaps")
    with pytest.raises(modelyard.InvalidArgumentError, match=r"MODELYARD_INSECURE: 'perhaps' .* Use 1 or 0"):
        endpoint()


@pytest.mark.parametrize(
    "url", [f"grpc://{REMOTE}:1", f"dns:///{REMOTE}:1", "xds:///yard", "dns://127.0.0.1/b.example"]
)
def test_a_token_never_travels_in_plaintext_to_another_machine(url: str | None) -> None:
    with pytest.raises(modelyard.InvalidArgumentError, match="plaintext") as refused:
        endpoint(url, token="secret", insecure=True)
    assert "secret" not in str(refused.value)


def test_a_token_travels_with_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_TOKEN", "from-the-environment\n")

    assert endpoint(f"grpcs://{REMOTE}").token == "from-the-environment"
    assert endpoint(f"grpcs://{REMOTE}", token="given").token == "given"
    assert endpoint(f"grpcs://{REMOTE}", token="").token == ""


def test_nothing_that_is_meant_for_this_machine_goes_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST", "localhost."):
        assert endpoint(f"grpc://{host}:1").local
        assert endpoint(f"grpcs://{host}:1").local
    assert endpoint("dns:///localhost:1", insecure=True).local
    assert not endpoint(f"grpcs://{REMOTE}").local


@pytest.mark.parametrize(
    "url",
    [
        "http://host:1",
        "host:4850",
        "host",
        "grpc://",
        "grpc://:1",
        "grpc://host:notaport",
        "grpc://host:99999",
        "grpc://host:1/path",
        "grpc://host:1?query",
        "grpc://[::1",
    ],
)
def test_a_bad_address_is_refused_with_an_example(url: str | None) -> None:
    with pytest.raises(modelyard.InvalidArgumentError, match="grpcs://host:port"):
        endpoint(url)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(modelyard.InvalidArgumentError, match="MODELYARD_TOKEN") as refused:
        endpoint("grpcs://user:hunter2@host:1")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("token", ["two words", "two\nlines", "t\u00f6ken"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(modelyard.InvalidArgumentError, match="token") as refused:
        endpoint(token=token)
    assert token not in str(refused.value)


def test_secrets_are_not_printed() -> None:
    client = modelyard.Client("grpc://127.0.0.1:1", token="hunter2")

    assert repr(client) == "Client('grpc://127.0.0.1:1')"
    assert "hunter2" not in repr(endpoint(token="hunter2"))


def test_certificates_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELYARD_CA_FILE", str(tmp_path / "ca.pem"))
    assert endpoint("grpc://127.0.0.1:1").root_certificates is None
    with pytest.raises(modelyard.InvalidArgumentError, match=r"MODELYARD_CA_FILE: .*No such file"):
        endpoint(f"grpcs://{REMOTE}")

    (tmp_path / "ca.pem").write_bytes(b"PEM")
    with pytest.raises(modelyard.InvalidArgumentError, match=r"MODELYARD_CA_FILE: .*holds no certificate"):
        endpoint(f"grpcs://{REMOTE}")

    certificate = (DATA / "first.crt").read_bytes()
    (tmp_path / "ca.pem").write_bytes(certificate)
    assert endpoint(f"grpcs://{REMOTE}").root_certificates == certificate


def test_the_folder_of_the_cache_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert _config.cache_dir() == Path("/home/someone/.cache/modelyard")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert _config.cache_dir() == Path("/home/someone/.cache/modelyard")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert _config.cache_dir() == Path("/xdg/modelyard")
    monkeypatch.setenv("MODELYARD_CACHE_DIR", "~/models")
    assert _config.cache_dir() == Path("/home/someone/models")
    assert _config.cache_dir(tmp_path) == tmp_path


def test_without_a_home_folder_the_error_names_the_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError))

    with pytest.raises(modelyard.CacheError, match="MODELYARD_CACHE_DIR"):
        _config.cache_dir()


def test_the_size_of_the_cache_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELYARD_CACHE_BYTES", raising=False)
    assert _config.cache_bytes() == 100 * 1024**3
    monkeypatch.setenv("MODELYARD_CACHE_BYTES", "1000")
    assert _config.cache_bytes() == 1000
    assert _config.cache_bytes(5) == 5


@pytest.mark.parametrize(
    ("given", "size"),
    [("10GB", 10**10), ("10 gib", 10 * 2**30), ("1.5T", 15 * 10**11), ("7b", 7), ("512MiB", 2**29), ("4k", 4000)],
)
def test_a_size_may_have_a_unit(monkeypatch: pytest.MonkeyPatch, given: str, size: int) -> None:
    monkeypatch.setenv("MODELYARD_CACHE_BYTES", given)

    assert _config.cache_bytes() == size


@pytest.mark.parametrize("given", ["10 apples", "-1", "0", "1.5", "\u0665", "10GBB", "1e9"])
def test_what_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("MODELYARD_CACHE_BYTES", given)

    with pytest.raises(modelyard.InvalidArgumentError, match=r"not a (positive )?size"):
        modelyard.Client()
