"""Namespaces, models, versions and aliases through a whole life, over a real channel and on both dialects."""

import asyncio
import json
from collections.abc import Awaitable

import grpc
import pytest
from tests.support.registry import RunningRegistry, refused
from tests.support.requests import (
    MODEL,
    NAMESPACE,
    blob_of,
    commit,
    digest_of,
    make_model,
    request_id,
    store,
    version_of,
)

from modelyard.core.manifest import File, manifest_digest
from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.log.values import GENESIS


async def test_default_namespace_exists_from_the_first_start(yard: RunningRegistry) -> None:
    listed = await yard.registry.ListNamespaces(rpc.ListNamespacesRequest())

    assert [namespace.name for namespace in listed.namespaces] == [NAMESPACE]


async def test_namespace_is_created_read_updated(yard: RunningRegistry) -> None:
    given = pb.Namespace(display_name="Team", description="# We", labels={"cost": "42"}, annotations={"x": "y"})

    made = await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="team", namespace=given))
    changed = await yard.registry.UpdateNamespace(
        rpc.UpdateNamespaceRequest(namespace=pb.Namespace(name=made.name, display_name="The team", etag=made.etag))
    )

    assert made.name == "namespaces/team"
    assert changed.display_name == "The team"
    assert changed.labels == {"cost": "42"}
    assert changed.etag != made.etag
    assert await yard.registry.GetNamespace(rpc.GetNamespaceRequest(name=made.name)) == changed


async def test_model_lives_dies_and_comes_back_as_it_was(yard: RunningRegistry) -> None:
    given = pb.Model(display_name="Fraud", owner="risk@example.org", labels={"tier": "1"})
    made = await yard.registry.CreateModel(rpc.CreateModelRequest(parent=NAMESPACE, model_id="fraud", model=given))
    version = await commit(yard, aliases=["production"])

    yard.clock.advance(60)
    deleted = await yard.registry.DeleteModel(rpc.DeleteModelRequest(name=made.name, force=True))
    hidden = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE))
    shown = await yard.registry.ListModels(rpc.ListModelsRequest(parent=NAMESPACE, show_deleted=True))
    restored = await yard.registry.UndeleteModel(rpc.UndeleteModelRequest(name=made.name))
    resolved = await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@production"))

    assert deleted.delete_time.seconds - made.create_time.seconds == 60
    assert deleted.purge_time.seconds - deleted.delete_time.seconds == yard.limits.purge_after
    assert not hidden.models
    assert [model.name for model in shown.models] == [made.name]
    assert not restored.HasField("delete_time")
    assert restored.uid == made.uid
    assert resolved.version.name == version.name


async def test_version_carries_back_every_fact_as_it_was_given(yard: RunningRegistry) -> None:
    """64-bit integers and floats keep their types and their last bit."""
    await make_model(yard)
    base = await commit(yard, b"base")
    await store(yard, b"a", b"bb")
    given = version_of(
        {"weights/b.bin": b"bb", "a.txt": b"a"},
        metrics={"auc": 0.1 + 0.2, "n": 3.0},
        directions={"auc": pb.Evaluation.DIRECTION_HIGHER_IS_BETTER},
        source=pb.Source(repository="git@x", commit="c" * 40, branch="main", dirty=True, arguments=["--lr", "0.1"]),
        environment=pb.Environment(python="3.11.7", packages={"numpy": "2.0"}, hardware={"cpu_count": "2"}),
        framework=pb.Framework(name="torch", version="2.5"),
        format="safetensors",
        run=pb.Run(tracker="mlflow", id="abc", url="https://x/abc"),
        description="first",
        labels={"team": "risk"},
        annotations={"k": "v"},
        parents=[pb.Parent(version=base.name, relation=pb.Parent.RELATION_FINE_TUNED_FROM)],
        datasets=[
            pb.Dataset(name="d", uri="s3://b/d", digest="md5:1", role=pb.Dataset.ROLE_TRAINING, row_count=0),
            pb.Dataset(name="d", role=pb.Dataset.ROLE_TEST, fingerprint=pb.Dataset.FINGERPRINT_SAMPLED),
        ],
    )
    given.params["big"].int_value = 2**63 - 1
    given.params["one"].double_value = 1.0
    given.params["flag"].bool_value = False
    given.params["text"].string_value = ""
    given.signature.inputs.update({"type": "object", "properties": {"x": {"maximum": 5, "enum": [None, 1.5, True]}}})

    request = rpc.CreateVersionRequest(parent=MODEL, version=given, view=rpc.VERSION_VIEW_FULL)
    made = await yard.registry.CreateVersion(request)
    got = await yard.registry.GetVersion(rpc.GetVersionRequest(name=made.name))

    assert got == made
    assert made.name == f"{MODEL}/versions/2"
    assert made.number == 2
    assert made.state == pb.Version.STATE_READY
    assert [file.path for file in made.files] == ["a.txt", "weights/b.bin"]
    assert made.file_count == 2
    assert made.total_size_bytes == 3
    files = [File("a.txt", 1, digest_of(b"a")), File("weights/b.bin", 2, digest_of(b"bb"))]
    assert made.manifest_digest == manifest_digest(files)
    assert made.parents[0].manifest_digest == base.manifest_digest
    for field in (
        *("params", "metrics", "directions", "datasets", "source", "environment", "framework", "format", "signature"),
        "run",
    ):
        assert getattr(made, field) == getattr(given, field), field
    for field in ("description", "labels", "annotations"):
        assert getattr(made, field) == getattr(given, field), field


