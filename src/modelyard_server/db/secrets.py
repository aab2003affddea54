"""Secret random bytes that all replicas on one database share."""

import os
from typing import Final

from sqlalchemy import select

from modelyard_server.db import tables
from modelyard_server.db.connection import Connection, Engine
from modelyard_server.db.faults import explained
from modelyard_server.db.rows import insert_for

_BYTES: Final = 32


async def shared_secret(engine: Engine, identity: str) -> bytes:
    """The 32 bytes of the secret ``identity``. The first call creates them."""

    async def work(connection: Connection) -> bytes:
        fresh = insert_for(connection)(tables.secrets).values(id=identity, value=os.urandom(_BYTES))
        await connection.execute(fresh.on_conflict_do_nothing())
        stored = select(tables.secrets.c.value).where(tables.secrets.c.id == identity)
        secret = bytes((await connection.execute(stored)).scalar_one())
        await connection.commit()
        return secret

    async with explained():
        return await engine.write(work)
