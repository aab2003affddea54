"""``push`` and ``pull``: commands that move files."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelyard import Client, NotFoundError
from modelyard.cli import values
from modelyard.cli.completing import complete_model, complete_reference
from modelyard.cli.options import Directions, DropNonfinite, with_session
from modelyard.cli.session import Output, Session
from modelyard.cli.text import escape, files, plain, short, size

_Pairs = list[str] | None


@with_session
def push(
    session: Session,
    model: Annotated[
        str,
        typer.Argument(
            help="For example team/fraud. It is created if it does not exist.", autocompletion=complete_model
        ),
    ],
    path: Annotated[Path, typer.Argument(help="A file, or a folder with everything in it.")],
    metric: Annotated[
        _Pairs, typer.Option(metavar="NAME=NUMBER", help="A metric, for example auc=0.93. Repeatable.")
    ] = None,
    direction: Directions = None,
    drop_nonfinite: DropNonfinite = False,
    param: Annotated[
        _Pairs,
        typer.Option(
            metavar="NAME=VALUE",
            help="A parameter. 0.1, 3 and true keep their types; '3' in quotes is text. Repeatable.",
        ),
    ] = None,
    dataset: Annotated[
        _Pairs,
        typer.Option(metavar="NAME=URI", help="A data set, for example train=s3://bucket/train.parquet. Repeatable."),
    ] = None,
    label: Annotated[
        _Pairs, typer.Option(metavar="NAME=VALUE", help="A label to filter by, up to 100. Repeatable.")
    ] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="ALIAS", help="An alias to point at the new version, up to 10. Repeatable."),
    ] = None,
    description: Annotated[str, typer.Option(help="Markdown, at most 1 MiB.", show_default=False)] = "",
    framework: Annotated[
        str | None, typer.Option(metavar="NAME", help="The library that loads it, for example torch or torch==2.9.0.")
    ] = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME", help="How the files are laid out, for example safetensors.", show_default=False
        ),
    ] = "",
    parent: Annotated[
        _Pairs,
        typer.Option(
            metavar="[RELATION=]REF",
            help="A version it was made from, for example fine_tuned_from=team/base@3. Repeatable.",
            autocompletion=complete_reference,
        ),
    ] = None,
    run: Annotated[
        str, typer.Option(metavar="[TRACKER:]ID", help="The training run, for example mlflow:8c1f.", show_default=False)
    ] = "",
    if_changed: Annotated[
        bool,
        typer.Option(
            "--if-changed",
            help="Make no new version if the newest one has the same files, and say so. Other metrics or params are"
            " refused.",
        ),
    ] = False,
    include: Annotated[
        _Pairs, typer.Option(metavar="PATTERN", help="Only files that match, for example '*.json'. Repeatable.")
    ] = None,
    exclude: Annotated[
        _Pairs, typer.Option(metavar="PATTERN", help="No files that match, for example '*.tmp'. Repeatable.")
    ] = None,
    links_within: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A folder that links may lead to besides the pushed one."),
    ] = None,
    capture: Annotated[bool, typer.Option(help="Record git, packages, machine and job. Never secrets.")] = True,
) -> None:
    """Upload files and commit them as a new version.

    The version appears once every byte is stored and verified. If the push fails, nothing appears; run it again and it
    goes on where it stopped.

    Patterns are those of .gitignore; a file .modelyardignore in the folder has some too. Never taken, unless a pattern
    such as '!.env' says so: .git, __pycache__, .DS_Store, .env and the like.
    """
    if not path.exists():
        swapped = " The model comes first, then the path." if Path(model).exists() else ""
        raise typer.BadParameter(f"path {str(path)!r} does not exist.{swapped}", param_hint="PATH")
    with session.client() as client, session.progress() as progress:
        before = _newest(client, model) if if_changed else 0
        version = client.push(
            model,
            path,
            params=values.pairs(param or [], "--param", values.param),
            metrics=values.pairs(metric or [], "--metric", values.metric),
            directions=values.pairs(direction or [], "--direction", values.direction),
            drop_nonfinite=drop_nonfinite,
            datasets=values.pairs(dataset or [], "--dataset", str),
            labels=values.pairs(label or [], "--label", str),
            alias=alias or (),
            description=description,
            framework=framework,
            format=file_format,
            parents=values.parents(parent or [], "--parent"),
            run=values.run(run) if run else None,
            if_changed=if_changed,
            include=include or (),
            exclude=exclude or (),
            links_within=links_within,
            capture=capture,
            progress=progress,
        )
    # A number that was there before was surely not made by this push. A later one is, unless another push of the same
    # files came in between.
    created = version.number > before
    session.show(
        {"version": version, "created": created},
        plain(f"{short(version.name)}  {version.digest}"),
        done=f"{short(version.name)} was pushed" if created else "",
    )
    pointers = f", now {', '.join(version.aliases)}" if version.aliases else ""
    told = f"{files(version.file_count)}, {size(version.total_size)}{pointers}"
    session.note(told if created else f"nothing new: {short(version.name)} has the same files, {told}")


def _newest(client: Client, model: str) -> int:
    """The highest number that a version of a model has, also a deleted one; 0 if there is none."""
    try:
        versions = client.versions.list(model, show_deleted=True, page_size=1)
        return next((version.number for version in versions), 0)
    except NotFoundError:  # the push creates the model, or says why it can't
        return 0


@with_session
def pull(
    session: Session,
    reference: Annotated[
        str,
        typer.Argument(
            metavar="REF",
            help="The version, for example team/fraud@production.",
            autocompletion=complete_reference,
        ),
    ],
    target: Annotated[
        Path | None, typer.Argument(help="A folder that is to hold the files, instead of the cache.")
    ] = None,
    include: Annotated[
        _Pairs, typer.Option(metavar="PATTERN", help="Only files that match, for example '*.json'. Repeatable.")
    ] = None,
    exclude: Annotated[
        _Pairs, typer.Option(metavar="PATTERN", help="No files that match, for example '*.tmp'. Repeatable.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="PATH", help="Pull only this file, and print its path. Repeatable."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the target even if it holds files that no pull put there.")
    ] = False,
    link: Annotated[bool, typer.Option("--link", help="Make the target a symbolic link into the cache.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep nothing but the target. Use no cache.")] = False,
) -> None:
    """Download a version, verify every byte, and print the folder that holds its files.

    Files that are cached are not downloaded again. If the registry can't be reached, the last version that the
    reference was known to mean is used, with a warning.

    A target holds exactly the version. One that an earlier pull made is replaced in one step: readers see the old
    version or the new one. The file .NAME.modelyard beside it says which version it holds.
    """
    with session.client() as client, session.progress() as progress:
        pulled = client.pull(
            reference,
            target,
            force=force,
            link=link,
            cache=not no_cache,
            include=include or (),
            exclude=exclude or (),
            files=file or (),
            progress=progress,
        )
    if session.output is Output.TABLE:
        session.note(f"{escape(reference)} is {short(pulled.version.name)}, {pulled.digest}")
        # Nothing but the path, and as it is: it is meant for $(…), whatever the folders are called.
        sys.stdout.buffer.write(os.fsencode(pulled.path / file[0] if file and len(file) == 1 else pulled.path) + b"\n")
    else:
        session.show(pulled, plain(pulled.path))
