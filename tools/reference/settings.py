"""The page of the settings of server and client."""

from typing import Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from tools.reference.markdown import page, prose, table
from typer.core import TyperGroup
from typer.main import get_command

from modelyard import _config
from modelyard_server.cli import cli
from modelyard_server.config import CONFIG_VARIABLE, ENV_PREFIX, Settings

_SERVER: Final = """\
Each setting is an environment variable, a key of the TOML file, and most are flags. A flag overrides a variable, and a
variable overrides the file. `--config` or `{variable}` names the file. Its keys are the names of the variables without
the prefix, in small letters.
"""


def pages() -> dict[str, str]:
    head, _, variables = (_config.__doc__ or "").partition("\n")
    server = get_command(cli)
    assert isinstance(server, TyperGroup)
    flags = {option.name: option.opts[0] for option in server.commands["serve"].params}
    rows = [
        (f"`{flags[name]}`" if name in flags else "none", f"`{ENV_PREFIX}{name.upper()}`", *_about(field))
        for name, field in Settings.model_fields.items()
    ]
    return {
        "settings.md": page(
            "Settings",
            "## Server",
            _SERVER.format(variable=CONFIG_VARIABLE),
            table(("Flag", "Variable", "Meaning", "Default"), rows),
            "## Client",
            head,
            table(("Variable", "Meaning"), _variables(variables)),
        )
    }


def _about(field: FieldInfo) -> tuple[str, str]:
    meaning = field.description or ""
    if get_origin(field.annotation) is Literal:
        meaning += f" ({', '.join(f'`{value}`' for value in get_args(field.annotation))})"
    if field.default_factory is not None:
        return meaning, "`$XDG_DATA_HOME/modelyard`, else `~/.local/share/modelyard`"
    shown = field.default
    if shown in (None, "", PydanticUndefined):
        return meaning, "none"
    return meaning, f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _variables(text: str) -> list[tuple[str, str]]:
    """The rows of the docstring's list: a variable starts a line, and what it means goes on below it."""
    rows: list[tuple[str, str]] = []
    for line in filter(None, map(str.rstrip, text.splitlines())):
        if line.startswith("``"):
            name, _, meaning = line.removeprefix("``").partition("``")
            rows.append((f"`{name}`", prose(meaning.strip())))
        elif rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {prose(line.strip())}")
    return rows
