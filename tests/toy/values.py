"""Notes."""

from dataclasses import dataclass

from modelyard.core.names import NamespaceName
from modelyard_server.calls.resource import Resource


@dataclass(frozen=True, slots=True)
class NoteName:
    namespace: NamespaceName
    note: str

    @classmethod
    def parse(cls, value: str) -> "NoteName":
        namespace, _, note = value.partition("/notes/")
        if not note:
            raise ValueError(f"{value!r} is no name of a note")
        return cls(NamespaceName.parse(namespace), note)

    def __str__(self) -> str:
        return f"{self.namespace}/notes/{self.note}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Resource):
    name: NoteName
    text: str
