"""Requests as domain values: every violation of a request is collected before any is told."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from modelyard import wire
from modelyard.core.facts import Facts
from modelyard.core.manifest import check_digest
from modelyard.core.names import ModelName, NamespaceName, check_alias
from modelyard.v1 import registry_pb2
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import validation
from modelyard_server.calls.call import current
from modelyard_server.calls.errors import FieldViolation, InvalidArgument
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.page_tokens import Cursor, PageTokens
from modelyard_server.log.changes import Attempt
from modelyard_server.query import terms
from modelyard_server.query.listing import Listing, Position
from modelyard_server.query.order import Order
from modelyard_server.query.syntax import FilterError
from modelyard_server.registry.versions.service import NewVersion
from modelyard_server.transfers.blobs.service import BlobRef

T = TypeVar("T")

_ALL_MODELS: Final = "/models/-"


class Collector:
    """Gathers the violations of one request. ``raise_any`` before what was parsed is used."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def add(self, violations: Iterable[FieldViolation]) -> None:
        self._violations.extend(violations)

    def require(self, field: str, present: object) -> None:
        if not present:
            self._violations.append(FieldViolation(field, "is required"))

    def parse(self, field: str, parse: Callable[[str], T], value: str) -> T | None:
        """The parsed value, or None and a violation."""
        if not value:
            self.require(field, value)
            return None
        try:
            return parse(value)
        except ValueError as error:
            self._violations.append(FieldViolation(field, str(error)))
            return None

    def optional(self, field: str, parse: Callable[[str], T], value: str) -> T | None:
        """The same of what may be left out."""
        return self.parse(field, parse, value) if value else None

    def raise_any(self) -> None:
        if self._violations:
            raise InvalidArgument(self._violations)


def one(field: str, parse: Callable[[str], T], value: str) -> T:
    """The frequent case of a request with one name."""
    collector = Collector()
    parsed = collector.parse(field, parse, value)
    collector.raise_any()
    assert parsed is not None
    return parsed


def attempt(request: Message, collector: Collector) -> Attempt:
    """What a change needs to know of its request besides the change."""
    call = current.get()
    request_id: str = getattr(request, "request_id", "")  # what can be done twice without harm has none
    if request_id:
        collector.add(validation.uuid4("request_id", request_id))
    bare = type(request)()
    bare.CopyFrom(request)
    if request_id:
        bare.ClearField("request_id")
    return Attempt(
        actor=call.actor,
        method=call.method.name,
        payload_hash=hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest(),
        # Two spellings of one UUID are one.
        request_id=request_id.lower(),
        validate_only=getattr(request, "validate_only", False),
    )


def change(
    request: Message,
    field: str,
    parse: Callable[[str], T],
    value: str,
    violations: Iterable[FieldViolation] = (),
) -> tuple[T, Attempt]:
    """The frequent case of a change to one resource: its name, and the attempt. ``violations`` are told with theirs."""
    collector = Collector()
    parsed = collector.parse(field, parse, value)
    collector.add(violations)
    tried = attempt(request, collector)
    collector.raise_any()
    assert parsed is not None
    return parsed, tried


def described(field: str, message: pb.Namespace | pb.Model | pb.Version, limits: Limits) -> Iterable[FieldViolation]:
    """Violations in the fields that people edit."""
    yield from validation.text(f"{field}.description", message.description, max_bytes=limits.description_bytes)
    yield from validation.labels(f"{field}.labels", message.labels, limits)
    yield from validation.labels(f"{field}.annotations", message.annotations, limits)
    if not isinstance(message, pb.Version):
        yield from _line(f"{field}.display_name", message.display_name, limits.display_name_length)
    if isinstance(message, pb.Model):
        yield from _line(f"{field}.owner", message.owner, limits.owner_length)


