"""What the national portal brings by its own calls: dossiers filed there, notices of tax, questions about bills."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.dvcqg.portal.calling import Wrapping, wrapped
from adapters.dvcqg.stand_in import an_item
from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.content import InMemory
from gateway.core.faults import Busy, Misconfigured, Text
from gateway.core.visit import Call, NotReceived
from gateway.ports import Collected
from tests.adapters.portal_desk import CODE, PDF, Desk, a_desk, a_file_host, moment, progress, registration, status

CATALOG = read_catalog([builtin_folder()])


def sound(item: Collected) -> Mapping[str, Any]:
    """The data of a message, which are as its contract says."""
    name, _, label = str(item.event["dataschema"]).removeprefix("urn:lgsp:contract:").rpartition(":")
    data: Mapping[str, Any] = item.event["data"]
    version = CATALOG.find(name, label)
    assert version is not None
    assert version.check(data) == ()
    return data


def paper(link: str, **more: Any) -> dict[str, Any]:
    return {"TepDinhKemId": "TL-1", "TenTepDinhKem": "don.pdf", "DuongDanTaiTepTin": link, **more}


async def the_one(desk: Desk, item: Mapping[str, Any]) -> tuple[Mapping[str, Any], Collected]:
    """What the filing of ``item`` brings."""
    assert await desk.call("nhanhsdvcqg", item) == {"error_code": 0, "message": "Thành công"}
    return sound(desk.taken[-1]), desk.taken[-1]


async def test_a_dossier_filed_at_the_portal_is_a_registration_that_was_filed_online(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        data, item = await the_one(desk, an_item())
        assert (item.event["type"], item.event["subject"], item.event["purpose"]) == (
            "dossier.registered",
            CODE,
            "giai-quyet-tthc",
        )
        assert "to" not in item.event
        assert data["agency"] == {"code": "000.00.05.H33"}
        assert data["submission"] == {
            "place": "2",
            "channel": "online",
            "submittedAt": "2026-11-23T08:30:00+07:00",
        }
        assert data["status"] == {
            "code": 1,
            "at": "2026-11-23T08:30:00+07:00",
            "told": {"vocabulary": "dvcqg", "code": "1"},
        }


async def test_without_a_word_about_status_and_channel_it_was_filed_online_just_now(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        sparse = an_item(TrangThaiHoSo=None, KenhThucHien=None, NgayNopHoSo=None)
        data, _ = await the_one(desk, sparse)
        assert (data["status"]["code"], data["submission"]["channel"]) == (1, "online")


async def test_what_was_filed_was_not_received_yet_whatever_the_portal_calls_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        data, _ = await the_one(desk, an_item(TrangThaiHoSo="4", NgayTiepNhan="20261124083000"))
        assert (data["status"]["code"], data["status"]["told"]["code"]) == (1, "4")
        assert data["status"]["at"] == "2026-11-23T08:30:00+07:00"


@pytest.mark.parametrize("wrapping", ["bare", "data", "list", "text"])
async def test_an_item_comes_bare_under_data_or_as_json_in_a_text(tmp_path: Path, wrapping: Wrapping) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.call("nhanhsdvcqg", wrapped(an_item(), wrapping))
        await desk.call("nhanhsdvcqg", an_item())
        assert [item.event["subject"] for item in desk.taken] == [CODE]


async def test_the_service_may_be_told_in_the_body_and_its_session_is_kept_nowhere(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        body = {"service": "nhanhsdvcqg", "session": "secret-of-theirs", **an_item()}
        assert (await desk.call("", body))["error_code"] == 0
        assert "secret-of-theirs" not in json.dumps(dict(desk.taken[0].event))


async def test_the_same_call_again_brings_nothing_new_and_a_changed_one_does(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        for _ in range(3):
            assert (await desk.call("nhanhsdvcqg", an_item()))["error_code"] == 0
        await desk.call("nhanhsdvcqg", dict(reversed(an_item().items())))
        assert len(desk.taken) == 1
        await desk.call("nhanhsdvcqg", an_item(Email="khac@example.vn"))
        assert len(desk.taken) == 2


async def test_odd_casing_numbers_and_nulls_are_mended_and_what_is_unknown_is_kept(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        odd = an_item(MaHoSo=None, LoaiDoiTuong=1, TaiLieuNop=None, DanhSachLePhi=None, NgayNopHoSo=20261123083000)
        odd |= {"MAHOSO": CODE, "DanhSachLePhi": None, "MaRieng": {"a": 1}, "@status": 9}
        data, _ = await the_one(desk, odd)
        assert (data["applicant"]["kind"], data["dossierCode"], data["status"]["code"]) == ("citizen", CODE, 1)
        assert data["ext"] == {"dvcqg": {"MaRieng": {"a": 1}}}
        assert data["submission"]["submittedAt"] == "2026-11-23T08:30:00+07:00"


async def test_a_placeholder_is_no_id(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        item = an_item(TaiLieuNop=[paper("https://tep.example.vn/1", TepDinhKemId="000000001")])
        data, _ = await the_one(desk, item)
        assert data["papers"] == [{"name": "don.pdf", "link": "https://tep.example.vn/1"}]


async def test_rows_that_say_nothing_are_left_out_and_do_not_cost_the_dossier(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        odd = an_item(
            DanhSachLePhi=[{"TenPhiLePhi": "Lệ phí", "Gia": "30.000"}, {"TenPhiLePhi": "Phí", "Gia": 5}],
            DanhSachHoSoBoSung=[{"HoSoBoSungId": "", "NoiDungBoSung": "x", "NgayBoSung": ""}],
            DinhDanhCHS=[{"LoaiDinhDanh": "1", "SoDinhDanh": ""}],
            TaiLieuNop=[{"DuongDanTaiTepTin": "https://tep.example.vn/a/don.pdf?k=1"}, {"TepDinhKemId": "TL-2"}],
        )
        data, item = await the_one(desk, odd)
        assert data["fees"] == [{"name": "Phí", "amount": 5}]
        assert [each["name"] for each in data["papers"]] == ["don.pdf", "(không tên)"]
        assert data["supplements"] == []
        assert len(item.warnings) >= 3


@pytest.mark.parametrize("address", ["/files/1", "ftp://tep.example.vn/1", "https://", "http://" + "x" * 4000])
async def test_an_address_that_is_none_is_kept_beside_the_dossier(tmp_path: Path, address: str) -> None:
    async with a_desk(tmp_path, file_hosts=["tep.example.vn"]) as desk:
        data, item = await the_one(desk, an_item(TaiLieuNop=[paper(address)]))
        assert data["papers"] == [{"id": "TL-1", "name": "don.pdf"}]
        assert data["ext"] == {"dvcqg": {"@links": [address]}}
        assert any("ext" in warning.en for warning in item.warnings)


async def test_a_date_of_another_form_is_left_out_with_a_word(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        data, item = await the_one(desk, an_item(NgayHenTra="30/11/2026"))
        assert "dueAt" not in data
        assert any("NgayHenTra" in warning.vi for warning in item.warnings)


async def test_what_the_settings_say_of_receivers_and_purpose_holds(tmp_path: Path) -> None:
    async with a_desk(tmp_path, to=["H33.05", "H33.01"], purpose="thu-nghiem") as desk:
        _, item = await the_one(desk, an_item())
        assert (item.event["to"], item.event["purpose"]) == ("H33.05 H33.01", "thu-nghiem")


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"MaHoSo": ""}, "MaHoSo"),
        ({"MaHoSo": "9" * 51}, "MaHoSo"),
        ({"TrangThaiHoSo": "11"}, "TrangThaiHoSo"),
        ({"TaiLieuNop": 7}, "TaiLieuNop"),
        ({"ChuHoSo": {"a": 1}}, "ChuHoSo"),
    ],
)
async def test_an_item_that_cannot_be_one_is_refused_in_words(tmp_path: Path, odd: dict[str, Any], said: str) -> None:
    async with a_desk(tmp_path) as desk:
        answer = await desk.call("nhanhsdvcqg", an_item(**odd))
        assert answer["error_code"] == -1
        assert said in answer["message"]
        assert desk.taken == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'"x"', b'{"data": []}', b'{"data": "rubbish"}', b"[1]"])
async def test_a_call_without_an_item_is_refused_in_words(tmp_path: Path, body: bytes) -> None:
    async with a_desk(tmp_path) as desk:
        answer = await desk.call("nhanhsdvcqg", body)
        assert answer["error_code"] == -1
        assert "phải" in answer["message"] or "JSON" in answer["message"] or "MaHoSo" in answer["message"]


async def test_nothing_but_what_was_taken_is_a_yes(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.instead = NotReceived("no-agreement", Text("Cần thoả thuận.", "An agreement is needed."))
        answer = await desk.call("nhanhsdvcqg", an_item())
        assert answer == {"error_code": -1, "message": "Cần thoả thuận. - An agreement is needed."}
        desk.instead = Busy("overloaded", Text("Bận", "Busy"), retry_after=1.0)
        assert (await desk.call("nhanhsdvcqg", an_item()))["error_code"] == -1
        desk.instead = None
        assert (await desk.call("nhanhsdvcqg", an_item()))["error_code"] == 0


async def test_who_calls_must_prove_itself_and_without_a_gate_nobody_can(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        assert (await desk.call("nhanhsdvcqg", an_item(), secret="guessed"))["error_code"] == -1
        assert (await desk.call("dptracuuthanhtoanhs", {"MaHoSo": CODE}, secret="guessed"))["error_code"] == -1
    async with a_desk(tmp_path, caller_secret_file=None) as desk:
        assert (await desk.call("nhanhsdvcqg", an_item()))["error_code"] == -1
        assert desk.taken == []


async def test_other_services_and_methods_are_refused_in_words(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        assert "nhanhsdvcqg" in (await desk.call("xoahoso", an_item()))["message"]
        call = Call("GET", "nhanhsdvcqg", {}, {"authorization": "Bearer khoa-cua-cong-mau-9"}, InMemory(b""), "::1")
        assert (await desk.adapter.answer(call, desk.take)).status == 405


# ------------------------------------------------------------------------------------------------ known dossiers


async def test_a_supplement_handed_in_at_the_portal_is_told_as_one(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.say("dossier.registered", registration())
        asked = {"id": "BS-1", "content": "Thiếu bản vẽ", "requestedAt": moment(3)}
        desk.say("dossier.supplement-requested", {"dossierCode": CODE, "status": status(5, 3), "supplement": asked})
        entry = {
            "HoSoBoSungId": "BS-1", "NoiDungBoSung": "Thiếu bản vẽ", "NgayBoSung": "20261103080000",
            "NgayTiepNhanBoSung": "20261105090000", "DanhSachGiayToBoSung": [paper("https://tep.example.vn/9")],
        }  # fmt: skip
        data, item = await the_one(desk, an_item(TrangThaiHoSo="2", DanhSachHoSoBoSung=[entry]))
        assert item.event["type"] == "dossier.supplemented"
        assert data["supplement"] == {"id": "BS-1", "receivedAt": "2026-11-05T09:00:00+07:00"}
        assert data["status"]["at"] == "2026-11-05T09:00:00+07:00"
        assert [each["link"] for each in data["papers"]] == ["https://tep.example.vn/9"]


async def test_a_supplement_that_is_told_again_after_it_moved_the_dossier_is_the_same_message(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.say("dossier.registered", registration())
        asked = {"id": "BS-1", "content": "Thiếu bản vẽ", "requestedAt": moment(3)}
        desk.say("dossier.supplement-requested", {"dossierCode": CODE, "status": status(5, 3), "supplement": asked})
        entry = {"HoSoBoSungId": "BS-1", "NoiDungBoSung": "Thiếu bản vẽ", "NgayBoSung": "20261103080000"}
        item = an_item(TrangThaiHoSo="4", DanhSachHoSoBoSung=[{**entry, "NgayTiepNhanBoSung": "20261105090000"}])
        data, message = await the_one(desk, item)
        desk.say("dossier.supplemented", data, agency="H33.16", version="2.0")
        desk.say("dossier.progressed", progress(4, 6))
        _, again = await the_one(desk, item)
        assert again is message
        # While it is only asked for, nothing is answered yet.
        await the_one(desk, an_item(TrangThaiHoSo="5", DanhSachHoSoBoSung=[entry]))
        assert [each.event["type"] for each in desk.taken] == ["dossier.supplemented", "dossier.registered"]


async def test_a_dossier_that_the_citizen_takes_back_is_withdrawn(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.say("dossier.registered", registration())
        item = an_item(TrangThaiHoSo="7", GhiChu="Nộp nhầm", NgayTiepNhan="20261104080000")
        data, message = await the_one(desk, item)
        assert message.event["type"] == "dossier.withdrawn"
        assert (data["reason"], data["status"]["code"]) == ("Nộp nhầm", 7)


async def test_a_sales_promotion_is_a_registration(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        assert (await desk.call("addtthcKhuyenMai", an_item()))["error_code"] == 0
        assert sound(desk.taken[0])["dossierCode"] == CODE


# ------------------------------------------------------------------------------------------------------ tax notices


async def test_a_tax_notice_is_a_step_to_pay_with_what_is_charged(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        notice = {
            "MaHoSo": CODE, "MaSoThue": "8000000000", "SoTien": "1500000", "SoQuyetDinh": "TB-77",
            "TenTieuMuc": "Lệ phí trước bạ", "TenCoQuanThue": "Chi cục Thuế mẫu",
        }  # fmt: skip
        for _ in range(2):
            assert (await desk.call("nhantbthuedvcqg", notice))["error_code"] == 0
        (item,) = desk.taken
        data = sound(item)
        assert (item.event["type"], data["status"]["code"]) == ("dossier.progressed", 6)
        assert data["charges"] == {
            "fees": [{"name": "Lệ phí trước bạ", "amount": 1500000}],
            "noticeNumber": "TB-77",
            "taxCode": "8000000000",
        }
        assert data["ext"] == {"dvcqg": {"TenCoQuanThue": "Chi cục Thuế mẫu"}}


async def test_several_notices_at_once_are_read_and_one_without_an_amount_charges_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        rows = [
            {"LoaiThue": "TNCN", "SoThongBaoThue": "1", "SoTien": 5},
            {"LoaiThue": "LPTB", "SoThongBaoThue": "2", "DuongDanThongBaoThue": "https://thue.example.vn/2"},
        ]
        await desk.call("nhantbthuedvcqg", {"data": {"MaHoSo": CODE, "DanhSachThongBaoThue": rows}})
        fees = sound(desk.taken[0])["charges"]["fees"]
        assert fees == [{"name": "Nghĩa vụ tài chính theo thông báo", "kind": "TNCN", "amount": 5}]


async def test_a_province_reads_tax_notices_by_rules_of_its_own(tmp_path: Path) -> None:
    own = [
        {"move": "/MaHoSo", "to": "/dossierCode"},
        {"move": "/@at", "to": "/at"},
        {"copy": "/@at", "to": "/status/at"},
        {"constant": 6, "to": "/status/code"},
        {"move": "/SoTB", "to": "/charges/noticeNumber"},
        {"default": [], "to": "/charges/fees"},
    ]
    (tmp_path / "thue.json").write_text(json.dumps({"rules": own}))
    async with a_desk(tmp_path, tax_rules="thue.json") as desk:
        await desk.call("nhantbthuedvcqg", {"MaHoSo": CODE, "SoTB": "88"})
        assert sound(desk.taken[0])["charges"] == {"fees": [], "noticeNumber": "88"}
    with pytest.raises(Misconfigured, match="tax_rules"):
        async with a_desk(tmp_path, tax_rules="absent.json"):
            pass


# ------------------------------------------------------------------------------------------------------------ bills


async def test_a_bill_is_told_while_something_is_to_be_paid_and_keeps_its_number(tmp_path: Path) -> None:
    account = {"account": "0000000000", "bank": "000", "name": "Tài khoản mẫu"}
    async with a_desk(tmp_path, beneficiary=account) as desk:
        assert await desk.call("dptracuuthanhtoanhs", {"MaHoSo": CODE}) == {"error_code": -1, "message": []}
        desk.say("dossier.registered", registration())
        desk.say("dossier.progressed", progress(4, 3))
        assert await desk.call("dptracuuthanhtoanhs", {"MaHoSo": CODE}) == {"error_code": 0, "message": []}
        charges = {"fees": [{"name": "Lệ phí", "code": "LP1", "kind": "2", "amount": 30000}], "noticeNumber": "TB-1"}
        desk.say("dossier.progressed", progress(6, 4, charges=charges))
        answer = await desk.call("dptracuuthanhtoanhs", {"MaHoSo": CODE})
        assert answer["error_code"] == 1
        bill = answer["message"]
        assert bill["MaTraCuuTT"] == f"{CODE}20261104080000"
        assert (bill["MaDichVu"], bill["TKThuHuong"], bill["HoTenNguoiNop"]) == ("2", "0000000000", "Nguyễn Văn Mẫu")
        assert bill["PhiLePhi"] == [
            {"LoaiPhiLePhi": "2", "MaPhiLePhi": "LP1", "TenPhiLePhi": "Lệ phí", "SoTien": "30000"}
        ]
        assert all(isinstance(value, str | list) for value in bill.values())
        assert await desk.call("dptracuuthanhtoanhs", {"MaHoSo": CODE}) == answer
        paid = {"dossierCode": CODE, "noticeId": "1", "amount": 30000, "paidAt": moment(5), "outcome": "paid",
                "status": status(4, 5)}  # fmt: skip
        desk.say("payment.notified", paid, agency="H33.20")
        assert await desk.call("dptracuuthanhtoanhs", {"MaHoSo": CODE}) == {"error_code": 0, "message": []}
        assert desk.taken == []


@pytest.mark.parametrize("body", [{}, {"MaHoSo": ""}, [], "x", {"MaHoSo": ["a"]}])
async def test_a_question_about_no_dossier_is_an_error_with_an_empty_list(tmp_path: Path, body: Any) -> None:
    async with a_desk(tmp_path) as desk:
        assert await desk.call("dptracuuthanhtoanhs", body) == {"error_code": -1, "message": []}


# ------------------------------------------------------------------------------------------------------------ files


async def test_files_are_fetched_from_hosts_that_are_listed_and_stay_links_where_they_cannot_be(tmp_path: Path) -> None:
    answers = [web.Response(body=PDF), web.Response(status=404), web.Response(text="<html>", content_type="text/html")]
    async with a_file_host(*answers) as host, a_desk(tmp_path, file_hosts=["127.0.0.1"]) as desk:
        links = [f"{host}/{number}" for number in range(3)]
        papers = [paper(link, TepDinhKemId=f"TL-{number}") for number, link in enumerate(links)]
        data, item = await the_one(desk, an_item(TaiLieuNop=papers))
        first, second, third = data["papers"]
        assert first["file"] == {
            "name": "don.pdf",
            "mediaType": "application/pdf",
            "size": len(PDF),
            "sha256": InMemory(PDF).sha256,
        }
        assert "link" not in first
        assert (second["link"], third["link"]) == (links[1], links[2])
        assert [file.sha256 for file in item.files] == [InMemory(PDF).sha256]
        assert len(item.warnings) == 1


async def test_no_host_that_is_not_listed_is_called(tmp_path: Path) -> None:
    async with a_file_host(web.Response(body=PDF)) as host, a_desk(tmp_path) as desk:
        for link in (f"{host}/0", "http://169.254.169.254/meta"):
            data, item = await the_one(desk, an_item(TaiLieuNop=[paper(link)]))
            assert data["papers"][0]["link"] == link
            assert "file_hosts" in item.warnings[0].vi
            assert item.files == ()


async def test_the_portal_does_not_wait_for_slow_files_and_large_ones_stay_where_they_are(tmp_path: Path) -> None:
    large = web.Response(body=b"x" * (2 << 20))
    async with (
        a_file_host(30.0, large, web.Response(body=PDF)) as host,
        a_desk(tmp_path, file_hosts=["127.0.0.1"], file_seconds=1, max_mebibytes=1) as desk,
    ):
        papers = [paper(f"{host}/{number}") for number in range(3)]
        data, item = await the_one(desk, an_item(TaiLieuNop=papers))
        assert ["file" in each for each in data["papers"]] == [False, False, True]
        assert len(item.warnings) == 2


async def test_however_many_dossiers_a_call_brings_their_files_are_waited_for_together(tmp_path: Path) -> None:
    async with (
        a_file_host(30.0) as host,
        a_desk(tmp_path, file_hosts=["127.0.0.1"], file_seconds=1) as desk,
    ):
        codes = [f"000.00.05.H33-261123-000{number}" for number in range(1, 7)]
        items = [an_item(code, TaiLieuNop=[paper(f"{host}/0")]) for code in codes]
        async with asyncio.timeout(3):
            assert (await desk.call("nhanhsdvcqg", {"data": items}))["error_code"] == 0
        assert [item.event["subject"] for item in desk.taken] == codes


async def test_with_or_without_its_files_the_same_call_is_the_same_dossier(tmp_path: Path) -> None:
    async with a_file_host(web.Response(body=PDF)) as host, a_desk(tmp_path, file_hosts=["127.0.0.1"]) as desk:
        item = an_item(TaiLieuNop=[paper(f"{host}/0")])
        await the_one(desk, item)
        async with a_desk(tmp_path) as other:
            await the_one(other, item)
        assert (desk.taken[0].origin, desk.taken[0].event["id"]) == (other.taken[0].origin, other.taken[0].event["id"])
