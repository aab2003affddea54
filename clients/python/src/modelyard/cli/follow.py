"""``log`` and ``watch``: what happened, and what happens."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Annotated

import typer

from modelyard import PulledModel
from modelyard.cli import documents, render
from modelyard.cli.exits import Exit
from modelyard.cli.options import with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.text import escape, short
from modelyard.core.names import DEFAULT_NAMESPACE


@with_session
def log(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(metavar="[WHAT]", help="A namespace, a model, a version or an alias, as team/fraud@production."),
    ] = DEFAULT_NAMESPACE,
    matching: Annotated[
        str, typer.Option("--filter", "-f", metavar="FILTER", help="Only those, as 'actor = anna AND time > now-7d'.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
) -> None:
    """Tells what happened: who changed what, when and why, the newest first."""
    with session.client() as client:
        events = islice(client.list_events(what, filter=matching, newest_first=True), limit)
        session.show_list("events", events, render.events, f"nothing happened to {what}")


@with_session
def watch(
    session: Session,
    ref: Annotated[str, typer.Argument(metavar="REF", help="As team/fraud@production.")],
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="CMD",
            help="A shell command to run for each version; it finds the files in $MODELYARD_PATH.",
            show_default=False,
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Tell the registry that this service serves it, as fraud-api.", show_default=False
        ),
    ] = None,
    environment: Annotated[
        str, typer.Option("--environment", "-e", metavar="ENV", help="Where that runs.", show_default=False)
    ] = "",
    instance: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which of several alike that is; host name and process id by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Pulls what a reference means now, and each version that it comes to mean, until it is stopped.

    A line for each on stdout, once it is pulled and verified. A command also finds MODELYARD_REFERENCE,
    MODELYARD_VERSION and MODELYARD_DIGEST in its environment; the next version waits until it has ended.

    With --service the registry is told what is served, and lets nobody delete it: each version as soon as it is there,
    or once the command has ended with 0. It is told too when this ends, by SIGINT or SIGTERM.
    """
    if service is None and (environment or instance):
        raise typer.BadParameter(
            "says more about a service, and none is named: add --service",
            param_hint="--environment" if environment else "--instance",
        )
    with session.client() as client, session.progress() as progress, ExitStack() as stack:
        serving = None
        if service is not None:
            stack.enter_context(_unwinding_when_terminated())
            serving = stack.enter_context(client.serving(service, environment=environment, instance=instance))
        for model in client.watch(ref, progress=progress):
            _tell(session, model)
            done = command is None or _execute(session, command, model)
            if serving is not None and done:
                serving.loaded(model)


@contextmanager
def _unwinding_when_terminated() -> Iterator[None]:
    """Whoever stops services sends SIGTERM, and the registry shall hear of that too."""

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # whoever asks twice does not want to wait
        sys.exit(Exit.TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(session: Session, model: PulledModel) -> None:
    if session.output is Output.JSON:
        line = json.dumps(documents.document({"path": model.path, "stale": model.stale, "version": model.version}))
    else:
        line = escape(f"{short(model.version.name)}  {model.digest}  {model.path}")
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()  # whoever reads acts on it now


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
