"""As much of a Dockerfile and a .dockerignore as ours use: stages, instructions, and what a build gets to see."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def command(self) -> list[str]:
        """The words of its exec form."""
        return [str(word) for word in json.loads(self.text[self.text.index("[") :])]


@dataclass
class Stage:
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        return [one for one in self.instructions if one.keyword == keyword]

    def only(self, keyword: str) -> Instruction:
        (one,) = self.all(keyword)
        return one

    @property
    def environment(self) -> dict[str, str]:
        return dict(word.split("=", 1) for one in self.all("ENV") for word in one.words)


def parse(path: Path) -> list[Stage]:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        keyword, text = line.split(maxsplit=1)
        if keyword == "FROM":
            stages.append(Stage(text.split()[0]))
        else:
            stages[-1].instructions.append(Instruction(keyword, text))
    return stages


def _expression(pattern: str) -> re.Pattern[str]:
    """A path or anything below it: ``**`` crosses folders, ``*`` and ``?`` don't."""
    translated = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.compile(translated.replace(r"\[", "[").replace(r"\]", "]") + "(/.*)?")


class Context:
    """The files of a checkout that a build is sent."""

    def __init__(self, root: Path) -> None:
        lines = (root / ".dockerignore").read_text().splitlines()
        patterns = [line for line in lines if line and not line.startswith("#")]
        self._rules = [(_expression(pattern.removeprefix("!")), pattern.startswith("!")) for pattern in patterns]
        self.root = root

    def has(self, path: str) -> bool:
        """The last line that matches decides."""
        verdicts = [included for expression, included in self._rules if expression.fullmatch(path)]
        return verdicts[-1] if verdicts else True

    def below(self, source: str) -> list[str]:
        """The files that ``COPY source`` takes."""
        start = self.root / source
        found = [start] if start.is_file() else [path for path in start.rglob("*") if path.is_file()]
        return [path for path in (str(one.relative_to(self.root)) for one in found) if self.has(path)]
