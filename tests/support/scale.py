"""How much the tests do that try things at random, or many times: 1 in `make test`, more in `make test-long`."""

import os
from typing import Final

SCALE: Final = int(os.environ.get("MODELYARD_TEST_SCALE", "1"))
"""A factor of counts: of kills, clients, writers, examples."""