async def test_numbers_have_no_gaps_and_are_never_reused(yard: RunningRegistry) -> None:
    await make_model(yard)
    first, second = await commit(yard, b"1"), await commit(yard, b"2")
    await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=second.name))

    third = await commit(yard, b"3")

    assert [first.number, second.number, third.number] == [1, 2, 3]


async def test_sixteen_writers_get_sixteen_numbers(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"x")

    async def create(index: int) -> pb.Version:
        version = version_of({f"{index}.bin": b"x"})
        return await yard.registry.CreateVersion(
            rpc.CreateVersionRequest(parent=MODEL, version=version, alias_ids=["newest"], request_id=request_id())
        )

    made = await asyncio.gather(*(create(index) for index in range(16)))

    assert sorted(version.number for version in made) == list(range(1, 17))
    alias = await yard.registry.GetAlias(rpc.GetAliasRequest(name=f"{MODEL}/aliases/newest"))
    assert alias.version == f"{MODEL}/versions/16"


async def test_a_refused_commit_leaves_no_gap(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"1")
    with pytest.raises(Exception, match="not stored"):
        await yard.registry.CreateVersion(
            rpc.CreateVersionRequest(parent=MODEL, version=version_of({"x": b"never sent"}))
        )

    assert (await commit(yard, b"2")).number == 2


async def test_same_files_are_a_new_version_unless_asked_otherwise(yard: RunningRegistry) -> None:
    await make_model(yard)
    first = await commit(yard)
    second = await commit(yard)

    unchanged = await yard.registry.CreateVersion(
        rpc.CreateVersionRequest(
            parent=MODEL, version=version_of({"model.bin": b"weights"}), if_changed=True, alias_ids=["candidate"]
        )
    )

    assert second.number == first.number + 1
    assert unchanged.name == second.name
    assert unchanged.aliases == ["candidate"]
    assert len((await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL))).versions) == 2


async def test_same_files_with_other_facts_are_refused_rather_than_dropped(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"weights")
    first = version_of({"model.bin": b"weights"})
    first.metrics["auc"] = 0.91
    first.params["depth"].int_value = 3
    await yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=first))

    async def again(**metrics: float) -> pb.Version:
        version = version_of({"model.bin": b"weights"})
        version.metrics.update(metrics)
        version.source.commit = "another commit made the same bytes"
        request = rpc.CreateVersionRequest(parent=MODEL, version=version, if_changed=True, alias_ids=["candidate"])
        return await yard.registry.CreateVersion(request)

    got = await refused(again(auc=0.93, loss=0.1))
    assert (got.code, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "FACTS_DIFFER")
    assert "metrics.auc is 0.91, not 0.93" in got.message
    assert not (await yard.registry.ListAliases(rpc.ListAliasesRequest(parent=MODEL))).aliases
    assert (await again(auc=0.91)).name == f"{MODEL}/versions/1"


