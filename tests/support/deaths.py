"""Servers that die in the middle of things, and what can be seen of them from behind."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from modelyard_server.db.connection import Connection
from modelyard_server.db.engines.factory import create_engine, parse_url, sqlite_url
from tests.support.server import ServerProcess


@asynccontextmanager
async def dying_at(server: ServerProcess, failpoint: str, *, fresh: bool = False) -> AsyncIterator[None]:
    """Inside, ``server`` serves, dies once at ``failpoint``, and comes back. Fails if it never got there.

    If it dies while it starts, it has come back before the inside begins.

    ``fresh`` is that of :meth:`ServerProcess.start`.
    """
    armed = f"{failpoint}=kill" if "@" not in failpoint else failpoint.replace("@", "=kill@")
    server.start(wait=False, failpoints=armed, fresh=fresh)
    dead = asyncio.create_task(asyncio.to_thread(_revive, server))
    try:
        await asyncio.to_thread(server.await_health, may_die=True)
        yield
    finally:
        code = await dead
    assert code == -signal.SIGKILL, f"{failpoint}: ended with {code}\n{server.log.read_text()}"


def _revive(server: ServerProcess) -> int:
    code = server.wait()
    server.start()
    return code


def database_of(server: ServerProcess) -> str:
    """The URL of its database."""
    if "--database-url" in server.flags:
        url = parse_url(server.flags[server.flags.index("--database-url") + 1])
    else:
        url = sqlite_url(server.folder / "data" / "modelyard.db")
    return url.render_as_string(hide_password=False)


async def sql(server: ServerProcess, statement: str) -> list[tuple[object, ...]]:
    """Runs one statement behind the server's back."""
    engine = create_engine(parse_url(database_of(server)))

    async def work(connection: Connection) -> list[tuple[object, ...]]:
        result = await connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
        await connection.commit()
        return rows

    try:
        return await engine.write(work)
    finally:
        await engine.dispose()


async def log_of(server: ServerProcess) -> list[str]:
    """The types of all events of the default namespace, in order."""
    default = "(SELECT key FROM namespaces WHERE id = 'default')"
    rows = await sql(server, f"SELECT type FROM events WHERE namespace_key = {default} ORDER BY revision")
    return [str(row[0]) for row in rows]
