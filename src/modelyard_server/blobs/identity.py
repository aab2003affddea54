"""The id of a store in a folder. All of it blocks."""

import re
from typing import Final

from modelyard_server.blobs.disk import replace
from modelyard_server.blobs.layout import Layout
from modelyard_server.blobs.store import StoreError

_IDENTITY: Final = re.compile(r"[0-9a-f]{32}")


def read_identity(layout: Layout) -> str | None:
    """The id; None if the folder has none."""
    try:
        text = layout.identity.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    if not _IDENTITY.fullmatch(text):
        raise StoreError(
            f"{layout.identity} is damaged: it should hold 32 hexadecimal digits. Restore it from a backup, or from the"
            " database, whose table `stores` has the same id"
        )
    return text


def write_identity(layout: Layout, identity: str) -> str:
    """Gives the folder an id unless it has one; its id. To be called by the one store that has the folder open."""
    present = read_identity(layout)
    if present is not None:
        return present
    # Beside the file, because `staging` may be on another disk. A start that died left it.
    temporary = layout.identity.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    replace(layout.identity, f"{identity}\n", temporary, durable=True)
    return identity
