"""What a team does with a registry, with both clients, against a real server."""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from tests.support.server import ServerProcess

import modelyard
from modelyard import (
    AsyncClient,
    Client,
    DatasetRole,
    Direction,
    Environment,
    Pager,
    Parent,
    Relation,
    Rule,
    Run,
    Source,
    VersionState,
)
from modelyard._capture import Captured

Kind = type[AsyncClient] | type[Client]


class Either:
    """A client, or a resource of one, whose methods are awaited, whichever kind it is. Lists are whole."""

    def __init__(self, client: Any, *, waits: bool | None = None) -> None:
        self.client = client
        self.waits = isinstance(client, Client) if waits is None else waits

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)
        if not callable(method):
            return Either(method, waits=self.waits)

        def wait(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            return list(result) if isinstance(result, Pager) else result

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.waits:
                return await asyncio.to_thread(wait, *args, **kwargs)
            result = method(*args, **kwargs)
            return await result if inspect.isawaitable(result) else [item async for item in result]

        return call


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.close()


@pytest.fixture(params=[AsyncClient, Client])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
async def yard(shared_server: ServerProcess, kind: Kind) -> AsyncIterator[Either]:
    either = Either(kind(shared_server.url))
    yield either
    await either.close()


@pytest.fixture
def team() -> str:
    """A namespace that nobody used yet."""
    return f"team-{uuid4().hex[:12]}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / "nested").mkdir(parents=True)
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 8000)
    (folder / "nested" / "config.json").write_text("{}")
    (folder / "empty").touch()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_what_is_pushed_is_what_is_pulled(yard: Either, team: str, files: Path) -> None:
    pushed = await yard.push(
        f"{team}/fraud",
        files,
        params={"lr": 0.1, "layers": 2**62, "name": "x", "bias": True},
        metrics={"auc": 0.93},
        datasets={"train": "s3://bucket/train.parquet"},
        alias=["candidate", "production"],
        description="first",
        labels={"team": "risk"},
        annotations={"a": "b"},
        source=Source(commit="abc"),
        framework="torch==2.9.0",
        format="safetensors",
        signature=modelyard.Signature(inputs={"type": "object", "maxProperties": 3}),
        run=Run(id="42", tracker="mlflow"),
    )
    pulled = await yard.pull(f"{team}/fraud@candidate")

    assert (pushed.number, pushed.state, pushed.file_count) == (1, VersionState.READY, 3)
    assert pushed.params == {"lr": 0.1, "layers": 2**62, "name": "x", "bias": True}
    assert type(pushed.params["bias"]) is bool
    assert pushed.datasets[0].role is DatasetRole.TRAINING
    assert pushed.source == Source(commit="abc")
    assert pushed.environment is not None
    assert pushed.environment.python
    assert pushed.signature == modelyard.Signature(inputs={"type": "object", "maxProperties": 3})
    assert set(pushed.aliases) == {"candidate", "production"}
    assert pulled.version == pushed
    assert pulled.digest == pushed.digest
    assert pulled.metadata.metrics == {"auc": 0.93}
    assert not pulled.stale
    assert contents(pulled.path) == contents(files)


async def test_what_is_here_does_not_travel_again(yard: Either, team: str, files: Path, tmp_path: Path) -> None:
    await yard.push(f"{team}/fraud", files, capture=False)
    first = await yard.pull(f"{team}/fraud")
    second = await yard.pull(f"{team}/fraud@1", tmp_path / "mine")

    assert first.bytes_received == first.version.total_size
    assert second.bytes_received == 0
    assert second.path == tmp_path / "mine"
    assert contents(second.path) == contents(files)


async def test_a_push_of_the_same_files_is_a_new_version_unless_told_otherwise(
    yard: Either, team: str, files: Path
) -> None:
    one = await yard.push(f"{team}/fraud", files)
    two = await yard.push(f"{team}/fraud", files)
    same = await yard.push(f"{team}/fraud", files, if_changed=True, alias="candidate")

    assert [one.number, two.number, same.number] == [1, 2, 2]
    assert one.digest == two.digest
    assert same.aliases == ("candidate",)


async def test_one_file_is_a_model_too_and_facts_may_be_kept_private(yard: Either, team: str, files: Path) -> None:
    version = await yard.push(f"{team}/fraud", files / "weights.bin", capture=False)

    assert [file.path for file in version.files] == ["weights.bin"]
    assert version.source is None
    assert version.environment is None


