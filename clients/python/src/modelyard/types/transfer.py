"""Records of pushes and pulls."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from modelyard.core.facts import Facts
from modelyard.core.manifest import check_path
from modelyard.core.record import Record, readable
from modelyard.types.registry import Version


class _Hold(Protocol):
    def close(self) -> None: ...


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModel(Record):
    """A version whose files are on this machine. Every byte was verified.

    Files in the cache stay there as long as your program keeps this object: other pulls evict them only after
    :meth:`close`, the end of a ``with`` block, or when nothing refers to the object any more. Files that are open or
    mapped into memory by then stay readable. A target of your own is never evicted. A deep copy keeps the files too,
    until it is closed itself. A model that was pickled and loaded again, in another process or in this one, keeps
    nothing: pull there.

    >>> with yard.pull("team/fraud@production") as model:
    ...     network = load(model.path)
    """

    reference: str
    path: Path
    """The folder that holds the files. Without a target it belongs to the cache: read the files, don't change them.

    The path alone keeps nothing in the cache: ``yard.pull(…).path`` in one expression lets go of the model at once.
    """
    version: Version
    stale: bool
    """Whether the registry could not be reached, and this is the last version that the reference was known to mean."""
    bytes_received: int
    """Bytes that came over the network; 0 if everything was cached."""
    partial: bool = False
    """Whether only some files of the version were asked for."""
    _hold: _Hold | None = field(default=None, repr=False, compare=False)

    def close(self) -> None:
        """Lets the cache evict the files when it needs room. Does nothing the second time, or with a target."""
        if self._hold is not None:
            self._hold.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, path: str) -> BinaryIO:
        """Opens a file of the version, which was verified, for reading. It can be read from any position.

        Raises ``FileNotFoundError`` if it is not among the files that were pulled.
        """
        return (self.path / check_path(path)).open("rb")

    @property
    def digest(self) -> str:
        """The manifest digest."""
        return self.version.digest

    @property
    def metadata(self) -> Facts:
        """Params, metrics and the other frozen facts."""
        return self.version


@readable
@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Record):
    """How far a push or a pull is. Passed to the ``progress`` callback."""

    phase: str
    """``hash``, ``upload``, ``download`` or ``verify``."""
    path: str
    """The file that was transferred last."""
    done: int
    """Bytes of this phase so far. Bytes that need no transfer count at once."""
    total: int
    """All bytes of this phase."""
