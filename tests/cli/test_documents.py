"""What became of a document, at the command line: in words for people, as JSON for programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.config.settings import read_settings
from gateway.core.edxml.codelist import STATUS
from gateway.ports import NewMessage
from gateway.store.sqlite.documents import register_of
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, an_audit_row
from tests.cli.desk import Ended, lgsp
from tests.province import a_province
from tests.registered import ISSUER, KEY, ONE, OTHER, a_document, a_status, owed

Lgsp = Callable[..., Ended]


@pytest.fixture
def at_the_desk(tmp_path: Path) -> Lgsp:
    """``lgsp documents`` in a province that sent a document and its recall, and heard of another."""
    folder = tmp_path / "province"
    a_province(folder)
    assert lgsp("-C", folder, "apply").status == 0
    recall = a_document("recall", kind="recall", concerned=(KEY,), accepted_at=MORNING + 100)
    messages = [
        a_document(obligations=(owed(OTHER),)), a_status("03"), a_status("03", name="again"), recall,
        a_status("15", said_at=MORNING + 200, accepted_at=MORNING + 201), a_status("01", document="another", by=OTHER),
        a_status("06", document="given up", by=OTHER),
    ]  # fmt: skip
    asyncio.run(keep(folder, messages))

    def run(*arguments: str) -> Ended:
        return lgsp("-C", folder, *arguments)

    return run


async def keep_all(folder: Path, messages: list[NewMessage]) -> None:
    ledger = SqliteLedger(read_settings(folder).store_path)
    await ledger.open()
    await ledger.accept_many([replace(message, deliveries=()) for message in messages])
    await ledger.close()


async def keep(folder: Path, messages: list[NewMessage]) -> None:
    ledger = SqliteLedger(read_settings(folder).store_path)
    await ledger.open()
    await ledger.accept_many([replace(message, deliveries=()) for message in messages])
    register = register_of(ledger)
    given_up = [line.place for line in await register.parked() if line.entry.key == "given up"]
    assert await register.unpark(given_up, [an_audit_row("status.unmatched")])
    await ledger.close()


def shown(at_the_desk: Lgsp, *arguments: str) -> Any:
    ended = at_the_desk("documents", *arguments, "--json")
    assert ended.status == 0, ended.err
    return ended.json


def test_a_document_is_told_with_every_agency_and_every_answer(at_the_desk: Lgsp) -> None:
    told = at_the_desk("documents", "show", KEY)

    assert told.status == 0, told.err
    assert f"{KEY}\n  {ISSUER} ban hành; mỗi nơi một khác\n" in told.out
    assert f"  {ONE}: không rõ; 03 {STATUS['03'].vi}; đã thu hồi; 15 {STATUS['15'].vi}\n" in told.out
    assert f"  {OTHER}: không rõ; chưa báo trạng thái; còn nguyên\n" in told.out
    assert f"      thu hồi {KEY}: đồng ý (15)\n" in told.out
    assert f"      thu hồi {KEY}: chưa trả lời\n" in told.out
    assert told.out.count("(lặp lại)") == 1
    assert f"issued by {ISSUER}" in at_the_desk("--lang", "en", "documents", "show", KEY).out


def test_what_another_says_in_an_agencys_name_is_shown_as_its_word(tmp_path: Path) -> None:
    folder = tmp_path / "province"
    a_province(folder)
    assert lgsp("-C", folder, "apply").status == 0
    false: dict[str, Any] = {"source": "H33.20/dms", "is_vouched": False}
    recall = a_document("recall", kind="recall", concerned=(KEY,), **false)
    asyncio.run(keep_all(folder, [a_document(), a_status("06", **false), recall]))

    told = lgsp("-C", folder, "documents", "show", KEY).out
    english = lgsp("-C", folder, "--lang", "en", "documents", "show", KEY).out
    listed = lgsp("-C", folder, "documents", "list", ISSUER).out

    assert f"  {ONE}: không rõ; chưa báo trạng thái; còn nguyên\n" in told
    assert told.count("(chỉ H33.20/dms nói vậy, không tính)") == 2
    assert english.count("(told by H33.20/dms alone, does not count)") == 2
    assert listed.count("(chỉ H33.20/dms nói vậy, không tính)") == 1


def test_a_document_is_shown_as_json_and_by_any_spelling(at_the_desk: Lgsp) -> None:
    (view,) = shown(at_the_desk, "show", " h33.05 , 2026-10-12 , 1284/stc-ns", "--issuer", ISSUER)["documents"]

    assert (view["document"], view["standing"], len(view["recipients"])) == (KEY, "mixed", 2)


def test_an_unknown_document_is_a_failure_that_says_what_to_do(at_the_desk: Lgsp) -> None:
    ended = at_the_desk("documents", "show", "H33.05,2026/10/12,9999/STC")

    assert ended.status == 1
    assert "--issuer" in ended.err


def test_what_an_agency_issued_is_listed(at_the_desk: Lgsp) -> None:
    assert [each["kind"] for each in shown(at_the_desk, "list", ISSUER)["documents"]] == ["recall", "new"]
    told = at_the_desk("documents", "list", ISSUER, "--limit", "1").out
    assert (told.count("\n"), "thu hồi" in told, f"→ {ONE}, {OTHER}" in told) == (1, True, True)
    assert "chưa ban hành" in at_the_desk("documents", "list", ONE).out


def test_statuses_without_a_document_are_listed_waiting_or_given_up(at_the_desk: Lgsp) -> None:
    assert [each["document"] for each in shown(at_the_desk, "parked")["statuses"]] == ["another"]
    assert [each["document"] for each in shown(at_the_desk, "parked", "--given-up")["statuses"]] == ["given up"]
    assert f"{OTHER} báo 01 {STATUS['01'].vi}: another của {ISSUER}" in at_the_desk("documents", "parked").out


def test_what_is_owed_is_listed(at_the_desk: Lgsp) -> None:
    (duty,) = shown(at_the_desk, "duties")["duties"]
    assert (duty["agency"], duty["duty"], duty["document"], duty["reminders"]) == (OTHER, "receipt", KEY, 0)
    assert f"{OTHER}  receipt  hạn " in at_the_desk("documents", "duties").out
    assert at_the_desk("documents", "duties", "--agency", ONE).out == "Không còn việc nào chưa làm.\n"
