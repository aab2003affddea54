"""DeploymentsService: parse, one service call, render."""

from modelyard.core.manifest import check_digest
from modelyard.core.names import AliasName, DeploymentName, ModelName, VersionName, parse_version_or_alias
from modelyard.core.references import Reference
from modelyard.v1 import deployments_pb2 as rpc
from modelyard.v1 import resources_pb2 as pb
from modelyard_server.calls import parsing, validation
from modelyard_server.calls.call import Call
from modelyard_server.calls.errors import FieldViolation
from modelyard_server.calls.limits import Limits
from modelyard_server.calls.parsing import Collector
from modelyard_server.deployments import rules
from modelyard_server.deployments.fields import FIELDS
from modelyard_server.deployments.messages import deployment_message, rollout_message, usage_message
from modelyard_server.deployments.service import Deployments, Heartbeat, Registration
from modelyard_server.deployments.values import DeploymentListing
from modelyard_server.query import requests
from modelyard_server.query.requests import Lists
from modelyard_server.registry.versions.parsing import models_parent


class DeploymentsServicer:
    """Answers DeploymentsService."""

    def __init__(self, deployments: Deployments, lists: Lists, limits: Limits) -> None:
        self._deployments = deployments
        self._lists = lists
        self._limits = limits

    async def RegisterDeployment(
        self, request: rpc.RegisterDeploymentRequest, call: Call
    ) -> rpc.RegisterDeploymentResponse:
        collector = Collector()
        registration = self._registration(request, collector)
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        assert registration is not None
        registered = await self._deployments.register(attempt, registration)
        return rpc.RegisterDeploymentResponse(deployment=deployment_message(registered), lease=registered.lease)

    def _registration(self, request: rpc.RegisterDeploymentRequest, collector: Collector) -> Registration | None:
        given = request.deployment
        parent = collector.parse("parent", ModelName.parse, request.parent)
        version = collector.parse("deployment.version", VersionName.parse, given.version)
        consumer = {"service": given.service, "environment": given.environment, "instance": given.instance}
        collector.add(rules.consumer("deployment", **consumer, limits=self._limits))
        digest = collector.optional("deployment.observed_digest", check_digest, given.observed_digest)
        reference = collector.optional("deployment.reference", Reference.parse, given.reference)
        for field, named in (("version", version), ("reference", reference)):
            if parent is not None and named is not None and named.model != parent:
                text = (
                    f"{named} is not a version or alias of {parent}. Register a consumer with the model that it serves."
                )
                collector.add([FieldViolation(f"deployment.{field}", text)])
        ttl = self._limits.deployment_ttl
        if request.HasField("ttl"):
            ttl = request.ttl.seconds + request.ttl.nanos / 1e9
            collector.add(rules.ttl("ttl", ttl, self._limits))
        if version is None:
            return None
        # Store references in canonical form, so that a rollout finds the deployments that follow an alias.
        canonical = str(reference) if reference is not None else ""
        return Registration(**consumer, version=version, observed_digest=digest or "", reference=canonical, ttl=ttl)

    async def HeartbeatDeployment(self, request: rpc.HeartbeatDeploymentRequest, call: Call) -> pb.Deployment:
        collector = Collector()
        name = collector.parse("name", DeploymentName.parse, request.name)
        collector.require("lease", request.lease)
        version = collector.optional("version", VersionName.parse, request.version)
        if name is not None and version is not None and version.model != name.model:
            collector.add([FieldViolation("version", f"{version} is not a version of {name.model}")])
        digest = collector.optional("observed_digest", check_digest, request.observed_digest)
        attempt = parsing.attempt(call, request, collector)
        collector.raise_any()
        assert name is not None
        beat = Heartbeat(name=name, lease=request.lease, version=version, observed_digest=digest or "")
        return deployment_message(await self._deployments.heartbeat(attempt, beat))

    async def DeleteDeployment(self, request: rpc.DeleteDeploymentRequest, call: Call) -> pb.Deployment:
        name, attempt = parsing.change(call, request, "name", DeploymentName.parse, request.name)
        ended = await self._deployments.delete(attempt, name, etag=request.etag, lease=request.lease)
        return deployment_message(ended)

    async def GetDeployment(self, request: rpc.GetDeploymentRequest, call: Call) -> pb.Deployment:
        name = parsing.one("name", DeploymentName.parse, request.name)
        return deployment_message(await self._deployments.get(call.caller, name))

    async def ListDeployments(self, request: rpc.ListDeploymentsRequest, call: Call) -> rpc.ListDeploymentsResponse:
        now = self._deployments.mutations.clock()
        collector = Collector()
        parent = collector.parse("parent", models_parent, request.parent)
        where = requests.where(request.filter, FIELDS, now, collector)
        query = self._lists.query(request, collector)
        assert parent is not None
        after = query.after_key
        listing = DeploymentListing(now=now, where=where, after=after, size=query.size)
        page = await self._deployments.page(call.caller, parent, listing)
        deployments, token = await self._lists.answer(query, page, deployment_message)
        return rpc.ListDeploymentsResponse(deployments=deployments, next_page_token=token)

    async def GetRollout(self, request: rpc.GetRolloutRequest, call: Call) -> rpc.Rollout:
        collector = Collector()
        name = collector.parse("name", AliasName.parse, request.name)
        collector.add(validation.text("environment", request.environment, max_bytes=self._limits.consumer_bytes))
        collector.raise_any()
        assert name is not None
        return rollout_message(await self._deployments.rollout(call.caller, name, environment=request.environment))

    async def GetUsage(self, request: rpc.GetUsageRequest, call: Call) -> rpc.Usage:
        name = parsing.one("name", parse_version_or_alias, request.name)
        return usage_message(await self._deployments.usage(call.caller, name))
