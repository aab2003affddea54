"""The asynchronous client. The synchronous one is generated from it: run ``make protos`` after a change."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from modelyard import _config, _convert, _convert_consumers, _naming
from modelyard._cache import Cache
from modelyard._connection import Connection
from modelyard._deployments import AsyncDeployments
from modelyard._facts import describe
from modelyard._messages import Page, field_mask, fill, items, request_id
from modelyard._pull import Pull
from modelyard._push import Push
from modelyard._registration import default_instance
from modelyard._serving import AsyncServing
from modelyard._transfer.local_files import collect
from modelyard._unset import UNSET, Unset
from modelyard._watch import Watch
from modelyard._webhooks import AsyncWebhooks
from modelyard.core.facts import Dataset, DatasetRole, Direction, Environment, Framework, Parent, Run, Signature, Source
from modelyard.core.limits import DEFAULT_DEPLOYMENT_TTL, DEFAULT_LINEAGE_DEPTH, MAX_DEPLOYMENT_TTL, MIN_DEPLOYMENT_TTL
from modelyard.core.names import DEFAULT_NAMESPACE, AliasName, EvaluationName, ModelName, VersionName
from modelyard.core.references import Reference, Selector
from modelyard.errors import FieldViolation, InvalidArgumentError
from modelyard.types import (
    Alias,
    Comparison,
    Evaluation,
    Event,
    Lineage,
    Model,
    Namespace,
    Progress,
    PulledModel,
    Resolution,
    Usage,
    Version,
)
from modelyard.v1 import deployments_pb2, evaluations_pb2, events_pb2, lineage_pb2
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1 import resources_pb2 as resources
from modelyard.wire import DIRECTIONS, dataset_to_proto


class AsyncClient:
    """A registry, for programs that run an event loop. Nothing is opened before the first call.

    It belongs to the loop that makes the first call.

    Models are named as ``team/fraud``, versions as ``team/fraud@7``; names that the client handed out are taken as they
    are. With an ``etag`` a change is made only if the resource still carries it, else ``ConflictError``. Each change
    takes effect once, however often the network makes it be tried.

    >>> async with AsyncClient("grpcs://registry:443") as yard:
    ...     version = await yard.push("team/fraud", "out/", metrics={"auc": 0.93}, alias="candidate")
    ...     async for version in yard.list_versions("team/fraud"):
    ...         print(version.number, version.metrics)
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        insecure: bool = False,
        cache_dir: str | os.PathLike[str] | None = None,
        cache_bytes: int | None = None,
    ) -> None:
        """What is not given comes from the environment, see :mod:`modelyard._config`.

        ``url`` is ``grpc://host:port``, ``grpcs://host:port`` for TLS, or a gRPC target such as ``dns:///host:port``.
        ``insecure`` allows plaintext to another machine. ``cache_bytes`` bounds what pulled models take on disk.
        """
        self._endpoint = _config.endpoint(url, token=token, insecure=insecure)
        self._connection = Connection(self._endpoint)
        self._cache_dir = cache_dir
        self._cache_bytes = _config.cache_bytes(cache_bytes)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint.server!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the calls under way and the connections to the registry."""
        await self._connection.close()

    async def push(
        self,
        model: str | ModelName,
        files: str | os.PathLike[str],
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        datasets: Mapping[str, str | Dataset] | Sequence[Dataset] | None = None,
        alias: str | Sequence[str] | None = None,
        description: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        source: Source | None = None,
        environment: Environment | None = None,
        framework: str | Framework | None = None,
        format: str = "",  # noqa: A002 - the name that the field has everywhere
        signature: Signature | None = None,
        parents: Sequence[Parent] = (),
        run: Run | None = None,
        if_changed: bool = False,
        capture: bool = True,
        progress: Callable[[Progress], None] | None = None,
    ) -> Version:
        """Commits a file or a folder, with what is known about it, as the model's next version.

        Nothing is visible unless all of it is stored and verified; pushed again after a failure, it goes on where it
        was. The namespace and the model are created if they are missing.

        Args:
            model: As ``team/fraud``.
            files: A file, or a folder with all that is in it.
            params: Text, 64-bit integers, finite floats and truth values, kept with their types.
            metrics: Finite numbers.
            datasets: Names to addresses, where ``train``, ``valid`` and ``test`` name roles, or ``Dataset`` records.
            alias: One or several aliases to point at the new version in the same step.
            description: Markdown.
            labels: For selecting.
            annotations: For machines.
            source: The code; found out where not given.
            environment: The machine and its packages; found out where not given.
            framework: As ``torch`` or ``torch==2.9.0``.
            format: How the files are laid out, as ``safetensors``.
            signature: JSON Schemas of inputs and outputs.
            parents: What it was made from; each may be given by any reference, and is pinned to what that means now.
            run: The run in an experiment tracker.
            if_changed: If the newest version has the same files, answer that one and change nothing but the aliases.
            capture: Whether to find out source and environment: git, packages, machine and job, never secrets.
            progress: Told how far it is.

        Raises:
            InvalidArgumentError: Something given is wrong; all of it is told, and nothing was sent.
            ConflictError: A file was written to meanwhile, or an alias moved.
            ModelyardError: Anything else that the registry refuses.
        """
        violations: list[FieldViolation] = []
        with _collecting(violations):
            name = _naming.model_name(model)
        with _collecting(violations):
            described = describe(
                params=params,
                metrics=metrics,
                datasets=datasets,
                alias=alias,
                description=description,
                labels=labels,
                annotations=annotations,
                source=source,
                environment=environment,
                framework=framework,
                format=format,
                signature=signature,
                parents=parents,
                run=run,
            )
        with _collecting(violations):
            found = await asyncio.to_thread(collect, Path(files))
        if violations:
            raise InvalidArgumentError(violations)
        return await Push(
            connection=self._connection,
            model=name,
            files=found,
            described=described,
            if_changed=if_changed,
            capture=capture,
            state_dir=_config.cache_dir(self._cache_dir),
            progress=progress,
        ).run()

    async def pull(
        self,
        reference: str | VersionName,
        target: str | os.PathLike[str] | None = None,
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> PulledModel:
        """Brings the files of a version to this machine, and verifies every byte.

        They are kept in a cache that all processes of this user share: what is there does not travel again, and a
        version that is named by its digest needs no registry at all. If the registry can't be reached, the last version
        that the reference was known to mean is used, with a ``StaleModelWarning``.

        Args:
            reference: As ``team/fraud@production``, ``team/fraud@7``, ``team/fraud@sha256:…``, ``team/fraud@latest``,
                or ``team/fraud``: what is in production if anything is, else the latest.
            target: A folder of your own to put the files into. Without one they are read from the cache.
            progress: Told how far it is.

        Raises:
            NotFoundError: The reference means nothing.
            FailedPreconditionError: The version is quarantined.
            VerificationError: What the registry sent is not what the version's digest says; nothing was kept.
            UnavailableError: The registry can't be reached, and the reference was never pulled before.
        """
        return await Pull(
            connection=self._connection,
            cache=self._cache,
            reference=_naming.reference(reference),
            target=Path(target) if target is not None else None,
            progress=progress,
        ).run()

    async def resolve(self, reference: str | VersionName) -> Resolution:
        """What a reference means now, and by which rule. Raises ``NotFoundError`` if it means nothing."""
        text = str(_naming.reference(reference))
        request = pb.ResolveVersionRequest(reference=text)
        return _convert.resolution(text, await self._connection.call(self._connection.registry.ResolveVersion, request))

    async def compare_versions(self, base: str | VersionName, other: str | VersionName) -> Comparison:
        """What is different between two versions, each given by any reference: facts, packages, files.

        >>> comparison = await yard.compare_versions("team/fraud@production", "team/fraud@latest")
        """
        names = [await self._named(reference) for reference in (base, other)]
        request = pb.CompareVersionsRequest(base=names[0], other=names[1])
        return _convert.comparison(await self._connection.call(self._connection.registry.CompareVersions, request))

    async def evaluate(
        self,
        version: str | VersionName,
        dataset: str | Dataset,
        metrics: Mapping[str, float],
        *,
        directions: Mapping[str, Direction] | None = None,
        slices: Mapping[str, Mapping[str, float]] | None = None,
        harness: str = "",
        supersedes: EvaluationName | None = None,
    ) -> Evaluation:
        """Adds what a version was measured to be. Others find it as ``evaluations.test-2026.auc``.

        >>> await yard.evaluate("team/fraud@7", "test-2026", {"auc": 0.91}, harness="nightly")

        Args:
            version: As ``team/fraud@7``; what it means is evaluated, and pinned.
            dataset: What it was measured on: a name, or a record.
            metrics: Finite numbers.
            directions: Which way metrics are better.
            slices: Metrics of parts of the data, by their names.
            harness: What measured it.
            supersedes: The evaluation of the same version that this one corrects.

        Raises:
            FailedPreconditionError: The version is not READY, or what is corrected was corrected already.
        """
        name = (await self.resolve(version)).version.name
        record = Dataset(name=dataset, role=DatasetRole.TEST) if isinstance(dataset, str) else dataset
        with _naming.as_given("metrics"):
            message = resources.Evaluation(
                dataset=dataset_to_proto(record),
                metrics=metrics,
                directions={metric: DIRECTIONS.to_proto(direction) for metric, direction in (directions or {}).items()},
                slices=[
                    resources.Evaluation.Slice(name=part, metrics=values) for part, values in (slices or {}).items()
                ],
                harness=harness,
                supersedes=str(supersedes) if supersedes is not None else "",
            )
        request = evaluations_pb2.CreateEvaluationRequest(parent=str(name), evaluation=message, request_id=request_id())
        call = self._connection.evaluations.CreateEvaluation
        return _convert.evaluation(await self._connection.call(call, request))

    def list_evaluations(self, version: str | VersionName) -> AsyncIterator[Evaluation]:
        """The evaluations of a version, newest first, those that were corrected included."""
        parent = str(_naming.version_name(version))

        async def fetch(token: str) -> Page[resources.Evaluation]:
            request = evaluations_pb2.ListEvaluationsRequest(parent=parent, page_token=token)
            page = await self._connection.call(self._connection.evaluations.ListEvaluations, request)
            return page.evaluations, page.next_page_token

        return items(fetch, _convert.evaluation)

    async def usage(self, version: str | VersionName) -> Usage:
        """How a version, given by any reference, is used: downloads, the last use, and how many serve it."""
        request = deployments_pb2.GetUsageRequest(name=await self._named(version))
        return _convert_consumers.usage(await self._connection.call(self._connection.deployments.GetUsage, request))

    def serving(
        self, service: str, *, environment: str = "", instance: str | None = None, ttl: float = DEFAULT_DEPLOYMENT_TTL
    ) -> AsyncServing:
        """A consumer that tells the registry what it serves, for as long as it is open, and never gets in its way.

        >>> async with yard.serving("fraud-api", environment="production") as serving:
        ...     async for model in yard.watch("team/fraud@production", serving=serving):
        ...         holder.swap(load(model.path))

        Args:
            service: What it is, as ``fraud-api``.
            environment: Where it runs, as ``production``.
            instance: Which of several alike; host name and process id, if not given.
            ttl: Seconds after which it counts as gone if nothing is heard of it, from 10 to 30 days.
        """
        if not service:
            raise _naming.invalid("service", "is required")
        if (
            not MIN_DEPLOYMENT_TTL <= ttl <= MAX_DEPLOYMENT_TTL
        ):  # heartbeats come at a third of it, whatever the registry says
            raise _naming.invalid("ttl", f"{ttl:g} seconds is not between 10 seconds and 30 days")
        return AsyncServing(
            connection=self._connection,
            cache=lambda: self._cache,
            resolve=self.resolve,
            service=service,
            environment=environment,
            instance=default_instance() if instance is None else instance,
            ttl=ttl,
        )

    async def lineage(
        self,
        version: str | VersionName | None = None,
        *,
        downstream: bool = False,
        dataset: str | None = None,
        commit: str | None = None,
        run: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        depth: int = DEFAULT_LINEAGE_DEPTH,
    ) -> Lineage:
        """What a version was made from, or what was made from it, over any number of versions between.

        >>> affected = (await yard.lineage(dataset="sales-2025")).versions

        Args:
            version: As ``team/fraud@7``; any reference.
            downstream: What was made from the version, instead of what it was made from.
            dataset: Instead of a version: the name, digest or URI of a data set, for all that was made from it.
            commit: The same for a commit of the source.
            run: The same for the id of a run.
            namespace: Where a data set, commit or run is looked for.
            depth: Steps from version to version.
        """
        origins = {"version": version, "dataset": dataset, "commit": commit, "run": run}
        given = {name: value for name, value in origins.items() if value is not None}
        if len(given) != 1:
            raise _naming.invalid("version", "give a version, or one of dataset, commit and run")
        ((kind, value),) = given.items()
        request = lineage_pb2.QueryLineageRequest(depth=depth)
        request.direction = _DOWNSTREAM if downstream or kind != "version" else _UPSTREAM
        if kind == "version":
            assert version is not None
            request.version = await self._named(version)
            namespace = _naming.reference(version).model.namespace
        else:
            setattr(request, kind, value)
        request.parent = str(_naming.namespace_name(namespace))
        return _convert.lineage(await self._connection.call(self._connection.lineage.QueryLineage, request))

    async def _named(self, reference: str | VersionName) -> str:
        """The name of what a reference means, for calls that know no references."""
        parsed = _naming.reference(reference)
        match parsed.selector:
            case Selector.NUMBER:
                return str(parsed.model.version(int(parsed.value)))
            case Selector.ALIAS:
                return f"{parsed.model}/versions/{parsed.value}"
            case _:
                return str((await self.resolve(str(parsed))).version.name)

    async def create_namespace(
        self,
        namespace: str,
        *,
        display_name: str = "",
        description: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Namespace:
        """Creates a namespace. Raises ``AlreadyExistsError`` if the id is taken."""
        message = resources.Namespace()
        fill(message, display_name=display_name, description=description, labels=labels, annotations=annotations)
        request = pb.CreateNamespaceRequest(
            namespace_id=_naming.namespace_name(namespace).namespace, namespace=message, request_id=request_id()
        )
        return _convert.namespace(await self._connection.call(self._connection.registry.CreateNamespace, request))

    async def get_namespace(self, namespace: str) -> Namespace:
        """One namespace."""
        request = pb.GetNamespaceRequest(name=str(_naming.namespace_name(namespace)))
        return _convert.namespace(await self._connection.call(self._connection.registry.GetNamespace, request))

    def list_namespaces(self) -> AsyncIterator[Namespace]:
        """All namespaces, by id; fetched page by page as they are asked for."""

        async def fetch(token: str) -> Page[resources.Namespace]:
            request = pb.ListNamespacesRequest(page_token=token)
            page = await self._connection.call(self._connection.registry.ListNamespaces, request)
            return page.namespaces, page.next_page_token

        return items(fetch, _convert.namespace)

    async def update_namespace(
        self,
        namespace: str,
        *,
        display_name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Namespace:
        """Changes the given fields and no others; a mapping is replaced as a whole."""
        message = resources.Namespace(name=str(_naming.namespace_name(namespace)), etag=etag or "")
        mask = fill(message, display_name=display_name, description=description, labels=labels, annotations=annotations)
        request = pb.UpdateNamespaceRequest(namespace=message, update_mask=field_mask(mask), request_id=request_id())
        return _convert.namespace(await self._connection.call(self._connection.registry.UpdateNamespace, request))

    async def create_model(
        self,
        model: str | ModelName,
        *,
        display_name: str = "",
        description: str = "",
        owner: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Model:
        """Creates a model without versions. Raises ``AlreadyExistsError`` if the id is taken, also by a deleted one."""
        name = _naming.model_name(model)
        message = resources.Model()
        fill(
            message,
            display_name=display_name,
            description=description,
            owner=owner,
            labels=labels,
            annotations=annotations,
        )
        request = pb.CreateModelRequest(
            parent=str(_naming.namespace_name(name.namespace)),
            model_id=name.model,
            model=message,
            request_id=request_id(),
        )
        return _convert.model(await self._connection.call(self._connection.registry.CreateModel, request))

    async def get_model(self, model: str | ModelName) -> Model:
        """One model, also a deleted one."""
        request = pb.GetModelRequest(name=str(_naming.model_name(model)))
        return _convert.model(await self._connection.call(self._connection.registry.GetModel, request))

    def list_models(
        self,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        order_by: str = "",
        show_deleted: bool = False,
    ) -> AsyncIterator[Model]:
        """The models of a namespace; fetched page by page as they are asked for.

        Args:
            namespace: As ``team``.
            filter: Which ones, as ``labels.tier = gold AND alias:production``.
            order_by: ``id``, ``create_time`` or ``update_time``, each with ``desc`` for the other way round.
            show_deleted: With those that can be restored.
        """
        parent = str(_naming.namespace_name(namespace))

        async def fetch(token: str) -> Page[resources.Model]:
            request = pb.ListModelsRequest(
                parent=parent, filter=filter, order_by=order_by, show_deleted=show_deleted, page_token=token
            )
            page = await self._connection.call(self._connection.registry.ListModels, request)
            return page.models, page.next_page_token

        return items(fetch, _convert.model)

    async def search_models(
        self, query: str, namespace: str = DEFAULT_NAMESPACE, *, limit: int = 50
    ) -> Sequence[Model]:
        """The models that some words describe best, the best first.

        Each word must begin a word of the id, the display name, the description or a label.
        """
        request = pb.SearchModelsRequest(parent=str(_naming.namespace_name(namespace)), query=query, page_size=limit)
        found = await self._connection.call(self._connection.registry.SearchModels, request)
        return [_convert.model(message) for message in found.models]

    async def update_model(
        self,
        model: str | ModelName,
        *,
        display_name: str | Unset = UNSET,
        description: str | Unset = UNSET,
        owner: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Model:
        """Changes the given fields and no others; a mapping is replaced as a whole."""
        message = resources.Model(name=str(_naming.model_name(model)), etag=etag or "")
        mask = fill(
            message,
            display_name=display_name,
            description=description,
            owner=owner,
            labels=labels,
            annotations=annotations,
        )
        request = pb.UpdateModelRequest(model=message, update_mask=field_mask(mask), request_id=request_id())
        return _convert.model(await self._connection.call(self._connection.registry.UpdateModel, request))

    async def delete_model(self, model: str | ModelName, *, force: bool = False, etag: str | None = None) -> Model:
        """Hides a model with its versions and aliases until it is restored or purged.

        Raises ``FailedPreconditionError`` if it has versions, unless ``force`` is set, and while one of them is served.
        """
        request = pb.DeleteModelRequest(
            name=str(_naming.model_name(model)), force=force, etag=etag or "", request_id=request_id()
        )
        return _convert.model(await self._connection.call(self._connection.registry.DeleteModel, request))

    async def undelete_model(self, model: str | ModelName, *, etag: str | None = None) -> Model:
        """Restores a deleted model with its versions and aliases as they were."""
        request = pb.UndeleteModelRequest(name=str(_naming.model_name(model)), etag=etag or "", request_id=request_id())
        return _convert.model(await self._connection.call(self._connection.registry.UndeleteModel, request))

    async def get_version(self, version: str | VersionName) -> Version:
        """One version with its files, by any reference; by its number, also a deleted one."""
        reference = _naming.reference(version, "version")
        if reference.selector not in {Selector.NUMBER, Selector.ALIAS}:
            return (await self.resolve(version)).version
        request = pb.GetVersionRequest(name=f"{reference.model}/versions/{reference.value}")
        return _convert.version(await self._connection.call(self._connection.registry.GetVersion, request))

    def list_versions(
        self,
        model: str | ModelName,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        order_by: str = "",
        show_deleted: bool = False,
    ) -> AsyncIterator[Version]:
        """The versions of a model without their files; fetched page by page as they are asked for.

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Which ones, as ``metrics.auc > 0.9 AND params.optimizer = adam AND create_time > now-7d``.
            order_by: ``metrics.auc desc`` for the best first, also ``params.*``, ``create_time``, ``number``. Newest
                first without it.
            show_deleted: With those that can be restored.
        """
        parent = _naming.models_parent(model)

        async def fetch(token: str) -> Page[resources.Version]:
            request = pb.ListVersionsRequest(
                parent=parent, filter=filter, order_by=order_by, show_deleted=show_deleted, page_token=token
            )
            page = await self._connection.call(self._connection.registry.ListVersions, request)
            return page.versions, page.next_page_token

        return items(fetch, _convert.version)

    async def update_version(
        self,
        version: str | VersionName,
        *,
        description: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Version:
        """Changes the given fields and no others; a mapping is replaced as a whole. All else of a version is frozen."""
        message = resources.Version(name=str(_naming.version_name(version)), etag=etag or "")
        mask = fill(message, description=description, labels=labels, annotations=annotations)
        request = pb.UpdateVersionRequest(version=message, update_mask=field_mask(mask), request_id=request_id())
        return _convert.version(await self._connection.call(self._connection.registry.UpdateVersion, request))

    async def deprecate_version(self, version: str | VersionName, reason: str, *, etag: str | None = None) -> Version:
        """Tells everyone who pulls a version why not to, and what to use instead. It is still served."""
        request = pb.DeprecateVersionRequest(
            name=str(_naming.version_name(version)), reason=reason, etag=etag or "", request_id=request_id()
        )
        return _convert.version(await self._connection.call(self._connection.registry.DeprecateVersion, request))

    async def delete_version(self, version: str | VersionName, *, etag: str | None = None) -> Version:
        """Hides a version until it is restored or purged.

        Raises ``FailedPreconditionError`` while an alias points at it, or something serves it or was made from it.
        """
        request = pb.DeleteVersionRequest(
            name=str(_naming.version_name(version)), etag=etag or "", request_id=request_id()
        )
        return _convert.version(await self._connection.call(self._connection.registry.DeleteVersion, request))

    async def undelete_version(self, version: str | VersionName, *, etag: str | None = None) -> Version:
        """Restores a deleted version to the state that it had."""
        request = pb.UndeleteVersionRequest(
            name=str(_naming.version_name(version)), etag=etag or "", request_id=request_id()
        )
        return _convert.version(await self._connection.call(self._connection.registry.UndeleteVersion, request))

    async def get_alias(self, model: str | ModelName, alias: str, *, at: datetime | None = None) -> Alias:
        """One alias, as it is or as it was at a time. Raises ``NotFoundError`` if it was not set then.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            at: An aware time, or one in this machine's time zone.
        """
        request = pb.GetAliasRequest(name=str(_naming.alias_name(model, alias)))
        if at is not None:
            request.time.FromDatetime(at.astimezone(UTC))
        return _convert.alias(await self._connection.call(self._connection.registry.GetAlias, request))

    def list_aliases(self, model: str | ModelName) -> AsyncIterator[Alias]:
        """The aliases of a model, by id; fetched page by page as they are asked for."""
        parent = str(_naming.model_name(model))

        async def fetch(token: str) -> Page[resources.Alias]:
            request = pb.ListAliasesRequest(parent=parent, page_token=token)
            page = await self._connection.call(self._connection.registry.ListAliases, request)
            return page.aliases, page.next_page_token

        return items(fetch, _convert.alias)

    async def set_alias(
        self,
        model: str | ModelName,
        alias: str,
        version: int | str | VersionName,
        *,
        etag: str | None = None,
        create_only: bool = False,
        expected_digest: str | None = None,
        reason: str = "",
    ) -> Alias:
        """Points an alias at a version, and creates it if need be.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            version: Its number, or any reference to a version of this model, which is resolved first and then pinned.
            etag: Only if the alias still carries it.
            create_only: Only if the alias does not exist yet.
            expected_digest: Only if the version has this manifest digest.
            reason: Why; kept in the log.

        Raises:
            ConflictError: Someone else moved or created the alias.
            FailedPreconditionError: The version has another digest, or can't be pointed at.
        """
        name = _naming.alias_name(model, alias)
        wanted = name.model.version(version) if isinstance(version, int) else version
        reference = _naming.reference(wanted, "version")
        if reference.model != name.model:
            raise _naming.invalid("version", f"{str(reference)!r} is no version of the model {model!s}")
        number, digest = reference.value, expected_digest or ""
        if reference.selector is not Selector.NUMBER:
            found = (await self.resolve(str(reference))).version
            number, digest = str(found.number), digest or found.digest
        request = pb.SetAliasRequest(
            alias=resources.Alias(name=str(name), version=f"{name.model}/versions/{number}", etag=etag or ""),
            create_only=create_only,
            expected_manifest_digest=digest,
            reason=reason,
            request_id=request_id(),
        )
        return _convert.alias(await self._connection.call(self._connection.registry.SetAlias, request))

    async def rollback_alias(
        self, model: str | ModelName, alias: str, *, etag: str | None = None, reason: str = ""
    ) -> Alias:
        """Points an alias back at what it pointed at before its last move; again, at what was before that.

        Raises:
            ConflictError: Someone else moved the alias.
            FailedPreconditionError: There is nothing to go back to, or it can't be used any more.
        """
        request = pb.RollbackAliasRequest(
            name=str(_naming.alias_name(model, alias)), etag=etag or "", reason=reason, request_id=request_id()
        )
        return _convert.alias(await self._connection.call(self._connection.registry.RollbackAlias, request))

    async def delete_alias(
        self, model: str | ModelName, alias: str, *, etag: str | None = None, reason: str = ""
    ) -> Alias:
        """Removes an alias, and answers it as it was. The version stays."""
        request = pb.DeleteAliasRequest(
            name=str(_naming.alias_name(model, alias)), etag=etag or "", reason=reason, request_id=request_id()
        )
        return _convert.alias(await self._connection.call(self._connection.registry.DeleteAlias, request))

    def list_events(
        self,
        what: str | ModelName | VersionName | AliasName = DEFAULT_NAMESPACE,
        *,
        filter: str = "",  # noqa: A002 - the name that the field has everywhere
        newest_first: bool = False,
    ) -> AsyncIterator[Event]:
        """What happened, in order; fetched page by page as it is asked for.

        Args:
            what: A namespace as ``team``, a model with all that is in it as ``team/fraud``, a version as
                ``team/fraud@7``, or an alias as ``team/fraud@production``.
            filter: Which events, as ``type = "alias.*" AND actor = anna AND time > now-30d``.
            newest_first: The other way round.
        """
        parent, order_by = _naming.place(what), "revision desc" if newest_first else ""

        async def fetch(token: str) -> Page[events_pb2.Event]:
            request = events_pb2.ListEventsRequest(parent=parent, filter=filter, order_by=order_by, page_token=token)
            page = await self._connection.call(self._connection.events.ListEvents, request)
            return page.events, page.next_page_token

        return items(fetch, _convert.event)

    def watch(
        self,
        reference: str | VersionName,
        *,
        serving: AsyncServing | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> AsyncIterator[PulledModel]:
        """What a reference means now, then each version that it comes to mean, pulled and verified. Never ends.

        No promotion is missed and none is told twice, whatever becomes of the connection or the registry meanwhile. If
        the registry can't be reached at first, the last version that the reference was known to mean comes first, with
        a ``StaleModelWarning``. A version that can't be used is skipped with a ``SkippedVersionWarning``.

        >>> async for model in yard.watch("team/fraud@production"):
        ...     holder.swap(load(model.path))

        Args:
            reference: As ``team/fraud@production``.
            serving: Where to say that a model is served, once the next one is asked for: the program is done with it.
            progress: Told how far each pull is.

        Raises:
            NotFoundError: The reference means nothing at first.
            VerificationError: What the registry sent is not what a version's digest says.
            UnavailableError: The registry can't be reached, and the reference was never pulled before.
        """
        watched = _naming.reference(reference)

        async def pull(wanted: Reference) -> PulledModel:
            return await Pull(
                connection=self._connection,
                cache=self._cache,
                reference=wanted,
                target=None,
                progress=progress,
                meant_by=watched,
            ).run()

        models = Watch(connection=self._connection, reference=watched, pull=pull).models()
        return models if serving is None else serving.acknowledging(models)

    @cached_property
    def deployments(self) -> AsyncDeployments:
        """Who serves what."""
        return AsyncDeployments(self._connection, self.resolve)

    @cached_property
    def webhooks(self) -> AsyncWebhooks:
        """Who is told of events."""
        return AsyncWebhooks(self._connection)

    @cached_property
    def _cache(self) -> Cache:
        return Cache(_config.cache_dir(self._cache_dir), self._cache_bytes)


_UPSTREAM = lineage_pb2.QueryLineageRequest.DIRECTION_UPSTREAM
_DOWNSTREAM = lineage_pb2.QueryLineageRequest.DIRECTION_DOWNSTREAM


@contextmanager
def _collecting(violations: list[FieldViolation]) -> Iterator[None]:
    """Adds what an ``InvalidArgumentError`` says to ``violations`` instead of raising it: all are told at once."""
    try:
        yield
    except InvalidArgumentError as error:
        violations += error.violations
