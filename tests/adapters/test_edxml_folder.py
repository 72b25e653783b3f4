"""The two folders: what is dropped is read whole, moved only when settled; what is put there is whole and put once."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import pytest_asyncio

from adapters.edxml_folder import adapter as tongue
from adapters.edxml_folder import folder
from adapters.edxml_folder.folder import put
from adapters.edxml_folder.stand_in import A_PDF, DocumentSystem, a_document
from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.content import Content, InMemory, MemorySink, pieces_of, whole
from gateway.core.documents.item import message_id
from gateway.core.edxml.read import read
from gateway.core.edxml.values import (
    DocumentMessage,
    Organization,
    ResponseFor,
    StatusMessage,
)
from gateway.core.edxml.write import write
from gateway.core.faults import DeliveryFailure, Misconfigured, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.core.fileref import files_named
from gateway.ports import AdapterContext, Collected, Parcel, Uncollectable
from tests.adapters.fitting import Hands, a_parcel, an_event

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "tests" / "vectors" / "edxml"
THEIRS = ROOT / ".." / "shared" / "samples" / "edxml"
CATALOG = read_catalog([builtin_folder()])
MONDAY = 1795395600.0
TOLD = Text("Cơ quan cần ký thoả thuận.", "The agency must sign an agreement.")


@dataclass(slots=True)
class Desk:
    """A document system, the adapter that faces it, and the time."""

    system: DocumentSystem
    hands: Hands
    context: AdapterContext
    adapter: tongue.EdxmlFolder
    opened: list[tongue.EdxmlFolder] = field(default_factory=list)

    def anew(self, **settings: Any) -> tongue.EdxmlFolder:
        """The adapter of a process that started just now."""
        context = self.hands.context("edxml_folder", {**self.system.settings, **settings})
        made = tongue.open_adapter(context)
        self.opened.append(made)
        return made

    async def one(self) -> Collected:
        """The one good item that waits."""
        (item,) = await self.adapter.collect(50)
        assert isinstance(item, Collected)
        return item

    async def refused(self) -> Uncollectable:
        """The one bad item that waits."""
        (item,) = await self.adapter.collect(50)
        assert isinstance(item, Uncollectable)
        return item

    def files(self) -> dict[str, bytes]:
        """What stands in the agency's incoming folder."""
        return {path.name: path.read_bytes() for path in self.system.inbox.iterdir()}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    settings = {"outbox": "dms/outbox", "inbox": "dms/inbox", "confidentiality": "none", "settle_seconds": 0}
    system = DocumentSystem(tmp_path / "dms", settings=settings)
    hands = Hands(tmp_path, MONDAY)
    context = hands.context("edxml_folder", settings)
    made = Desk(system, hands, context, tongue.open_adapter(context))
    yield made
    for adapter in (made.adapter, *made.opened):
        await adapter.close()


def with_data(data: Mapping[str, Any], label: str = "2.0", **override: Any) -> dict[str, Any]:
    return an_event(data=data, dataschema=f"urn:lgsp:contract:document.issued:{label}", **override)


# --------------------------------------------------------------------------------------------- a document comes in


async def test_a_dropped_document_becomes_a_message_of_its_contract(desk: Desk) -> None:
    raw = a_document("12", recipients=["H33.16", "H33.20", "H33.16"], priority=2)
    desk.system.send(raw, "12.edxml")
    item = await desk.one()
    digest = hashlib.sha256(raw).hexdigest()
    assert {name: value for name, value in item.event.items() if name != "data"} == {
        "specversion": "1.0",
        "id": message_id("H33.16/dms", digest),
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:2.0",
        "subject": "H33.05,2026/11/23,12/STC-VP",
        "correlationid": "H33.05,2026/11/23,12/STC-VP",
        "priority": "very-urgent",
        "time": "2026-11-23T01:00:00.000Z",
        "datacontenttype": "application/json",
        "to": "H33.16 H33.20",
    }
    assert item.event["data"]["raw"] == {
        "name": "12.edxml",
        "mediaType": "application/xml",
        "size": len(raw),
        "sha256": digest,
    }
    assert item.origin == digest


