"""``lgsp migrate-store``: a province moves to PostgreSQL with nothing lost, however often the move is cut off."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.ports import NewMessage
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import SENDER, a_key, a_message
from tests.cli.desk import ROOT, lgsp
from tests.cli.living import at_a_free_port, living
from tests.cli.test_story import DOCUMENT, Town
from tests.province import a_province, edit, snapshot
from tests.servers import databases
from tests.servers.sharing import within

OLD = "sqlite:var/lgsp.db"
MANY = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    for name in ("H33.05-dms", "H33.16-dms"):
        (folder / f"keys/{name}.pem").chmod(0o600)
    assert lgsp("-C", folder, "apply").status == 0
    return folder


@pytest.fixture
def empty(postgres_server: str) -> Iterator[str]:
    """The address of a database without a table."""
    name = f"lgsp_moved_{secrets.token_hex(6)}"
    databases.make(postgres_server, name)
    yield within(postgres_server, name)
    databases.drop(postgres_server, name)


@pytest.fixture
def password(empty: str, tmp_path: Path) -> tuple[str, Path]:
    """That address without its password, and a file that holds it."""
    parts = urlsplit(empty)
    file = tmp_path / "db.password"
    file.write_text(f"{parts.password or 'any'}\n", encoding="utf-8")
    return empty.replace(parts.netloc, f"{parts.username}@{parts.hostname}:{parts.port}"), file


def keep(folder: Path, count: int) -> set[str]:
    """Accept messages as if long judged, each readable but for its signature; answers their ids."""

    def a_letter(number: int) -> NewMessage:
        event = {
            **DOCUMENT,
            "id": a_key(number),
            "type": "document.issued",
            "source": SENDER,
            "subject": "x",
            "data": {},
        }
        parts = (b'{"typ":"ce+jws","alg":"EdDSA"}', json.dumps(event).encode(), b"0" * 64)
        envelope = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        return a_message(number, envelope=envelope, id=a_key(number), accepted_at=time.time() - 60)

    async def work() -> None:
        ledger = SqliteLedger(folder / "var/lgsp.db")
        await ledger.open()
        await ledger.accept_many([a_letter(number) for number in range(count)])
        await ledger.close()

    asyncio.run(work())
    return {a_key(number) for number in range(count)}


def tables_of(url: str) -> list[str]:
    """The tables in a database."""

    async def asked() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            return [row[0] for row in rows]
        finally:
            await connection.close()

    return databases.in_a_loop_of_its_own(asked)


def killed(folder: Path, url: str, kill_at: str) -> None:
    """Move until the process is killed at that point."""
    command = [sys.executable, "-m", "gateway", "-C", str(folder), "migrate-store", OLD, url]
    environment = {**os.environ, "LGSP_KILL_AT": kill_at}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_province_moves_and_its_gateway_goes_on_from_the_new_store(folder: Path, empty: str) -> None:
    url = at_a_free_port(folder)
    with living(folder, url):
        town = Town(folder, url)
        first, second = town.sent(), town.sent()
        shown = lgsp("-C", folder, "migrate-store", OLD, empty)
        assert shown.status == 1
        assert "đang dùng kho này" in shown.err
    kept = keep(folder, MANY)

    for kill_at in ("relocate.page-kept:2", "relocate.page-written:4", "relocate.page-kept:3"):
        killed(folder, empty, kill_at)
    shown = lgsp("-C", folder, "migrate-store", OLD, empty, "--json")

    assert (shown.status, shown.json["result"]) == (0, "moved"), shown
    tables = shown.json["tables"]
    assert all(each["from"] == each["to"] for each in tables.values())
    assert (tables["messages"]["to"][0], tables["deliveries"]["to"][0]) == (MANY + 2, MANY + 2)
    assert (urlsplit(empty).password or "no password") not in shown.out + shown.err

    stopped = lgsp("-C", folder, "status", first)
    assert stopped.status == 1
    assert "đã được chuyển sang postgresql://" in stopped.err

    edit(folder, "lgsp.toml", OLD, empty)
    with living(folder, url):
        third = town.sent()
        ids: list[str] = []
        while taken := town.taken():
            ids += [each["event"]["id"] for each in taken]
        assert len(ids) == len(set(ids))
        assert set(ids) == {*kept, first, second, third}
        assert town.status(first)["deliveries"][0]["state"] == "delivered"


def test_the_same_command_again_says_that_it_was_done(folder: Path, empty: str) -> None:
    assert lgsp("-C", folder, "migrate-store", OLD, empty).status == 0
    again = lgsp("-C", folder, "migrate-store", OLD, empty, "--json")
    assert (again.status, again.json["result"]) == (0, "moved-before")


def test_people_read_what_is_there_what_was_compared_and_what_comes_next(
    folder: Path, password: tuple[str, Path]
) -> None:
    keep(folder, 3)
    address, file = password
    address += "?application_name=moved"
    file = file.rename(folder / "keys/db.password").relative_to(folder)
    shown = lgsp("-C", folder, "migrate-store", OLD, address, "--password-file", file)
    assert shown.status == 0
    assert "Rời sqlite:var/lgsp.db: 3 thông điệp, 3 lượt chuyển." in shown.out
    assert "✓ messages" in shown.out
    assert "mọi dòng ở hai bên giống nhau" in shown.out
    assert f'[store] url = "{address}"' in shown.out


def test_a_dry_run_writes_nothing_on_either_side(folder: Path, empty: str) -> None:
    keep(folder, 1)
    lgsp("-C", folder, "migrate-store", OLD, empty, "--dry-run")  # the file leaves its write-ahead log
    before = snapshot(folder)
    shown = lgsp("-C", folder, "migrate-store", OLD, empty, "--dry-run", "--json")
    assert (shown.status, shown.json["result"], shown.json["messages"]) == (0, "possible", 1)
    assert snapshot(folder) == before
    assert tables_of(empty) == []


def test_a_database_of_another_province_is_left_alone(folder: Path, postgres_url: str, tmp_path: Path) -> None:
    other = a_province(tmp_path / "khac")
    edit(other, "lgsp.toml", OLD, postgres_url)
    assert lgsp("-C", other, "apply").status == 0

    shown = lgsp("-C", folder, "migrate-store", OLD, postgres_url)
    assert shown.status == 1
    assert "đã có một sổ khác" in shown.err
    assert "createdb" in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mysql://x/y", OLD), "FROM không phải địa chỉ một kho"),
        ((OLD, "var/lgsp.db"), "TO không phải địa chỉ một kho"),
        ((OLD, OLD), "FROM và TO là một"),
    ],
)
def test_what_is_no_move_is_wrong_usage(folder: Path, arguments: tuple[str, str], said: str) -> None:
    shown = lgsp("-C", folder, "migrate-store", *arguments)
    assert (shown.status, said in shown.err) == (2, True)


def test_a_ledger_that_is_not_there_is_told(folder: Path, empty: str) -> None:
    shown = lgsp("-C", folder, "migrate-store", "sqlite:var/khac.db", empty)
    assert shown.status == 1
    assert "không có kho dữ liệu" in shown.err
