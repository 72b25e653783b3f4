"""One-stop software calls the bus as its portal: what is taken, what is refused in words, and its habits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.onestop import desk, stand_in
from adapters.onestop.adapter import open_adapter
from adapters.onestop.stand_in import HEADER, KEY, PASSWORD, USERNAME, Office
from gateway.calls.account import WRONG_LOGIN
from gateway.core.content import InMemory, whole
from gateway.core.faults import Busy, Misconfigured, Rejected, Text
from gateway.core.strictjson import parse_strict
from gateway.ports import Call, NotReceived
from tests.adapters.fitting import Hands
from tests.adapters.one_stop_bus import Bus, an_event_of, context_of, door

CODE = "H33.16-261123-0001"
LATER = Busy("overloaded", Text("Trục bận", "Busy"), retry_after=5)
NO = NotReceived("no-agreement", Text("Cơ quan cần ký thoả thuận.", "The agency must sign an agreement."))


@dataclass(slots=True)
class Facing:
    office: Office
    bus: Bus
    hands: Hands
    adapter: Any

    async def call(self, body: Any, *, path: str = "", fields: dict[str, str] | None = None, **query: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        call = Call("POST", path, query, fields or {}, InMemory(raw), "127.0.0.1")
        reply = await self.adapter.answer(call, self.bus.take)
        return json.loads(reply.body)

    async def login(self, password: str = PASSWORD) -> str:
        answer = await self.call({"username": USERNAME, "password": password})
        return str(answer.get("session", ""))

    async def sync(self, *items: Any, updating: Any = "False", session: str | None = None) -> Any:
        session = await self.login() if session is None else session
        body = {"session": session, "madonvi": "H33.16", "service": "DongBoHoSoMC", "isUpdating": updating}
        return await self.call({**body, "data": list(items)})


@asynccontextmanager
async def facing(folder: Path, *, gate: bool = False, **settings: Any) -> AsyncIterator[Facing]:
    async with stand_in.agency(folder) as office:
        bus, hands = Bus(), Hands(folder)
        base = office.settings if gate else office.login_settings
        adapter = open_adapter(context_of(hands, "onestop", {**base, **settings}, bus))
        async with door(adapter, bus) as url:
            office.door = url
            yield Facing(office, bus, hands, adapter)
        await adapter.close()


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Facing]:
    async with facing(tmp_path) as made:
        yield made


def an_item(**members: Any) -> dict[str, Any]:
    made = {
        "MaHoSo": CODE, "MaTTHC": "1.004199", "ChuHoSo": "Nguyễn Văn Mẫu", "TrangThaiHoSo": "2",
        "NgayTiepNhan": "20261123083000", **members,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not ...}


def a_strangers(code: str) -> dict[str, Any]:
    """A dossier that another agency registered."""
    return {
        "dossierCode": code, "procedure": {"code": "1"}, "agency": {"code": "H33.05"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        "status": {"code": 2, "at": "2026-11-23T08:30:00+07:00"},
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- who calls


async def test_a_session_is_known_to_every_process_and_after_a_restart(it: Facing) -> None:
    session = await it.login()
    other = open_adapter(it.adapter._context)
    body = {"session": session, "service": "DongBoHoSoMC", "isUpdating": "False", "data": [an_item()]}
    call = Call("POST", "", {}, {}, InMemory(json.dumps(body).encode()), "127.0.0.1")
    assert json.loads((await other.answer(call, it.bus.take)).body)["error_code"] == 0
    await other.close()


@pytest.mark.parametrize("session", ["", "1.a", "x" * 5000, "99999999999.AAAA", "²³.a"])
async def test_a_session_that_the_bus_did_not_issue_takes_nothing(it: Facing, session: str) -> None:
    answer = await it.sync(an_item(), session=session)
    assert answer["error_code"] == -1
    assert "đăng nhập lại" in answer["message"]
    assert it.bus.taken == []


async def test_a_session_ends_with_its_time_and_with_the_password(it: Facing, tmp_path: Path) -> None:
    session = await it.login()
    it.hands.moment += 3601
    assert (await it.sync(an_item(), session=session))["error_code"] == -1
    session = await it.login()
    (tmp_path / "keys/motcua.password").write_text("khac")
    assert (await it.sync(an_item(), session=session))["error_code"] == -1
    assert it.bus.taken == []


async def test_of_a_large_body_nothing_is_read_before_a_good_session_is_found_in_it(
    it: Facing, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noted(raw: bytes) -> Any:
        read.append(len(raw))
        return parse_strict(raw)

    monkeypatch.setattr(desk, "parse_strict", noted)
    large = {"service": "DongBoHoSoMC", "isUpdating": "False", "data": [an_item()], "x": "x" * (70 << 10)}
    for session in ("", "99999999999.AAAA"):
        answer = await it.call({"session": session, **large})
        assert (answer["error_code"], "đăng nhập lại" in answer["message"]) == (-1, True)
    assert read == []
    # One that stands at another place is not this call's.
    session = await it.login()
    assert (await it.call({**large, "data": [{"session": session}]}))["error_code"] == -1
    assert (await it.call({"session": session, **large}))["error_code"] == 0
    assert len(it.bus.taken) == 1


async def test_a_wrong_password_gets_no_session(it: Facing) -> None:
    assert await it.login("sai") == ""
    assert await it.login(PASSWORD + "\udcff") == ""


async def test_whoever_logs_in_with_a_wrong_password_waits_a_moment_and_nobody_else_does(it: Facing) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert await it.login("sai") == ""
    wrong, begun = loop.time() - begun, loop.time()
    assert await it.login()
    assert wrong >= WRONG_LOGIN > loop.time() - begun


async def test_a_password_that_can_be_guessed_opens_no_door(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as office:
        context = context_of(Hands(tmp_path), "onestop", office.login_settings, Bus())
        (tmp_path / "keys/motcua.password").write_text("x" * 15)
        with pytest.raises(Misconfigured) as caught:
            open_adapter(context)
        assert "password_file" in str(caught.value)
        assert "xxxxx" not in str(caught.value)
        (tmp_path / "keys/motcua.password").unlink()
        await open_adapter(context).close()  # it is told when it is needed


async def test_software_without_a_login_needs_another_proof(tmp_path: Path) -> None:
    async with stand_in.agency(tmp_path) as office:
        for settings in ({"url": office.counter.url}, {"username": "a", "caller_secret_file": "x"}):
            with pytest.raises(Misconfigured):
                open_adapter(context_of(Hands(tmp_path), "onestop", settings, Bus()))


# ------------------------------------------------------------------------------------------- the three kinds


@pytest.mark.parametrize("variant", ["ocps", "hgg", "thh"])
async def test_each_kind_of_software_connects_by_its_address_alone(variant: Any, tmp_path: Path) -> None:
    async with facing(tmp_path, gate=variant != "ocps") as it:
        it.office.variant = variant
        it.office.receive({"MaHoSo": CODE})
        await it.office.cycle()
        it.office.progress(CODE, "4", "Chuyển phòng chuyên môn")
        await it.office.cycle()
        assert it.office.unsent() == []
        assert it.office.errors == []
        assert it.bus.events() == [("dossier.registered", 2), ("dossier.progressed", 4), ("dossier.progressed", 4)]
        assert it.bus.taken[0].event["data"]["agency"] == {"code": "H33.16"}


async def test_who_has_no_key_is_turned_away_before_its_body_is_looked_at(tmp_path: Path) -> None:
    async with facing(tmp_path, gate=True) as it:
        with pytest.raises(Rejected):
            await it.call([an_item()], path="add", fields={HEADER.lower(): "sai"})
        assert (await it.call([an_item()], path="add", fields={HEADER.lower(): KEY}))["error_code"] == 0


async def test_what_the_bus_does_not_serve_is_said_and_so_is_who_does(it: Facing) -> None:
    session = await it.login()
    for service in ("LayThuTuc", "LayDanhSachTTHC", "LayDanhMucCoQuan", "LayDanhSachHoiDapGuiTuDVCQG", "NoSuch"):
        answer = await it.call({"session": session, "service": service})
        assert answer["error_code"] == -1
        assert "Cổng Dịch vụ công quốc gia" in answer["message"]


async def test_a_look_up_tells_parties_how_a_dossier_stands_and_nobody_else(it: Facing) -> None:
    session = await it.login()
    ask = {"session": session, "service": "TraCuuHoSo", "mahoso": CODE}
    assert (await it.call(ask))["result"] == []
    await it.sync(an_item())
    assert (await it.call(ask))["result"] == [{"MaHoSo": CODE, "TrangThaiHoSo": "2"}]
    it.bus.tell(an_event_of("dossier.registered", "2.0", a_strangers("H33.05-261123-0009")), "H33.05")
    assert (await it.call({**ask, "mahoso": "H33.05-261123-0009"}))["result"] == []


async def test_a_look_up_tells_nothing_to_who_made_itself_heard_about_a_strangers_dossier(it: Facing) -> None:
    strange = "H33.05-261123-0009"
    session = await it.login()
    it.bus.tell(an_event_of("dossier.registered", "2.0", a_strangers(strange)), "H33.05")
    # The bus keeps what anybody says; nobody becomes a party by that.
    await it.sync(an_item(MaHoSo=strange), session=session)
    ask = {"session": session, "service": "TraCuuHoSo", "mahoso": strange}
    assert (await it.call(ask))["result"] == []


# ------------------------------------------------------------------------------------------------ item by item


async def test_of_a_batch_each_item_is_taken_or_refused_and_the_reply_says_which(it: Facing) -> None:
    items = [an_item(), an_item(MaHoSo="-261123-0002"), an_item(MaHoSo="H33.16-261123-0003", ChuHoSo=""), 7]
    answer = await it.sync(*items)
    assert answer["error_code"] == -1
    assert "thành công" not in answer["message"]
    assert [each["error_code"] for each in answer["result"]] == [0, -1, -1, -1]
    assert [each["MaHoSo"] for each in answer["result"]][:2] == [CODE, "-261123-0002"]
    assert "ChuHoSo" in answer["result"][2]["message"]
    assert len(it.bus.taken) == 1


async def test_a_batch_half_taken_is_sent_again_as_it_was_and_nothing_is_taken_twice(it: Facing) -> None:
    items = [an_item(MaHoSo=f"H33.16-261123-000{number}") for number in range(1, 5)]
    it.bus.instead = [None, None, LATER]
    answer = await it.sync(*items)
    assert answer["error_code"] == -1
    assert [each["error_code"] for each in answer["result"]] == [0, 0, -1, -1]
    answer = await it.sync(*items)
    assert answer["error_code"] == 0
    assert (len(it.bus.taken), it.bus.repeats) == (4, 2)


async def test_busy_and_refused_are_never_a_yes(it: Facing) -> None:
    it.bus.instead = [NO]
    answer = await it.sync(an_item())
    assert answer["error_code"] == -1
    assert answer["result"][0]["message"] == NO.detail.vi
    it.bus.instead = [LATER]
    with pytest.raises(Busy):
        await it.sync(an_item())


async def test_the_same_item_written_otherwise_is_the_same_item(it: Facing) -> None:
    await it.sync(an_item(TaiLieuNop=[]))
    written = {name.lower(): value for name, value in an_item(TrangThaiHoSo=2, TaiLieuNop=None, Email="").items()}
    assert (await it.sync(written))["error_code"] == 0
    assert it.bus.repeats == 1


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"MaHoSo": "000.00.00-181231-0001"}, "phần mã của tỉnh"),
        ({"MaHoSo": "-181231-0001"}, "phần mã của tỉnh"),
        ({"MaHoSo": "H33.16-181331-0001"}, "không đúng dạng"),
        ({"MaHoSo": "H33.16/2026/1"}, "không đúng dạng"),
        ({"MaHoSo": "x" * 51}, "50"),
        ({"NgayTiepNhan": "23/11/2026"}, "yyyyMMddHHmmss"),
        ({"NgayTiepNhan": "20261323083000"}, "NgayTiepNhan"),
        ({"TrangThaiHoSo": "0"}, "1-10"),
        ({"TrangThaiHoSo": ...}, "1-10"),
        ({"DanhSachLePhi": [{"TenPhiLePhi": "Phí", "Gia": "mười nghìn"}]}, "Gia"),
        ({"TaiLieuNop": "không phải danh sách"}, "TaiLieuNop"),
        ({"TaiLieuNop": 5}, "TaiLieuNop"),
        ({"Email": {"a": 1}}, "Email"),
    ],
)
async def test_what_cannot_be_passed_on_is_refused_and_told_who_must_mend_it(
    it: Facing, members: dict[str, Any], word: str
) -> None:
    answer = await it.sync(an_item(**members))
    assert answer["error_code"] == -1
    assert word in answer["result"][0]["message"]
    assert it.bus.taken == []


async def test_codes_of_others_may_be_any_text(it: Facing) -> None:
    assert (await it.sync(an_item(MaHoSo="BKHĐT.2026/12-A")))["error_code"] == 0


async def test_lists_in_texts_are_read_as_json_and_as_xml(it: Facing) -> None:
    papers = "<TaiLieuNop><TaiLieu><TenTepDinhKem>don.pdf</TenTepDinhKem></TaiLieu></TaiLieuNop>"
    fees = json.dumps([{"TenPhiLePhi": "Phí", "Gia": 15000}])
    assert (await it.sync(an_item(TaiLieuNop=papers, DanhSachLePhi=fees)))["error_code"] == 0
    data = it.bus.taken[0].event["data"]
    assert data["papers"] == [{"name": "don.pdf"}]
    assert data["fees"] == [{"name": "Phí", "amount": 15000}]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([an_item()]),
        json.dumps(json.dumps(an_item())),
        "<HoSos><HoSo>" + "".join(f"<{name}>{value}</{name}>" for name, value in an_item().items()) + "</HoSo></HoSos>",
        an_item(),
    ],
    ids=["json", "json twice", "xml", "one alone"],
)
async def test_the_items_themselves_may_stand_in_a_text_or_alone(it: Facing, data: Any) -> None:
    body = {"session": await it.login(), "service": "DongBoHoSoMC", "isUpdating": False, "data": data}
    assert (await it.call(body))["error_code"] == 0
    assert it.bus.events() == [("dossier.registered", 2)]


@pytest.mark.parametrize("data", [None, [], "", "x", [None], 7])
async def test_a_call_without_items_is_told_so(it: Facing, data: Any) -> None:
    body = {"session": await it.login(), "service": "DongBoHoSoMC", "isUpdating": False, "data": data}
    assert (await it.call(body))["error_code"] == -1
    assert it.bus.taken == []


async def test_xml_with_a_document_type_is_refused(it: Facing) -> None:
    papers = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a><b><TenTepDinhKem>&b;</TenTepDinhKem></b></a>'
    assert (await it.sync(an_item(TaiLieuNop=papers)))["error_code"] == -1


async def test_what_is_no_datum_is_left_out_with_a_word(it: Facing) -> None:
    item = an_item(
        Fax="84900000000", SoDienThoai="84900000000", MaDoiTuong="000000001", TrichYeuHoSo="x" * 1000,
        DinhDanhCHS=[{"LoaiDinhDanh": "1", "SoDinhDanh": "000000001"}],
        TaiLieuNop=[{"TenTepDinhKem": "don.pdf", "MaThanhPhanHoSo": "", "DuongDanTaiTepTin": "C:\\tep\\don.pdf"}, {}],
    )  # fmt: skip
    answer = await it.sync(item)
    assert answer["error_code"] == 0
    data = it.bus.taken[0].event["data"]
    assert data["applicant"] == {"name": "Nguyễn Văn Mẫu", "kind": "other", "phone": "84900000000"}
    assert data["papers"] == [{"name": "don.pdf"}]
    for word in ("000000001", "DinhDanhCHS", "DuongDanTaiTepTin", "bị cắt"):
        assert word in answer["result"][0]["message"]


async def test_members_that_nobody_knows_survive(it: Facing) -> None:
    await it.sync(an_item(MaSoMoi="7", NhomMoi={"a": [1]}))
    assert it.bus.taken[0].event["data"]["ext"] == {"onestop": {"MaSoMoi": "7", "NhomMoi": {"a": [1]}}}


async def test_nobody_writes_what_the_bus_itself_puts_into_an_item(it: Facing) -> None:
    await it.sync(an_item(**{"@agency": "H33.99", "@at": "2020-01-01T00:00:00Z"}))
    data = it.bus.taken[0].event["data"]
    assert data["agency"] == {"code": "H33.16"}
    assert data["status"]["at"] == "2026-11-23T08:30:00+07:00"


# ------------------------------------------------------------------------------------------- which event it is


async def test_the_life_of_a_dossier_is_told_event_by_event(it: Facing) -> None:
    office = it.office
    office.receive({"MaHoSo": CODE})
    await office.cycle()
    office.progress(CODE, "4")
    named = office.ask_supplement(CODE, "Bổ sung bản vẽ")
    await office.cycle()
    office.take_supplement(CODE, named, due=office.now(9 * 86400))
    await office.cycle()
    office.issue_result(CODE, {"ketqua.pdf": b"%PDF-1.4"})
    await office.cycle()
    office.issue_result(CODE, {}, is_handed_over=True)
    await office.cycle()
    assert office.errors == []
    assert it.bus.events() == [
        ("dossier.registered", 2), ("dossier.supplement-requested", 5), ("dossier.progressed", 4),
        ("dossier.supplemented", 4), ("dossier.result-issued", 9), ("dossier.result-issued", 10),
    ]  # fmt: skip


async def test_what_is_withdrawn_or_given_back_says_why(it: Facing) -> None:
    await it.sync(an_item())
    answer = await it.sync(an_item(TrangThaiHoSo="8"), updating="True")
    assert "lý do" in answer["result"][0]["message"]
    await it.sync(an_item(TrangThaiHoSo="8", ThongTinTra="Thiếu thẩm quyền"), updating="True")
    await it.sync(an_item(TrangThaiHoSo="7"), updating="True")
    assert it.bus.events()[1:] == [("dossier.returned", 8), ("dossier.withdrawn", 7)]
    assert it.bus.taken[1].event["data"]["reason"] == "Thiếu thẩm quyền"


async def test_nine_without_results_is_a_mere_step(it: Facing) -> None:
    await it.sync(an_item())
    await it.sync(an_item(TrangThaiHoSo="9"), updating="True")
    assert it.bus.events()[1:] == [("dossier.progressed", 9)]


async def test_an_update_of_what_the_bus_never_heard_of_registers_it(it: Facing) -> None:
    await it.sync(an_item(TrangThaiHoSo="4"), updating="True")
    assert it.bus.events() == [("dossier.registered", 4)]


async def test_the_first_word_of_the_office_on_what_was_filed_at_the_portal_registers_it_too(it: Facing) -> None:
    filed = {
        "dossierCode": CODE, "procedure": {"code": "1.004199"}, "agency": {"code": "H33.16"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        "status": {"code": 1, "at": "2026-11-23T08:00:00+07:00"},
    }  # fmt: skip
    it.bus.tell(an_event_of("dossier.registered", "2.0", filed), "H33", "H33.16")
    await it.sync(an_item(NgayHenTra="20261130170000"), updating="True")
    await it.sync(an_item(TrangThaiHoSo="4"), updating="True")
    assert it.bus.events() == [("dossier.registered", 2), ("dossier.progressed", 4)]


# ---------------------------------------------------------------------------------------------------- habits


@pytest.mark.parametrize("waits", ["5", "6", "8"])
async def test_a_nine_that_is_forced_over_what_waits_never_finishes_a_dossier(waits: str, tmp_path: Path) -> None:
    async with facing(tmp_path, forces=True) as it:
        it.office.receive({"MaHoSo": CODE}, status="4")
        await it.office.cycle()
        it.hands.moment += 60
        it.office.clock = lambda: it.hands.moment
        it.office.progress(CODE, waits)
        it.office.dossiers[CODE].is_synced = True  # its steps go first, as they do in a cycle of their own
        await it.office.cycle()
        it.office.habits.forces_nine = True
        it.office.dossiers[CODE].is_synced = False
        await it.office.cycle()
        status = it.bus.taken[-1].event["data"]["status"]
        assert status["code"] == int(waits)
        assert status["told"]["code"] == "9"
        known = await it.bus.known(CODE)
        assert known is not None
        assert known.status == int(waits)


async def test_a_forced_nine_is_noticed_by_its_flag_where_nobody_set_that_it_forces(it: Facing) -> None:
    it.office.receive({"MaHoSo": CODE}, status="4")
    await it.office.cycle()
    it.hands.moment += 60
    it.office.clock = lambda: it.hands.moment
    it.office.progress(CODE, "6")
    it.office.dossiers[CODE].is_synced = True
    await it.office.cycle()
    it.office.habits.forces_nine = True
    it.office.dossiers[CODE].is_synced = False
    it.hands.moment += 60
    await it.office.cycle()
    known = await it.bus.known(CODE)
    assert known is not None
    assert known.status == 6
    assert "forced" in known.steps[-1].flags


async def test_a_nine_over_a_request_that_nobody_answered_is_that_request(it: Facing) -> None:
    it.office.receive({"MaHoSo": CODE}, status="4")
    await it.office.cycle()
    it.office.habits.forces_nine = True
    it.office.ask_supplement(CODE, "Bổ sung bản vẽ")
    await it.office.cycle()
    data = it.bus.taken[-1].event["data"]
    assert it.bus.events()[-1] == ("dossier.supplement-requested", 5)
    assert data["supplement"]["content"] == "Bổ sung bản vẽ"
    # What the software said itself is kept beside it.
    assert data["status"]["told"]["code"] == "9"


async def test_steps_in_random_order_all_arrive_with_their_own_moments(it: Facing) -> None:
    it.office.habits.shuffles = True
    it.office.receive({"MaHoSo": CODE})
    for number in range(23):
        it.office.clock = partial(float, it.hands.moment + number)
        it.office.progress(CODE, "4", f"Bước {number}")
    await it.office.cycle()
    steps = [each for each in it.bus.taken if each.event["type"] == "dossier.progressed"]
    told = [each.event["data"]["content"] for each in steps]
    assert sorted(told) == sorted(f"Bước {number}" for number in range(23))
    assert told != [f"Bước {number}" for number in range(23)]
    in_time = sorted(steps, key=lambda each: str(each.event["data"]["at"]))
    assert [each.event["data"]["content"] for each in in_time] == [f"Bước {number}" for number in range(23)]


async def test_calls_made_twice_are_taken_once(it: Facing) -> None:
    it.office.habits.twice = True
    it.office.receive({"MaHoSo": CODE})
    it.office.progress(CODE, "4")
    await it.office.cycle()
    assert len(it.bus.taken) == 2
    assert it.bus.repeats == 2


async def test_an_answer_that_came_too_late_is_made_up_for_by_the_next_cycle(it: Facing) -> None:
    it.office.receive({"MaHoSo": CODE})
    it.office.habits.patience = 0.0001
    await it.office.cycle()
    assert it.office.unsent() == [CODE]
    it.office.habits.patience = 3.0
    await it.office.cycle()
    assert it.office.unsent() == []
    assert len(it.bus.taken) == 1


async def test_what_an_office_forgets_is_not_there_and_its_next_word_heals_it(it: Facing) -> None:
    it.office.habits.forgets = True
    it.office.receive({"MaHoSo": CODE})
    it.bus.instead = [NO]
    await it.office.cycle()
    assert it.office.errors == ["Trục nhận 0/1 mục; xem result, sửa các mục lỗi rồi gửi lại"]
    assert it.bus.taken == []
    it.office.issue_result(CODE, {"ketqua.pdf": b"%PDF-1.4"})
    await it.office.cycle()
    assert it.bus.events() == [("dossier.registered", 9)]


async def test_a_code_that_the_office_makes_up_is_refused_however_often(it: Facing) -> None:
    it.office.habits.invents_codes = True
    it.office.receive({"MaHoSo": "-261123-0001"})
    for _ in range(3):
        await it.office.cycle()
    assert it.bus.taken == []
    assert len(it.office.errors) == 3


async def test_null_lists_numbers_and_other_casing_are_read(it: Facing) -> None:
    habits = it.office.habits
    habits.nulls = habits.numbers = habits.cased = habits.cuts = True
    it.office.receive({"MaHoSo": CODE, "TrichYeuHoSo": "x" * 1500})
    await it.office.cycle()
    assert it.office.errors == []
    assert it.bus.events() == [("dossier.registered", 2)]
    assert len(it.bus.taken[0].event["data"]["abstract"]) == 1000


async def test_who_knows_success_by_its_word_alone_is_told_it_where_all_was_taken_and_nowhere_else(it: Facing) -> None:
    it.office.habits.by_words = True
    it.office.receive({"MaHoSo": CODE})
    it.bus.instead = [NO]
    await it.office.cycle()
    assert it.office.unsent() == [CODE]
    await it.office.cycle()
    assert it.office.unsent() == []
    assert len(it.bus.taken) == 1


async def test_lists_that_are_xml_in_a_text_bring_their_files(it: Facing) -> None:
    it.office.habits.wraps = True
    it.office.receive({"MaHoSo": CODE})
    it.office.issue_result(CODE, {"kết quả & biên lai.pdf": b"%PDF-1.4"})
    await it.office.cycle()
    assert it.office.errors == []
    (result,) = it.bus.taken[0].event["data"]["results"]
    assert (result["name"], result["file"]["size"]) == ("kết quả & biên lai.pdf", 8)


async def test_a_dossier_that_waits_when_it_is_first_heard_of_waits_since_it_was_asked_for(it: Facing) -> None:
    entry = {"HoSoBoSungId": "BS-1", "NoiDungBoSung": "Bản vẽ", "NgayBoSung": "20261124100000"}
    await it.sync(an_item(TrangThaiHoSo="5", DanhSachHoSoBoSung=[entry]))
    assert it.bus.taken[0].event["data"]["status"]["at"] == "2026-11-24T10:00:00+07:00"


async def test_a_clock_ahead_and_steps_of_long_ago_are_kept_as_told(it: Facing) -> None:
    it.office.receive({"MaHoSo": CODE}, status="4")
    await it.office.cycle()
    it.office.habits.backdates = 10 * 86400
    it.office.progress(CODE, "5")
    it.office.habits.backdates = 0
    it.office.habits.ahead = 86400
    it.office.progress(CODE, "4")
    await it.office.cycle()
    known = await it.bus.known(CODE)
    assert known is not None
    assert known.status == 4
    assert "ahead" in {flag for step in known.steps for flag in step.flags}


# ----------------------------------------------------------------------------------------------------- files


async def test_files_are_fetched_from_hosts_that_are_named(it: Facing) -> None:
    it.office.receive({"MaHoSo": CODE}, status="4")
    await it.office.cycle()
    it.office.issue_result(CODE, {"ketqua.pdf": b"%PDF-1.4 ket qua"})
    await it.office.cycle()
    item = it.bus.taken[-1]
    (file,) = item.files
    (result,) = item.event["data"]["results"]
    assert whole(file.content) == b"%PDF-1.4 ket qua"
    assert result["file"] == {
        "name": "ketqua.pdf", "mediaType": "application/pdf", "size": 16, "sha256": file.content.sha256,
    }  # fmt: skip
    assert "link" not in result


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/tep/khong-co.pdf",
        "http://127.0.0.1:1/tep/a.pdf",
        "http://localhost:{port}/tep/a.pdf",
        "http://169.254.169.254/latest/meta-data",
        "https://may-khac.example.vn/a.pdf",
        "http://2130706433/a.pdf",
    ],
)
async def test_what_may_not_or_cannot_be_fetched_stays_an_address_with_a_word(it: Facing, url: str) -> None:
    url = url.format(port=it.office.counter.port)
    answer = await it.sync(an_item(TaiLieuNop=[{"TenTepDinhKem": "a.pdf", "DuongDanTaiTepTin": url}]))
    assert answer["error_code"] == 0
    assert "giữ nguyên đường dẫn" in answer["result"][0]["message"]
    assert it.bus.taken[0].event["data"]["papers"] == [{"name": "a.pdf", "link": url}]
    assert it.bus.taken[0].files == ()


async def test_a_file_over_the_bound_stays_an_address(tmp_path: Path) -> None:
    async with facing(tmp_path, file_mebibytes=1) as it:
        url = it.office.offer("to.pdf", b"%PDF" + bytes(1 << 20))
        answer = await it.sync(an_item(TaiLieuNop=[{"TenTepDinhKem": "to.pdf", "DuongDanTaiTepTin": url}]))
        assert answer["error_code"] == 0
        assert it.bus.taken[0].event["data"]["papers"] == [{"name": "to.pdf", "link": url}]


async def test_too_many_items_at_once_are_refused_as_a_whole(tmp_path: Path) -> None:
    async with facing(tmp_path, most_items=2) as it:
        answer = await it.sync(*[an_item(MaHoSo=f"H33.16-261123-000{n}") for n in range(3)])
        assert answer["error_code"] == -1
        assert it.bus.taken == []
