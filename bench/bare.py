"""Bare ST_AsMVT: the least that an async endpoint can do. No sign-in, no filters, nothing kept, nothing compressed."""

from __future__ import annotations

import os
from typing import Any

import asyncpg

CONNECTIONS = 6
COLUMNS = {"building": "id, kind, number", "incident": "id, state, category_code"}
SQL = """
    SELECT ST_AsMVT(t, '{table}', 4096, 'geom') FROM (
        SELECT {columns}, ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope($1, $2, $3), 4096, 256, true) AS geom
        FROM {table}
        WHERE geom && ST_Transform(ST_TileEnvelope($1, $2, $3, margin => 0.0625), 4326)
    ) t
"""
STATEMENTS = {table: SQL.format(table=table, columns=columns) for table, columns in COLUMNS.items()}
_pool: asyncpg.Pool


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """``/{table}/{z}/{x}/{y}``."""
    global _pool
    if scope["type"] == "lifespan":
        await receive()
        _pool = await asyncpg.create_pool(
            os.environ["BARE_DSN"], min_size=CONNECTIONS, max_size=CONNECTIONS, reset=_stays_as_it_is
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await _pool.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    _slash, table, z, x, y = scope["path"].split("/")
    tile = await _pool.fetchval(STATEMENTS[table], int(z), int(x), int(y))
    headers = [(b"content-type", b"application/vnd.mapbox-vector-tile"), (b"content-length", b"%d" % len(tile))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": tile})


async def _stays_as_it_is(_connection: object) -> None:
    """Nothing is set on a connection, so nothing need be reset."""
