"""A sha256 whose state can be kept, and taken up by another process or another server.

hashlib gives no state away. So this calls the functions of OpenSSL below hashlib, in the library that hashlib itself
has loaded: the same code, as fast, and like hashlib without the lock of the interpreter. OpenSSL has deprecated them
in 3.0, and has them in every release up to 4.0. A Python may be built without them. Then hashlib does the work, no
state can be kept, and staged bytes are read again.
"""

import ctypes
import hashlib
import struct
from functools import cache
from itertools import pairwise
from typing import Final, Protocol

_BLOCK: Final = 64
_STATE: Final = struct.Struct(">8IQ")
"""The eight words after the last whole block, and the number of bytes so far. The bytes of the last block follow."""


class Sha256(Protocol):
    """A running sha256. Call it only in worker threads: a MiB on the event loop delays every other call."""

    def update(self, data: bytes) -> None: ...

    @property
    def digest(self) -> str:
        """The digest of all data so far: ``sha256:`` and 64 hexadecimal digits."""
        ...

    @property
    def state(self) -> bytes | None:
        """All that is needed to go on: 40 to 103 bytes, the same on every machine. None if it can't be kept."""
        ...


def keeps_states() -> bool:
    """Whether a hash has a state that can be kept. The first call tries it, in the library of this Python."""
    return _library() is not None


def new_sha256() -> Sha256:
    """The sha256 of no data."""
    library = _library()
    return _Plain() if library is None else _Keepable(library, _initial(library))


def resume_sha256(state: bytes, size: int) -> Sha256 | None:
    """The sha256 of the first ``size`` bytes, from its state. None if it isn't one of them, or can't be taken up."""
    library = _library()
    return None if library is None else _resumed(library, state, size)


class _Plain:
    """See :class:`Sha256`. It keeps no state."""

    state: Final = None

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class _Context(ctypes.Structure):
    """``SHA256_CTX`` in openssl/sha.h: a public structure, unchanged since OpenSSL 0.9.8."""

    _fields_ = (
        ("h", ctypes.c_uint32 * 8),
        ("low", ctypes.c_uint32),  # of the number of bits
        ("high", ctypes.c_uint32),
        ("block", ctypes.c_ubyte * _BLOCK),
        ("used", ctypes.c_uint),  # bytes of the block
        ("digest_size", ctypes.c_uint),
        ("room", ctypes.c_ubyte * 256),  # for a release that has more: it then fails the test in `_library`
    )


class _Keepable:
    """See :class:`Sha256`. One call at a time."""

    def __init__(self, library: ctypes.CDLL, context: _Context) -> None:
        self._library = library
        self._context = context

    def update(self, data: bytes) -> None:
        self._library.SHA256_Update(ctypes.byref(self._context), data, len(data))

    @property
    def digest(self) -> str:
        context = _Context.from_buffer_copy(self._context)  # the end changes it
        digest = ctypes.create_string_buffer(32)
        self._library.SHA256_Final(digest, ctypes.byref(context))
        return f"sha256:{digest.raw.hex()}"

    @property
    def state(self) -> bytes:
        context = self._context
        count = (context.high << 32 | context.low) // 8
        return _STATE.pack(*context.h, count) + bytes(context.block[: context.used])


def _initial(library: ctypes.CDLL) -> _Context:
    context = _Context()
    library.SHA256_Init(ctypes.byref(context))
    return context


def _resumed(library: ctypes.CDLL, state: bytes, size: int) -> _Keepable | None:
    if len(state) < _STATE.size:
        return None
    *words, count = _STATE.unpack_from(state)
    rest = state[_STATE.size :]
    if count != size or len(rest) != size % _BLOCK:
        return None
    context = _initial(library)
    context.h[:] = words
    context.low, context.high = size * 8 & 0xFFFFFFFF, size * 8 >> 32
    context.block[: len(rest)] = rest
    context.used = len(rest)
    return _Keepable(library, context)


@cache
def _library() -> ctypes.CDLL | None:
    """OpenSSL, if it has the functions, and if hashing with pauses gives what hashlib gives."""
    try:
        import _hashlib  # noqa: PLC0415 - a Python without OpenSSL has no such module

        library = ctypes.CDLL(_hashlib.__file__)  # what it was linked to is found through it
        library.SHA256_Init.argtypes = (ctypes.c_void_p,)
        library.SHA256_Update.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
        library.SHA256_Final.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    except (ImportError, OSError, AttributeError):
        return None
    return library if _keeps_its_state(library) else None


def _keeps_its_state(library: ctypes.CDLL) -> bool:
    data = bytes(range(256))
    running: _Keepable | None = _Keepable(library, _initial(library))
    for start, end in pairwise((0, 7, 139, 192, len(data))):
        if running is None:
            return False
        running.update(data[start:end])
        running = _resumed(library, running.state, end)
    return running is not None and running.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
