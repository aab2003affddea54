"""The use of versions: consumers, downloads and the time of the last use."""

from dataclasses import dataclass
from datetime import datetime

from modelyard.core.names import VersionName


@dataclass(frozen=True, slots=True)
class VersionUse:
    """Counts of one version."""

    use_time: datetime
    """Time of the last resolution or read."""
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
    """None if the version was never used."""
    deployment_count: int