async def test_what_is_misspelt_is_answered_with_what_there_is(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard)

    async def told(reference: str) -> str:
        return (await refused(yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference=reference)))).message

    assert (await told("fraud@prod")).endswith("has no alias 'prod'. It has no aliases. Promote a version first.")
    for alias in ("production", "canary"):
        await yard.registry.SetAlias(
            rpc.SetAliasRequest(alias=pb.Alias(name=f"{MODEL}/aliases/{alias}", version=f"{MODEL}/versions/1"))
        )
    assert (await told("fraud@prodution")).endswith("Did you mean 'production'? Its aliases are: canary, production.")
    assert (await told("froud@production")).endswith("no model 'froud' in namespace 'default'. Did you mean 'fraud'?")


async def test_only_text_about_a_version_can_change(yard: RunningRegistry) -> None:
    await make_model(yard)
    made = await commit(yard)

    changed = await yard.registry.UpdateVersion(
        rpc.UpdateVersionRequest(
            version=pb.Version(name=made.name, description="good", labels={"a": "b"}, etag=made.etag)
        )
    )

    assert changed.description == "good"
    assert changed.labels == {"a": "b"}
    assert changed.manifest_digest == made.manifest_digest
    # A client that sends back what it read, but for the text, is not refused for the frozen rest.
    changed.description = "better"
    again = await yard.registry.UpdateVersion(rpc.UpdateVersionRequest(version=changed))
    assert again.description == "better"


async def test_deprecated_versions_are_still_served(yard: RunningRegistry) -> None:
    await make_model(yard)
    made = await commit(yard, aliases=["production"])

    deprecated = await yard.registry.DeprecateVersion(
        rpc.DeprecateVersionRequest(name=made.name, reason="biased; use 2")
    )
    resolved = await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud@production"))

    assert deprecated.state == pb.Version.STATE_DEPRECATED
    assert resolved.version.deprecation_reason == "biased; use 2"


async def test_a_deleted_version_is_hidden_and_restored_to_the_state_it_had(yard: RunningRegistry) -> None:
    await make_model(yard)
    made = await commit(yard)
    await yard.registry.DeprecateVersion(rpc.DeprecateVersionRequest(name=made.name))

    deleted = await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=made.name))
    listed = await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL))
    all_listed = await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL, show_deleted=True))
    got = await yard.registry.GetVersion(rpc.GetVersionRequest(name=made.name))
    restored = await yard.registry.UndeleteVersion(rpc.UndeleteVersionRequest(name=made.name))

    assert deleted.state == got.state == pb.Version.STATE_DELETED
    assert not listed.versions
    assert [version.name for version in all_listed.versions] == [made.name]
    assert restored.state == pb.Version.STATE_DEPRECATED


async def test_lists_leave_files_out_unless_asked_and_carry_aliases_always(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"1", aliases=["a", "b"])
    await commit(yard, b"2")

    basic = (await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL))).versions
    full = (
        await yard.registry.ListVersions(rpc.ListVersionsRequest(parent=MODEL, view=rpc.VERSION_VIEW_FULL))
    ).versions
    got = await yard.registry.GetVersion(rpc.GetVersionRequest(name=f"{MODEL}/versions/1", view=rpc.VERSION_VIEW_BASIC))

    assert [version.number for version in basic] == [2, 1]
    assert [len(version.files) for version in basic] == [0, 0]
    assert [len(version.files) for version in full] == [1, 1]
    assert basic[1].aliases == ["a", "b"]
    assert not got.files
    assert got.file_count == 1


async def test_an_alias_stands_where_a_number_does(yard: RunningRegistry) -> None:
    await make_model(yard)
    made = await commit(yard, aliases=["champion"])

    got = await yard.registry.GetVersion(rpc.GetVersionRequest(name=f"{MODEL}/versions/champion"))

    assert got.name == made.name


