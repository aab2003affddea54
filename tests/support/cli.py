"""The command line as tests run it."""

import json
import sys
from collections.abc import Callable
from typing import Any


class Answer:
    """What one run of the command said and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


Cli = Callable[..., Answer]
COMMAND = [sys.executable, "-c", "import sys; from modelyard.cli import main; sys.exit(main())"]
