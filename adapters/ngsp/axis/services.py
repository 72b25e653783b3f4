"""The services of the ministries, strict: what they want of a call, and how they say no, as the facts page tells it."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

from aiohttp import web

from gateway.calls.counter import Counter, Faults

#: Made up for this stand-in alone.
SECRETS: Final[Mapping[str, str]] = {
    "wso2": "bi-mat-wso2-1", "lgsp": "bi-mat-lgsp-2", "key": "khoa-giao-thong-3", "portal": "mat-khau-gplx-4",
    "land": "ma-an-toan-dat-5", "kntc": "mat-khau-kntc-6", "officer": "khoa-can-bo:mat-khau-can-bo-7",
    "other": "khoa-can-bo-2:mat-khau-can-bo-8",
}  # fmt: skip
OFFICER: Final = "mau.nv"
OTHER: Final = "mau.tt"
PERSON: Final = "000000000000"
_ORDER: Final = "MaYeuCau MaDVC MaTichHop MaCanBo SoDinhDanh SoCMND HoVaTen NgayThangNamSinh Paging".split()
_QLDC: Final = "{http://dancuquocgia.bca}"
_SOAP: Final = "{http://schemas.xmlsoap.org/soap/envelope/}"
_VIET_NAM: Final = timedelta(hours=7)


def citizen(**override: Any) -> dict[str, Any]:
    """Somebody who does not exist, as the population database writes him; ``None`` leaves an element out."""
    place = {"MaTinhThanh": "91", "MaQuanHuyen": "899", "MaPhuongXa": "30760", "ChiTiet": "Số 1", "QuocGia": "VN"}
    made: dict[str, Any] = {
        "SoDinhDanh": PERSON, "SoCMND": "000000000",
        "HoVaTen": {"Ho": "Nguyễn", "ChuDem": "Văn", "Ten": "Mẫu"},
        "GioiTinh": "1", "DanToc": "01", "TonGiao": "00", "TinhTrangHonNhan": "1",
        "NgayThangNamSinh": {"NgayThangNam": "19800102"}, "NoiDangKyKhaiSinh": place, "QueQuan": place,
        "ThuongTru": place, "NoiOHienTai": place, "QuocTich": "VN",
        "Cha": {"HoVaTen": "Nguyễn Văn Mẫu", "QuocTich": "VN", "SoCMND": "000000001"},
        "ChuHo": {"QuanHe": "1", "HoVaTen": "Nguyễn Văn Mẫu", "SoDinhDanh": PERSON}, "SoSoHoKhau": "000000009",
        **override,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


@dataclass(slots=True)
class Services:
    """All of them behind one address, for one province."""

    faults: Faults = field(default_factory=Faults)
    people: list[dict[str, Any]] = field(default_factory=lambda: [citizen()])
    insured: dict[str, Any] = field(
        default_factory=lambda: {
            "hoTen": "Nguyễn Văn Mẫu", "soSoCu": "0000000001", "ngaySinh": "19800102", "loaiNgaySinh": 0,
            "gioiTinh": 1, "maTinhKs": "91", "maHuyenKs": None, "maXaKs": "30760", "trangThai": "1",
        }
    )  # fmt: skip
    #: Rows of danhsachhoso as they come.
    listed: list[Any] = field(default_factory=list)
    categories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: The next answers of a service are this business error: service -> codes.
    refused: dict[str, list[Any]] = field(default_factory=dict)
    skewed: bool = False
    unquoted: bool = False
    once: bool = False
    #: What the services saw, in order: (service, body or query).
    seen: list[tuple[str, Any]] = field(default_factory=list)
    received: dict[str, str] = field(default_factory=dict)
    windows: list[tuple[str, str]] = field(default_factory=list)
    _tokens: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.post("/token", self._token),
            web.post("/dan-cu", self._population),
            web.post("/apiBHXH/{name}", self._insurance),
            web.get("/apiCSDLDKDN/{name}", self._enterprise),
            web.post("/apiHoTichTuPhap/{name}", self._civil),
            web.post("/apiLyLichTuPhap/{name}", self._record),
            web.get("/apiGTVT/danhsachhoso", self._transport),
            web.post("/mapi/login", self._login),
            web.post("/mapi/g", self._licence),
            web.get("/dmdc/{kind}/{category}", self._category),
            web.post("/dmdc/{kind}/{category}", self._insert),
            web.post("/KNTC/TraDanhMuc", self._complaints),
            web.post("/dat-dai/TiepNhanHoSo", self._land),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/dat-dai/TiepNhanHoSo"}))

    def end_tokens(self) -> None:
        """Every token and session is over, in the middle of whatever is done."""
        self._tokens.clear()

    def list_dossier(self, code: str, **override: Any) -> dict[str, Any]:
        """A dossier of the ministry of transport, received today."""
        now = datetime.now(UTC) + _VIET_NAM
        made = {
            "MaHoSo": code, "MaTTHC": "1.002809", "TenTTHC": "Đổi giấy phép lái xe", "TenLinhVuc": "Đường bộ",
            "TrichYeuHoSo": "Đổi giấy phép", "KenhThucHien": "0", "DonViXuLy": "Sở Giao thông vận tải",
            "MaDoiTuong": None, "ChuHoSo": "Nguyễn Văn Mẫu", "NgayGuiHoSo": None,
            "NgayTiepNhan": now.strftime("%d/%m/%Y %H:%M:%S"), "NgayHenTra": None, "TrangThaiHoSo": "2",
            "TenTrangThaiHoSo": "Đang xử lý", "NguoiNop": "Nguyễn Văn Mẫu", "EmaiNguoiNop": None,
            "NgayHuyHoSo": None, "MaDonViXuLy": "H33.16", **override,
        }  # fmt: skip
        self.listed.append(made)
        return made

    # --------------------------------------------------------------------------------------------------- proofs

    async def _token(self, request: web.Request) -> web.Response:
        form = parse_qs((await request.read()).decode())
        lgsp = request.headers.get("lgspaccesstoken", "")
        basic = "Basic " + base64.b64encode(f"khoa-ung-dung:{SECRETS['wso2']}".encode()).decode()
        if form.get("grant_type") != ["client_credentials"]:
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if request.headers.get("Authorization") != basic and lgsp != self.lgsp:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({
            "access_token": self._issued("lgsp" if lgsp else "wso2"), "token_type": "Bearer", "expires_in": 3600,
        })  # fmt: skip

    @property
    def lgsp(self) -> str:
        """The value of lgspaccesstoken that is right."""
        value = {"AccessKey": "AK", "SecretKey": SECRETS["lgsp"], "AppName": "LGSP", "PartnerCode": "H33",
                 "PartnerCodeCus": "H33.14"}  # fmt: skip
        return base64.b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()

    def _issued(self, kind: str) -> str:
        token = f"the-{kind}-{next(self._numbers)}"
        self._tokens[token] = kind
        return token

    def _is_good(self, token: str, kind: str) -> bool:
        return not self.skewed and not self.faults.strikes("unauthorized") and self._tokens.get(token) == kind

    def _stranger(self, request: web.Request) -> web.Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bearer" and self._is_good(token, "wso2"):
            return None
        return web.json_response({"fault": {"code": 900901, "message": "Invalid Credentials"}}, status=401)

    def _error(self, service: str) -> Any:
        codes = self.refused.get(service)
        return codes.pop(0) if codes else None

    # --------------------------------------------------------------------------------------------- who is asked

    async def _population(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.seen.append(("population", body))
        if set(body) != {"accessToken", "lgspAccessToken", "AuthHash", "data"}:
            return web.json_response({"error_code": -1, "message": "Thiếu thông tin xác thực"}, status=401)
        scheme, _, token = body["accessToken"].partition(" ")
        if scheme != "Bearer" or not self._is_good(token, "lgsp") or body["lgspAccessToken"] != self.lgsp:
            return web.json_response({"error_code": -1, "message": "Phiên đã hết hạn"}, status=401)
        if (code := self._error("population")) is not None:
            return web.json_response({"error_code": code, "message": "Lỗi nghiệp vụ: Nguyễn Văn Mẫu"})
        asked = ET.fromstring(body["data"]).find(f"{_SOAP}Body/{_QLDC}TraCuuThongTinCongDan")  # noqa: S314 - our own
        names = [] if asked is None else [each.tag.removeprefix(_QLDC) for each in asked]
        said = {} if asked is None else {each.tag.removeprefix(_QLDC): each.text for each in asked}
        key = {OFFICER: SECRETS["officer"], OTHER: SECRETS["other"]}.get(str(said.get("MaCanBo")), "")
        if not key or body["AuthHash"] != base64.b64encode(key.encode()).decode():
            return web.json_response({"error_code": 403, "message": "Cán bộ không có quyền"}, status=403)
        in_order = names == [name for name in _ORDER if name in names]
        if not in_order or not {"MaYeuCau", "MaDVC", "MaTichHop", "HoVaTen"} <= set(names):
            return web.json_response({"error_code": 1, "message": "Sai cấu trúc: thứ tự phần tử"})
        if said["HoVaTen"] != str(said["HoVaTen"]).upper():
            return web.json_response({"error_code": 1, "message": "Họ tên phải viết hoa"})
        return web.json_response({"error_code": 0, "message": self._people(said)})

    def _people(self, said: Mapping[str, Any]) -> str:
        found = [
            each for each in self.people
            if said.get("SoDinhDanh", said.get("SoCMND")) in (each.get("SoDinhDanh"), each.get("SoCMND"))
        ]  # fmt: skip
        body = ET.Element("CongdanCollection")
        for person in found:
            _write(ET.SubElement(body, "CongDan"), person)
        inner = ET.tostring(body, encoding="unicode")
        return f'<?xml version="1.0"?><Envelope><Body>{inner}</Body></Envelope>'

    async def _insurance(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        body = json.loads(await request.read())
        self.seen.append((request.match_info["name"], body))
        if (code := self._error("insurance")) is not None:
            return web.json_response({"errorCode": code, "message": "Lỗi: Nguyễn Văn Mẫu"})
        if request.match_info["name"] == "getTraCuuTtHgdByMaSoBhxh":
            known = set(body) == {"maSoBhxh"} and body["maSoBhxh"] == "0000000001"
            return web.json_response(self.insured if known else {})
        if request.match_info["name"] == "getMaSoBhxhTheoTieuChi":
            known = body.get("hoTen") == "Nguyễn Văn Mẫu" and body.get("loaiNgaySinh") in {"0", "1", "2"}
            return web.json_response({"maSoBhxh": "0000000001" if known else "", "trangThai": "1", "errorCode": None})
        return web.json_response({}, status=404)

    async def _enterprise(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        name, query = request.match_info["name"], dict(request.query)
        self.seen.append((name, query))
        if name == "chiTietDoanhNghiep":
            known = query.get("msdn") == "0000000000"
            return web.json_response(ENTERPRISE if known else {"DataCount": 0, "Status": "1", "Message": ""})
        if name == "tinhTrangHoSo":
            return web.json_response({
                "IN_JOURNAL_NO": query.get("in_journal_no"), "DOCUMENT_TYPE": "NEW", "PROCESS_STATUS": "2",
                "RECEIPT_DATE": "20/11/2026", "PLAN_DATE": "24/11/2026",
            })  # fmt: skip
        start, end = (datetime.strptime(query[key], "%d/%m/%Y").replace(tzinfo=UTC) for key in ("from_date", "to_date"))
        self.windows.append((query["from_date"], query["to_date"]))
        if end - start >= timedelta(days=5):
            return web.json_response({"Status": "0", "Message": "Khoảng thời gian tối đa 5 ngày"})
        return web.json_response({"Status": "1", "Data": self.listed})

    async def _civil(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        body = json.loads(await request.read())
        self.seen.append((request.match_info["name"], body))
        if (code := self._error("civil-status")) is not None:
            return web.json_response({"state": 0, "code": code, "description": "Lỗi: Nguyễn Văn Mẫu"})
        # The ministry's own places are numbers: an H-code is none.
        if not str(body.get("maDonVi", "0")).isdigit():
            return web.json_response({"state": 0, "code": 106, "description": "AGENCY_ID_INCORRECT"})
        if request.match_info["name"] == "traTrangThaiHoSo":
            return web.json_response({"state": 1, "code": 0, "description": "", "trangThai": 2})
        return web.json_response({"state": 1, "data": [{"id": 123, "so": "12", "quyenSo": "01/2026", "trangSo": "6"}]})

    async def _record(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        body = json.loads(await request.read())
        self.seen.append((request.match_info["name"], body))
        if (code := self._error("criminal-record")) is not None:
            return web.json_response({"STATUS": code, "DESCRIPTION": "Lỗi: Nguyễn Văn Mẫu"})
        return web.json_response({
            "STATUS": 1, "DESCRIPTION": "", "DEC_STATUS_ID": 5, "DEC_STATUS_NAME": "Đã có phiếu",
            "APPROVE_DATE": "20/11/2026", "ISSUE_DATE": "21/11/2026",
        })  # fmt: skip

    async def _transport(self, request: web.Request) -> web.Response:
        query, key = request.query, SECRETS["key"]
        self.seen.append(("danhsachhoso", dict(query)))
        given = (query.get("APIKey"), request.headers.get("ApiKey"), request.headers.get("Authorization"))
        if not query.get("GovAgencyCode"):
            return web.json_response({"error_code": -300})
        if given != (key, key, f"Bearer {key}") or self.faults.strikes("unauthorized"):
            return web.json_response({"error_code": -302})
        if request.headers.get("MaDonVi") != "H33.16":
            return web.json_response({"error_code": -303})
        if (code := self._error("transport")) is not None:
            return web.json_response({"error_code": code})
        self.windows.append((query["ReceiveFromDate"], query["ReceiveToDate"]))
        return web.json_response({"total": len(self.listed), "data": self.listed})

    async def _login(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if body != {"username": "tinh-mau", "password": SECRETS["portal"]}:
            return web.json_response({"error_code": 1, "result": "Sai mật khẩu"})
        return web.json_response({"error_code": 0, "result": "OK", "session": self._issued("session")})

    async def _licence(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.seen.append((str(body.get("service")), body))
        if not self._is_good(str(body.get("session")), "session"):
            return web.json_response({"error_code": 401, "result": "Phiên làm việc hết hạn"})
        if body.get("service") == "TraCuuHoSo":
            if body.get("mahoso") != "GPLX-1":
                return web.json_response({"error_code": 2, "result": None})
            return web.json_response({"error_code": 0, "result": {"MaHoSo": "GPLX-1", "TrangThaiHoSo": 4}})
        if body.get("service") != "LayTaiLieuHoSo":
            return web.json_response({"error_code": 1})
        return web.json_response({
            "error_code": 0, "TepTinDinhKem": [{"Base64": "TWF1", "DuongDan": "/mau.pdf", "TenTaiLieu": "Đơn.pdf"}],
        })  # fmt: skip

    async def _category(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        rows = self.categories.get(request.match_info["category"])
        if rows is None:
            return web.json_response([])
        if self.unquoted:
            return web.Response(text='[{Ma: "01", TenDonVi: "UBND "tỉnh" Mẫu",},]', content_type="application/json")
        return web.json_response(rows)

    async def _insert(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        row = json.loads(await request.read())
        rows = self.categories.setdefault(request.match_info["category"], [])
        first = next(iter(row))
        if any(each.get(first) == row[first] for each in rows):
            # As the guide prints it: the quotes inside are not escaped.
            text = f'{{"MSG":"Data not insert: Record 1: {first} "{row[first]}" is duplicate","Count":0}}'
            return web.Response(text=text, content_type="application/json")
        rows.append(row)
        return web.json_response({"MSG": "Done", "Count": 1})

    async def _complaints(self, request: web.Request) -> web.Response:
        basic = "Basic " + base64.b64encode(f"tinh-mau:{SECRETS['kntc']}".encode()).decode()
        if request.headers.get("Authorization") != basic:
            return web.json_response("{}", status=401)
        form = {name: values[0] for name, values in parse_qs((await request.read()).decode()).items()}
        self.seen.append(("TraDanhMuc", form))
        text = json.dumps([{"Ma": "217", "Ten": "Phú Thọ"}, {"Ma": "101", "Ten": "Hà Nội"}], ensure_ascii=False)
        if self.unquoted:
            text = '[{Ma: "217", Ten: "Phú Thọ",}, {Ma: "101", Ten: "Hà Nội"},]'
        return web.Response(
            text=text if self.once or self.unquoted else json.dumps(text), content_type="application/json"
        )

    async def _land(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.seen.append(("TiepNhanHoSo", body))
        if body.pop("SecurityCode", "") != SECRETS["land"]:
            return _land_said("401", ok=False)
        if (code := self._error("land")) is not None:
            return _land_said(str(code), ok=False)
        number = body.get("SoBienNhan")
        if not number or not body.get("MaHoSoMotCua") or not body.get("ThongTinNguoiNopDon", {}).get("HoTen"):
            return _land_said("400", ok=False)
        self.received.setdefault(str(number), request.headers.get("lgsp-delivery", ""))
        return _land_said("200", ok=True)


def _land_said(code: str, *, ok: bool) -> web.Response:
    status = {"success": ok, "code": code, "type": "", "time": "", "message": "" if ok else "Lỗi: Nguyễn Văn Mẫu"}
    return web.json_response({"data": None, "status": status})


def _write(element: ET.Element, value: Mapping[str, Any]) -> None:
    for name, each in value.items():
        child = ET.SubElement(element, name)
        if isinstance(each, Mapping):
            _write(child, each)
        else:
            child.text = str(each)


ENTERPRISE: Final[Mapping[str, Any]] = {
    "MainInformation": {
        "ENTERPRISE_ID": 1, "ENTERPRISE_GDT_CODE": "0000000000", "IMP_BUSINESS_CODE": None, "ENTERPRISE_TYPE_ID": 2,
        "ENTERPRISE_TYPE_NAME": "Công ty TNHH", "NAME": "CÔNG TY TNHH MẪU", "SHORT_NAME": "MAU CO", "NAME_F": "MAU LTD",
        "FOUNDING_DATE": "01/02/2019", "LAST_AMEND_DATE": "03/04/2025", "NUMBER_CHANGES": "3", "ENTERPRISE_STATUS": "1",
        "LEGAL_NAMES": "Nguyễn Văn Mẫu", "CAPITAL_AMOUNT": "1000000000",
    },
    "HOAdress": {"CityID": "91", "AddressFullText": "Số 1 đường Mẫu"},
    "BusinessActivity": [{"CODE": "4101", "NAME": "Xây dựng nhà để ở", "IS_MAIN": "Y"}],
    "Member": [{"MEMBER_NAME": "Nguyễn Văn Mẫu", "AMOUNT": "600000000", "RATIO_PERCENT": "60", "COUNTRY": "VN"}],
    "DataCount": 1, "Status": "1", "Message": "",
}  # fmt: skip
