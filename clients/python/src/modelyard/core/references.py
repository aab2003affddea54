"""References: what a person types to name a version."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from modelyard.core.manifest import check_digest
from modelyard.core.names import (
    DEFAULT_NAMESPACE,
    LATEST,
    AliasName,
    ModelName,
    VersionName,
    check_alias,
    check_id,
    parse_number,
)

_MODELS: Final = "/models/"
_ALIASES: Final = "/aliases/"
_VERSIONS: Final = "/versions/"
_MOST_MEANT: Final = 200
"""Characters of a wrong reference that are looked at for a right one."""
_OF_ANOTHER_TOOL: Final = re.compile(
    r"(?P<path>[^/@:#=]+(?:/[^/@:#=]+)?)(?:[@:#]|=+|/versions/|/aliases/|(?<=.)/(?=v?[0-9]+$))v?(?P<selected>[a-z0-9_-]+)"
)
"""As ``fraud:3``, ``fraud==3``, ``fraud@v3``, ``fraud/3`` and ``fraud/versions/3``."""


class Selector(Enum):
    """What stands after the ``@``."""

    NUMBER = "number"
    ALIAS = "alias"
    DIGEST = "digest"
    LATEST = "latest"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Reference:
    """``team/fraud@7``, ``team/fraud@production``, ``team/fraud@sha256:…``, ``team/fraud@latest`` or ``team/fraud``.

    Without ``team/`` the namespace is ``default``. Without ``@…`` the reference means the alias ``production`` if it is
    set, else the newest version that is READY. Resource names mean the same: ``namespaces/team/models/fraud``, and that
    with ``/versions/7`` or ``/aliases/production`` behind it.
    """

    model: ModelName
    selector: Selector
    value: str = ""
    """Number, alias or manifest digest; empty for ``latest`` and for no selector."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a reference. Raises ``ValueError`` with the rule that it breaks."""
        try:
            return cls._parse(text)
        except ValueError as error:
            meant = cls._meant(text)
            hint = f"Did you mean {meant}?" if meant else str(error)
            raise ValueError(
                f"Invalid reference {text[:200]!r}. Use NAMESPACE/MODEL@VERSION, for example team/fraud@7. {hint}"
            ) from None

    @classmethod
    def parse_model(cls, text: str) -> ModelName:
        """Reads a reference to a model, without ``@…``. Raises ``ValueError`` with the rule that it breaks."""
        try:
            named = cls._parse(text)
        except ValueError as error:
            meant = cls._meant(text).partition("@")[0]
            hint = f"Did you mean {meant}?" if meant else str(error)
            raise ValueError(
                f"Invalid model {text[:200]!r}. Use NAMESPACE/MODEL, for example team/fraud. {hint}"
            ) from None
        if named.selector is not Selector.DEFAULT:
            short = f"{named.model.namespace}/{named.model.model}"
            raise ValueError(f"{text!r} is a version. Use NAMESPACE/MODEL, for example {short}.")
        return named.model

    @classmethod
    def _parse(cls, text: str) -> Self:
        path, at, selected = text.partition("@")
        namespace, slash, model = path.rpartition("/")
        if _MODELS in text:
            return cls._of_name(text)
        name = ModelName(
            check_id(namespace, "namespace") if slash else DEFAULT_NAMESPACE,
            check_id(model, "model"),
        )
        if not at:
            return cls(name, Selector.DEFAULT)
        if selected == LATEST:
            return cls(name, Selector.LATEST)
        if selected.startswith("sha256:"):
            return cls(name, Selector.DIGEST, check_digest(selected))
        if selected[:1].isdigit():
            return cls(name, Selector.NUMBER, str(parse_number(selected)))
        return cls(name, Selector.ALIAS, check_alias(selected))

    @classmethod
    def _meant(cls, text: str) -> str:
        """The reference that somebody probably meant: of another tool, or in capitals. Empty if none is likely."""
        if "@sha256:" in text:
            return ""  # what is wrong with the digest says more
        bare = text[:_MOST_MEANT].strip().lower().removeprefix("models:/").strip("/")
        path, selected = bare, ""
        if found := _OF_ANOTHER_TOOL.fullmatch(bare):
            path, selected = found["path"], f"@{found['selected']}"
        meant = re.sub(r"[^a-z0-9._/-]+", "-", path).strip("-") + selected
        try:
            cls._parse(meant)
        except ValueError:
            return ""
        return meant

    @classmethod
    def _of_name(cls, name: str) -> Self:
        if _ALIASES in name:
            alias = AliasName.parse(name)
            return cls(alias.model, Selector.ALIAS, alias.alias)
        if _VERSIONS in name:
            version = VersionName.parse(name)
            return cls(version.model, Selector.NUMBER, str(version.number))
        return cls(ModelName.parse(name), Selector.DEFAULT)

    @property
    def pinned(self) -> bool:
        """Whether it always means the same bytes: a number or a digest."""
        return self.selector in {Selector.NUMBER, Selector.DIGEST}

    def __str__(self) -> str:
        at = {Selector.DEFAULT: "", Selector.LATEST: f"@{LATEST}"}.get(self.selector, f"@{self.value}")
        return f"{self.model.namespace}/{self.model.model}{at}"
