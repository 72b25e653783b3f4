"""Who asked what of whom, at the command line: found by the person's mark, exported for the law, counted a month."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from gateway.config.keys import new_key_pem
from gateway.config.settings import read_settings
from gateway.core.moments import VIET_NAM
from gateway.core.query import mark_of
from gateway.ports import AuditRow
from gateway.ports.queries import Asking, Outcome
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.queries import query_log_of
from gateway.trust.keyring import read_mark_key
from tests.build import a_digest
from tests.cli.desk import Ended, lgsp
from tests.province import a_province

PERSON, OTHER = "099912345678", "099900000000"
NOW = time.time()
Lgsp = Callable[..., Ended]


def asking(number: int, mark: str, **override: object) -> Asking:
    made = Asking(
        f"0193c0de-0000-7000-8000-{number:012d}", "H33.05/dms", "citizen.lookup", "1.0", "H33.16/dms",
        "giai-quyet-tthc", NOW - 60 + number, f"sha-256:{a_digest(str(number))}", mark, "mau.nv", "H33.05-261123-0001",
        ("TC",),
    )  # fmt: skip
    return replace(made, **override)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A province in which three people's data was asked for, one of them under a webhook key that was changed since."""
    folder = a_province(tmp_path / "province")
    assert lgsp("-C", folder, "apply").status == 0
    settings = read_settings(folder)
    old = folder / "keys/webhook-old.pem"
    shutil.copy(settings.webhook_key, old)
    settings.webhook_key.write_bytes(new_key_pem()[1])
    earlier, key = read_mark_key(old, "old"), read_mark_key(settings.webhook_key, "new")
    asyncio.run(
        keep(
            folder,
            (asking(1, mark_of(PERSON, earlier), officer="=cmd()"), "answered"),
            (asking(2, mark_of(PERSON, key)), "answered"),
            (asking(3, mark_of(OTHER, key)), "failed"),
            (asking(4, mark_of(OTHER, key), source="H33.16/dms", provider="H33.05/dms"), "empty"),
        )
    )
    return folder


@pytest.fixture
def desk(folder: Path) -> Lgsp:
    return lambda *arguments: lgsp("-C", folder, *arguments)


async def keep(folder: Path, *asked: tuple[Asking, Outcome]) -> None:
    ledger = SqliteLedger(read_settings(folder).store_path)
    await ledger.open()
    log = query_log_of(ledger)
    for each, outcome in asked:
        await log.begin(each, until=each.asked_at + 20)
        audit = AuditRow(each.asked_at + 1, each.source, f"query.{outcome}", {})
        answer = f"sha-256:{a_digest('a')}" if outcome == "answered" else None
        await log.end(each.key, outcome, at=each.asked_at + 1, answer=answer, audit=audit)
    await ledger.close()


async def audited(folder: Path) -> list[dict[str, object]]:
    ledger = SqliteLedger(read_settings(folder).store_path)
    await ledger.open()
    rows = [json.loads(body) for _, kind, body in await ledger.journal(limit=1000) if kind == "audit"]
    await ledger.close()
    return rows


def lines(ended: Ended) -> list[dict[str, object]]:
    assert ended.status == 0, ended.err
    return [json.loads(each) for each in ended.out.splitlines()]


def numbers(ended: Ended) -> list[int]:
    return [int(str(each["id"])[-12:]) for each in lines(ended)]


def test_queries_are_listed_the_youngest_first_and_narrowed(desk: Lgsp) -> None:
    assert numbers(desk("queries", "list", "--json")) == [4, 3, 2, 1]
    assert numbers(desk("queries", "list", "--json", "--limit", "2")) == [4, 3]
    assert numbers(desk("queries", "list", "--json", "--source", "H33.16/dms")) == [4]
    assert numbers(desk("queries", "list", "--json", "--provider", "H33.16/dms", "--outcome", "failed")) == [3]
    assert numbers(desk("queries", "list", "--json", "--until", "2d")) == []
    assert "Không có truy vấn nào như vậy." in desk("queries", "list", "--until", "2d").out
    assert "asked H33.16/dms citizen.lookup; dossier H33.05-261123-0001" in desk("--lang", "en", "queries", "list").out


async def test_who_looked_at_a_person_is_found_by_the_mark_and_the_look_is_on_record(folder: Path) -> None:
    shown = await asyncio.to_thread(lgsp, "-C", folder, "queries", "who", f" {PERSON} ", "--json")
    assert numbers(shown) == [2]
    assert lines(shown)[0] | {} == {**lines(shown)[0], "officer": "mau.nv", "source": "H33.05/dms"}
    row = [each for each in await audited(folder) if each["audit"] == "query.looked-up"][-1]
    details = row["details"]
    assert isinstance(details, dict)
    assert str(row["actor"]).startswith("cli:")
    assert details["mark"] == lines(shown)[0]["mark"]
    assert PERSON not in json.dumps(await audited(folder))


def test_a_mark_under_an_older_key_is_found_with_that_key(desk: Lgsp, folder: Path) -> None:
    assert numbers(desk("queries", "who", PERSON, "--key", folder / "keys/webhook-old.pem", "--json")) == [1]
    wrong = desk("queries", "who", PERSON, "--key", folder / "keys/none.pem", "--json")
    assert wrong.status == 1


def test_the_log_of_the_law_has_a_row_for_each_and_no_formula(desk: Lgsp) -> None:
    rows = list(csv.DictReader(io.StringIO(desk("queries", "export", "--since", "1d").out)))
    assert len(rows) == 4
    answered = rows[2]
    assert (answered["requester_agency"], answered["requester_app"], answered["officer"]) == ("H33.05", "dms", "mau.nv")
    assert (answered["contract"], answered["purpose"], answered["agreements"]) == (
        "citizen.lookup/1.0", "giai-quyet-tthc", "TC",
    )  # fmt: skip
    assert (answered["reply_status"], answered["reply_digest"][:8]) == ("answered", "sha-256:")
    assert rows[3]["officer"] == "'=cmd()"
    as_json = lines(desk("queries", "export", "--since", "1d", "--format", "json"))
    assert [each["request_id"] for each in as_json] == [each["request_id"] for each in rows]
    assert as_json[3]["officer"] == "=cmd()"


def test_look_ups_are_counted_by_agency_for_a_month(desk: Lgsp) -> None:
    month = datetime.fromtimestamp(NOW - 60, tz=VIET_NAM).strftime("%Y-%m")
    counts = desk("queries", "count", "--month", month, "--json").json["counts"]
    asked = {(each["agency"], each["provider"]): (each["asked"], each["answered"], each["failed"]) for each in counts}
    assert asked == {("H33.05", "H33.16"): (3, 2, 1), ("H33.16", "H33.05"): (1, 0, 0)}
    assert desk("queries", "count", "--month", "2026-13").status == 2
    assert "There is no query in 2020-01." in desk("--lang", "en", "queries", "count", "--month", "2020-01").out
