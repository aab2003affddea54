"""Who runs a version, and how often it is fetched: what is told of versions and is no fact of theirs."""

from dataclasses import dataclass
from datetime import datetime

from modelyard.core.names import VersionName


@dataclass(frozen=True, slots=True)
class VersionUse:
    """Counted of one version, over any time."""

    use_time: datetime
    """Last resolved to, or read."""
    download_count: int = 0
    download_time: datetime | None = None

    def __add__(self, other: "VersionUse") -> "VersionUse":
        downloads = [moment for moment in (self.download_time, other.download_time) if moment is not None]
        return VersionUse(
            max(self.use_time, other.use_time),
            self.download_count + other.download_count,
            max(downloads, default=None),
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """How a version is used."""

    version: VersionName
    use: VersionUse | None
    """None if it never was."""
    deployment_count: int
