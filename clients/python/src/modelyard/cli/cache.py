"""``cache``: what pulls keep on this machine."""

from typing import Annotated

import typer
from rich.table import Table

from modelyard import _config
from modelyard._cache import CachedVersion, Upkeep
from modelyard._naming import invalid
from modelyard.cli.exits import Exit
from modelyard.cli.layout import columns, page
from modelyard.cli.options import add, with_session
from modelyard.cli.session import Session
from modelyard.cli.text import age, escape, plain, resource, size
from modelyard.errors import NotFoundError

app = typer.Typer(help="See, check and remove the models that pulls keep on this machine.", no_args_is_help=True)

_SHORTEST: int = 8
"""Hexadecimal digits that a digest may be cut to."""


@with_session
def ls(session: Session) -> None:
    """List the cached versions, the most recently used first. No registry is needed."""
    cache = _cache()
    session.show_list("versions", cache.versions(), _table, "the cache is empty")
    session.note(f"{size(cache.size())} in {_config.cache_dir()}")


@with_session
def rm(
    session: Session,
    versions: Annotated[
        list[str] | None,
        typer.Argument(metavar="VERSION", help="For example team/fraud@7, or a digest as 'cache ls' shows it."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Remove all versions that no process uses.")] = False,
) -> None:
    """Remove versions from the cache. The registry keeps them. A version that is in use is not removed."""
    cache = _cache()
    if bool(versions) == every:
        raise invalid("version", "Name the versions to remove, or use --all.")
    cached = cache.versions()
    found = cached if every else [each for wanted in versions or () for each in _matching(wanted, cached)]
    for each in found:
        cache.remove(each.digest)
    session.show({"removed": [each.digest for each in found]}, plain(f"removed {len(found)} of {len(cached)} versions"))


@with_session
def gc(
    session: Session,
    most: Annotated[
        str | None,
        typer.Option(
            "--max",
            metavar="SIZE",
            help="The size to come down to, as 10GB or 10GiB, instead of MODELYARD_CACHE_BYTES.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Remove what failed pulls left, then the least recently used versions until the rest fits.

    Versions in use stay: those that a running program holds, and those that a link leads to. The command names both.
    """
    cache = _cache()
    left = cache.collect(_config.cache_bytes() if most is None else _config.parse_size(most, "--max"))
    used = [each for each in cache.versions() if each.in_use]
    lines = [f"{size(left)} left", *(f"in use: {_name(each)}, {size(each.size)}, {_users(each)}" for each in used)]
    session.show({"size": left, "in_use": used}, page(*map(plain, lines)))


@with_session
def verify(session: Session) -> None:
    """Read all cached files and check every byte. Damaged ones are fetched again by the next pull.

    Exits with 3 if a file is damaged.
    """
    cache = _cache()
    count = len(cache.versions())
    damaged = cache.verify()
    lines = [f"damaged: {escape(each.path)} of {each.digest}" for each in damaged]
    session.show({"versions": count, "damaged": damaged}, page(*map(plain, [*lines, f"{count} versions checked"])))
    if damaged:
        raise typer.Exit(Exit.VERIFICATION_FAILED)


def _cache() -> Upkeep:
    return Upkeep(_config.cache_dir())


def _matching(wanted: str, cached: list[CachedVersion]) -> list[CachedVersion]:
    prefix = wanted.removeprefix("sha256:")
    found = [
        each
        for each in cached
        if wanted in {*each.names, *map(resource, each.names)}
        or (len(prefix) >= _SHORTEST and each.digest.removeprefix("sha256:").startswith(prefix))
    ]
    if not found:
        raise NotFoundError(f"{wanted!r} is not in the cache.", reason="NOT_CACHED")
    return found


def _table(versions: list[CachedVersion]) -> Table:
    table = columns("VERSION", "DIGEST", "FILES", "SIZE", "LAST USE", "IN USE")
    for each in versions:
        names = ", ".join(map(resource, each.names)) or "-"
        facts = (plain(names), plain(each.digest[:19]), str(each.file_count), size(each.size), age(each.last_used))
        table.add_row(*facts, plain(_users(each)))
    return table


def _name(version: CachedVersion) -> str:
    return ", ".join(map(resource, version.names)) or version.digest[:19]


def _users(version: CachedVersion) -> str:
    """As ``by serve.py (pid 42), by the link /srv/model``; empty if nothing uses it."""
    links = (f"by the link {link}" for link in version.links)
    return ", ".join([*(f"by {process.describe()}" for process in version.processes), *links])


for _command in (ls, rm, gc, verify):
    add(app, _command)
