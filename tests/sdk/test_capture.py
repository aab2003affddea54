"""What a push collects by itself: true, in time, and without a secret in it."""

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from modelyard._capture import capture, hardware, job
from modelyard._capture import environment as environments
from modelyard._capture.budget import Budget, OncePerProcess, TooLateError
from modelyard._capture.dot_git import without_credentials
from modelyard._capture.secrets import MASK, mask_arguments, mask_text
from modelyard._capture.text import MAX_CHARACTERS, clean
from modelyard.core.facts import Environment, Source

CANARY = "c4n4ry-hunter2"
SCRIPT = """
    import dataclasses, json
    from modelyard._capture import capture
    found = capture()
    facts = {name: dict(value) if hasattr(value, "keys") else value
             for name in ("python", "os", "packages", "hardware", "image", "job")
             for value in [getattr(found.environment, name)]}
    print(json.dumps({"source": dataclasses.asdict(found.source), "environment": facts}))
"""


def git(folder: Path, *arguments: str) -> str:
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{f"GIT_{who}_{what}": "someone@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, env=environment)
    return done.stdout.decode().strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of one training script."""
    folder = tmp_path / "fraud"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "train.py").write_text(textwrap.dedent(SCRIPT))
    (folder / "data.txt").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


@pytest.fixture
def inside(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with this process in it."""
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "argv", [""])
    return repository


def source() -> Source:
    found = capture().source
    assert found is not None
    return found


def environment() -> Environment:
    found = capture().environment
    assert found is not None
    return found


def run(*command: str, folder: Path, **variables: str) -> dict[str, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, check=True, capture_output=True, env=os.environ | variables
    )
    answer: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answer


