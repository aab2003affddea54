"""The commands put together, and the one place where a run of the command line ends."""

import sys
import warnings
from collections.abc import Sequence
from io import TextIOWrapper

import typer

from modelyard.cli import (
    browse,
    cache,
    change,
    consumers,
    follow,
    lifecycle,
    namespaces,
    status,
    transfer,
    webhooks,
)
from modelyard.cli.exits import EXPLAINED, Exit, failure
from modelyard.cli.options import add, remember
from modelyard.cli.session import Output
from modelyard.cli.streams import ReaderGoneError, give_up, tell, written
from modelyard.cli.text import escape_lines

app = typer.Typer(
    help="Push models to a registry, pull the one in production, and see where each came from.",
    epilog=EXPLAINED,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.callback()(remember)
for _command in (
    *(transfer.push, transfer.pull),
    *(browse.resolve, browse.ls, browse.best, browse.search, browse.diff, browse.lineage, browse.show),
    *(change.evaluate, change.promote, change.rollback),
    *(lifecycle.create, lifecycle.edit, lifecycle.deprecate, lifecycle.quarantine, lifecycle.release),
    *(lifecycle.rm, lifecycle.restore),
    *(follow.log, follow.watch, status.status),
    *(consumers.deployments, consumers.rollout),
):
    add(app, _command)
for _name, _group in {"namespaces": namespaces.app, "webhooks": webhooks.app, "cache": cache.app}.items():
    app.add_typer(_group, name=_name, short_help=_group.info.help)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code. Errors are printed on stderr, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to fail
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _show_warning
            code = app(list(arguments or ["--help"]), prog_name="modelyard", standalone_mode=False)
            if code == Exit.INTERRUPTED:
                raise KeyboardInterrupt  # which Typer has made an exit code without a word
        with written():
            pass  # what a command printed by itself
    except ReaderGoneError:  # as head, which had enough
        give_up(sys.stdout)
        return Exit.OK
    except (Exception, KeyboardInterrupt) as error:
        told = failure(error)
        if told is None:
            raise
        if _wants(Output.JSONL, arguments):
            tell(told.for_programs(indent=None))
        else:
            tell(told.for_programs() if _wants(Output.JSON, arguments) else told.for_people())
        if isinstance(error, OSError):
            give_up(sys.stdout)  # it may be what is full
        return told.code
    return code if isinstance(code, int) else Exit.OK


def _wants(output: Output, arguments: Sequence[str]) -> bool:
    # Looked for here, because a command line that can't be read has no options yet.
    line = f" {' '.join(arguments)} "
    spelled = ("-o ", "-o", "--output ", "--output=")
    return any(f" {option}{output} " in line for option in spelled)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    tell(f"warning: {escape_lines(str(message))}\n")
