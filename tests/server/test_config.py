"""Settings: where they come from, which wins, what is refused and how it is shown."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.support.children import clean_environment, run_server


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_server(*arguments, env=clean_environment() | environment)


def _shown(*arguments: str, **environment: str) -> dict[str, object]:
    done = _run("config", "--output", "json", *arguments, **environment)
    assert done.returncode == 0, done.stderr
    shown: dict[str, object] = json.loads(done.stdout)
    return shown


def test_no_arguments_mean_the_embedded_default_on_loopback(tmp_path: Path) -> None:
    shown = _shown(XDG_DATA_HOME=str(tmp_path))

    assert shown["listen"] == "127.0.0.1:4850"
    assert shown["data_dir"] == str(tmp_path / "modelyard")
    assert shown["database_url"] is None


def test_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('listen = "127.0.0.1:1"\nlog_level = "warning"\n')

    shown = _shown("--config", str(file), MODELYARD_SERVER_LISTEN="127.0.0.1:2")

    assert shown["listen"] == "127.0.0.1:2"
    assert shown["log_level"] == "warning"
    assert shown["log_format"] == "json"


def test_flags_win_over_everything(tmp_path: Path) -> None:
    """The flag's value is the one that is refused."""
    done = _run("serve", "--listen", "0.0.0.0:3", MODELYARD_SERVER_LISTEN="127.0.0.1:2")

    assert done.returncode == 1
    assert "other machines can reach 0.0.0.0:3" in done.stderr


def test_secrets_are_masked(tmp_path: Path) -> None:
    url = "postgresql://me:hunter2@db.example.org/yard"

    done = _run("config", MODELYARD_SERVER_DATABASE_URL=url)

    assert "postgresql://me:***@db.example.org/yard" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('lissen = "x"', "There is no setting 'lissen'. Did you mean 'listen'?"),
        ("log_level = 3", "log_level"),
        ("listen = [", "Invalid"),
        ('listen = "localhost"', "has no port"),
        ('listen = "4950"', "'4950' has no host. Use host:port, for example 127.0.0.1:4950."),
        ('admin_listen = "127.0.0.1:70000"', "'127.0.0.1:70000' has no port that exists. Use one up to 65535."),
        ('tls_cert = "x.crt"', "tls_cert and tls_key belong together"),
        ('tls_cert = "x.crt"\ntls_key = "x.key"', "there is no file x.crt"),
        ('listen = "0.0.0.0:4850"', "or set insecure if a mesh encrypts the traffic"),
        ('listen = "[::]:4850"', "or set insecure if a mesh encrypts the traffic"),
        ('listen = "registry:4850"', "or set insecure if a mesh encrypts the traffic"),
    ],
)
def test_wrong_settings_are_refused_and_explained(tmp_path: Path, toml: str, told: str) -> None:
    file = tmp_path / "server.toml"
    file.write_text(toml)

    done = _run("serve", "--config", str(file))

    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", "unix:/run/yard.sock"])
def test_loopback_needs_no_certificate(listen: str) -> None:
    assert _shown(MODELYARD_SERVER_LISTEN=listen)["listen"] == listen


def test_every_setting_is_a_flag_of_serve() -> None:
    told = _run("serve", "--help", COLUMNS="200", TERM="dumb").stdout

    for name in _shown():
        assert f"--{name.replace('_', '-')}" in told


@pytest.mark.parametrize(("command", "code"), [("serve", 1), ("migrate", 1), ("fsck", 2)])
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://me:hunter2@db/yard", "Unknown database 'mysql'."),
        ("foo", "It is not the URL of a database."),
        ("postgresql://me:hunter2@db:port/yard", "It is not the URL of a database."),
    ],
)
def test_the_url_of_another_database_is_refused_in_one_line_without_its_password(
    command: str, code: int, url: str, told: str, tmp_path: Path
) -> None:
    done = _run(command, "--data-dir", str(tmp_path), "--database-url", url)

    accepted = "Use postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or none for the embedded SQLite database."
    assert (done.returncode, done.stderr) == (code, f"error: database_url: {told} {accepted}\n")
