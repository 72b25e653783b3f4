"""Older one-stop software calls the bus as the former one: tokens, documents with files inline, traces, figures."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.onestop_wso2 import stand_in
from adapters.onestop_wso2.adapter import open_adapter
from adapters.onestop_wso2.stand_in import CLIENT, SECRET, OldOffice
from gateway.calls.account import WRONG_LOGIN
from gateway.core.content import Content, InMemory, MemorySink, whole
from gateway.core.faults import Busy, Misconfigured, Text, TransientFailure
from gateway.ports import Call, NotReceived
from tests.adapters.fitting import Hands, a_parcel
from tests.adapters.one_stop_bus import Bus, context_of, door

CODE = "H33.16-261123-0001"
LATER = Busy("overloaded", Text("Trục bận", "Busy"), retry_after=5)
NO = NotReceived("no-agreement", Text("Cơ quan cần ký thoả thuận.", "The agency must sign an agreement."))


@dataclass(slots=True)
class Largest:
    """Notes the largest piece that was ever in a sink at once."""

    pieces: list[int] = field(default_factory=list)

    def sink(self) -> Any:
        noted = self.pieces

        class Noting(MemorySink):
            def write(self, piece: bytes) -> None:
                noted.append(len(piece))
                super().write(piece)

        return Noting()


@dataclass(slots=True)
class Facing:
    office: OldOffice
    bus: Bus
    hands: Hands
    context: Any
    adapter: Any

    async def call(self, path: str, body: Any, *, account: str = f"{CLIENT}:{SECRET}", token: str = "") -> Any:
        fields = {"authorization": "Basic " + base64.b64encode(account.encode()).decode()}
        if token:
            fields = {"authorization": f"Bearer {token}"}
        content: Content = body if isinstance(body, InMemory) else InMemory(json.dumps(body).encode())
        reply = await self.adapter.answer(Call("POST", path, {}, fields, content, "127.0.0.1"), self.bus.take)
        return reply.status, json.loads(reply.body)

    async def token(self, **members: str) -> Any:
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, **members}
        raw = InMemory(urlencode(form).encode())
        reply = await self.adapter.answer(Call("POST", "token", {}, {}, raw, "127.0.0.1"), self.bus.take)
        return json.loads(reply.body)

    async def sync(self, **members: Any) -> Any:
        return (await self.call("Document/SyncDocument", a_document(**members)))[1]


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Facing]:
    async with stand_in.agency(tmp_path) as office:
        bus, hands = Bus(), Hands(tmp_path)
        context = context_of(hands, "onestop_wso2", office.settings, bus)
        adapter = open_adapter(context)
        async with door(adapter, bus) as url:
            office.door = url
            yield Facing(office, bus, hands, context, adapter)
        await adapter.close()


def a_document(**members: Any) -> dict[str, Any]:
    return {
        "DocCode": CODE, "DocTypeCode": "1.004199", "CitizenName": "Nguyễn Văn Mẫu", "Status": 1,
        "DateReceived": "23/11/2026 08:30:00", **members,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- who calls


async def test_a_token_is_known_to_every_process_and_after_a_restart(it: Facing) -> None:
    granted = await it.token()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
    it.adapter = open_adapter(it.context)
    status, said = await it.call("Document/SyncDocument", a_document(), token=granted["access_token"])
    assert (status, said["Status"]) == (200, 1)


async def test_a_token_ends_with_its_time_and_with_the_secret(it: Facing, tmp_path: Path) -> None:
    token = (await it.token())["access_token"]
    it.hands.moment += 3601
    assert (await it.call("Document/SyncDocument", a_document(), token=token))[0] == 401
    token = (await it.token())["access_token"]
    (tmp_path / "keys/motcua-huyen.secret").write_text("khac")
    assert (await it.call("Document/SyncDocument", a_document(), token=token))[0] == 401
    assert it.bus.taken == []


async def test_whoever_asks_for_a_token_with_a_wrong_secret_waits_a_moment(it: Facing) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await it.token(client_secret="sai")
    assert loop.time() - begun >= WRONG_LOGIN


async def test_a_secret_that_can_be_guessed_opens_no_door(it: Facing, tmp_path: Path) -> None:
    (tmp_path / "keys/motcua-huyen.secret").write_text("x" * 15)
    with pytest.raises(Misconfigured, match="client_secret_file"):
        open_adapter(context_of(it.hands, "onestop_wso2", it.office.settings, it.bus))


def test_of_a_call_for_a_token_no_more_than_a_form_is_read(it: Facing) -> None:
    def most(path: str) -> int | None:
        found: int | None = it.adapter.gate.most(Call("POST", path, {}, {}, InMemory(b""), "10.0.0.1"))
        return found

    assert most("token") == most("/x/Token/") == 16 << 10
    assert most("Document/SyncDocument") is None


async def test_who_does_not_know_the_secret_gets_no_token(it: Facing) -> None:
    assert await it.token(client_secret="sai") == {"error": "invalid_client"}
    assert await it.token(client_id="ai-do") == {"error": "invalid_client"}
    assert await it.token(grant_type="password") == {"error": "unsupported_grant_type"}
    assert (await it.call("Document/SyncDocument", a_document(), account=f"{CLIENT}:sai"))[0] == 401
    assert it.bus.taken == []


async def test_strangers_are_known_by_the_head_of_a_call(it: Facing) -> None:
    head = Call("POST", "Document/SyncDocument", {}, {"authorization": "Bearer x"}, InMemory(b""), "127.0.0.1")
    assert not it.adapter.gate.lets_in(head)
    assert it.adapter.gate.lets_in(Call("POST", "token", {}, {}, InMemory(b""), "127.0.0.1"))


# --------------------------------------------------------------------------------------------- what it brings


async def test_the_life_of_a_dossier_is_told_event_by_event(it: Facing) -> None:
    office = it.office
    office.receive({"DocCode": CODE}, {"don.pdf": b"%PDF-1.4 don"})
    await office.cycle()
    office.progress(CODE, 1, "Chuyển phòng chuyên môn")
    await office.cycle()
    named = office.ask_supplement(CODE, "Bổ sung bản vẽ")
    await office.cycle()
    office.take_supplement(CODE, named)
    await office.cycle()
    office.issue_result(CODE)
    await office.cycle()
    office.issue_result(CODE, is_handed_over=True)
    await office.cycle()
    assert office.errors == []
    # The document itself says nothing new at a mere trace: it is known again.
    assert it.bus.events() == [
        ("dossier.registered", 4), ("dossier.progressed", 4), ("dossier.supplement-requested", 5),
        ("dossier.supplemented", 4), ("dossier.progressed", 9), ("dossier.result-issued", 10),
    ]  # fmt: skip
    assert it.bus.repeats == 1


async def test_what_is_given_back_without_success_says_why(it: Facing) -> None:
    await it.sync()
    assert "lý do" in (await it.sync(IsReturned=True))["Message"]
    await it.sync(IsReturned=True, ReturnedDate="24/11/2026 08:00:00", ReturnNote="Không thuộc thẩm quyền")
    assert it.bus.events()[1:] == [("dossier.returned", 8)]


async def test_a_new_document_that_is_given_back_was_never_received(it: Facing) -> None:
    await it.sync(IsReturned=True, ReturnedDate="24/11/2026 08:00:00")
    assert it.bus.events() == [("dossier.registered", 3)]


async def test_files_are_lifted_out_of_their_base64(it: Facing) -> None:
    content = b"%PDF-1.4 " + bytes(range(256)) * 4000
    it.office.receive({"DocCode": CODE}, {"lon.pdf": content, "nho.txt": b"nho"})
    await it.office.cycle()
    (item,) = it.bus.taken
    assert [whole(each.content) for each in item.files] == [content, b"nho"]
    papers = item.event["data"]["papers"]
    assert [(each["id"], each["name"], each["file"]["mediaType"]) for each in papers] == [
        ("TL-1", "lon.pdf", "application/pdf"),
        ("TL-2", "nho.txt", "text/plain"),
    ]
    assert "Base64" not in json.dumps(item.event["data"])


async def test_no_large_file_is_in_memory_at_once(it: Facing) -> None:
    largest = Largest()
    adapter = open_adapter(_with_sink(it, largest.sink))
    text = base64.b64encode(b"%PDF" + bytes(6 << 20)).decode()
    body = InMemory(json.dumps(a_document(Attachments=[{"AttachmentName": "a.pdf", "Base64": text}])).encode())
    it.adapter = adapter
    assert (await it.call("Document/SyncDocument", body))[1]["Status"] == 1
    assert sum(largest.pieces) > 12 << 20
    assert max(largest.pieces) <= 1 << 20


@pytest.mark.parametrize("spelled", ["Attachmentld", "AttachmentId", "attachmentid"])
async def test_the_id_of_a_paper_is_read_however_it_is_spelled(it: Facing, spelled: str) -> None:
    await it.sync(Attachments=[{spelled: "TL-9", "AttachmentName": "a.pdf"}])
    assert it.bus.taken[0].event["data"]["papers"] == [{"id": "TL-9", "name": "a.pdf"}]


async def test_the_same_document_is_one_and_another_file_makes_another(it: Facing) -> None:
    paper = {"AttachmentName": "a.pdf", "Base64": base64.b64encode(b"mot").decode()}
    await it.sync(Attachments=[paper])
    await it.sync(Attachments=[paper], Status="1", DocFees=None)
    assert it.bus.repeats == 1
    await it.sync(Attachments=[{**paper, "Base64": base64.b64encode(b"hai").decode()}])
    assert len(it.bus.taken) == 2


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"DocCode": "-261123-0001"}, "phần mã của tỉnh"),
        ({"DocCode": "H33.16/1"}, "không đúng dạng"),
        ({"CitizenName": None}, "CitizenName"),
        ({"Status": 3}, "Status"),
        ({"Status": None}, "Status"),
        ({"DateReceived": "2026-11-23"}, "dd/MM/yyyy HH:mm:ss"),
        ({"Attachments": [{"AttachmentName": "a", "Base64": "###"}]}, "Base64"),
        ({"Attachments": 7}, "Attachments"),
        ({"DocFees": [{"FeeName": "Phí", "Price": "mười"}]}, "Price"),
    ],
)
async def test_what_cannot_be_passed_on_is_refused_and_told_who_must_mend_it(
    it: Facing, members: dict[str, Any], word: str
) -> None:
    said = await it.sync(**members)
    assert said["Status"] == 0
    assert word in said["Message"]
    assert "thành công" not in said["Message"].lower()
    assert it.bus.taken == []


async def test_a_file_over_the_bound_is_refused(it: Facing) -> None:
    it.adapter = open_adapter(context_of(it.hands, "onestop_wso2", {**it.office.settings, "file_mebibytes": 1}, it.bus))
    text = base64.b64encode(bytes(2 << 20)).decode()
    said = (await it.call("Document/SyncDocument", a_document(Attachments=[{"Base64": text}])))[1]
    assert "1 MiB" in said["Message"]
    assert it.bus.taken == []


async def test_of_a_list_each_document_is_taken_or_told_by_its_place(it: Facing) -> None:
    documents = [a_document(), a_document(DocCode="-261123-0001"), a_document(DocCode="H33.16-261123-0002")]
    said = (await it.call("Document/SyncDocument", documents))[1]
    assert (said["Status"], said["Message"][:3]) == (0, "2: ")
    it.bus.instead = [None, LATER]
    status, said = await it.call("Document/SyncDocument", [documents[0], documents[2]])
    assert (status, said["Status"]) == (503, 0)
    assert (await it.call("Document/SyncDocument", [documents[0], documents[2]]))[1]["Status"] == 1
    assert len(it.bus.taken) == 2


async def test_busy_and_refused_are_never_a_yes(it: Facing) -> None:
    it.bus.instead = [NO]
    assert await it.sync() == {"Status": 0, "Message": NO.detail.vi}
    it.bus.instead = [LATER]
    with pytest.raises(Busy):
        await it.sync()


async def test_figures_are_told_and_votes_refused_with_words(it: Facing) -> None:
    figures = {"Month": 11, "Year": 2026, "PreExtisting": "15", "SolvedInTimePercent": "95,5", "Total": 20}
    assert await it.office.send_figures(figures)
    (item,) = it.bus.taken
    assert item.event["data"]["received"] == {"carriedOver": 15, "total": 20}
    assert item.event["data"]["solved"] == {"onTimePercent": 95.5}
    assert item.event["data"]["agency"] == {"code": "H33.16"}
    assert item.event["subject"] == "H33.16:2026-11"
    assert not await it.office.send_votes()
    assert "UpdateVote" in it.office.errors[0]


@pytest.mark.parametrize(
    ("dates", "written"),
    [
        ("yyyyMMddHHmmss", "20261123083000"),
        ("yyyy/MM/dd HH:mm:ss", "2026/11/23 08:30:00"),
        ("yyyy-MM-ddTHH:mm:ss", "2026-11-23T08:30:00"),
        ("yyyy-MM-ddTHH:mm:ss", "2026-11-23T08:30:00.123"),
        ("yyyy-MM-ddTHH:mm:ss", "2026-11-23T01:30:00Z"),
    ],
)
async def test_days_are_read_as_the_software_at_hand_writes_them(it: Facing, dates: str, written: str) -> None:
    it.adapter = open_adapter(context_of(it.hands, "onestop_wso2", {**it.office.settings, "dates": dates}, it.bus))
    assert (await it.sync(DateReceived=written))["Status"] == 1
    assert it.bus.taken[0].event["data"]["receivedAt"] == "2026-11-23T08:30:00+07:00"


# ---------------------------------------------------------------------------------------------------- habits


async def test_calls_made_twice_in_any_order_with_texts_and_nulls_are_read_and_taken_once(it: Facing) -> None:
    habits = it.office.habits
    habits.twice = habits.shuffles = habits.texts = habits.nulls = habits.by_words = True
    it.office.receive({"DocCode": CODE})
    for number in range(5):
        it.office.clock = partial(float, it.hands.moment + number)
        it.office.progress(CODE, 1, f"Bước {number}")
    await it.office.cycle()
    assert it.office.errors == []
    assert it.office.unsent() == []
    assert len(it.bus.taken) == 6
    assert it.bus.repeats == 6


async def test_an_answer_that_came_too_late_is_made_up_for_by_the_next_cycle(it: Facing) -> None:
    it.office.receive({"DocCode": CODE})
    it.office.habits.patience = 0.0001
    await it.office.cycle()
    assert it.office.unsent() == [CODE]
    it.office.habits.patience = 3.0
    await it.office.cycle()
    assert it.office.unsent() == []
    assert len(it.bus.taken) == 1


async def test_what_an_office_forgets_is_not_there_and_its_next_word_heals_it(it: Facing) -> None:
    it.office.habits.forgets = True
    it.office.receive({"DocCode": CODE})
    it.bus.instead = [NO]
    await it.office.cycle()
    assert it.office.errors == [NO.detail.vi]
    it.office.issue_result(CODE)
    await it.office.cycle()
    assert it.bus.events() == [("dossier.registered", 9)]


async def test_a_clock_ahead_and_traces_of_long_ago_are_kept_as_told(it: Facing) -> None:
    it.office.receive({"DocCode": CODE})
    await it.office.cycle()
    it.office.habits.backdates = 10 * 86400
    it.office.progress(CODE, 1)
    it.office.habits.backdates, it.office.habits.ahead = 0, 86400
    it.office.progress(CODE, 2)
    await it.office.cycle()
    known = await it.bus.known(CODE)
    assert known is not None
    assert known.status == 9
    assert "ahead" in {flag for step in known.steps for flag in step.flags}


async def test_nothing_is_ever_handed_to_it(it: Facing) -> None:
    with pytest.raises(TransientFailure):
        await it.adapter.deliver(a_parcel(it.context))


async def test_what_is_no_address_of_the_interface_is_told_so(it: Facing) -> None:
    for path in ("", "Document", "Document/Other", "v1.0/Statistic/SyncDocument"):
        assert (await it.call(path, a_document()))[1]["Status"] == 0
    assert (await it.call("lgsp/v1.0.0/document/syncdocument", a_document()))[1]["Status"] == 1


def _with_sink(it: Facing, sink: Any) -> Any:
    return replace(it.context, new_sink=sink)
