"""A database of any release opens with today's program and loses nothing; there is no way back but the backup."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from gateway.core.delivery import Delivered, Replayed, State
from gateway.ports import Accepted, Change
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.migrations import migrations
from tests.build import MORNING, RECIPIENT, SENDER, a_message
from tests.cli.desk import lgsp
from tests.province import a_province
from tests.vectors.schema.make import FILE, HELD

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "schema"
FROZEN = sorted(FOLDER.glob("step-*.sql"))
NOW = MORNING + 3600


@pytest.fixture(params=FROZEN, ids=lambda path: path.stem)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A database as a release left it."""
    path = tmp_path / "lgsp.db"
    load(request.param, path)
    return path


def load(frozen: Path, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(frozen.read_text("utf-8"))


def step_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT max(number) FROM schema_versions").fetchone()[0])


def shape_of(path: Path) -> dict[str, object]:
    """Tables with their columns, indexes and triggers with their words."""

    def columns(connection: sqlite3.Connection, table: str) -> set[tuple[str, ...]]:
        return {tuple(map(str, row[1:])) for row in connection.execute(f"PRAGMA table_info({table})")}

    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        return {
            f"{kind} {name}": columns(connection, name) if kind == "table" else re.sub(r"\s+", " ", sql)
            for kind, name, sql in rows
        }


async def opened(path: Path) -> SqliteLedger:
    ledger = SqliteLedger(path)
    await ledger.open()
    return ledger


def test_what_is_frozen_are_steps_of_this_program_from_the_first_on() -> None:
    numbers = [int(path.stem.removeprefix("step-")) for path in FROZEN]
    assert numbers
    assert numbers == [step.number for step in migrations()][: len(numbers)]


async def test_it_is_upgraded_to_the_very_shape_of_a_new_one(released: Path, tmp_path: Path) -> None:
    await (await opened(released)).close()
    await (await opened(tmp_path / "new.db")).close()

    assert step_of(released) == len(migrations())
    assert shape_of(released) == shape_of(tmp_path / "new.db")


async def test_every_message_is_there_as_it_was(released: Path) -> None:
    ledger = await opened(released)
    states = {}
    for number in range(1, 7):
        record = await ledger.find(a_message(number).key)
        assert record is not None
        assert record.receipt == a_message(number).receipt
        assert await ledger.envelope(record.key) == a_message(number).envelope
        states[number] = record.deliveries[0].delivery.state.value
    assert states == {1: "delivered", 2: "dead", 3: "blocked", 4: "leased", 5: "queued", 6: "held"}
    record = await ledger.find(a_message(1).key)
    assert record is not None
    (kept,) = record.deliveries
    assert [attempt.outcome for attempt in kept.attempts] == ["taken"]
    assert kept.proof == b"proof"
    assert set(await ledger.holds()) == {HELD}
    assert await ledger.may_read_file(FILE.sha256, SENDER) == FILE
    version, rows = await ledger.registry()
    assert (version, [row.key for row in rows]) == (1, ["mau"])
    audits = [json.loads(body)["audit"] for _, kind, body in await ledger.journal(limit=100) if kind == "audit"]
    assert audits == ["operator.added", "destination.held"]
    await ledger.close()


async def test_a_repeat_of_before_the_upgrade_gets_its_first_answer(released: Path) -> None:
    ledger = await opened(released)
    (answer,) = await ledger.accept_many([a_message(1)])
    assert answer == Accepted(a_message(1).id, a_message(1).recipients, a_message(1).receipt, repeated=True)
    await ledger.close()


async def test_what_was_under_way_goes_on_in_its_order(released: Path) -> None:
    ledger = await opened(released)
    await ledger.lapse(NOW)
    record = await ledger.find(a_message(2).key)
    assert record is not None
    dead = record.deliveries[0].delivery
    assert await ledger.record_many([Change(dead, dead.after(Replayed(NOW)))], now=NOW) == [True]
    taken = []
    while claims := await ledger.claim({RECIPIENT: 9}, owner="push", now=NOW, until=NOW + 28):
        taken += [claim.delivery.message for claim in claims]
        changes = [Change(claim.delivery, claim.delivery.after(Delivered())) for claim in claims]
        assert await ledger.record_many(changes, now=NOW) == [True] * len(changes)
    assert set(taken) == {a_message(number).key for number in (2, 3, 4, 5)}
    assert taken.index(a_message(2).key) < taken.index(a_message(3).key)
    assert {delivery.state for delivery in await ledger.deliveries(recipient=RECIPIENT)} == {State.DELIVERED}
    await ledger.close()


@pytest.fixture
def province(released: Path, tmp_path: Path) -> Path:
    """A province whose database is of that release."""
    folder = a_province(tmp_path / "tinh")
    (folder / "var").mkdir(exist_ok=True)
    released.rename(folder / "var/lgsp.db")
    return folder


def test_the_backup_from_before_the_upgrade_is_of_the_old_step_and_comes_back_upgraded(
    province: Path, tmp_path: Path
) -> None:
    before = step_of(province / "var/lgsp.db")
    shown = lgsp("-C", province, "backup", tmp_path / "b.tar")
    assert "MISSING" not in shown.err
    with tarfile.open(tmp_path / "b.tar") as tar:
        head = json.loads((tar.extractfile("backup.json") or io.BytesIO()).read())
    assert head["schema"] == step_of(province / "var/lgsp.db") == before

    assert lgsp("restore", tmp_path / "b.tar", tmp_path / "moi").status == 0
    assert step_of(tmp_path / "moi/var/lgsp.db") == len(migrations())

    async def known() -> object:
        ledger = await opened(tmp_path / "moi/var/lgsp.db")
        try:
            return await ledger.find(a_message(5).key)
        finally:
            await ledger.close()

    assert asyncio.run(known()) is not None


def test_doctor_asks_for_a_backup_before_the_program_upgrades_the_database(province: Path) -> None:
    before = step_of(province / "var/lgsp.db")
    found = [
        each
        for each in lgsp("-C", province, "doctor", "--passive", "--json").json["findings"]
        if each["check"] == "database" and each["severity"] == "warning"
    ]
    asks = [each["do"]["vi"] for each in found if "lgsp backup" in each["do"]["vi"]]
    assert len(asks) == (1 if before < len(migrations()) else 0)
    assert step_of(province / "var/lgsp.db") == before, "looking upgrades nothing"
