"""The synchronous client: the asynchronous one on a private event loop. Generated from it by ``make protos``."""

# ruff: noqa: A002 - the field is called format everywhere
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from modelyard import _loop
from modelyard._caller import on_caller
from modelyard._client import AsyncClient
from modelyard._deployments import AsyncDeployments
from modelyard._serving_sync import Serving, asynchronous
from modelyard._unset import UNSET, Unset
from modelyard._webhooks import AsyncWebhooks
from modelyard.core.facts import Dataset, Direction, Environment, Framework, Parent, Run, Signature, Source
from modelyard.core.limits import DEFAULT_DEPLOYMENT_TTL, DEFAULT_LINEAGE_DEPTH
from modelyard.core.names import (
    DEFAULT_NAMESPACE,
    AliasName,
    DeliveryName,
    DeploymentName,
    EvaluationName,
    ModelName,
    VersionName,
    WebhookName,
)
from modelyard.types import (
    Alias,
    Comparison,
    Delivery,
    DeliveryState,
    Deployment,
    Evaluation,
    Event,
    Lineage,
    Model,
    Namespace,
    Progress,
    PulledModel,
    Registration,
    Resolution,
    Rollout,
    Usage,
    Version,
    Webhook,
    WebhookTest,
)


class Deployments:
    """Who serves what: ``client.deployments``.

    Consumers register what they have loaded, and say from time to time that they are still there;
    ``client.serving`` does all of that by itself.

    >>> for deployment in yard.deployments.list("team/fraud", filter="version = 7"):
    ...     print(deployment.service, deployment.instance)
    """

    def __init__(self, client: AsyncDeployments) -> None:
        self._client = client

    def register(
        self,
        version: str | VersionName,
        service: str,
        *,
        environment: str = "",
        instance: str = "",
        observed_digest: str = "",
        reference: str | None = None,
        ttl: float | None = None,
    ) -> Registration:
        """Says that a consumer serves a version; ``client.serving`` does this, and what must follow, by itself.

        It counts until its lease runs out, and so long the version is not deleted. The same service, environment and
        instance are one consumer: whoever registered as it before has lost the lease.

        Args:
            version: As ``team/fraud@7``; what any reference means now is registered.
            service: What serves it, as ``fraud-api``.
            environment: Where, as ``production``.
            instance: Which of several alike, as the name of a pod.
            observed_digest: Manifest digest of the files that it found on its disk, if it looked.
            reference: What it follows, as ``team/fraud@production``. If not given, ``version``, unless that is pinned.
            ttl: Seconds until the lease runs out without a heartbeat, from 10 to 30 days; 90 if not given.

        Raises:
            NotFoundError: There is no such version, or it is deleted.
            FailedPreconditionError: The version is quarantined.
        """
        return _loop.run(
            self._client.register(
                version,
                service,
                environment=environment,
                instance=instance,
                observed_digest=observed_digest,
                reference=reference,
                ttl=ttl,
            )
        )

    def heartbeat(
        self, registration: Registration, *, version: VersionName | None = None, observed_digest: str = ""
    ) -> Deployment:
        """Says that a consumer is still there, and what it serves by now if that has changed.

        Raises:
            ConflictError: Another process has registered as the same consumer.
            NotFoundError: The lease ran out; register again.
        """
        return _loop.run(self._client.heartbeat(registration, version=version, observed_digest=observed_digest))

    def delete(self, deployment: str | DeploymentName, *, etag: str | None = None, lease: str = "") -> Deployment:
        """Ends a deployment, whose consumer stops or is gone, and answers it as it was.

        With a ``lease`` only if it still is that deployment's, else ``ConflictError``.
        """
        return _loop.run(self._client.delete(deployment, etag=etag, lease=lease))

    def get(self, deployment: str | DeploymentName) -> Deployment:
        """One deployment. Raises ``NotFoundError`` if it has ended."""
        return _loop.run(self._client.get(deployment))

    def list(self, model: str | ModelName, *, filter: str = "") -> Iterator[Deployment]:
        """Who serves what now, the oldest first; fetched page by page as they are asked for.

        >>> for deployment in yard.deployments.list("team/fraud", filter="version = 7"):
        ...     print(deployment.service, deployment.instance)

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Which ones, as ``version = 7 AND environment = production``.
        """
        return _loop.iterate(self._client.list(model, filter=filter))

    def rollout(self, model: str | ModelName, alias: str, *, environment: str = "") -> Rollout:
        """Whether what runs is what an alias points at. Consumers that follow another reference are left out.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            environment: Only consumers there; all, if not given.
        """
        return _loop.run(self._client.rollout(model, alias, environment=environment))


