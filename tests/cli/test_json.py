"""What every verb writes with ``-o json``: names that programs can use, and values of the right types."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.cli.test_command_line import COMMANDS, OF_CACHE, OF_NAMESPACES, OF_WEBHOOKS
from tests.support.cli import Cli

_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
_CHOSEN_BY_USERS: Final = frozenset(
    {
        *("params", "metrics", "labels", "annotations", "aliases", "packages", "hardware", "job", "not_collected"),
        *("directions", "before", "after"),
    }
)
"""Fields that are maps. Users choose their keys, or libraries do."""
_PROSE: Final = re.compile(
    r"yes|no|true|false|none|null|(not )?set|\d+(\.\d+)? ?(ms|s|[kMGT]?i?B|bytes|files?)", re.IGNORECASE
)
"""What should be a truth value, null or a number."""
_ELSEWHERE: Final = frozenset({"watch", "webhooks redeliver"})
"""One never ends; the other needs a delivery that has ended, and writes it as ``webhooks deliveries`` does."""
_CODES: Final = {"rollout": 1, "webhooks test": 1}
"""How verbs end that tell whether something else is right, where it is not."""
Line = list[str | Path] | Callable[[], list[str | Path]]


def wrong_in(document: Any, path: str = "") -> Iterator[str]:
    match document:
        case dict():
            for key, value in document.items():
                mapped = path.rpartition(".")[2].partition("[")[0] in _CHOSEN_BY_USERS
                if not mapped and not _KEY.fullmatch(key):
                    yield f"{path}.{key} is no identifier"
                yield from wrong_in(value, f"{path}.{key}")
        case list():
            for place, value in enumerate(document):
                yield from wrong_in(value, f"{path}[{place}]")
        case str() if _PROSE.fullmatch(document):
            yield f"{path} is the text {document!r}"


@pytest.fixture
def lines(cli: Cli, fraud: str, team: str, files: Path, tmp_path: Path) -> dict[str, Line]:
    """A command line that works for each verb, in an order in which they all do."""
    first, second, hook = f"{fraud}@1", f"{fraud}@2", f"{team}/hook"

    def after_a_move() -> list[str | Path]:
        cli("promote", second)
        return [f"{fraud}@production"]

    return {
        "webhooks add": [hook, "https://hook.example"],
        "push": [fraud, files, "--metric", "auc=0.9", "--param", "lr=0.1", "--dataset", "train=s3://b/t"],
        "pull": [first],
        "resolve": [first],
        "evaluate": [second, "--dataset", "test", "--metric", "auc=0.8", "--slice", "eu:auc=0.7"],
        "promote": [first],
        "best": [fraud, "--metric", "auc"],
        "ls": [fraud],
        "search": ["fraud"],
        "diff": [first, second],
        "lineage": [second],
        "show": [second],
        "log": [fraud],
        "status": [],
        "deployments": [fraud],
        "rollout": [f"{fraud}@production"],
        "create": [f"{team}/churn"],
        "edit": [f"{team}/churn", "--label", "tier=gold"],
        "deprecate": [second, "--reason", "old"],
        "quarantine": [second, "--reason", "leak"],
        "release": [second, "--reason", "no leak"],
        "rm": [second, "--yes"],
        "restore": [second],
        "rollback": after_a_move,
        "cache ls": [],
        "cache verify": [],
        "cache gc": [],
        "cache rm": ["--all"],
        "namespaces ls": [],
        "namespaces create": [f"{team}-two"],
        "namespaces edit": [f"{team}-two", "--label", "a=b"],
        "namespaces rm": [f"{team}-two", "--yes"],
        "namespaces restore": [f"{team}-two"],
        "webhooks ls": [team],
        "webhooks disable": [hook],
        "webhooks enable": [hook],
        "webhooks rotate-secret": [hook],
        "webhooks test": [hook],
        "webhooks deliveries": [hook],
        "webhooks rm": [hook],
    }


def test_every_verb_has_keys_for_programs_and_typed_values(cli: Cli, lines: dict[str, Line]) -> None:
    verbs = {*COMMANDS, *(f"cache {verb}" for verb in OF_CACHE), *(f"namespaces {verb}" for verb in OF_NAMESPACES)}
    assert set(lines) == {*verbs, *(f"webhooks {verb}" for verb in OF_WEBHOOKS)} - _ELSEWHERE
    wrong: list[str] = []
    for verb, line in lines.items():
        arguments = line() if callable(line) else line
        answer = cli(*verb.split(), *arguments, "-o", "json")
        assert answer.code in {0, _CODES.get(verb, 0)}, f"{verb}: {answer.err}"
        wrong += [f"{verb}: {each}" for each in wrong_in(answer.json)]
    assert not wrong
