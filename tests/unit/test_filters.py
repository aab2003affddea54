"""The filter language: what it means, and where a wrong one goes wrong."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from modelyard_server.query import syntax, terms
from modelyard_server.query.order import Order
from modelyard_server.query.syntax import FilterError, Operator
from modelyard_server.query.terms import All, Any, Contains, Moment, Negation, Number, Text
from modelyard_server.registry.models.fields import parse_model_order
from modelyard_server.registry.versions.fields import FIELDS as VERSION_FIELDS
from modelyard_server.registry.versions.fields import parse_version_order

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
A, B, C = (Number(f"metrics.{name}", Operator.EQUAL, 1.0) for name in "abc")
EQUAL = Operator.EQUAL
PARENT = "namespaces/team/models/fraud/versions/7"


def parse(text: str) -> terms.Term | None:
    return terms.parse(text, VERSION_FIELDS, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("  \n ", None),
        ("metrics.a=1", A),
        ("metrics.a = 1 AND metrics.b = 1", All((A, B))),
        # OR binds tighter, as in the grammar.
        ("metrics.a=1 AND metrics.b=1 OR metrics.c=1", All((A, Any((B, C))))),
        ("metrics.a=1 OR metrics.b=1 AND metrics.c=1", All((Any((A, B)), C))),
        ("(metrics.a=1 AND metrics.b=1) OR metrics.c=1", Any((All((A, B)), C))),
        ("NOT metrics.a=1", Negation(A)),
        ("-metrics.a=1", Negation(A)),
        ("NOT (metrics.a=1 OR metrics.b=1)", Negation(Any((A, B)))),
        ("NOT NOT metrics.a=1", Negation(Negation(A))),
        ("( metrics.a=1 )AND(metrics.b=1)", All((A, B))),
        ("metrics.a > -0.5e-3", Number("metrics.a", Operator.GREATER, -0.0005)),
        ("metrics.val/auc >= 1", Number("metrics.val/auc", Operator.GREATER_EQUAL, 1.0)),
        ('metrics."val loss" < 1', Number("metrics.val loss", Operator.LESS, 1.0)),
        ("metrics.a.b <= 1", Number("metrics.a.b", Operator.LESS_EQUAL, 1.0)),
        ("metrics:auc", terms.Present("metrics.auc")),
        ("metrics.auc:*", terms.Present("metrics.auc")),
        ("labels.team = nlp", Text("labels.team", EQUAL, ("nlp",))),
        ("labels.team = 'n\\'lp'", Text("labels.team", EQUAL, ("n'lp",))),
        ('labels.team = "nlp*"', Text("labels.team", EQUAL, ("nlp", ""))),
        ('labels.team = "a*b"', Text("labels.team", EQUAL, ("a", "b"))),
        (r'labels.team = "a\*b"', Text("labels.team", EQUAL, ("a*b",))),
        ("labels.ANDROID = x", Text("labels.ANDROID", EQUAL, ("x",))),
        ("description:overfits", Contains("description", "overfits")),
        ("params.depth = 3", Number("params.depth", EQUAL, 3.0)),
        ('params.depth = "3"', Text("params.depth", EQUAL, ("3",))),
        ("params.optimizer != adam", Text("params.optimizer", Operator.NOT_EQUAL, ("adam",))),
        ("params.shuffle = true", Text("params.shuffle", EQUAL, ("true",))),
        ("alias:production", Text("alias", EQUAL, ("production",))),
        ("state = READY", Text("state", EQUAL, ("READY",))),
        ("parent = team/fraud@7", Text("parent", EQUAL, (PARENT,))),
        (f"parent = {PARENT}", Text("parent", EQUAL, (PARENT,))),
        ("create_time > 2026-03-01", Moment("create_time", Operator.GREATER, datetime(2026, 3, 1, tzinfo=UTC))),
        (
            "create_time > 2026-03-01T02:00:00+02:00",
            Moment("create_time", Operator.GREATER, datetime(2026, 3, 1, tzinfo=UTC)),
        ),
        ("create_time < now-7d", Moment("create_time", Operator.LESS, NOW - timedelta(days=7))),
        ("create_time < now", Moment("create_time", Operator.LESS, NOW)),
        ("create_time < 2027-01-01", Moment("create_time", Operator.LESS, datetime(2027, 1, 1, tzinfo=UTC))),
        ("create_time > now-2h", Moment("create_time", Operator.GREATER, NOW - timedelta(hours=2))),
        ("create_time > '3 days ago'", Moment("create_time", Operator.GREATER, NOW - timedelta(days=3))),
        ("create_time > '2026-03-01 10:00'", Moment("create_time", Operator.GREATER, NOW.replace(day=1, hour=10))),
    ],
)
def test_a_filter_means(text: str, expected: terms.Term | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fraud", "at character 6, at the end: expected an operator here: = != < <= > >= or :"),
        ("labels.team nlp", "at character 13, before 'nlp': expected an operator"),
        ("labels.team = ", "at character 15, at the end: expected a value here; put text in quotes"),
        ("= 3", "at character 1, before '= 3': expected the name of a field here"),
        ("labels. = 3", "at character 8, before ' = 3': expected the name of a field here"),
        ('labels."" = 3', "at character 8, before '\"\" = 3': expected the name of a field here"),
        ("(metrics.a=1", "at character 13, at the end: expected ) here"),
        ("metrics.a=1)", "at character 12, before ')': expected AND or OR here"),
        ("metrics.a=1 metrics.b=1", "at character 13, before 'metrics.b=1': expected AND or OR here"),
        ("metrics.a=1 AND", "at character 16, at the end: expected the name of a field"),
        ("metrics.a=1 or metrics.b=1", "at character 13, before 'or metrics.b=1': expected AND or OR here"),
        ('labels.team = "nlp', "at character 15, before '\"nlp': this quote is not closed"),
        ("labels.team = \x00", "a NUL character can't be searched for"),
        ("tenant_id = 3", "at character 1, before 'tenant_id = 3': there is no field 'tenant_id'. Use one of model,"),
        ("labels = 3", "there is no field 'labels'"),
        ("lower(model) = 3", "at character 6, before '(model) = 3': expected an operator"),
        ("metrics.a = high", "at character 13, before 'high': metrics.a is a number, but 'high' is not"),
        ("metrics.a = nan", "metrics.a is a number, but 'nan' is not"),
        ("state = ready", "state is one of READY, DEPRECATED, QUARANTINED, DELETED; compare it with = or !="),
        ("state > READY", "state is one of"),
        ("create_time > yesterday", "create_time is a time. 'yesterday' is not a time. Use 2026-03-31,"),
        (
            "create_time > 2h",
            "'2h' is a duration. Use create_time > now-2h to compare with the time 2h ago; >",
        ),
        ("create_time < '3 days'", "Use create_time < now-3days to compare with the time 3 days ago"),
        ("create_time > 2027-01-01", "2027-01-01T00:00:00Z is in the future. It is 2026-03-08T12:00:00Z now, in UTC."),
        ("labels.team : n", "labels.team is compared as a whole, and ':' finds a part of a text. Use labels.team = n,"),
        ("params.optimizer : ad", "params.optimizer is compared as a whole"),
        ("source.repository : hub", 'or wildcards: source.repository = "*hub*"'),
        ("metrics.auc : 0.9", "':' finds a part of a text, and 0.9 is a number. Use ="),
        ("state : READY", "state is one of"),
        ("create_time > now-999999w", "create_time is a time"),
        ("create_time:2026-03-01", "create_time is a time"),
        ("alias != production", "alias has several values. Use = or : with one of them, or NOT alias = 'production'"),
        ("labels.team > 'a*'", "> allows no wildcards. Use = or != with wildcards"),
        ("labels.team = ''", "an empty text means no value. Use NOT labels.team:* to find resources without a value"),
        ("alias = ''", "use NOT alias:* to find resources without a value"),
        ("metrics.a=1 OR " * 100 + "metrics.a=1", "the filter has more than 100 comparisons"),
        ("(" * 21 + "metrics.a=1" + ")" * 21, "at character 22, before 'metrics.a=1)))))))))': the filter is nested"),
        ("NOT " * 21 + "metrics.a=1", "the filter is nested more than 20 deep"),
        ("x" * 4097, "the filter is longer than 4096 bytes"),
    ],
)
def test_a_wrong_filter_says_where(text: str, message: str) -> None:
    with pytest.raises(FilterError) as error:
        parse(text)
    assert message in str(error.value)


@pytest.mark.parametrize("bomb", ["(" * (1 << 20), "-" * 4000, "NOT " * 1000, "a=1 OR " * 585, "a." * 2000, '"' * 4000])
def test_bombs_are_refused_at_once(bomb: str) -> None:
    """A36: before they are read to their end, and without a recursion that they could drive."""
    with pytest.raises(FilterError):
        parse(bomb)


def test_an_unparsed_tree_keeps_where_things_stand() -> None:
    expression = syntax.parse("labels.team = nlp")

    assert isinstance(expression, syntax.Comparison)
    assert (expression.at, expression.value.at) == (0, 14)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", None),
        ("number", Order("number")),
        (" create_time  desc ", Order("create_time", descending=True)),
        ("metrics.auc desc", Order("metrics.auc", descending=True)),
        ("metrics.auc DESC", Order("metrics.auc", descending=True)),
        ("metrics.auc Asc", Order("metrics.auc")),
        ('metrics."val loss" desc', Order("metrics.val loss", descending=True)),
        ("metrics.'auc desc'", Order("metrics.auc desc")),
        ("params.depth asc", Order("params.depth")),
    ],
)
def test_an_order_means(text: str, order: Order | None) -> None:
    assert parse_version_order(text) == order


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels.team", "can't sort by 'labels.team'"),
        ("metrics.", "can't sort by 'metrics.': at character 9, at the end: expected the name of a field here"),
        ("number, create_time", "has several fields"),
        ("number down", "'down' is not a direction. Use asc or desc"),
        ("metrics.auc dessc", "'dessc' is not a direction"),
        ("metrics.val loss desc", 'put a name with spaces in quotes: metrics."val loss" desc'),
        ("metrics.auc desc asc", "'desc asc' is not a direction"),
        ("key_hash", "can't sort by 'key_hash'"),
        ("desc", "can't sort by 'desc'"),
    ],
)
def test_a_wrong_order_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_version_order(text)


def test_models_cannot_be_sorted_by_fields_of_versions() -> None:
    with pytest.raises(ValueError, match="Use create_time, id, update_time"):
        parse_model_order("metrics.auc")
