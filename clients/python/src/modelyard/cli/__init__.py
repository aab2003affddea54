"""The command ``modelyard``."""

import sys
from importlib.util import find_spec


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    if not all(map(find_spec, ("typer", "rich"))):
        sys.stderr.write("error: the command line needs two more packages: pip install 'modelyard[cli]'\n")
        return 1
    from modelyard.cli.app import run  # noqa: PLC0415 - an SDK installed without the extra must get to the lines above

    return run(sys.argv[1:])
