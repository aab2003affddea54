"""What every resource of the API has: a uid that never changes, times, and an etag."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from modelyard_server.calls.errors import Aborted


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A named resource that can change. ``key`` is what the database calls its row; only repositories read it."""

    uid: str
    create_time: datetime
    update_time: datetime
    row_version: int = 1
    """Counts the changes of this resource."""
    key: int = field(default=0, repr=False, compare=False)

    @property
    def etag(self) -> str:
        """A strong tag. It holds part of the uid, so that a resource removed and made anew never has an old one's."""
        return f'"{self.uid[:8]}-{self.row_version}"'


def new_uid() -> str:
    return str(uuid4())


def check_etag(resource: Resource, etag: str, name: object) -> None:
    """Raises ``ETAG_MISMATCH`` if the caller has seen another state of the resource than there is now."""
    if etag and etag != resource.etag:
        raise Aborted(
            f"{name} was changed since you read it (its etag is {resource.etag}, not {etag}); read it again and decide",
            reason="ETAG_MISMATCH",
            metadata={"resource": str(name), "etag": etag, "currentEtag": resource.etag},
        )
