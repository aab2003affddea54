"""A model, a version and an alias as the SDK hands them out, with hostile text where somebody could have stored it."""

from datetime import UTC, datetime, timedelta

from modelyard.core.facts import Dataset, DatasetRole, Environment, Framework, Parent, Relation, Run, Signature, Source
from modelyard.core.manifest import File, manifest_digest
from modelyard.core.names import DeliveryName, DeploymentName, ModelName, WebhookName
from modelyard.types import Alias, Delivery, DeliveryState, Deployment, Model, Namespace, Rollout, Version, VersionState

HOSTILE = "[red]\x1b[31mevil\u202e\u200b\n"
CREATED = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
FRAUD = ModelName("team", "fraud")
FILES = (File(path="model.bin", size=1_500_000, digest=f"sha256:{'a' * 64}"),)

NAMESPACE = Namespace(
    id="team",
    uid="u",
    display_name=HOSTILE,
    description="",
    labels={},
    annotations={},
    create_time=CREATED,
    update_time=CREATED,
    delete_time=None,
    etag='"e"',
)
MODEL = Model(
    name=FRAUD,
    uid="u",
    display_name=HOSTILE,
    description=f"one\n{HOSTILE}",
    owner=HOSTILE,
    labels={"tier": HOSTILE},
    annotations={},
    create_time=CREATED,
    update_time=CREATED,
    delete_time=None,
    purge_time=None,
    aliases={},
    etag='"e"',
)
VERSION = Version(
    name=FRAUD.version(3),
    uid="u",
    state=VersionState.READY,
    files=FILES,
    file_count=1,
    total_size=1_500_000,
    digest=manifest_digest(FILES),
    params={"lr": 0.1, "n": 2**62, "name": HOSTILE, "flag": False},
    metrics={"auc": 0.93},
    datasets=(Dataset(name="train", uri="s3://b/train", role=DatasetRole.TRAINING, rows=0),),
    source=Source(commit="c" * 40, dirty=True, arguments=("--lr", HOSTILE)),
    environment=Environment(python="3.11.7", packages={"numpy": "2.0"}, hardware={"cpu_count": "2"}),
    framework=Framework(name="torch", version="2.9"),
    format="safetensors",
    signature=Signature(inputs={"type": "object"}),
    parents=(Parent(version=str(FRAUD.version(1)), relation=Relation.FINE_TUNED_FROM),),
    run=Run(id="7", tracker="mlflow"),
    description=HOSTILE,
    labels={"stage": HOSTILE},
    annotations={},
    aliases=("candidate", "production"),
    created_by="me",
    create_time=CREATED,
    update_time=CREATED,
    delete_time=CREATED,
    purge_time=CREATED + timedelta(days=30),
    deprecation_reason="",
    quarantine_reason="",
    etag='"e"',
)
ALIAS = Alias(
    name=FRAUD.alias("production"),
    uid="u",
    version=FRAUD.version(3),
    digest=VERSION.digest,
    create_time=CREATED,
    update_time=CREATED,
    updated_by=HOSTILE,
    etag='"e"',
)
DEPLOYMENT = Deployment(
    name=DeploymentName(FRAUD, "8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10"),
    uid="8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f10",
    service=HOSTILE,
    environment=HOSTILE,
    instance=HOSTILE,
    version=VERSION.name,
    digest=VERSION.digest,
    observed_digest="sha256:" + "b" * 64,
    mismatched=True,
    reference=HOSTILE,
    created_by=HOSTILE,
    create_time=CREATED,
    update_time=CREATED,
    heartbeat_time=CREATED,
    expire_time=CREATED,
    etag='"e"',
)
ROLLOUT = Rollout(alias=ALIAS, matching_count=1, differing_count=2, differing=(DEPLOYMENT,))
DELIVERY = Delivery(
    name=DeliveryName(WebhookName("team", "ci"), "8d1ffd9b-5f1e-4b8e-9d1c-0a4a4e3f9f11"),
    revision=7,
    type="alias.moved",
    resource=str(ALIAS.name),
    state=DeliveryState.PENDING,
    attempt_count=1,
    status_code=0,
    error=HOSTILE,
    latency=0.1,
    create_time=CREATED,
    attempt_time=CREATED,
    next_attempt_time=CREATED + timedelta(minutes=4),
)
