"""Named places where a test makes the server die or its disk fail.

They stand in the code for good, as in etcd, and do nothing unless ``MODELYARD_FAILPOINTS`` arms them, which only a
server with the ``development`` setting accepts::

    MODELYARD_FAILPOINTS="commit.after_db=kill;blob.fsync=errno:EIO@3"

Each arms one point: with ``kill`` the process dies as by ``kill -9``, with ``errno:NAME`` the system call there fails,
with ``unavailable`` the call that passes is told to try again. ``@N`` means the Nth time only, else every time.
"""

import errno
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Final

from modelyard_server.calls.errors import Unavailable

VARIABLE: Final = "MODELYARD_FAILPOINTS"

_MUTATIONS: Final = (
    "CreateNamespace",
    "UpdateNamespace",
    "CreateModel",
    "UpdateModel",
    "DeleteModel",
    "UndeleteModel",
    "CreateVersion",
    "UpdateVersion",
    "DeprecateVersion",
    "DeleteVersion",
    "UndeleteVersion",
    "SetAlias",
    "RollbackAlias",
    "DeleteAlias",
    "CreateEvaluation",
    "CreateWebhook",
    "UpdateWebhook",
    "RotateWebhookSecret",
    "DeleteWebhook",
    "RedeliverDelivery",
    "RegisterDeployment",
    "DeleteDeployment",
)
POINTS: Final = frozenset(
    {
        # Bytes: the system calls, and the steps between them.
        "blob.write",
        "blob.fsync",
        "blob.fsync_folder",
        "blob.link",
        "blob.unlink",
        "blob.before_link",
        "blob.after_link",
        "upload.after_start",
        "upload.after_claim",
        "upload.after_cancel",
        "finish.before_publish",
        "finish.after_publish",
        "finish.after_commit",
        "batch.after_publish",
        "compose.before_publish",
        "compose.after_publish",
        # Every transaction that writes, and those of a change once it took effect.
        "commit.before_events",
        "commit.before_db",
        "commit.after_db",
        *(f"{method}.{step}" for method, step in product(_MUTATIONS, ("before_commit", "after_commit"))),
        # Webhooks: the events are deliveries now; the receiver has answered; that is stored.
        "webhook.after_fan_out",
        "webhook.after_post",
        "webhook.after_end",
        "expiry.after_commit",
        "expiry.after_discard",
        "migration.before",
        "migration.before_commit",
        "migration.after_commit",
    }
)

_SPEC: Final = re.compile(
    r"(?P<name>[\w.]+)=(?P<action>kill|unavailable|errno:(?P<errno>E[A-Z0-9]+))(?:@(?P<nth>[1-9]\d*))?"
)


class FailpointError(Exception):
    """``MODELYARD_FAILPOINTS`` can't be obeyed."""


@dataclass(frozen=True, slots=True)
class _Armed:
    action: str
    number: int
    nth: int | None
    hits: Iterator[int]

    def fire(self, name: str) -> None:
        if self.nth is not None and next(self.hits) != self.nth:
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "unavailable":
            raise Unavailable(f"the failpoint {name} is armed; try again", reason="FAILPOINT", retry_after=0.01)
        raise OSError(self.number, os.strerror(self.number))


_armed: dict[str, _Armed] = {}


def hit(name: str) -> None:
    """Marks a place; ``name`` is one of :data:`POINTS`. May be called on any thread."""
    if _armed and (armed := _armed.get(name)) is not None:
        armed.fire(name)


def arm(specification: str, *, development: bool) -> None:
    """Arms what the variable's value names, and nothing else any more.

    Raises:
        FailpointError: it names a point or an action that there is not, or this is not a development server.
    """
    armed = dict(_parse(part.strip()) for part in specification.split(";") if part.strip())
    if armed and not development:
        raise FailpointError(
            f"{VARIABLE} is set, which makes a server fail on purpose: unset it, or start with --development"
        )
    _armed.clear()
    _armed.update(armed)


def _parse(part: str) -> tuple[str, _Armed]:
    match = _SPEC.fullmatch(part)
    if match is None:
        raise FailpointError(
            f"{VARIABLE}: {part!r} is not NAME=kill, NAME=unavailable or NAME=errno:EIO, with @N or not"
        )
    name = match["name"]
    if name not in POINTS:
        raise FailpointError(f"{VARIABLE}: there is no failpoint {name!r}; there are {', '.join(sorted(POINTS))}")
    number = 0
    if match["errno"] is not None:
        number = getattr(errno, match["errno"], 0)
        if not number:
            raise FailpointError(f"{VARIABLE}: there is no error number {match['errno']}")
    nth = None if match["nth"] is None else int(match["nth"])
    return name, _Armed(match["action"], number, nth, count(1))
