"""Waits at the end for uploads that are being published."""

from modelyard_server.jobs import Job
from modelyard_server.transfers.uploads.service import Uploads


class PublishToTheEnd(Job):
    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    async def finish(self) -> None:
        await self._uploads.finish()
