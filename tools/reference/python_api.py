"""The pages of the Python SDK, from its docstrings."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import griffe
from tools.reference.markdown import entry, page, prose

_SOURCES: Final = Path(__file__).resolve().parents[2] / "clients/python/src"
_TITLES: Final = {
    "functions": "Functions",
    "client": "Client",
    "async-client": "Async client",
    "errors": "Errors and warnings",
    "records": "Records",
}
# Which page a public name is on, by the module that defines it; the first prefix that fits.
_PAGES: Final = (
    ("modelyard._default", "functions"),
    ("modelyard._sync", "client"),
    ("modelyard._serving_sync", "client"),
    ("modelyard._client", "async-client"),
    ("modelyard.errors", "errors"),
    ("modelyard", "records"),
)
_LINE: Final = 80
_STARS: Final = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
_LISTS: Final = {
    griffe.DocstringSectionKind.parameters: "Arguments",
    griffe.DocstringSectionKind.attributes: "Attributes",
    griffe.DocstringSectionKind.raises: "Errors",
    griffe.DocstringSectionKind.warns: "Warnings",
    griffe.DocstringSectionKind.returns: "Returns",
    griffe.DocstringSectionKind.yields: "Yields",
}
"""Sections of docstrings that are lists, and their titles."""
_MODULES: Final = ("interceptors", "webhooks")
"""Public modules beside the package itself."""


def pages() -> dict[str, str]:
    logging.getLogger("griffe").setLevel(logging.ERROR)
    package = griffe.load(
        "modelyard",
        search_paths=[_SOURCES],
        resolve_aliases=True,
        docstring_parser=griffe.Parser.google,
        docstring_options={"warnings": False},
        allow_inspection=False,
    )
    assert isinstance(package, griffe.Module)
    sorted_in: dict[str, list[str]] = {name: [] for name in _TITLES}
    for name in sorted(map(str, package.exports or ()), key=lambda name: (not name.endswith("Client"), name)):
        target = _target(package[name])
        sorted_in[_page_of(target)] += [*_rendered(name, target)]
    rendered = {f"python/{name}.md": page(_TITLES[name], *parts) for name, parts in sorted_in.items()}
    for name in _MODULES:
        rendered[f"python/{name}.md"] = _module(name, package[name])
    return rendered


def _target(found: griffe.Object | griffe.Alias) -> griffe.Object:
    return found.final_target if isinstance(found, griffe.Alias) else found


def _page_of(target: griffe.Object) -> str:
    return next(name for prefix, name in _PAGES if f"{target.path}.".startswith(f"{prefix}."))


def _module(name: str, module: griffe.Object) -> str:
    parts = [*_docstring(module)]
    for member, target in module.members.items():
        if (
            not member.startswith("_")
            and not target.is_alias
            and not (target.is_attribute and not target.has_docstring)
        ):
            parts += _rendered(member, target)
    return page(f"modelyard.{name}", *parts)


def _rendered(name: str, target: griffe.Object | griffe.Alias, level: int = 2, owner: str = "") -> Iterator[str]:
    anchor = f"{owner}.{name}" if owner else name
    yield f"{'#' * level} `{anchor}` {{#{anchor}}}"
    if isinstance(target, griffe.Function):
        yield _code(_signature(name, target))
    elif isinstance(target, griffe.Attribute):
        yield _code(f"{name}: {target.annotation}" if target.annotation else name)
    elif isinstance(target, griffe.Class):
        yield from _bases(target)
    yield from _docstring(target)
    if isinstance(target, griffe.Class):
        yield from _members(name, target, level)


def _members(name: str, target: griffe.Class, level: int) -> Iterator[str]:
    constructor = target.members.get("__init__")
    if isinstance(constructor, griffe.Function) and constructor.has_docstring:
        yield _code(_signature(name, constructor))
        yield from _docstring(constructor)
    shown = {member: _target(found) for member, found in target.all_members.items() if not member.startswith("_")}
    for member, found in shown.items():
        if isinstance(found, griffe.Attribute):
            kind = f": `{found.annotation}`" if found.annotation else ""
            value = f" = `{found.value}`" if found.value is not None and not found.annotation else ""
            yield entry(f"`{member}`{kind}{value}", prose(found.docstring.value) if found.docstring else "")
    for member, found in shown.items():
        if isinstance(found, griffe.Function):
            yield from _rendered(member, found, level + 1, name)


def _bases(target: griffe.Class) -> Iterator[str]:
    bases = [str(base).rpartition(".")[2] for base in target.bases]
    if bases:
        yield f"Bases: {', '.join(f'`{base}`' for base in bases)}"


def _signature(name: str, function: griffe.Function) -> str:
    """The call as a person writes it, one argument a line if it is long."""
    parts: list[str] = []
    starred = False
    for parameter in function.parameters:
        if parameter.name in {"self", "cls"}:
            continue
        kind = parameter.kind
        if kind is griffe.ParameterKind.keyword_only and not starred:
            parts.append("*")
            starred = True
        stars = _STARS.get(kind, "") if kind else ""
        annotation = f": {parameter.annotation}" if parameter.annotation is not None else ""
        default = f" = {parameter.default}" if parameter.default is not None and not stars else ""
        parts.append(f"{stars}{parameter.name}{annotation}{default}")
    result = f" -> {function.returns}" if function.returns is not None and name[:1].islower() else ""
    kind_of_call = "async " if "async" in function.labels else ""
    line = f"{kind_of_call}{name}({', '.join(parts)}){result}"
    if len(line) <= _LINE:
        return line
    arguments = "".join(f"    {part},\n" for part in parts)
    return f"{kind_of_call}{name}(\n{arguments}){result}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _docstring(target: griffe.Object | griffe.Alias) -> Iterator[str]:
    for section in target.docstring.parsed if target.docstring else ():
        match section:
            case griffe.DocstringSectionText():
                yield prose(section.value)
            case griffe.DocstringSectionExamples():
                yield from map(_example, section.value)
            case griffe.DocstringSectionAdmonition():
                yield f"**{section.title}**: {prose(section.value.description)}"
            case _:
                if section.kind not in _LISTS:
                    raise ValueError(f"{target.path}: no rule for a section of the kind {section.kind.value}")
                yield f"**{_LISTS[section.kind]}**"
                yield from map(_item, section.value)


def _example(example: tuple[griffe.DocstringSectionKind, str]) -> str:
    kind, text = example
    return prose(text) if kind is griffe.DocstringSectionKind.text else f"```pycon\n{text}\n```"


def _item(item: Any) -> str:
    """An argument, error or result. Errors have no names, results have no need of one."""
    term = getattr(item, "name", "") or item.annotation
    return entry(f"`{term}`", prose(item.description)) if term else prose(item.description)
