"""What ``modelyard`` offers, and what importing it costs."""

import subprocess
import sys
import textwrap
from pathlib import Path

import modelyard

DOCUMENTED = {
    "functions": ["check", "diff", "promote", "pull", "push", "resolve", "rollback", "to_dataframe", "watch"],
    "clients": [
        *("AsyncClient", "AsyncServing", "AsyncPager", "UNSET", "Unset", "Call", "Interceptor"),
        *("AsyncAliases", "AsyncDeployments", "AsyncEvaluations", "AsyncEvents", "AsyncLineageGraph", "AsyncModels"),
        *("AsyncNamespaces", "AsyncVersions", "AsyncWebhooks"),
        *("Client", "Serving", "Pager"),
        *("Aliases", "Deployments", "Evaluations", "Events", "LineageGraph", "Models"),
        *("Namespaces", "Versions", "Webhooks"),
    ],
    "names": [
        *("AliasName", "DeliveryName", "DeploymentName", "EvaluationName", "ModelName", "Reference", "Selector"),
        *("VersionName", "WebhookName"),
    ],
    "resources": ["Alias", "Deployment", "File", "Model", "Namespace", "Version", "VersionState", "Webhook"],
    "answers": [
        "Best",
        "Comparison",
        *("Delivery", "DeliveryState"),
        "Difference",
        "Evaluation",
        "Event",
        "Lineage",
        "LineageEdge",
        "LineageNode",
        "NotCompared",
        "Progress",
        "Promotion",
        "PulledModel",
        "Registration",
        "Resolution",
        "Rollout",
        "Rule",
        "Section",
        "Status",
        "WebhookTest",
        "Usage",
    ],
    "facts": [
        *("Dataset", "DatasetRole", "Direction", "Environment", "Facts", "Fingerprint", "Framework"),
        *("LineageRelation", "Param", "Parent", "Relation", "Run", "Signature", "Slice", "Source"),
    ],
    "errors": [
        *(
            "AlreadyExistsError",
            "BadAnswerError",
            "CacheError",
            "ConflictError",
            "DeadlineExceededError",
            "FailedPreconditionError",
        ),
        *("FieldViolation", "InvalidArgumentError", "ModelyardError", "NotFoundError", "OutOfRangeError"),
        *("PermissionDeniedError", "PreconditionViolation", "ResourceExhaustedError", "ServerError"),
        *("UnauthenticatedError", "UnavailableError", "VerificationError"),
    ],
    "warnings": [
        *("DeprecatedVersionWarning", "FactsWarning", "FilesWarning", "ServingWarning", "SkippedVersionWarning"),
        *("StaleModelWarning", "UnknownFieldWarning"),
        "WaitingWarning",
    ],
}


def in_fresh_process(script: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_the_public_names_are_the_documented_ones() -> None:
    assert sorted(modelyard.__all__) == sorted(name for names in DOCUMENTED.values() for name in names)
    assert dir(modelyard) == sorted(modelyard.__all__)


def test_every_public_name_is_there() -> None:
    for name in modelyard.__all__:
        assert getattr(modelyard, name) is not None


def test_a_misspelt_name_is_an_attribute_error() -> None:
    assert not hasattr(modelyard, "pusch")


def test_import_loads_no_grpc_and_no_protobuf() -> None:
    in_fresh_process("""
        import sys
        import modelyard
        assert modelyard.NotFoundError and modelyard.Version and modelyard.Reference
        assert not {"grpc", "google.protobuf", "asyncio"} & set(sys.modules), sorted(sys.modules)
    """)


def test_the_core_runs_on_the_standard_library_alone() -> None:
    source = str(Path(modelyard.__file__).parents[1])
    modules = ("facts", "limits", "manifest", "names", "references", "times")
    lines = [f"import sys; sys.path.append({source!r})", *(f"import modelyard.core.{name}" for name in modules)]
    without_packages = (sys.executable, "-I", "-S", "-W", "error", "-c", "\n".join(lines))
    subprocess.run(without_packages, check=True, timeout=60)


def test_the_functions_load_what_they_need() -> None:
    in_fresh_process("""
        import modelyard
        verbs = (modelyard.push, modelyard.pull, modelyard.resolve, modelyard.watch, modelyard.promote)
        assert all(map(callable, verbs))
    """)
