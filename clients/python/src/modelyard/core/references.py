"""References: what a person types to name a version."""

from dataclasses import dataclass
from enum import Enum
from typing import Self

from modelyard.core.manifest import check_digest
from modelyard.core.names import DEFAULT_NAMESPACE, LATEST, ModelName, check_alias, check_id, parse_number


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
    set, else the newest version that is READY.
    """

    model: ModelName
    selector: Selector
    value: str = ""
    """Number, alias or manifest digest; empty for ``latest`` and for no selector."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a reference. Raises ``ValueError`` with the rule that it breaks."""
        path, at, selected = text.partition("@")
        namespace, slash, model = path.rpartition("/")
        try:
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
        except ValueError as error:
            raise ValueError(
                f"Invalid reference {text[:200]!r}. Use NAMESPACE/MODEL@VERSION, for example team/fraud@7. {error}"
            ) from None

    @property
    def pinned(self) -> bool:
        """Whether it always means the same bytes: a number or a digest."""
        return self.selector in {Selector.NUMBER, Selector.DIGEST}

    def __str__(self) -> str:
        at = {Selector.DEFAULT: "", Selector.LATEST: f"@{LATEST}"}.get(self.selector, f"@{self.value}")
        return f"{self.model.namespace}/{self.model.model}{at}"
