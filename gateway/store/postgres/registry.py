"""The registry with its version, one-time tokens, counted refusals, and the pulse."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.ports import REFUSALS_KEPT, AuditRow, RegistryRow, RowKind
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.recording import audit
from gateway.store.postgres.rows import arrays, columns
from gateway.store.postgres.writer import one_by_one

_VERSION: Final = "SELECT value FROM meta WHERE name = 'registry_version'"


async def version(connection: Connection) -> int:
    """How often the registry was changed."""
    return int(await connection.fetchval(_VERSION))


async def rows(connection: Connection) -> tuple[int, list[RegistryRow]]:
    """The version and all rows, by kind and key."""
    found = await connection.fetch('SELECT kind, key, origin, body FROM registry ORDER BY kind COLLATE "C", key')
    documents = [RegistryRow(kind, key, origin, json.loads(body)) for kind, key, origin, body in found]
    return await version(connection), documents


@dataclass(frozen=True, slots=True)
class Difference:
    """A change of the registry, good for one version of it."""

    expected_version: int
    put: Sequence[RegistryRow]
    delete: Sequence[tuple[RowKind, str]]
    audit: Sequence[AuditRow]


_DELETE: Final = (
    f"DELETE FROM registry r USING unnest({arrays(['text', 'text'])}) AS q (kind, key)"
    " WHERE r.kind = q.kind AND r.key = q.key"
)
_PUT: Final = f"INSERT INTO registry SELECT * FROM unnest({arrays(['text'] * 4)})"


async def _change(connection: Connection, wanted: Difference) -> bool:
    # Who changes it at the same time waits here for the version.
    if await connection.fetchval(f"{_VERSION} FOR UPDATE") != wanted.expected_version:
        return False
    put = {(row.kind, row.key): (row.kind, row.key, row.origin, json.dumps(row.body, ensure_ascii=False))
           for row in wanted.put}  # fmt: skip
    await connection.execute(_DELETE, *columns([*wanted.delete, *put], 2))
    await connection.execute(_PUT, *columns(list(put.values()), 4))
    await connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'registry_version'")
    await audit(connection, wanted.audit)
    return True


#: Write a difference where the version still is the expected one.
CHANGE: Final = one_by_one(_change)


async def _use_once(connection: Connection, asked: tuple[str, float, float]) -> bool:
    token, until, now = asked
    await connection.execute("DELETE FROM once WHERE until < $1", now)
    tag = await connection.execute("INSERT INTO once VALUES ($1, $2) ON CONFLICT DO NOTHING", token, until)
    return tag.endswith(" 1")


#: Use a one-time token: (token, until, now).
USE_ONCE: Final = one_by_one(_use_once)

_COUNT: Final = (
    f"INSERT INTO refusals (address, minute, problem, count) SELECT * FROM unnest("
    f"{arrays(['text', 'int8', 'text', 'int8'])}) ORDER BY 1, 2, 3"
    " ON CONFLICT (minute, address, problem) DO UPDATE SET count = refusals.count + excluded.count"
)

#: The oldest minute alone: as many go as came once, and there always is a next time.
_FORGET_COUNTS: Final = (
    "DELETE FROM refusals WHERE minute = (SELECT minute FROM refusals WHERE minute < $1 ORDER BY minute LIMIT 1)"
)


async def _count(connection: Connection, counts: Mapping[tuple[str, int, str], int]) -> None:
    await connection.execute(_COUNT, *columns([(*key, count) for key, count in counts.items()], 4))
    if counts:
        newest = max(minute for _, minute, _ in counts)
        await connection.execute(_FORGET_COUNTS, newest - REFUSALS_KEPT)


#: Add to the counts of refusals, and let go of those of the oldest minute where it is too long ago.
COUNT: Final = one_by_one(_count)


async def _beat(connection: Connection, _: None) -> None:
    await connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'pulse'")


#: Write something, to see that it can be written.
PULSE: Final = one_by_one(_beat)
