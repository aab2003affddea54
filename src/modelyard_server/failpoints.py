"""Named points at which a test can kill the server or make a system call fail.

As in etcd, they stay in the code and do nothing until ``MODELYARD_FAILPOINTS`` arms them. Only a server with the
``development`` setting accepts that variable::

    MODELYARD_FAILPOINTS="commit.after_db=kill;blob.fsync=errno:EIO@3"

``kill`` kills the process as ``kill -9`` does. ``errno:NAME`` makes the system call at the point fail. ``unavailable``
makes the gRPC call fail with ``UNAVAILABLE``. ``delay:250`` makes a point that is passed in a thread take 250
milliseconds longer, as a slow disk does. With ``@N``, only the Nth pass fails, otherwise every pass.
"""

import errno
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, product
from typing import Final

from modelyard_server.calls.errors import Unavailable

VARIABLE: Final = "MODELYARD_FAILPOINTS"

_MUTATIONS: Final = (
    "CreateNamespace",
    "UpdateNamespace",
    "DeleteNamespace",
    "UndeleteNamespace",
    "CreateModel",
    "UpdateModel",
    "DeleteModel",
    "UndeleteModel",
    "CreateVersion",
    "UpdateVersion",
    "DeprecateVersion",
    "QuarantineVersion",
    "ReleaseVersion",
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
        # Blobs: the system calls, and the steps between them.
        "blob.write",
        "blob.rehash",
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
        # Every write transaction, and the transaction of a change after it took effect.
        "commit.before_events",
        "commit.before_db",
        "commit.after_db",
        *(f"{method}.{step}" for method, step in product(_MUTATIONS, ("before_commit", "after_commit"))),
        # Webhooks: after the events became deliveries, after the receiver answered, after the answer was stored.
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
    r"(?P<name>[\w.]+)=(?P<action>kill|unavailable|errno:(?P<errno>E[A-Z0-9]+)|delay:(?P<delay>[1-9]\d{0,4}))"
    r"(?:@(?P<nth>[1-9]\d*))?"
)


class FailpointError(Exception):
    """``MODELYARD_FAILPOINTS`` is invalid or not allowed."""


@dataclass(frozen=True, slots=True)
class _Armed:
    action: str
    number: int
    seconds: float
    nth: int | None
    hits: Iterator[int]

    def fire(self, name: str) -> None:
        if self.nth is not None and next(self.hits) != self.nth:
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.seconds:
            time.sleep(self.seconds)
            return
        if self.action == "unavailable":
            raise Unavailable(f"The failpoint {name} is armed. Try again.", reason="FAILPOINT", retry_after=0.01)
        raise OSError(self.number, os.strerror(self.number))


_armed: dict[str, _Armed] = {}


def hit(name: str) -> None:
    """Marks a point. ``name`` is one of :data:`POINTS`. May be called in any thread."""
    if _armed and (armed := _armed.get(name)) is not None:
        armed.fire(name)


def arm(specification: str, *, development: bool) -> None:
    """Arms the points in the variable's value, and disarms all others.

    Raises:
        FailpointError: the value has an unknown point or action, or this is not a development server.
    """
    armed = dict(_parse(part.strip()) for part in specification.split(";") if part.strip())
    if armed and not development:
        raise FailpointError(
            f"{VARIABLE} is set, which makes a server fail on purpose. Unset it, or start with --development."
        )
    _armed.clear()
    _armed.update(armed)


def _parse(part: str) -> tuple[str, _Armed]:
    match = _SPEC.fullmatch(part)
    if match is None:
        raise FailpointError(
            f"{VARIABLE}: {part!r} is invalid. Use NAME=kill, NAME=unavailable, NAME=errno:EIO or NAME=delay:250,"
            " optionally with @N."
        )
    name = match["name"]
    if name not in POINTS:
        raise FailpointError(f"{VARIABLE}: there is no failpoint {name!r}. Use one of {', '.join(sorted(POINTS))}.")
    number = 0
    if match["errno"] is not None:
        number = getattr(errno, match["errno"], 0)
        if not number:
            raise FailpointError(f"{VARIABLE}: there is no error number {match['errno']}. Use a name such as EIO.")
    nth = None if match["nth"] is None else int(match["nth"])
    return name, _Armed(match["action"], number, int(match["delay"] or 0) / 1000, nth, count(1))
