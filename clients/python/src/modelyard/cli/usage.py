"""The errors of the parser for a command line that it can't read, in our words.

Its errors can tell themselves, and their classes differ between its releases. So nothing here needs more than that.
"""

import re
from typing import Any

from modelyard.cli import words

_NUMBERS = {
    "int_parsing": "{value!r} is not a whole number",
    "greater_than_equal": "{value} is too small. Give {ge} or more",
    "less_than_equal": "{value} is too large. Give {le} or less",
}
"""Errors about numbers, by the names that the parser has for them."""


def told(error: Any) -> str:
    """One or two sentences, with the right spelling if it can be guessed."""
    message = _with_value(error, error.format_message()).replace("Value error, ", "")
    if (unknown := re.match(r"No such command '([^']*)'\.", message)) and unknown[1] in words.OF_OTHER_TOOLS:
        return f"{unknown[0]} Did you mean '{words.OF_OTHER_TOOLS[unknown[1]]}'?"
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    if unknown := re.match(r"No such option:? '?(-[\w-]*)", message):
        advice = words.OPTIONS_OF_OTHER_TOOLS.get((context.info_name, unknown[1]))
        return f"No such option: {unknown[1]}. {advice}" if advice else message
    if extra := re.search(r"unexpected extra argument.* \((.*)\)$", message):
        return f"{message}{_meant(context, extra[1].split())}"
    return message


def _with_value(error: Any, message: str) -> str:
    """The message with the number that was given, which the parser leaves out."""
    found: list[Any] = getattr(error.__cause__, "errors", list)()
    if not found or found[0]["type"] not in _NUMBERS:
        return message
    ours = _NUMBERS[found[0]["type"]].format(value=found[0]["input"], **found[0].get("ctx", {}))
    return message.replace(found[0]["msg"], ours)


def _meant(context: Any, extra: list[str]) -> str:
    """For ``team/fraud 2``: that the number belongs behind the model."""
    arguments = [each.name for each in context.command.params if each.param_type_name == "argument"]
    given: list[Any] = [context.params.get(name) for name in arguments]
    model, *numbers = given + extra
    if not isinstance(model, str) or "@" in model or not all(str(number).isdigit() for number in numbers):
        return ""
    return f". Write versions as {' '.join(f'{model}@{number}' for number in numbers)}"
