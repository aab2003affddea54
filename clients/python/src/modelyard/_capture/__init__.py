"""What a push can know by itself about the code, the machine and the job that make a version.

Everything is collected by allow-list: the environment is never read as a whole, and text that a person typed passes
:mod:`modelyard._capture.secrets` first.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelyard._capture import dot_git, entry, environment, git, hardware, job
from modelyard._capture.budget import Budget, NotKnownError
from modelyard.core.facts import Environment, Source

__all__ = ["Captured", "capture"]

_BUDGET_SECONDS: Final = 5.0
"""Collecting goes on beside the upload, and takes a hundredth of this on a machine that is not in trouble."""
_GRACE_SECONDS: Final = 1.5
"""What is left to end a program that is late, before what was found so far is taken."""

_log = logging.getLogger("modelyard")

_Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What was found in time. None where there is nothing to be found, as at a prompt outside a repository."""

    source: Source | None
    environment: Environment | None


def capture(budget: Budget | None = None) -> Captured:
    """Collects for at most 5 s, the most valuable facts first. Never raises.

    A fact that is late or can't be had is named in ``not_collected``. Blocks, so call it in a thread. A file system
    that does not answer can't hold the caller: a thread of its own waits for it, and is left behind.
    """
    collection = _Collection(budget or Budget(_BUDGET_SECONDS))
    worker = threading.Thread(target=collection.fill, name="modelyard-capture", daemon=True)
    worker.start()
    worker.join(collection.budget.seconds + _GRACE_SECONDS)
    return collection.captured()


class _Collection:
    """What was found so far. One thread fills it, and another may take it at any time."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._started = entry.Entry()
        self._checkout: dot_git.Checkout | None = None
        self._source: dict[str, Any] = {}
        self._environment: dict[str, Any] = {}
        self._no_source: dict[str, str] = {}
        self._no_environment: dict[str, str] = {}
        # In the order of their value. What other programs or many files have to tell comes last: it may take long.
        self._steps: Final[tuple[tuple[bool, tuple[str, ...], Callable[[], _Found]], ...]] = (
            (True, ("commit", "branch", "repository"), self._head),
            (True, ("repository",), self._remote),
            (True, ("arguments",), lambda: {"arguments": self._started.masked_arguments()}),
            (True, ("entry_point",), self._entry_point),
            (False, ("python",), lambda: {"python": environment.python()}),
            (False, ("os",), lambda: {"os": environment.operating_system()}),
            (False, ("image",), lambda: {"image": job.image()}),
            (False, ("job",), lambda: {"job": job.job()}),
            (False, ("hardware",), lambda: {"hardware": hardware.hardware(self.budget)}),
            (False, ("packages",), lambda: {"packages": environment.packages(self.budget)}),
            (True, ("dirty", "diff_digest"), self._changes),
        )
        self._due = list(self._steps)

    def fill(self) -> None:
        """Runs every step; what one lacks says why."""
        for step in self._steps:
            of_source, names, find = step
            found: _Found = {}
            reason = ""
            try:
                found = find()
            except NotKnownError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 - whatever is odd about this machine, the training must go on
                _log.debug("a fact about this run could not be collected", exc_info=True)
                reason = f"looking for it failed with {type(error).__name__}"
            with self._lock:
                self._due.remove(step)
                (self._source if of_source else self._environment).update(found)
                missing = self._no_source if of_source else self._no_environment
                for name in found:  # a later step may know better
                    missing.pop(name, None)
                if reason:
                    missing.update(dict.fromkeys(set(names) - missing.keys(), reason))

    def captured(self) -> Captured:
        with self._lock:
            no_source, no_environment = dict(self._no_source), dict(self._no_environment)
            for of_source, names, _ in self._due:
                missing = no_source if of_source else no_environment
                missing.update(dict.fromkeys(set(names) - missing.keys(), str(self.budget.too_late)))
            # Nobody may take the commit for the code that ran if that was not checked.
            doubt = {"dirty": True} if "dirty" in no_source else {}
            source = Source(**(self._source | doubt), not_collected=no_source)
            found = Environment(**self._environment, not_collected=no_environment)
        return Captured(
            source=None if source == Source() else source, environment=None if found == Environment() else found
        )

    def _head(self) -> _Found:
        self._started = entry.entry()
        self._checkout = dot_git.find(self._started.folders)
        if self._checkout is None:
            return {}
        try:
            head = dot_git.head(self._checkout, self.budget)
        except dot_git.KeptElsewhereError:
            head = git.head(self._checkout, self.budget)
        return {"commit": head.commit, "branch": head.branch}

    def _remote(self) -> _Found:
        return {} if self._checkout is None else {"repository": dot_git.remote(self._checkout)}

    def _entry_point(self) -> _Found:
        top = self._checkout.top if self._checkout is not None else None
        return {"entry_point": self._started.name_below(top)}

    def _changes(self) -> _Found:
        if "commit" in self._no_source:
            raise NotKnownError("the commit is not known")
        if self._checkout is None or not self._source.get("commit"):
            return {}
        if not git.differs(self._checkout, self.budget):
            return {"dirty": False}
        with self._lock:
            self._source["dirty"] = True
        try:
            return {"dirty": True, "diff_digest": git.diff_digest(self._checkout, self.budget)}
        except NotKnownError as error:
            with self._lock:
                self._no_source["diff_digest"] = str(error)
            return {"dirty": True}