async def test_attachments_and_the_file_itself_come_along_as_files(desk: Desk) -> None:
    desk.system.send(a_document("12", files={"a.pdf": A_PDF, "b.pdf": A_PDF, "c.txt": b"chao"}), "12.edxml")
    item = await desk.one()
    contents = {file.sha256: whole(file.content) for file in item.files}
    assert set(files_named(item.event["data"])) == set(contents)
    assert all(hashlib.sha256(content).hexdigest() == sha256 for sha256, content in contents.items())
    named = {one["file"]["name"]: contents[one["file"]["sha256"]] for one in item.event["data"]["attachments"]}
    assert named == {"a.pdf": A_PDF, "b.pdf": A_PDF, "c.txt": b"chao"}
    assert len(item.files) == 3


async def test_a_status_report_becomes_a_message_to_the_documents_sender(desk: Desk) -> None:
    about = ResponseFor("H33.05", "12/STC-VP", "H33.05,2026/11/23,12/STC-VP", "2026-11-23")
    report = StatusMessage(Organization("H33.16"), about, "03", timestamp="2026-11-23T09:00:00+07:00")
    desk.system.send(write(report), "03.edxml")
    item = await desk.one()
    assert item.event["type"] == "document.status"
    assert item.event["dataschema"] == "urn:lgsp:contract:document.status:1.0"
    assert (item.event["to"], item.event["subject"]) == ("H33.05", "H33.05,2026/11/23,12/STC-VP")
    assert item.event["correlationid"] == "H33.05,2026/11/23,12/STC-VP"
    assert item.event["data"]["statusCode"] == "03"


async def test_a_recall_belongs_to_the_conversation_of_the_document_recalled(desk: Desk) -> None:
    raw = (OURS / "document_recall.edxml").read_bytes()
    message = read(raw)
    assert isinstance(message, DocumentMessage)
    desk.system.send(raw, "recall.edxml")
    item = await desk.one()
    assert item.event["correlationid"] == message.concerned_id
    assert item.event["data"]["business"]["type"] == "recall"


async def test_the_same_bytes_are_the_same_message_under_any_name(desk: Desk) -> None:
    raw = a_document("12")
    desk.system.send(raw, "a.edxml")
    desk.system.send(raw, "b.edxml")
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert one.event["id"] == two.event["id"]
    assert one.origin == two.origin
    assert one.token != two.token


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name)
        for folder in (OURS, THEIRS)
        for path in (sorted(folder.glob("*.edxml")) if folder.is_dir() else ())
    ],
)
async def test_every_sample_passes_its_contract_or_is_refused_with_a_reason(desk: Desk, path: Path) -> None:
    desk.system.send(path.read_bytes(), path.name)  # noqa: ASYNC240 - nothing else runs here
    (item,) = await desk.adapter.collect(50)
    if isinstance(item, Uncollectable):
        assert item.detail.vi != item.detail.en
        await desk.adapter.settle(item.token, (item.reason, item.detail))
        assert item.detail.vi in desk.system.refused()[path.name]
        return
    version = CATALOG.find(item.event["type"], item.event["dataschema"].rpartition(":")[2])
    assert version is not None
    assert version.check(item.event["data"]) == ()
    assert set(files_named(item.event["data"])) == {file.sha256 for file in item.files}
    assert len(item.warnings) == len(item.event["data"].get("warnings", []))
    await desk.adapter.settle(item.token, None)
    assert desk.system.sent() == [path.name]


# ------------------------------------------------------------------------------------------------------- refused


async def test_without_the_agencys_declaration_every_document_is_refused(desk: Desk) -> None:
    desk.system.send(a_document("12"), "12.edxml")
    context = desk.hands.context(
        "edxml_folder", {name: value for name, value in desk.system.settings.items() if name != "confidentiality"}
    )
    undeclared = tongue.open_adapter(context)
    (item,) = await undeclared.collect(50)
    await undeclared.close()
    assert isinstance(item, Uncollectable)
    assert item.reason == "confidentiality-not-declared"
    assert "tuyên bố" in item.detail.vi


