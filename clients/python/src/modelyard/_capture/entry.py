"""The script or module that runs, and what it was told."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard._capture.secrets import mask_arguments, mask_text
from modelyard._capture.text import clean

_MAX_ARGUMENTS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How the running program was started."""

    module: str = ""
    """Of ``python -m``; empty for a script."""
    script: Path | None = None
    """Absolute; None for an installed command, at a prompt and for ``python -c``."""
    given: str = ""
    """As it was typed, of an installed command the name; empty at a prompt and for ``python -c``."""
    arguments: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    """Where the program's repository may be, likeliest first."""

    def name_below(self, top: Path | None) -> str:
        """The module, else the script: if it is in the repository, by its path there, which is the same everywhere."""
        if self.module:
            return clean(self.module)
        if self.script is not None and top is not None and self.script.is_relative_to(top):
            return clean(self.script.relative_to(top).as_posix())
        return clean(mask_text(self.given))

    def masked_arguments(self) -> tuple[str, ...]:
        return tuple(map(clean, mask_arguments(self.arguments)[:_MAX_ARGUMENTS]))


def entry() -> Entry:
    """How this process was started. Raises ``OSError`` if its working folder is gone."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    given, *arguments = sys.argv or [""]
    script = None if given in {"", "-c", "-m"} else Path(given).resolve()
    if script is None:
        given = ""
    elif script.is_relative_to(Path(sys.prefix).resolve()):
        # An installed command says nothing about whose code runs; the folder that it was called in does.
        given, script = script.name, None
    return Entry(
        module=spec.name.removesuffix(".__main__") if spec is not None else "",
        script=script,
        given=given,
        arguments=tuple(arguments),
        folders=((script.parent,) if script is not None else ()) + (Path.cwd(),),
    )