async def test_pushes_that_race_for_a_new_namespace_all_succeed(yard: Either, team: str, files: Path) -> None:
    pushes = [yard.push(f"{team}/fraud", files, capture=False) for _ in range(5)]

    assert sorted(version.number for version in await asyncio.gather(*pushes)) == [1, 2, 3, 4, 5]


async def test_a_wrong_push_is_refused_before_anything_is_sent(yard: Either, team: str, tmp_path: Path) -> None:
    with pytest.raises(modelyard.InvalidArgumentError) as refused:
        await yard.push(
            f"{team}/UPPER", tmp_path / "missing", metrics={"auc": float("nan")}, labels={"": "x"}, alias="v1"
        )

    assert [violation.field for violation in refused.value.violations] == [
        "model",
        "metrics['auc']",
        "alias[0]",
        "labels",
        str(tmp_path / "missing"),
    ]
    with pytest.raises(modelyard.NotFoundError):
        await yard.namespaces.get(team)


async def test_parents_are_pinned(yard: Either, team: str, files: Path) -> None:
    base = await yard.push(f"{team}/base", files, alias="production")
    (files / "adapter.bin").write_bytes(b"small")
    parents = [
        Parent(version=f"{team}/base", relation=Relation.ADAPTER_OF),
        Parent(version=f"{team}/base@1", relation=Relation.DERIVED_FROM),
        Parent(version=str(base.name), relation=Relation.MERGED_FROM),
    ]

    tuned = await yard.push(f"{team}/tuned", files, parents=parents)

    assert [parent.version for parent in tuned.parents] == [str(base.name)] * 3
    assert [parent.manifest_digest for parent in tuned.parents] == [base.digest] * 3
    with pytest.raises(modelyard.NotFoundError):
        await yard.push(
            f"{team}/tuned", files, parents=[Parent(version=f"{team}/none@1", relation=Relation.DERIVED_FROM)]
        )


async def test_progress_is_told_to_who_asked(yard: Either, team: str, files: Path, kind: Kind) -> None:
    seen: list[modelyard.Progress] = []
    threads = set()

    def progress(step: modelyard.Progress) -> None:
        seen.append(step)
        threads.add(threading.current_thread())

    await yard.push(f"{team}/fraud", files, progress=progress)
    await yard.pull(f"{team}/fraud", progress=progress)

    total = sum(map(len, contents(files).values()))
    last = {step.phase: step for step in seen}
    assert (last["upload"].done, last["upload"].total) == (total, total)
    assert (last["download"].done, last["download"].total) == (total, total)
    assert "modelyard" not in {thread.name for thread in threads}


async def test_progress_may_stop_a_push(yard: Either, team: str, files: Path) -> None:
    def progress(_: modelyard.Progress) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        await yard.push(f"{team}/fraud", files, progress=progress)

    await yard.push(f"{team}/fraud", files)


async def test_references_mean_what_they_say(yard: Either, team: str, files: Path) -> None:
    one = await yard.push(f"{team}/fraud", files)
    (files / "empty").write_text("no longer")
    two = await yard.push(f"{team}/fraud", files)

    async def rule(selector: str) -> tuple[Rule, int]:
        resolution = await yard.resolve(f"{team}/fraud{selector}")
        return resolution.rule, resolution.version.number

    assert await rule("") == (Rule.DEFAULT_LATEST, 2)
    alias = await yard.aliases.set(f"{team}/fraud", "production", 1, create_only=True)
    assert await rule("") == (Rule.DEFAULT_ALIAS, 1)
    assert await rule("@1") == (Rule.NUMBER, 1)
    assert await rule("@latest") == (Rule.LATEST, 2)
    assert await rule("@production") == (Rule.ALIAS, 1)
    assert await rule(f"@{one.digest}") == (Rule.MANIFEST_DIGEST, 1)
    assert (await yard.resolve(f"{team}/fraud")).alias == alias
    for selector in ("", "@1", "@production", f"@{one.digest}"):
        assert (await yard.versions.get(f"{team}/fraud{selector}")).number == 1
    assert (await yard.versions.get(two.name)).number == 2
    with pytest.raises(modelyard.NotFoundError) as missing:
        await yard.resolve(f"{team}/fraud@nobody")
    assert missing.value.reason == "ALIAS_NOT_FOUND"
    with pytest.raises(modelyard.InvalidArgumentError, match="Invalid reference"):
        await yard.pull("Team/fraud@@")