async def test_a_status_report_needs_no_declaration_as_it_has_no_secrecy(desk: Desk) -> None:
    desk.system.send((OURS / "status_arrived.edxml").read_bytes(), "01.edxml")
    context = desk.hands.context("edxml_folder", {"outbox": "dms/outbox", "inbox": "dms/inbox", "settle_seconds": 0})
    undeclared = tongue.open_adapter(context)
    (item,) = await undeclared.collect(50)
    await undeclared.close()
    assert isinstance(item, Collected)


async def test_a_file_over_the_limit_is_refused_without_being_read(desk: Desk) -> None:
    with (desk.system.outbox / "big.edxml").open("wb") as file:
        file.truncate((64 << 20) + 1)
    item = await desk.refused()
    assert item.reason == "too-large"
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    assert list(desk.system.refused()) == ["big.edxml"]
    assert list(await desk.adapter.collect(50)) == []


async def test_a_record_that_no_envelope_could_hold_is_refused(desk: Desk) -> None:
    raw = a_document("12").replace(b"<edXML:Content>", b"<edXML:Content>" + b"x" * 250_000)
    places = b"".join(b"<edXML:Place>" + b"y" * 200_000 + b"</edXML:Place>" for _ in range(3))
    end = b"</edXML:MessageHeader>"
    desk.system.send(raw.replace(end, b"<edXML:ToPlaces>" + places + b"</edXML:ToPlaces>" + end), "12.edxml")
    assert (await desk.refused()).reason == "record-too-large"


@pytest.mark.parametrize("target", ["/etc/hostname", "nowhere"])
async def test_a_link_is_refused_and_never_followed(desk: Desk, target: str) -> None:
    (desk.system.outbox / "link.edxml").symlink_to(target)
    item = await desk.refused()
    assert item.reason == "not-a-file"
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    assert (desk.system.outbox / ".refused" / "link.edxml").is_symlink()
    assert list(await desk.adapter.collect(50)) == []


async def test_a_pipe_does_not_hold_up_the_folder(desk: Desk) -> None:
    os.mkfifo(desk.system.outbox / "pipe.edxml")
    assert (await desk.refused()).reason == "not-a-file"


async def test_the_note_says_what_is_wrong_and_who_must_act_in_both_languages(desk: Desk) -> None:
    desk.system.send(a_document("12"), "12.edxml")
    item = await desk.one()
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    note = (desk.system.outbox / ".refused" / "12.edxml.reason.txt").read_bytes()
    assert note.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in note.replace(b"\r\n", b"")
    lines = note.decode("utf-8-sig").splitlines()
    assert lines[0] == "Lý do (no-agreement): Chưa có thoả thuận chia sẻ dữ liệu."
    assert lines[1] == "Cơ quan cần ký thoả thuận."
    assert lines[2] == "Tệp: 12.edxml"
    assert "23/11/2026 08:00:00" in lines[3]
    english = lines.index("Reason (no-agreement): No data-sharing agreement allows this.")
    assert lines[english + 1] == "The agency must sign an agreement."
    assert (desk.system.outbox / ".refused" / "12.edxml").is_file()


# ------------------------------------------------------------------------------------------- when a file is finished


async def test_a_file_is_read_only_when_it_has_stood_still(desk: Desk) -> None:
    adapter = desk.anew(settle_seconds=5)
    desk.system.half_written = True
    desk.system.send(a_document("12"), "12.edxml")
    assert list(await adapter.collect(50)) == []
    desk.hands.moment += 4
    desk.system.finish()
    assert list(await adapter.collect(50)) == []
    desk.hands.moment += 4
    assert list(await adapter.collect(50)) == []
    desk.hands.moment += 1
    (item,) = await adapter.collect(50)
    assert isinstance(item, Collected)


