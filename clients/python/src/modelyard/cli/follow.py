"""``log`` and ``watch``: events of the past, and new versions as they come."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Annotated

import typer

from modelyard import Client, PulledModel
from modelyard.cli import documents, render
from modelyard.cli.completing import complete_reference
from modelyard.cli.exits import Exit
from modelyard.cli.options import with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.streams import written
from modelyard.cli.text import escape, short
from modelyard.cli.values import past
from modelyard.core.limits import MAX_PAGE_SIZE
from modelyard.core.names import DEFAULT_NAMESPACE
from modelyard.core.times import EXAMPLES, rfc3339

_SHOWN = 5
"""Most namespaces that are named beside a log."""


@with_session
def log(
    session: Session,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="A namespace, a model, a version or an alias, for example team/fraud@production.",
            autocompletion=complete_reference,
        ),
    ] = None,
    matching: Annotated[
        str,
        typer.Option(
            "--filter",
            "-f",
            metavar="FILTER",
            help="Only matching events, for example 'actor = anna AND time > now-7d'.",
        ),
    ] = "",
    since: Annotated[
        str, typer.Option(metavar="TIME", help=f"Only events from then on, for example {EXAMPLES}.", show_default=False)
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Only events up to then.", show_default=False)] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most events to list.")] = 50,
) -> None:
    """List the events of the log, newest first: what changed, when, by whom and why.

    Times without a zone are in UTC.
    """
    conditions = [matching] if matching else []
    if since:
        conditions.append(f'time >= "{rfc3339(past("--since", since))}"')
    if until:
        conditions.append(f'time <= "{rfc3339(past("--until", until, end=True))}"')
    with session.client() as client:
        if what is None:
            _tell_of_others(session, client)
        shown, size = what or DEFAULT_NAMESPACE, min(limit, MAX_PAGE_SIZE)
        found = client.events.list(shown, filter=" AND ".join(conditions), newest_first=True, page_size=size)
        events = islice(found, limit)
        session.show_list("events", events, render.events, f"nothing happened to {shown}")


def _tell_of_others(session: Session, client: Client) -> None:
    """Each namespace has a log of its own. Names those that are not shown."""
    others = [each.id for each in islice(client.namespaces.list(), _SHOWN + 1) if each.id != DEFAULT_NAMESPACE]
    if others:
        more = ", …" if len(others) > _SHOWN else ""
        named = ", ".join(others[:_SHOWN])
        session.note(f"this is the log of the namespace {DEFAULT_NAMESPACE}; others have their own: {named}{more}")


@with_session
def watch(
    session: Session,
    ref: Annotated[
        str,
        typer.Argument(metavar="REF", help="For example team/fraud@production.", autocompletion=complete_reference),
    ],
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="CMD",
            help="A shell command to run for each version. The files are in $MODELYARD_PATH.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait for a registry, a model or an alias that does not exist yet.",
            show_default=False,
        ),
    ] = False,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Register this service as serving the model, for example fraud-api.",
            show_default=False,
        ),
    ] = None,
    environment: Annotated[
        str, typer.Option("--environment", "-e", metavar="ENV", help="Where the service runs.", show_default=False)
    ] = "",
    instance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which of several alike it is. Host name and process id by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Download the version a reference points to, then each new version when the reference moves.

    You see every move exactly once, even after crashes. Each version is printed on one line of stdout after it is
    downloaded and verified. The command runs until you stop it.

    A command given with --exec also gets MODELYARD_REFERENCE, MODELYARD_VERSION and MODELYARD_DIGEST. The next version
    waits until the command has ended.

    With --service the registry knows which version is served, and refuses to delete it. A version counts as served when
    it is downloaded, or with --exec when the command has ended with 0. SIGINT and SIGTERM end the registration.
    """
    if service is None and (environment or instance):
        raise typer.BadParameter(
            "describes a service; add --service",
            param_hint="--environment" if environment else "--instance",
        )
    with session.client() as client, session.progress() as progress, ExitStack() as stack:
        serving = None
        if service is not None:
            stack.enter_context(_unwinding_when_terminated())
            serving = stack.enter_context(client.serving(service, environment=environment, instance=instance))
        for model in client.watch(ref, wait=wait, progress=progress):
            _tell(session, model)
            done = command is None or _execute(session, command, model)
            if serving is not None and done:
                serving.loaded(model)


@contextmanager
def _unwinding_when_terminated() -> Iterator[None]:
    """Ends the registration on SIGTERM too: service managers stop services with it."""

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second SIGTERM ends the process at once
        sys.exit(Exit.TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(session: Session, model: PulledModel) -> None:
    if session.output is Output.TABLE:
        line = escape(f"{short(model.version.name)}  {model.digest}  {model.path}")
    else:
        line = documents.dumps({"path": model.path, "stale": model.stale, "version": model.version}, indent=None)
    with written():  # a reader acts on each line at once
        sys.stdout.write(f"{line}\n")


def _execute(session: Session, command: str, model: PulledModel) -> bool:
    """Whether the command ended with 0."""
    facts = {
        "MODELYARD_REFERENCE": model.reference,
        "MODELYARD_VERSION": short(model.version.name),
        "MODELYARD_DIGEST": model.digest,
        "MODELYARD_PATH": str(model.path),
    }
    done = subprocess.run(command, shell=True, check=False, env={**os.environ, **facts})  # noqa: S602 (the user's own)
    if done.returncode:
        session.note(f"the command ended with {done.returncode} for {short(model.version.name)}")
    return not done.returncode
