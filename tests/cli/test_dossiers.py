"""Where dossiers stand, at the command line: in words for people, as JSON for programs, without anybody's name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config.settings import read_settings
from gateway.core.dossiers.event import Hop
from gateway.core.moments import VIET_NAM
from gateway.ports import NewMessage
from gateway.store.sqlite.ledger import SqliteLedger
from tests.api.hall import conforms
from tests.cli.desk import Ended, lgsp
from tests.province import a_province
from tests.told import CODE, LEAD, NEXT, a_telling, an_event

Lgsp = Callable[..., Ended]
DAY = 86400.0
NOW = time.time()
OPEN, DONE = "H33.16-261012-0008", "H33.05-261012-0001"


@pytest.fixture
def at_the_desk(tmp_path: Path) -> Lgsp:
    """``lgsp dossiers`` in a province with three dossiers: one late with a late hop, one in time, one done."""
    folder = tmp_path / "province"
    a_province(folder)
    assert lgsp("-C", folder, "apply").status == 0
    began = NOW - 10 * DAY
    events = [
        an_event(status=2, said_at=began, sent_at=began, due=NOW - 3 * DAY, channel="online", received_at=began),
        an_event("forwarded", said_at=began + 60, sent_at=began + 60, hop=Hop(1, LEAD, NEXT, NOW - 5 * DAY)),
        an_event("progressed", status=4, said_at=began + 90, sent_at=began + 90),
        an_event("progressed", status=1, said_at=began + 95, sent_at=began + 95),
        an_event(code=OPEN, status=2, said_at=NOW - 60, sent_at=NOW - 60, due=NOW + 90 * DAY, received_at=NOW - 60),
        an_event(code=DONE, status=2, agency=NEXT, said_at=NOW - 60, sent_at=NOW - 60, received_at=NOW - 60),
        an_event("result-issued", code=DONE, status=9, agency=NEXT, said_at=NOW - 5, sent_at=NOW - 5, has_result=True),
    ]
    asyncio.run(keep(folder, [a_telling(number, of=of) for number, of in enumerate(events)]))

    def run(*arguments: str) -> Ended:
        return lgsp("-C", folder, *arguments)

    return run


async def keep(folder: Path, messages: list[NewMessage]) -> None:
    ledger = SqliteLedger(read_settings(folder).store_path)
    await ledger.open()
    await ledger.accept_many([replace(message, deliveries=()) for message in messages])
    await ledger.close()


def shown(at_the_desk: Lgsp, *arguments: str) -> Any:
    ended = at_the_desk("dossiers", *arguments, "--json")
    assert ended.status == 0, ended.err
    return ended.json


def test_dossiers_are_listed_without_a_gateway_too(at_the_desk: Lgsp) -> None:
    every = shown(at_the_desk, "list")

    conforms("DossierPage", every)
    assert [each["code"] for each in every["dossiers"]] == [DONE, CODE, OPEN]
    assert [each["code"] for each in shown(at_the_desk, "list", "--lead", LEAD)["dossiers"]] == [CODE, OPEN]
    assert [each["code"] for each in shown(at_the_desk, "list", "--status", "9")["dossiers"]] == [DONE]
    page = shown(at_the_desk, "list", "--limit", "1", "--after", DONE)
    assert ([each["code"] for each in page["dossiers"]], page["next"]) == ([CODE], CODE)
    assert f"{DONE}  {NEXT}  9 Đã xử lý xong" in at_the_desk("dossiers", "list").out
    assert f"{DONE}  {NEXT}  9 Done" in at_the_desk("--lang", "en", "dossiers", "list").out


def test_one_is_shown_with_its_steps_its_parts_and_what_was_missed(at_the_desk: Lgsp) -> None:
    conforms("Dossier", shown(at_the_desk, "show", CODE.lower()))

    told = at_the_desk("dossiers", "show", CODE).out

    assert f"{CODE}  {LEAD}: Đang xử lý; hạn " in told
    assert "tiến độ → 1  (không thể theo sau trạng thái đang có)" in told
    assert f"chặng 1: {LEAD} → {NEXT}: hạn " in told
    assert "QUÁ HẠN" in told
    assert f"! {NEXT} lỡ hạn chặng 1" in told
    assert f"! {LEAD} lỡ hạn trả kết quả" in told
    assert "it owes an apology" in at_the_desk("--lang", "en", "dossiers", "show", CODE).out


def test_an_unknown_one_is_told_with_what_to_do(at_the_desk: Lgsp) -> None:
    ended = at_the_desk("dossiers", "show", "H33.16-261012-9999")

    assert ended.status == 1
    assert "Trục chưa thấy hồ sơ H33.16-261012-9999" in ended.err


def test_late_ones_are_listed_by_themselves(at_the_desk: Lgsp) -> None:
    assert [each["code"] for each in shown(at_the_desk, "overdue")["dossiers"]] == [CODE]
    assert "Không có hồ sơ nào như vậy" in at_the_desk("dossiers", "overdue", "--lead", NEXT).out


def test_a_month_is_a_table_that_adds_up(at_the_desk: Lgsp) -> None:
    month = datetime.fromtimestamp(NOW, VIET_NAM).strftime("%Y-%m")

    made = shown(at_the_desk, "table", "--month", month)

    assert [each["agency"] for each in made["tables"]] == [NEXT, LEAD]
    total = made["total"]
    assert total["received"] == 3 == total["done"] + total["pending"] + total["returned"] + total["waiting"]
    assert (total["done"], total["pending_overdue"]) == (1, 1)
    assert [each["agency"] for each in shown(at_the_desk, "table", "--month", month, "--agency", "h33.16")[
        "tables"
    ]] == [LEAD]  # fmt: skip
    assert "Tất cả, " in at_the_desk("dossiers", "table", "--month", month).out
    before = (datetime.fromtimestamp(NOW, VIET_NAM) - timedelta(400)).strftime("%Y-%m")
    assert (
        f"There is no dossier in {before}." in at_the_desk("--lang", "en", "dossiers", "table", "--month", before).out
    )
    for wrong in ("2026-13", "2026", "0000-01"):
        assert at_the_desk("dossiers", "table", "--month", wrong).status == 2