async def test_a_clock_set_back_does_not_make_a_file_wait_for_ever(desk: Desk) -> None:
    adapter = desk.anew(settle_seconds=5)
    desk.system.send(a_document("12"), "12.edxml")
    assert list(await adapter.collect(50)) == []
    desk.hands.moment -= 3600
    assert list(await adapter.collect(50)) == []
    desk.hands.moment += 5
    assert len(await adapter.collect(50)) == 1


@pytest.mark.parametrize("name", [".hidden.edxml", "12.edxml.tmp", "12.edxml.part", "12.EDXML.TMP"])
async def test_names_of_unfinished_files_are_left_alone(desk: Desk, name: str) -> None:
    (desk.system.outbox / name).write_bytes(a_document("12"))
    assert list(await desk.adapter.collect(50)) == []
    assert (desk.system.outbox / name).exists()


async def test_folders_in_the_folder_are_left_alone(desk: Desk) -> None:
    (desk.system.outbox / "archive.edxml").mkdir()
    assert list(await desk.adapter.collect(50)) == []


async def test_the_oldest_comes_first_and_no_more_than_asked_for(desk: Desk) -> None:
    for number, name in enumerate(["c", "a", "b"]):
        desk.system.send(a_document(str(number)), f"{name}.edxml")
        os.utime(desk.system.outbox / f"{name}.edxml", (MONDAY + number, MONDAY + number))
    items = await desk.adapter.collect(2)
    assert [item.token.partition("#")[0] for item in items] == ["c.edxml", "a.edxml"]


async def test_a_round_ends_when_it_holds_enough_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tongue, "_ROUND", 1)
    for number in range(3):
        desk.system.send(a_document(str(number)), f"{number}.edxml")
    assert len(await desk.adapter.collect(50)) == 1


# ----------------------------------------------------------------------------------------------------- settling


async def test_an_accepted_file_is_kept_under_the_day_of_viet_nam(desk: Desk) -> None:
    desk.hands.moment = MONDAY - 2 * 3600 + 1  # 06:00:01 in Viet Nam, still Sunday in Greenwich
    desk.system.send(a_document("12"), "12.edxml")
    item = await desk.one()
    await desk.adapter.settle(item.token, None)
    assert (desk.system.outbox / ".done" / "2026-11-23" / "12.edxml").read_bytes() == a_document("12")


async def test_files_of_one_name_do_not_replace_each_other_where_they_are_kept(desk: Desk) -> None:
    raws = [a_document(str(number)) for number in range(3)]
    for raw in raws:
        desk.system.send(raw, "letter.edxml")
        item = await desk.one()
        await desk.adapter.settle(item.token, None)
    kept = (desk.system.outbox / ".done" / "2026-11-23").iterdir()
    assert sorted(path.read_bytes() for path in kept) == sorted(raws)


async def test_two_refused_files_of_one_name_keep_their_own_notes(desk: Desk) -> None:
    for number in range(2):
        desk.system.send(a_document(str(number)), "letter.edxml")
        item = await desk.one()
        await desk.adapter.settle(item.token, ("no-agreement", Text(f"Lý do {number}", f"Reason {number}")))
    notes = desk.system.refused()
    assert len(notes) == 2
    assert {next(n for n in range(2) if f"Reason {n}" in note) for note in notes.values()} == {0, 1}
    for name in notes:
        assert (desk.system.outbox / ".refused" / name).is_file()


@pytest.mark.parametrize("refusal", [None, ("no-agreement", TOLD)])
async def test_a_file_replaced_after_it_was_collected_stays_to_be_collected(
    desk: Desk, refusal: tuple[str, Text] | None
) -> None:
    desk.system.send(a_document("1"), "letter.edxml")
    first = await desk.one()
    desk.system.send(a_document("2"), "letter.edxml")
    await desk.adapter.settle(first.token, refusal)
    second = await desk.one()
    assert second.event["id"] != first.event["id"]
    assert desk.system.sent() == []


