"""ArtifactsService: uploads."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime

from modelyard.core.limits import MAX_BLOB_BYTES
from modelyard.core.manifest import check_digest
from modelyard.core.names import NamespaceName, UploadName
from modelyard.core.pace import MIN_BYTES_PER_SECOND, Pace
from modelyard.v1 import artifacts_pb2 as rpc
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import DeadlineExceeded, FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.query.requests import Lists
from modelyard_server.transfers.draining import check_draining
from modelyard_server.transfers.uploads.messages import upload_message
from modelyard_server.transfers.uploads.pump import Frame
from modelyard_server.transfers.uploads.service import Uploads


class UploadsServicer:
    """Answers the methods on uploads."""

    def __init__(self, uploads: Uploads, lists: Lists, limits: Limits, draining: asyncio.Event) -> None:
        self._uploads = uploads
        self._lists = lists
        self._limits = limits
        self._draining = draining

    async def StartUpload(self, request: rpc.StartUploadRequest, call: Call) -> rpc.Upload:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        collector.add(validation.blob_size("size_bytes", request.size_bytes))
        if request.digest:
            collector.parse("digest", check_digest, request.digest)
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        assert parent is not None
        return upload_message(await self._uploads.start(attempt, parent, request.size_bytes, request.digest))

    async def WriteBlob(self, request_iterator: AsyncIterator[rpc.WriteBlobRequest], call: Call) -> rpc.Upload:
        async with aclosing(self._frames(request_iterator, call)) as frames:
            return upload_message(await self._uploads.write(call.caller, frames))

    async def _frames(self, requests: AsyncIterator[rpc.WriteBlobRequest], call: Call) -> AsyncGenerator[Frame, None]:
        now = asyncio.get_running_loop().time
        pace = Pace(self._limits.stream_idle)
        while True:
            began = now()
            try:
                async with asyncio.timeout(pace.seconds):
                    request = await anext(requests, None)
            except TimeoutError:
                raise DeadlineExceeded(
                    f"No data arrived for {self._limits.stream_idle:.0f} s, or less than {MIN_BYTES_PER_SECOND} bytes a"
                    " second. GetUpload returns the offset to resume at.",
                    reason="STREAM_IDLE",
                ) from None
            if request is None:
                return
            check_draining(self._draining)
            call.resource = call.resource or request.upload
            frame = self._frame(request)
            pace.waited(now() - began, len(frame.data))
            yield frame

    def _frame(self, request: rpc.WriteBlobRequest) -> Frame:
        collector = Collector()
        data = request.data  # read once: each access makes a copy
        if len(data) > self._limits.chunk_bytes:
            text = f"has {len(data)} bytes; at most {self._limits.chunk_bytes} are allowed in a message"
            collector.add([FieldViolation("data", text)])
        if not 0 <= request.write_offset <= MAX_BLOB_BYTES:
            collector.add([FieldViolation("write_offset", f"{request.write_offset} is not an offset in a blob")])
        upload = collector.parse("upload", UploadName.parse, request.upload) if request.upload else None
        if request.digest:
            collector.parse("digest", check_digest, request.digest)
            if not request.finish_write:
                collector.add([FieldViolation("digest", "is allowed only with finish_write")])
        collector.raise_any()
        return Frame(
            upload=upload,
            offset=request.write_offset,
            data=data,
            crc32c=request.crc32c if request.HasField("crc32c") else None,
            finish=request.finish_write,
            digest=request.digest,
        )

    async def GetUpload(self, request: rpc.GetUploadRequest, call: Call) -> rpc.Upload:
        return upload_message(await self._uploads.get(call.caller, parsing.one("name", UploadName.parse, request.name)))

    async def ListUploads(self, request: rpc.ListUploadsRequest, call: Call) -> rpc.ListUploadsResponse:
        collector = Collector()
        parent = collector.parse("parent", NamespaceName.parse, request.parent)
        query = self._lists.query(request, collector)
        assert parent is not None
        after = None
        if isinstance(query.position, list):
            created, last = query.position
            after = datetime.fromisoformat(created), last
        page = await self._uploads.page(call.caller, parent, after=after, size=query.size)
        uploads, token = await self._lists.answer(query, page, upload_message)
        return rpc.ListUploadsResponse(uploads=uploads, next_page_token=token)

    async def CancelUpload(self, request: rpc.CancelUploadRequest, call: Call) -> rpc.CancelUploadResponse:
        await self._uploads.cancel(call.caller, parsing.one("name", UploadName.parse, request.name))
        return rpc.CancelUploadResponse()
