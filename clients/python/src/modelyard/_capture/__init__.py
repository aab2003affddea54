"""What a push can know by itself about the code, the machine and the job that make a version.

Everything is collected by allow-list: the environment is never read as a whole, and text that a person typed passes
:mod:`modelyard._capture.secrets` first.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from modelyard._capture import entry, environment, git, hardware, job
from modelyard._capture.budget import Budget
from modelyard.core.facts import Environment, Source

__all__ = ["Captured", "capture"]

_BUDGET_SECONDS: Final = 0.3

_log = logging.getLogger("modelyard")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What was found in time; None where nothing was."""

    source: Source | None
    environment: Environment | None


def capture() -> Captured:
    """Collects for at most 0.3 s and never raises: a fact that is late or can't be had is left out.

    Blocks, so call it in a thread.
    """
    budget = Budget(_BUDGET_SECONDS)
    # The repository comes last: it alone asks another program, which may take all the time that is left.
    found = _attempt(lambda: _environment(budget), None)
    return Captured(environment=found, source=_attempt(lambda: _source(budget), None))


def _environment(budget: Budget) -> Environment | None:
    found = Environment(
        python=_attempt(environment.python, ""),
        os=_attempt(environment.operating_system, ""),
        hardware=_attempt(lambda: hardware.hardware(budget), {}),
        image=_attempt(job.image, ""),
        job=_attempt(job.job, {}),
        packages=_attempt(lambda: environment.packages(budget), {}),
    )
    return None if found == Environment() else found


def _source(budget: Budget) -> Source | None:
    started = _attempt(entry.entry, entry.Entry())
    repository = _attempt(lambda: git.repository(started.folders, budget), None) or git.Repository()
    found = Source(
        repository=repository.url,
        commit=repository.commit,
        branch=repository.branch,
        dirty=repository.dirty,
        diff_digest=repository.diff_digest,
        entry_point=_attempt(lambda: started.name_below(repository.top), ""),
        arguments=_attempt(started.masked_arguments, ()),
    )
    return None if found == Source() else found


def _attempt(fact: Callable[[], _T], otherwise: _T) -> _T:
    try:
        return fact()
    except Exception:  # noqa: BLE001 - whatever is odd about this machine, the training must go on
        _log.debug("a fact about this run could not be collected", exc_info=True)
        return otherwise
