"""Words of the SDK and of other programs, and the words of this command line for them."""

import re

from modelyard.cli.text import resource

OPTIONS = {
    "order_by": "--sort",
    "filter": "--filter",
    "page_size": "--page-size",
    "params": "--param",
    "metrics": "--metric",
    "datasets": "--dataset",
    "labels": "--label",
    "parents": "--parent",
    "directions": "--direction",
    "slices": "--slice",
    "if_changed": "--if-changed",
    "display_name": "--display-name",
    "description": "--description",
    "reference": "REF",
    "ref": "REF",
    "base": "BASE",
    "other": "OTHER",
    "alias": "--alias",
    "model": "MODEL",
    "namespace": "NAMESPACE",
    "target": "TARGET",
    "what": "WHAT",
}
"""Names on the command line, by the arguments of the SDK and the fields of requests."""
WORDS = {
    "Give exactly one of version, dataset, commit and run": "Give exactly one of REF, --dataset, --commit and --run",
    ", or set force to delete them with the model": "",  # the hint says it
    "Set the alias to the version that you want": "Promote the version that you want",
    "resolve() returns it": "'modelyard resolve' shows it",
    "without if_changed": "without --if-changed",
    "give drop_nonfinite=True": "add --drop-nonfinite",
    "Retry with the same request_id to get its result": (
        "If it was to change something, check whether it has before you repeat the command"
    ),
    "Give at least one field": "Give at least one option",
    "MODELYARD_URL": "MODELYARD_URL or --url",
}
"""Phrases of the SDK and the registry for programs, and those for people at a command line."""


_ID = r"(?>[a-z0-9._-]*[a-z0-9])"
_NAME = re.compile(rf"\bnamespaces/{_ID}(?:/models/{_ID}(?:/(?:versions|aliases)/(?>[a-z0-9_-]+))?)?(?!/)")
"""The whole name of a namespace, a model, a version or an alias, which is longer than what people type. The groups
never give back what they took: so no part of a longer name, as of a webhook, is taken for one."""

OF_OTHER_TOOLS = {
    **dict.fromkeys(("download", "get", "fetch", "clone"), "pull"),
    **dict.fromkeys(("upload", "register", "log-model"), "push"),
    **dict.fromkeys(("models", "versions", "images"), "ls"),
    **dict.fromkeys(("tag", "alias", "transition"), "promote"),
    **dict.fromkeys(("delete", "remove"), "rm"),
    **dict.fromkeys(("describe", "info", "inspect"), "show"),
    **dict.fromkeys(("compare",), "diff"),
    **dict.fromkeys(("history", "events"), "log"),
    **dict.fromkeys(("find", "grep"), "search"),
    **dict.fromkeys(("whoami", "ping"), "status"),
}
"""Verbs of other programs, and ours."""
WITH_ALIAS = frozenset({"promote", "rollback"})
"""Commands that take an alias as an option. People type it as an argument."""
OPTIONS_OF_OTHER_TOOLS = {
    **dict.fromkeys(
        (("pull", "--version"), ("pull", "--revision")), "Name the version in REF, for example team/fraud@3"
    ),
    ("pull", "--local-dir"): "The folder is the second argument: modelyard pull REF FOLDER",
    ("push", "--tag"): "Use --alias for a name that moves, or --label NAME=VALUE",
    **{(verb, "-m"): "Use --description" for verb in ("push", "create", "edit")},
    **{(verb, "-m"): "Use --reason" for verb in ("promote", "rollback", "deprecate", "quarantine", "release")},
}
"""What to use instead, by our verb and the option of another program."""


def of_command_line(message: str) -> str:
    """The message of an error in the words of a command line."""
    lines = []
    for line in message.splitlines():
        field, colon, rest = line.partition(": ")
        name, *path = re.split(r"(?=[.\[])", field, maxsplit=1)
        lines.append(f"{OPTIONS[name]}{''.join(path)}{colon}{rest}" if colon and name in OPTIONS else line)
    told = "\n".join(lines)
    for word, instead in WORDS.items():
        told = told.replace(word, instead)
    return _NAME.sub(lambda found: resource(found[0]), told)
