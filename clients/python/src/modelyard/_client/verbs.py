"""The everyday verbs, for programs that run an event loop. The synchronous twin is generated: run ``make protos``."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from modelyard import _config, _convert, _naming
from modelyard._bar import ProgressOption, check_progress, reporting
from modelyard._cache import Cache
from modelyard._caller import warn
from modelyard._client import promoting, resolving
from modelyard._client.describe import Described, describe
from modelyard._client.pulling import Choice, Place, Pull
from modelyard._client.pushing import Push
from modelyard._client.serving import AsyncServing
from modelyard._client.versions import AsyncVersions
from modelyard._client.watching import Watch
from modelyard._connection import Connection
from modelyard._target import TargetFolder, TargetLink
from modelyard._transfer.local_files import Collected, collect
from modelyard.core.facts import Dataset, Direction, Environment, Facts, Framework, Parent, Run, Signature, Source
from modelyard.core.names import PRODUCTION, ModelName, VersionName
from modelyard.core.references import Reference
from modelyard.errors import CacheError, FieldViolation, FilesWarning, InvalidArgumentError
from modelyard.types import Comparison, Model, Promotion, PulledModel, Resolution, Version


class AsyncVerbs:
    """Push, pull, resolve, watch, promote, rollback and diff: what :class:`modelyard.AsyncClient` does every day."""

    def __init__(self, connection: Connection, *, cache_dir: str | os.PathLike[str] | None, cache_bytes: int) -> None:
        self._connection = connection
        self._cache_dir = cache_dir
        self._cache_bytes = cache_bytes

    async def push(
        self,
        model: str | ModelName | Model,
        files: str | os.PathLike[str],
        *,
        params: Any = None,
        metrics: Any = None,
        directions: Mapping[str, Direction] | None = None,
        datasets: Mapping[str, Any] | Sequence[Dataset] | None = None,
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
        drop_nonfinite: bool = False,
        if_changed: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        links_within: str | os.PathLike[str] | None = None,
        capture: bool = True,
        progress: ProgressOption = True,
    ) -> Version:
        """Uploads a file or a folder and commits it, with its facts, as the model's next version.

        The commit is one transaction: version and aliases appear together, once every byte is stored and verified. If
        the push fails or is cancelled, nothing is visible. Push again and it goes on where it stopped: bytes that the
        registry has are not sent again. A transfer that breaks is resumed by itself, up to 6 times without progress.
        The namespace and the model are created if they do not exist.

        Args:
            model: As ``team/fraud``.
            files: A file, or a folder with everything in it: 1 to 10,000 files, each up to 5 TiB, paths up to 1024
                bytes. Links out of the folder, sockets and devices are refused. ``.git``, ``__pycache__``,
                ``.DS_Store``, ``.env`` and the like are left out of a folder, with a ``FilesWarning``.
            params: A mapping, a dataclass, a namespace of argparse, a series of pandas, or a configuration of pydantic
                or OmegaConf: at most 10,000 values. Those of nested ones get names with dots, as ``optimizer.lr``.
                Text, 64-bit integers, finite floats and booleans keep their types. Paths become text, an enum becomes
                its value, times become ISO 8601 (in UTC if they have a zone), durations seconds. None, lists, tuples
                and sets become JSON, as ``[1, 2]``. Text over 4 KiB is kept as a file of the version; the param names
                it. Filter as ``params.<name>``.
            metrics: The same, of at most 10,000 finite numbers. Filter and sort as ``metrics.<name>``.
            directions: For some of the metrics: whether higher or lower is better. ``best`` goes by it.
            datasets: Names to URIs, paths, data frames, arrays or data sets of Hugging Face; or ``Dataset`` records.
                Rows and digest are found where that is possible. A word of the name, as in ``train_2026``, sets the
                role.
            alias: Aliases to point at the new version in the same transaction; at most 10.
            description: Markdown; at most 1 MiB.
            labels: Indexed. At most 100; keys up to 128 bytes, values up to 4 KiB. Filter as ``labels.<key>``.
            annotations: Like labels, but not indexed: for programs.
            source: The code that made it. Found by ``capture`` if not given.
            environment: The machine and its packages. Found by ``capture`` if not given.
            framework: The library that loads it, as ``torch`` or ``torch==2.9.0``. With ``capture`` the version is that
                of the installed package if none is given.
            format: How the files are laid out, as ``safetensors``; at most 128 bytes.
            signature: JSON Schemas of inputs and outputs.
            parents: The versions that it was made from. Each may be given by any reference, and is pinned to the
                version that the reference means now.
            run: The run in an experiment tracker.
            drop_nonfinite: Leave out metrics that are NaN or infinite, with a ``FactsWarning``, instead of refusing
                them.
            if_changed: If the newest version has the same files, return that version instead of a new one. The aliases
                are moved to it. The call is refused if that version has other params, metrics, directions, data sets,
                labels, annotations, parents, signature, format or description than are given here: they would be lost.
            include: Patterns as in ``.gitignore``: only files that match one of them are taken.
            exclude: Patterns of files to leave out. They come after those of a file ``.modelyardignore`` in the folder.
                The last that matches counts, and ``!NAME`` takes a file in again.
            links_within: A folder that links may lead to besides the pushed one.
            capture: Find source and environment: git, packages, machine and job. Never secrets. Never fails a push.
                Facts that can't be collected within 5 s are stored as not collected, with a ``FactsWarning``.
            progress: A callback for the bytes so far, called on the loop that makes the call. True: a bar on
                standard error, if that is a terminal, and in notebooks. False: none.

        Raises:
            InvalidArgumentError: A value breaks a limit, or a file can't be used. All that is wrong is listed, and
                nothing was sent.
            ConflictError: A file changed during the push, or an alias moved at the same time.
            FailedPreconditionError: With ``if_changed``: the files are the same, but the given facts differ. Make a new
                version, or add metrics with ``evaluations.create``.
            VerificationError: The registry received other bytes than were sent.
            ResourceExhaustedError: The registry's disk is full, or a limit is reached.
        """
        push = await self._prepared(
            model,
            partial(
                collect,
                _naming.path("files", files),
                include=_patterns(include),
                exclude=_patterns(exclude),
                links_within=None if links_within is None else _naming.path("links_within", links_within),
            ),
            described=partial(
                describe,
                params=params,
                metrics=metrics,
                directions=directions,
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
                drop_nonfinite=drop_nonfinite,
                capture=capture,
            ),
            if_changed=if_changed,
            capture=capture,
        )
        with reporting(progress) as told:
            return await replace(push, progress=told).run()

    async def check(
        self,
        model: str | ModelName | Model,
        files: str | os.PathLike[str] | None = None,
        *,
        params: Any = None,
        metrics: Any = None,
        directions: Mapping[str, Direction] | None = None,
        datasets: Mapping[str, Any] | Sequence[Dataset] | None = None,
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
        drop_nonfinite: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        links_within: str | os.PathLike[str] | None = None,
    ) -> Facts:
        """Finds out before a training what a push would refuse after it. Nothing is sent, and nothing is changed.

        The arguments are those of ``push``: give what is known already. The registry is asked whether it can be
        reached, whether it takes pushes of the model, and which versions the parents mean.

        >>> await yard.check("team/fraud", params=vars(args), alias="candidate")

        Args:
            model: As ``team/fraud``. It may not exist yet.
            files: A file or a folder, if it exists already.
            params: See ``push``.
            metrics: See ``push``. Their names are worth a check, with any numbers.
            directions: See ``push``.
            datasets: See ``push``.
            alias: See ``push``.
            description: See ``push``.
            labels: See ``push``.
            annotations: See ``push``.
            source: See ``push``.
            environment: See ``push``.
            framework: See ``push``.
            format: See ``push``.
            signature: See ``push``.
            parents: See ``push``.
            run: See ``push``.
            drop_nonfinite: See ``push``.
            include: See ``push``.
            exclude: See ``push``.
            links_within: See ``push``.

        Returns:
            The facts as a push would record them.

        Raises:
            InvalidArgumentError: A value breaks a limit, or a file can't be used. All that is wrong is listed.
            NotFoundError: A parent does not exist, or the model is deleted.
            UnavailableError: The registry can't be reached.
        """
        push = await self._prepared(
            model,
            None
            if files is None
            else partial(
                collect,
                _naming.path("files", files),
                include=_patterns(include),
                exclude=_patterns(exclude),
                links_within=None if links_within is None else _naming.path("links_within", links_within),
            ),
            described=partial(
                describe,
                params=params,
                metrics=metrics,
                directions=directions,
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
                drop_nonfinite=drop_nonfinite,
            ),
        )
        return await push.check()

    async def pull(
        self,
        reference: str | VersionName | Version,
        target: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        link: bool = False,
        cache: bool = True,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        files: Sequence[str] = (),
        progress: ProgressOption = True,
    ) -> PulledModel:
        """Downloads the files of a version and verifies every byte.

        The files are kept in a cache that all processes of this user share. Files that are cached are not downloaded
        again. A version given by its digest needs no registry once it is cached. If the registry can't be reached, the
        last version that the reference was known to mean is returned, with ``stale`` set and a ``StaleModelWarning``. A
        deprecated version gives a ``DeprecatedVersionWarning``.

        The cache is bounded. It keeps the files at least as long as your program keeps the returned model: see
        :class:`modelyard.PulledModel`, whose ``close`` and ``with`` let go of them sooner. So keep the model, not its
        path alone: after ``path = yard.pull(…).path`` nothing refers to the model, and other pulls may evict it.

        The files appear together or not at all, in the cache and in a target. A pull that failed or was cancelled
        leaves no file behind. A transfer that breaks is resumed by itself, up to 6 times without progress.

        A target holds exactly the version. One that an earlier pull made is replaced in one step: readers see the old
        version or the new one, never files of both, also after kill -9. ``.NAME.modelyard`` beside the target says
        which version it holds. A target that is a mount point can be filled, but not replaced in one step. Its files
        share their bytes with the cache where the file system can: they are read-only then.

        Args:
            reference: As ``team/fraud@production``, ``team/fraud@7``, ``team/fraud@sha256:…`` or ``team/fraud@latest``.
                ``team/fraud`` means the alias ``production`` if it is set, else the latest version.
            target: A folder of your own that is to hold the files; it is made if it is missing. Without one, read them
                from the cache and don't change them.
            force: Replace the target even if it holds files that no pull put there. They are lost.
            link: Make the target a symbolic link into the cache. It is swapped in one step. The version stays in the
                cache as long as the link leads to it.
            cache: Use the cache. Without it, every pull needs a target, and only the target gets the bytes.
            include: Patterns as in ``.gitignore``: only files that match one of them are pulled.
            exclude: Patterns of files not to pull.
            files: The paths of the files to pull, instead of patterns.
            progress: A callback for the bytes so far, called on the loop that makes the call. True: a bar on
                standard error, if that is a terminal, and in notebooks. False: none.

        Raises:
            NotFoundError: The reference means nothing, or no file is selected.
            InvalidArgumentError: The target holds files that no pull put there, or can't be written to. It is as it
                was.
            FailedPreconditionError: The version is quarantined.
            VerificationError: The registry sent bytes that do not match the version's digest. Nothing was kept.
            UnavailableError: The registry can't be reached, and the reference was never pulled on this machine.
            CacheError: The cache folder can't be used.
        """
        named = _naming.reference(reference)
        if target is None and (link or not cache):
            raise _naming.invalid("target", "is needed for a link, and for a pull without the cache.")
        if link and not cache:
            raise _naming.invalid("link", "leads into the cache, so it needs the cache.")
        place: Place | None = None
        if target is not None:
            kind = TargetLink if link else TargetFolder
            place = await asyncio.to_thread(kind, _naming.path("target", target), force=force)
        pull = Pull(
            connection=self._connection,
            cache=self._cache_for(target) if cache else None,
            reference=named,
            target=Path(target) if target is not None else None,
            place=place,
            choice=Choice(_patterns(include), _patterns(exclude), _patterns(files)),
        )
        with reporting(progress) as told:
            return await replace(pull, progress=told).run()

    async def resolve(self, reference: str | VersionName | Version) -> Resolution:
        """Tells which version a reference means now, and by which rule. The version's ``files`` are left out.

        Args:
            reference: As ``team/fraud@production``; see ``pull``.

        Raises:
            NotFoundError: The reference means nothing.
        """
        named = _naming.reference(reference)
        return _convert.resolution(str(named), await resolving.resolve(self._connection, named, files=False))

    def watch(
        self,
        reference: str | VersionName | Version,
        *,
        serving: AsyncServing | None = None,
        wait: bool = False,
        progress: ProgressOption = False,
    ) -> AsyncIterator[PulledModel]:
        """Pulls the version a reference points to, then each new version when the reference moves. Never ends.

        You see every move exactly once, in order, even if the connection breaks or the registry restarts in between:
        the watch waits and resumes by itself. If the registry can't be reached at the start, the last version that the
        reference was known to mean comes first, with a ``StaleModelWarning``. A version that can't be used is skipped
        with a ``SkippedVersionWarning``. Leave the loop to end the watch.

        The cache keeps the files of a model at least until the next one comes, and as long as your program keeps it.

        >>> async for model in yard.watch("team/fraud@production"):
        ...     holder.swap(load(model.path))

        Args:
            reference: As ``team/fraud@production``; see ``pull``.
            serving: Tell the registry that a model is served. Each is told when the loop asks for the next one: your
                program has loaded it by then.
            wait: At the start, wait for a registry that can't be reached and for an alias, a model or a version that
                does not exist yet, with a ``WaitingWarning`` that says why. By default these are errors.
            progress: For each pull: see ``pull``.

        Raises:
            NotFoundError: The reference means nothing at the start.
            VerificationError: The registry sent bytes that do not match a version's digest. Nothing was kept.
            UnavailableError: The registry can't be reached at the start, and the reference was never pulled on this
                machine.
        """
        named = _naming.reference(reference)
        check_progress(progress)

        def prepared(wanted: Reference) -> Pull:
            return Pull(connection=self._connection, cache=self._cache, reference=wanted, target=None, meant_by=named)

        async def pull(wanted: Reference) -> PulledModel:
            with reporting(progress) as told:
                return await replace(prepared(wanted), progress=told).run()

        models = Watch(
            connection=self._connection,
            reference=named,
            pull=pull,
            fall_back=lambda error: prepared(named).fall_back(error),
            wait=wait,
        ).models()
        return models if serving is None else serving.acknowledging(models)

    async def promote(
        self, reference: str | VersionName | Version, alias: str = PRODUCTION, *, reason: str = ""
    ) -> Promotion:
        """Points an alias of the model at a version, unless somebody else moves the alias at the same time.

        The reference is resolved and the alias is read first; then the alias is moved in one transaction, which checks
        that both are still as they were. If the alias points at the version already, nothing is changed. A deprecated
        version gives a ``DeprecatedVersionWarning`` that says who deprecated it, and why.

        >>> await yard.promote("team/fraud@8", reason="better recall")

        Args:
            reference: The version, as ``team/fraud@8`` or ``team/fraud@candidate``. A model alone is refused.
            alias: The alias to move; it is created if it does not exist.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The reference means nothing.
            ConflictError: Somebody else moved the alias at the same time. Look again before you repeat the call.
            FailedPreconditionError: The version is quarantined. The alias was not moved.
        """
        return await promoting.promote(self._connection, _naming.reference(reference), alias, reason)

    async def rollback(
        self, model: str | ModelName | Model, alias: str | None = None, *, reason: str = ""
    ) -> Promotion:
        """Points an alias back at the version before its last move, unless somebody else moves it at the same time.

        Call it again to go back one move more. ``aliases.rollback`` takes an etag that you have read yourself.

        >>> await yard.rollback("team/fraud", reason="latency")

        Args:
            model: As ``team/fraud``; or with the alias, as ``team/fraud@staging``.
            alias: The alias to move back. ``production`` if none is named.
            reason: Why, for the log; at most 4 KiB.

        Raises:
            NotFoundError: The alias is not set.
            ConflictError: Somebody else moved the alias at the same time. Look again before you repeat the call.
            FailedPreconditionError: There is no earlier move, or the earlier version is deleted or quarantined.
        """
        return await promoting.rollback(self._connection, _naming.alias_to_move(model, alias), reason)

    async def diff(self, base: str | VersionName | Version, other: str | VersionName | Version) -> Comparison:
        """Compares two versions, also of different models: the same as ``versions.compare``.

        >>> for difference in (await yard.diff("team/fraud@production", "team/fraud@latest")).differences:
        ...     print(difference.name, difference.before, difference.after)

        Args:
            base: Any reference; its values are ``before``.
            other: Any reference; its values are ``after``.

        Raises:
            NotFoundError: A reference means nothing.
        """
        return await AsyncVersions(self._connection).compare(base, other)

    def _cache_for(self, target: str | os.PathLike[str] | None) -> Cache | None:
        try:
            return self._cache
        except CacheError:
            if target is None:
                raise
            return None  # a user without a home needs no cache to fill a folder

    async def _prepared(
        self,
        model: str | ModelName | Model,
        collected: Callable[[], Collected] | None,
        *,
        described: Callable[[], Described],
        if_changed: bool = False,
        capture: bool = False,
    ) -> Push:
        """A push whose arguments are right. Raises ``InvalidArgumentError`` with all that is wrong."""
        violations: list[FieldViolation] = []
        with _collecting(violations):
            name = _naming.model_name(model)
        with _collecting(violations):
            facts = await asyncio.to_thread(described)
        with _collecting(violations):
            found = await asyncio.to_thread(collected) if collected is not None else None
        if violations:
            raise InvalidArgumentError(violations)
        for remark in found.remarks() if found is not None else ():
            warn(remark, FilesWarning)
        return Push(
            connection=self._connection,
            model=name,
            files=found.files if found is not None else (),
            described=facts,
            if_changed=if_changed,
            capture=capture,
            state_dir=_config.state_dir(self._cache_dir),
        )

    @cached_property
    def _cache(self) -> Cache:
        return Cache(_config.cache_dir(self._cache_dir), self._cache_bytes)


def _patterns(given: Sequence[str]) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given


@contextmanager
def _collecting(violations: list[FieldViolation]) -> Iterator[None]:
    """Adds the violations of an ``InvalidArgumentError`` to the list instead of raising it: all are told at once."""
    try:
        yield
    except InvalidArgumentError as error:
        violations += error.violations
