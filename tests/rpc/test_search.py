"""Lists that are searched and sorted, and free text."""

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import MODEL, NAMESPACE, digest_of, make_model, request_id, store

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

ALL = f"{NAMESPACE}/models/-"


async def push(yard: RunningRegistry, parent: str = MODEL, *, alias: str = "", **fields: object) -> pb.Version:
    await store(yard, b"weights")
    files = [pb.File(path="model.bin", blob=pb.Blob(digest=digest_of(b"weights"), size_bytes=7))]
    version = pb.Version(files=files, **fields)  # type: ignore[arg-type]  # fields are for protobuf to check
    yard.clock.advance(60)
    request = rpc.CreateVersionRequest(
        parent=parent, version=version, alias_ids=[alias] if alias else [], request_id=request_id()
    )
    return await yard.registry.CreateVersion(request)


async def found(yard: RunningRegistry, text: str, parent: str = MODEL, **more: object) -> list[str]:
    request = rpc.ListVersionsRequest(parent=parent, filter=text, **more)  # type: ignore[arg-type]
    names = [version.name for version in (await yard.registry.ListVersions(request)).versions]
    return [f"{name.split('/')[3]}@{name.split('/')[5]}" for name in names]


async def test_the_best_version_and_the_one_in_production_are_found(yard: RunningRegistry) -> None:
    await make_model(yard)
    await make_model(yard, "churn")
    await push(yard, metrics={"auc": 0.91}, labels={"team": "risk"}, alias="production")
    await push(yard, metrics={"auc": 0.97}, labels={"team": "nlp"})
    await push(yard)
    await push(yard, f"{NAMESPACE}/models/churn", metrics={"auc": 0.94}, alias="production")

    assert await found(yard, "", order_by="metrics.auc desc") == ["fraud@2", "fraud@1", "fraud@3"]
    assert await found(yard, "", ALL, order_by="metrics.auc desc") == ["fraud@2", "churn@1", "fraud@1", "fraud@3"]
    assert await found(yard, "metrics.auc > 0.92 AND NOT labels.team = nlp", ALL) == ["churn@1"]
    assert await found(yard, "alias:production", ALL) == ["churn@1", "fraud@1"]
    assert await found(yard, "create_time > now-90s", ALL) == ["churn@1", "fraud@3"]
    assert await found(yard, "created_by = anonymous AND number > 2") == ["fraud@3"]


async def test_fields_that_nothing_has_are_told(yard: RunningRegistry) -> None:
    """Else a misspelt metric would make the newest version the best one."""
    await make_model(yard)
    await make_model(yard, "churn")
    await push(yard, metrics={"auc": 0.91}, labels={"team": "risk"})
    await push(yard, f"{NAMESPACE}/models/churn", metrics={"f1": 0.9})

    async def unknown(parent: str = MODEL, *, filter: str = "", order_by: str = "") -> list[str]:  # noqa: A002
        request = rpc.ListVersionsRequest(parent=parent, filter=filter, order_by=order_by, page_size=1)
        return list((await yard.registry.ListVersions(request)).unknown_fields)

    assert await unknown(filter="metrics.auc > 0.9 AND labels.team = risk", order_by="metrics.auc DESC") == []
    assert await unknown(order_by="metrics.acu desc") == ["metrics.acu"]
    assert await unknown(order_by="metrics.f1") == ["metrics.f1"], "only another model has it"
    assert await unknown(ALL, order_by="metrics.f1") == []
    told = await unknown(filter="NOT (params.lr > 1 OR labels:tier)", order_by="evaluations.test.auc")
    assert told == ["params.lr", "labels.tier", "evaluations.test.auc"]
    models = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, filter="labels.tier = gold"))
    assert list(models.unknown_fields) == ["labels.tier"]


async def test_results_carry_their_aliases(yard: RunningRegistry) -> None:
    await make_model(yard)
    await push(yard, alias="production")
    await push(yard, alias="canary")

    versions = await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=ALL, filter="alias:*"))
    models = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, filter="alias = production"))
    words = await yard.registry.SearchModels(rpc.SearchModelsRequest(parent=NAMESPACE, query="fraud"))

    assert [list(version.aliases) for version in versions.versions] == [["canary"], ["production"]]
    assert [dict(model.aliases) for model in models.models] == [{"production": 1, "canary": 2}]
    assert [dict(model.aliases) for model in words.models] == [{"production": 1, "canary": 2}]


