"""The golden cases of one-stop tongues are sound by their contracts, and leave out no word that those tongues have."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.fileref import files_told

FOLDER = Path(__file__).parent.parent / "vectors" / "onestop"
CASES = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
MEMBERS = {"direction", "given", "wire", "kept", "contract", "data"}
GIVEN = {"request", "record", "settings", "files", "outside", "unknown", "guessed"}

#: Every name that each kind of message is known to have, misspellings included.
NAMES = {
    "dvcqg_item_2019": """
        MaHoSo MaTTHC TenTTHC MaLinhVuc TenLinhVuc SoBienNhan ChuHoSo LoaiDoiTuong MaDoiTuong ThongTinKhac Email Fax
        SoDienThoai TrichYeuHoSo NgayTiepNhan NgayHenTra TrangThaiHoSo NgayTra ThongTinTra HinhThuc NgayKetThucXuLy
        DonViXuLy GhiChu TaiLieuNop TepDinhKemId TenTepDinhKem IsDeleted MaThanhPhanHoSo DuongDanTaiTepTin DanhSachLePhi
        TenPhiLePhi MaPhiLePhi HinhThucThu Gia LoaiPhiLePhi DanhSachTepDinhKemKhac TenGiayTo SoLuong LoaiGiayTo
        DanhSachHoSoBoSung HoSoBoSungId NguoiYeuCauBoSung NoiDungBoSung NgayBoSung NguoiTiepNhanBoSung ThongTinTiepNhan
        NgayTiepNhanBoSung TrangThaiBoSung DanhSachGiayToBoSung DanhSachLePhiBoSung NgayHenTraTruoc NgayHenTraMoi
        DanhSachGiayToKetQua GiayToId DuongDanTepTinKetQua""",
    "dvcqg_item_2022 dvcqg_update": """
        DuocSoHoa DuocTaiSuDung DuocLayTuKhoDMQG MaKetQuaThayThe MaGiayToKetQua NoiNopHoSo KenhThucHien
        HoSoCoThanhPhanSoHoa TaiKhoanDuocXacThucVoiVNeID DuocThanhToanTrucTuyen NgayTuChoi DinhDanhCHS LoaiDinhDanh
        SoDinhDanh NgayNopHoSo DSKetNoiCSDL MaCSDL SoGiayToChuHoSo""",
    "dvcqg_step": """
        MaHoSo NguoiXuLy ChucDanh ThoiDiemXuLy PhongBanXuLy NoiDungXuLy TrangThai NgayBatDau NgayKetThucTheoQuyDinh""",
    "dvcqg_procedure": """
        MATTHC TENTTHC TRANGTHAI MADONVI TENDONVI CAPDONVI MANGANH MOTADOITUONGTHUCHIEN YEUCAU LINHVUCTHUCHIEN MALINHVUC
        TENLINHVUC TRINHTUTHUCHIEN TRUONGHOP TRINHTU TENTRINHTU CACHTHUCTHUCHIEN KENH THOIGIAN THOIGIANGIAIQUYET
        DONVITINH MOTA PHILEPHI MAPHILEPHI SOTIEN DONVI THANHPHANHOSO MAGIAYTO TENGIAYTO URL TENMAUDON KETQUATHUCHIEN
        MAKETQUA TENKETQUA CANCUPHAPLY SOVANBAN TENVANBAN COQUANTHUCHIEN""",
    "payment_bill": """
        MaTraCuuTT MaDichVu MaDVC TenDVC MaTTHC TenTTHC MaDonVi TenDonVi MaHoSo PhiLePhi LoaiPhiLePhi MaPhiLePhi
        TenPhiLePhi SoTien TKThuHuong MaNHThuHuong TenTKThuHuong MaLoaiHinhThuPhat TenLoaiHinhThuPhat MaCoQuanQD
        TenCoQuanQD KhoBac NgayQD SoQD ThoiGianViPham DiaDiemViPham TenNguoiViPham TaiKhoanThuNSNN NoiDungThanhToan
        HoTenNguoiNop SoCMNDNguoiNop DiaChiNguoiNop HuyenNguoiNop TinhNguoiNop DSKhoanNop NoiDung""",
    "payment_start": """
        LoaiBanTin PhienBan MaDoiTac MaThamChieu SoTien LoaiHinhThanhToan MaKenhThanhToan MaThietBi NgonNgu MaTienTe
        MaNganHang ThongTinGiaoDich ThoiGianGD Ip MaXacThuc ThongTinBienLai""",
    "payment_voucher": "MaThongBaoThue SoTien ThoiGianThanhToan TrangThaiThanhToan BienLai",
    "wso2_sync_document": """
        DocTypeCode DocTypeName DocCode CitizenName CitizenInfo ApplicantsId ApplicantsType Address Email Phone
        Compendium DateReceived DateAppointed IsSuccess SuccessDate ApproverName ApproverPosition SuccessNote IsReturned
        ReturnedDate ReturnNote ReturnedType FinishedDate Status ProcessingOrganName HasSupplementary
        RequireSupplementaryDate Note OrganInchargeIdLevel1 OrganInchargeName Attachments AttachmentId Attachmentld
        AttachmentName IsDeleted Base64 IsVerified DocFees FeeName FeeType Price DocPapers PaperName Amount PaperType
        Supplementaries SupplementaryId SendUser SendComment SendDate ReceivedUser ReceivedComment ReceivedDate
        IsReceived Papers Fees OldDateAppointed NewDateAppointed""",
    "wso2_document_traces": """
        DocumentId DocCode UserName UserPosition DateCreated Comment Status OrganizationInchargeIdLevel1
        OrganizationInchargeName""",
    "wso2_statistic": """
        Month Year IsMonthStatistic NewReception PreExtisting Total TotalSolved SolvedInTime SolvedInTimePercent
        SolvedLate SolvedLatePercent TotalPending Pending PendingPercent PendingLate PendingLatePercent Note
        OrganizationInchargeName""",
    "qlvb_gui_ho_so": """
        IDHoSo MaHoSo TenHoSo ThuTuc ThamSoAn LaHoSoLienThong DuThao DuThaoId NgayHenTraMoi HccLinkAPI LoaiHSLienthong
        SoKyHieuVanBan NguoiKyVanBan HanXuLyVanBan ChuHoSo NguoiNop Ten CMND SoDienThoai DiaChi NguoiKy NguoiTrinhKy
        TaiKhoan Id DonVi MaDinhDanh VanBanDuThao TrichYeu LoaiVanBan NgayTao DinhKem Base64 Link ThanhPhanHoSo""",
    "qlvb_van_ban_di": """
        VanBanDi TrichYeu LoaiVanBan NgayBanHanh NgayKy NguoiKy ChucVu NguoiSoan SoKyHieu DinhKem Ten Base64
        LoaiKetQua""",
    "vnpost_order": """
        CustomerCode OrderNumber CODAmount SenderProvince SenderDistrict SenderAddress SenderName SenderEmail SenderTel
        SenderDesc Description ReceiverName ReceiverAddress ReceiverTel ReceiverProvince ReceiverDistrict
        ReceiverEmail""",
    "vnpost_document_order": """
        CustomerCode OrderNumber Procedure Code Title Category Elements IsSendDocument DocumentSender Name Phone
        ProvinceCode ProvinceTitle DistrictCode DistrictTitle Address Email IsReceiveResult ResultReceiver State""",
    "vnpost_tracking": """
        _size _total_pages _returned _embedded rh:doc _id $oid CustomerCode OrderNumber EventTime POSID ItemCode
        StatusCode StatusMessage Notes""",
}  # fmt: skip

each_case = pytest.mark.parametrize("name", CASES)


def names_in(value: Any) -> Iterator[str]:
    """Every member name in ``value``, also of JSON that is written inside a text."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, str) and value.startswith("{"):
        yield from names_in(json.loads(value))


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)
    elif isinstance(value, str):
        yield value


