"""A record of each kind of resource with every field set, as the golden files in ``tests/data/events`` hold it."""

from datetime import UTC, datetime
from typing import Any, Final

from modelyard.core.facts import Dataset, DatasetRole, Direction, Facts, Fingerprint, Slice
from modelyard.core.names import (
    AliasName,
    DeploymentName,
    EvaluationName,
    ModelName,
    NamespaceName,
    VersionName,
    WebhookName,
)
from modelyard_server.calls.resource import Resource
from modelyard_server.deployments.values import Deployment
from modelyard_server.evaluations.values import Evaluation
from modelyard_server.log.events import Floor
from modelyard_server.registry.aliases.values import Alias
from modelyard_server.registry.models.values import Model
from modelyard_server.registry.namespaces.values import Namespace
from modelyard_server.registry.versions.recorded import Recorded
from modelyard_server.registry.versions.values import Version, VersionState
from modelyard_server.transfers.blobs.events import BlobCondition
from modelyard_server.webhooks.values import Webhook

THEN: Final = datetime(2026, 3, 1, 12, 30, 0, 123456, UTC)
LATER: Final = datetime(2026, 4, 1, tzinfo=UTC)
DIGEST: Final = f"sha256:{'ab' * 32}"
_MODEL: Final = ModelName("team", "fraud")
_VERSION: Final = VersionName(_MODEL, 7)
_COMMON: Final[dict[str, Any]] = {
    "uid": "0b3c8f4e-4f0a-4c3e-9d53-0d6f0a4b8c11",
    "create_time": THEN,
    "update_time": LATER,
    "row_version": 3,
}
_DATASET: Final = Dataset(
    name="test",
    uri="s3://data/\U0001d4b3",
    digest=DIGEST,
    role=DatasetRole.TRAINING,
    rows=2**53 + 1,
    fingerprint=next(iter(Fingerprint)),
)
_FACTS: Final = Facts(
    params={
        "big": 2**53 + 1,
        "low": -(2**63),
        "rate": 1e-07,
        "far": 1e16,
        "deep": True,
        "off": False,
        "name": "é😀\u2028",
    },
    metrics={"auc": 0.1, "zero": -0.0},
    datasets=(_DATASET,),
    format="onnx",
)

RECORDS: Final[dict[str, Resource]] = {
    "namespace": Namespace(
        **_COMMON,
        name=NamespaceName("team"),
        display_name="Équipe 🐝",
        description="ours",
        labels={"tier": "gold", "empty": ""},
        annotations={"a": "b"},
        delete_time=THEN,
    ),
    "model": Model(
        **_COMMON,
        name=_MODEL,
        display_name="Fraud",
        description="finds fraud\n",
        owner="us",
        labels={"tier": "gold"},
        annotations={"a": "b"},
        delete_time=THEN,
        purge_time=LATER,
    ),
    "version": Version(
        **_COMMON,
        name=_VERSION,
        live_state=VersionState.QUARANTINED,
        files=None,
        file_count=2,
        total_size=2**40,
        manifest_digest=DIGEST,
        recorded=Recorded.of(_FACTS),
        created_by="anna",
        description="good",
        labels={"tier": "gold"},
        annotations={"a": "b"},
        aliases=("candidate", "production"),
        delete_time=THEN,
        purge_time=LATER,
        deprecation_reason="old",
        quarantine_reason="leaks",
        released_state=VersionState.DEPRECATED,
    ),
    "alias": Alias(
        **_COMMON,
        name=AliasName(_MODEL, "production"),
        version=_VERSION,
        manifest_digest=DIGEST,
        updated_by="anna",
    ),
    "evaluation": Evaluation(
        **_COMMON,
        name=EvaluationName(_VERSION, "5f0c7a52-6c1e-4b7e-8a39-0f3c2d1e4b5a"),
        dataset=_DATASET,
        metrics={"auc": 0.1 + 0.2, "n": 1.0},
        directions={"auc": Direction.HIGHER_IS_BETTER},
        slices=(Slice(name="de", metrics={"auc": -0.0}),),
        harness="lm-eval 0.4",
        supersedes="namespaces/team/models/fraud/versions/7/evaluations/4e0c7a52-6c1e-4b7e-8a39-0f3c2d1e4b5a",
        created_by="anna",
    ),
    "deployment": Deployment(
        **_COMMON,
        name=DeploymentName(_MODEL, "9a1b7a52-6c1e-4b7e-8a39-0f3c2d1e4b5a"),
        service="api",
        version=_VERSION,
        manifest_digest=DIGEST,
        environment="prod",
        instance="pod-1",
        observed_digest=DIGEST,
        reference="team/fraud@production",
        created_by="anna",
        heartbeat_time=LATER,
        expire_time=LATER,
    ),
    "webhook": Webhook(
        **_COMMON,
        name=WebhookName("team", "chat"),
        url="https://hooks.example/secret/path",
        types=("alias.moved", "version.*"),
        model_id="fraud",
        description="tells the chat",
        disabled=True,
        secret_generation=2,
        overlap_end_time=LATER,
        created_by="anna",
    ),
    "blob": BlobCondition(
        **_COMMON, name=f"namespaces/team/blobs/{DIGEST}", digest=DIGEST, size=2**40, damage="missing"
    ),
    "log": Floor(**_COMMON, name=NamespaceName("team"), compacted_revision=5),
}
"""By the names of their kinds."""
