"""The table of attacks that are one call each, by families. An id begins with the attack's number in the catalogue."""

from typing import Final

from tests.attacks import aliases, consumers, names, queries, uploads, values, webhooks
from tests.support.refusals import Row

ROWS: Final[list[Row]] = [
    *names.ROWS,
    *uploads.ROWS,
    *queries.ROWS,
    *values.ROWS,
    *aliases.ROWS,
    *consumers.ROWS,
    *webhooks.ROWS,
]