async def test_a_crash_between_the_note_and_the_move_is_mended_by_the_next_round(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.system.send(a_document("12"), "12.edxml")
    item = await desk.one()

    def crash(*_: object) -> None:
        raise OSError(5, "Input/output error")

    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: real(a, b) if str(a).endswith(".tmp") else crash())
    with pytest.raises(TransientFailure):
        await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    monkeypatch.undo()
    later = desk.anew()
    (again,) = await later.collect(50)
    assert again.token == item.token
    await later.settle(again.token, ("no-agreement", TOLD))
    assert list(desk.system.refused()) == ["12.edxml"]
    assert list(await later.collect(50)) == []


@pytest.mark.parametrize(
    "name", ["Công văn số 12 (đã ký) & phụ lục.edxml", "a" * 240 + ".edxml", "không-đuôi", "12#3.edxml"]
)
async def test_files_of_any_name_are_settled(desk: Desk, name: str) -> None:
    (desk.system.outbox / name).write_bytes(a_document("12"))
    item = await desk.one()
    assert item.event["data"]["raw"]["name"] == name
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    assert len(desk.system.refused()) == 1
    assert list(await desk.adapter.collect(50)) == []


async def test_a_name_that_is_no_utf_8_is_taken_and_settled_all_the_same(desk: Desk) -> None:
    path = os.fsencode(desk.system.outbox) + b"/c\xf4ng v\xe3n.edxml"
    with open(path, "wb") as file:  # noqa: PTH123, ASYNC230 - a name that pathlib would not take
        file.write(a_document("12"))
    item = await desk.one()
    item.token.encode()
    json.dumps(item.event, ensure_ascii=False).encode()
    await desk.adapter.settle(item.token, None)
    assert list(await desk.adapter.collect(50)) == []


# ----------------------------------------------------------------------------------------------- a message goes out


def a_message_from(raw: bytes, desk: Desk) -> tuple[dict[str, Any], Parcel]:
    """The message that another agency's file became, on its way to this one."""
    (desk.system.outbox / "x.edxml").write_bytes(raw)
    items = list(desk.adapter._gather(1))
    (item,) = items
    assert isinstance(item, Collected)
    desk.hands.files |= {file.sha256: whole(file.content) for file in item.files}
    (desk.system.outbox / "x.edxml").unlink()
    event = {**item.event, "source": "H33.05/dms"}
    return event, a_parcel(desk.context, event=event)


@pytest.mark.parametrize(
    "name", ["document_new.edxml", "document_recall.edxml", "status_rejected.edxml", "other_vendor.edxml"]
)
async def test_what_came_as_edxml_goes_out_as_the_very_same_bytes(desk: Desk, name: str) -> None:
    raw = (OURS / name).read_bytes()
    _, parcel = a_message_from(raw, desk)
    await desk.adapter.deliver(parcel)
    assert desk.files() == {f"{parcel.delivery}.edxml": raw}


async def test_a_translated_message_is_written_anew_from_its_data(desk: Desk) -> None:
    raw = (OURS / "document_new.edxml").read_bytes()
    event, parcel = a_message_from(raw, desk)
    chain = CATALOG.translation("document.issued", 2, 1)
    assert chain is not None
    flat = with_data(chain.apply(event["data"]), "1.0")
    await desk.adapter.deliver(replace(parcel, event=flat, is_translated=True))
    ((_, written),) = desk.files().items()
    assert written != raw
    before, after = read(raw), read(written)
    assert isinstance(before, DocumentMessage)
    assert isinstance(after, DocumentMessage)
    assert (after.document_id, after.subject, after.code) == (before.document_id, before.subject, before.code)
    assert [each.content for each in after.attachments] == [each.content for each in before.attachments]
    assert after.sender.organ_id == before.sender.organ_id


async def test_a_document_from_a_system_without_edxml_is_written_as_edxml(desk: Desk) -> None:
    pdf = {"name": "12.pdf", "mediaType": "application/pdf", "size": len(A_PDF)}
    pdf["sha256"] = hashlib.sha256(A_PDF).hexdigest()
    desk.hands.files[str(pdf["sha256"])] = A_PDF
    data = {**an_event()["data"], "issuedOn": "2026-11-23", "kind": "Công văn", "files": [pdf]}
    parcel = a_parcel(desk.context, event=with_data(data, "1.0"))
    await desk.adapter.deliver(parcel)
    ((name, written),) = desk.files().items()
    message = read(written)
    assert name == f"{parcel.delivery}.edxml"
    assert isinstance(message, DocumentMessage)
    assert message.warnings == ()
    assert message.attachments[0].content == InMemory(A_PDF)


