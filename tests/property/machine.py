"""Compares a registry with a simple model of it. After any sequence of calls, both must agree."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import grpc
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.property.yards import Yard
from tests.support.registry import refusal, refused
from tests.support.requests import commit_files, request_id, store

from modelyard.v1 import registry_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb

_CONTENTS: Final = (b"one", b"two")
# Most of it happens to one model, or nothing would happen to any twice.
_MODELS: Final = st.sampled_from(["fraud", "fraud", "fraud", "churn"])
_ALIASES: Final = st.sampled_from(["production", "canary"])
_NUMBERS: Final = st.integers(1, 4)
_STALE: Final = '"stale-1"'


@dataclass
class VersionFacts:
    digest: str
    state: str = "READY"
    before_quarantine: str = ""
    deleted: bool = False


@dataclass
class ModelFacts:
    deleted: bool = False
    versions: dict[int, VersionFacts] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def live(self) -> Iterator[tuple[int, VersionFacts]]:
        """Newest first."""
        return ((number, version) for number, version in sorted(self.versions.items())[::-1] if not version.deleted)

    def latest(self) -> int | None:
        return next((number for number, version in self.live() if version.state == "READY"), None)

    def with_digest(self, digest: str) -> int | None:
        return next((number for number, version in self.live() if version.digest == digest), None)


class RegistryMachine(RuleBasedStateMachine):
    """Subclasses set the registry. Each run has a namespace of its own."""

    open: Yard

    def __init__(self) -> None:
        super().__init__()
        self.yard = self.open.running
        self.models: dict[str, ModelFacts] = {}
        self.events = 0
        self.touched = "fraud"
        self.namespace = f"namespaces/n-{uuid4().hex}"
        self.open.wait(self._make_namespace)

    async def _make_namespace(self) -> None:
        identity = self.namespace.removeprefix("namespaces/")
        await self.yard.registry.CreateNamespace(rpc.CreateNamespaceRequest(namespace_id=identity))
        await store(self.yard, *_CONTENTS, parent=self.namespace)
        self.events = await self._count_events()

    # What the model expects

    def _do(self, call: Callable[[], Any], refusal_expected: str | None, *, changes: int = 1) -> Any:
        """Makes a call that must be refused for this reason, or else change so many things."""

        async def make() -> tuple[Any, str | None]:
            try:
                return await call(), None
            except grpc.aio.AioRpcError as error:
                return None, refusal(error).reason

        answer, reason = self.open.wait(make)
        assert reason == refusal_expected
        if reason is None:
            self.events += changes
        return answer

    def _model(self, model_id: str) -> ModelFacts | None:
        self.touched = model_id
        return self.models.get(model_id)

    @staticmethod
    def _no_model(model: ModelFacts | None) -> str | None:
        if model is None:
            return "MODEL_NOT_FOUND"
        return "MODEL_DELETED" if model.deleted else None

    def _no_version(self, model: ModelFacts | None, number: int) -> str | None:
        if model is None or model.deleted:
            return self._no_model(model)
        if number not in model.versions:
            return "VERSION_NOT_FOUND"
        return "VERSION_DELETED" if model.versions[number].deleted else None

    def _name(self, model_id: str, *rest: object) -> str:
        return "/".join(map(str, (self.namespace, "models", model_id, *rest)))

    @initialize(contents=st.lists(st.sampled_from(_CONTENTS), min_size=2, max_size=3))
    def start_with_some_versions(self, contents: list[bytes]) -> None:
        self.create_model("fraud")
        for content in contents:
            self.create_version("fraud", content)

    # Models

    @rule(model_id=_MODELS)
    def create_model(self, model_id: str) -> None:
        exists = self._model(model_id) is not None
        request = rpc.CreateModelRequest(parent=self.namespace, model_id=model_id, request_id=request_id())
        self._do(lambda: self.yard.registry.CreateModel(request), "MODEL_EXISTS" if exists else None)
        self.models.setdefault(model_id, ModelFacts())

    @rule(model_id=_MODELS, force=st.booleans(), chance=st.integers(0, 3))
    def delete_model(self, model_id: str, force: bool, chance: int) -> None:
        if chance:  # a deleted model refuses all else, and would do so most of the time
            return
        model = self._model(model_id)
        expected = self._no_model(model)
        if expected is None and model is not None and not force and any(model.live()):
            expected = "MODEL_NOT_EMPTY"
        request = rpc.DeleteModelRequest(name=self._name(model_id), force=force)
        self._do(lambda: self.yard.registry.DeleteModel(request), expected)
        if expected is None and model is not None:
            model.deleted = True

    @rule(model_id=_MODELS)
    def undelete_model(self, model_id: str) -> None:
        model = self._model(model_id)
        expected = "MODEL_NOT_FOUND" if model is None else None if model.deleted else "NOT_DELETED"
        request = rpc.UndeleteModelRequest(name=self._name(model_id))
        self._do(lambda: self.yard.registry.UndeleteModel(request), expected)
        if model is not None:
            model.deleted = False

    # Versions

    @rule(model_id=_MODELS, content=st.sampled_from(_CONTENTS))
    def create_version(self, model_id: str, content: bytes) -> None:
        model = self._model(model_id)
        expected = self._no_model(model)
        parent = self._name(model_id)
        made = self._do(lambda: commit_files(self.yard, {"model.bin": content}, parent=parent), expected)
        if made is not None and model is not None:
            assert made.number == len(model.versions) + 1
            model.versions[made.number] = VersionFacts(made.manifest_digest)

    @rule(model_id=_MODELS, number=_NUMBERS)
    def deprecate_version(self, model_id: str, number: int) -> None:
        model = self._model(model_id)
        expected = self._no_version(model, number)
        if expected is None and model is not None and model.versions[number].state != "READY":
            expected = "ILLEGAL_TRANSITION"
        request = rpc.DeprecateVersionRequest(name=self._name(model_id, "versions", number), reason="old")
        self._do(lambda: self.yard.registry.DeprecateVersion(request), expected)
        if expected is None and model is not None:
            model.versions[number].state = "DEPRECATED"

    @rule(model_id=_MODELS, number=_NUMBERS)
    def quarantine_version(self, model_id: str, number: int) -> None:
        model = self._model(model_id)
        expected = self._no_version(model, number)
        if expected is None and model is not None and model.versions[number].state == "QUARANTINED":
            expected = "ILLEGAL_TRANSITION"
        request = rpc.QuarantineVersionRequest(name=self._name(model_id, "versions", number), reason="malware")
        self._do(lambda: self.yard.registry.QuarantineVersion(request), expected)
        if expected is None and model is not None:
            version = model.versions[number]
            version.before_quarantine, version.state = version.state, "QUARANTINED"

    @rule(model_id=_MODELS, number=_NUMBERS)
    def release_version(self, model_id: str, number: int) -> None:
        model = self._model(model_id)
        expected = self._no_version(model, number)
        if expected is None and model is not None and model.versions[number].state != "QUARANTINED":
            expected = "ILLEGAL_TRANSITION"
        request = rpc.ReleaseVersionRequest(name=self._name(model_id, "versions", number), reason="false alarm")
        self._do(lambda: self.yard.registry.ReleaseVersion(request), expected)
        if expected is None and model is not None:
            model.versions[number].state = model.versions[number].before_quarantine

    @rule(model_id=_MODELS, number=_NUMBERS)
    def delete_version(self, model_id: str, number: int) -> None:
        model = self._model(model_id)
        expected = self._no_version(model, number)
        if expected is None and model is not None and number in model.aliases.values():
            expected = "VERSION_IN_USE"
        request = rpc.DeleteVersionRequest(name=self._name(model_id, "versions", number))
        self._do(lambda: self.yard.registry.DeleteVersion(request), expected)
        if expected is None and model is not None:
            model.versions[number].deleted = True

    @rule(model_id=_MODELS, number=_NUMBERS)
    def undelete_version(self, model_id: str, number: int) -> None:
        model = self._model(model_id)
        expected = self._no_version(model, number)
        expected = {None: "NOT_DELETED", "VERSION_DELETED": None}.get(expected, expected)
        request = rpc.UndeleteVersionRequest(name=self._name(model_id, "versions", number))
        self._do(lambda: self.yard.registry.UndeleteVersion(request), expected)
        if expected is None and model is not None:
            model.versions[number].deleted = False

    # Aliases

    @rule(model_id=_MODELS, alias=_ALIASES, number=_NUMBERS, etag=st.sampled_from(["", "right", _STALE]))
    def set_alias(self, model_id: str, alias: str, number: int, etag: str) -> None:
        model = self._model(model_id)
        before = None if model is None else model.aliases.get(alias)
        expected = self._no_version(model, number)
        if etag == "right":
            etag = self._etag(model_id, alias) if before is not None and expected is None else ""
        if expected is None and etag and before is None:
            expected = "ALIAS_NOT_FOUND"
        elif expected is None and etag == _STALE:
            expected = "ETAG_MISMATCH"
        elif expected is None and model is not None and before != number:
            expected = "QUARANTINED" if model.versions[number].state == "QUARANTINED" else None
        version, name = self._name(model_id, "versions", number), self._name(model_id, "aliases", alias)
        request = rpc.SetAliasRequest(alias=pb.Alias(name=name, version=version, etag=etag))
        self._do(lambda: self.yard.registry.SetAlias(request), expected, changes=int(before != number))
        if expected is None and model is not None:
            model.aliases[alias] = number

    def _etag(self, model_id: str, alias: str) -> str:
        request = rpc.GetAliasRequest(name=self._name(model_id, "aliases", alias))
        return str(self.open.wait(lambda: self.yard.registry.GetAlias(request)).etag)

    @rule(model_id=_MODELS, alias=_ALIASES)
    def delete_alias(self, model_id: str, alias: str) -> None:
        model = self._model(model_id)
        expected = self._no_model(model)
        if expected is None and model is not None and alias not in model.aliases:
            expected = "ALIAS_NOT_FOUND"
        request = rpc.DeleteAliasRequest(name=self._name(model_id, "aliases", alias))
        self._do(lambda: self.yard.registry.DeleteAlias(request), expected)
        if expected is None and model is not None:
            del model.aliases[alias]

    # What both must agree on

    @invariant()
    def agrees(self) -> None:
        self.open.wait(self._compare)

    async def _compare(self) -> None:
        assert await self._count_events() == self.events
        listed = await self.yard.registry.ListModels(rpc.ListModelsRequest(parent=self.namespace, show_deleted=True))
        deleted = {model.name.rpartition("/")[2]: model.HasField("delete_time") for model in listed.models}
        assert deleted == {model_id: model.deleted for model_id, model in self.models.items()}
        model = self.models.get(self.touched)
        if model is not None and not model.deleted:
            await self._compare_model(self.touched, model)

    async def _compare_model(self, model_id: str, model: ModelFacts) -> None:
        parent = self._name(model_id)
        versions = await self.yard.registry.ListVersions(rpc.ListVersionsRequest(parent=parent, show_deleted=True))
        assert {
            v.number: (v.manifest_digest, pb.Version.State.Name(v.state).removeprefix("STATE_"))
            for v in versions.versions
        } == {
            number: (version.digest, "DELETED" if version.deleted else version.state)
            for number, version in model.versions.items()
        }
        for version in versions.versions:
            assert sorted(version.aliases) == sorted(a for a, n in model.aliases.items() if n == version.number)
        aliases = await self.yard.registry.ListAliases(rpc.ListAliasesRequest(parent=parent))
        assert {a.name.rpartition("/")[2]: a.version for a in aliases.aliases} == {
            alias: f"{parent}/versions/{number}" for alias, number in model.aliases.items()
        }
        latest = model.latest()
        await self._resolves(model_id, "@latest", latest)
        await self._resolves(model_id, "", model.aliases.get("production", latest))
        for alias in ("production", "canary"):
            await self._resolves(model_id, f"@{alias}", model.aliases.get(alias))
        for digest in {version.digest for version in model.versions.values()}:
            await self._resolves(model_id, f"@{digest}", model.with_digest(digest))

    async def _resolves(self, model_id: str, selector: str, number: int | None) -> None:
        reference = f"{self.namespace.removeprefix('namespaces/')}/{model_id}{selector}"
        call = self.yard.registry.ResolveVersion(rpc.ResolveVersionRequest(reference=reference))
        if number is None:
            assert (await refused(call)).code is grpc.StatusCode.NOT_FOUND
            return
        if self.models[model_id].versions[number].state == "QUARANTINED":
            assert (await refused(call)).reason == "QUARANTINED"
            return
        answer = await call
        assert (answer.version.number, answer.revision) == (number, self.events)

    async def _count_events(self) -> int:
        """The revisions of a namespace's log have no gap: as many as the last one says."""
        (row,) = await self.yard.sql(
            "SELECT count(*) AS count, max(revision) AS last, min(revision) AS first FROM events"
            " WHERE namespace_key = (SELECT key FROM namespaces WHERE id = :id)",
            id=self.namespace.removeprefix("namespaces/"),
        )
        assert (row.first, row.last) == (1, row.count)
        return int(row.count)
