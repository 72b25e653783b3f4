"""What the bus tells the national portal: whole dossiers as they stand, steps, and what becomes of each odd answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.dvcqg.stand_in import Fault, Kind
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, TimedOut, TransientFailure
from gateway.core.moments import parse_moment
from tests.adapters.portal_desk import CODE, DISTRICT, a_desk, moment, progress, registration, status


async def test_a_new_dossier_is_looked_up_and_then_created(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        told = await desk.tell("dossier.registered", registration())
        assert desk.portal.doors.asked == ["login", "TraCuuHoSo", "DongBoHoSoMC"]
        kept = desk.portal.of(CODE)
        assert (kept.status, kept.item["ChuHoSo"], kept.item["NgayTiepNhan"]) == (
            "2",
            "Nguyễn Văn Mẫu",
            "20261102080000",
        )
        assert told.reference == "created"
        assert desk.portal.table.violations == []


async def test_a_step_comes_with_the_dossier_as_it_stands(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        kept = desk.portal.of(CODE)
        assert kept.status == "4"
        assert [(step["TrangThai"], step["ThoiDiemXuLy"], step["NoiDungXuLy"]) for step in kept.steps] == [
            ("4", "20261103080000", "Bước ngày 3")
        ]
        assert desk.portal.doors.asked[3:] == ["TraCuuHoSo", "DongBoHoSoMC", "CapNhatTienDoHoSoMC"]


async def test_the_session_is_kept_for_everything_and_every_value_is_a_text(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        fees = [{"name": "Lệ phí", "code": "LP1", "amount": 30000}]
        others = [{"name": "Bản vẽ", "quantity": 2}]
        data = registration(fees=fees, otherPapers=others, hasDigitisedPapers=True)
        await desk.tell("dossier.registered", data)
        await desk.tell("dossier.progressed", progress(4, 3))
        assert desk.portal.doors.logins == 1
        kept = desk.portal.of(CODE).item
        assert (kept["DanhSachLePhi"][0]["Gia"], kept["DanhSachTepDinhKemKhac"][0]["SoLuong"]) == ("30000", "2")
        assert kept["HoSoCoThanhPhanSoHoa"] == "1"
        # The fax is not the telephone.
        assert (kept["Fax"], kept["SoDienThoai"]) == ("", "0900000000")


@pytest.mark.parametrize("at", [5, 6, 8])
async def test_a_dossier_that_waits_or_is_stopped_is_told_as_it_is_and_never_forced_to_be_done(
    tmp_path: Path, at: int
) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        await desk.tell("dossier.progressed", progress(at, 4))
        assert desk.portal.of(CODE).status == str(at)
        assert "9" not in desk.portal.of(CODE).statuses


async def test_a_supplement_goes_with_its_request_and_its_answer(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration())
        asked = {"id": "BS-1", "content": "Thiếu bản vẽ", "requestedAt": moment(3)}
        await desk.tell(
            "dossier.supplement-requested", {"dossierCode": CODE, "status": status(5, 3), "supplement": asked}
        )
        (entry,) = desk.portal.of(CODE).item["DanhSachHoSoBoSung"]
        assert (desk.portal.of(CODE).status, entry["NoiDungBoSung"], entry["NgayTiepNhanBoSung"]) == (
            "5",
            "Thiếu bản vẽ",
            "",
        )
        answer = {"id": "BS-1", "receivedAt": moment(5), "newDueAt": moment(24, 17)}
        await desk.tell("dossier.supplemented", {"dossierCode": CODE, "status": status(4, 5), "supplement": answer})
        (entry,) = desk.portal.of(CODE).item["DanhSachHoSoBoSung"]
        assert (entry["NgayTiepNhanBoSung"], entry["NgayHenTraMoi"]) == ("20261105080000", "20261124170000")
        assert (desk.portal.of(CODE).status, desk.portal.of(CODE).item["NgayHenTra"]) == ("4", "20261124170000")
        assert desk.portal.table.violations == []


# ------------------------------------------------------------------------------------------------------ order


async def test_an_older_step_that_comes_late_does_not_set_the_portal_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration(at=1))
        late = desk.say("dossier.progressed", progress(2, 3))
        await desk.tell("dossier.progressed", progress(4, 4))
        await desk.adapter.deliver(late)
        kept = desk.portal.of(CODE)
        assert kept.status == "4"
        assert [step["TrangThai"] for step in kept.steps] == ["4", "2"]
        # It was never left at the older one by a call that was the last of a message.
        assert desk.portal.doors.asked[-2:] == ["CapNhatTienDoHoSoMC", "DongBoHoSoMC"]


async def test_what_a_district_says_of_its_part_is_a_step_and_moves_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        units = {"from": {"code": "H33.05", "name": "Sở Tài chính"}, "to": {"code": DISTRICT, "name": "UBND huyện Mẫu"}}
        hop = {"number": 1, **units, "forwardedAt": moment(4), "dueAt": moment(10)}
        part = {"procedure": {"code": "2.002492"}, "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}}
        await desk.tell("dossier.forwarded", {"dossierCode": CODE, "hop": hop, "dossier": part})
        await desk.tell("dossier.progressed", progress(9, 6), agency=DISTRICT)
        kept = desk.portal.of(CODE)
        assert (kept.status, kept.statuses) == ("4", ["2", "4"])
        assert [(step["NoiDungXuLy"], step["TrangThai"]) for step in kept.steps] == [
            ("Bước ngày 3", "4"),
            ("Chuyển hồ sơ đến cơ quan phối hợp giải quyết", "4"),
            ("Bước ngày 6", "4"),
        ]
        assert kept.steps[1]["NguoiXuLy"] == "Sở Tài chính"
        assert (kept.steps[1]["PhongBanXuLy"], kept.steps[1]["NgayKetThucTheoQuyDinh"]) == (
            "UBND huyện Mẫu",
            "20261110080000",
        )


@pytest.mark.parametrize("agency", ["H33.05", "H33.77"], ids=["forced by its own one-stop", "by a stranger"])
async def test_a_word_that_is_not_believed_moves_nothing_at_the_portal(tmp_path: Path, agency: str) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        await desk.tell("dossier.progressed", progress(5, 4))
        await desk.tell("dossier.progressed", progress(9, 5), agency=agency)
        assert (desk.portal.of(CODE).status, desk.portal.of(CODE).statuses) == ("5", ["2", "4", "5"])


async def test_a_payment_is_a_step_that_moves_what_waited_for_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        await desk.tell("dossier.progressed", progress(6, 4))
        paid = {"dossierCode": CODE, "noticeId": "TB-1", "amount": 30000, "paidAt": moment(5), "outcome": "paid",
                "status": status(4, 5)}  # fmt: skip
        await desk.tell("payment.notified", paid, agency="H33.20")
        kept = desk.portal.of(CODE)
        assert (kept.status, kept.item["DuocThanhToanTrucTuyen"]) == ("4", "1")
        assert (kept.steps[-1]["NguoiXuLy"], kept.steps[-1]["NoiDungXuLy"]) == (
            "Hệ thống một cửa",
            "Đã thực hiện nghĩa vụ tài chính",
        )
        failed = {**paid, "noticeId": "TB-2", "outcome": "failed"}
        failed.pop("status")
        told = await desk.tell("payment.notified", failed, agency="H33.20")
        assert told.reference == "a payment that failed: nothing to tell"


async def test_messages_of_one_dossier_at_once_leave_it_where_it_stands(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        parcels = [desk.say("dossier.registered", registration())]
        parcels += [desk.say("dossier.progressed", progress(4, day)) for day in (3, 4, 5)]
        parcels.append(desk.say("dossier.progressed", progress(9, 6)))
        await asyncio.gather(*(desk.adapter.deliver(each) for each in reversed(parcels)))
        kept = desk.portal.of(CODE)
        assert kept.status == "9"
        assert len(kept.steps) == 4
        assert kept.repeats == 0


async def test_a_call_that_the_portal_carries_out_long_after_it_was_given_up_does_not_stay_the_last_word(
    tmp_path: Path,
) -> None:
    async with a_desk(tmp_path, timeout=1) as desk:
        await desk.tell("dossier.registered", registration())
        first = desk.say("dossier.progressed", progress(4, 3))
        desk.portal.faults.once("DongBoHoSoMC", Fault("late", 1.2))
        with pytest.raises(TimedOut):
            await desk.adapter.deliver(first)
        issued = {"dossierCode": CODE, "status": status(9, 9), "results": [{"name": "Giấy phép"}]}
        await desk.tell("dossier.result-issued", issued)
        await asyncio.sleep(0.3)
        assert desk.portal.of(CODE).status == "4"
        await desk.adapter.deliver(replace(first, attempt=2))
        assert (desk.portal.of(CODE).status, len(desk.portal.of(CODE).steps)) == ("9", 1)


@pytest.mark.parametrize("seed", range(12))
async def test_in_whatever_order_and_however_often_it_is_told_the_portal_ends_at_the_same(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    issued = {"dossierCode": CODE, "status": status(9, 9), "results": [{"name": "Giấy phép"}]}
    asked = {"id": "BS-1", "content": "Thiếu bản vẽ", "requestedAt": moment(5)}
    answer = {"id": "BS-1", "receivedAt": moment(6)}
    said = [
        ("dossier.registered", registration()),
        ("dossier.progressed", progress(4, 3)),
        ("dossier.supplement-requested", {"dossierCode": CODE, "status": status(5, 5), "supplement": asked}),
        ("dossier.supplemented", {"dossierCode": CODE, "status": status(4, 6), "supplement": answer}),
        ("dossier.progressed", progress(4, 7)),
        ("dossier.result-issued", issued),
    ]
    async with a_desk(tmp_path) as desk:
        chance.shuffle(said)
        waiting = [desk.say(*each) for each in said]
        for service in ("TraCuuHoSo", "DongBoHoSoMC", "CapNhatTienDoHoSoMC"):
            # A session that is refused twice in a row is an account that has lost its rights.
            kinds: list[Kind] = [chance.choice(["lost-reply", "html", "reset"]), "session"]
            desk.portal.faults.once(service, *(Fault(kind) for kind in kinds))
        while waiting:
            chance.shuffle(waiting)
            now, waiting = waiting[:3], waiting[3:]
            results = await asyncio.gather(*(desk.adapter.deliver(each) for each in now), return_exceptions=True)
            for parcel, result in zip(now, results, strict=True):
                assert not isinstance(result, PermanentFailure | DestinationGone)
                if isinstance(result, BaseException) or chance.random() < 0.2:
                    waiting.append(replace(parcel, attempt=parcel.attempt + 1))
        kept = desk.portal.of(CODE)
        assert (kept.status, kept.item["TrangThaiHoSo"]) == ("9", "9")
        assert sorted(step["NoiDungXuLy"] for step in kept.steps) == ["Bước ngày 3", "Bước ngày 7"]
        assert [row["TenGiayTo"] for row in kept.item["DanhSachGiayToKetQua"]] == ["Giấy phép"]
        assert desk.portal.table.violations == []


async def test_a_dossier_that_moves_while_it_is_told_is_told_anew(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        first = desk.say("dossier.registered", registration())
        desk.portal.faults.once("DongBoHoSoMC", Fault("slow", 0.15))
        task = asyncio.ensure_future(desk.adapter.deliver(first))
        await asyncio.sleep(0.07)
        # Another process tells the portal what is newer, and this one's word comes after it.
        desk.say("dossier.progressed", progress(4, 3))
        told = await task
        assert desk.portal.of(CODE).status == "4"
        assert told.reference is not None
        assert "it moved meanwhile" in told.reference


# --------------------------------------------------------------------------------------- what is not known, or wrong


async def test_a_step_before_its_registration_waits_and_is_told_after_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.hands.moment = parse_moment(moment(23)) or 0.0
        early = desk.say("dossier.progressed", progress(4, 3))
        with pytest.raises(TransientFailure) as failure:
            await desk.adapter.deliver(early)
        assert "dossier.registered" in failure.value.detail
        # An answer, not an outage: whoever else waits for the portal is not held up.
        assert failure.value.status == 200
        assert desk.portal.table.dossiers == {}
        desk.say("dossier.registered", registration())
        await desk.adapter.deliver(early)
        assert (desk.portal.of(CODE).status, len(desk.portal.of(CODE).steps)) == ("4", 1)


async def test_a_step_whose_registration_never_comes_is_given_up_in_words_before_it_looks_like_an_outage(
    tmp_path: Path,
) -> None:
    async with a_desk(tmp_path) as desk:
        desk.hands.moment = (parse_moment(moment(23)) or 0.0) + 23 * 3600
        early = desk.say("dossier.progressed", progress(4, 3))
        with pytest.raises(TransientFailure):
            await desk.adapter.deliver(early)
        desk.hands.moment += 2 * 3600
        with pytest.raises(PermanentFailure, match="lgsp replay"):
            await desk.adapter.deliver(early)


async def test_a_step_of_a_dossier_that_only_the_portal_knows_is_told_alone(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        async with a_desk(tmp_path / "other") as other:
            await other.tell("dossier.registered", registration())
            desk.portal.filed(other.portal.of(CODE).item)
        told = await desk.tell("dossier.progressed", progress(4, 3))
        assert told.reference == "step told: the bus has no registration"
        assert (desk.portal.of(CODE).status, len(desk.portal.of(CODE).steps)) == ("4", 1)


@pytest.mark.parametrize("code", ["000.00.00-261123-0001", "261123-0001"])
async def test_a_code_without_its_province_is_refused_in_words_and_none_is_made_up(tmp_path: Path, code: str) -> None:
    async with a_desk(tmp_path) as desk:
        with pytest.raises(PermanentFailure, match="thiếu phần mã của tỉnh"):
            await desk.tell("dossier.registered", registration(code))
        assert desk.portal.doors.asked == []


async def test_other_contracts_are_refused(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        parcel = desk.say("dossier.registered", registration())
        refund = replace(parcel, event={**parcel.event, "type": "payment.refunded"})
        with pytest.raises(PermanentFailure, match=r"payment\.refunded"):
            await desk.adapter.deliver(refund)


async def test_what_came_from_the_portal_is_not_sent_back_there(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        parcel = desk.say("dossier.registered", registration())
        own = replace(parcel, event={**parcel.event, "source": parcel.recipient.name})
        assert (await desk.adapter.deliver(own)).reference == "it came from there"
        assert desk.portal.doors.asked == []


async def test_texts_are_cut_only_where_the_portal_would_refuse_them_and_that_is_told(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        papers = [{"name": "t" * 4000, "link": "https://motcua.example.vn/tep/1"}]
        told = await desk.tell("dossier.registered", registration(abstract="x" * 1200, papers=papers))
        assert told.reference == "created; TrichYeuHoSo cut to 1000 of 1200 characters"
        assert desk.portal.of(CODE).item["TrichYeuHoSo"] == "x" * 1000
        assert len(desk.portal.of(CODE).item["TaiLieuNop"][0]["TenTepDinhKem"]) == 4000
        officer = {"name": "n" * 60}
        told = await desk.tell("dossier.progressed", progress(4, 3, officer=officer))
        assert told.reference is not None
        assert "NguoiXuLy cut to 50 of 60 characters" in told.reference
        assert desk.portal.table.violations == []


async def test_files_go_as_addresses_that_the_bus_gives_out(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        context = replace(desk.context, link=lambda sha256, name: f"https://truc.example.vn/f/{sha256[:4]}/{name}")
        adapter = type(desk.adapter)(context)
        file = {"name": "kq.pdf", "mediaType": "application/pdf", "size": 3, "sha256": "a" * 64}
        papers = [{"name": "don.pdf", "file": {**file, "name": "don.pdf"}}, {"name": "x", "link": "https://x.vn/1"}]
        desk.say("dossier.registered", registration(papers=papers))
        issued = {"dossierCode": CODE, "status": status(9, 6), "results": [{"name": "Giấy phép", "file": file}]}
        await adapter.deliver(desk.say("dossier.result-issued", issued))
        item = desk.portal.of(CODE).item
        assert [row["DuongDanTaiTepTin"] for row in item["TaiLieuNop"]] == [
            "https://truc.example.vn/f/aaaa/don.pdf",
            "https://x.vn/1",
        ]
        assert item["DanhSachGiayToKetQua"][0]["DuongDanTepTinKetQua"] == "https://truc.example.vn/f/aaaa/kq.pdf"
        await adapter.close()


async def test_a_file_that_the_bus_no_longer_holds_is_told_of(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:

        def gone(sha256: str, name: str) -> str:
            raise FileNotFoundError(sha256)

        adapter = type(desk.adapter)(replace(desk.context, link=gone))
        file = {"name": "kq.pdf", "mediaType": "application/pdf", "size": 3, "sha256": "a" * 64}
        data = registration(papers=[{"name": "don.pdf", "file": file}])
        told = await adapter.deliver(desk.say("dossier.registered", data))
        await adapter.close()
        assert told.reference == "created; a file that the bus does not hold has no address"


async def test_the_field_set_of_2019_has_none_of_the_later_names(tmp_path: Path) -> None:
    async with a_desk(tmp_path, fields="2019") as desk:
        desk.portal.doors.fields = "2019"
        await desk.tell("dossier.registered", registration(hasDigitisedPapers=True))
        assert "HoSoCoThanhPhanSoHoa" not in desk.portal.of(CODE).item
        assert desk.portal.table.violations == []


async def test_what_only_the_portal_knows_goes_back_to_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.table.known.add("MaRieng")
        await desk.tell(
            "dossier.registered", registration(ext={"dvcqg": {"MaRieng": "R-1", "ChuHoSo": "x", "@links": ["/1"]}})
        )
        kept = desk.portal.of(CODE).item
        assert "@links" not in kept
        assert (kept["MaRieng"], kept["ChuHoSo"]) == ("R-1", "Nguyễn Văn Mẫu")


# --------------------------------------------------------------------------------------------- the odd answers of 2.10


@pytest.mark.parametrize("zero", [0, "0", "00", None], ids=["number", "0", "00", "words alone"])
async def test_success_is_understood_however_it_is_said(tmp_path: Path, zero: Any) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.manners.zero = zero
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        assert desk.portal.of(CODE).status == "4"


@pytest.mark.parametrize("code", ["3", "-3", 3])
async def test_a_dossier_that_is_there_already_is_updated(tmp_path: Path, code: Any) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.manners.exists = code
        await desk.tell("dossier.registered", registration())
        desk.portal.faults.once("TraCuuHoSo", Fault("blind"))
        await desk.tell("dossier.progressed", progress(4, 3))
        assert desk.portal.doors.asked[3:6] == ["TraCuuHoSo", "DongBoHoSoMC", "DongBoHoSoMC"]
        assert (desk.portal.of(CODE).status, len(desk.portal.table.dossiers)) == ("4", 1)


@pytest.mark.parametrize("casing", ["lower", "upper"])
async def test_names_in_another_casing_lists_that_are_null_doubled_rows_and_numbers_do_no_harm(
    tmp_path: Path, casing: Any
) -> None:
    async with a_desk(tmp_path) as desk:
        manners = desk.portal.manners
        manners.casing, manners.nulls, manners.doubles, manners.numbers, manners.zero = casing, True, True, True, "00"
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        assert (desk.portal.of(CODE).status, len(desk.portal.of(CODE).steps)) == ("4", 1)


@pytest.mark.parametrize("status", [200, 401])
async def test_a_session_that_ended_is_got_anew_once_for_all_who_wait(tmp_path: Path, status: int) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.manners.session_status = status
        codes = [f"000.00.05.H33-261123-000{number}" for number in range(5)]
        parcels = [desk.say("dossier.registered", registration(code)) for code in codes]
        await desk.adapter.deliver(parcels[0])
        desk.portal.doors.expire_sessions()
        await asyncio.gather(*(desk.adapter.deliver(each) for each in parcels[1:]))
        assert desk.portal.doors.logins == 2
        assert sorted(desk.portal.table.dossiers) == codes


async def test_a_session_that_ends_in_the_middle_of_the_work_loses_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.faults.once("DongBoHoSoMC", Fault("session"))
        desk.portal.faults.once("CapNhatTienDoHoSoMC", Fault("session"))
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        assert (desk.portal.of(CODE).status, len(desk.portal.of(CODE).steps)) == ("4", 1)


async def test_an_account_whose_new_session_is_refused_too_stops_the_queue(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.faults.usual["TraCuuHoSo"] = Fault("session")
        with pytest.raises(DestinationGone):
            await desk.tell("dossier.registered", registration())
        assert desk.portal.doors.logins == 2


async def test_a_wrong_password_or_destination_stops_the_queue_and_is_never_shown(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.doors.password = "another"
        with pytest.raises(DestinationGone) as failure:
            await desk.tell("dossier.registered", registration())
        assert "mat-khau-mau-7" not in repr(failure.value)
    async with a_desk(tmp_path, dstcode="VN:GOV:other") as desk:
        with pytest.raises(DestinationGone):
            await desk.tell("dossier.registered", registration())


@pytest.mark.parametrize(
    "fault",
    [
        Fault("html"),
        Fault("wrong-json"),
        Fault("null"),
        Fault("code", "-1"),
        Fault("code", "99"),
        Fault("words", "Không thành công, vui lòng thử lại"),
        Fault("http", 503),
        Fault("http", 500),
        Fault("reset"),
        Fault("cut"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.value}".strip(),
)
@pytest.mark.parametrize("service", ["login", "TraCuuHoSo", "DongBoHoSoMC", "CapNhatTienDoHoSoMC"])
async def test_an_answer_that_is_none_is_for_a_later_try_and_then_all_is_right(
    tmp_path: Path, service: str, fault: Fault
) -> None:
    async with a_desk(tmp_path) as desk:
        desk.say("dossier.registered", registration())
        parcel = desk.say("dossier.progressed", progress(4, 3))
        desk.portal.faults.once(service, fault)
        with pytest.raises(TransientFailure):
            await desk.adapter.deliver(parcel)
        await desk.adapter.deliver(replace(parcel, attempt=2))
        kept = desk.portal.of(CODE)
        assert (kept.status, len(kept.steps), len(desk.portal.table.dossiers)) == ("4", 1, 1)


async def test_an_answer_encoded_twice_is_an_answer(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.faults.once("DongBoHoSoMC", Fault("encoded"))
        told = await desk.tell("dossier.registered", registration())
        assert told.reference == "created"


@pytest.mark.parametrize("service", ["DongBoHoSoMC", "CapNhatTienDoHoSoMC"])
async def test_after_a_reply_that_got_lost_the_portal_is_asked_and_has_everything_once(
    tmp_path: Path, service: str
) -> None:
    async with a_desk(tmp_path) as desk:
        desk.say("dossier.registered", registration())
        parcel = desk.say("dossier.progressed", progress(4, 3))
        desk.portal.faults.once(service, Fault("lost-reply"))
        with pytest.raises(TimedOut):
            await desk.adapter.deliver(parcel)
        asked = len(desk.portal.doors.asked)
        await desk.adapter.deliver(replace(parcel, attempt=2))
        assert desk.portal.doors.asked[asked] == "TraCuuHoSo"
        kept = desk.portal.of(CODE)
        assert (kept.status, len(kept.steps), len(desk.portal.table.dossiers)) == ("4", 1, 1)
        # A step cannot be looked up: said again it is the same to the letter, so that the portal can tell.
        assert kept.repeats == (1 if service == "CapNhatTienDoHoSoMC" else 0)


async def test_a_slow_answer_is_a_time_out_after_the_time_that_the_settings_say(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timeout=1) as desk:
        desk.portal.faults.once("DongBoHoSoMC", Fault("slow", 3))
        with pytest.raises(TimedOut):
            await desk.tell("dossier.registered", registration())
        assert desk.portal.of(CODE).status == "2"


async def test_what_the_portal_finds_wrong_is_permanent_and_repeats_none_of_its_words(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        parcel = desk.say("dossier.registered", registration(procedure={"code": "2.002492"}))
        with pytest.raises(PermanentFailure) as failure:
            await desk.adapter.deliver(parcel)
        assert "error_code -1" in failure.value.detail
        assert "Nguyễn Văn Mẫu" not in failure.value.detail


# ------------------------------------------------------------------------------------------------------- variants


async def test_the_variant_with_a_bare_list_needs_no_look_up(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as first:
        url = f"{first.portal.url}/SynsTTHCC"
        async with a_desk(tmp_path / "other", variant="hgg", url=url, catalogue=None) as desk:
            await desk.tell("dossier.registered", registration())
            await desk.tell("dossier.progressed", progress(4, 3))
            again = replace(desk.say("dossier.registered", registration()), attempt=2)
            await desk.adapter.deliver(again)
        kept = first.portal.of(CODE)
        assert (kept.status, len(kept.steps)) == ("4", 1)
        assert set(first.portal.doors.asked) == {"DongBoHoSoMC", "CapNhatTienDoHoSoMC"}
        assert first.portal.table.violations == []


@pytest.mark.parametrize("body", ["data", "array"])
async def test_the_variant_with_three_addresses(tmp_path: Path, body: str) -> None:
    paths = {f"{each}_path": f"/local/{each}" for each in ("add", "update", "progress")}
    async with a_desk(tmp_path, variant="thh", catalogue=None, body=body, **paths) as desk:
        await desk.tell("dossier.registered", registration())
        await desk.tell("dossier.progressed", progress(4, 3))
        assert desk.portal.doors.asked == ["add", "update", "progress"]
        assert desk.portal.of(CODE).status == "4"


async def test_steps_go_ten_at_a_time_or_as_the_settings_say(tmp_path: Path) -> None:
    async with a_desk(tmp_path, chunk=3) as desk:
        await desk.tell("dossier.registered", registration())
        steps: list[dict[str, str]] = [
            {
                "MaHoSo": CODE, "NguoiXuLy": "x", "ThoiDiemXuLy": f"2026110{day}080000", "NoiDungXuLy": "x",
                "TrangThai": "4",
            }
            for day in range(1, 8)
        ]  # fmt: skip
        assert await desk.adapter._portal.tell(steps, "d") == "done"
        assert desk.portal.doors.asked.count("CapNhatTienDoHoSoMC") == 3
        assert len(desk.portal.of(CODE).steps) == 7


@pytest.mark.parametrize("missing", ["password_file", "dstcode", "integration_endpoint"])
async def test_settings_that_a_variant_needs_are_named_where_they_are_missing(tmp_path: Path, missing: str) -> None:
    with pytest.raises(Misconfigured, match=missing):
        async with a_desk(tmp_path, **{missing: None}):
            pass


async def test_a_refusal_names_what_is_obligatory_and_empty_and_never_a_value(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.faults.once("DongBoHoSoMC", Fault("words", "Không thành công, vui lòng thử lại"))
        data = {name: value for name, value in registration().items() if name not in {"field", "abstract"}}
        with pytest.raises(TransientFailure) as failure:
            await desk.tell("dossier.registered", data)
        named = failure.value.detail.rpartition(": ")[2].split(", ")
        assert {"MaLinhVuc", "TenLinhVuc", "TrichYeuHoSo"} <= set(named)
        assert not {"ChuHoSo", "MaHoSo"} & set(named)
        assert "Nguyễn" not in failure.value.detail
