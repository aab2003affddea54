"""The limits and defaults that the SDK and the server share.

The SDK checks what it can before it sends anything, and the server checks again. What only the server needs is in its
own ``limits.py``.
"""

from typing import Final

MAX_ID_LENGTH: Final = 63
"""Characters of the id of a namespace, a model or a webhook."""
MAX_ALIAS_LENGTH: Final = 63
"""Characters of an alias."""

MAX_FILES: Final = 10_000
"""Files of one version; the fewest is 1."""
MAX_BLOB_BYTES: Final = 5 * 1024**4
"""Size of one file."""
MAX_PATH_BYTES: Final = 1024
"""UTF-8 bytes of a file's path."""
MAX_SEGMENT_BYTES: Final = 255
"""UTF-8 bytes of each part of a path."""
MAX_PATH_DEPTH: Final = 32
"""Parts of a path."""

MAX_LABELS: Final = 100
"""Entries of the labels, and of the annotations, of one resource."""
MAX_LABEL_KEY_BYTES: Final = 128
"""UTF-8 bytes of the key of a label or an annotation."""
MAX_LABEL_VALUE_BYTES: Final = 4096
"""UTF-8 bytes of its value."""
RESERVED_LABEL_PREFIX: Final = "sys/"
"""Keys that begin so belong to the registry."""
MAX_DISPLAY_NAME_LENGTH: Final = 128
"""Characters of a name for people."""
MAX_OWNER_LENGTH: Final = 256
"""Characters of the owner of a model."""
MAX_DESCRIPTION_BYTES: Final = 1 << 20
"""UTF-8 bytes of a description."""
MAX_REASON_BYTES: Final = 4096
"""UTF-8 bytes of the reason for a change, and of the description of a webhook."""

MAX_FACTS: Final = 10_000
"""Entries of each map or list among a version's facts."""
MAX_PARENTS: Final = 100
"""Versions that one version may name as those it was made from. Each is looked up and locked in the commit."""
MAX_FACT_NAME_BYTES: Final = 255
"""UTF-8 bytes of the name of a param, a metric, a package and the like."""
MAX_TEXT_BYTES: Final = 4096
"""UTF-8 bytes of any other text among the facts."""
MAX_FORMAT_BYTES: Final = 128
"""UTF-8 bytes of the format of a version."""
MAX_VERSION_BYTES: Final = 7 << 19
"""Size of a version's message with its files and facts."""
NOT_ON_ONE_LINE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Unicode's categories of characters that no name and no address may have."""
INT64: Final = range(-(2**63), 2**63)
"""The integers that a param may hold."""
MAX_ALIASES_PER_COMMIT: Final = 10
"""Aliases that one push may set."""

MAX_CONSUMER_BYTES: Final = 255
"""UTF-8 bytes of each of a consumer's service, environment and instance."""
DEFAULT_DEPLOYMENT_TTL: Final = 90.0
"""Seconds for which a deployment counts without a heartbeat."""
MIN_DEPLOYMENT_TTL: Final = 10.0
"""The shortest such time."""
MAX_DEPLOYMENT_TTL: Final = 30 * 86_400.0
"""The longest such time."""

DEFAULT_PAGE_SIZE: Final = 50
"""Items of one page of a list or a search."""
MAX_PAGE_SIZE: Final = 1000
"""Items of one page, if a caller asks for so many. A page of large items has fewer."""

DEFAULT_LINEAGE_DEPTH: Final = 10
"""Steps from version to version."""
MAX_LINEAGE_DEPTH: Final = 50
"""Steps from version to version, if a caller asks for so many."""
