"""Completion in bash, which breaks words in places where ours go on: at ``@``, ``=`` and ``:``.

For ``pull team/fraud@pro`` bash tells four words, and replaces the last two. So the words are joined before the parser
sees them, and the beginning that bash keeps is taken off the answers.
"""

import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from typing import Final

_BREAKS: Final = frozenset("@=:")
_REPLACED: Final = "@"
"""Breaks words as the others do, but is replaced with what follows: readline has it among its special prefixes."""
_ASKED: Final = ("_MODELYARD_COMPLETE", "complete_bash")


def asks(environment: Mapping[str, str]) -> bool:
    """Whether this process was started by bash to complete a word."""
    name, value = _ASKED
    return environment.get(name) == value and {"COMP_WORDS", "COMP_CWORD"} <= environment.keys()


def complete(run: Callable[[], int]) -> int:
    """Runs the parser on whole words, and prints its answers as bash needs them."""
    words, kept = joined(os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"]))
    os.environ |= {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    answers = io.StringIO()
    try:
        with redirect_stdout(answers):
            return run()
    finally:
        for answer in answers.getvalue().splitlines():
            sys.stdout.write(f"{remainder(answer, kept)}\n")


def joined(words: list[str], current: int) -> tuple[list[str], str]:
    """The words up to the current one as they were typed, and the beginning of the last that bash keeps."""
    found: list[str] = []
    kept, glue = "", False
    for word in words[: current + 1]:
        breaks = bool(word) and _BREAKS.issuperset(word)
        if found and (glue or breaks):
            kept = (found[-1] + (word if breaks else "")).rstrip(_REPLACED)
            found[-1] += word
        else:
            kept = ""
            found.append(word)
        glue = breaks
    return found, kept


def remainder(answer: str, kept: str) -> str:
    """The answer without what bash keeps. Answers for the value of an option, as ``--parent=``, begin after that."""
    for beginning in (kept, kept.partition("=")[2]):
        if beginning and answer.startswith(beginning):
            return answer.removeprefix(beginning)
    return answer
