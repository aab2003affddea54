"""The command `modelyard-server`. It imports the server in `main`, so that Ctrl-C meanwhile shows no traceback."""

import sys

_INTERRUPTED = 130


def main() -> None:
    try:
        from modelyard_server.cli import main as run  # noqa: PLC0415 (it takes a second)

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
