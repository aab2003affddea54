"""What a commit with ``if_changed`` may leave out: nothing that its caller gave."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

from modelyard_server.calls.errors import FailedPrecondition, PreconditionViolation
from modelyard_server.registry.versions.values import NewVersion, Version

_MAX_SHOWN: Final = 20
_MAX_VALUE: Final = 100
"""Characters of a value."""


def check_same_facts(new: NewVersion, found: Version) -> None:
    """Raises ``FACTS_DIFFER`` if the version with the same files lacks something that the commit has.

    Source, environment, framework and run are not compared. They tell how the bytes were made; that they could be made
    once more does not change how they were made first.
    """
    differences = [difference for difference, _ in zip(_differences(new, found), range(_MAX_SHOWN), strict=False)]
    if differences:
        raise FailedPrecondition(
            f"{found.name} has the same files, but not the same facts: {differences[0]}. Commit without if_changed to"
            " make a new version, or add metrics as an evaluation.",
            reason="FACTS_DIFFER",
            violations=[PreconditionViolation("FACTS", str(found.name), each) for each in differences],
            metadata={"resource": str(found.name)},
        )


def _differences(new: NewVersion, found: Version) -> Iterator[str]:
    facts, stored = new.facts, found.facts
    yield from _of_map("metrics", facts.metrics, stored.metrics)
    yield from _of_map("directions", facts.directions, stored.directions)
    yield from _of_map("params", facts.params, stored.params)
    yield from _of_map("labels", new.labels, found.labels)
    yield from _of_map("annotations", new.annotations, found.annotations)
    parents = ([(each.version, each.relation) for each in given.parents] for given in (facts, stored))
    pairs: dict[str, tuple[Any, Any]] = {
        "description": (new.description, found.description),
        "datasets": (facts.datasets, stored.datasets),
        "format": (facts.format, stored.format),
        "signature": (facts.signature, stored.signature),
        "parents": tuple(parents),  # type: ignore[dict-item]  # two of them
    }
    for name, (given, kept) in pairs.items():
        if given and given != kept:
            yield f"{name} differ" if name in {"datasets", "parents"} else f"the {name} differs"


def _of_map(name: str, given: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    for key, value in sorted(given.items()):
        if key not in kept:
            yield f"it has no {name}.{key}"
        elif value != kept[key] or type(value) is not type(kept[key]):
            yield f"{name}.{key} is {_short(kept[key])}, not {_short(value)}"


def _short(value: object) -> str:
    text = value.value if isinstance(value, Enum) else repr(value)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