async def test_labels_are_found_as_they_are_now(yard: RunningRegistry) -> None:
    await make_model(yard)
    version = await push(yard, labels={"team": "risk"})
    version.labels["team"] = "nlp"
    await yard.registry.UpdateVersion(rpc.UpdateVersionRequest(version=version))
    model = await yard.registry.GetModel(rpc.GetModelRequest(name=MODEL))
    model.labels["tier"] = "gold"
    await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=model))

    assert await found(yard, "labels.team = risk") == []
    assert await found(yard, "labels.team = nlp") == ["fraud@1"]
    listed = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, filter="labels.tier = gold"))
    assert [one.name for one in listed.models] == [MODEL]


async def test_long_texts_are_found_whole_and_by_their_beginning(yard: RunningRegistry) -> None:
    await make_model(yard)
    long, other = "x" * 1000 + "a", "x" * 1000 + "b"
    await push(yard, labels={"note": long})
    await push(yard, labels={"note": other})

    assert await found(yard, f"labels.note = {long}") == ["fraud@1"]
    assert await found(yard, f'labels.note = "{"x" * 150}*"') == ["fraud@2", "fraud@1"]


async def test_deleted_resources_are_shown_on_request(yard: RunningRegistry) -> None:
    await make_model(yard)
    await make_model(yard, "churn")
    first = await push(yard, metrics={"auc": 1.0})
    await push(yard, f"{NAMESPACE}/models/churn", metrics={"auc": 1.0})
    await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=first.name))
    await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=f"{NAMESPACE}/models/churn", force=True))

    assert await found(yard, "metrics.auc = 1", ALL) == []
    assert await found(yard, "metrics.auc = 1", ALL, show_deleted=True) == ["fraud@1"]
    assert await found(yard, "state = DELETED", show_deleted=True) == ["fraud@1"]


async def test_one_namespace_sees_nothing_of_another(yard: RunningRegistry) -> None:
    await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="other"))
    await make_model(yard, "secret", "namespaces/other")
    await store(yard, b"weights", parent="namespaces/other")
    await push(yard, "namespaces/other/models/secret", labels={"team": "x"}, metrics={"auc": 1.0})

    assert await found(yard, "labels.team = x", ALL, order_by="metrics.auc") == []
    assert not (await yard.registry.SearchModels(rpc.SearchModelsRequest(parent=NAMESPACE, query="secret"))).models


async def test_a_page_goes_on_with_its_own_query_only(yard: RunningRegistry) -> None:
    await make_model(yard)
    for value in (0.1, 0.2, 0.3):
        await push(yard, metrics={"auc": value})
    request = rpc.ListVersionsRequest(parent=MODEL, filter="metrics.auc > 0", order_by="metrics.auc", page_size=2)
    token = (await yard.registry.ListVersions(request)).next_page_token

    for field, other in {"filter": "metrics.auc > 0.1", "order_by": "metrics.auc desc", "parent": ALL}.items():
        changed = rpc.ListVersionsRequest(page_token=token)
        changed.MergeFrom(request)
        setattr(changed, field, other)
        assert (await refused(yard.registry.ListVersions(changed))).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    ("field", "value", "parent", "message"),
    [
        ("filter", "metrics.auc >", MODEL, "at character 14, at the end: expected a value here; put text in quotes"),
        ("filter", "key_hash = 1", MODEL, "at character 1, before 'key_hash = 1': there is no field 'key_hash'"),
        ("order_by", "namespace_key", MODEL, "can't sort by 'namespace_key'"),
        ("order_by", "number", ALL, "version numbers are per model. Sort versions of several models by create_time"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_wrong_query_is_refused_with_the_reason(
    fraud_yard: RunningRegistry, field: str, value: str, parent: str, message: str
) -> None:
    request = rpc.ListVersionsRequest(parent=parent)
    setattr(request, field, value)
    got = await refused(fraud_yard.registry.ListVersions(request))

    assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert list(got.violations) == [field]
    assert message in got.violations[field]


@pytest.mark.parametrize("text", ["x' OR 1=1 --", "'; DROP TABLE versions;--", "%", "_", "\\"])
async def test_sql_in_filter_values_is_text(yard: RunningRegistry, text: str) -> None:
    """A33, A35."""
    await make_model(yard)
    await push(yard, labels={"note": "anything"})
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    for term in (f'labels.note = "{quoted}"', f'labels.note = "*{quoted}*"', f'description:"{quoted}"'):
        assert await found(yard, term) == []
    assert await found(yard, "") == ["fraud@1"]


# Free text


async def words(yard: RunningRegistry, query: str) -> list[str]:
    answer = await yard.registry.SearchModels(rpc.SearchModelsRequest(parent=NAMESPACE, query=query))
    return [model.name.rpartition("/")[2] for model in answer.models]


async def test_words_find_models_the_best_first(yard: RunningRegistry) -> None:
    for identity, model in {
        "fraud-detector": pb.Model(description="Scores card payments."),
        "payments": pb.Model(display_name="Überweisungen", labels={"team": "risk"}),
        "ocr": pb.Model(description="Reads receipts; it was trained on payments, and on much else that is not here."),
    }.items():
        await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id=identity, model=model))

    assert await words(yard, "payments") == ["payments", "fraud-detector", "ocr"]
    assert await words(yard, "PAYM receipts") == ["ocr"]
    assert await words(yard, "detec") == ["fraud-detector"]
    assert await words(yard, "uberweisung") == ["payments"]
    assert await words(yard, "team:risk") == ["payments"]
    assert await words(yard, 'nothing" OR "payments') == []

    await yard.registry.UpdateModel(
        rpc.UpdateModelRequest(model=pb.Model(name=f"{NAMESPACE}/models/ocr", description="Reads letters."))
    )
    await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=f"{NAMESPACE}/models/fraud-detector"))
    assert await words(yard, "payments") == ["payments"]
    assert await words(yard, "letters") == ["ocr"]


