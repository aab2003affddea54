"""A push: bytes first, then one commit that names them. Nothing is visible before, and nothing half."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from modelyard import _convert
from modelyard._caller import warn
from modelyard._capture import Captured, capture
from modelyard._client.describe import Described, parse_parent
from modelyard._client.homes import create_namespace_of
from modelyard._client.long_texts import with_texts
from modelyard._client.resolving import resolve
from modelyard._connection import Connection
from modelyard._transfer.local_files import LocalFile
from modelyard._transfer.upload import Uploaded, upload
from modelyard.core.facts import Facts, Parent
from modelyard.core.limits import MAX_VERSION_BYTES
from modelyard.core.manifest import File
from modelyard.core.names import ModelName, NamespaceName, VersionName
from modelyard.core.references import Selector
from modelyard.errors import (
    AlreadyExistsError,
    FactsWarning,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from modelyard.types import Progress, Version
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub
from modelyard.wire import environment_to_proto, facts_into_proto, files_to_proto, parent_to_proto, source_to_proto

_T = TypeVar("_T")

_CREATED_ON_DEMAND: Final = 2
"""A push may lack its namespace, then its model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What goes where."""

    connection: Connection
    model: ModelName
    files: Sequence[LocalFile]
    described: Described
    if_changed: bool
    capture: bool
    state_dir: Path | None
    progress: Callable[[Progress], None] | None = None

    async def run(self) -> Version:
        """Uploads what the registry lacks, then commits. Run again after any failure, it goes on where it was."""
        for note in self.described.notes:
            warn(note, FactsWarning)
        with with_texts(self.files, self.described.texts) as files:
            return await replace(self, files=files).send()

    async def check(self) -> Facts:
        """The facts as :meth:`run` would record them. Raises what it would raise before it sends anything."""
        with with_texts(self.files, self.described.texts) as files:
            replace(self, files=files).checked_message()
        parents = [await self._pin(parent) for parent in self.described.facts.parents]
        request = registry_pb2.GetModelRequest(name=str(self.model))
        try:
            model = await self.connection.call(self.connection.stub(RegistryServiceStub).GetModel, request)
        except NotFoundError as error:
            if error.reason not in {"NAMESPACE_NOT_FOUND", "MODEL_NOT_FOUND"}:  # these a push creates
                raise
        else:
            if model.HasField("delete_time"):
                told = f"{self.model} is deleted. Restore it, or push to another model."
                raise NotFoundError(told, reason="MODEL_DELETED", metadata={"resource": str(self.model)})
        return replace(self.described.facts, parents=tuple(parents))

    async def send(self) -> Version:
        """Does what :meth:`run` promises, once all files are there."""
        message = self.checked_message()
        with self.connection.in_use():
            parents = [await self._pin(parent) for parent in self.described.facts.parents]
            captured, uploaded = await asyncio.gather(self._capture(), self._with_homes(self._upload))
            self._complete(message, parents, captured)
            self._warn_of_missing(message)
            try:
                return await self._with_homes(partial(self._commit, message, uploaded))
            except FailedPreconditionError as error:
                if error.reason != "MISSING_BLOBS":
                    raise
            # The upload took so long that the registry no longer keeps the first bytes for it.
            return await self._commit(message, await self._upload())

    async def _capture(self) -> Captured:
        return await asyncio.to_thread(capture) if self.capture else Captured(source=None, environment=None)

    def _warn_of_missing(self, message: pb.Version) -> None:
        missing = {**message.source.not_collected, **message.environment.not_collected}
        if missing and self.capture:
            told = "; ".join(f"{name}: {reason}" for name, reason in sorted(missing.items()))
            warn(f"These facts are stored as not collected: {told}", FactsWarning)

    async def _upload(self) -> Uploaded:
        return await upload(
            self.connection, self.model.namespace, self.files, state_dir=self.state_dir, progress=self.progress
        )

    async def _commit(self, message: pb.Version, uploaded: Uploaded) -> Version:
        del message.files[:]
        message.files.extend(files_to_proto(uploaded.files))
        request = registry_pb2.CreateVersionRequest(
            parent=str(self.model),
            version=message,
            alias_ids=self.described.aliases,
            if_changed=self.if_changed,
            request_id=str(uuid4()),
        )
        answer = await self.connection.call(self.connection.stub(RegistryServiceStub).CreateVersion, request)
        # The registry does not send back what it was sent.
        del answer.files[:]
        answer.files.extend(sorted(message.files, key=lambda file: file.path))
        return _convert.version(answer)

    async def _with_homes(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """The result of a step that is tried again after the namespace or the model that it lacked was created."""
        for _ in range(_CREATED_ON_DEMAND):
            try:
                return await step()
            except NotFoundError as error:
                # A parent's model may be what is missing; that one is not ours to create.
                missing = (error.reason, error.metadata.get("resource"))
            if missing == ("NAMESPACE_NOT_FOUND", str(NamespaceName(self.model.namespace))):
                await create_namespace_of(self.connection, self.model)
            elif missing == ("MODEL_NOT_FOUND", str(self.model)):
                await self._create_model()
            else:
                break
        return await step()

    async def _create_model(self) -> None:
        """Creates the model, unless another push did so just now."""
        request = registry_pb2.CreateModelRequest(
            parent=str(NamespaceName(self.model.namespace)), model_id=self.model.model, request_id=str(uuid4())
        )
        with suppress(AlreadyExistsError):
            await self.connection.call(self.connection.stub(RegistryServiceStub).CreateModel, request)

    async def _pin(self, parent: Parent) -> Parent:
        """The parent by its number; by what its reference means now, if it is one that can move."""
        named = parse_parent(parent)
        if isinstance(named, VersionName):
            return parent
        if named.selector is Selector.NUMBER:
            return replace(parent, version=str(named.model.version(int(named.value))))
        found = (await resolve(self.connection, named, files=False)).version
        return replace(parent, version=found.name, manifest_digest=parent.manifest_digest or found.manifest_digest)

    def _complete(self, message: pb.Version, parents: Iterable[Parent], captured: Captured) -> None:
        """Adds what was not known before: the versions that parents mean, and what was captured."""
        del message.parents[:]
        message.parents.extend(map(parent_to_proto, parents))
        if captured.source is not None and not message.HasField("source"):
            message.source.CopyFrom(source_to_proto(captured.source))
        if captured.environment is not None and not message.HasField("environment"):
            message.environment.CopyFrom(environment_to_proto(captured.environment))
        self._make_room(message)

    def _make_room(self, message: pb.Version) -> None:
        """Leaves out what was captured, where a version with many files and facts has no room for it."""
        reason = "the version's files and facts leave no room for it"
        if message.environment.packages and self._size_with_files(message) > MAX_VERSION_BYTES:
            message.environment.packages.clear()
            message.environment.not_collected["packages"] = reason
        if message.source.arguments and self._size_with_files(message) > MAX_VERSION_BYTES:
            del message.source.arguments[:]
            message.source.not_collected["arguments"] = reason

    def checked_message(self) -> pb.Version:
        """What is committed, as far as it is known. What is wrong with it is found before anything is sent."""
        message = self._message(self.described.facts)
        size = self._size_with_files(message)
        if size > MAX_VERSION_BYTES:
            told = f"has {size} bytes with its files and facts; at most {MAX_VERSION_BYTES} are allowed"
            raise InvalidArgumentError([("version", f"{told}. Use fewer files, or shorter paths and facts.")])
        return message

    def _size_with_files(self, message: pb.Version) -> int:
        any_digest = f"sha256:{64 * '0'}"
        files = [File(path=file.path, size=file.size, digest=any_digest, executable=True) for file in self.files]
        return message.ByteSize() + pb.Version(files=files_to_proto(files)).ByteSize()

    def _message(self, facts: Facts) -> pb.Version:
        message = pb.Version(
            description=self.described.description,
            labels=self.described.labels,
            annotations=self.described.annotations,
        )
        try:
            facts_into_proto(facts, message)
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidArgumentError([("facts", f"can't be sent: {error}")]) from None
        return message
