"""Reads names that users give. Everything here raises ``InvalidArgumentError`` with an example of a right name."""

import os
import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from modelyard.core import times
from modelyard.core.limits import MAX_PAGE_SIZE
from modelyard.core.names import (
    DEFAULT_NAMESPACE,
    PRODUCTION,
    AliasName,
    DeploymentName,
    ModelName,
    NamespaceName,
    VersionName,
    WebhookName,
    check_alias,
    check_id,
)
from modelyard.core.references import Reference, Selector
from modelyard.errors import InvalidArgumentError
from modelyard.types import Model, Version

_T = TypeVar("_T")
_ALL = "/-"
_NAMESPACES = "namespaces/"


def namespace_name(namespace: str) -> NamespaceName:
    """From ``team`` or ``namespaces/team``."""
    if isinstance(namespace, str) and namespace.startswith(_NAMESPACES):
        return _read("namespace", lambda: NamespaceName.parse(namespace))
    return NamespaceName(_read("namespace", lambda: check_id(namespace, "namespace")))


def model_name(model: str | ModelName | Model, namespace: str = DEFAULT_NAMESPACE) -> ModelName:
    """From ``team/fraud``, or ``fraud`` in the given namespace."""
    model = model.name if isinstance(model, Model) else model
    if isinstance(model, ModelName):
        return model
    if isinstance(model, str) and "/" not in model and namespace != DEFAULT_NAMESPACE:
        model = f"{namespace}/{model}"
    _text("model", model, "team/fraud")
    return _read("model", lambda: Reference.parse_model(model))


def models_parent(model: str | ModelName | Model) -> str:
    """From ``team/fraud``, or ``team/-`` for all models of a namespace."""
    if isinstance(model, str) and model.endswith(_ALL):
        return f"{namespace_name(model.removesuffix(_ALL))}/models/-"
    return str(model_name(model))


def version_name(version: str | VersionName | Version) -> VersionName:
    """From ``team/fraud@7``. Methods that change a version need its number."""
    version = version.name if isinstance(version, Version) else version
    if isinstance(version, VersionName):
        return version
    parsed = reference(version, "version")
    if parsed.selector is not Selector.NUMBER:
        raise invalid(
            "version",
            f"{version!r} can mean another version at any time. Use the number, for example {_short(parsed.model)}@7;"
            " resolve() returns it.",
        )
    return parsed.model.version(int(parsed.value))


def alias_name(model: str | ModelName | Model, alias: str) -> AliasName:
    """From ``team/fraud`` and ``production``."""
    _text("alias", alias, PRODUCTION)
    return model_name(model).alias(_read("alias", lambda: check_alias(alias)))


def alias_to_move(model: str | ModelName | Model, alias: str | None) -> AliasName:
    """From ``team/fraud@staging``, or from ``team/fraud`` and ``staging``. ``production`` if none is named."""
    if not isinstance(model, str):
        return alias_name(model, alias or PRODUCTION)
    named = reference(model, "model")
    if named.selector is Selector.DEFAULT:
        return alias_name(named.model, alias or PRODUCTION)
    if named.selector is not Selector.ALIAS:
        raise invalid("model", f"{model!r} is a version, and aliases move. Use {_short(named.model)}@{PRODUCTION}.")
    if alias not in {None, named.value}:
        raise invalid("alias", f"{alias!r} is not the alias of {model!r}. Give one of both.")
    return alias_name(named.model, named.value)


def webhook_name(webhook: str | WebhookName) -> WebhookName:
    """From ``team/deployer``, or ``deployer`` in the namespace ``default``."""
    if isinstance(webhook, WebhookName):
        return webhook

    def parse() -> WebhookName:
        if webhook.startswith(_NAMESPACES):
            return WebhookName.parse(webhook)
        namespace, slash, identity = webhook.rpartition("/")
        checked = check_id(namespace, "namespace") if slash else DEFAULT_NAMESPACE
        return WebhookName(checked, check_id(identity, "webhook"))

    return _read("webhook", parse)


def deployment_name(deployment: str | DeploymentName) -> DeploymentName:
    """From the name that the registry gave it."""
    if isinstance(deployment, DeploymentName):
        return deployment
    return _read("deployment", lambda: DeploymentName.parse(deployment))


def place(what: str | ModelName | VersionName | AliasName | Model | Version) -> str:
    """From ``team``, ``team/fraud``, ``team/fraud@7`` or ``team/fraud@production``: the name of a resource."""
    if isinstance(what, Model | Version):
        return str(what.name)
    if not isinstance(what, str):
        return str(what)
    if "/" not in what.removeprefix(_NAMESPACES) and "@" not in what:
        return str(namespace_name(what))
    named = reference(what, "what")
    match named.selector:
        case Selector.DEFAULT:
            return str(named.model)
        case Selector.NUMBER:
            return str(named.model.version(int(named.value)))
        case Selector.ALIAS:
            return str(named.model.alias(named.value))
        case _:
            raise invalid(
                "what",
                f"{what!r} does not name a resource. Use a model, or the number of a version: team/fraud@7.",
            )


def reference(text: str | VersionName | Version, what: str = "reference") -> Reference:
    """From whatever :class:`modelyard.core.references.Reference` reads, or the record of a version."""
    text = text.name if isinstance(text, Version) else text
    if isinstance(text, VersionName):
        return Reference(text.model, Selector.NUMBER, str(text.number))
    _text(what, text, "team/fraud@7")
    return _read(what, lambda: Reference.parse(text))


def path(field: str, given: str | os.PathLike[str]) -> Path:
    """From the path of a file or a folder."""
    if not isinstance(given, str | os.PathLike):
        raise invalid(
            field, f"{reprlib.repr(given)} is not a path. Give one file or one folder; include chooses files of it."
        )
    return Path(given)


def page_size(given: int | None) -> int:
    """As a request holds it: 0 lets the registry choose."""
    if given is None:
        return 0
    if not isinstance(given, int) or given < 1:
        raise invalid("page_size", f"{given!r} is not a page size. Use a whole number from 1 to {MAX_PAGE_SIZE}.")
    return min(given, MAX_PAGE_SIZE)


def moment(field: str, given: datetime | str) -> datetime:
    """From a time as :mod:`modelyard.core.times` reads it."""
    if isinstance(given, datetime):
        return times.utc(given)
    return _read(field, lambda: times.parse_end_of(given, datetime.now(UTC)))


@contextmanager
def as_given(field: str) -> Iterator[None]:
    """Turns what a message can't hold into what was wrong with the call."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise invalid(field, str(error)) from None


def invalid(field: str, description: str) -> InvalidArgumentError:
    """The frequent case of one violation."""
    return InvalidArgumentError([(field, description)])


def _short(model: ModelName) -> str:
    return f"{model.namespace}/{model.model}"


def _text(field: str, given: object, example: str) -> None:
    if not isinstance(given, str):
        raise invalid(field, f"{reprlib.repr(given)} is not text. Give text, for example {example!r}.")


def _read(field: str, parse: Callable[[], _T]) -> _T:
    try:
        return parse()
    except ValueError as error:
        raise invalid(field, str(error)) from None
    except (TypeError, AttributeError):
        raise invalid(field, "Use text.") from None
