"""Resource names: which ids are allowed, and the form of names in the API.

Ids of namespaces and models are also legal in Hugging Face, OCI, MLflow and Kubernetes.
"""

import re
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from modelyard.core.limits import MAX_ALIAS_LENGTH, MAX_ID_LENGTH

DEFAULT_NAMESPACE: Final = "default"
ALL_NAMESPACES: Final = "namespaces/-"
"""The parent of a search in every namespace."""
PRODUCTION: Final = "production"
LATEST: Final = "latest"

_ID: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_ALIAS: Final = re.compile(rf"[a-z][a-z0-9_-]{{0,{MAX_ALIAS_LENGTH - 1}}}")
_RESERVED_ALIAS: Final = re.compile(r"latest|main|v[0-9]+")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")


def check_id(value: str, what: str) -> str:
    """Returns ``value`` if it is allowed as the id of a ``what``, such as a model, else raises ``ValueError``."""
    if len(value) > MAX_ID_LENGTH or not _ID.fullmatch(value):
        raise ValueError(
            f"Invalid {what} id {value[:80]!r}. Use lower-case letters and digits, joined by single '.', '_' or '-', at"
            f" most {MAX_ID_LENGTH} characters."
        )
    return value


def check_alias(value: str) -> str:
    """Returns ``value`` if it is allowed as an alias. Raises ``ValueError`` with the rule."""
    if _RESERVED_ALIAS.fullmatch(value):
        raise ValueError(f"Invalid alias {value[:80]!r}. The names 'latest', 'main' and 'v' with digits are reserved.")
    if not _ALIAS.fullmatch(value):
        raise ValueError(
            f"Invalid alias {value[:80]!r}. Use a lower-case letter, then lower-case letters, digits, '_' or '-', at"
            f" most {MAX_ALIAS_LENGTH} characters."
        )
    return value


def parse_number(value: str) -> int:
    """The version number in ``value``. Raises ``ValueError`` if there is none."""
    if not _NUMBER.fullmatch(value):
        raise ValueError(f"Invalid version number {value[:80]!r}. Use a whole number from 1.")
    return int(value)


def _segments(name: str, pattern: str) -> list[str]:
    parts, wanted = name.split("/"), pattern.split("/")
    fits = len(parts) == len(wanted) and all(w.startswith("{") or w == p for p, w in zip(parts, wanted, strict=True))
    if not fits:
        raise ValueError(f"Invalid name {name[:200]!r}. Use {pattern}.")
    return parts[1::2]


def check_uuid(value: str, kind: str) -> str:
    """Returns ``value`` if it is a UUID in canonical form, else raises ``ValueError``."""
    try:
        canonical = str(UUID(value))
    except ValueError:
        canonical = ""
    if canonical != value:
        raise ValueError(f"Invalid {kind} id {value[:80]!r}. Use a UUID in lower case, with hyphens.")
    return value


_DELIVERY: Final = "namespaces/{namespace}/webhooks/{webhook}/deliveries/{delivery}"
_DEPLOYMENT: Final = "namespaces/{namespace}/models/{model}/deployments/{deployment}"
_EVALUATION: Final = "namespaces/{namespace}/models/{model}/versions/{version}/evaluations/{evaluation}"


@dataclass(frozen=True, slots=True)
class NamespaceName:
    namespace: str

    @classmethod
    def parse(cls, name: str) -> Self:
        (namespace,) = _segments(name, "namespaces/{namespace}")
        return cls(check_id(namespace, "namespace"))

    def __str__(self) -> str:
        return f"namespaces/{self.namespace}"


@dataclass(frozen=True, slots=True)
class ModelName:
    namespace: str
    model: str

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, model = _segments(name, "namespaces/{namespace}/models/{model}")
        return cls(check_id(namespace, "namespace"), check_id(model, "model"))

    def __str__(self) -> str:
        return f"namespaces/{self.namespace}/models/{self.model}"

    def version(self, number: int) -> "VersionName":
        return VersionName(self, number)

    def alias(self, alias: str) -> "AliasName":
        return AliasName(self, alias)


@dataclass(frozen=True, slots=True)
class VersionName:
    model: ModelName
    number: int

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, model, number = _segments(name, "namespaces/{namespace}/models/{model}/versions/{version}")
        return cls(ModelName(check_id(namespace, "namespace"), check_id(model, "model")), parse_number(number))

    def __str__(self) -> str:
        return f"{self.model}/versions/{self.number}"


@dataclass(frozen=True, slots=True)
class EvaluationName:
    version: VersionName
    evaluation: str

    @classmethod
    def parse(cls, name: str) -> Self:
        version, slash, evaluation = name.rpartition("/evaluations/")
        if not slash:
            raise ValueError(f"Invalid name {name[:200]!r}. Use {_EVALUATION}.")
        return cls(VersionName.parse(version), check_uuid(evaluation, "evaluation"))

    def __str__(self) -> str:
        return f"{self.version}/evaluations/{self.evaluation}"


@dataclass(frozen=True, slots=True)
class AliasName:
    model: ModelName
    alias: str

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, model, alias = _segments(name, "namespaces/{namespace}/models/{model}/aliases/{alias}")
        return cls(ModelName(check_id(namespace, "namespace"), check_id(model, "model")), check_alias(alias))

    def __str__(self) -> str:
        return f"{self.model}/aliases/{self.alias}"


def parse_version_or_alias(name: str) -> VersionName | AliasName:
    """Reads accept an alias where a version's number stands."""
    namespace, model, last = _segments(name, "namespaces/{namespace}/models/{model}/versions/{version}")
    model_name = ModelName(check_id(namespace, "namespace"), check_id(model, "model"))
    if last[:1].isalpha():
        return AliasName(model_name, check_alias(last))
    return VersionName(model_name, parse_number(last))


@dataclass(frozen=True, slots=True)
class UploadName:
    namespace: str
    upload: str

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, upload = _segments(name, "namespaces/{namespace}/uploads/{upload}")
        return cls(check_id(namespace, "namespace"), check_uuid(upload, "upload"))

    def __str__(self) -> str:
        return f"namespaces/{self.namespace}/uploads/{self.upload}"


@dataclass(frozen=True, slots=True)
class DeploymentName:
    model: ModelName
    deployment: str

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, model, deployment = _segments(name, _DEPLOYMENT)
        model_name = ModelName(check_id(namespace, "namespace"), check_id(model, "model"))
        return cls(model_name, check_uuid(deployment, "deployment"))

    def __str__(self) -> str:
        return f"{self.model}/deployments/{self.deployment}"


@dataclass(frozen=True, slots=True)
class WebhookName:
    namespace: str
    webhook: str

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, webhook = _segments(name, "namespaces/{namespace}/webhooks/{webhook}")
        return cls(check_id(namespace, "namespace"), check_id(webhook, "webhook"))

    def __str__(self) -> str:
        return f"namespaces/{self.namespace}/webhooks/{self.webhook}"


@dataclass(frozen=True, slots=True)
class DeliveryName:
    webhook: WebhookName
    delivery: str

    @classmethod
    def parse(cls, name: str) -> Self:
        namespace, webhook, delivery = _segments(name, _DELIVERY)
        webhook_name = WebhookName(check_id(namespace, "namespace"), check_id(webhook, "webhook"))
        return cls(webhook_name, check_uuid(delivery, "delivery"))

    def __str__(self) -> str:
        return f"{self.webhook}/deliveries/{self.delivery}"