@each_case
def test_a_case_has_the_members_that_the_page_beside_it_explains(name: str) -> None:
    case = CASES[name]

    assert {"direction", "wire", "contract", "data"} <= set(case) <= MEMBERS
    assert case["direction"] in {"in", "out", "both"}
    assert set(case.get("given", {})) <= GIVEN


@each_case
def test_what_a_case_means_is_sound_by_its_contract(name: str) -> None:
    contract, _, label = CASES[name]["contract"].partition("/")
    version = read_catalog([builtin_folder()]).find(contract, label)
    assert version is not None

    assert version.check(CASES[name]["data"]) == ()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["contract"] == "dossier.registered/1.0"])
def test_what_was_said_in_the_field_set_of_2019_is_sound_under_the_newer_major_too(name: str) -> None:
    version = read_catalog([builtin_folder()]).find("dossier.registered", "2.0")
    assert version is not None

    assert version.check(CASES[name]["data"]) == ()


@pytest.mark.parametrize("kind", NAMES)
def test_every_name_that_a_message_is_known_to_have_stands_in_some_case(kind: str) -> None:
    prefixes = tuple(kind.split())
    found = {name for case, content in CASES.items() if case.startswith(prefixes) for name in names_in(content["wire"])}

    assert set(NAMES[kind].split()) - found == set()


def test_every_case_is_of_a_kind_whose_names_are_known() -> None:
    known = {prefix for kind in NAMES for prefix in kind.split()}

    assert [name for name in CASES if not name.startswith(tuple(known))] == []


@each_case
def test_no_name_stands_in_a_case_that_no_message_is_known_to_have(name: str) -> None:
    # The two that name a request to sign in its answer are a guess, and said to be one in the case.
    guessed = set(CASES[name].get("given", {}).get("guessed", ()))
    known = {each for names in NAMES.values() for each in names.split()}

    assert set(names_in(CASES[name]["wire"])) - known - guessed == set()


@each_case
def test_a_file_of_a_case_is_what_its_bytes_are(name: str) -> None:
    case = CASES[name]
    held = {text for text in texts_in(case["wire"]) if text} | set(case.get("given", {}).get("files", {}).values())
    digests = {}
    for text in held:
        try:
            content = base64.b64decode(text, validate=True)
        except ValueError:
            continue
        digests[hashlib.sha256(content).hexdigest()] = len(content)

    for told in files_told(case["data"]):
        assert digests.get(told["sha256"]) == told["size"]


@each_case
def test_a_case_names_nobody_but_the_person_that_does_not_exist(name: str) -> None:
    people = (
        "ChuHoSo",
        "NguoiXuLy",
        "NguoiKy",
        "CitizenName",
        "UserName",
        "ReceiverName",
        "HoTenNguoiNop",
        "NguoiSoan",
    )

    for member, value in CASES[name]["wire"].items():
        if member in people and isinstance(value, str):
            assert value == "Nguyễn Văn Mẫu"