def _line(field: str, value: str, length: int) -> Iterable[FieldViolation]:
    if len(value) > length:
        yield FieldViolation(field, f"is {len(value)} characters long; at most {length} are allowed")
    yield from validation.text(field, value, one_line=True)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list request asks for, and what its page is continued by."""

    text: str
    position: Cursor | None
    size: int

    def listing(self, where: terms.Term | None, order: Order | None, *, show_deleted: bool) -> Listing:
        after = Position(*self.position) if isinstance(self.position, list) else None
        return Listing(where=where, order=order, after=after, size=self.size, show_deleted=show_deleted)


def query(request: Any, tokens: PageTokens, limits: Limits, collector: Collector) -> ListQuery:
    """How a list is to go on. Raises what the collector has gathered: a token is opened for a sound request only."""
    size = page_size(request.page_size, limits, collector)
    collector.raise_any()
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    text = f"{type(request).__name__}:{bare.SerializeToString(deterministic=True).hex()}"
    return ListQuery(text, tokens.open(text, request.page_token), size)


def models_parent(value: str) -> ModelName | NamespaceName:
    """The place of a list of what is in models: one of them, or with ``-`` for its id all models of a namespace."""
    if value.endswith(_ALL_MODELS):
        return NamespaceName.parse(value.removesuffix(_ALL_MODELS))
    return ModelName.parse(value)


def page_size(value: int, limits: Limits, collector: Collector) -> int:
    if value < 0:
        collector.add([FieldViolation("page_size", f"{value} is negative")])
    return min(value or limits.page_size_default, limits.page_size_max)


def time(field: str, message: Timestamp, collector: Collector) -> datetime | None:
    """A moment; None and a violation for what is none."""
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError):
        collector.add([FieldViolation(field, "is no time between the years 1 and 9999")])
        return None


def where(text: str, fields: terms.Fields, now: datetime, collector: Collector) -> terms.Term | None:
    """The checked tree of a filter; None for an empty one."""
    try:
        return terms.parse(text, fields, now)
    except FilterError as error:
        collector.add([FieldViolation("filter", str(error))])
        return None


def order(text: str, parse: Callable[[str], Order | None], collector: Collector) -> Order | None:
    try:
        return parse(text)
    except ValueError as error:
        collector.add([FieldViolation("order_by", str(error))])
        return None


def view(value: int) -> Iterable[FieldViolation]:
    if value not in registry_pb2.VersionView.values():
        yield FieldViolation("view", f"{value} is no view that this server knows")


def blob(collector: Collector, field: str, message: pb.Blob) -> BlobRef:
    collector.add(validation.parsed(f"{field}.digest", check_digest, message.digest))
    collector.add(validation.size(f"{field}.size_bytes", message.size_bytes))
    return BlobRef(message.digest, message.size_bytes)


def new_version(request: registry_pb2.CreateVersionRequest, limits: Limits, collector: Collector) -> NewVersion | None:
    """What CreateVersion commits; None if anything is wrong with it."""
    message = request.version
    parent = collector.parse("parent", ModelName.parse, request.parent)
    files = wire.files_from_proto(message.files)
    facts = _facts(message, limits, collector)
    collector.add(validation.files("version.files", files))
    collector.add(described("version", message, limits))
    collector.add(_aliases(request.alias_ids, limits))
    if message.ByteSize() > limits.version_bytes:
        text = f"is {message.ByteSize()} bytes long with its files and facts; at most {limits.version_bytes} fit"
        collector.add([FieldViolation("version", f"{text}: fewer files, or shorter paths and facts")])
    if parent is None or facts is None:
        return None
    return NewVersion(
        parent=parent,
        files=files,
        facts=facts,
        description=message.description,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
        alias_ids=tuple(dict.fromkeys(request.alias_ids)),
        if_changed=request.if_changed,
    )


def _aliases(alias_ids: Iterable[str], limits: Limits) -> Iterable[FieldViolation]:
    ids = list(alias_ids)
    if len(ids) > limits.aliases_per_commit:
        yield FieldViolation("alias_ids", f"has {len(ids)} entries; at most {limits.aliases_per_commit} are allowed")
    for index, alias_id in enumerate(ids):
        yield from validation.parsed(f"alias_ids[{index}]", check_alias, alias_id)


def _unset(message: pb.Version) -> Iterable[FieldViolation]:
    """What the contract's types let through and the domain's don't."""
    for name, value in message.params.items():
        if value.WhichOneof("kind") is None:
            yield FieldViolation(f"version.params[{name[:40]!a}]", "has no value")
    for index, dataset in enumerate(message.datasets):
        if dataset.role not in pb.Dataset.Role.values():
            yield FieldViolation(f"version.datasets[{index}].role", f"{dataset.role} is no role that this server knows")
        if dataset.fingerprint not in pb.Dataset.Fingerprint.values():
            text = f"{dataset.fingerprint} is no kind of fingerprint that this server knows"
            yield FieldViolation(f"version.datasets[{index}].fingerprint", text)
    for index, parent in enumerate(message.parents):
        if parent.relation not in pb.Parent.Relation.values() or not parent.relation:
            yield FieldViolation(f"version.parents[{index}].relation", "must be one of the relations of the contract")


def _facts(message: pb.Version, limits: Limits, collector: Collector) -> Facts | None:
    unset = list(_unset(message))
    collector.add(unset)
    if unset:
        return None
    facts = Facts(**wire.facts_from_proto(message))
    collector.add(validation.facts("version", facts, limits))
    return facts
