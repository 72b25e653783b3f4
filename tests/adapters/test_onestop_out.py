"""What the bus has for one-stop software, posted in the portal's words, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.onestop import stand_in
from adapters.onestop.adapter import open_adapter
from adapters.onestop.stand_in import Office
from adapters.onestop.success import Predicate
from gateway.core.faults import NotYet, PermanentFailure, TimedOut, TransientFailure
from gateway.core.moments import parse_moment
from gateway.ports import Parcel
from tests.adapters.fitting import Hands, a_parcel
from tests.adapters.one_stop_bus import Bus, an_event_of, context_of

CODE = "H33.16-261123-0001"
SHA = "a" * 64
REGISTERED = {
    "dossierCode": CODE,
    "procedure": {"code": "1.004199", "name": "Đăng ký biến động"},
    "agency": {"code": "H33.16"},
    "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "phone": "84900000000"},
    "status": {"code": 1, "at": "2026-11-23T08:30:00+07:00"},
    "receivedAt": "2026-11-23T08:30:00+07:00",
    "papers": [{"name": "don.pdf", "file": {"name": "don.pdf", "mediaType": "x/y", "size": 1, "sha256": SHA}}],
    "ext": {"dvcqg": {"MaSoMoi": "7"}, "onestop_wso2": {"IsReturned": False}},
}


@dataclass(slots=True)
class Facing:
    office: Office
    bus: Bus
    hands: Hands
    context: Any
    adapter: Any

    def parcel(self, kind: str, version: str, data: dict[str, Any], **override: Any) -> Parcel:
        return a_parcel(self.context, kind + str(data), event=an_event_of(kind, version, data), **override)

    def anew(self, **settings: Any) -> Any:
        made = {**self.office.login_settings, **settings}
        return open_adapter(context_of(self.hands, "onestop", made, self.bus))


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Facing]:
    async with stand_in.agency(tmp_path) as office:
        bus, hands = Bus(), Hands(tmp_path)
        context = context_of(hands, "onestop", office.login_settings, bus)
        adapter = open_adapter(context)
        yield Facing(office, bus, hands, context, adapter)
        await adapter.close()


async def test_a_dossier_that_was_filed_at_the_portal_arrives_with_its_files_as_addresses(it: Facing) -> None:
    await it.adapter.deliver(it.parcel("dossier.registered", "2.0", REGISTERED))
    ((_, path, item),) = it.office.posts
    assert path == "/nhanhsdvcqg"
    assert (item["MaHoSo"], item["TrangThaiHoSo"], item["NgayTiepNhan"]) == (CODE, "1", "20261123083000")
    assert item["TaiLieuNop"][0]["DuongDanTaiTepTin"] == f"https://bus.example.vn/files/{SHA[:8]}/don.pdf"
    # What the portal wrote that no rule knows is meant for software of this kind; what another kind wrote is not.
    assert item["MaSoMoi"] == "7"
    assert "IsReturned" not in item
    assert it.office.errors == []


async def test_a_dossier_that_is_handed_on_comes_under_its_own_code_with_the_deadline_of_the_hop(it: Facing) -> None:
    data = {
        "dossierCode": "H33.05-261123-0001",
        "hop": {
            "number": 1, "from": {"code": "H33.05"}, "to": {"code": "H33.16", "name": "Sở Y tế"},
            "forwardedAt": "2026-11-23T09:00:00+07:00", "dueAt": "2026-11-25T17:00:00+07:00",
        },
        "child": {"dossierCode": CODE},
        "dossier": {name: REGISTERED[name] for name in ("procedure", "applicant")},
        "papers": REGISTERED["papers"],
    }  # fmt: skip
    await it.adapter.deliver(it.parcel("dossier.forwarded", "1.0", data))
    item = it.office.posts[0][2]
    assert (item["MaHoSo"], item["NgayHenTra"], item["DonViXuLy"]) == (CODE, "20261125170000", "Sở Y tế")
    assert it.office.errors == []


async def test_an_update_is_told_on_top_of_all_that_is_known(it: Facing) -> None:
    it.bus.tell(an_event_of("dossier.registered", "2.0", REGISTERED), "H33.16")
    asked = {
        "dossierCode": CODE, "status": {"code": 5, "at": "2026-11-24T08:00:00+07:00"},
        "supplement": {"id": "BS-1", "content": "Bổ sung bản vẽ", "requestedAt": "2026-11-24T08:00:00+07:00"},
    }  # fmt: skip
    it.bus.tell(an_event_of("dossier.supplement-requested", "1.0", asked), "H33.16")
    data = {
        "dossierCode": CODE, "status": {"code": 4, "at": "2026-11-25T08:00:00+07:00"},
        "supplement": {"id": "BS-1", "receivedAt": "2026-11-25T08:00:00+07:00"},
        "papers": [{"name": "banve.pdf", "link": "https://x.example.vn/b.pdf"}],
    }  # fmt: skip
    await it.adapter.deliver(it.parcel("dossier.supplemented", "2.0", data))
    item = it.office.posts[0][2]
    (entry,) = item["DanhSachHoSoBoSung"]
    assert (entry["HoSoBoSungId"], entry["NoiDungBoSung"]) == ("BS-1", "Bổ sung bản vẽ")
    assert entry["NgayTiepNhanBoSung"] == "20261125080000"
    assert entry["DanhSachGiayToBoSung"][0]["DuongDanTaiTepTin"] == "https://x.example.vn/b.pdf"
    assert (item["ChuHoSo"], item["TrangThaiHoSo"]) == ("Nguyễn Văn Mẫu", "4")


async def test_what_is_told_of_a_strangers_dossier_opens_nothing_of_its_record(it: Facing) -> None:
    strange = {**REGISTERED, "dossierCode": "H33.05-261123-0001", "agency": {"code": "H33.05"}}
    it.bus.tell(an_event_of("dossier.registered", "2.0", strange), "H33.05")
    at = "2026-11-24T08:00:00+07:00"
    told = {
        "dossierCode": strange["dossierCode"], "at": at, "status": {"code": 6, "at": at},
        "charges": {"fees": [{"name": "Thuế", "amount": 1}]},
    }  # fmt: skip
    # By one that has nothing to do with it, to one that has nothing to do with it.
    it.bus.tell(an_event_of("dossier.progressed", "1.0", told), "H33.99", "H33.16")
    item = await it.adapter._writer.write(an_event_of("dossier.progressed", "1.0", told))
    assert item["MaHoSo"] == strange["dossierCode"]
    assert "Nguyễn Văn Mẫu" not in str(item)
    assert SHA[:8] not in str(item)
    # Told by who answers for it, it is one to whom it was told.
    it.bus.tell(an_event_of("dossier.progressed", "1.0", told, time="2026-11-24T02:00:00Z"), "H33.05", "H33.16")
    await it.adapter.deliver(it.parcel("dossier.progressed", "1.0", told))
    assert it.office.posts[0][2]["ChuHoSo"] == "Nguyễn Văn Mẫu"


async def test_a_notice_of_what_to_pay_and_its_payment_reach_the_office(it: Facing) -> None:
    it.bus.tell(an_event_of("dossier.registered", "2.0", REGISTERED), "H33.16")
    charges = {
        "dossierCode": CODE, "at": "2026-11-24T08:00:00+07:00",
        "status": {"code": 6, "at": "2026-11-24T08:00:00+07:00"},
        "charges": {"fees": [{"name": "Thuế trước bạ", "amount": 1500000}], "noticeNumber": "TB-1"},
    }  # fmt: skip
    paid = {
        "dossierCode": CODE, "noticeId": "N-1", "amount": 1500000, "paidAt": "2026-11-25T08:00:00+07:00",
        "outcome": "paid", "status": {"code": 4, "at": "2026-11-25T08:00:00+07:00"},
    }  # fmt: skip
    refund = {
        "dossierCode": CODE, "noticeId": "N-2", "refundOf": "N-1", "amount": 1, "refundedAt": paid["paidAt"],
        "reason": "Nộp thừa",
    }  # fmt: skip
    it.bus.tell(an_event_of("dossier.progressed", "1.0", charges), "H33.16")
    await it.adapter.deliver(it.parcel("dossier.progressed", "1.0", charges))
    it.bus.tell(an_event_of("payment.notified", "1.0", paid), "H33.99")
    await it.adapter.deliver(it.parcel("payment.notified", "1.0", paid))
    await it.adapter.deliver(it.parcel("payment.refunded", "1.0", refund))
    (_, first, notice), (_, second, payment), (_, _, back) = it.office.posts
    assert (first, second) == ("/nhantbthuedvcqg", "/nhanhsdvcqg")
    assert (notice["TrangThaiHoSo"], notice["DanhSachLePhi"][0]["Gia"]) == ("6", "1500000")
    assert (payment["TrangThaiHoSo"], payment["DuocThanhToanTrucTuyen"]) == ("4", "1")
    assert back["GhiChu"] == "Nộp thừa"
    assert it.office.errors == []


@pytest.mark.parametrize(
    "kind", ["signing.requested", "signing.completed", "post.ordered", "post.tracked", "statistics.monthly"]
)
async def test_what_the_portals_words_cannot_say_is_never_tried_again(it: Facing, kind: str) -> None:
    for adapter in (it.adapter, it.anew(calls={kind: {"path": "x"}})):
        with pytest.raises(PermanentFailure):
            await adapter.deliver(it.parcel(kind, "1.0", {"dossierCode": CODE}))
        await adapter.close()
    assert it.office.posts == []


async def test_other_kinds_are_posted_where_the_settings_name_a_way(it: Facing) -> None:
    data = {
        "dossierCode": CODE, "status": {"code": 10, "at": "2026-11-25T08:00:00+07:00"}, "results": [],
    }  # fmt: skip
    with pytest.raises(PermanentFailure):
        await it.adapter.deliver(it.parcel("dossier.result-issued", "2.0", data))
    adapter = it.anew(calls={"dossier.result-issued": {"path": "nhanhsdvcqg"}})
    it.bus.tell(an_event_of("dossier.registered", "2.0", REGISTERED), "H33.16")
    await adapter.deliver(it.parcel("dossier.result-issued", "2.0", data))
    assert it.office.posts[0][2]["TrangThaiHoSo"] == "10"
    await adapter.close()


@pytest.mark.parametrize("zero", [0, "0", "00"])
async def test_every_way_to_write_nought_is_success(it: Facing, zero: Any) -> None:
    it.office.habits.zeros = zero
    await it.adapter.deliver(it.parcel("dossier.registered", "2.0", REGISTERED))


async def test_an_office_that_answers_with_words_alone_is_understood(it: Facing) -> None:
    it.office.habits.words_only = True
    await it.adapter.deliver(it.parcel("dossier.registered", "2.0", REGISTERED))
    assert len(it.office.posts) == 1


async def test_there_already_is_success_for_a_repeat_and_for_an_update_and_a_question_for_what_is_new(
    it: Facing,
) -> None:
    parcel = it.parcel("dossier.registered", "2.0", REGISTERED)
    await it.adapter.deliver(parcel)
    assert (await it.adapter.deliver(replace(parcel, attempt=2))).reference is not None
    assert (await it.adapter.deliver(replace(parcel, interrupted=True))).reference is not None
    with pytest.raises(PermanentFailure, match="compare"):
        await it.adapter.deliver(replace(parcel, delivery="another"))


async def test_a_lost_answer_is_a_time_out_and_the_repeat_finds_it_there(it: Facing) -> None:
    it.office.faults.lost = 1
    parcel = it.parcel("dossier.registered", "2.0", REGISTERED)
    with pytest.raises(TimedOut):
        await it.adapter.deliver(parcel)
    await it.adapter.deliver(replace(parcel, attempt=2))
    assert await it.office.arrivals() == [parcel.delivery] * 2
    assert list(it.office.dossiers) == [CODE]


async def test_pages_and_answers_without_a_word_are_tried_again(it: Facing) -> None:
    parcel = it.parcel("dossier.registered", "2.0", REGISTERED)
    it.office.faults.pages = 1
    with pytest.raises(TransientFailure):
        await it.adapter.deliver(parcel)
    it.office.faults.words = 1
    with pytest.raises(TransientFailure):
        await it.adapter.deliver(parcel)


async def test_what_came_from_the_office_is_not_sent_back_to_it(it: Facing) -> None:
    event = {**an_event_of("dossier.registered", "2.0", REGISTERED), "source": "H33.16/dms"}
    await it.adapter.deliver(a_parcel(it.context, event=event))
    assert it.office.posts == []


async def test_the_wrapper_and_the_secret_are_settings(it: Facing, tmp_path: Path) -> None:
    (tmp_path / "keys/bus.key").write_text("khoa-cua-truc")
    adapter = it.anew(secret_file="keys/bus.key", calls={"dossier.registered": {"path": "x", "wrapper": "list"}})
    with pytest.raises(TransientFailure):
        await adapter.deliver(it.parcel("dossier.registered", "2.0", REGISTERED))
    assert it.office.counter.asked == ["/x"]
    assert adapter._proof() == {"Authorization": "Bearer khoa-cua-truc"}
    await adapter.close()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"error_code": 0}, "taken"),
        ({"error_code": "00", "message": "x"}, "taken"),
        ({"ERROR_CODE": "0"}, "taken"),
        ({"error_code": "3", "message": "Hồ sơ ĐÃ TỒN TẠI"}, "there"),
        ({"error_code": -3, "message": "Hồ sơ đã tồn tại"}, "there"),
        ({"error_code": "-1", "message": "Cập nhật thành công"}, "unclear"),
        ({"error_code": "7", "message": "x"}, "refused"),
        ({"error_code": "9", "message": "Sai cấu trúc"}, "refused"),
        ({"error_code": True}, "unclear"),
        ({"message": "Cập nhật thành công"}, "taken"),
        ({"message": "Cập nhật không thành công"}, "unclear"),
        ("Thành công", "taken"),
        ("Không thành công", "unclear"),
        ([], "unclear"),
    ],
)
def test_success_is_what_the_predicate_says(answer: Any, verdict: str) -> None:
    predicate = Predicate.of({"never": [7, "sai cấu trúc"]})
    assert predicate.judge(json.dumps(answer).encode())[0] == verdict


def test_words_without_json_count_too_and_composed_letters_are_the_same() -> None:
    predicate = Predicate()
    assert predicate.judge("Thành công".encode())[0] == "taken"
    assert predicate.judge("Tha\u0300nh co\u0302ng".encode())[0] == "taken"
    assert predicate.judge(b"")[0] == "unclear"


async def test_a_payment_tells_the_office_where_the_dossier_stands_and_moves_nothing_that_waits_for_no_money(
    it: Facing,
) -> None:
    it.bus.tell(an_event_of("dossier.registered", "2.0", REGISTERED), "H33.16")
    paid = {
        "dossierCode": CODE, "noticeId": "N-1", "amount": 1500000, "paidAt": "2026-11-25T08:00:00+07:00",
        "outcome": "paid", "status": {"code": 4, "at": "2026-11-25T08:00:00+07:00"},
    }  # fmt: skip
    known = await it.bus.known(CODE)
    assert known is not None
    item = await it.adapter._writer.write(an_event_of("payment.notified", "1.0", paid))
    assert item["TrangThaiHoSo"] == str(known.status)


async def test_what_is_said_of_a_dossier_that_the_software_does_not_know_waits_some_hours_and_no_longer(
    it: Facing, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = {
        "dossierCode": CODE, "noticeId": "N-1", "amount": 1500000, "paidAt": "2026-11-25T08:00:00+07:00",
        "outcome": "paid",
    }  # fmt: skip
    sent = parse_moment("2026-11-23T02:00:00Z")
    assert sent is not None
    said: list[Any] = ["absent"]
    judge = SimpleNamespace(judge=lambda _: (said[0], "-1"))
    monkeypatch.setattr(it.adapter, "_predicate", judge)

    async def delivered(after_hours: float, attempt: int = 9) -> None:
        context = replace(it.context, now=lambda: sent + after_hours * 3600)
        monkeypatch.setattr(it.adapter, "_context", context)
        await it.adapter.deliver(it.parcel("payment.notified", "1.0", paid, attempt=attempt))

    with pytest.raises(NotYet):
        await delivered(23)
    with pytest.raises(PermanentFailure, match="lgsp replay"):
        await delivered(25)
    said[0] = "unclear"  # a bare -1 says nothing of why
    with pytest.raises(TransientFailure) as found:
        await delivered(25, attempt=1)
    assert not isinstance(found.value, NotYet)
    with pytest.raises(PermanentFailure, match="one-stop software still does not take"):
        await delivered(25)
