"""A process that uses the SDK may fork, as data loaders do: parent and children go on working, and nobody hangs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.server import ServerProcess, clean_environment

PREAMBLE = """
import asyncio, multiprocessing, os, signal, sys, threading, time
import modelyard

url, server_pid = os.environ["MODELYARD_URL"], int(sys.argv[1])

def in_child(work, *, leave=os._exit):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a hang is a failure, not a wait
        work()
        sys.stdout.flush()
        leave(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"child ended with {status}"

def call():
    assert modelyard.resolve("team/fraud").version.number == 1
"""


@pytest.fixture
def run(server: ServerProcess, tmp_path: Path) -> Callable[..., None]:
    """Runs a script in a fresh process, against a registry with one version, and wants silence from it.

    The script begins with a push. If it is ``unused``, that is left to another process.
    """

    def run(script: str, *, unused: bool = False, **variables: str) -> None:
        environment = (
            clean_environment()
            | variables
            | {
                "MODELYARD_URL": server.url,
                "MODELYARD_CACHE_DIR": str(tmp_path / "script-cache"),
            }
        )
        files = tmp_path / "model"
        files.mkdir()
        (files / "weights").write_bytes(b"weights")
        push = f"modelyard.push('team/fraud', {str(files)!r}, capture=False)\n"
        for program in (push, script) if unused else (push + script,):
            command = [sys.executable, "-W", "error", "-c", PREAMBLE + program, str(server.pid)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)

            assert (done.returncode, done.stderr) == (0, "")

    return run


def test_client_and_functions_work_on_both_sides_of_a_fork(run: Callable[..., None]) -> None:
    run("""
client = modelyard.Client()
def both():
    assert client.models.get("team/fraud").name.model == "fraud"
    assert [version.number for version in client.versions.list("team/fraud")] == [1]
    assert modelyard.pull("team/fraud").version.number == 1
both()
for _ in range(3):
    in_child(both)
    both()
""")


def test_children_may_fork_and_may_exit_like_any_program(run: Callable[..., None]) -> None:
    run("""
def grandparent():
    call()
    in_child(call)
    call()
call()
in_child(grandparent)
in_child(grandparent, leave=sys.exit)
in_child(lambda: None, leave=sys.exit)
call()
""")


def test_workers_of_multiprocessing_inherit_a_working_client(run: Callable[..., None]) -> None:
    run("""
call()
with multiprocessing.get_context("fork").Pool(4) as pool:
    assert pool.map(modelyard.pull, ["team/fraud"] * 8)[7].version.number == 1
    call()
""")


def test_forks_wait_for_short_calls_of_other_threads(run: Callable[..., None]) -> None:
    run("""
stop = threading.Event()
def call_all_the_time():
    while not stop.is_set():
        call()
threads = [threading.Thread(target=call_all_the_time, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(50):
    in_child(call)
stop.set()
for thread in threads:
    thread.join()
""")


def test_a_child_may_load_what_another_thread_was_loading(run: Callable[..., None]) -> None:
    """Also the first use of Modelyard, which loads most of it, may be in a thread of a process that forks."""
    run(
        """
loading, forked = threading.Event(), threading.Event()
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "modelyard._default":
            loading.set()
            forked.wait(1)  # the fork waits for it
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=call)
thread.start()
loading.wait()
in_child(call)
forked.set()
thread.join()
""",
        unused=True,
    )


def test_no_loop_connects_in_the_moment_of_a_fork(run: Callable[..., None]) -> None:
    """A loop that has no connection yet is not asked to free one: it waits when it comes to connect."""
    run(
        """
yard = None
def connect():  # runs right before the fork, as it is registered before Modelyard is loaded
    if yard is not None:
        asyncio.run_coroutine_threadsafe(first_call(), loop)
        begun.wait()
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        turned.wait(0.5)  # never, if the loop waits for the fork
os.register_at_fork(before=connect)
async def first_call():
    begun.set()
    await yard.models.get("team/fraud")
    answered.set()
def work():
    assert yard._connection.loop is None
    call()
begun, answered = threading.Event(), threading.Event()
loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever, daemon=True)
thread.start()
call()
yard = modelyard.AsyncClient()
in_child(work)
answered.wait()
""",
        unused=True,
    )


def test_a_process_may_fork_at_once_after_a_client_was_closed(run: Callable[..., None]) -> None:
    run("""
for _ in range(20):
    with modelyard.Client() as client:
        client.models.get("team/fraud")
    in_child(call)
""")


def test_an_idle_async_client_does_not_hinder_a_fork_from_its_own_loop_or_another_thread(
    run: Callable[..., None],
) -> None:
    run("""
async def main():
    async with modelyard.AsyncClient() as yard:
        await yard.models.get("team/fraud")
        call()
        in_child(call)
        in_child(lambda: asyncio.run(modelyard.AsyncClient().models.get("team/fraud")))
        in_child(lambda: asyncio.run(yard.models.get("team/fraud")))
        await asyncio.to_thread(in_child, call)
        await yard.models.get("team/fraud")
asyncio.run(main())
call()
""")


def test_a_child_forked_during_a_long_call_is_told_and_the_call_goes_on(run: Callable[..., None]) -> None:
    run(
        """
import gc
client = modelyard.Client()
connection = client._client._connection
client.models.get("team/fraud")
os.kill(server_pid, signal.SIGSTOP)
results = []
thread = threading.Thread(target=lambda: results.append(client.models.get("team/fraud")))
thread.start()
while not connection._opened.calls:
    time.sleep(0.001)

def refused():
    global client, connection
    for attempt in (client.models.get, modelyard.pull):
        try:
            attempt("team/fraud")
        except modelyard.FailedPreconditionError as error:
            assert error.reason == "FORKED_DURING_CALL"
        else:
            sys.exit("worked")
    client.close()
    client = connection = None
    gc.collect()
in_child(refused)
in_child(refused, leave=sys.exit)
os.kill(server_pid, signal.SIGCONT)
thread.join()
assert len(results) == 1
in_child(call)
""",
        GRPC_VERBOSITY="ERROR",  # it logs that such a fork is none of its making
    )
