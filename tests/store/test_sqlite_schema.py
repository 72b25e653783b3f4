"""Opening the file: made where absent, migrated by numbered steps, refused with a reason where that cannot be."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.faults import Misconfigured
from gateway.store.sqlite import connection as connections
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.migrations import Migration, migrate, migrations, statements
from tests.build import a_message


async def opened(path: Path) -> SqliteLedger:
    ledger = SqliteLedger(path)
    await ledger.open()
    return ledger


async def refusal(path: Path) -> Misconfigured:
    with pytest.raises(Misconfigured) as refused:
        await opened(path)
    return refused.value


async def made(path: Path) -> Path:
    """A ledger with one message in it."""
    ledger = await opened(path)
    await ledger.accept_many([a_message()])
    await ledger.close()
    return path


def run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


async def test_a_ledger_is_made_with_its_folder_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = await made(tmp_path / "var" / "lgsp.db")

    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_ledger_that_is_opened_again_knows_everything(tmp_path: Path) -> None:
    ledger = await opened(await made(tmp_path / "lgsp.db"))

    assert await ledger.envelope(a_message().key) == a_message().envelope
    await ledger.close()


async def test_several_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    ledgers = await asyncio.gather(*(opened(tmp_path / "lgsp.db") for _ in range(4)))

    for number, ledger in enumerate(ledgers):
        await ledger.accept_many([a_message(number)])
    assert [len(await ledger.deliveries()) for ledger in ledgers] == [4, 4, 4, 4]
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


async def test_a_database_written_by_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = await made(tmp_path / "lgsp.db")
    run(path, "INSERT INTO schema_versions VALUES (999, 'from the future', 'x', 0)")

    refused = await refusal(path)

    assert refused.where == str(path)
    assert "phiên bản mới hơn" in refused.wrong.vi
    assert "999" in refused.wrong.en
    assert "khôi phục bản sao lưu" in refused.right.vi
    assert "restores the backup" in refused.right.en
    run(path, "DELETE FROM schema_versions WHERE number = 999")
    await (await opened(path)).close()


async def test_a_database_made_by_other_steps_is_refused(tmp_path: Path) -> None:
    path = await made(tmp_path / "lgsp.db")
    run(path, "UPDATE schema_versions SET sha256 = 'another' WHERE number = 1")

    refused = await refusal(path)

    assert "khác với bước cùng số" in refused.wrong.vi


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lgsp.db"
    path.write_bytes(b"a letter of Nguyen Van Mau\n" * 100)

    refused = await refusal(path)

    assert "Không mở được" in refused.wrong.vi
    assert path.read_bytes() == b"a letter of Nguyen Van Mau\n" * 100


async def test_a_path_that_cannot_be_is_refused_with_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    refused = await refusal(tmp_path / "file" / "lgsp.db")

    assert refused.where == "lgsp.toml [store] url"
    assert "quyền ghi" in refused.right.vi


async def test_an_sqlite_that_is_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

    refused = await refusal(tmp_path / "lgsp.db")

    assert "3.37.0" in refused.right.en
    assert not (tmp_path / "lgsp.db").exists()


def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lgsp.db"
    broken = Migration(len(migrations()) + 1, "broken", "CREATE TABLE extra (x);\nCREATE TABLE extra (x);\n", "sum")
    with closing(connect(path, "writer")) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrate(connection, path, [*migrations(), broken])
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)

        migrate(connection, path, migrations())
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrate(connection, path, [*migrations(), broken])
        assert connection.execute("SELECT number FROM schema_versions").fetchall() == [
            (each.number,) for each in migrations()
        ]
        assert connection.execute("SELECT name FROM sqlite_schema WHERE name = 'extra'").fetchall() == []


def test_a_later_step_is_applied_once(tmp_path: Path) -> None:
    path = tmp_path / "lgsp.db"
    later = Migration(len(migrations()) + 1, "later", "-- extra: one more.\nCREATE TABLE extra (x);\n", "sum")
    with closing(connect(path, "writer")) as connection:
        migrate(connection, path, migrations())
        migrate(connection, path, [*migrations(), later])
        migrate(connection, path, [*migrations(), later])

        rows = connection.execute("SELECT number, name, sha256 FROM schema_versions ORDER BY number").fetchall()
        known = [(each.number, each.name, each.sha256) for each in migrations()]
        assert rows == [*known, (later.number, "later", "sum")]
        with pytest.raises(Misconfigured):
            migrate(connection, path, [*migrations(), replace(later, sha256="changed")])


def test_an_installation_that_lacks_a_step_is_refused(tmp_path: Path) -> None:
    (tmp_path / "002_second.sql").write_text("CREATE TABLE t (x);\n")

    with pytest.raises(Misconfigured) as refused:
        migrations(tmp_path)
    assert "Cài đặt lại" in refused.value.right.vi


def test_a_script_falls_into_its_statements() -> None:
    script = (
        "-- a sentence; with a semicolon\nCREATE TABLE a (x); -- more\n\nINSERT INTO a\n VALUES (';');\nDROP TABLE a"
    )

    assert [text.strip().splitlines()[-1].strip() for text in statements(script)] == [
        "CREATE TABLE a (x); -- more",
        "VALUES (';');",
        "DROP TABLE a",
    ]


@pytest.mark.parametrize("step", migrations(), ids=lambda step: step.name)
def test_each_table_has_a_sentence(step: Migration) -> None:
    tables = re.findall(r"CREATE TABLE (\w+)", step.text)
    assert tables
    assert [table for table in tables if not re.search(rf"^-- {table}: \w.*[.;,\w]$", step.text, re.MULTILINE)] == []


def test_every_commit_is_synced(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "lgsp.db", "writer")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (connections._BUSY_TIMEOUT,)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    connect(tmp_path / "lgsp.db", "writer").close()
    with (
        closing(connect(tmp_path / "lgsp.db", "reader")) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("CREATE TABLE t (x)")
