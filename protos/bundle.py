"""Builds the contract as one zip, for people who use the registry from other languages and through proxies.

    python protos/bundle.py [--output FOLDER]

The zip holds the protos with all that they import, a descriptor set, the retries of the SDK as a gRPC service config,
test vectors, an Envoy configuration and a README. Two builds of the same commit are equal to the byte.
"""

import argparse
import json
import shutil
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from protos import generate

from modelyard._connection import service_config

# No proto imports it, but every error carries its messages.
_ERROR_DETAILS: Final = "google/rpc/error_details.proto"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
# Prints the folder with the protos of google/protobuf that came with protoc.
_WELL_KNOWN: Final = """\
import pathlib, shutil, sys, grpc_tools
shutil.copytree(pathlib.Path(grpc_tools.__file__).parent / "_proto/google/protobuf", sys.argv[1])
"""


def lay_out(folder: Path) -> None:
    """Fills ``folder``, which must be empty, with what the zip holds."""
    with tempfile.TemporaryDirectory() as scratch:
        everything = Path(scratch)
        generate.workspace(everything)
        generate.python("-c", _WELL_KNOWN, everything / "google/protobuf", cwd=everything)
        generate.descriptors(everything, folder / "modelyard.binpb", comments=True)
        for name in (*_files(folder / "modelyard.binpb"), _ERROR_DETAILS):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(everything / name, folder / name)
    for name in ("buf.yaml", "README.md", "envoy.yaml"):
        shutil.copy(generate.PROTOS / name, folder)
    shutil.copytree(generate.PROTOS / "vectors", folder / "vectors")
    config = json.dumps(json.loads(service_config()), indent=2)
    (folder / "service-config.json").write_text(f"{config}\n")
    shutil.copy(generate.PROTOS.parent / "LICENSE", folder)


def _files(descriptors: Path) -> list[str]:
    """Names of the protos in a descriptor set."""
    return [file.name for file in FileDescriptorSet.FromString(descriptors.read_bytes()).file]


def build(output: Path) -> Path:
    """Writes the zip into ``output`` and returns its path."""
    output.mkdir(parents=True, exist_ok=True)
    name = f"modelyard-contract-{version('modelyard')}"
    target = output / f"{name}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        lay_out(Path(scratch))
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(f"{name}/{path.relative_to(scratch).as_posix()}", _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=generate.PROTOS.parent / "dist")
    print(build(parser.parse_args().output))


if __name__ == "__main__":
    main()
