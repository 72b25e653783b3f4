"""An operator reconciles a day at the command line: both sides, a table, what is missing, and sent again."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.compose import open_ledger
from gateway.config.settings import read_settings
from gateway.core.delivery import Delivered
from gateway.core.moments import day_of
from gateway.core.reconciliation import bounds_of
from gateway.ports import Attempt, Change
from tests.build import a_message
from tests.cli.desk import lgsp
from tests.province import a_province

YESTERDAY = day_of(time.time()) - timedelta(days=1)
THERE = "H33.16/dms"


class Desk:
    """A province in which three documents were handed over yesterday."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids: list[str] = []

    def lgsp(self, *arguments: str | Path, status: int = 0) -> Any:
        ended = lgsp("-C", self.folder, "reconcile", *arguments, "--json")
        assert ended.status == status, ended.err
        return ended.json

    def table(self, *ids: str) -> Path:
        file = self.folder.parent / "nhan.csv"
        file.write_text("id\n" + "".join(f"{each}\n" for each in ids), encoding="utf-8")
        return file

    async def hand_over(self) -> None:
        """What a gateway would have done yesterday at noon."""
        noon = bounds_of(YESTERDAY)[0] + 12 * 3600
        ledger = open_ledger(read_settings(self.folder))
        await ledger.open()
        await ledger.accept_many(
            [a_message(n, subject=f"s{n}", accepted_at=noon, source="H33.05/dms", to=(THERE,)) for n in range(3)]
        )
        claims = await ledger.claim({THERE: 9}, owner="one", now=noon, until=noon + 30)
        changes = [
            Change(each.delivery, each.delivery.after(Delivered()), Attempt(1, noon, noon + 1, "taken", 204))
            for each in claims
        ]
        assert all(await ledger.record_many(changes, now=noon))
        self.ids = [each.delivery.message for each in claims]
        await ledger.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = a_province(tmp_path / "tinh")
    assert lgsp("-C", folder, "apply").status == 0
    made = Desk(folder)
    asyncio.run(made.hand_over())
    return made


def day(of: date = YESTERDAY) -> tuple[str, ...]:
    return "--system", THERE, "--day", of.isoformat()


def test_a_table_that_lists_everything_is_the_same(desk: Desk) -> None:
    (judged,) = desk.lgsp("compare", desk.table(*desk.ids), *day())["manifests"]
    assert judged["same"]
    assert desk.lgsp("list") == {"gaps": []}
    shown = desk.lgsp("show", "--day", YESTERDAY.isoformat(), "--system", THERE)
    assert {each["side"]: each["count"] for each in shown["manifests"]} == {"bus": 3, "system": 3}


def test_what_the_table_lacks_is_named_seen_and_sent_again_once(desk: Desk) -> None:
    gone, *rest = desk.ids
    (judged,) = desk.lgsp("compare", desk.table(*rest), *day(), status=1)["manifests"]
    assert [(each["kind"], each["id"]) for each in judged["gaps"]] == [("lost", gone)]
    assert [each["id"] for each in desk.lgsp("list", "--kind", "lost")["gaps"]] == [gone]
    seen = desk.lgsp("replay-missing", *day(), "--dry-run")
    assert seen["ids"] == [gone]
    made = desk.lgsp("replay-missing", *day(), "--reason", "mất ổ đĩa")
    assert made["operation"]
    desk.lgsp("replay-missing", *day(), "--reason", "lần nữa", status=1)
    with sqlite3.connect(read_settings(desk.folder).store_path) as connection:
        assert connection.execute("SELECT count(*) FROM replay_items").fetchone() == (1,)


def test_it_speaks_both_languages_and_says_who_does_what(desk: Desk) -> None:
    desk.lgsp("compare", desk.table(*desk.ids[1:]), *day(), status=1)
    told = lgsp("-C", desk.folder, "reconcile", "list")
    assert "người vận hành gửi lại bằng replay-missing" in told.out
    told = lgsp("-C", desk.folder, "--lang", "en", "reconcile", "list")
    assert "no trace at the receiver" in told.out
    assert "delivered 3" in lgsp("-C", desk.folder, "--lang", "en", "reconcile", "show").out


def test_wrong_usage_is_told(desk: Desk) -> None:
    for arguments in (
        ("compare", str(desk.table()), "--system", "H33.99/x"), ("show", "--day", "hôm qua"),
        ("replay-missing", "--system", THERE),
    ):  # fmt: skip
        assert lgsp("-C", desk.folder, "reconcile", *arguments).status == 2
