"""What a consumer sends of itself, and what it finds on its disk."""

import hashlib
import os
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from modelyard import _naming
from modelyard._cache import Cache
from modelyard._client.messages import request_id
from modelyard.core.manifest import File, manifest_digest
from modelyard.core.names import VersionName
from modelyard.errors import CacheError
from modelyard.types import PulledModel
from modelyard.v1 import deployments_pb2 as pb
from modelyard.v1 import resources_pb2 as resources


def default_instance() -> str:
    """This process: in a cluster, a pod's host name is its own."""
    return f"{socket.gethostname()}:{os.getpid()}"


def registration(
    version: VersionName,
    *,
    service: str,
    environment: str,
    instance: str,
    observed_digest: str,
    reference: str,
    ttl: float | None,
) -> pb.RegisterDeploymentRequest:
    with _naming.as_given("deployment"):
        request = pb.RegisterDeploymentRequest(
            parent=str(version.model),
            deployment=resources.Deployment(
                service=service,
                environment=environment,
                instance=instance,
                version=str(version),
                observed_digest=observed_digest,
                reference=reference,
            ),
            request_id=request_id(),
        )
    if ttl is not None:
        with _naming.as_given("ttl"):
            request.ttl.FromTimedelta(timedelta(seconds=ttl))
    return request


def observed_digest(model: PulledModel, cache: Cache) -> str:
    """The manifest digest of the files that a pulled model consists of, as they are on the disk now.

    Files in the cache that are unchanged since they were verified are not read again; those in a folder of the user's
    own are. A file that is gone, or can't be read, makes it another digest.
    """
    try:
        if cache.lookup(model.digest) == model.path:
            return model.digest
    except CacheError:
        pass
    found = [_found(model.path / file.path, file) for file in model.version.files]
    if model.partial and set(found) - {None} <= set(model.version.files):
        return model.digest  # what was asked for is right
    return manifest_digest(file for file in found if file is not None)


def _found(source: Path, promised: File) -> File | None:
    try:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = os.fstat(file.fileno()).st_size
            return replace(promised, size=size, digest=f"sha256:{digest}")
    except OSError:
        return None
