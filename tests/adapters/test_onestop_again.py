"""One-stop software that tells the whole dossier each time: what is new of it is told on, what it repeats is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.onestop.adapter import open_adapter
from gateway.core.faults import Text
from gateway.core.moments import parse_moment
from gateway.ports import NotReceived
from tests.adapters.one_stop_bus import an_event_of
from tests.adapters.test_onestop_in import CODE, Facing, an_item, facing

APPOINTED = "20261130170000"
LATER = "20261207170000"
NEW_DAY = parse_moment("2026-12-07T17:00:00+07:00")


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Facing]:
    """Software that registered one dossier."""
    async with facing(tmp_path) as found:
        await found.sync(an_item(NgayHenTra=APPOINTED))
        yield found


def a_request(name: str, **members: Any) -> dict[str, Any]:
    return {"HoSoBoSungId": name, "NoiDungBoSung": "Nội dung mẫu", "NgayBoSung": "20261123100000", **members}


async def update(it: Facing, status: str, **members: Any) -> Any:
    reply = await it.sync(an_item(**{"NgayHenTra": APPOINTED, "TrangThaiHoSo": status, **members}), updating="True")
    assert reply["error_code"] == 0
    return await it.bus.known(CODE)


@pytest.mark.parametrize(
    ("member", "value", "place"),
    [
        ("SoDienThoai", "0912345678", ("applicant", "phone")),
        ("SoBienNhan", "BN-1", ("receiptNumber",)),
        ("DanhSachLePhi", [{"TenPhiLePhi": "Lệ phí mẫu", "Gia": "15000"}], ("fees", 0, "amount")),
        ("TaiLieuNop", [{"TenTepDinhKem": "mau.pdf"}], ("papers", 0, "name")),
    ],
)
async def test_what_an_update_says_anew_of_the_dossier_itself_is_told_and_kept(
    it: Facing, member: str, value: Any, place: tuple[Any, ...]
) -> None:
    await update(it, "4")
    known = await update(it, "4", **{member: value})
    assert it.bus.events()[1:] == [("dossier.progressed", 4), ("dossier.registered", 4)]
    found: Any = known.record
    for name in place:
        found = found[name]
    assert str(found) in {"0912345678", "BN-1", "15000", "mau.pdf"}
    await update(it, "4", **{member: value})
    assert len(it.bus.taken) == 3, "the same again says nothing new"
    await update(it, "6", **{member: value})
    assert it.bus.events()[3:] == [("dossier.progressed", 6)], "what is known is not told as new"


async def test_a_new_appointment_reaches_the_register_with_the_status_as_of_now(it: Facing) -> None:
    known = await update(it, "4", NgayHenTra=LATER)
    assert it.bus.events()[1:] == [("dossier.registered", 4)]
    assert (known.status, known.due) == (4, NEW_DAY)
    known = await update(it, "4", NgayHenTra=APPOINTED)
    known = await update(it, "4", NgayHenTra=LATER)
    assert known.due == NEW_DAY, "an appointment that comes back is one"


async def test_that_a_dossier_waited_makes_no_new_appointment_of_the_old_one(it: Facing) -> None:
    await update(it, "5", DanhSachHoSoBoSung=[a_request("BS-1")])
    answered = [a_request("BS-1", NgayTiepNhanBoSung="20261124100000")]
    known = await update(it, "4", DanhSachHoSoBoSung=answered)
    assert known.due > parse_moment("2026-11-30T17:00:00+07:00")
    await update(it, "6", DanhSachHoSoBoSung=answered)
    assert it.bus.events()[-1] == ("dossier.progressed", 6)


async def test_the_offices_own_new_date_is_told_though_the_portals_answer_came_first(it: Facing) -> None:
    await update(it, "5", DanhSachHoSoBoSung=[a_request("BS-1")])
    answer = {
        "dossierCode": CODE, "status": {"code": 4, "at": "2026-11-24T08:00:00+07:00"},
        "supplement": {"id": "BS-1", "receivedAt": "2026-11-24T08:00:00+07:00"},
    }  # fmt: skip
    it.bus.tell(an_event_of("dossier.supplemented", "2.0", answer), "H33")
    it.bus.agency = "H33.16"
    taken = a_request("BS-1", NgayTiepNhanBoSung="20261124090000", NgayHenTraMoi=LATER)
    known = await update(it, "4", NgayHenTra=LATER, DanhSachHoSoBoSung=[taken])
    assert "dossier.supplemented" in [kind for kind, _ in it.bus.events()]
    assert (known.status, known.due) == (4, NEW_DAY)


@pytest.mark.parametrize("between", ["6", "8"])
async def test_a_status_that_comes_back_in_the_same_words_is_told_again_and_a_repeat_is_not(
    it: Facing, between: str
) -> None:
    reason = {"GhiChu": "Lý do mẫu"} if between == "8" else {}
    statuses = []
    for status, more in [("4", {}), (between, reason), ("4", {}), ("4", {}), (between, reason), ("4", {})]:
        known = await update(it, status, **more)
        statuses.append(known.status)
    assert statuses == [4, int(between), 4, 4, int(between), 4]
    assert len(it.bus.taken) == 6, "one of the six was a repeat, and one registered it"


async def test_a_repeat_is_one_message_from_two_calls_at_once_and_after_a_restart(it: Facing) -> None:
    for status in ("4", "6"):
        await update(it, status)
    back = an_item(NgayHenTra=APPOINTED, TrangThaiHoSo="4")
    await asyncio.gather(*(it.sync(back, updating="True") for _ in range(3)))
    it.adapter = open_adapter(it.adapter._context)
    assert (await it.sync(back, updating="True"))["error_code"] == 0
    assert [status for _, status in it.bus.events()] == [2, 4, 6, 4]


async def test_a_step_told_again_after_a_bank_moved_the_dossier_on_stays_a_repeat(it: Facing) -> None:
    await update(it, "4")
    await update(it, "6")
    paid = {
        "dossierCode": CODE, "noticeId": "TB-1", "amount": 15000, "paidAt": "2026-11-23T10:00:00+07:00",
        "outcome": "paid", "status": {"code": 4, "at": "2026-11-23T10:00:00+07:00"},
    }  # fmt: skip
    it.bus.tell(an_event_of("payment.notified", "1.0", paid), "BANK")
    taken = len(it.bus.taken)
    await update(it, "6")
    assert len(it.bus.taken) == taken


async def test_two_requests_of_one_item_are_both_told_and_a_yes_means_both(it: Facing) -> None:
    both = [a_request("BS-1"), a_request("BS-2")]
    await update(it, "5", DanhSachHoSoBoSung=both)
    told = [each.event["data"]["supplement"]["id"] for each in it.bus.taken[1:]]
    assert told == ["BS-1", "BS-2"]
    await update(it, "5", DanhSachHoSoBoSung=both)
    assert len(it.bus.taken) == 3
    await update(it, "4", DanhSachHoSoBoSung=[{**each, "NgayTiepNhanBoSung": "20261124090000"} for each in both])
    assert [kind for kind, _ in it.bus.events()[3:]] == ["dossier.supplemented", "dossier.supplemented"]


async def test_an_item_of_which_one_request_was_not_taken_is_no_yes_and_its_repeat_brings_the_rest(it: Facing) -> None:
    both = an_item(NgayHenTra=APPOINTED, TrangThaiHoSo="5", DanhSachHoSoBoSung=[a_request("BS-1"), a_request("BS-2")])
    it.bus.instead = [None, NotReceived("forbidden", Text("không", "no"))]
    assert (await it.sync(both, updating="True"))["error_code"] != 0
    assert (await it.sync(both, updating="True"))["error_code"] == 0
    assert [each.event["data"]["supplement"]["id"] for each in it.bus.taken[1:]] == ["BS-1", "BS-2"]