async def test_a_document_without_files_is_written_too(desk: Desk) -> None:
    await desk.adapter.deliver(a_parcel(desk.context))
    ((_, written),) = desk.files().items()
    assert b"<edXML:Subject>" in written


async def test_a_raw_file_that_is_no_edxml_is_not_passed_on(desk: Desk) -> None:
    other = b"MZ\x90\x00 not what it says"
    named = {"name": "x.edxml", "mediaType": "application/xml", "size": len(other)}
    named["sha256"] = hashlib.sha256(other).hexdigest()
    desk.hands.files[str(named["sha256"])] = other
    await desk.adapter.deliver(a_parcel(desk.context, event=with_data({**an_event()["data"], "raw": named}, "1.0")))
    ((_, written),) = desk.files().items()
    assert b"MZ" not in written
    assert b"H33.05,2026/11/23,12/STC-VP" in written


async def test_a_raw_file_about_another_document_is_not_passed_on(desk: Desk) -> None:
    event, parcel = a_message_from(a_document("12"), desk)
    data = {**event["data"], "documentId": "H33.05,2026/11/23,13/STC-VP"}
    await desk.adapter.deliver(replace(parcel, event={**event, "data": data}))
    ((_, written),) = desk.files().items()
    message = read(written)
    assert isinstance(message, DocumentMessage)
    assert message.document_id == "H33.05,2026/11/23,13/STC-VP"


async def test_an_outcome_is_put_as_a_small_json_file(desk: Desk) -> None:
    event = an_event(type="receipt.delivered", dataschema="urn:lgsp:contract:receipt.delivered:1.0", data={"id": "x"})
    parcel = a_parcel(desk.context, event=event)
    await desk.adapter.deliver(parcel)
    ((name, content),) = desk.files().items()
    assert name == f"{parcel.delivery}.receipt.json"
    assert json.loads(content) == event


async def test_a_repeat_takes_its_own_place(desk: Desk) -> None:
    parcel = a_parcel(desk.context)
    for attempt in (1, 2, 3):
        await desk.adapter.deliver(replace(parcel, attempt=attempt))
    assert list(desk.files()) == [f"{parcel.delivery}.edxml"]
    assert [taken.name for taken in desk.system.collected()] == [f"{parcel.delivery}.edxml"]
    await desk.adapter.deliver(parcel)
    assert desk.system.collected() == []


@pytest.mark.parametrize("delivery", ["../../evil", "/etc/passwd", "a/b", "", ".", "x" * 300, "a\x00b", ".hidden"])
async def test_a_delivery_id_is_never_a_path(desk: Desk, delivery: str) -> None:
    await desk.adapter.deliver(a_parcel(desk.context, delivery=delivery))
    (name,) = desk.files()
    assert name == hashlib.sha256(delivery.encode()).hexdigest() + ".edxml"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (an_event(type="sensor.reading"), "cannot say sensor.reading"),
        (with_data({}, "3.0"), "document.issued/3.0"),
        (an_event(data="words"), "cannot say document.issued"),
        (an_event(data={**an_event()["data"], "subject": "\x01"}), "not-xml-text"),
        (
            an_event(data={**an_event()["data"], "files": [{"size": 60 << 20, "sha256": "0" * 64}]}),
            "the attachments make a file of",
        ),
    ],
)
async def test_what_edxml_cannot_say_is_refused_for_good(desk: Desk, event: dict[str, Any], words: str) -> None:
    with pytest.raises(PermanentFailure, match=words):
        await desk.adapter.deliver(a_parcel(desk.context, event=event))
    assert desk.files() == {}