class TestRepository:
    def test_clean_checkout_is_its_commit(self, inside: Path) -> None:
        git(inside, "remote", "add", "origin", "https://me:hunter2@example.com/team/fraud.git?token=hunter2")
        assert source() == Source(
            repository="https://example.com/team/fraud.git",
            commit=git(inside, "rev-parse", "HEAD"),
            branch="main",
        )

    def test_changed_tree_is_dirty_and_its_difference_has_a_digest(self, inside: Path) -> None:
        (inside / "data.txt").write_text("two\n")
        digest = hashlib.sha256(f"{git(inside, 'diff', '--full-index', 'HEAD')}\n".encode()).hexdigest()
        assert source().dirty
        assert source().diff_digest == f"sha256:{digest}"

    def test_digest_is_the_same_under_other_settings(self, inside: Path) -> None:
        (inside / "data.txt").write_text("two\n")
        before = source().diff_digest
        for setting in ("diff.noprefix=true", "diff.context=9", "color.diff=always", "diff.mnemonicPrefix=true"):
            git(inside, "config", *setting.split("="))
        assert source().diff_digest == before

    def test_staged_change_counts(self, inside: Path) -> None:
        (inside / "data.txt").write_text("two\n")
        git(inside, "add", ".")
        assert source().diff_digest

    def test_untracked_file_does_not(self, inside: Path) -> None:
        (inside / "scratch.txt").write_text("x")
        assert not source().dirty

    def test_detached_head_has_a_commit_and_no_branch(self, inside: Path) -> None:
        git(inside, "checkout", "--quiet", "--detach")
        assert source().branch == ""
        assert source().commit

    def test_head_without_commits_has_a_branch_and_no_commit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        git(tmp_path, "init", "--quiet", "--initial-branch=trunk")
        (tmp_path / "x").write_text("x")
        git(tmp_path, "add", "x")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [""])
        assert source() == Source(branch="trunk")

    def test_work_tree_of_its_own_is_a_repository_too(self, inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(inside, "worktree", "add", "--quiet", "-b", "side", "../side")
        monkeypatch.chdir(inside.parent / "side")
        assert source().branch == "side"

    @pytest.mark.usefixtures("inside")
    def test_variables_of_a_surrounding_git_hook_do_not_mislead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_DIR", "/nonexistent")
        assert source().branch == "main"

    def test_packed_references_are_read(self, inside: Path) -> None:
        commit = git(inside, "rev-parse", "HEAD")
        git(inside, "pack-refs", "--all")
        assert not (inside / ".git" / "refs" / "heads" / "main").exists()
        assert source() == Source(commit=commit, branch="main")

    @pytest.mark.parametrize(
        ("setting", "address"),
        [
            ('[remote "origin"]\n\turl = "https://host/a b" # ours\n', "https://host/a b"),
            ('[remote "origin"] url = C:\\\\x\n[remote "other"]\n\turl = no\n', "C:\\x"),
            ('[remote "origin"]\n\turl = first\n[REMOTE "origin"]\n\tURL=last;\n', "last"),
            ('[remote "Origin"]\n\turl = no\n', ""),
        ],
    )
    def test_address_is_read_as_git_does(self, inside: Path, setting: str, address: str) -> None:
        with (inside / ".git" / "config").open("a") as config:
            config.write(setting)
        done = subprocess.run(
            ["git", "-C", inside, "config", "--get", "remote.origin.url"], capture_output=True, check=False
        )
        assert done.stdout.decode().strip() == address
        assert source().repository == address

    @pytest.mark.parametrize("head", ["ref: refs/../../secret", "ref: /etc/passwd", "ref: refs/x/../y", "junk", ""])
    def test_damaged_repository_says_so_and_leads_nowhere(self, inside: Path, head: str) -> None:
        (inside / "secret").write_text("0" * 40)
        (inside / ".git" / "HEAD").write_text(head)
        found = source()
        assert found.commit == ""
        assert found.not_collected["commit"] == "the repository's HEAD is damaged"
        assert "dirty" in found.not_collected

    def test_pipe_in_place_of_a_file_is_not_waited_for(self, inside: Path) -> None:
        (inside / ".git" / "HEAD").unlink()
        os.mkfifo(inside / ".git" / "HEAD")
        assert "commit" in source().not_collected

    def test_folder_that_only_looks_like_a_repository_is_none(
        self, inside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (inside / "sub" / ".git").mkdir(parents=True)
        monkeypatch.chdir(inside / "sub")
        assert source().branch == "main"

    def test_repository_of_another_user_tells_its_commit_and_runs_nothing(
        self, inside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (inside / "data.txt").write_text("two\n")
        git(inside, "config", "filter.evil.clean", f"touch {inside.parent}/ran")
        (inside / ".git" / "info" / "attributes").write_text("* filter=evil\n")
        commit = git(inside, "rev-parse", "HEAD")
        # What git itself is tested with: it takes the repository for another user's.
        monkeypatch.setattr(os, "geteuid", lambda: inside.stat().st_uid + 1)
        (inside.parent / "bin").mkdir()
        (inside.parent / "bin" / "git").write_text(
            '#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec /usr/bin/git "$@"\n'
        )
        (inside.parent / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{inside.parent}/bin:/usr/bin:/bin")
        found = source()
        assert (found.commit, found.branch, found.dirty) == (commit, "main", True)
        assert set(found.not_collected) == {"dirty", "diff_digest"}
        assert "belongs to another user" in found.not_collected["dirty"]
        assert not (inside.parent / "ran").exists()

    def test_no_repository_is_no_fact(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [""])
        assert capture().source is None

    def test_bytes_that_are_no_utf8_become_text(self, inside: Path) -> None:
        (inside / ".git" / "HEAD").write_bytes(b"ref: refs/heads/caf\xe9\n")
        (inside / "data.txt").write_bytes(b"\xff\xfe")
        assert source().branch == "caf�"

    def test_nothing_that_the_repository_configures_is_run_and_nothing_is_written(self, inside: Path) -> None:
        ran = inside.parent / "ran"
        program = inside.parent / "program"
        program.write_text(f"#!/bin/sh\necho x >> {ran}\n")
        program.chmod(0o755)
        hooks = inside / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "post-index-change").symlink_to(program)
        (inside / ".git" / "info").mkdir(exist_ok=True)
        (inside / ".git" / "info" / "attributes").write_text("*.txt diff=mine\n")
        for name in ("core.fsmonitor", "diff.external", "diff.mine.textconv", "diff.mine.command", "core.pager"):
            git(inside, "config", name, str(program))
        (inside / "data.txt").write_text("two\n")
        os.utime(inside / "train.py", (1, 1))  # git would like to refresh its index
        index = (inside / ".git" / "index").stat()
        assert source().diff_digest
        assert not ran.exists()
        now = (inside / ".git" / "index").stat()
        assert (now.st_ino, now.st_mtime_ns) == (index.st_ino, index.st_mtime_ns)


class TestHostileGit:
    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    @staticmethod
    def install(path: Path, script: str) -> None:
        (path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (path / "git").chmod(0o755)

    def test_missing_git_leaves_the_rest(self, inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(inside))
        monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "0.1"])
        found = source()
        assert (found.entry_point, found.arguments) == ("train.py", ("--lr", "0.1"))
        assert found.branch == "main"
        assert found.commit
        assert found.not_collected == dict.fromkeys(["dirty", "diff_digest"], "git is not installed")

    @pytest.mark.usefixtures("inside")
    def test_hanging_git_is_killed_in_time_with_all_it_started(self, path: Path) -> None:
        self.install(path, f"sleep 600 & echo $$ $! > {path}/pids.new\nmv {path}/pids.new {path}/pids\nwait")
        threads = threading.active_count()
        # The time is up once git hangs. It would hang for longer than a test may take.
        budget = Budget(300, clock=lambda: 300.0 if (path / "pids").exists() else 0.0)
        found = capture(budget).source
        assert found is not None
        assert found.commit
        assert found.not_collected == dict.fromkeys(["dirty", "diff_digest"], "collecting took longer than 300 s")
        assert threading.active_count() == threads
        pids = [int(pid) for pid in (path / "pids").read_text().split()]
        _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=5)
        assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]

    @pytest.mark.usefixtures("inside")
    def test_commit_that_was_not_compared_is_not_called_clean(self, path: Path) -> None:
        self.install(path, 'case "$*" in *status*) exit 9;; *) exec /usr/bin/git "$@";; esac')
        assert source().commit
        assert source().dirty
        assert source().not_collected["dirty"] == "git failed with exit code 9"

    @pytest.mark.usefixtures("inside")
    def test_endless_answer_is_cut(self, path: Path) -> None:
        self.install(path, "exec cat /dev/zero")
        # No time passes: it is cut for its length.
        found = capture(Budget(300, clock=lambda: 0.0)).source
        assert found is not None
        assert found.not_collected["dirty"] == "git's answer is longer than 64 MiB"

    @pytest.mark.usefixtures("inside")
    def test_nothing_of_a_failing_git_is_recorded(self, path: Path) -> None:
        self.install(path, "echo secret; echo secret >&2; exit 128")
        assert "secret" not in repr(source())


