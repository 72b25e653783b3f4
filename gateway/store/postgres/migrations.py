"""The numbered steps of the database's shape: applied in order, once, each remembered with its checksum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.faults import Misconfigured, Text
from gateway.store import moving
from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection, Database

FOLDER: Final = Path(__file__).with_name("schema")

_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS schema_versions (
  number integer PRIMARY KEY,
  name text NOT NULL,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file ``NNN_name.sql``: its number, name, text and checksum."""

    number: int
    name: str
    text: str
    sha256: str


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """The steps this program knows, in order; their numbers run from 1 without a gap."""
    found = []
    for path in sorted(folder.glob("[0-9][0-9][0-9]_*.sql")):
        text = path.read_text("utf-8")
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, text, hashlib.sha256(text.encode()).hexdigest()))
    if not found or [step.number for step in found] != list(range(1, len(found) + 1)):
        raise Misconfigured(
            str(folder),
            Text("Bộ cài đặt thiếu bước nâng cấp cơ sở dữ liệu", "The installation lacks a step of the database"),
            Text("Cài đặt lại chương trình.", "Install the program again."),
        )
    return found


async def migrate(database: Database, place: str, known: list[Migration], *, is_arriving: bool = False) -> None:
    """Bring the database to the last known step, in one transaction; nothing is done where that cannot be.

    Gateways may start together: one migrates, the others wait and find it done. Raises Misconfigured (naming
    ``place``) where the database is newer than this program, was made by other steps, was left for another one, or is
    being moved into by somebody else than the caller (``is_arriving``).
    """
    async with database.transaction(locks.SCHEMA, is_long=True) as connection:
        if not await connection.fetchval(locks.TRY_STAYING):
            raise moving.being_left(place)
        if (address := await gone_to(connection)) is not None:
            raise moving.gone(place, address)
        if not is_arriving and await is_half_there(connection):
            raise moving.half_there(place)
        await connection.execute(_VERSIONS)
        rows = await connection.fetch("SELECT number, name, sha256 FROM schema_versions ORDER BY number")
        applied = {number: (name, sha256) for number, name, sha256 in rows}
        if applied and max(applied) > len(known):
            raise _newer(place, max(applied), len(known))
        for step in known:
            if step.number not in applied:
                await connection.execute(step.text)
                await connection.execute(
                    "INSERT INTO schema_versions (number, name, sha256) VALUES ($1, $2, $3)",
                    step.number,
                    step.name,
                    step.sha256,
                )
            elif applied[step.number][1] != step.sha256:
                raise _foreign(place, step)


async def gone_to(connection: Connection) -> str | None:
    """Where the ledger went, where it was left for another one (``lgsp migrate-store``)."""
    if await connection.fetchval("SELECT to_regclass('gone')") is None:
        return None
    return str(await connection.fetchval("SELECT address FROM gone"))


async def is_half_there(connection: Connection) -> bool:
    """Whether ``lgsp migrate-store`` has begun to move a ledger in here, and not finished."""
    if await connection.fetchval("SELECT to_regclass('arrival')") is None:
        return False
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM arrival WHERE NOT is_whole)"))


def _newer(place: str, found: int, known: int) -> Misconfigured:
    return Misconfigured(
        place,
        Text(
            f"Cơ sở dữ liệu do phiên bản mới hơn ghi (bước {found}, chương trình này chỉ biết đến bước {known})",
            f"The database was written by a newer program (step {found}; this program knows steps up to {known})",
        ),
        Text(
            "Quản trị viên cài phiên bản chương trình đã ghi nó, hoặc khôi phục bản sao lưu từ trước khi nâng cấp.",
            "The administrator installs the version that wrote it, or restores the backup made before the upgrade.",
        ),
    )


def _foreign(place: str, step: Migration) -> Misconfigured:
    return Misconfigured(
        place,
        Text(
            f"Bước {step.number} ({step.name}) của cơ sở dữ liệu khác với bước cùng số của chương trình này",
            f"Step {step.number} ({step.name}) of the database is not this program's step of that number",
        ),
        Text(
            "Quản trị viên cài lại bản phát hành chính thức đã tạo cơ sở dữ liệu này; không sửa các tệp schema.",
            "The administrator installs the release that made this database again; schema files are never edited.",
        ),
    )
