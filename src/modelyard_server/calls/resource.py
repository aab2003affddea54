"""The fields of every resource of the API: a uid that never changes, times, and an etag."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from modelyard_server.calls.errors import Aborted


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A named resource that can change. ``key`` is the primary key of its row; only repositories read it."""

    uid: str
    create_time: datetime
    update_time: datetime
    row_version: int = 1
    """Counts the changes of this resource."""
    key: int = field(default=0, repr=False, compare=False)

    @property
    def etag(self) -> str:
        """A strong tag. It has part of the uid, so that a resource that is created anew gets another."""
        return f'"{self.uid[:8]}-{self.row_version}"'


def new_uid() -> str:
    return str(uuid4())


def check_etag(resource: Resource, etag: str, name: object) -> None:
    """Raises ``ETAG_MISMATCH`` if the resource has changed since the caller read it."""
    if etag and etag != resource.etag:
        raise Aborted(
            f"{name} has changed since you read it: its etag is {resource.etag}, not {etag}. Read it again, then"
            " decide.",
            reason="ETAG_MISMATCH",
            metadata={"resource": str(name), "etag": etag, "currentEtag": resource.etag},
        )