class TestEntryPoint:
    def test_script_is_named_by_its_path_in_the_repository(self, repository: Path, tmp_path: Path) -> None:
        found = run(str(repository / "train.py"), "--lr", "0.1", folder=tmp_path)["source"]
        assert found["entry_point"] == "train.py"
        assert found["arguments"] == ["--lr", "0.1"]
        assert found["branch"] == "main"

    def test_module_is_named_as_python_does(self, repository: Path) -> None:
        (repository / "jobs").mkdir()
        (repository / "train.py").rename(repository / "jobs" / "train.py")
        assert run("-m", "jobs.train", folder=repository)["source"]["entry_point"] == "jobs.train"

    def test_installed_command_is_named_and_its_code_is_looked_for_where_it_was_called(
        self, inside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", [str(Path(sys.prefix) / "bin" / "pytest"), "-x"])
        assert source().entry_point == "pytest"
        assert source().commit == git(inside, "rev-parse", "HEAD")

    def test_argument_that_is_no_utf8_becomes_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["train.py", "caf\udce9", "\ud800", "a\x1b[31m\n\u202eb"])
        assert source().arguments == ("caf�", "�", "a�[31m��b")
        "".join(source().arguments).encode()


class TestNotebook:
    @pytest.fixture(autouse=True)
    def kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that is a notebook's kernel, as its shell's class and the kernel's arguments show."""
        shell = type("Shell", (type("ZMQInteractiveShell", (), {}),), {})()
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        monkeypatch.setattr(sys, "argv", ["/lib/ipykernel_launcher.py", "-f", "/run/user/kernel-1.json"])

    def test_entry_point_is_the_notebook(self, inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JPY_SESSION_NAME", str(inside / "notes" / "train.ipynb"))
        monkeypatch.chdir(inside.parent)
        found = source()
        assert (found.entry_point, found.arguments) == ("notes/train.ipynb", ())
        assert found.branch == "main"

    def test_an_editor_tells_it_too(self, inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", str(inside / "x.ipynb"), raising=False)
        assert source().entry_point == "x.ipynb"

    @pytest.mark.usefixtures("inside")
    def test_notebook_without_a_name_is_not_called_by_its_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
        found = source()
        assert (found.entry_point, found.arguments) == ("", ())
        assert set(found.not_collected) == {"entry_point"}
        assert found.commit


class TestSecrets:
    def test_canary_in_every_source_never_appears(self, repository: Path) -> None:
        git(repository, "remote", "add", "origin", f"https://u:{CANARY}@example.com/x?token={CANARY}#{CANARY}")
        (repository / "data.txt").write_text(CANARY)
        found = run(
            "train.py",
            *(
                "--token",
                CANARY,
                f"--password={CANARY}",
                f"db.secret={CANARY}",
                "-H",
                f"Authorization: Bearer {CANARY}",
            ),
            *(f"postgres://u:{CANARY}@db/x", f'{{"api_key": "{CANARY}"}}', f"https://x/?sig={CANARY}"),
            folder=repository,
            GITHUB_ACTIONS="true",
            GITHUB_TOKEN=CANARY,
            GITHUB_SERVER_URL=f"https://u:{CANARY}@example.com",
            AWS_SECRET_ACCESS_KEY=CANARY,
            MODELYARD_TOKEN=CANARY,
            SOMETHING=CANARY,
            JENKINS_URL=f"https://{CANARY}@ci",
            BUILD_URL=f"https://u:{CANARY}@ci/1",
            CONTAINER_IMAGE=f"https://u:{CANARY}@registry/image",
        )
        assert found["environment"]["job"]
        assert CANARY not in json.dumps(found)

    @pytest.mark.parametrize(
        ("given", "recorded"),
        [
            (["--token", "x", "data.csv"], ["--token", MASK, "data.csv"]),
            (["--api-key=x=y"], [f"--api-key={MASK}"]),
            (["--password", "-x1", "--lr", "1"], ["--password", MASK, "--lr", "1"]),
            (["--use-auth", "--lr", "1"], ["--use-auth", "--lr", "1"]),
            (["--hfToken", "x"], ["--hfToken", MASK]),
            (["+trainer.wandb_api_key=x"], [f"+trainer.wandb_api_key={MASK}"]),
            (["a=1,password=x,y"], [f"a=1,password={MASK}"]),
            (["run --token x --lr 1"], [f"run --token {MASK}"]),
            (["s3://key:x/y@host/p"], [f"s3://{MASK}@host/p"]),
            (["AKIAIOSFODNN7EXAMPLE"], [MASK]),
            (["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"], [MASK]),
            (["ghp_" + "a1B2" * 9], [MASK]),
            (["id=hf_" + "abcdefgh" * 4], [f"id={MASK}"]),
            (["sk-proj-abcdefghijklmnopqrstuvwx"], [MASK]),
            (["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"], [MASK]),
            (["-----BEGIN RSA PRIVATE KEY-----\nabc"], [MASK]),
            (["--id=0123456789abcdef0123456789abcdef01234567"], [f"--id={MASK}"]),
            (["x" * 5000], [MASK]),
            (["-p", "hunter2"], ["-p", MASK]),
            (["-phunter2"], [f"-p{MASK}"]),
            (["-p=x"], [f"-p={MASK}"]),
            (["mysql -p hunter2"], [f"mysql -p {MASK}"]),
            (["-u", "me:x"], ["-u", MASK]),
            (["-ume:x"], [f"-u{MASK}"]),
            (["--user=me:x"], [f"--user={MASK}"]),
            (["curl -u me:x https://host"], [f"curl -u {MASK} https://host"]),
            (["--pin", "1234"], ["--pin", MASK]),
            (["--card.pin=1234"], [f"--card.pin={MASK}"]),
            (["--pin-code", "1234"], ["--pin-code", MASK]),
            (["--token", "0123456789abcdef0123456789abcdef01234567"], ["--token", MASK]),
            (["base_key=0123456789abcdef0123456789abcdef01234567"], [f"base_key={MASK}"]),
        ],
    )
    def test_what_looks_like_a_secret_is_masked(self, given: list[str], recorded: list[str]) -> None:
        assert list(mask_arguments(given)) == recorded

    @pytest.mark.parametrize(
        "given",
        [
            ["--tokenizer", "bert-base", "--max-tokens", "512", "--author", "me", "--monkey=1"],
            ["--name", "resnet50v2_imagenet1k_epoch12_bs256_lr1e3", "checkpoint20240101"],
            ["/data/very/long/path/to/training-set", "https://github.com/team/fraud@main", "git@github.com:a/b"],
            ["team/fraud@sha256:" + "0af3" * 16, "550e8400-e29b-41d4-a716-446655440000"],
            ["scikit-learn", "--sort=name", "--lr=1e-3", "optimizer=adam", "", "-", "--"],
            ["--commit", "0123456789abcdef0123456789abcdef01234567", "--pin-memory", "True", "dropout.p=0.5"],
            ["0123456789abcdef0123456789abcdef01234567", "-profile", "--user", "me", "-u", "https://host/x"],
            [f"--base.revision={'0af3' * 10}", f"org/model@{'0af3' * 10}", f"/hub/snapshots/{'0af3' * 10}/config.json"],
        ],
    )
    def test_what_does_not_is_kept(self, given: list[str]) -> None:
        assert list(mask_arguments(given)) == given

    @pytest.mark.parametrize("piece", ["a ", "a://b:", "-a", "a=b:", "a1B", "password", " ", "--token ", "://", "@"])
    def test_the_work_for_an_argument_grows_with_its_length_and_no_faster(
        self, monkeypatch: pytest.MonkeyPatch, piece: str
    ) -> None:
        # Longer arguments are never looked through. Here they are, so that a square would take minutes. It is the
        # processor's time of this thread that counts: a busy machine does not change it.
        monkeypatch.setattr("modelyard._capture.secrets._MAX_CHARACTERS", 1 << 20)
        start = time.thread_time()
        mask_text(piece * ((1 << 18) // len(piece)))
        assert time.thread_time() - start < 20

    @pytest.mark.parametrize(
        ("url", "recorded"),
        [
            ("git@github.com:team/fraud.git", "git@github.com:team/fraud.git"),
            ("ssh://git@host:22/team/fraud", "ssh://git@host:22/team/fraud"),
            ("https://x@host/p", "https://host/p"),
            ("https://u:p/w@host/p", f"https://{MASK}@host/p"),
            ("https://u:p?#@host/p", "https://host/p"),
            ("me:x@host:path", "host:path"),
            ("/srv/git/fraud.git", "/srv/git/fraud.git"),
        ],
    )
    def test_address_of_a_remote_loses_its_credentials(self, url: str, recorded: str) -> None:
        assert without_credentials(url) == recorded


class TestEnvironment:
    def test_tells_interpreter_system_and_packages(self) -> None:
        found = environment()
        assert found.python == ".".join(map(str, sys.version_info[:3]))
        assert found.os.split()[0] == os.uname().sysname
        assert found.packages["grpcio"]
        assert all(name == name.lower() and "_" not in name for name in found.packages)

    def test_packages_agree_with_the_interpreter(self) -> None:
        import importlib.metadata

        for name, version in environment().packages.items():
            assert importlib.metadata.version(name) == version

    def test_tells_the_machine_as_this_process_may_use_it(self) -> None:
        found = environment().hardware
        assert found["cpu"]
        assert found["host"]
        assert 0 < float(found["cpu_count"]) <= (os.cpu_count() or 1)
        assert 0 < int(found["memory_bytes"]) <= psutil.virtual_memory().total

    @pytest.mark.parametrize(
        ("listing", "files", "cpus"),
        [
            ("0::/a/b\n", {"cpu.max": "max 1", "a/cpu.max": "50000 100000", "a/b/cpu.max": "max 1"}, "0.5"),
            ("4:cpu,x:/a\n", {"cpu,x/a/cpu.cfs_quota_us": "25000", "cpu,x/a/cpu.cfs_period_us": "100000"}, "0.25"),
            ("0::/not/seen/from/here\n", {"cpu.max": "75000 100000"}, "0.75"),
        ],
    )
    def test_a_container_has_the_processors_that_it_was_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str, files: dict[str, str], cpus: str
    ) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        (tmp_path / "listing").write_text(listing)
        monkeypatch.setattr(hardware, "_CGROUPS", tmp_path)
        monkeypatch.setattr(hardware, "_OWN_CGROUPS", tmp_path / "listing")
        assert hardware.cpu_count() == cpus

    def test_accelerators_come_from_torch_only_if_it_is_awake(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        awake = False
        cuda = SimpleNamespace(
            is_initialized=lambda: awake, device_count=lambda: 2, get_device_name=lambda _: "NVIDIA H100"
        )
        monkeypatch.setattr(hardware, "_NVIDIA", tmp_path)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
        assert "accelerators" not in environment().hardware
        (tmp_path / "0").mkdir()
        (tmp_path / "0" / "information").write_text("Model: \t NVIDIA A100\nIRQ: 1\n")
        assert environment().hardware["accelerators"] == "1 x NVIDIA A100"
        awake = True
        assert environment().hardware["accelerators"] == "2 x NVIDIA H100"


class TestJob:
    @pytest.fixture(autouse=True)
    def desk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in os.environ:
            if name not in {"PATH", "HOME"}:
                monkeypatch.delenv(name)

    def test_desk_has_no_job(self) -> None:
        assert job.job() == {}
        assert job.image() == ""

    @pytest.mark.parametrize(
        ("variables", "recorded"),
        [
            (
                {"GITHUB_ACTIONS": "1", "GITHUB_RUN_ID": "7", "GITHUB_TOKEN": "x"},
                {"ci": "github", "github_run_id": "7"},
            ),
            ({"GITLAB_CI": "true", "CI_JOB_ID": "7", "CI_JOB_TOKEN": "x"}, {"ci": "gitlab", "ci_job_id": "7"}),
            ({"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_CONF": "x"}, {"slurm_job_id": "7", "slurm_procid": "0"}),
            ({"KUBERNETES_SERVICE_HOST": "x", "HOSTNAME": "train-0"}, {"kubernetes_pod": "train-0"}),
            ({"HOSTNAME": "desk", "BUILD_NUMBER": "7"}, {}),
        ],
    )
    def test_records_the_ids_of_known_systems_and_nothing_else(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], recorded: dict[str, str]
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert job.job() == recorded


class TestBudget:
    def test_late_facts_are_left_out_and_asked_again_next_time(self) -> None:
        now, asked = 0.0, []

        def find(budget: Budget) -> int:
            asked.append(1)
            budget.check()
            return 7

        fact = OncePerProcess(find)
        late = Budget(0.3, clock=lambda: now)
        now = 0.4
        with pytest.raises(TooLateError):
            fact.get(late)
        assert [fact.get(Budget(1)), fact.get(Budget(1))] == [7, 7]
        assert len(asked) == 2

    def test_nothing_that_goes_wrong_reaches_the_caller(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> str:
            raise RuntimeError

        for target in ("dot_git.find", "job.job", "environment.python", "hardware.hardware", "entry.entry"):
            monkeypatch.setattr(f"modelyard._capture.{target}", broken)
        found = capture()
        reason = "looking for it failed with RuntimeError"
        assert found.source is not None
        assert found.source.not_collected["commit"] == reason
        assert found.environment is not None
        assert found.environment.python == ""
        assert found.environment.not_collected == dict.fromkeys(["python", "job", "hardware"], reason)

    @pytest.mark.usefixtures("inside")
    def test_packages_that_take_too_long_leave_the_commit_and_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0

        def slow(_: str) -> list[str]:
            nonlocal now
            now = 5.0
            return []

        monkeypatch.setattr("modelyard._capture.environment._PACKAGES", OncePerProcess(environments._find_packages))
        monkeypatch.setattr("os.listdir", slow)
        found = capture(Budget(5, clock=lambda: now))
        late = "collecting took longer than 5 s"
        assert found.source is not None
        assert (found.source.branch, found.source.dirty) == ("main", True)
        assert found.source.not_collected == {"dirty": late, "diff_digest": late}
        assert found.environment is not None
        assert found.environment.python
        assert found.environment.hardware["host"]
        assert found.environment.not_collected == {"packages": late}

    def test_file_system_that_never_answers_does_not_hold_the_push(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answers = threading.Event()

        def hung(_: Budget) -> dict[str, str]:
            answers.wait()
            return {}

        monkeypatch.setattr("modelyard._capture.environment.packages", hung)
        monkeypatch.setattr("modelyard._capture._GRACE_SECONDS", 0.0)
        try:
            found = capture(Budget(0.01))
            assert found.environment is not None
            assert "packages" in found.environment.not_collected
        finally:
            answers.set()

    def test_working_folder_that_is_gone_is_no_reason_to_fail(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        capture()


def test_long_text_is_cut() -> None:
    assert clean("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS
    assert clean("x" * (MAX_CHARACTERS + 1)) == "x" * (MAX_CHARACTERS - 1) + "…"
