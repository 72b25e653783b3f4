"""Items in from the axis: both lists, each item until it is settled, and one that is poisoned stops no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import pytest_asyncio
import structlog

from adapters.vdxp import adapter as tongue
from adapters.vdxp.listing import Listing, Waiting, parsed, waiting_of
from adapters.vdxp.stand_in import a_letter, a_report
from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.content import Content, MemorySink, whole
from gateway.core.documents.item import message_id
from gateway.core.edxml.read import read
from gateway.core.edxml.values import StatusMessage
from gateway.core.faults import Text, TransientFailure
from gateway.ports import Collected, Uncollectable
from tests.adapters.axis_desk import Desk, Fault, a_desk

CATALOG = read_catalog([builtin_folder()])
TOLD = Text("Cơ quan cần ký thoả thuận.", "The agency must sign an agreement.")
ABOUT = {"about": "H33.16,2026/11/23,12/SYT-VP", "of": "H33.16", "notation": "12/SYT-VP"}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as made:
        yield made


def subjects(items: list[Collected]) -> list[str]:
    return [item.event["data"]["subject"] for item in items]


def states(desk: Desk) -> list[str]:
    return [item.status for item in desk.axis.keeper.items if item.document.type == "edoc"]


# ----------------------------------------------------------------------------------------------------- what comes


async def test_a_document_becomes_a_message_for_the_listed_receiver(desk: Desk) -> None:
    doc_id = desk.axis.put(a_letter(100, to=["H33.16"]), "G22")
    (item,) = await desk.good()
    raw = desk.axis.keeper.documents[doc_id].relayed
    file = item.files[0]
    assert whole(file.content) == raw
    assert item.token == f"edoc#{doc_id}#H33.16"
    assert item.event["id"] == message_id("H33.16/dms", file.sha256, f"{doc_id} H33.16")
    assert item.event["to"] == "H33.16"
    assert item.event["data"]["raw"]["name"] == f"{doc_id}.edxml"
    version = CATALOG.find("document.issued", "2.0")
    assert version is not None
    assert version.check(item.event["data"]) == ()


async def test_a_status_becomes_a_report(desk: Desk) -> None:
    desk.axis.put(a_report("03", sender="G22", **ABOUT), "G22")
    (item,) = await desk.good()
    assert (item.event["type"], item.event["to"]) == ("document.status", "H33.16")
    assert item.event["data"]["statusCode"] == "03"


async def test_documents_come_before_statuses_and_the_older_before_the_younger(desk: Desk) -> None:
    desk.axis.put(a_report("03", sender="G22", **ABOUT), "G22")
    desk.axis.put(a_letter(100, subject="một"), "G22")
    desk.hands.moment += 5
    desk.axis.put(a_letter(101, subject="hai"), "G22")
    desk.faults.disorder = True
    items = await desk.good()
    assert subjects(items[:2]) == ["một", "hai"]
    assert items[2].event["type"] == "document.status"


async def test_a_status_may_come_before_its_document(desk: Desk) -> None:
    desk.axis.put(a_report("01", sender="H27.01", about="không ai biết", of="H33.20", notation="1/X"), "H27.01")
    (item,) = await desk.good()
    assert item.event["subject"] == "không ai biết"


async def test_the_newer_kit_takes_documents_as_streams_and_both_kits_make_the_same_message(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    (older,) = await desk.good()
    (newer,) = await desk.good(desk.anew(kit="2.0.1"))
    assert newer.event["id"] == older.event["id"]
    assert [len(desk.calls(name)) for name in ("getEdoc", "downloadEdoc")] == [1, 1]


async def test_what_the_axis_writes_anew_is_still_the_same_file_inside(desk: Desk) -> None:
    desk.axis.ways.rewraps = True
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    (attachment,) = item.event["data"]["attachments"]
    assert attachment["wrapped"] == "zip"
    assert attachment["file"]["mediaType"] == "application/pdf"


async def test_a_second_code_of_an_agency_in_the_document_adds_no_receiver(desk: Desk) -> None:
    desk.axis.ways.other_codes = {"H33.16": "000.00.16.H33"}
    desk.axis.put(a_letter(100, to=["H33.16"]), "G22")
    (item,) = await desk.good()
    assert item.event["to"] == "H33.16"


async def test_without_the_declaration_every_document_is_given_back(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    adapter = desk.anew(confidentiality=None)
    (item,) = await adapter.collect(10)
    assert isinstance(item, Uncollectable)
    assert item.reason == "confidentiality-not-declared"
    assert len(desk.calls("getEdoc")) == 1


# --------------------------------------------------------------------------------------------- whose items they are


async def test_an_item_for_the_centre_is_for_those_of_ours_that_the_document_names(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H27.01", "H33.16", "H33.05"]), "G22", ["00.33.W00"])
    (item,) = await desk.good(desk.anew(ours=["H33", "H33.*"]))
    assert item.event["to"] == "H33.16 H33.05"


async def test_an_item_for_the_centre_that_names_none_of_ours_is_given_back(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H27.01"]), "G22", ["00.33.W00"])
    (item,) = await desk.anew(ours=["H33", "H33.*"]).collect(10)
    assert isinstance(item, Uncollectable)
    assert item.reason == "no-own-recipient"


async def test_items_of_others_are_left_alone_and_never_settled(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H33.20"]), "G22")
    adapter = desk.anew(ours=["H33.05", "H33.16"])
    with structlog.testing.capture_logs() as logs:
        assert await desk.good(adapter) == []
        assert await desk.good(adapter) == []
        await adapter.settle(f"edoc#{desk.axis.keeper.items[0].receiver_doc_id}#H33.20", None)
    assert states(desk) == ["initial"]
    assert [line["detail"] for line in logs] == ["not for us"]


async def test_what_we_sent_ourselves_and_comes_back_is_the_same_document(desk: Desk) -> None:
    await desk.adapter.deliver(desk.parcel(to=("H33.20",)))
    items = await desk.adapter.collect(10)
    assert len(items) == 1
    assert await desk.good(desk.anew(ours=["H33.16"])) == []


# -------------------------------------------------------------------------------------------------------- settling


async def test_a_settled_item_is_done_on_the_axis(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    await desk.adapter.settle(item.token, None)
    assert desk.calls("updateStatus") == [{"docId": desk.axis.keeper.items[0].receiver_doc_id, "status": "done"}]
    assert await desk.good() == []


async def test_a_refusal_says_why_where_the_axis_takes_a_description(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    assert desk.axis.sender_view("G22")[0]["note"] == f"H33.16 no-agreement: {TOLD.vi} / {TOLD.en}"
    assert states(desk) == ["fail"]


async def test_a_refusal_goes_back_to_the_sender_as_a_status_once(desk: Desk) -> None:
    doc_id = desk.axis.put(a_letter(100, to=["H33.16"]), "G22")
    (item,) = await desk.good()
    desk.faults.once("updateStatus", Fault("code", "20"))
    with pytest.raises(TransientFailure):
        await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    (report,) = desk.axis.sent_by("H33.16")
    said = read(report.raw)
    assert isinstance(said, StatusMessage)
    assert (said.code, said.sender.organ_id, said.response_for.organ_id) == ("02", "H33.16", "G22")
    assert said.response_for.document_id == "G22,2026/11/23,100/VPCP-TTĐT"
    assert TOLD.vi in (said.description or "")
    assert TOLD.en in (said.description or "")
    assert desk.axis.items_of("G22") == [(report.title, "initial")]
    assert desk.axis.sender_view("G22")[0]["docId"] == doc_id


async def test_a_refusal_that_cannot_be_told_is_still_a_refusal(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H33.16"]), "G22")
    (item,) = await desk.good()
    desk.faults.once("sendEdoc", Fault("code", "19"))
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    assert states(desk) == ["fail"]


@pytest.mark.parametrize("case", ["switched off", "a status", "rubbish"])
async def test_where_there_is_nobody_to_tell_no_status_is_sent(desk: Desk, case: str) -> None:
    if case == "rubbish":
        desk.axis.put(b"rubbish", "G22", ["H33.16"], as_is=True)
    elif case == "a status":
        desk.axis.put(a_report("03", sender="G22", **ABOUT), "G22")
    else:
        desk.axis.put(a_letter(100), "G22")
    adapter = desk.anew(tells_refusals=case != "switched off")
    (item,) = await adapter.collect(5)
    await adapter.settle(item.token, ("no-agreement", TOLD))
    assert desk.calls("sendEdoc") == []
    assert [each.status for each in desk.axis.keeper.items] == ["fail"]


async def test_a_refusal_is_told_without_words_where_it_takes_none(desk: Desk) -> None:
    desk.axis.doors.extra = {}
    desk.axis.put(a_letter(100), "G22")
    adapter = desk.anew(describes_status=False)
    (item,) = await desk.good(adapter)
    await adapter.settle(item.token, ("no-agreement", TOLD))
    assert states(desk) == ["fail"]


async def test_a_very_long_reason_is_cut_in_both_languages(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    await desk.adapter.settle(item.token, ("contract-violation", Text("Lỗi ở đây.\n" * 900, "A mistake.\n" * 900)))
    note = desk.calls("updateStatus")[0]["description"]
    assert len(note) < 2600
    assert "Lỗi ở đây" in unquote(note)
    assert "A mistake" in note


async def test_the_other_spelling_of_the_ids_parameter_is_a_setting(desk: Desk) -> None:
    desk.axis.doors.extra = {"getEdoc": frozenset({"docid"})}
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    adapter = desk.anew(doc_id_key="docid", kit="2.0.0", describes_status=False)
    await adapter.settle(item.token, None)
    assert "docid" in desk.calls("updateStatus")[0]


async def test_a_document_for_two_of_ours_is_done_only_when_both_are_settled(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H33.16", "H33.05"]), "G22")
    one, two = await desk.good()
    assert one.event["id"] != two.event["id"]
    await desk.adapter.settle(one.token, None)
    assert states(desk) == ["initial", "initial"]
    assert [item.token for item in await desk.good()] == [two.token]
    await desk.adapter.settle(two.token, ("no-agreement", TOLD))
    assert states(desk) == ["done", "done"]
    assert "H33.05 no-agreement" in desk.axis.sender_view("G22")[0]["note"]


async def test_a_crash_between_the_two_offers_both_again_as_the_same_messages(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H33.16", "H33.05"]), "G22")
    before = await desk.good()
    await desk.adapter.settle(before[0].token, None)
    adapter = desk.anew()
    after = await desk.good(adapter)
    assert [item.event["id"] for item in after] == [item.event["id"] for item in before]
    for item in after:
        await adapter.settle(item.token, None)
    assert states(desk) == ["done", "done"]


async def test_a_receiver_with_an_id_of_its_own_is_settled_by_itself(desk: Desk) -> None:
    desk.axis.keeper.own_ids = True
    desk.axis.put(a_letter(100, to=["H33.16", "H33.05"]), "G22")
    one, _ = await desk.good()
    await desk.adapter.settle(one.token, None)
    assert states(desk) == ["done", "initial"]


@pytest.mark.parametrize(
    ("fault", "is_told"), [(Fault("http", 404), True), (Fault("html"), True), (Fault("http", 503), False)]
)
async def test_where_nobody_answers_as_the_kit_does_it_says_who_must_look_at_the_address(
    desk: Desk, fault: Fault, is_told: bool
) -> None:
    desk.faults.script["getReceivedEdocList"] = [fault, fault]

    with pytest.raises(TransientFailure) as failure:
        await desk.adapter.collect(10)

    assert ("the operator of the bus must check settings.url" in str(failure.value)) is is_told


@pytest.mark.parametrize("fault", [Fault("lost-reply"), Fault("code", "20"), Fault("html"), Fault("reset")])
async def test_where_the_axis_cannot_be_told_the_item_comes_again(desk: Desk, fault: Fault) -> None:
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    desk.faults.once("updateStatus", fault)
    with pytest.raises(TransientFailure):
        await desk.adapter.settle(item.token, None)
    again = await desk.adapter.collect(10)
    assert [each.token for each in again] == ([] if fault.kind == "lost-reply" else [item.token])
    await desk.adapter.settle(item.token, None)
    assert states(desk) == ["done"]


async def test_what_is_listed_although_it_was_settled_is_settled_again_and_not_offered(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    (item,) = await desk.good()
    await desk.adapter.settle(item.token, None)
    desk.axis.keeper.items[0].status = "initial"
    assert await desk.good() == []
    assert states(desk) == ["done"]
    desk.axis.keeper.items[0].status = "initial"
    desk.faults.once("updateStatus", Fault("code", "20"))
    desk.axis.put(a_letter(101), "G22")
    assert len(await desk.good()) == 1


@pytest.mark.parametrize("token", ["", "##", "edoc#", "edoc##H33", "edoc#a b#H33", "mail#1#H33", "edoc#1#2#3", "#1#"])
async def test_foreign_tokens_are_nobodys(desk: Desk, token: str) -> None:
    assert parsed(token) is None
    await desk.adapter.settle(token, None)
    assert desk.axis.doors.calls == []


# ------------------------------------------------------------------------------------------------- lists misbehave


async def test_the_lists_are_asked_at_a_polite_pace(desk: Desk) -> None:
    adapter = desk.anew(poll_seconds=30)
    for _ in range(65):
        await adapter.collect(10)
        desk.hands.moment += 1
    assert len(desk.calls("getReceivedEdocList")) == 3 * 2


async def test_an_item_that_was_handed_out_is_not_fetched_again_each_second(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    adapter = desk.anew(poll_seconds=30)
    assert [len(await adapter.collect(10)) for _ in range(5)] == [1, 0, 0, 0, 0]
    desk.hands.moment += 31
    assert len(await adapter.collect(10)) == 1


async def test_a_long_list_is_worked_off_without_asking_for_it_again(desk: Desk) -> None:
    for number in range(100, 112):
        desk.axis.put(a_letter(number, subject=str(number)), "G22")
    adapter = desk.anew(poll_seconds=30)
    got = [subjects(await desk.good(adapter, limit=5)) for _ in range(4)]
    assert got == [[str(n) for n in range(100, 105)], [str(n) for n in range(105, 110)], ["110", "111"], []]
    assert len(desk.calls("getReceivedEdocList")) == 2


async def test_an_item_listed_twice_comes_once(desk: Desk) -> None:
    desk.faults.doubles = True
    desk.axis.put(a_letter(100), "G22")
    assert len(await desk.good()) == 1


@pytest.mark.parametrize(("size", "pages"), [(2, 4), (3, 3), (7, 2), (100, 1)])
async def test_a_list_of_pages_is_read_to_its_end(desk: Desk, size: int, pages: int) -> None:
    for number in range(100, 107):
        desk.axis.put(a_letter(number), "G22")
    assert len(await desk.good(desk.anew(page_size=size))) == 7
    assert len([1 for call in desk.calls("getReceivedEdocList") if call["messagetype"] == "edoc"]) == pages


@pytest.mark.parametrize("size", [1, 3])
async def test_a_document_whose_receivers_a_list_that_is_too_long_cuts_off_is_lost_for_none(
    desk: Desk, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tongue, "_MOST_PAGES", 3)
    for number in range(100, 105):
        desk.axis.put(a_letter(number, to=["H33.16", "H33.05"]), "G22")
    adapter, got = desk.anew(page_size=size), set[str]()
    while items := await desk.good(adapter):
        for item in items:
            await adapter.settle(item.token, None)
            got.add(item.token)
        desk.hands.moment += 60
    assert len(got) == 10
    assert set(states(desk)) == {"done"}


async def test_pages_of_what_is_for_others_do_not_end_the_list(desk: Desk) -> None:
    desk.axis.put(a_letter(100, to=["H33.16", "H33.20", "H33.30", "H33.05"]), "G22")
    adapter = desk.anew(ours=["H33.05", "H33.16"], page_size=1)
    assert [item.event["to"] for item in await desk.good(adapter)] == ["H33.16", "H33.05"]


async def test_the_days_asked_for_are_named(desk: Desk) -> None:
    desk.axis.put(a_letter(100, subject="cũ"), "G22")
    desk.hands.moment += 10 * 86400
    desk.axis.put(a_letter(101, subject="mới"), "G22")
    assert subjects(await desk.good(desk.anew(days=7))) == ["mới"]
    assert desk.calls("getReceivedEdocList")[0]["fromDate"] == "2026/11/26"
    assert desk.calls("getReceivedEdocList")[0]["toDate"] == "2026/12/03"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("html"),
        Fault("text"),
        Fault("null"),
        Fault("no-data"),
        Fault("null-data"),
        Fault("cut"),
        Fault("code", "20"),
        Fault("code", "18"),
        Fault("http", 500),
        Fault("reset"),
    ],
    ids=lambda fault: f"{fault.kind}{fault.value}",
)
async def test_a_list_that_is_none_is_no_empty_list(desk: Desk, fault: Fault) -> None:
    desk.axis.put(a_letter(100), "G22")
    desk.faults.once("getReceivedEdocList", fault)
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(10)
    assert len(await desk.good()) == 1


async def test_a_broken_list_of_statuses_does_not_hold_up_the_documents(desk: Desk) -> None:
    desk.axis.put(a_letter(100, subject="đến"), "G22")
    desk.faults.script["getReceivedEdocList"] = [Fault("slow", 0), Fault("html"), Fault("slow", 0), Fault("html")]
    assert subjects(await desk.good()) == ["đến"]
    desk.axis.keeper.items[0].status = "done"
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(10)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"docId": None},
        {"docId": "a\r\nX-Evil: 1"},
        {"docId": "mã văn bản"},
        {"docId": "x" * 500},
        {"docId": "1#2"},
        {"docId": "1", "to": "H33\n"},
        {"docId": ["1"], "to": "H33 16"},
    ],
)
def test_a_row_whose_names_cannot_be_names_is_nothing(row: dict[str, object]) -> None:
    assert waiting_of(row, "edoc") is None


@pytest.mark.parametrize("status", ["done", "FAIL"])
def test_a_row_that_is_settled_is_nothing(status: str) -> None:
    assert waiting_of({"docId": "1", "to": "H33", "status": status}, "edoc") is None
    assert waiting_of({"docId": "1", "to": "H33", "status": "initial"}, "edoc") is not None


def test_a_row_of_another_service_is_nothing() -> None:
    assert waiting_of({"docId": "1", "to": "H33", "serviceType": "eSalary"}, "edoc") is None
    assert waiting_of({"docId": "1", "to": "H33", "serviceType": "EDOC"}, "edoc") is not None


def test_an_item_is_of_the_kind_that_its_row_says_whichever_list_it_stands_in() -> None:
    rows = [waiting_of({"docId": "1", "to": "H33", "messageType": "status"}, kind) for kind in ("edoc", "status")]
    assert rows[0] == rows[1] == Waiting("status", "1", "H33")


# -------------------------------------------------------------------------------------------- documents misbehave

_SICK = [
    Fault("html"),
    Fault("no-data"),
    Fault("null-data"),
    Fault("cut"),
    Fault("code", "10"),
    Fault("code", "20"),
    Fault("http", 503),
    Fault("reset"),
    Fault("bad-base64"),
    Fault("text"),
    Fault("null"),
]


#: A stream has no members that could be missing.
_OF_JSON = {"no-data", "null-data", "bad-base64", "text", "null"}
_SICK_KITS = [
    (each, kit) for kit in ("2.0.0", "2.0.1") for each in _SICK if kit == "2.0.0" or each.kind not in _OF_JSON
]


@pytest.mark.parametrize(("fault", "kit"), _SICK_KITS, ids=lambda each: getattr(each, "kind", each))
async def test_a_poisoned_item_stops_no_other_and_is_never_failed_for_a_passing_fault(
    desk: Desk, fault: Fault, kit: str
) -> None:
    adapter = desk.anew(kit=kit, poll_seconds=30)
    desk.axis.put(a_letter(100, subject="độc"), "G22")
    desk.axis.put(a_letter(101, subject="lành"), "G22")
    desk.faults.poisoned["độc"] = fault
    with structlog.testing.capture_logs() as logs:
        assert subjects(await desk.good(adapter)) == ["lành"]
    assert [line["event"] for line in logs] == ["axis.item-left"]
    assert "độc" not in repr(logs)
    desk.faults.poisoned.clear()
    desk.hands.moment += 100
    assert "độc" in subjects(await desk.good(adapter))
    assert set(states(desk)) == {"initial"}


async def test_an_item_that_breaks_our_own_reader_stops_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.axis.put(a_letter(100, subject="độc"), "G22")
    desk.axis.put(a_letter(101, subject="lành"), "G22")
    reading = desk.adapter._read

    def breaking(item: Waiting, raw: Content) -> Collected | Uncollectable:
        if "độc".encode() in whole(raw):
            raise RecursionError("độc")
        return reading(item, raw)

    monkeypatch.setattr(desk.adapter, "_read", breaking)
    with structlog.testing.capture_logs() as logs:
        assert subjects(await desk.good()) == ["lành"]
    assert [line["detail"] for line in logs] == ["RecursionError"]


async def test_a_poisoned_item_rests_longer_each_time(desk: Desk) -> None:
    adapter = desk.anew(poll_seconds=30)
    desk.axis.put(a_letter(100, subject="độc"), "G22")
    desk.faults.poisoned["độc"] = Fault("http", 500)
    for _ in range(3600):
        await adapter.collect(10)
        desk.hands.moment += 1
    assert 4 <= len(desk.calls("getEdoc")) <= 8


async def test_what_stays_no_base64_is_given_back_in_the_end(desk: Desk) -> None:
    desk.axis.put(a_letter(100, subject="độc"), "G22")
    desk.faults.poisoned["độc"] = Fault("bad-base64")
    for _ in range(2):
        assert list(await desk.adapter.collect(10)) == []
        desk.hands.moment += 100
    assert (await desk.bad()).reason == "undecodable"


async def test_rubbish_is_looked_at_twice_before_it_is_given_back(desk: Desk) -> None:
    desk.axis.put(b"rubbish", "G22", ["H33.16"], as_is=True)
    item = await desk.bad()
    assert item.reason == "not-edxml"
    assert len(desk.calls("getEdoc")) == 2
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    assert states(desk) == ["fail"]


async def test_a_document_over_the_limit_is_given_back_with_the_limit(desk: Desk) -> None:
    desk.axis.put(b"<" + b"x" * (3 << 20), "G22", ["H33.16"], as_is=True)
    for kit in ("2.0.0", "2.0.1"):
        (item,) = await desk.anew(kit=kit, max_mebibytes=1).collect(10)
        assert isinstance(item, Uncollectable)
        assert item.reason == "too-large"
        assert "1048576" in item.detail.en


async def test_a_file_goes_through_a_sink_a_piece_at_a_time(desk: Desk) -> None:
    sizes: list[int] = []

    class Watched(MemorySink):
        def write(self, piece: bytes) -> None:
            sizes.append(len(piece))
            super().write(piece)

    desk.axis.ways.rewrites = False
    desk.axis.put(a_letter(100, files={"a.pdf": "JVBERi0xLjQK" * 300_000}), "G22")
    for kit in ("2.0.0", "2.0.1"):
        assert len(await desk.good(desk.anew(Watched, kit=kit))) == 1
    assert len(sizes) > 20
    assert max(sizes) <= 512 * 1024


async def test_three_items_in_a_row_that_cannot_be_fetched_end_the_round(desk: Desk) -> None:
    for number in range(100, 110):
        desk.axis.put(a_letter(number), "G22")
    desk.faults.usual["getEdoc"] = Fault("http", 500)
    assert list(await desk.adapter.collect(50)) == []
    assert len(desk.calls("getEdoc")) == 3


# ------------------------------------------------------------------------------------------- the counts, the listing


async def test_the_axis_counts_what_waits(desk: Desk) -> None:
    desk.axis.put(a_letter(100), "G22")
    desk.axis.put(a_report("03", sender="G22", **ABOUT), "G22")
    assert await desk.adapter.waiting() == (1, 1)


def test_what_is_no_longer_listed_is_forgotten() -> None:
    listing = Listing(30)
    listing.replace([Waiting("edoc", "1", "H33"), Waiting("status", "2", "H33"), Waiting("edoc", "3", "H33", listed=9)])
    assert [item.doc_id for item in listing.ready(0)] == ["1", "3", "2"]
    listing.failed(Waiting("edoc", "1", "H33"), 0)
    listing.replace([Waiting("edoc", "3", "H33")])
    assert not listing.knows("1")
    listing.replace([Waiting("edoc", "1", "H33")])
    assert [item.doc_id for item in listing.ready(0)] == ["1"]
