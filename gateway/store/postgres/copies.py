"""Copies of a PostgreSQL ledger: its own tools make one picture a file, and put a file back as one transaction.

The list of files is read from the same picture as the copy. A file is in the spool before a message that names it is
accepted, and stays while one does; so whoever copies the files afterwards, by that list, misses none.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import asyncpg  # type: ignore[import-untyped]

from gateway.core.faults import Misconfigured, Text
from gateway.ports.copies import Copied
from gateway.ports.records import HeldFile
from gateway.store.postgres.connection import as_busy, as_misconfigured, is_passing, place_of
from gateway.store.postgres.migrations import migrations

_CONNECT: Final = 10.0
_PAGE: Final = 1000
#: A picture that is being copied does nothing by itself for hours.
_SESSION: Final = {
    "idle_in_transaction_session_timeout": "0", "statement_timeout": "0", "application_name": "lgsp backup",
}  # fmt: skip
_FILES: Final = (
    "SELECT sha256, size, media_type, EXISTS (SELECT 1 FROM message_files n WHERE n.sha256 = f.sha256)"
    " FROM files f WHERE sha256 > $1 ORDER BY sha256 LIMIT $2"
)
_NEWEST: Final = (
    "SELECT greatest((SELECT max(accepted_at) FROM (SELECT accepted_at FROM messages ORDER BY seq DESC LIMIT 50) m),"
    " (SELECT max(ended_at) FROM (SELECT ended_at FROM attempts ORDER BY seq DESC LIMIT 50) a))"
)
_STRANGERS: Final = (
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'"
    " AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
)


@dataclass(frozen=True, slots=True)
class PostgresCopies:
    """Keeps ``ports.Server`` for the database at ``url``, which is PostgreSQL itself: no PgBouncer stands between."""

    url: str = field(repr=False)
    name: Final = "lgsp.dump"

    @property
    def known(self) -> int:
        """The last step that this program knows."""
        return len(migrations())

    def copy(self, target: Path) -> Copied:
        """One picture of the database by pg_dump; the list of its files goes beside ``target``."""
        return asyncio.run(self._copy(target))

    async def _copy(self, target: Path) -> Copied:
        async with self._connected() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            if await connection.fetchval("SELECT to_regclass('schema_versions')") is None:
                raise _no_ledger(self.url)
            picture = await connection.fetchval("SELECT pg_export_snapshot()")
            # Signed envelopes hardly shrink; the least effort takes what there is.
            options = ("--format=custom", "--compress=1", "--no-owner", "--no-privileges", f"--snapshot={picture}")
            await self._run("pg_dump", *options, f"--file={target}")
            await _list_files(connection, _beside(target))
            return Copied(
                schema=await connection.fetchval("SELECT coalesce(max(number), 0) FROM schema_versions"),
                messages=await connection.fetchval("SELECT count(*) FROM messages"),
                journal=int(await connection.fetchval("SELECT coalesce(sum(size), 0) FROM journal")),
                newest=await connection.fetchval(_NEWEST),
            )

    def held_files(self, copy: Path) -> Iterator[tuple[HeldFile, bool]]:
        """As the list beside the copy tells."""
        with _beside(copy).open() as lines:
            for line in lines:
                sha256, size, media_type, is_named = json.loads(line)
                yield HeldFile(sha256, size, media_type), is_named

    def check_place(self) -> None:
        """The database must be there, and empty: nothing of anybody's is ever written over."""
        asyncio.run(self._check_place())

    async def _check_place(self) -> None:
        async with self._connected() as connection:
            if await connection.fetchval(_STRANGERS):
                raise _not_empty(self.url)

    def put_back(self, copy: Path) -> None:
        """By pg_restore in one transaction."""
        self.check_place()
        options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
        asyncio.run(self._run("pg_restore", *options, str(copy)))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        try:
            connection = await asyncpg.connect(self.url, timeout=_CONNECT, server_settings=_SESSION)
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise as_misconfigured(self.url, error) from error
        try:
            yield connection
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise (as_busy() if is_passing(error) else as_misconfigured(self.url, error)) from error
        finally:
            connection.terminate()

    async def _run(self, tool: str, *options: str) -> None:
        """One of PostgreSQL's tools on this database; the password never stands on a command line."""
        address, environment = _address(self.url)
        command = [tool, *options, "--no-password", f"--dbname={address}"]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except FileNotFoundError:
            raise _no_tool(tool) from None
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode != 0:
            raise _failed(tool, self.url, said.decode(errors="replace"))