async def test_a_file_that_the_spool_lacks_or_spoilt_is_a_temporary_failure(desk: Desk) -> None:
    event, parcel = a_message_from(a_document("12"), desk)
    desk.hands.files.clear()
    with pytest.raises(TransientFailure, match="cannot be read from the spool"):
        await desk.adapter.deliver(parcel)
    desk.hands.files[event["data"]["raw"]["sha256"]] = b"spoilt"
    with pytest.raises(TransientFailure, match="damaged in the spool"):
        await desk.adapter.deliver(parcel)
    assert desk.files() == {}


async def test_a_folder_that_is_a_file_or_full_is_a_temporary_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TransientFailure, match="No space left"):
            await desk.adapter.deliver(a_parcel(desk.context))
    assert [name for name in desk.files() if not name.startswith(".")] == []
    for path in desk.system.inbox.iterdir():
        path.unlink()
    desk.system.inbox.rmdir()
    desk.system.inbox.write_bytes(b"")
    with pytest.raises(TransientFailure, match="Not a directory"):
        await desk.adapter.deliver(a_parcel(desk.context))


async def test_a_folder_that_hangs_is_a_time_out_and_closing_does_not_wait_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(tongue, "PATIENCE", 0.05)
    monkeypatch.setattr(desk.adapter, "_put", lambda _: answered.wait(30))
    try:
        with pytest.raises(TimedOut):
            await desk.adapter.deliver(a_parcel(desk.context))
        await desk.adapter.close()
    finally:
        answered.set()


async def test_the_bytes_that_were_handed_over_are_on_record_with_the_attempt(desk: Desk) -> None:
    raw = (OURS / "other_vendor.edxml").read_bytes()
    event, parcel = a_message_from(raw, desk)
    handed = await desk.adapter.deliver(parcel)
    assert handed.reference == f"sha-256:{hashlib.sha256(raw).hexdigest()} {len(raw)} bytes, as it came"
    handed = await desk.adapter.deliver(replace(parcel, delivery="again", is_translated=True))
    written = desk.files()["again.edxml"]
    assert handed.reference == f"sha-256:{hashlib.sha256(written).hexdigest()} {len(written)} bytes, written"
    assert event["data"]["raw"]["sha256"] != hashlib.sha256(written).hexdigest()


async def test_a_large_file_on_a_slow_line_arrives_although_each_try_gives_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tongue, "PATIENCE", 0.05)
    go_on, begun, real = threading.Event(), [], put

    def slow(folder: Path, name: str, content: Content) -> None:
        begun.append(name)
        go_on.wait(30)
        real(folder, name, content)

    monkeypatch.setattr(tongue, "put", slow)
    parcel = a_parcel(desk.context)
    try:
        for attempt in (1, 2):
            with pytest.raises(TimedOut):
                await desk.adapter.deliver(replace(parcel, attempt=attempt))
    finally:
        go_on.set()
    monkeypatch.setattr(tongue, "PATIENCE", 10.0)
    handed = await desk.adapter.deliver(replace(parcel, attempt=3))
    assert handed.reference is not None
    assert len(begun) == 1
    assert list(desk.files()) == begun


async def test_a_large_file_on_a_slow_line_is_collected_although_each_round_gives_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.system.send(a_document("12"), "12.edxml")
    monkeypatch.setattr(tongue, "PATIENCE", 0.05)
    go_on, begun, real = threading.Event(), [], desk.adapter._gather

    def slow(limit: int) -> list[Collected | Uncollectable]:
        begun.append(limit)
        go_on.wait(30)
        return real(limit)

    monkeypatch.setattr(desk.adapter, "_gather", slow)
    try:
        for _ in range(2):
            with pytest.raises(TimedOut):
                await desk.adapter.collect(50)
    finally:
        go_on.set()
    monkeypatch.setattr(tongue, "PATIENCE", 10.0)
    assert len(await desk.adapter.collect(50)) == 1
    assert begun == [50]
    desk.system.send(a_document("13"), "13.edxml")
    assert len(await desk.adapter.collect(50)) == 2