async def test_moving_an_alias_is_a_compare_and_set(yard: RunningRegistry) -> None:
    await make_model(yard)
    one, two = await commit(yard, b"1"), await commit(yard, b"2")
    name = f"{MODEL}/aliases/production"

    first = await yard.registry.SetAlias(
        rpc.SetAliasRequest(alias=pb.Alias(name=name, version=one.name), create_only=True)
    )
    moved = await yard.registry.SetAlias(
        rpc.SetAliasRequest(
            alias=pb.Alias(name=name, version=two.name, etag=first.etag),
            expected_manifest_digest=two.manifest_digest,
            reason="better recall",
        )
    )

    assert moved.version == two.name
    assert moved.manifest_digest == two.manifest_digest
    assert moved.uid == first.uid
    assert moved.etag != first.etag
    listed = await yard.registry.ListAliases(rpc.ListAliasesRequest(parent=MODEL))
    assert list(listed.aliases) == [moved]
    removed = await yard.registry.DeleteAlias(rpc.DeleteAliasRequest(name=name, etag=moved.etag))
    assert removed == moved


async def test_two_movers_with_one_etag_have_one_winner(yard: RunningRegistry) -> None:
    await make_model(yard)
    versions = [await commit(yard, bytes([n])) for n in range(8)]
    name = f"{MODEL}/aliases/production"
    first = await yard.registry.SetAlias(rpc.SetAliasRequest(alias=pb.Alias(name=name, version=versions[0].name)))

    async def move(version: pb.Version) -> bool:
        alias = pb.Alias(name=name, version=version.name, etag=first.etag)
        try:
            await yard.registry.SetAlias(rpc.SetAliasRequest(alias=alias))
        except Exception:  # noqa: BLE001 (what it is, the error table's tests assert)
            return False
        return True

    assert sum(await asyncio.gather(*(move(version) for version in versions[1:]))) == 1


async def test_an_alias_never_dangles_whoever_wins(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"0")
    for round_ in range(8):
        version = await commit(yard, b"%d" % (round_ + 1))
        name = f"{MODEL}/aliases/a{round_}"
        await asyncio.gather(
            yard.registry.SetAlias(rpc.SetAliasRequest(alias=pb.Alias(name=name, version=version.name))),
            yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=version.name)),
            return_exceptions=True,
        )

    dangling = await yard.sql(
        "SELECT a.id FROM aliases a JOIN versions v ON v.key = a.version_key WHERE v.delete_time IS NOT NULL"
    )
    assert dangling == []


@pytest.mark.parametrize(
    ("reference", "rule", "number"),
    [
        ("fraud@1", "NUMBER", 1),
        ("default/fraud@champion", "ALIAS", 1),
        ("fraud@latest", "LATEST", 3),
        ("fraud", "DEFAULT_LATEST", 3),
        ("fraud@{digest}", "MANIFEST_DIGEST", 2),
        (MODEL, "DEFAULT_LATEST", 3),
        (f"{MODEL}/versions/1", "NUMBER", 1),
        (f"{MODEL}/aliases/champion", "ALIAS", 1),
    ],
)
async def test_each_rule_of_references(yard: RunningRegistry, reference: str, rule: str, number: int) -> None:
    await make_model(yard)
    await commit(yard, b"1", aliases=["champion"])
    two = await commit(yard, b"2")
    await commit(yard, b"3")
    four = await commit(yard, b"4")
    await yard.registry.DeprecateVersion(rpc.DeprecateVersionRequest(name=four.name))

    resolved = await yard.registry.ResolveVersion(
        rpc.ResolveVersionRequest(reference=reference.format(digest=two.manifest_digest))
    )

    assert rpc.ResolveVersionResponse.Rule.Name(resolved.rule) == f"RULE_{rule}"
    assert resolved.version.number == number
    assert len(resolved.version.files) == 1
    assert resolved.HasField("alias") == (rule == "ALIAS")
    (head,) = await yard.sql("SELECT revision FROM log_heads")
    assert resolved.revision == head.revision


