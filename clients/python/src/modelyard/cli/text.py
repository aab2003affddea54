"""Text from the registry on a terminal.

Names, descriptions and labels are whatever somebody stored: they must not colour, move or rewrite what a person reads.
"""

import unicodedata
from datetime import UTC, datetime, timedelta

from rich.filesize import decimal
from rich.text import Text

from modelyard.core.manifest import INVISIBLE
from modelyard.core.names import ModelName, VersionName, WebhookName
from modelyard.types import Deployment

_UNITS = (
    (timedelta(days=365), "y"),
    (timedelta(days=1), "d"),
    (timedelta(hours=1), "h"),
    (timedelta(minutes=1), "min"),
    (timedelta(seconds=1), "s"),
)


def escape(text: str) -> str:
    r"""``text`` on one line with every invisible character written out, as ``\x1b`` and ``\u202e``."""
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in INVISIBLE
        else character
        for character in text
    )


def escape_lines(text: str) -> str:
    """The same for text of several lines, which stay."""
    return "\n".join(map(escape, text.splitlines()))


def plain(text: object, style: str = "") -> Text:
    """A cell that is shown as it is: no markup, no escapes."""
    return Text(escape(str(text)), style=style)


def short(name: ModelName | VersionName | WebhookName) -> str:
    """As a person types it: ``team/fraud``, ``team/fraud@3`` and ``team/deployer``."""
    match name:
        case VersionName():
            return f"{short(name.model)}@{name.number}"
        case WebhookName():
            return f"{name.namespace}/{name.webhook}"
        case _:
            return f"{name.namespace}/{name.model}"


def resource(name: str) -> str:
    """As a person types it, where a person would."""
    _, namespace, *rest = name.split("/")
    match rest:
        case ["models", model]:
            return f"{namespace}/{model}"
        case ["models", model, "versions" | "aliases", identity, *_]:
            return f"{namespace}/{model}@{identity}"
        case ["webhooks", webhook]:
            return f"{namespace}/{webhook}"
        case ["models", model, "deployments", _]:
            return f"{namespace}/{model}"
        case _:
            return namespace


def consumer(deployment: Deployment) -> str:
    """As a person says it: ``fraud-api in production (pod-1)``."""
    where = f" in {deployment.environment}" if deployment.environment else ""
    return f"{deployment.service}{where}" + (f" ({deployment.instance})" if deployment.instance else "")


def size(count: int) -> str:
    return decimal(count)


def files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def age(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, in one unit."""
    passed = (now or datetime.now(UTC)) - moment
    return next((f"{passed // unit} {name}" for unit, name in _UNITS if passed >= unit), "now")


def ago(moment: datetime) -> str:
    """The same of what happened, in a sentence."""
    passed = age(moment)
    return passed if passed == "now" else f"{passed} ago"


def number(value: float) -> str:
    return f"{value:.6g}"
