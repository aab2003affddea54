"""Data sets as training code has them: addresses, files, data frames, arrays and data sets of Hugging Face."""

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from modelyard._client.plain import NotPlainError, kind
from modelyard.core.facts import Dataset, DatasetRole, Fingerprint

_MAX_HASHED_BYTES: Final = 1 << 30
"""A larger file has no digest: a push must not read it for minutes."""
_WORDS: Final = re.compile(r"[a-z]+")
_ROLES: Final = {
    **dict.fromkeys(("train", "training"), DatasetRole.TRAINING),
    **dict.fromkeys(("valid", "validation", "val", "dev", "eval"), DatasetRole.VALIDATION),
    **dict.fromkeys(("test", "testing", "holdout"), DatasetRole.TEST),
}


def dataset_of(name: str, value: Any) -> Dataset:
    """A record of the data, its role told by its name. May read the data, so call it in a thread.

    Raises :class:`NotPlainError` if nothing can be made of the value.
    """
    role = role_of(name)
    if isinstance(value, str):
        return Dataset(name=name, uri=str.__str__(value), role=role)
    if isinstance(value, Path):
        return _of_path(name, value, role)
    rows = getattr(value, "num_rows", None)
    if isinstance(rows, int) and isinstance(getattr(value, "_fingerprint", None), str):
        # Hugging Face's, which tells the data and all that was done to it.
        return Dataset(name=name, digest=f"hf-fingerprint:{value._fingerprint}", role=role, rows=rows)  # noqa: SLF001
    if getattr(value, "shape", None):  # a scalar of NumPy has an empty one
        for base in type(value).__mro__:
            if (digest_of := _DIGESTS.get(base.__name__)) is not None:
                digest = digest_of(value)
                exact = Fingerprint.EXACT if digest else None
                return Dataset(name=name, digest=digest, role=role, rows=int(value.shape[0]), fingerprint=exact)
    told = "give a URI, a path, a data frame, an array or a modelyard.Dataset"
    raise NotPlainError(f"has the type {kind(value)}; {told}")


def role_of(name: str) -> DatasetRole:
    """The role that one word of the name says: ``train_2026`` is for training. Two roles in a name are none."""
    roles = {_ROLES[word] for word in _WORDS.findall(name.lower()) if word in _ROLES}
    return roles.pop() if len(roles) == 1 else DatasetRole.OTHER


def _of_path(name: str, path: Path, role: DatasetRole) -> Dataset:
    try:
        found = path.resolve(strict=True)
        whole = found.is_file() and found.stat().st_size <= _MAX_HASHED_BYTES
        digest = _digest_of_file(found) if whole else ""
    except OSError as error:
        told = f"is the path {str(path)!r}, which can't be read: {error.strerror}"
        raise NotPlainError(f"{told}. Give a URI as text if the data is elsewhere") from None
    return Dataset(
        name=name, uri=found.as_uri(), digest=digest, role=role, fingerprint=Fingerprint.EXACT if digest else None
    )


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as data:
        return f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"


def _digest_of_array(array: Any) -> str:
    """Of an array of NumPy, over type, shape and values; empty for one of objects, or a large one."""
    if array.dtype.hasobject or array.nbytes > _MAX_HASHED_BYTES:
        return ""
    digest = hashlib.sha256(repr((array.dtype.descr, array.shape)).encode())
    digest.update(array.tobytes())
    return f"numpy-sha256:{digest.hexdigest()}"


def _digest_of_frame(frame: Any) -> str:
    """Of a frame of pandas, over names, types, index and values; empty for other frames and values without a hash."""
    if type(frame).__module__.partition(".")[0] != "pandas":
        return ""
    # The frame's own package, so it is loaded already; others never load it.
    pandas: Any = sys.modules["pandas"]
    try:
        rows = pandas.util.hash_pandas_object(frame, index=True).to_numpy()
    except TypeError:  # a cell holds a list or the like
        return ""
    digest = hashlib.sha256(repr([(str(column), str(frame.dtypes.iloc[i])) for i, column in enumerate(frame)]).encode())
    digest.update(rows.tobytes())
    return f"pandas-sha256:{digest.hexdigest()}"


_DIGESTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "DataFrame": _digest_of_frame,
    "Table": _digest_of_frame,
    "ndarray": _digest_of_array,
}
"""By the name of the class, as the packages need not be installed."""