def _address(url: str) -> tuple[str, Mapping[str, str]]:
    """The URL without its password, and the environment with it."""
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    user, _, quoted = account.partition(":")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    password = dict(asked).get("password") or unquote(quoted)
    query = urlencode([(name, value) for name, value in asked if name != "password"])
    address = parts._replace(netloc=f"{user}@{hosts}" if user else hosts, query=query).geturl()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return address, environment | {"PGCONNECT_TIMEOUT": "10"} | ({"PGPASSWORD": password} if password else {})


async def _list_files(connection: Any, target: Path) -> None:
    after = ""
    with target.open("x") as lines:
        while page := await connection.fetch(_FILES, after, _PAGE):
            lines.writelines(json.dumps(list(row)) + "\n" for row in page)
            after = _first(page[-1])


def _first(row: Sequence[Any]) -> str:
    return str(row[0])


def _beside(copy: Path) -> Path:
    return copy.with_suffix(".files")


def _no_ledger(url: str) -> Misconfigured:
    return Misconfigured(
        "lgsp.toml [store] url",
        Text(f"Chưa có sổ nào ở {place_of(url)}", f"There is no ledger at {place_of(url)} yet"),
        Text("Hãy chạy trước: lgsp apply", "Run first: lgsp apply"),
    )


def _not_empty(url: str) -> Misconfigured:
    name = urlsplit(url).path.removeprefix("/")
    return Misconfigured(
        "lgsp.toml [store] url",
        Text(f"Cơ sở dữ liệu {place_of(url)} không trống", f"The database {place_of(url)} is not empty"),
        Text(
            "Không có gì bị thay đổi. Dừng mọi trục; quản trị viên PostgreSQL đổi tên cơ sở dữ liệu cũ và tạo cái mới:"
            f" ALTER DATABASE {name} RENAME TO {name}_truoc; CREATE DATABASE {name} OWNER lgsp;",
            "Nothing was changed. Stop every gateway; PostgreSQL's administrator renames the old database and makes a"
            f" new one: ALTER DATABASE {name} RENAME TO {name}_truoc; CREATE DATABASE {name} OWNER lgsp;",
        ),
    )


def _no_tool(tool: str) -> Misconfigured:
    return Misconfigured(
        tool,
        Text(f"Máy này không có {tool}", f"There is no {tool} on this machine"),
        Text(
            "Quản trị viên cài công cụ của PostgreSQL: apt install postgresql-client.",
            "The administrator installs PostgreSQL's tools: apt install postgresql-client.",
        ),
    )


def _failed(tool: str, url: str, said: str) -> Misconfigured:
    last = next((line for line in reversed(said.splitlines()) if "error:" in line), said.strip()[-300:])
    older = "version mismatch" in said or "unsupported version" in said
    return Misconfigured(
        f"{tool} {place_of(url)}",
        Text(f"{tool} không làm được: {last}", f"{tool} could not do it: {last}"),
        Text(
            "Cài postgresql-client cùng phiên bản với máy chủ hoặc mới hơn." if older
            else "Không có gì bị thay đổi. Kiểm tra quyền của tài khoản, ổ đĩa và nhật ký của PostgreSQL.",
            "Install a postgresql-client of the server's version or newer." if older
            else "Nothing was changed. Check the account's rights, the disk and PostgreSQL's log.",
        ),
    )  # fmt: skip
