"""Work beside the calls."""


class Job:
    """Work beside the calls. Each step may be left out."""

    async def start(self) -> None:
        """Called before the server takes calls."""

    async def stop(self) -> None:
        """Called when the server begins to drain: ends streams so that they can be resumed, and begins nothing more."""

    async def finish(self) -> None:
        """Called when no call is left: stores what is still to be stored."""
