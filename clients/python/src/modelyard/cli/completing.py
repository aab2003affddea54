"""What a shell offers for the word that is being typed: namespaces, models, versions and aliases."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import typer

from modelyard import Client, ModelyardError
from modelyard.core.names import DEFAULT_NAMESPACE

_MOST: Final = 100
"""Most words that are offered."""
_NEWEST: Final = 10
"""Most versions among them: the newest."""


def complete_namespace(context: typer.Context, incomplete: str) -> list[str]:
    return _offered(context, lambda client: _namespaces(client, incomplete))


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """``te`` → ``team/``; ``team/fr`` → ``team/fraud``."""
    return _offered(context, lambda client: _models(client, incomplete))


def complete_reference(context: typer.Context, incomplete: str) -> list[str]:
    """The same; and ``team/fraud`` → ``team/fraud@production``, ``team/fraud@7``."""

    def words(client: Client) -> Iterator[str]:
        model, at, _ = incomplete.partition("@")
        models = [model] if at else list(_models(client, incomplete))
        if not at:
            yield from models
        if at or models == [model]:
            yield from (each for each in _versions(client, model) if each.startswith(incomplete))

    return _offered(context, words)


def _offered(context: typer.Context, words: Callable[[Client], Iterable[str]]) -> list[str]:
    given = context.find_root().params
    try:
        with Client(given.get("url"), insecure=bool(given.get("insecure"))) as client:
            return list(islice(words(client), _MOST))
    except ModelyardError:
        return []  # a shell has no place for an error


def _namespaces(client: Client, incomplete: str) -> Iterator[str]:
    return (each.id for each in client.namespaces.list() if each.id.startswith(incomplete))


def _models(client: Client, incomplete: str) -> Iterator[str]:
    namespace, slash, model = incomplete.rpartition("/")
    if not slash:
        yield from (f"{each}/" for each in _namespaces(client, incomplete))
    home = namespace if slash else DEFAULT_NAMESPACE
    prefix = f"{namespace}/" if slash else ""
    for each in client.models.list(home, filter=f'id = "{model}*"' if model.replace("-", "").isalnum() else ""):
        if each.name.model.startswith(model):
            yield f"{prefix}{each.name.model}"


def _versions(client: Client, model: str) -> Iterator[str]:
    yield from (f"{model}@{alias}" for alias in sorted(client.models.get(model).aliases))
    yield f"{model}@latest"
    yield from (f"{model}@{each.number}" for each in islice(client.versions.list(model, page_size=_NEWEST), _NEWEST))
