"""Measures everything, and writes the table of benchmarks/README.md:

python -m benchmarks [--only transfer,metadata,...] [--mib 1024] [--rounds 5] [--versions 1000000]
"""

import argparse
from collections.abc import Callable, Iterable
from typing import Final

from benchmarks import catalogue, load, metadata, report, servers, small_files, startup, transfer, watching

SUITES: Final = ("transfer", "small_files", "metadata", "catalogue", "watching", "load", "startup")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures Modelyard against floors and against MLflow.")
    parser.add_argument("--only", default=",".join(SUITES), help="suites to run, separated by commas; writes no table")
    parser.add_argument("--mib", type=int, default=1024, help="size of the large file, in MiB")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each transfer")
    parser.add_argument("--versions", type=int, default=1_000_000, help="versions of the large catalogue")
    given = parser.parse_args()
    if not (servers.PEER_BIN / "mlflow").exists():
        parser.error("there is no .venv-peers: run 'make bench', which makes it")
    runs: dict[str, Callable[[], Iterable[report.Row]]] = {
        "transfer": lambda: transfer.run(given.mib, given.rounds),
        "small_files": lambda: small_files.run(given.rounds),
        "metadata": metadata.run,
        "catalogue": lambda: catalogue.run(given.versions),
        "watching": watching.run,
        "load": load.run,
        "startup": lambda: startup.run(given.rounds),
    }
    chosen = given.only.split(",")
    rows = [row for name in chosen for row in report.shown(runs[name]())]
    if tuple(chosen) == SUITES:
        report.write(rows)


if __name__ == "__main__":
    main()
