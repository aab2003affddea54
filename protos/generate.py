"""Generates the Python stubs of the contract into the SDK. The only caller of protoc.

    python protos/generate.py           write clients/python/src/modelyard/v1
    python protos/generate.py --check   lint the contract, compare it with the released one; exit 1 if stubs are stale
    python protos/generate.py --freeze  at a release: the contract as it is now is the released one

The code comes from an old protoc, pinned in ``protos/requirements.lock``: generated code refuses runtimes older than
the protoc that made it, and 1.66.2 is the oldest whose code every supported grpcio and protobuf imports without a
warning. The type stubs have no such floor and come from the newest plugin, which is installed beside this interpreter.
"""

import argparse
import filecmp
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
OUTPUT = PROTOS.parent / "clients/python/src"
PACKAGE = Path("modelyard/v1")
RELEASED = PROTOS / "released.binpb"
"""The descriptors of the contract as last released."""
BIN = Path(sys.executable).parent


def common_protos() -> Path:
    """The folder that holds google/api and google/rpc, from the installed googleapis-common-protos."""
    spec = importlib.util.find_spec("google.api")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))).parents[1]


def workspace(scratch: Path) -> None:
    """Lays our protos and the annotations that they import side by side, as protoc and buf want them."""
    shutil.copytree(PROTOS / PACKAGE, scratch / PACKAGE)
    shutil.copy(PROTOS / "buf.yaml", scratch)
    for package in ("api", "rpc"):  # not all of google: protoc has google/protobuf itself
        (scratch / "google" / package).mkdir(parents=True)
        for proto in (common_protos() / "google" / package).glob("*.proto"):
            shutil.copy(proto, scratch / "google" / package)


def run(*command: str | Path, cwd: Path) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


def buf(*arguments: str | Path, cwd: Path) -> None:
    """Runs buf in a workspace; what it finds is printed."""
    run(BIN / "buf", *arguments, cwd=cwd)


def descriptors(scratch: Path, target: Path, *, comments: bool = False) -> None:
    """Writes the ``FileDescriptorSet`` of the workspace in ``scratch``, with the files that it imports."""
    kept = () if comments else ("--exclude-source-info",)
    buf("build", "--as-file-descriptor-set", *kept, "--path", PACKAGE, "-o", target, cwd=scratch)


def check_contract() -> None:
    """Raises ``CalledProcessError`` if the contract breaks a rule, or something that the released one promises."""
    with tempfile.TemporaryDirectory() as scratch:
        workspace(Path(scratch))
        buf("lint", cwd=Path(scratch))
        buf("breaking", "--against", RELEASED, cwd=Path(scratch))


def freeze() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        workspace(Path(scratch))
        descriptors(Path(scratch), RELEASED)


def python(*arguments: str | Path, cwd: Path) -> None:
    """Runs Python with the pinned grpcio-tools, which have protoc and the protos of google/protobuf."""
    run(
        *(BIN / "uv", "run", "--no-project", "--isolated", "--quiet"),
        *("--with-requirements", PROTOS / "requirements.lock", "python", "-W", "ignore", *arguments),
        cwd=cwd,
    )


def generate(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        workspace(Path(scratch))
        python(
            *("-m", "grpc_tools.protoc", "-I", "."),
            f"--plugin=protoc-gen-mypy={BIN / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={BIN / 'protoc-gen-mypy_grpc'}",
            *(f"--{output}_out={target}" for output in ("python", "grpc_python")),
            *(f"--{output}_out=quiet:{target}" for output in ("mypy", "mypy_grpc")),
            *sorted(path.relative_to(PROTOS) for path in (PROTOS / PACKAGE).glob("*.proto")),
            cwd=Path(scratch),
        )
    for stub in (target / PACKAGE).glob("*_pb2_grpc.py*"):
        if "Stub" not in stub.read_text():  # a file without a service
            stub.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with what is committed instead of writing")
    parser.add_argument("--freeze", action="store_true", help="write the descriptors of the released contract")
    given = parser.parse_args()
    if given.freeze:
        freeze()
        return 0
    check = given.check
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh, committed = Path(scratch) / PACKAGE, OUTPUT / PACKAGE
        names = {p.name for folder in (fresh, committed) for p in folder.glob("*_pb2*")}
        stale = sorted(set().union(*filecmp.cmpfiles(fresh, committed, names, shallow=False)[1:]))
        if check:
            check_contract()
            if stale:
                print(f"stale: {', '.join(stale)}; run `make protos` and commit the result", file=sys.stderr)
            return 1 if stale else 0
        for name in stale:
            (committed / name).unlink(missing_ok=True)
            if (fresh / name).exists():
                shutil.copy(fresh / name, committed / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
