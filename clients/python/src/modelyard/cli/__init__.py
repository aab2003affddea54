"""The command ``modelyard``."""

import os
import sys
from functools import partial
from importlib.util import find_spec

from modelyard.cli import bash
from modelyard.cli.streams import open_missing, tell


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    open_missing()
    if not all(map(find_spec, ("typer", "rich"))):
        tell(
            "error: the command line needs two more packages. Install modelyard[cli] from where you got modelyard, or:"
            " pip install typer rich\n"
        )
        return 1
    try:
        # An SDK installed without the extra must get to the lines above.
        from modelyard.cli.app import run  # noqa: PLC0415

        if bash.asks(os.environ):
            return bash.complete(partial(run, sys.argv[1:]))
        return run(sys.argv[1:])
    except KeyboardInterrupt:  # while it is imported
        sys.stderr.write("error: interrupted\n")
        return 130