async def test_aliases_are_moved_by_compare_and_set(yard: Either, team: str, files: Path) -> None:
    model = f"{team}/fraud"
    one, two = [await yard.push(model, files, capture=False) for _ in range(2)]
    alias = await yard.aliases.set(model, "production", f"{model}@latest", reason="better")
    assert (alias.version, alias.digest) == (two.name, two.digest)

    moved = await yard.aliases.set(model, "production", one.name, etag=alias.etag, expected_digest=one.digest)
    with pytest.raises(modelyard.ConflictError) as lost:
        await yard.aliases.set(model, "production", 2, etag=alias.etag)
    assert lost.value.reason == "ETAG_MISMATCH"
    with pytest.raises(modelyard.ConflictError):
        await yard.aliases.set(model, "production", 2, create_only=True)
    with pytest.raises(modelyard.FailedPreconditionError) as other:
        await yard.aliases.set(model, "production", 2, expected_digest=f"sha256:{'0' * 64}")
    assert other.value.reason == "DIGEST_CHANGED"
    with pytest.raises(modelyard.InvalidArgumentError, match="is not a version of the model"):
        await yard.aliases.set(model, "production", f"{team}/other@1")

    assert await yard.aliases.get(model, "production") == moved
    assert await yard.aliases.list(model) == [moved]
    assert (await yard.aliases.delete(model, "production", etag=moved.etag, reason="over")).version == one.name
    assert await yard.aliases.list(model) == []


async def test_versions_are_described_deprecated_removed_and_restored(yard: Either, team: str, files: Path) -> None:
    await yard.push(f"{team}/fraud", files, labels={"a": "1"}, description="d")
    name = f"{team}/fraud@1"

    changed = await yard.versions.update(name, labels={"b": "2"})
    assert (changed.labels, changed.description) == ({"b": "2"}, "d")
    with pytest.raises(modelyard.ConflictError):
        await yard.versions.update(name, description="x", etag='"stale"')
    with pytest.raises(modelyard.InvalidArgumentError, match="Nothing to change"):
        await yard.versions.update(name)
    with pytest.raises(modelyard.InvalidArgumentError, match="Use the number"):
        await yard.versions.delete(f"{team}/fraud@latest")

    deprecated = await yard.versions.deprecate(name, "use 2")
    assert (deprecated.state, deprecated.deprecation_reason) == (VersionState.DEPRECATED, "use 2")
    with pytest.warns(modelyard.DeprecatedVersionWarning, match="use 2"):
        await yard.pull(name)
    stopped = await yard.versions.quarantine(name, "malware", etag=deprecated.etag)
    assert (stopped.state, stopped.quarantine_reason) == (VersionState.QUARANTINED, "malware")
    with pytest.raises(modelyard.FailedPreconditionError, match="malware"):
        await yard.pull(name)
    released = await yard.versions.release(name, "false alarm", etag=stopped.etag)
    assert (released.state, released.quarantine_reason) == (VersionState.DEPRECATED, "")
    deleted = await yard.versions.delete(name, etag=released.etag)
    assert deleted.state is VersionState.DELETED
    assert deleted.purge_time is not None
    assert await yard.versions.list(f"{team}/fraud") == []
    assert [version.number for version in await yard.versions.list(f"{team}/fraud", show_deleted=True)] == [1]
    assert (await yard.versions.undelete(name)).state is VersionState.DEPRECATED


async def test_empty_namespaces_are_deleted_and_restored(yard: Either, team: str) -> None:
    await yard.namespaces.create(team)

    deleted = await yard.namespaces.delete(team)

    assert deleted.delete_time is not None
    assert team not in [namespace.id for namespace in await yard.namespaces.list()]
    with pytest.raises(modelyard.NotFoundError, match="is deleted"):
        await yard.models.create(f"{team}/fraud")
    assert (await yard.namespaces.undelete(team, etag=deleted.etag)).delete_time is None
    await yard.models.create(f"{team}/fraud")
    with pytest.raises(modelyard.FailedPreconditionError, match="not empty"):
        await yard.namespaces.delete(team)


async def test_models_and_namespaces_are_managed(yard: Either, team: str) -> None:
    created = await yard.namespaces.create(team, display_name="Risk", labels={"a": "b"})
    assert await yard.namespaces.get(team) == created
    with pytest.raises(modelyard.AlreadyExistsError):
        await yard.namespaces.create(team)
    renamed = await yard.namespaces.update(team, display_name="", etag=created.etag)
    assert (renamed.display_name, renamed.labels) == ("", {"a": "b"})
    assert team in [namespace.id for namespace in await yard.namespaces.list()]

    model = await yard.models.create(f"{team}/fraud", owner="risk@example.org")
    assert await yard.models.get(model.name) == model
    changed = await yard.models.update(f"{team}/fraud", description="# Fraud", annotations={"x": "y"})
    assert (changed.owner, changed.description) == ("risk@example.org", "# Fraud")
    with pytest.raises(modelyard.ConflictError):
        await yard.models.delete(f"{team}/fraud", etag=model.etag)
    deleted = await yard.models.delete(f"{team}/fraud", etag=changed.etag)
    assert deleted.delete_time is not None
    assert await yard.models.list(team) == []
    assert [found.name for found in await yard.models.list(team, show_deleted=True)] == [model.name]
    assert (await yard.models.undelete(f"{team}/fraud")).delete_time is None


