"""crc32c, where a fast one is installed: it finds damage in flight before a whole file has travelled.

The extra ``modelyard[crc32c]`` brings it. Without it nothing is less safe: every file is held to its sha256 anyway.
"""

from collections.abc import Callable

crc32c: Callable[[bytes], int] | None
"""crc32c of some bytes, or None if this machine could only compute it slowly."""

try:
    import google_crc32c
except ImportError:
    crc32c = None
else:
    crc32c = google_crc32c.value if google_crc32c.implementation == "c" else None
