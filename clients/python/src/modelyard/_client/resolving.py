"""What a reference means: the one place that asks the registry, and decides how much of a version the answer holds."""

from modelyard import _convert, _naming
from modelyard._connection import PATIENCE, Connection
from modelyard.core.names import VersionName
from modelyard.core.references import Reference, Selector
from modelyard.errors import VerificationError
from modelyard.types import Version
from modelyard.v1 import registry_pb2 as pb
from modelyard.v1.registry_pb2_grpc import RegistryServiceStub


async def resolve(
    connection: Connection,
    reference: Reference,
    *,
    files: bool,
    patience: float = PATIENCE,
    timeout: float | None = None,  # noqa: ASYNC109 - a deadline that the server is told
) -> pb.ResolveVersionResponse:
    """The version that a reference means now. ``files`` asks for its files too: up to 10,000, in some megabytes.

    ``patience`` and ``timeout`` are those of ``Connection.call``.

    Raises ``NotFoundError`` if the reference means nothing, ``FailedPreconditionError`` if the version is quarantined,
    and ``VerificationError`` if the answer is a version of another model.
    """
    view = pb.VERSION_VIEW_FULL if files else pb.VERSION_VIEW_BASIC
    request = pb.ResolveVersionRequest(reference=str(reference), view=view)
    call = connection.stub(RegistryServiceStub).ResolveVersion
    answer = await connection.call(call, request, patience=patience, timeout=timeout)
    checked_version(reference, answer.version.name)
    return answer


def checked_version(reference: Reference, name: str) -> VersionName:
    """The version that a registry names for a reference. Raises ``VerificationError`` for one of another model."""
    version = _convert.version_name(name)
    if version.model != reference.model:
        raise VerificationError(
            f"The registry answered {version} for {reference}, which is of another model. Nothing was done with it.",
            reason="WRONG_MODEL",
            metadata={"resource": str(version)},
        )
    return version


async def pinned(connection: Connection, reference: Reference) -> VersionName:
    """The one version that a reference means now. A number is not looked up."""
    if reference.selector is Selector.NUMBER:
        return reference.model.version(int(reference.value))
    return _convert.version_name((await resolve(connection, reference, files=False)).version.name)


async def name_to_read(connection: Connection, reference: str | VersionName | Version) -> str:
    """A resource name for methods that read a version: those take an alias in the place of the number."""
    parsed = _naming.reference(reference)
    if parsed.selector is Selector.ALIAS:
        return f"{parsed.model}/versions/{parsed.value}"
    return str(await pinned(connection, parsed))
