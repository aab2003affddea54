"""Events as messages."""

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import json_format, struct_pb2
from google.protobuf.message import Message

from modelyard import wire
from modelyard.v1 import events_pb2 as pb
from modelyard_server.log.kinds import Kinds
from modelyard_server.log.values import Change, Event

LARGEST: Final = 7 << 19
"""Bytes of an event with its payload: half a MiB below what a message may hold."""


@dataclass(frozen=True, slots=True)
class EventMessages:
    """Converts events with their snapshots to messages."""

    kinds: Kinds
    most: int
    """Bytes of one event's message. From one that is longer, values of changes are left out."""

    def __call__(self, event: Event) -> pb.Event:
        change = event.change
        message = pb.Event(
            revision=event.revision,
            type=change.type,
            resource=change.resource,
            actor=change.actor,
            request_id=change.request_id,
            reason=change.reason,
            time=wire.timestamp(change.time),
            changes={
                name: pb.Change(before=_value(before), after=_value(after))
                for name, (before, after) in change.changes.items()
            },
            hash=event.hash,
            previous_hash=event.previous_hash,
        )
        kind = self.kinds.of(change.kind)
        if kind is not None and (snapshot := self._snapshot(change)) is not None:
            getattr(message, kind.message_field).CopyFrom(snapshot)
        self._shorten(message)
        return message

    def _shorten(self, message: pb.Event) -> None:
        """Leaves out the largest values of changes, until the rest fits. A snapshot always does."""
        if message.ByteSize() <= self.most:
            return
        for name in sorted(message.changes, key=lambda name: message.changes[name].ByteSize(), reverse=True):
            message.changes[name].CopyFrom(pb.Change(omitted=True))
            if message.ByteSize() <= self.most:
                return

    def with_payload(self, event: Event) -> pb.Event:
        """The event with its bytes, as far as one message can hold both. The bytes have all that the rest has."""
        message = self(event)
        if len(event.payload) > LARGEST:
            return message
        if message.ByteSize() + len(event.payload) > LARGEST:
            message.ClearField("changes")
            if (snapshot := message.WhichOneof("snapshot")) is not None:
                message.ClearField(snapshot)
        message.payload = event.payload
        return message

    def _snapshot(self, change: Change) -> Message | None:
        """The snapshot as a message; None if this release can't read it, for example from a newer release."""
        kind = self.kinds.of(change.kind)
        if kind is None or kind.render is None:
            return None
        try:
            return kind.render(kind.decode(change.snapshot))
        except (KeyError, TypeError, ValueError):
            return None


def _value(value: Any) -> struct_pb2.Value:
    return json_format.ParseDict(value, struct_pb2.Value())