class Webhooks:
    """The webhooks of a registry: ``client.webhooks``.

    A webhook is an HTTPS endpoint that is told of events as CloudEvents, at least once, those of a model in order.
    Its receiver checks what comes with :func:`modelyard.webhooks.verify`. Webhooks are named as ``team/deployer``.

    >>> webhook = yard.webhooks.create("team/deployer", "https://ci.example.com/modelyard", types=["alias.*"])
    >>> webhook.secret
    'whsec_…'
    """

    def __init__(self, client: AsyncWebhooks) -> None:
        self._client = client

    def create(
        self,
        webhook: str | WebhookName,
        url: str,
        *,
        types: Sequence[str] = (),
        model: str | ModelName | None = None,
        description: str = "",
        disabled: bool = False,
    ) -> Webhook:
        """Adds a webhook, and tells its secret: keep it, for only a new one is told again.

        Args:
            webhook: As ``team/deployer``.
            url: ``https://…``, on the public internet or in a network that the registry's operator allows.
            types: Types of events, as ``alias.moved`` or ``alias.*``; none for all.
            model: Only events of this model; ``fraud`` is the one in the webhook's own namespace.
            description: For people.
            disabled: Deliver nothing until it is enabled.
        """
        return _loop.run(
            self._client.create(webhook, url, types=types, model=model, description=description, disabled=disabled)
        )

    def get(self, webhook: str | WebhookName) -> Webhook:
        """One webhook, without its secret."""
        return _loop.run(self._client.get(webhook))

    def list(self, namespace: str = DEFAULT_NAMESPACE) -> Iterator[Webhook]:
        """The webhooks of a namespace, by id; fetched page by page as they are asked for."""
        return _loop.iterate(self._client.list(namespace))

    def update(
        self,
        webhook: str | WebhookName,
        *,
        url: str | Unset = UNSET,
        types: Sequence[str] | Unset = UNSET,
        model: str | ModelName | Unset | None = UNSET,
        description: str | Unset = UNSET,
        disabled: bool | Unset = UNSET,
        etag: str | None = None,
    ) -> Webhook:
        """Changes the given fields and no others. What happens while it is disabled is never delivered."""
        return _loop.run(
            self._client.update(
                webhook, url=url, types=types, model=model, description=description, disabled=disabled, etag=etag
            )
        )

    def delete(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Removes a webhook with its deliveries, for good, and answers it as it was."""
        return _loop.run(self._client.delete(webhook, etag=etag))

    def rotate_secret(self, webhook: str | WebhookName, *, etag: str | None = None) -> Webhook:
        """Gives it a new secret, and tells it. For a day deliveries are signed with the old one too."""
        return _loop.run(self._client.rotate_secret(webhook, etag=etag))

    def test(self, webhook: str | WebhookName) -> WebhookTest:
        """Posts a test event now, once, and tells what came of it."""
        return _loop.run(self._client.test(webhook))

    def deliveries(self, webhook: str | WebhookName, *, state: DeliveryState | None = None) -> Iterator[Delivery]:
        """What was sent and is to be, the newest first; what has ended is kept for a week."""
        return _loop.iterate(self._client.deliveries(webhook, state=state))

    def redeliver(self, delivery: DeliveryName) -> Delivery:
        """Sends an event again whose delivery has ended, as a delivery of its own."""
        return _loop.run(self._client.redeliver(delivery))


class Client:
    """A registry. Nothing is opened before the first call.

    It may be used from any thread and in forked children. Callbacks are called by the thread that waits.

    Models are named as ``team/fraud``, versions as ``team/fraud@7``; names that the client handed out are taken as they
    are. With an ``etag`` a change is made only if the resource still carries it, else ``ConflictError``. Each change
    takes effect once, however often the network makes it be tried.

    >>> with Client("grpcs://registry:443") as yard:
    ...     version = yard.push("team/fraud", "out/", metrics={"auc": 0.93}, alias="candidate")
    ...     for version in yard.list_versions("team/fraud"):
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
        self._client = AsyncClient(url, token=token, insecure=insecure, cache_dir=cache_dir, cache_bytes=cache_bytes)

    def __repr__(self) -> str:
        return repr(self._client).removeprefix("Async")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def deployments(self) -> Deployments:
        """Who serves what."""
        return Deployments(self._client.deployments)

    @cached_property
    def webhooks(self) -> Webhooks:
        """Who is told of events."""
        return Webhooks(self._client.webhooks)

    def close(self) -> None:
        """Ends the calls under way and the connections to the registry."""
        _loop.run(self._client.close())

    def push(
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
        format: str = "",
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
        return _loop.run(
            self._client.push(
                model,
                files,
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
                if_changed=if_changed,
                capture=capture,
                progress=on_caller(progress),
            )
        )

    def pull(
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
        return _loop.run(self._client.pull(reference, target, progress=on_caller(progress)))

    def resolve(self, reference: str | VersionName) -> Resolution:
        """What a reference means now, and by which rule. Raises ``NotFoundError`` if it means nothing."""
        return _loop.run(self._client.resolve(reference))

    def compare_versions(self, base: str | VersionName, other: str | VersionName) -> Comparison:
        """What is different between two versions, each given by any reference: facts, packages, files.

        >>> comparison = yard.compare_versions("team/fraud@production", "team/fraud@latest")
        """
        return _loop.run(self._client.compare_versions(base, other))

    def evaluate(
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

        >>> yard.evaluate("team/fraud@7", "test-2026", {"auc": 0.91}, harness="nightly")

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
        return _loop.run(
            self._client.evaluate(
                version, dataset, metrics, directions=directions, slices=slices, harness=harness, supersedes=supersedes
            )
        )

    def list_evaluations(self, version: str | VersionName) -> Iterator[Evaluation]:
        """The evaluations of a version, newest first, those that were corrected included."""
        return _loop.iterate(self._client.list_evaluations(version))

    def usage(self, version: str | VersionName) -> Usage:
        """How a version, given by any reference, is used: downloads, the last use, and how many serve it."""
        return _loop.run(self._client.usage(version))

    def serving(
        self, service: str, *, environment: str = "", instance: str | None = None, ttl: float = DEFAULT_DEPLOYMENT_TTL
    ) -> Serving:
        """A consumer that tells the registry what it serves, for as long as it is open, and never gets in its way.

        >>> with yard.serving("fraud-api", environment="production") as serving:
        ...     for model in yard.watch("team/fraud@production", serving=serving):
        ...         holder.swap(load(model.path))

        Args:
            service: What it is, as ``fraud-api``.
            environment: Where it runs, as ``production``.
            instance: Which of several alike; host name and process id, if not given.
            ttl: Seconds after which it counts as gone if nothing is heard of it, from 10 to 30 days.
        """
        return Serving(self._client.serving(service, environment=environment, instance=instance, ttl=ttl))

    def lineage(
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

        >>> affected = (yard.lineage(dataset="sales-2025")).versions

        Args:
            version: As ``team/fraud@7``; any reference.
            downstream: What was made from the version, instead of what it was made from.
            dataset: Instead of a version: the name, digest or URI of a data set, for all that was made from it.
            commit: The same for a commit of the source.
            run: The same for the id of a run.
            namespace: Where a data set, commit or run is looked for.
            depth: Steps from version to version.
        """
        return _loop.run(
            self._client.lineage(
                version,
                downstream=downstream,
                dataset=dataset,
                commit=commit,
                run=run,
                namespace=namespace,
                depth=depth,
            )
        )

    def create_namespace(
        self,
        namespace: str,
        *,
        display_name: str = "",
        description: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Namespace:
        """Creates a namespace. Raises ``AlreadyExistsError`` if the id is taken."""
        return _loop.run(
            self._client.create_namespace(
                namespace, display_name=display_name, description=description, labels=labels, annotations=annotations
            )
        )

    def get_namespace(self, namespace: str) -> Namespace:
        """One namespace."""
        return _loop.run(self._client.get_namespace(namespace))

    def list_namespaces(self) -> Iterator[Namespace]:
        """All namespaces, by id; fetched page by page as they are asked for."""
        return _loop.iterate(self._client.list_namespaces())

    def update_namespace(
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
        return _loop.run(
            self._client.update_namespace(
                namespace,
                display_name=display_name,
                description=description,
                labels=labels,
                annotations=annotations,
                etag=etag,
            )
        )

    def create_model(
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
        return _loop.run(
            self._client.create_model(
                model,
                display_name=display_name,
                description=description,
                owner=owner,
                labels=labels,
                annotations=annotations,
            )
        )

    def get_model(self, model: str | ModelName) -> Model:
        """One model, also a deleted one."""
        return _loop.run(self._client.get_model(model))

    def list_models(
        self, namespace: str = DEFAULT_NAMESPACE, *, filter: str = "", order_by: str = "", show_deleted: bool = False
    ) -> Iterator[Model]:
        """The models of a namespace; fetched page by page as they are asked for.

        Args:
            namespace: As ``team``.
            filter: Which ones, as ``labels.tier = gold AND alias:production``.
            order_by: ``id``, ``create_time`` or ``update_time``, each with ``desc`` for the other way round.
            show_deleted: With those that can be restored.
        """
        return _loop.iterate(
            self._client.list_models(namespace, filter=filter, order_by=order_by, show_deleted=show_deleted)
        )

    def search_models(self, query: str, namespace: str = DEFAULT_NAMESPACE, *, limit: int = 50) -> Sequence[Model]:
        """The models that some words describe best, the best first.

        Each word must begin a word of the id, the display name, the description or a label.
        """
        return _loop.run(self._client.search_models(query, namespace, limit=limit))

    def update_model(
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
        return _loop.run(
            self._client.update_model(
                model,
                display_name=display_name,
                description=description,
                owner=owner,
                labels=labels,
                annotations=annotations,
                etag=etag,
            )
        )

    def delete_model(self, model: str | ModelName, *, force: bool = False, etag: str | None = None) -> Model:
        """Hides a model with its versions and aliases until it is restored or purged.

        Raises ``FailedPreconditionError`` if it has versions, unless ``force`` is set, and while one of them is served.
        """
        return _loop.run(self._client.delete_model(model, force=force, etag=etag))

    def undelete_model(self, model: str | ModelName, *, etag: str | None = None) -> Model:
        """Restores a deleted model with its versions and aliases as they were."""
        return _loop.run(self._client.undelete_model(model, etag=etag))

    def get_version(self, version: str | VersionName) -> Version:
        """One version with its files, by any reference; by its number, also a deleted one."""
        return _loop.run(self._client.get_version(version))

    def list_versions(
        self, model: str | ModelName, *, filter: str = "", order_by: str = "", show_deleted: bool = False
    ) -> Iterator[Version]:
        """The versions of a model without their files; fetched page by page as they are asked for.

        Args:
            model: As ``team/fraud``, or ``team/-`` for all models of a namespace.
            filter: Which ones, as ``metrics.auc > 0.9 AND params.optimizer = adam AND create_time > now-7d``.
            order_by: ``metrics.auc desc`` for the best first, also ``params.*``, ``create_time``, ``number``. Newest
                first without it.
            show_deleted: With those that can be restored.
        """
        return _loop.iterate(
            self._client.list_versions(model, filter=filter, order_by=order_by, show_deleted=show_deleted)
        )

    def update_version(
        self,
        version: str | VersionName,
        *,
        description: str | Unset = UNSET,
        labels: Mapping[str, str] | Unset = UNSET,
        annotations: Mapping[str, str] | Unset = UNSET,
        etag: str | None = None,
    ) -> Version:
        """Changes the given fields and no others; a mapping is replaced as a whole. All else of a version is frozen."""
        return _loop.run(
            self._client.update_version(
                version, description=description, labels=labels, annotations=annotations, etag=etag
            )
        )

    def deprecate_version(self, version: str | VersionName, reason: str, *, etag: str | None = None) -> Version:
        """Tells everyone who pulls a version why not to, and what to use instead. It is still served."""
        return _loop.run(self._client.deprecate_version(version, reason, etag=etag))

    def delete_version(self, version: str | VersionName, *, etag: str | None = None) -> Version:
        """Hides a version until it is restored or purged.

        Raises ``FailedPreconditionError`` while an alias points at it, or something serves it or was made from it.
        """
        return _loop.run(self._client.delete_version(version, etag=etag))

    def undelete_version(self, version: str | VersionName, *, etag: str | None = None) -> Version:
        """Restores a deleted version to the state that it had."""
        return _loop.run(self._client.undelete_version(version, etag=etag))

    def get_alias(self, model: str | ModelName, alias: str, *, at: datetime | None = None) -> Alias:
        """One alias, as it is or as it was at a time. Raises ``NotFoundError`` if it was not set then.

        Args:
            model: As ``team/fraud``.
            alias: As ``production``.
            at: An aware time, or one in this machine's time zone.
        """
        return _loop.run(self._client.get_alias(model, alias, at=at))

    def list_aliases(self, model: str | ModelName) -> Iterator[Alias]:
        """The aliases of a model, by id; fetched page by page as they are asked for."""
        return _loop.iterate(self._client.list_aliases(model))

    def set_alias(
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
        return _loop.run(
            self._client.set_alias(
                model,
                alias,
                version,
                etag=etag,
                create_only=create_only,
                expected_digest=expected_digest,
                reason=reason,
            )
        )

    def rollback_alias(self, model: str | ModelName, alias: str, *, etag: str | None = None, reason: str = "") -> Alias:
        """Points an alias back at what it pointed at before its last move; again, at what was before that.

        Raises:
            ConflictError: Someone else moved the alias.
            FailedPreconditionError: There is nothing to go back to, or it can't be used any more.
        """
        return _loop.run(self._client.rollback_alias(model, alias, etag=etag, reason=reason))

    def delete_alias(self, model: str | ModelName, alias: str, *, etag: str | None = None, reason: str = "") -> Alias:
        """Removes an alias, and answers it as it was. The version stays."""
        return _loop.run(self._client.delete_alias(model, alias, etag=etag, reason=reason))

    def list_events(
        self,
        what: str | ModelName | VersionName | AliasName = DEFAULT_NAMESPACE,
        *,
        filter: str = "",
        newest_first: bool = False,
    ) -> Iterator[Event]:
        """What happened, in order; fetched page by page as it is asked for.

        Args:
            what: A namespace as ``team``, a model with all that is in it as ``team/fraud``, a version as
                ``team/fraud@7``, or an alias as ``team/fraud@production``.
            filter: Which events, as ``type = "alias.*" AND actor = anna AND time > now-30d``.
            newest_first: The other way round.
        """
        return _loop.iterate(self._client.list_events(what, filter=filter, newest_first=newest_first))

    def watch(
        self,
        reference: str | VersionName,
        *,
        serving: Serving | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Iterator[PulledModel]:
        """What a reference means now, then each version that it comes to mean, pulled and verified. Never ends.

        No promotion is missed and none is told twice, whatever becomes of the connection or the registry meanwhile. If
        the registry can't be reached at first, the last version that the reference was known to mean comes first, with
        a ``StaleModelWarning``. A version that can't be used is skipped with a ``SkippedVersionWarning``.

        >>> for model in yard.watch("team/fraud@production"):
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
        return _loop.iterate(self._client.watch(reference, serving=asynchronous(serving), progress=on_caller(progress)))
