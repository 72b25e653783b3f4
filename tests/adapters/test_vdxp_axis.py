"""The axis in small does to messages what the axis does, keeps what it says it keeps, and shares nothing with us."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.vdxp.axis.relaying import NotEdxml, Ways, relayed, slip_of
from adapters.vdxp.stand_in import a_letter, a_report
from gateway.core.content import whole
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, StatusMessage
from tests.adapters.axis_desk import Desk, a_desk

ROOT = Path(__file__).resolve().parents[2] / "adapters" / "vdxp"
SAMPLES = ROOT.parents[2] / "shared" / "samples" / "edxml"
STAMP = "2026/11/23 08:00:00"


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as made:
        yield made


def imported(path: Path) -> set[str]:
    """Modules of this adapter that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("adapters.vdxp"):
            found.add(str(node.module))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("adapters.vdxp")}
    return found


def test_the_axis_and_the_adapter_share_no_code() -> None:
    theirs = [ROOT / "stand_in.py", *(ROOT / "axis").glob("*.py")]
    ours = [path for path in ROOT.glob("*.py") if path not in theirs]
    assert len(theirs) > 5
    assert len(ours) > 5
    assert [
        path.name for path in theirs if any(not name.startswith("adapters.vdxp.axis") for name in imported(path))
    ] == []
    assert [path.name for path in ours if any("axis" in name or "stand_in" in name for name in imported(path))] == []
    read_by_it = "".join(path.read_text("utf-8") for path in (ROOT / "axis").glob("*.py"))
    assert "gateway." not in read_by_it


def document(raw: bytes) -> DocumentMessage:
    message = read(raw)
    assert isinstance(message, DocumentMessage)
    return message


def test_a_message_is_written_anew_with_carriage_returns_and_without_comments_and_empty_elements() -> None:
    raw = a_letter(1).replace(b"<edXML:Content>", b"<!-- a note --><edXML:Content>")
    made = relayed(raw, Ways(), STAMP)
    assert b"\r\n" in made
    assert b"\n" not in made.replace(b"\r\n", b"")
    assert b"<!--" not in made
    assert b":Content>" not in made
    assert made != raw


def test_the_id_stands_behind_the_receivers_and_defaults_are_added() -> None:
    made = relayed(a_letter(1, to=["H33.16", "H33.05"]), Ways(), STAMP).decode()
    assert made.rindex("</edXML:To>") < made.index("<edXML:DocumentId>") < made.index("<edXML:Code>")
    assert "<edXML:Direction>false" in made.replace("<Direction>", "<edXML:Direction>")
    assert "TypeDetail" in made


def test_stations_sign_the_trace_the_axis_own_without_a_code() -> None:
    stops = document(relayed(a_letter(1), Ways(), STAMP)).trace
    assert [stop.organ_id for stop in stops] == ["G22", None, "02.29.W00"]
    assert stops[-1].timestamp == "2026-11-23T08:00:00+07:00"


def test_attachments_may_come_back_in_a_zip_with_the_same_bytes_inside() -> None:
    before = document(a_letter(1, files={"a.pdf": "JVBERi0xLjQK"}))
    after = document(relayed(a_letter(1, files={"a.pdf": "JVBERi0xLjQK"}), Ways(rewraps=True), STAMP))
    assert before.attachments[0].wrapped == "none"
    assert after.attachments[0].wrapped == "zip"
    assert whole(after.attachments[0].content) == whole(before.attachments[0].content)


def test_an_agency_may_be_named_twice_by_both_its_codes() -> None:
    made = document(relayed(a_letter(1, to=["H33.16"]), Ways(other_codes={"H33.16": "000.00.16.H33"}), STAMP))
    assert [each.organ_id for each in made.recipients] == ["H33.16", "000.00.16.H33"]
    assert made.recipients[1].in_charge == "TLTVBQG_CDMDD_QD20"


def test_a_status_passes_with_what_it_says() -> None:
    raw = a_report("03", sender="G22", about="x", of="H33.16", notation="12/SYT-VP")
    made = read(relayed(raw, Ways(), STAMP))
    assert isinstance(made, StatusMessage)
    assert (made.code, made.response_for.document_id) == ("03", "x")
    assert b"TraceHeader" not in relayed(raw, Ways(), STAMP)


def test_a_relay_that_changes_nothing_can_be_had_too() -> None:
    assert relayed(a_letter(1), Ways(rewrites=False), STAMP) == a_letter(1)


@pytest.mark.parametrize("raw", [b"", b"rubbish", b"<a/>", b"<edXML/>", b'{"a": 1}'])
def test_what_is_no_edxml_is_not_relayed(raw: bytes) -> None:
    with pytest.raises(NotEdxml):
        slip_of(raw)
    with pytest.raises(NotEdxml):
        relayed(raw, Ways(), STAMP)


@pytest.mark.parametrize("name", ["01", "03", "04", "05", "07", "19", "20", "23"])
def test_messages_of_the_field_are_relayed_and_still_say_the_same(name: str) -> None:
    files = sorted(SAMPLES.glob(f"{name}_*.edxml"))
    if not files:
        return  # the samples lie beside the repository, where there are any
    raw = files[0].read_bytes()
    before, after = document(raw), document(relayed(raw, Ways(rewraps=True), STAMP))
    assert (before.document_id, before.code, before.subject) == (after.document_id, after.code, after.subject)
    assert {each.organ_id for each in before.recipients} <= {each.organ_id for each in after.recipients}
    assert [each.content.sha256 for each in before.attachments] == [each.content.sha256 for each in after.attachments]


# ------------------------------------------------------------------------------------------------- what is kept


async def test_each_receiver_has_a_state_of_its_own(desk: Desk) -> None:
    desk.axis.put(a_letter(1, to=["H33.16", "H27.01"]), "G22")
    (item,) = await desk.good()
    await desk.adapter.settle(item.token, None)
    assert {row["to"]: row["status"] for row in desk.axis.sender_view("G22")} == {"H33.16": "done", "H27.01": "initial"}


async def test_another_member_sees_nothing_of_ours(desk: Desk) -> None:
    doc_id = desk.axis.put(a_letter(1, to=["H27.01"]), "G22")
    assert await desk.good() == []
    with pytest.raises(Exception, match="10"):
        await desk.adapter._kit.fetch(doc_id)


async def test_agencies_are_registered_and_taken_off(desk: Desk) -> None:
    kit = desk.adapter._kit
    await kit.register({"code": "H33.99", "name": "Chi cục mẫu", "pcode": "H33"})
    assert desk.axis.keeper.agency("H33.99") is not None
    await kit.delete("H33.99")
    assert desk.axis.keeper.agency("H33.99") is None
