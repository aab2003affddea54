"""Lists: pages that join to the whole, whatever happens between them."""

from tests.support.registry import RunningRegistry
from tests.support.requests import MODEL, NAMESPACE, commit, make_model

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb


async def _models(yard: RunningRegistry, size: int) -> list[list[str]]:
    pages, token = [], ""
    while True:
        page = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, page_size=size, page_token=token))
        pages.append([model.name.rpartition("/")[2] for model in page.models])
        token = page.next_page_token
        if not token:
            return pages


async def test_pages_join_to_the_whole(yard: RunningRegistry) -> None:
    for number in range(7):
        await make_model(yard, f"m{number}")

    assert await _models(yard, 3) == [["m0", "m1", "m2"], ["m3", "m4", "m5"], ["m6"]]
    assert await _models(yard, 7) == [[f"m{number}" for number in range(7)]]
    assert await _models(yard, 10**9) == [[f"m{number}" for number in range(7)]]


async def test_ids_sort_by_code_point_on_every_dialect(yard: RunningRegistry) -> None:
    ids = ["a", "a-b", "a.b", "a0", "a_b", "aa", "b"]
    for identity in reversed(ids):
        await make_model(yard, identity)

    assert await _models(yard, 2) == [["a", "a-b"], ["a.b", "a0"], ["a_b", "aa"], ["b"]]


async def test_page_size_may_change_and_new_rows_do_not_repeat_old_ones(yard: RunningRegistry) -> None:
    await make_model(yard)
    for number in range(5):
        await commit(yard, b"%d" % number)
    first = await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL, page_size=2))

    await commit(yard, b"newer")
    rest = await yard.registry.ListVersions(
        rpc.ListVersionsRequest(parent=MODEL, page_size=50, page_token=first.next_page_token)
    )

    assert [version.number for version in (*first.versions, *rest.versions)] == [5, 4, 3, 2, 1]
    assert not rest.next_page_token


async def test_full_pages_end_before_they_outgrow_a_message(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"x")
    blob = (await yard.registry.GetVersion(rpc.GetVersionRequest(name=f"{MODEL}/versions/1"))).files[0].blob
    files = [pb.File(path=f"shards/{number:05}.bin", blob=blob) for number in range(9_000)]
    for _ in range(3):
        await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=pb.Version(files=files)))

    numbers, token = [], ""
    while True:
        page = await yard.registry.ListVersions(
            rpc.ListVersionsRequest(parent=MODEL, view=rpc.VERSION_VIEW_FULL, page_token=token)
        )
        numbers.append([(version.number, len(version.files)) for version in page.versions])
        token = page.next_page_token
        if not token:
            break

    assert numbers == [[(4, 9_000)], [(3, 9_000)], [(2, 9_000), (1, 1)]]


async def test_aliases_and_namespaces_are_paged_too(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, aliases=["a", "b", "c"])
    for identity in ("t1", "t2"):
        await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id=identity))

    aliases = await yard.registry.ListAliases(rpc.ListAliasesRequest(parent=MODEL, page_size=2))
    more = await yard.registry.ListAliases(
        rpc.ListAliasesRequest(parent=MODEL, page_size=2, page_token=aliases.next_page_token)
    )
    namespaces = await yard.registry.ListNamespaces(rpc.ListNamespacesRequest(page_size=2))
    rest = await yard.registry.ListNamespaces(rpc.ListNamespacesRequest(page_token=namespaces.next_page_token))

    assert [alias.name.rpartition("/")[2] for alias in (*aliases.aliases, *more.aliases)] == ["a", "b", "c"]
    assert [namespace.name for namespace in (*namespaces.namespaces, *rest.namespaces)] == [
        "namespaces/default",
        "namespaces/t1",
        "namespaces/t2",
    ]
