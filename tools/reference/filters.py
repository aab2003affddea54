"""The page of the fields of filters and sort orders."""

from typing import Final

from tools.reference.markdown import page, table

from modelyard_server.deployments.fields import FIELDS as DEPLOYMENTS
from modelyard_server.query.terms import Fields, FieldType, Kind, OneOf
from modelyard_server.registry.models.fields import FIELDS as MODELS
from modelyard_server.registry.versions.fields import FIELDS as VERSIONS

_EXAMPLES: Final = {
    Kind.TIME: "as `2026-03-31`, `2026-03-31T12:00:00Z` or `now-7d`",
    Kind.TEXTS: "a comparison is true if it is true for one of them",
    Kind.VERSIONS: "as `team/fraud@7`",
}

_LANGUAGE: Final = """\
Filters use the language of [AIP-160](https://google.aip.dev/160).

- `AND`, `OR` (which binds tighter), `NOT` and parentheses combine comparisons.
- `=`, `!=`, `<`, `<=`, `>` and `>=` compare a field with a value. `*` in a text matches any characters.
- `:` tests whether a map has a key, or whether a text contains another text.
- If a resource lacks the field, the comparison is false.

A field that ends in `.*` stands for one field for each key, as `metrics.auc`.
"""


def pages() -> dict[str, str]:
    kinds: dict[str, Fields] = {"Models": MODELS, "Versions": VERSIONS, "Deployments": DEPLOYMENTS}
    return {
        "filters.md": page(
            "Filter fields",
            _LANGUAGE,
            *(
                part
                for name, fields in kinds.items()
                for part in (
                    f"## {name}",
                    table(("Field", "Holds"), [(f"`{field}`", _holds(kind)) for field, kind in fields.items()]),
                )
            ),
        )
    }


def _holds(kind: FieldType) -> str:
    if isinstance(kind, OneOf):
        return f"one of {', '.join(f'`{value}`' for value in kind.values)}"
    return f"{kind.value}; {_EXAMPLES[kind]}" if kind in _EXAMPLES else kind.value
