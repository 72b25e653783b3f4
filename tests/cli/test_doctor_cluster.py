"""``lgsp doctor`` over a cluster's database: what the server is, what is in it, and what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.ports import HeldFile
from gateway.store.postgres.ledger import PostgresLedger
from tests.build import MORNING, SENDER, a_digest, a_message
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port
from tests.province import a_province, edit

OLD = "sqlite:var/lgsp.db"


@pytest.fixture
def folder(tmp_path: Path, postgres_url: str) -> Path:
    folder = a_province(tmp_path / "tinh")
    for name in ("H33.05-dms", "H33.16-dms"):
        (folder / f"keys/{name}.pem").chmod(0o600)
    at_a_free_port(folder)
    edit(folder, "lgsp.toml", OLD, postgres_url)
    return folder


def findings(folder: Path) -> list[dict[str, Any]]:
    shown = lgsp("-C", folder, "doctor", "--passive", "--json")
    found: list[dict[str, Any]] = shown.json["findings"]
    assert shown.status == (1 if any(each["severity"] == "error" for each in found) else 0)
    return found


def wrong(folder: Path, check: str) -> list[tuple[str, str]]:
    """What is not in order by this check: severity and words."""
    return [
        (each["severity"], each["what"]["en"])
        for each in findings(folder)
        if each["check"] == check and each["severity"] in {"warning", "error"}
    ]


def execute(url: str, statement: str) -> None:
    async def once() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(once())


def test_a_sound_cluster_is_sound_and_every_check_is_made(folder: Path) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    found = findings(folder)
    assert [each for each in found if each["severity"] in {"warning", "error"}] == []
    assert {each["check"] for each in found} == {
        "config", "keys", "database", "spool", "registry", "certificates", "disk", "clocks", "ports", "destinations",
        "backlog", "law", "inspection",
    }  # fmt: skip
    said = " ".join(each["what"]["en"] for each in found if each["check"] in {"database", "disk"})
    for words in (
        "Reached; PostgreSQL",
        "At step",
        "a commit with its sync",
        "may open 8 connections",
        "cannot be seen",
    ):
        assert words in said


def test_looking_changes_no_row_but_the_proof(folder: Path, postgres_url: str) -> None:
    async def versions() -> list[Any]:
        connection = await asyncpg.connect(postgres_url)
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        meta = await connection.fetch("SELECT xmin::text, name FROM meta WHERE name <> 'pulse'")
        registry = await connection.fetch("SELECT xmin::text, kind, key FROM registry ORDER BY kind, key")
        await connection.close()
        return [names, meta, registry]

    assert lgsp("-C", folder, "apply").status == 0
    before = asyncio.run(versions())
    findings(folder)
    assert asyncio.run(versions()) == before


def test_an_empty_database_is_told_with_what_to_do(folder: Path, postgres_url: str) -> None:
    execute(postgres_url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert wrong(folder, "database") == [("warning", "The database is empty")]


def test_a_server_that_does_not_answer_is_an_error_and_shows_no_password(folder: Path, postgres_url: str) -> None:
    port = urlsplit(postgres_url).port
    edit(folder, "lgsp.toml", postgres_url, f"postgresql://lgsp:not-to-be-seen@127.0.0.1:1/lgsp?was={port}")
    shown = lgsp("-C", folder, "doctor", "--passive")
    assert shown.status == 1
    assert "127.0.0.1:1/lgsp" in shown.out
    assert "not-to-be-seen" not in shown.out + shown.err


def test_what_waits_and_what_is_missing_is_found(folder: Path, postgres_url: str) -> None:
    assert lgsp("-C", folder, "apply").status == 0

    async def keep() -> None:
        ledger = PostgresLedger(postgres_url)
        await ledger.open()
        file = HeldFile(a_digest("file"), 4, "text/plain")
        assert await ledger.grant_file(file, SENDER, at=MORNING, is_present=lambda _: True)
        await ledger.accept_many([a_message(1, files=(file.sha256,), accepted_at=MORNING - 86400 * 3)])
        await ledger.close()

    asyncio.run(keep())
    assert [severity for severity, _ in wrong(folder, "spool")] == ["error"]
    assert [severity for severity, _ in wrong(folder, "backlog")] == ["warning"]


def test_a_ledger_that_moved_away_and_one_that_is_not_whole_are_errors(folder: Path, postgres_url: str) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    execute(postgres_url, "CREATE TABLE arrival (is_whole boolean); INSERT INTO arrival VALUES (false)")
    assert [words for _, words in wrong(folder, "database")] == [
        "A ledger is being moved in here, and is not whole yet"
    ]
    execute(postgres_url, "CREATE TABLE gone (address text); INSERT INTO gone VALUES ('postgresql://elsewhere/x')")
    assert [words for _, words in wrong(folder, "database")] == ["This ledger has moved to postgresql://elsewhere/x"]


def test_a_database_of_a_newer_program_is_an_error(folder: Path, postgres_url: str) -> None:
    execute(postgres_url, "INSERT INTO schema_versions (number, name, sha256) VALUES (999, 'later', 'x')")
    assert [severity for severity, _ in wrong(folder, "database")] == ["error"]