@pytest.mark.parametrize("query", ["", "-- ' \"", "x" * 257])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_search_without_words_is_refused(fraud_yard: RunningRegistry, query: str) -> None:
    got = await refused(fraud_yard.registry.SearchModels(rpc.SearchModelsRequest(parent=NAMESPACE, query=query)))

    assert (got.code, got.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_words_find_models_of_all_namespaces(yard: RunningRegistry) -> None:
    for parent in (NAMESPACE, "namespaces/other"):
        if parent != NAMESPACE:
            await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="other"))
        for identity in ("payments", "ocr"):
            await yard.registry.CreateModel(rpc.CreateModelRequest(parent=parent, model_id=identity))
    request = rpc.SearchModelsRequest(parent="namespaces/-", query="payments", page_size=1)
    first = await yard.registry.SearchModels(request)
    request.page_token = first.next_page_token
    second = await yard.registry.SearchModels(request)

    names = [model.name for page in (first, second) for model in page.models]
    assert names == [f"{NAMESPACE}/models/payments", "namespaces/other/models/payments"]
    assert not second.next_page_token
    assert await words(yard, "payments") == ["payments"]
    request = rpc.SearchModelsRequest(parent="namespaces/others", query="payments")
    assert "Did you mean 'other'?" in (await refused(yard.registry.SearchModels(request))).message


async def test_words_find_models_page_by_page(yard: RunningRegistry) -> None:
    """Equally good matches too are on one page each."""
    for number in range(7):
        model = pb.Model(description="payments " * (1 + number % 2))
        await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id=f"m{number}", model=model))
    request = rpc.SearchModelsRequest(parent=NAMESPACE, query="payments")
    whole = (await yard.registry.SearchModels(request)).models

    paged: list[pb.Model] = []
    request.page_size = 3
    while True:
        page = await yard.registry.SearchModels(request)
        paged.extend(page.models)
        request.page_token = page.next_page_token
        if not request.page_token:
            break
        assert len(page.models) == request.page_size

    assert len(whole) == 7
    assert paged == list(whole)


async def test_a_page_of_matches_goes_on_with_its_own_words_only(yard: RunningRegistry) -> None:
    for number in range(2):
        await make_model(yard, f"fraud-{number}")
    request = rpc.SearchModelsRequest(parent=NAMESPACE, query="fraud", page_size=1)
    request.page_token = (await yard.registry.SearchModels(request)).next_page_token
    request.query = "frau"

    assert (await refused(yard.registry.SearchModels(request))).reason == "PAGE_TOKEN_INVALID"