async def test_lists_are_fetched_page_by_page(yard: Either, team: str) -> None:
    await yard.namespaces.create(team)
    names = [f"m{number:03}" for number in range(60)]
    await asyncio.gather(*(yard.models.create(f"{team}/{name}") for name in names))

    assert [model.name.model for model in await yard.models.list(team)] == names


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda yard: yard.models.get("Team/x"), "model"),
        (lambda yard: yard.models.get("team/x@1"), "model"),
        (lambda yard: yard.models.get(None), "model"),
        (lambda yard: yard.aliases.get("team/x", "latest"), "alias"),
        (lambda yard: yard.namespaces.get("a b"), "namespace"),
        (lambda yard: yard.versions.list("team/x@1"), "model"),
        (lambda yard: yard.models.create("team/x", owner=5), "owner"),
        (lambda yard: yard.models.update("team/x", labels={"a": 5}), "labels"),
    ],
)
async def test_wrong_names_and_values_are_refused_here(yard: Either, call: Any, field: str) -> None:
    with pytest.raises(modelyard.InvalidArgumentError) as refused:
        await call(yard)

    assert [violation.field for violation in refused.value.violations] == [field]


async def test_without_the_registry_the_last_known_version_is_served_and_said_to_be(
    server: ServerProcess, kind: Kind, files: Path, tmp_path: Path
) -> None:
    yard = Either(kind(server.url))
    await yard.push("team/fraud", files, alias="production")
    fresh = await yard.pull("team/fraud@production")
    server.stop()

    with pytest.warns(modelyard.StaleModelWarning, match="version 1, the last known"):
        stale = await yard.pull("team/fraud@production", tmp_path / "mine")
    pinned = await yard.pull(f"team/fraud@{fresh.digest}")
    with pytest.raises(modelyard.UnavailableError, match="can't be reached"):
        await yard.pull("team/fraud@latest")

    assert (fresh.stale, stale.stale, pinned.stale) == (False, True, False)
    assert stale.version == fresh.version
    assert contents(stale.path) == contents(files)
    await yard.close()


async def test_a_closed_client_says_so(yard: Either) -> None:
    await yard.close()

    with pytest.raises(RuntimeError, match="closed"):
        await yard.models.get("team/x")


