"""Params that are too long for a fact, as prompts and whole configurations are: files of the version."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from modelyard._transfer.local_files import LocalFile, collect
from modelyard.core.manifest import check_distinct, check_path
from modelyard.errors import InvalidArgumentError

MAX_BYTES: Final = 64 << 20
"""UTF-8 bytes of a text that is kept so."""
_FOLDER: Final = "modelyard-params"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME: Final = 100


def path_for(name: str) -> str:
    """Where the text of a param is kept in the version. Different names have different paths."""
    path = f"{_FOLDER}/{name}.txt"
    try:
        if _UNSAFE.search(name) or len(name) > _MAX_NAME or name != name.lower():
            raise ValueError(name)
        return check_path(path)
    except ValueError:
        distinct = hashlib.sha256(name.encode()).hexdigest()[:8]
        return f"{_FOLDER}/p-{_UNSAFE.sub('_', name)[:_MAX_NAME].strip('.')}-{distinct}.txt"


def reference_to(path: str, text: str) -> str:
    """What the param holds instead. It differs if the text differs."""
    data = text.encode()
    return f"see the file {path} ({len(data)} bytes, sha256:{hashlib.sha256(data).hexdigest()})"


@contextmanager
def with_texts(files: Sequence[LocalFile], texts: Mapping[str, str]) -> Iterator[Sequence[LocalFile]]:
    """The files with those of the texts, which are on disk until the end of the block.

    Raises ``InvalidArgumentError`` if a file has the path of a text.
    """
    if not texts:
        yield files
        return
    with TemporaryDirectory(prefix="modelyard-") as folder:
        for path, text in texts.items():
            file = Path(folder) / path
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text.encode())
        found = sorted([*files, *collect(Path(folder)).files], key=lambda each: each.path)
        try:
            check_distinct(each.path for each in found)
        except ValueError as error:
            raise InvalidArgumentError([("files", str(error))]) from None
        yield found