async def test_files_are_sent_where_they_are_asked_for(yard: RunningRegistry) -> None:
    """A commit answers without them unless told otherwise, a resolution with them."""
    await make_model(yard)
    await store(yard, b"weights")

    def create(view: rpc.VersionView.ValueType) -> Awaitable[pb.Version]:
        version = version_of({"model.bin": b"weights"})
        return yard.registry.CreateVersion(rpc.CreateVersionRequest(parent=MODEL, version=version, view=view))

    async def resolve(view: rpc.VersionView.ValueType) -> pb.Version:
        return (await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud", view=view))).version

    basic, full, default = rpc.VERSION_VIEW_BASIC, rpc.VERSION_VIEW_FULL, rpc.VERSION_VIEW_UNSPECIFIED
    created = [await create(view) for view in (default, basic, full)]
    resolved = [await resolve(view) for view in (default, basic, full)]

    assert [len(version.files) for version in created] == [0, 0, 1]
    assert [len(version.files) for version in resolved] == [1, 0, 1]
    assert {version.file_count for version in (*created, *resolved)} == {1}
    for call in (create(9), resolve(9)):  # type: ignore[arg-type]  # no view that there is
        assert (await refused(call)).fields == ["view"]


async def test_without_a_selector_production_wins_over_latest(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"1", aliases=["production"])
    await commit(yard, b"2")

    resolved = await yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference="fraud"))

    assert resolved.rule == rpc.ResolveVersionResponse.RULE_DEFAULT_ALIAS
    assert resolved.version.number == 1


async def test_a_dry_run_returns_the_result_and_changes_nothing(yard: RunningRegistry) -> None:
    await make_model(yard)
    await store(yard, b"x")
    before = await yard.dump()

    would_be = await yard.registry.CreateVersion(
        rpc.CreateVersionRequest(
            parent=MODEL, version=version_of({"x": b"x"}), alias_ids=["production"], validate_only=True
        )
    )

    assert would_be.number == 1
    assert would_be.aliases == ["production"]
    assert await yard.dump() == before


async def test_every_change_is_one_event_in_a_gap_free_chain(yard: RunningRegistry) -> None:
    await make_model(yard)
    one = await commit(yard, b"1", aliases=["production"])
    two = await commit(yard, b"2")
    yard.clock.advance(5)
    retried = request_id()
    alias = pb.Alias(name=f"{MODEL}/aliases/production", version=two.name)
    for _ in range(2):
        await yard.registry.SetAlias(rpc.SetAliasRequest(alias=alias, reason="better", request_id=retried))
    await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=pb.Model(name=MODEL, owner="me")))
    await yard.registry.UpdateModel(rpc.UpdateModelRequest(model=pb.Model(name=MODEL, owner="me")))
    await yard.registry.DeleteVersion(rpc.DeleteVersionRequest(name=one.name))

    events = await yard.sql("SELECT * FROM events ORDER BY revision")

    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events] == [
        "namespace.created",
        "model.created",
        "version.created",
        "alias.created",
        "version.created",
        "alias.moved",
        "model.updated",
        "version.deleted",
    ]
    payloads = [json.loads(bytes(event.payload)) for event in events]
    assert [payload["previous"] for payload in payloads] == [GENESIS, *(event.hash for event in events[:-1])]
    moved = payloads[5]
    assert moved["changes"]["version"] == [one.name, two.name]
    assert (moved["reason"], moved["request_id"], moved["actor"]) == ("better", retried, "anonymous")
    snapshot = payloads[2]["snapshot"]
    assert "files" not in snapshot
    assert snapshot["manifest_digest"] == one.manifest_digest


async def test_namespaces_share_nothing_that_can_be_seen(yard: RunningRegistry) -> None:
    await make_model(yard)
    await commit(yard, b"secret")
    await yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id="other"))
    await make_model(yard, parent="namespaces/other")

    with pytest.raises(Exception, match="not stored in this namespace"):
        await yard.registry.CreateVersion(
            rpc.CreateVersionRequest(
                parent="namespaces/other/models/fraud",
                version=pb.Version(files=[pb.File(path="x", blob=blob_of(b"secret"))]),
            )
        )
    other = await commit(yard, b"secret", parent="namespaces/other/models/fraud")

    assert other.number == 1
    assert len(await yard.sql("SELECT * FROM blobs")) == 1