async def test_a_gateway_without_room_takes_what_it_can_and_the_rest_later(desk: Desk) -> None:
    for number in range(3):
        desk.system.send(a_document(str(number)), f"{number}.edxml")
        os.utime(desk.system.outbox / f"{number}.edxml", (MONDAY + number, MONDAY + number))
    sinks: list[MemorySink] = []

    def scarce() -> MemorySink:
        if len(sinks) >= 3:
            raise TransientFailure("the gateway's own disk fails: No space left on device")
        sinks.append(MemorySink())
        return sinks[-1]

    adapter = tongue.open_adapter(replace(desk.context, new_sink=scarce))
    desk.opened.append(adapter)
    assert [item.token.partition("#")[0] for item in await adapter.collect(50)] == ["0.edxml"]
    with pytest.raises(TransientFailure, match="No space left"):
        await adapter.collect(50)
    sinks.clear()
    assert [item.token.partition("#")[0] for item in await adapter.collect(50)] == ["0.edxml"]


async def test_a_file_that_is_changed_while_it_is_read_is_left_for_the_next_round(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.system.send(a_document("12"), "12.edxml")

    def grown(file: BinaryIO) -> Iterator[bytes]:
        yield from pieces_of(file)
        with (desk.system.outbox / "12.edxml").open("ab") as more:
            more.write(b" ")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "pieces_of", grown)
        assert list(await desk.adapter.collect(50)) == []
    assert len(await desk.adapter.collect(50)) == 1


def test_half_of_a_file_is_never_shown_where_another_gateway_began_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def other(handle: int) -> None:
        real(handle)
        (tmp_path / ".a.edxml.tmp").unlink()
        (tmp_path / ".a.edxml.tmp").write_bytes(b"ha")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", other)
        with pytest.raises(OSError, match="another gateway"):
            put(tmp_path, "a.edxml", InMemory(b"half and half"))
    assert [path.name for path in tmp_path.iterdir()] == [".a.edxml.tmp"]


async def test_no_error_names_the_province_folder_or_a_text_of_the_message(desk: Desk) -> None:
    await desk.system.go_down()
    errors: list[DeliveryFailure] = []
    for work in (desk.adapter.deliver(a_parcel(desk.context)), desk.adapter.collect(50)):
        with pytest.raises(TransientFailure) as failure:
            await work
        errors.append(failure.value)
    await desk.system.come_back()
    assert all(str(desk.hands.folder) not in str(error) for error in errors)


# ------------------------------------------------------------------------------------------------------ the folders


def test_one_folder_for_both_ways_is_refused(tmp_path: Path) -> None:
    context = Hands(tmp_path).context("edxml_folder", {"outbox": "dms/x", "inbox": "dms/../dms/x"})
    with pytest.raises(Misconfigured) as mistake:
        tongue.open_adapter(context)
    assert "H33.16/dms" in mistake.value.where


def test_a_file_is_put_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, bytes]] = []
    real = os.replace

    def look(source: Path, target: Path) -> None:
        seen.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        real(source, target)

    monkeypatch.setattr(os, "replace", look)
    put(tmp_path, "a.edxml", InMemory(b"whole"))
    put(tmp_path, "a.edxml", InMemory(b"whole"))
    assert seen == [{".a.edxml.tmp": b"whole"}]
    assert (tmp_path / "a.edxml").read_bytes() == b"whole"


def test_what_a_crash_left_half_written_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.edxml.tmp").write_bytes(b"ha")
    put(tmp_path, "a.edxml", InMemory(b"whole"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.edxml"]


def test_a_link_that_waits_under_the_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    for name in ("a.edxml", ".a.edxml.tmp"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    put(tmp_path, "a.edxml", InMemory(b"whole"))
    assert (tmp_path / "victim").read_bytes() == b"untouched"
    assert (tmp_path / "a.edxml").read_bytes() == b"whole"
    assert not (tmp_path / "a.edxml").is_symlink()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_a_path_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="must not be a path"):
        put(tmp_path, name, InMemory(b""))