def test_functions_follow_the_environment(
    shared_server: ServerProcess, team: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_URL", "nowhere")
    with pytest.raises(modelyard.InvalidArgumentError, match="nowhere"):
        modelyard.resolve(f"{team}/fraud")
    monkeypatch.setenv("MODELYARD_URL", shared_server.url)

    version = modelyard.push(f"{team}/fraud", files, alias="production")

    assert modelyard.pull(f"{team}/fraud").version == version
    resolved = modelyard.resolve(f"{team}/fraud@production").version
    assert (resolved.name, resolved.digest, resolved.files) == (version.name, version.digest, ())
    assert modelyard.promote(f"{team}/fraud@1").previous_version == version.name
    assert next(modelyard.watch(f"{team}/fraud")).version == version


async def test_a_check_finds_what_a_push_would_refuse_and_changes_nothing(yard: Either, team: str, files: Path) -> None:
    wrong = {"params": {"a": object()}, "metrics": {"auc": float("nan")}, "alias": "latest", "labels": {"": "x"}}
    refusals = []
    for call in (yard.check, yard.push):
        with pytest.raises(modelyard.InvalidArgumentError) as refused:
            await call(f"{team}/fraud", files / "gone", **wrong)
        refusals.append(refused.value.violations)
    assert refusals[0] == refusals[1]
    assert len(refusals[0]) == 5

    facts = await yard.check(f"{team}/fraud", params={"optimizer": {"lr": 0.1}}, framework="numpy")
    assert facts.params == {"optimizer.lr": 0.1}
    with pytest.raises(modelyard.NotFoundError):
        await yard.models.get(f"{team}/fraud")

    parent = Parent(version=f"{team}/base@production", relation=Relation.ADAPTER_OF)
    with pytest.raises(modelyard.NotFoundError):
        await yard.check(f"{team}/fraud", parents=[parent])
    base = await yard.push(f"{team}/base", files, alias="production", capture=False)
    checked = await yard.check(f"{team}/fraud", files, parents=[parent])
    assert [each.version for each in checked.parents] == [str(base.name)]
    await yard.models.delete(f"{team}/base", force=True)
    with pytest.raises(modelyard.NotFoundError, match="deleted"):
        await yard.check(f"{team}/base")


async def test_long_params_are_files_of_the_version_and_dropped_metrics_are_told(
    yard: Either, team: str, files: Path
) -> None:
    prompt = "Tell fraud from friends. " * 400
    with pytest.warns(modelyard.FactsWarning) as told:
        version = await yard.push(
            f"{team}/fraud",
            files,
            params={"llm": {"prompt": prompt}},
            metrics={"auc": 0.9, "f1": float("nan")},
            drop_nonfinite=True,
            capture=False,
        )
    assert [str(each.message).partition(" ")[0] for each in told] == ["params['llm.prompt']", "metrics['f1']"]
    assert version.metrics == {"auc": 0.9}
    assert version.params["llm.prompt"].startswith("see the file modelyard-params/llm.prompt.txt (10000 bytes, sha256:")
    pulled = await yard.pull(version.reference)
    assert (pulled.path / "modelyard-params" / "llm.prompt.txt").read_text() == prompt
    with pytest.warns(modelyard.FactsWarning):
        again = await yard.push(
            f"{team}/fraud", files, params={"llm": {"prompt": prompt}}, if_changed=True, capture=False
        )
    assert again.number == version.number


async def test_facts_that_no_version_has_room_for_are_told_before_anything_is_sent(
    yard: Either, team: str, files: Path
) -> None:
    many = {f"param-{number}": "x" * 400 for number in range(9_000)}
    for call in (yard.check, yard.push):
        with pytest.raises(modelyard.InvalidArgumentError, match="at most 3670016 are allowed"):
            await call(f"{team}/fraud", files, params=many)
    with pytest.raises(modelyard.NotFoundError):
        await yard.models.get(f"{team}/fraud")


async def test_captured_facts_never_make_a_version_too_large(
    yard: Either, team: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Captured(
        source=Source(commit="c" * 40, arguments=("x" * 900,) * 500),
        environment=Environment(python="3.11", packages={f"package-{number}": "1" * 60 for number in range(5000)}),
    )
    monkeypatch.setattr("modelyard._client.pushing.capture", lambda: found)
    many = {f"param-{number}": "x" * 400 for number in range(8_000)}
    with pytest.warns(modelyard.FactsWarning, match="no room"):
        version = await yard.push(f"{team}/fraud", files, params=many)
    assert version.environment.python == "3.11"
    assert set(version.environment.not_collected) == {"packages"}
    assert version.source.commit == "c" * 40


async def test_an_evaluation_takes_metrics_as_a_push_does(yard: Either, team: str, files: Path) -> None:
    """Nested, from NumPy, with its rule for numbers that are not finite. One error names all wrong values."""
    name = str((await yard.push(f"{team}/fraud", files)).name)
    given = {"val": {"auc": np.float32(0.5), "loss": float("nan")}, "n": np.int64(3)}
    with pytest.warns(modelyard.FactsWarning, match=r"metrics\['val.loss'\] is nan and is left out"):
        made = await yard.evaluations.create(
            *(name, "test", given),
            directions={"val.auc": Direction.HIGHER_IS_BETTER, "val.loss": Direction.LOWER_IS_BETTER},
            slices={"eu": {"val": {"auc": np.float64(0.25)}}},
            drop_nonfinite=True,
        )
    assert made.metrics == {"val.auc": 0.5, "n": 3.0}
    assert made.directions == {"val.auc": Direction.HIGHER_IS_BETTER}
    assert made.slices[0].metrics == {"val.auc": 0.25}

    with pytest.raises(modelyard.InvalidArgumentError) as refused:
        await yard.evaluations.create(name, "", given, slices={"eu": {"auc": "high"}}, harness="a\nb")
    assert {violation.field for violation in refused.value.violations} == {
        "dataset.name",
        "metrics['val.loss']",
        "slices['eu']['auc']",
        "harness",
    }
    with pytest.raises(modelyard.InvalidArgumentError, match=r"has no number\. Give at least one"):
        await yard.evaluations.create(name, "test", {"loss": float("nan")}, drop_nonfinite=True)
