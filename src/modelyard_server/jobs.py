"""Background jobs."""


class Job:
    """A background job. Each step is optional."""

    async def start(self) -> None:
        """Called before the server accepts calls."""

    async def stop(self) -> None:
        """Called when the server begins to drain. Ends streams so that clients resume them. Starts no more work."""

    async def finish(self) -> None:
        """Called when no call is in flight. Stores pending data."""
