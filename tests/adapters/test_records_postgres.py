"""Records by a view of PostgreSQL: a read-only session, a cursor that is a moment, a password from a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from adapters.records.adapter import Records, open_adapter
from gateway.core.faults import TransientFailure
from tests.adapters.fitting import Hands
from tests.adapters.test_records_view import RULES


class Base:
    """A schema of its own in a real database."""

    def __init__(self, folder: Path, url: str, connection: Any) -> None:
        self.folder, self.connection, self.moment = folder, connection, 1_795_000_000.0
        parts = urlsplit(url)
        (folder / "rules.json").write_text(json.dumps(RULES))
        (folder / "db.secret").write_text(unquote(parts.password or "") or "none")
        where = f"{parts.hostname}{f':{parts.port}' if parts.port else ''}"
        self.url = f"postgresql://{parts.username}@{where}{parts.path}"
        self.query = parts.query

    def opened(self, **view: Any) -> Records:
        settings = {
            "incoming": {"contract": "record.changed/1.0", "rules": "rules.json"},
            "view": {"url": self.url, "secret_file": "db.secret", "view": "so.v", "cursor": "sua", "poll_seconds": 10,
                     **view},
        }  # fmt: skip
        context = Hands(self.folder).context("records", settings)
        read = lambda name: (self.folder / name).read_bytes()  # noqa: E731
        return open_adapter(replace(context, now=lambda: self.moment, read_secret=read))

    async def keys(self, adapter: Records) -> list[str]:
        self.moment += 11
        found: list[str] = []
        while items := list(await adapter.collect(100)):
            for item in items:
                found.append(str(item.event["subject"]))  # type: ignore[union-attr]
                await adapter.settle(item.token, None)
        return found


@pytest_asyncio.fixture
async def base(tmp_path: Path, postgres_url: str) -> AsyncIterator[Base]:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(
        "CREATE SCHEMA so; CREATE TABLE so.t (ma text, dien_tich numeric, sua timestamptz);"
        "CREATE VIEW so.v AS SELECT * FROM so.t;"
        "CREATE FUNCTION so.writes() RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO so.t VALUES ('x', 1, now()); RETURN 'x'; END $$;"
        "CREATE VIEW so.evil AS SELECT so.writes() AS ma, now() AS sua;"
        "CREATE VIEW so.slow AS SELECT pg_sleep(5)::text AS ma, now() AS sua"
    )
    yield Base(tmp_path, postgres_url, connection)
    await connection.close()


async def test_rows_come_by_a_moment_with_an_overlap_each_once(base: Base) -> None:
    add = "INSERT INTO so.t VALUES ($1, 120.5, '2026-11-23T08:00:00+07:00'::timestamptz + $2 * interval '1 second')"
    await base.connection.execute(add, "T1", 0)
    await base.connection.execute(add, "T2", 1)
    adapter = base.opened(overlap=60)
    assert await base.keys(adapter) == ["T1", "T2"]
    assert await base.keys(adapter) == []
    await base.connection.execute(add, "late", -30)
    await base.connection.execute(add, "T3", 5)
    assert await base.keys(base.opened(overlap=60)) == ["late", "T3"]


async def test_nothing_can_be_written_even_by_what_the_view_calls(base: Base) -> None:
    with pytest.raises(TransientFailure, match="ReadOnly"):
        await base.opened(view="so.evil").collect(1)
    assert await base.connection.fetchval("SELECT count(*) FROM so.t") == 0


async def test_a_view_that_takes_too_long_is_left(base: Base) -> None:
    with pytest.raises(TransientFailure):
        await base.opened(view="so.slow", statement_seconds=0.2).collect(1)


async def test_a_password_that_cannot_be_read_is_a_temporary_failure(base: Base) -> None:
    with pytest.raises(TransientFailure, match="password"):
        await base.opened(secret_file="missing.secret").collect(1)
