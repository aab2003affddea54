"""Certificates that a test makes."""

import subprocess
from pathlib import Path


def self_signed(folder: Path, *, days: int) -> tuple[Path, Path]:
    """A certificate for localhost that is valid from now for ``days``, and its key."""
    certificate, key = folder / "made.crt", folder / "made.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days)]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", *kind, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
