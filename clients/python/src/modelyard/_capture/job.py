"""Which job of which scheduler this is. These tables are all that is ever read of the process's environment."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard._capture.secrets import mask_text
from modelyard._capture.text import clean

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class _System:
    marker: str
    """The variable that tells that the job runs there."""
    variables: tuple[str, ...]
    """Recorded under their own names in lower case."""
    ci: str = ""
    """What the system is called, if it is one for continuous integration."""


_SYSTEMS: Final = (
    _System(
        "GITHUB_ACTIONS",
        (
            "GITHUB_SERVER_URL",
            "GITHUB_REPOSITORY",
            "GITHUB_WORKFLOW",
            "GITHUB_JOB",
            "GITHUB_RUN_ID",
            "GITHUB_RUN_ATTEMPT",
            "GITHUB_SHA",
            "GITHUB_REF",
            "GITHUB_ACTOR",
        ),
        ci="github",
    ),
    _System(
        "GITLAB_CI",
        (
            "CI_PROJECT_PATH",
            "CI_PIPELINE_ID",
            "CI_JOB_ID",
            "CI_JOB_NAME",
            "CI_JOB_URL",
            "CI_COMMIT_SHA",
            "CI_COMMIT_REF_NAME",
        ),
        ci="gitlab",
    ),
    _System(
        "BUILDKITE",
        (
            "BUILDKITE_PIPELINE_SLUG",
            "BUILDKITE_BUILD_ID",
            "BUILDKITE_BUILD_URL",
            "BUILDKITE_JOB_ID",
            "BUILDKITE_COMMIT",
            "BUILDKITE_BRANCH",
        ),
        ci="buildkite",
    ),
    _System("JENKINS_URL", ("JOB_NAME", "BUILD_NUMBER", "BUILD_URL", "GIT_COMMIT", "GIT_BRANCH"), ci="jenkins"),
    _System(
        "CIRCLECI", ("CIRCLE_PROJECT_REPONAME", "CIRCLE_WORKFLOW_ID", "CIRCLE_BUILD_URL", "CIRCLE_SHA1"), ci="circleci"
    ),
    _System("TF_BUILD", ("BUILD_BUILDID", "BUILD_DEFINITIONNAME", "BUILD_SOURCEVERSION"), ci="azure-pipelines"),
    _System(
        "SLURM_JOB_ID",
        (
            "SLURM_JOB_ID",
            "SLURM_JOB_NAME",
            "SLURM_CLUSTER_NAME",
            "SLURM_JOB_PARTITION",
            "SLURM_JOB_NUM_NODES",
            "SLURM_ARRAY_JOB_ID",
            "SLURM_ARRAY_TASK_ID",
            "SLURM_PROCID",
        ),
    ),
    _System("PBS_JOBID", ("PBS_JOBID", "PBS_JOBNAME", "PBS_QUEUE")),
    _System("LSB_JOBID", ("LSB_JOBID", "LSB_JOBNAME", "LSB_QUEUE")),
    _System("RAY_JOB_ID", ("RAY_JOB_ID",)),
    _System("TORCHELASTIC_RUN_ID", ("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE")),
    _System("AWS_BATCH_JOB_ID", ("AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JQ_NAME")),
    _System("TRAINING_JOB_NAME", ("TRAINING_JOB_NAME", "TRAINING_JOB_ARN")),  # SageMaker
    _System("CLOUD_ML_JOB_ID", ("CLOUD_ML_JOB_ID", "CLOUD_ML_PROJECT_ID")),  # Vertex AI
    _System("AZUREML_RUN_ID", ("AZUREML_RUN_ID", "AZUREML_ARM_WORKSPACE_NAME")),
)
_IMAGES: Final = ("CONTAINER_IMAGE", "CI_JOB_IMAGE", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "SLURM_CONTAINER")


def job() -> dict[str, str]:
    """Ids by name: ``ci``, ``github_run_id``, ``slurm_job_id``, ``kubernetes_pod`` and the like; empty on a desk."""
    return dict(_ids())


def image() -> str:
    """The container image, where the platform tells it; empty elsewhere."""
    return next(filter(None, map(_variable, _IMAGES)), "")


def _ids() -> Iterator[tuple[str, str]]:
    for system in _SYSTEMS:
        if _variable(system.marker):
            if system.ci:
                yield "ci", system.ci
            yield from ((name.lower(), value) for name in system.variables if (value := _variable(name)))
    if _variable("KUBERNETES_SERVICE_HOST"):
        pod = {
            "kubernetes_pod": _variable("POD_NAME") or _variable("HOSTNAME"),
            "kubernetes_namespace": _variable("POD_NAMESPACE") or _service_account_namespace(),
            "kubernetes_node": _variable("NODE_NAME"),
        }
        yield from ((name, value) for name, value in pod.items() if value)


def _variable(name: str) -> str:
    return clean(mask_text(os.environ.get(name, "")))


def _service_account_namespace() -> str:
    try:
        return clean((_SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8", errors="replace").strip())
    except OSError:
        return ""
