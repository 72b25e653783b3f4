"""The drill: a cluster is backed up while it works, everything is deleted, and it is there again and goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event
from gateway.core.envelope import seal
from gateway.core.faults import Misconfigured
from gateway.ports import HeldFile
from gateway.store.files import Files
from gateway.store.postgres.backfills import backfills_of
from gateway.store.postgres.copies import PostgresCopies
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.replays import failures_and_replays
from tests.build import SENDER, a_message
from tests.busy import keep_busy
from tests.cli.desk import ROOT, lgsp
from tests.cli.living import at_a_free_port, living
from tests.cli.test_story import DOCUMENT
from tests.deploy.reading import program
from tests.province import a_province, edit
from tests.servers import databases
from tests.servers.bucket import PrivateBucket
from tests.servers.sharing import within

SCAN = b"%PDF-1.7 made up\n" * 5000
SENDS, TAKES = "H33.05/dms", "H33.16/dms"
#: What a restore itself writes: leases are given back as attempts that lapsed, the journal tells of it.
RESTORED = {"deliveries", "attempts", "journal"}


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    program("pg_dump", "postgresql-client")


@pytest.fixture
def folder(tmp_path: Path, postgres_url: str) -> Path:
    """A province whose ledger is an empty one on PostgreSQL, its password in a file of its own."""
    folder = a_province(tmp_path / "tinh")
    account, _, place = postgres_url.partition("://")[2].rpartition("@")
    user, _, password = account.partition(":")
    url, file = f"postgresql://{user}@{place}", ""
    if password:
        (folder / "keys/store.password").write_text(password)
        file = '\npassword_file = "keys/store.password"'
    edit(folder, "lgsp.toml", 'url = "sqlite:var/lgsp.db"', f'url = "{url}"{file}')
    return folder


@pytest.fixture
def empty_url(postgres_url: str, postgres_server: str) -> Iterator[str]:
    """Another database on the same server, with nothing in it."""
    name = f"{postgres_url.rpartition('/')[2].partition('?')[0]}_empty"
    databases.make(postgres_server, name)
    yield within(postgres_server, name)
    databases.drop(postgres_server, name)


def lost(postgres_url: str, postgres_server: str, folder: Path) -> None:
    """Everything is gone; an administrator has made a new, empty database of the same name."""
    name = postgres_url.rpartition("/")[2].partition("?")[0]
    databases.drop(postgres_server, name)
    databases.make(postgres_server, name)
    shutil.rmtree(folder)


async def rows(url: str) -> dict[str, set[str]]:
    """Every row of every table, as text, without what only those know that run now."""
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
        return {
            name: {row for (row,) in await connection.fetch(f'SELECT t::text FROM "{name}" t')}  # noqa: S608
            for (name,) in names
            if name not in {"peers", "meta"}
        }
    finally:
        await connection.close()


async def one_chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def keep_file(url: str, folder: Path, content: bytes = SCAN) -> str:
    """A file in the spool that the sender may name; answers its SHA-256."""
    ledger, spool = PostgresLedger(url), Files(folder / "var/files")
    await ledger.open()
    sha256, size = await spool.put(one_chunk(content), limit=2**30)
    held = HeldFile(sha256, size, "application/pdf")
    assert await ledger.grant_file(held, SENDER, at=time.time(), is_present=spool.is_present)
    await ledger.close()
    return sha256


async def fill(url: str, folder: Path) -> None:
    """Something in every table, a delivery in every state, a message that names a file which is there."""
    ledger = PostgresLedger(url)
    await ledger.open()
    failures, replays = failures_and_replays(ledger)
    await keep_busy(ledger, failures, replays, backfills_of(ledger))
    sha256 = await keep_file(url, folder)
    await ledger.accept_many([a_message("with a scan", files=(sha256,), to=(TAKES,))])
    await ledger.close()


def test_what_was_in_every_state_is_there_again_row_by_row_and_file_by_file(
    folder: Path, postgres_url: str, postgres_server: str, tmp_path: Path
) -> None:
    asyncio.run(fill(postgres_url, folder))
    before = asyncio.run(rows(postgres_url))
    states = {row.rstrip(")").split(",")[-3] for row in before["deliveries"]}
    assert {"queued", "leased", "held", "blocked", "dead"} <= states
    made = lgsp("-C", folder, "backup", tmp_path / "cum.tar", "--json")
    # The busy ledger names one file that never was: that is told, and the rest is saved.
    assert (made.status, made.json["result"], len(made.json["missing"])) == (1, "incomplete", 1)

    lost(postgres_url, postgres_server, folder)
    restored = lgsp("restore", tmp_path / "cum.tar", folder, "--json")

    assert restored.status == 0, restored.err
    assert restored.json["leases_given_back"] == sum("leased" in row for row in before["deliveries"])
    after = asyncio.run(rows(postgres_url))
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == RESTORED
    assert before["journal"] < after["journal"]
    assert before["attempts"] < after["attempts"]
    assert {row for row in before["deliveries"] if "leased" not in row} <= after["deliveries"]
    spool = Files(folder / "var/files")
    assert spool.path(hashlib.sha256(SCAN).hexdigest()).read_bytes() == SCAN
    assert (folder / "keys/gateway.pem").stat().st_mode & 0o777 == 0o600


class Traffic:
    """Messages that a system sends over HTTP, each with its receipt, some naming a file."""

    def __init__(self, folder: Path, url: str, sha256: str) -> None:
        self._signer = read_signer(*find_files(folder / "keys", SENDS))
        self._url = url
        self._file = {"name": "cv.pdf", "mediaType": "application/pdf", "size": len(SCAN), "sha256": sha256}
        self.sent: dict[str, bytes] = {}
        self.receipts: dict[str, str] = {}

    async def send(self, bus: Bus, count: int) -> None:
        """So many messages, side by side, over seven lanes."""
        await asyncio.gather(*(self._one(bus, n) for n in range(count)))

    async def _one(self, bus: Bus, number: int) -> None:
        event = make_event(
            id=str(uuid.uuid4()), source=SENDS, contract="document.issued", version="1.0",
            subject=f"lane {number % 7}", now=time.time(), extensions={"to": "H33.16"},
            data={**DOCUMENT, "files": [self._file]} if number % 2 else DOCUMENT,
        )  # fmt: skip
        envelope = seal(event, self._signer)
        answer = await bus.send(envelope)
        self.sent[str(answer["id"])] = envelope
        self.receipts[str(answer["id"])] = str(answer["receipt"])

    async def during(self, command: list[str]) -> tuple[dict[str, Any], set[str]]:
        """Send while a command runs; answers what it told, and what had its receipt before it began."""
        async with Bus.reach(self._url) as bus:
            await self.send(bus, 60)
            before = set(self.receipts)
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
            ended = asyncio.create_task(process.communicate())
            while not ended.done():
                await self.send(bus, 5)
            told: dict[str, Any] = json.loads((await ended)[0])
        return told, before

    async def send_all_again(self) -> dict[str, str]:
        """Everything once more as it was, by id: the receipts."""
        async with Bus.reach(self._url) as bus:
            answers = await asyncio.gather(*map(bus.send, self.sent.values()))
        return {str(answer["id"]): str(answer["receipt"]) for answer in answers}


def take(folder: Path, most: int) -> list[str]:
    """What the recipient fetches and takes: the ids."""
    taken = lgsp("-C", folder, "inbox", "--as", TAKES, "--take", "--max", str(most), "--json")
    assert taken.status == 0, taken.err
    return [json.loads(line)["event"]["id"] for line in taken.out.splitlines()]


def take_all(folder: Path) -> list[str]:
    """The same until nothing waits any more."""
    taken: list[str] = []
    while some := take(folder, 500):
        taken += some
    return taken


def test_after_losing_everything_each_acknowledged_message_is_there_and_is_delivered(
    folder: Path, postgres_url: str, postgres_server: str, tmp_path: Path
) -> None:
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    sha256 = asyncio.run(keep_file(postgres_url, folder))
    traffic = Traffic(folder, url, sha256)
    archive = tmp_path / "cum.tar"
    with living(folder, url) as alive:
        command = [sys.executable, "-m", "gateway", "-C", str(folder), "backup", str(archive), "--json"]
        saved, before = asyncio.run(traffic.during(command))
        take(folder, 20)
        alive.kill()
    assert (saved["result"], saved["missing"]) == ("saved", [])
    assert len(before) <= saved["cut"]["messages"] <= len(traffic.receipts)
    assert len(traffic.receipts) > len(before), "it took messages while it was copied"

    lost(postgres_url, postgres_server, folder)
    restored = lgsp("restore", archive, folder, "--json")
    assert restored.status == 0, restored.err

    with living(folder, url):
        taken = take_all(folder)
        assert before <= set(taken), "what was acknowledged before the backup is there, and goes on"
        assert len(set(taken)) == len(taken) == saved["cut"]["messages"], "each once, also what was taken since"
        # As the book says: senders send again, as it was, what they have a receipt for.
        again = asyncio.run(traffic.send_all_again())
        assert {sent: again[sent] for sent in taken} == {sent: traffic.receipts[sent] for sent in taken}
        assert set(take_all(folder)) == traffic.receipts.keys() - set(taken), "what the ledger lost, and nothing twice"
        shown = lgsp("-C", folder, "status", taken[0], "--json")
        assert [each["state"] for each in shown.json["deliveries"]] == ["delivered"]
    held = Files(folder / "var/files").path(sha256).read_bytes()
    assert hashlib.sha256(held).hexdigest() == sha256


def test_files_that_lie_in_storage_are_in_the_archive_and_go_back_there(
    folder: Path, postgres_url: str, postgres_server: str, tmp_path: Path
) -> None:
    sha256 = asyncio.run(keep_file(postgres_url, folder))
    where = f"tinh/{sha256[:2]}/{sha256[2:4]}/{sha256}"
    with PrivateBucket() as storage:
        (folder / "keys/files.key").write_text(f"{storage.key}\n{storage.secret}\n")
        told = f'url = "s3://{storage.name}/tinh"\nendpoint = "{storage.endpoint}"\nkey_file = "keys/files.key"'
        edit(folder, "lgsp.toml", 'folder = "var/files"', f'folder = "var/files"\n{told}')
        storage.objects[where] = SCAN
        assert lgsp("-C", folder, "backup", tmp_path / "cum.tar").status == 0
        lost(postgres_url, postgres_server, folder)
        storage.objects.clear()

        restored = lgsp("restore", tmp_path / "cum.tar", folder)

        assert restored.status == 0, restored.err
        assert storage.objects == {where: SCAN}


def test_a_database_that_is_not_empty_is_left_alone(folder: Path, postgres_url: str, tmp_path: Path) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    assert lgsp("-C", folder, "backup", tmp_path / "cum.tar").status == 0
    before = asyncio.run(rows(postgres_url))

    refused = lgsp("restore", tmp_path / "cum.tar", tmp_path / "moi")

    assert refused.status == 1
    assert "không trống" in refused.err
    assert "ALTER DATABASE" in refused.err
    assert not (tmp_path / "moi").exists()
    assert asyncio.run(rows(postgres_url)) == before


def test_a_copy_that_cannot_be_put_back_changes_nothing(
    folder: Path, postgres_url: str, empty_url: str, tmp_path: Path
) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    assert lgsp("-C", folder, "backup", tmp_path / "cum.tar").status == 0
    dump = tmp_path / "lgsp.dump"
    with tarfile.open(tmp_path / "cum.tar") as tar:
        dump.write_bytes(tar.extractfile("store/lgsp.dump").read())  # type: ignore[union-attr]
    dump.write_bytes(dump.read_bytes()[:-2000])

    with pytest.raises(Misconfigured, match="pg_restore"):
        PostgresCopies(empty_url).put_back(dump)
    assert asyncio.run(rows(empty_url)) == {}


def test_another_server_may_be_named_and_no_password_is_told(
    folder: Path, postgres_url: str, empty_url: str, tmp_path: Path
) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    made = lgsp("-C", folder, "backup", tmp_path / "cum.tar", "--without-keys", "--store", postgres_url)
    with tarfile.open(tmp_path / "cum.tar") as tar:
        assert not [name for name in tar.getnames() if name.endswith((".pem", ".password"))]

    restored = lgsp("restore", tmp_path / "cum.tar", tmp_path / "moi", "--store", empty_url)

    assert restored.status == 0, restored.err
    assert asyncio.run(rows(empty_url))["registry"] == asyncio.run(rows(postgres_url))["registry"]
    password = postgres_url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    assert not password or password not in made.out + made.err + restored.out + restored.err


@pytest.mark.parametrize(
    "url", ["postgresql://lgsp:b%40t@db/lgsp?ssl=on", "postgresql://lgsp@db/lgsp?password=b%40t&ssl=on"]
)
def test_a_password_stands_on_no_command_line_wherever_the_url_has_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "pg_dump"
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/line\nprintf %s "$PGPASSWORD" > {tmp_path}/password\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    asyncio.run(PostgresCopies(url)._run("pg_dump"))

    assert (tmp_path / "line").read_text().split() == ["--no-password", "--dbname=postgresql://lgsp@db/lgsp?ssl=on"]
    assert (tmp_path / "password").read_text() == "b@t"


def test_behind_pgbouncer_the_server_itself_is_asked_for(folder: Path, postgres_url: str, tmp_path: Path) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    edit(folder, "lgsp.toml", "[broker]", "pgbouncer = true\n\n[broker]")
    refused = lgsp("-C", folder, "backup", tmp_path / "cum.tar")
    assert refused.status == 1
    assert "--store postgresql://" in refused.err
    assert lgsp("-C", folder, "backup", tmp_path / "cum.tar", "--store", postgres_url).status == 0


def test_a_store_of_another_kind_is_refused(folder: Path, postgres_url: str, tmp_path: Path) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    assert lgsp("-C", folder, "backup", tmp_path / "cum.tar").status == 0
    refused = lgsp("restore", tmp_path / "cum.tar", tmp_path / "moi", "--store", "sqlite:var/lgsp.db")
    assert refused.status == 1
    assert "migrate-store" in refused.err
    assert not (tmp_path / "moi").exists()


def test_where_the_tools_are_missing_the_administrator_is_told_which(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = lgsp("-C", folder, "backup", tmp_path / "cum.tar")
    assert refused.status == 1
    assert "apt install postgresql-client" in refused.err
    assert not (tmp_path / "cum.tar").exists()
