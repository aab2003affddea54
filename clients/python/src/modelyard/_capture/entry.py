"""The script, module or notebook that runs, and what it was told."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard._capture.budget import NotKnownError
from modelyard._capture.secrets import mask_arguments, mask_text
from modelyard._capture.text import clean
from modelyard._notebook import in_notebook, notebook_file

_MAX_ARGUMENTS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How the running program was started."""

    module: str = ""
    """Of ``python -m``; empty for a script."""
    script: Path | None = None
    """Absolute; a notebook is one too. None for an installed command, at a prompt and for ``python -c``."""
    given: str = ""
    """As it was typed, of an installed command the name; empty at a prompt and for ``python -c``."""
    arguments: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    """Where the program's repository may be, likeliest first."""
    nameless_notebook: bool = False
    """Whether it is a notebook whose kernel was not told its name."""

    def name_below(self, top: Path | None) -> str:
        """The module, else the script: if it is in the repository, by its path there, which is the same everywhere.

        Raises :class:`NotKnownError` for a notebook whose name nobody told.
        """
        if self.nameless_notebook:
            raise NotKnownError("the notebook's kernel was not told the notebook's name")
        if self.module:
            return clean(self.module)
        if self.script is not None and top is not None and self.script.is_relative_to(top):
            return clean(self.script.relative_to(top).as_posix())
        return clean(mask_text(self.given))

    def masked_arguments(self) -> tuple[str, ...]:
        return tuple(map(clean, mask_arguments(self.arguments)[:_MAX_ARGUMENTS]))


def entry() -> Entry:
    """How this process was started."""
    if in_notebook():
        # What the kernel was started with says nothing about the notebook.
        file = notebook_file()
        script = Path(file).resolve() if file else None
        return Entry(script=script, given=file, folders=_folders(script), nameless_notebook=not file)
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
        folders=_folders(script),
    )


def _folders(script: Path | None) -> tuple[Path, ...]:
    folders = [script.parent] if script is not None else []
    with suppress(OSError):  # the working folder may be gone
        folders.append(Path.cwd())
    return tuple(folders)
