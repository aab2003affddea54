"""``push`` and ``pull``: commands that move files."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli import documents, values
from modelyard.cli.options import with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.text import escape, files, plain, short, size

_Pairs = list[str] | None


@with_session
def push(
    session: Session,
    model: Annotated[str, typer.Argument(help="The model, as team/fraud; it is created if need be.")],
    path: Annotated[Path, typer.Argument(help="A file or a folder.", exists=True)],
    metric: Annotated[_Pairs, typer.Option(metavar="NAME=NUMBER", help="A metric, as auc=0.93; repeatable.")] = None,
    param: Annotated[
        _Pairs,
        typer.Option(
            metavar="NAME=VALUE",
            help="A parameter with its type: lr=0.1, n=3 and flag=true are no text, n='3' in quotes is. Repeatable.",
        ),
    ] = None,
    dataset: Annotated[
        _Pairs, typer.Option(metavar="NAME=URI", help="A data set, as train=s3://bucket/train.parquet; repeatable.")
    ] = None,
    label: Annotated[_Pairs, typer.Option(metavar="NAME=VALUE", help="A label to select by; repeatable.")] = None,
    alias: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An alias to set in the same step; repeatable.")
    ] = None,
    description: Annotated[str, typer.Option(help="Markdown for people.", show_default=False)] = "",
    framework: Annotated[
        str | None, typer.Option(metavar="NAME", help="The library that loads it, as torch or torch==2.9.0.")
    ] = None,
    file_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="How the files are laid out.", show_default=False)
    ] = "",
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="No new version if the newest has the same files.")
    ] = False,
    capture: Annotated[bool, typer.Option(help="Record git, packages, machine and job.")] = True,
) -> None:
    """Uploads files and commits them as a new version: either all of it is there or nothing."""
    with session.client() as client, session.progress() as progress:
        version = client.push(
            model,
            path,
            params=values.pairs(param or [], "--param", values.param),
            metrics=values.pairs(metric or [], "--metric", values.finite),
            datasets=values.pairs(dataset or [], "--dataset", str),
            labels=values.pairs(label or [], "--label", str),
            alias=alias or (),
            description=description,
            framework=framework,
            format=file_format,
            if_changed=if_changed,
            capture=capture,
            progress=progress,
        )
    session.show({"version": version}, plain(f"{short(version.name)}  {version.digest}"))
    pointers = f", now {', '.join(version.aliases)}" if version.aliases else ""
    session.note(f"{files(version.file_count)}, {size(version.total_size)}{pointers}")


@with_session
def pull(
    session: Session,
    reference: Annotated[str, typer.Argument(metavar="REF", help="The version, as team/fraud@production.")],
    target: Annotated[Path | None, typer.Argument(help="A folder to write to, instead of the cache.")] = None,
) -> None:
    """Downloads a version, checks every byte of it, and prints the folder that holds it."""
    with session.client() as client, session.progress() as progress:
        pulled = client.pull(reference, target, progress=progress)
    if session.output is Output.TABLE:
        session.note(f"{escape(reference)} is {short(pulled.version.name)}, {pulled.digest}")
        # Nothing but the path, and as it is: it is meant for $(…), whatever the folders are called.
        sys.stdout.buffer.write(os.fsencode(pulled.path) + b"\n")
    else:
        documents.write(pulled, sys.stdout)
