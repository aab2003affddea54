"""ArtifactsService: downloads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from modelyard.core.manifest import check_digest, check_path
from modelyard.core.names import VersionName
from modelyard.v1 import artifacts_pb2 as rpc
from modelyard_server.calls import validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.offload import offload
from modelyard_server.calls.parsing import Collector
from modelyard_server.transfers.downloads.service import Downloads
from modelyard_server.transfers.draining import check_draining


class DownloadsServicer:
    """Reads the files of versions."""

    def __init__(self, downloads: Downloads, limits: Limits, draining: asyncio.Event) -> None:
        self._downloads = downloads
        self._limits = limits
        self._draining = draining

    async def ReadFile(self, request: rpc.ReadFileRequest, call: Call) -> AsyncIterator[rpc.ReadFileResponse]:
        collector = Collector()
        version = collector.parse("version", VersionName.parse, request.version)
        which = request.WhichOneof("file")
        collector.require("path", which)
        if which is not None:
            collector.parse(which, check_path if which == "path" else check_digest, getattr(request, which))
        for field in ("read_offset", "read_limit"):
            if getattr(request, field) < 0:
                collector.add([FieldViolation(field, f"{getattr(request, field)} is negative")])
        collector.raise_any()
        assert version is not None
        batches = await self._downloads.read(
            call.caller,
            version,
            path=request.path if which == "path" else None,
            digest=request.digest if which == "digest" else None,
            offset=request.read_offset,
            limit=request.read_limit,
        )
        offset = request.read_offset
        async with aclosing(batches):
            async for chunks in batches:
                check_draining(self._draining)
                for chunk in chunks:
                    yield rpc.ReadFileResponse(offset=offset, data=chunk.data, crc32c=chunk.crc32c or 0)
                    offset += len(chunk.data)
        if offset == request.read_offset:
            yield rpc.ReadFileResponse(offset=offset)

    async def BatchReadFiles(self, request: rpc.BatchReadFilesRequest, call: Call) -> rpc.BatchReadFilesResponse:
        version = await offload(call.entries, self._read_from, request)
        contents = await self._downloads.read_batch(call.caller, version, request.paths)
        return rpc.BatchReadFilesResponse(
            items=[
                rpc.BatchReadFilesResponse.Item(data=content.data, crc32c=content.crc32c or 0) for content in contents
            ]
        )

    def _read_from(self, request: rpc.BatchReadFilesRequest) -> VersionName:
        collector = Collector()
        version = collector.parse("version", VersionName.parse, request.version)
        collector.require("paths", request.paths)
        collector.add(validation.at_most("paths", len(request.paths), self._limits.batch_count))
        for index, path in enumerate(request.paths):
            collector.parse(f"paths[{index}]", check_path, path)
        if len(set(request.paths)) < len(request.paths):
            collector.add([FieldViolation("paths", "have a file twice")])
        collector.raise_any()
        assert version is not None
        return version
