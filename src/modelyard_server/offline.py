"""Operations on a registry without a server: checks and migrations."""

from collections.abc import Sequence

from modelyard_server.app import CAPABILITIES, arm_failpoints, engine_for, folders_of, now, offers_of, prepare
from modelyard_server.blobs import factory as stores
from modelyard_server.capability import Capability
from modelyard_server.checking.look import Progress
from modelyard_server.checking.report import Report
from modelyard_server.config import Settings
from modelyard_server.data_directory import DataDirectory, DataDirectoryError, database_in
from modelyard_server.db import integrity, schema
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from modelyard_server.db.inspection import Inspector
from modelyard_server.db.unit_of_work import Database
from modelyard_server.log.repository import append
from modelyard_server.upkeep.fsck import ConsistencyCheck


async def check(
    settings: Settings, *, read_data: bool, progress: Progress, capabilities: Sequence[Capability] = CAPABILITIES
) -> Report:
    """Checks the data of a server with these settings. The server may be running. Changes and creates nothing."""
    path = database_in(settings.data_dir)
    if settings.embedded and not path.is_file():
        raise DataDirectoryError(
            f"There is no registry in {settings.data_dir}: it has no {path.name}. Give the server's --data-dir."
        )
    if not stores.is_in(settings.data_dir):
        raise DataDirectoryError(f"There are no blobs in {settings.data_dir}. Give the server's --data-dir.")
    url = sqlite_url(path) if settings.database_url is None else parse_url(settings.database_url.get_secret_value())
    engine = create_engine(url, read_only=True)
    store = stores.existing_store(settings.data_dir)
    try:
        if settings.embedded:
            await integrity.require_intact(engine, str(path))
        await schema.require_current(engine, folders_of(capabilities))
        consistency = ConsistencyCheck(
            [check for capability in capabilities for check in capability.checks],
            Inspector(Database(engine, append)),
            store,
            offers_of(capabilities),
            now,
            progress,
        )
        return await consistency.run(read_data=read_data)
    finally:
        await store.close()
        await engine.dispose()


async def migrate(settings: Settings, capabilities: Sequence[Capability] = CAPABILITIES) -> tuple[str | None, str]:
    """Migrates the database's schema to this release. Returns the versions before and after."""
    arm_failpoints(settings)
    directory = DataDirectory.open(settings.data_dir) if settings.embedded else None
    try:
        if directory is None:
            assert settings.database_url is not None
            engine = create_engine(parse_url(settings.database_url.get_secret_value()))
        else:
            engine = engine_for(settings, directory)
        try:
            if directory is None:
                return await schema.upgrade(engine, folders_of(capabilities))
            return await prepare(engine, directory, capabilities)
        finally:
            await engine.dispose()
    finally:
        if directory is not None:
            directory.close()
