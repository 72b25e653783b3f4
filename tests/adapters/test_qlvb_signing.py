"""Drafts go to be signed once, with their files, and every outcome comes back once, whoever calls how often."""

from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio

from adapters.qlvb_signing.adapter import QlvbSigning, open_adapter
from adapters.qlvb_signing.result import NO_REASON
from adapters.qlvb_signing.stand_in import CALLER, CODE, System, agency
from gateway.core.content import InMemory, whole
from gateway.core.faults import (
    Busy,
    DestinationGone,
    Misconfigured,
    PermanentFailure,
    Text,
    TimedOut,
    TransientFailure,
)
from gateway.core.schema import Schema
from gateway.ports import Call, Collected, NotReceived, Parcel, Received, Reply
from tests.adapters.fitting import Hands, a_parcel

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
ADAPTERS = CONTRACTS.parent / "adapters"
PDF = b"%PDF-1.7 signed, as far as anybody here knows"


def a_file(name: str, content: bytes, media: str = "application/pdf") -> dict[str, Any]:
    return {"name": name, "mediaType": media, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@dataclass(slots=True)
class Desk:
    system: System
    hands: Hands
    adapters: list[QlvbSigning] = field(default_factory=list)
    #: What the bus took, and what it answers instead of taking.
    taken: list[Collected] = field(default_factory=list)
    refusal: NotReceived | Busy | None = None

    @property
    def adapter(self) -> QlvbSigning:
        return self.adapters[0]

    def opened(self, *, without: str = "", **settings: Any) -> QlvbSigning:
        given = {name: value for name, value in {**self.system.settings, **settings}.items() if name != without}
        context = replace(
            self.hands.context("qlvb_signing", given),
            link=lambda sha256, name: f"https://lgsp.example/files/{sha256[:8]}/{name}",
        )
        self.adapters.append(open_adapter(context))
        return self.adapters[-1]

    def draft(self, request: str = "TK-1", attempt: int = 1, **data: Any) -> Parcel:
        context = self.hands.context("qlvb_signing", self.system.settings)
        parcel = self.system.fits(a_parcel(context, request, attempt=attempt))
        said = {**parcel.event["data"], "requestId": request, **data}
        return replace(parcel, event={**parcel.event, "data": said})

    async def take(self, item: Collected) -> Received | NotReceived:
        if isinstance(self.refusal, Busy):
            raise self.refusal
        if self.refusal is not None:
            return self.refusal
        repeated = any(each.origin == item.origin for each in self.taken)
        if not repeated:
            self.taken.append(item)
        return Received(str(item.event["id"]), repeated)

    async def called(self, body: Any, path: str = "", adapter: QlvbSigning | None = None) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        call = Call("POST", path, {}, {"authorization": f"Bearer {CALLER}"}, InMemory(raw), "127.0.0.1")
        return await (adapter or self.adapter).answer(call, self.take)


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with agency(tmp_path) as system:
        made = Desk(system, Hands(tmp_path))
        made.opened()
        yield made
        for each in made.adapters:
            await each.close()


def violations(contract: str, data: Any) -> Any:
    schema = Schema.compiled(json.loads((CONTRACTS / contract / "1.0" / "schema.json").read_text("utf-8")), contract)
    return schema.violations(data)


def an_outcome(code: str = "01", **override: Any) -> dict[str, Any]:
    document = {
        "TrichYeu": "Về việc mẫu", "LoaiVanBan": "Quyết định", "NgayBanHanh": "23/11/2026", "NgayKy": "22/11/2026",
        "NguoiKy": "Nguyễn Văn Mẫu", "ChucVu": "Giám đốc", "NguoiSoan": "Nguyễn Văn Mẫu", "SoKyHieu": "12/QĐ-STC",
        "DinhKem": [{"Ten": "qd.pdf", "Base64": base64.b64encode(PDF).decode()}],
    }  # fmt: skip
    return {"LoaiKetQua": code, "IDHoSo": "TK-1", "MaHoSo": CODE, "VanBanDi": document, **override}


# ------------------------------------------------------------------------------------------------------- out

FULL: dict[str, Any] = {
    "procedure": {"code": "1.004199", "name": "Cấp đổi"},
    "draft": {"abstract": "Dự thảo quyết định", "documentType": "Quyết định", "createdAt": "2026-11-23T01:00:00Z",
              "attachments": [{"name": "du-thao.docx", "file": a_file("du-thao.docx", b"draft" * 1000)}]},
    "draftId": "DT-9", "isLinked": True, "linkedKind": "1", "newDueAt": "2026-12-01T17:00:00+07:00",
    "documentNumber": "…/QĐ-STC", "signerName": "Nguyễn Văn Mẫu", "dueAt": "2026-11-30T17:00:00+07:00",
    "applicant": {"name": "Nguyễn Văn Mẫu", "identity": "001090000001", "phone": "0900000000", "address": "Số 1"},
    "submitter": {"name": "Nguyễn Văn Mẫu"},
    "signer": {"name": "Nguyễn Văn Mẫu", "account": "mau.nv", "id": "7"}, "presenter": {"name": "Nguyễn Văn Mẫu"},
    "unit": {"name": "Sở Tài chính", "code": "H33.05"},
    "papers": [{"name": "Đơn", "file": a_file("don.pdf", PDF)}, {"name": "Ảnh", "link": "https://example.vn/anh"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "told"),
    [({}, "https://lgsp.example/in/H33.16/dms"), ({"callback_url": "https://a.example/x"}, "https://a.example/x")],
)
async def test_the_software_is_told_to_call_back_at_its_own_door_unless_another_address_is_set(
    desk: Desk, settings: dict[str, str], told: str
) -> None:
    context = desk.hands.context("qlvb_signing", {**desk.system.settings, **settings})
    adapter = open_adapter(replace(context, door="https://lgsp.example/in/H33.16/dms/"))
    await adapter.deliver(desk.draft(**FULL | {"draft": {"abstract": "x", "attachments": []}, "papers": []}))
    await adapter.close()
    assert desk.system.drafts["TK-1"].body["HccLinkAPI"] == told


async def test_a_draft_goes_out_in_the_words_of_gui_ho_so_with_its_files(desk: Desk) -> None:
    desk.hands.files[hashlib.sha256(b"draft" * 1000).hexdigest()] = b"draft" * 1000
    adapter = desk.opened(callback_url="https://lgsp.example/in/H33.16/dms")
    parcel = desk.draft(**FULL)
    assert violations("signing.requested", parcel.event["data"]) == ()
    handed = await adapter.deliver(parcel)
    assert handed.reference == "VB-TK-1"
    body = desk.system.drafts["TK-1"].body
    hidden = {"LaHoSoLienThong": True, "DuThao": True, "DuThaoId": "DT-9", "NgayHenTraMoi": "20261201170000"}
    assert json.loads(body.pop("ThamSoAn")) == hidden
    person = {"Ten": "Nguyễn Văn Mẫu"}
    assert body == {
        "IDHoSo": "TK-1", "MaHoSo": CODE, "TenHoSo": "Hồ sơ mẫu", "ThuTuc": "Cấp đổi",
        "HccLinkAPI": "https://lgsp.example/in/H33.16/dms", "LoaiHSLienthong": "1", "SoKyHieuVanBan": "…/QĐ-STC",
        "NguoiKyVanBan": "Nguyễn Văn Mẫu", "HanXuLyVanBan": "20261130170000",
        "ChuHoSo": {**person, "CMND": "001090000001", "SoDienThoai": "0900000000", "DiaChi": "Số 1"},
        "NguoiNop": person, "NguoiKy": {**person, "TaiKhoan": "mau.nv", "Id": "7"}, "NguoiTrinhKy": person,
        "DonVi": {"Ten": "Sở Tài chính", "MaDinhDanh": "H33.05"},
        "VanBanDuThao": {
            "TrichYeu": "Dự thảo quyết định", "LoaiVanBan": "Quyết định", "NgayTao": "20261123080000",
            "DinhKem": [
                {"Ten": "du-thao.docx", "Base64": base64.b64encode(b"draft" * 1000).decode(), "Link": ""}
            ],
        },
        "ThanhPhanHoSo": [
            {"Ten": "Đơn", "Base64": "",
             "Link": f"https://lgsp.example/files/{hashlib.sha256(PDF).hexdigest()[:8]}/Đơn"},
            {"Ten": "Ảnh", "Base64": "", "Link": "https://example.vn/anh"},
        ],
    }  # fmt: skip


async def test_files_go_as_addresses_where_the_far_side_fetches_them(desk: Desk) -> None:
    adapter = desk.opened(files="link")
    await adapter.deliver(desk.draft(draft=FULL["draft"]))
    (line,) = desk.system.drafts["TK-1"].body["VanBanDuThao"]["DinhKem"]
    assert line["Base64"] == ""
    assert line["Link"].endswith("/du-thao.docx")


async def test_the_dossiers_code_may_stand_in_the_abstract_so_that_people_can_match_by_eye(desk: Desk) -> None:
    await desk.opened(code_in_abstract=True).deliver(desk.draft())
    assert desk.system.drafts["TK-1"].body["VanBanDuThao"]["TrichYeu"].endswith(f" ({CODE})")


async def test_the_address_to_call_back_may_name_dossier_and_request(desk: Desk) -> None:
    adapter = desk.opened(callback_url="https://lgsp.example/in/H33.16/dms/", callback_names_dossier=True)
    await adapter.deliver(desk.draft("TK/1"))
    link = desk.system.drafts["TK/1"].body["HccLinkAPI"]
    assert link == f"https://lgsp.example/in/H33.16/dms/ho-so/{CODE}/TK%2F1"


async def test_a_large_file_goes_through_little_memory(desk: Desk) -> None:
    class Endless:
        """Thirty-two mebibytes that lie nowhere."""

        left = 32 << 20

        def read(self, size: int) -> bytes:
            given = min(size, self.left)
            self.left -= given
            return b"\x00" * given

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...

    class Counting:
        size = 0

        def write(self, piece: bytes) -> None:
            self.size += len(piece)

        def done(self) -> Any:
            return self

    from adapters.qlvb_signing.request import Means, Requests

    sink = Counting()
    means = Means(lambda _: Endless(), lambda _, name: name, False, 64 << 20, lambda: sink)  # type: ignore[arg-type, return-value]
    file = {"name": "a.pdf", "mediaType": "application/pdf", "size": 32 << 20, "sha256": "0" * 64}
    data = {**desk.draft().event["data"], "draft": {"abstract": "…", "attachments": [{"name": "a", "file": file}]}}
    tracemalloc.start()
    Requests(ADAPTERS / "qlvb_signing", "gui-ho-so", means, code_in_abstract=False).body(data, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sink.size > (32 << 20) * 4 // 3
    assert peak < 8 << 20


async def test_a_file_that_is_not_held_is_waited_for_and_too_many_bytes_never_go(desk: Desk) -> None:
    with pytest.raises(TransientFailure, match="spool"):
        await desk.adapter.deliver(desk.draft("TK-2", draft=FULL["draft"]))
    huge = {"abstract": "…", "attachments": [{"name": "a", "file": {**a_file("a", b""), "size": 65 << 20}}]}
    with pytest.raises(PermanentFailure, match="over"):
        await desk.adapter.deliver(desk.draft("TK-3", draft=huge))


async def test_the_variant_of_hau_giang_has_its_own_keys_and_body(desk: Desk) -> None:
    desk.hands.files[hashlib.sha256(PDF).hexdigest()] = PDF
    (desk.hands.folder / "keys" / "hg").write_text("khoa-hg\n")
    adapter = desk.opened(
        without="token_file", variant="hau-giang", path="/x", lgsp_token_file="keys/hg",
        authentication_token_file="keys/hg",
    )  # fmt: skip
    seen: list[tuple[dict[str, str], dict[str, Any]]] = []

    async def ask(method: str, path: str, *, fields: dict[str, str], body: Any) -> Any:
        seen.append((fields, json.loads(whole(body))))
        raise TimedOut("…")

    adapter._caller.ask = ask  # type: ignore[method-assign, assignment]
    with pytest.raises(TimedOut):
        await adapter.deliver(
            desk.draft(draft={"abstract": "Về việc", "attachments": [{"name": "a.pdf", "file": a_file("a.pdf", PDF)}]})
        )
    ((fields, body),) = seen
    assert (fields["lgspaccesstoken"], fields["X-Authentication-Token"]) == ("khoa-hg", "khoa-hg")
    file = {"size": len(PDF), "fileName": "a.pdf", "fileByte": base64.b64encode(PDF).decode()}
    assert body == {"trichYeu": "Về việc", "maHoSo": CODE, "files": [file]}


def test_a_variant_whose_path_nobody_knows_needs_one(tmp_path: Path) -> None:
    settings = {"url": "http://127.0.0.1:9", "variant": "hau-giang", "callers": ["127.0.0.1"]}
    with pytest.raises(Misconfigured, match="path"):
        open_adapter(Hands(tmp_path).context("qlvb_signing", settings))


def test_a_door_that_proves_nobody_is_refused_at_opening(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="callers"):
        open_adapter(Hands(tmp_path).context("qlvb_signing", {"url": "http://127.0.0.1:9"}))


async def test_an_error_in_the_body_is_no_success_whatever_the_status_says(desk: Desk) -> None:
    desk.system.faults.refusal = ["500", "TRUNG", "LOI: Nguyễn Văn Mẫu", "13"]
    with pytest.raises(TransientFailure, match="500"):
        await desk.adapter.deliver(desk.draft())
    knowing = desk.opened(known_codes=["TRUNG"], final_codes=["13"])
    assert (await knowing.deliver(desk.draft())).reference == "it was there already"
    with pytest.raises(TransientFailure) as failure:
        await knowing.deliver(desk.draft())
    assert "Mẫu" not in str(failure.value)
    with pytest.raises(PermanentFailure, match="13"):
        await knowing.deliver(desk.draft())
    assert desk.system.drafts == {}


async def test_an_answer_that_says_nothing_is_no_success(desk: Desk) -> None:
    desk.system.faults.missing = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.draft())
    desk.system.faults.pages = desk.system.faults.words = 1
    for _ in range(2):
        with pytest.raises(TransientFailure):
            await desk.adapter.deliver(desk.draft())


async def test_a_token_that_is_refused_stops_the_queue(desk: Desk) -> None:
    desk.system.faults.unauthorized = 1
    with pytest.raises(DestinationGone):
        await desk.adapter.deliver(desk.draft())


async def test_a_lost_answer_is_repeated_under_the_same_id_which_the_far_side_knows(desk: Desk) -> None:
    desk.system.faults.lost = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.draft())
    await desk.adapter.deliver(desk.draft(attempt=2))
    assert [draft.times for draft in desk.system.drafts.values()] == [2]


# -------------------------------------------------------------------------------------------------------- in


async def test_an_issued_document_comes_back_with_its_signed_file(desk: Desk) -> None:
    reply = await desk.called(an_outcome(NguonGui="phan-mem-a"))
    (item,) = desk.taken
    assert desk.system.said_yes(reply)
    assert json.loads(reply.body)["data"] == item.event["id"]
    at = item.event["data"].pop("at")
    assert item.event["data"] == {
        "dossierCode": CODE, "requestId": "TK-1", "outcome": "issued",
        "document": {
            "abstract": "Về việc mẫu", "documentType": "Quyết định", "issuedOn": "2026-11-23",
            "signedOn": "2026-11-22", "signer": "Nguyễn Văn Mẫu", "position": "Giám đốc", "author": "Nguyễn Văn Mẫu",
            "number": "12/QĐ-STC", "attachments": [{"name": "qd.pdf", "file": a_file("qd.pdf", PDF)}],
        },
        "ext": {"qlvb_signing": {"NguonGui": "phan-mem-a"}},
    }  # fmt: skip
    assert [whole(file.content) for file in item.files] == [PDF]
    assert (item.event["subject"], item.event["purpose"]) == (CODE, "giai-quyet-tthc")
    assert violations("signing.completed", {**item.event["data"], "at": at}) == ()


async def test_a_large_signed_file_comes_in_whole(desk: Desk) -> None:
    large = PDF * 20_000
    body = an_outcome()
    body["VanBanDi"]["DinhKem"] = [{"Ten": "to.pdf", "Base64": base64.b64encode(large).decode()}]
    assert desk.system.said_yes(await desk.called({**body, "La": "A" * 100_000}))
    (item,) = desk.taken
    assert [file.sha256 for file in item.files] == [hashlib.sha256(large).hexdigest()]
    assert "ext" not in item.event["data"]


@pytest.mark.parametrize(
    ("code", "outcome"), [("02", "signed"), ("03", "rejected"), ("04", "trace"), (2, "signed"), ("1", "issued")]
)
async def test_every_kind_of_outcome_is_understood(desk: Desk, code: Any, outcome: str) -> None:
    await desk.called(an_outcome(code))
    (item,) = desk.taken
    assert item.event["data"]["outcome"] == outcome
    assert violations("signing.completed", item.event["data"]) == ()


async def test_a_rejection_has_a_reason_or_says_that_none_was_given(desk: Desk) -> None:
    await desk.called(an_outcome("03", LyDo="Sai thể thức"))
    await desk.called(an_outcome("03", IDHoSo="TK-2", LyDo=" "))
    assert [item.event["data"]["reason"] for item in desk.taken] == ["Sai thể thức", NO_REASON]


async def test_a_state_is_a_trace_of_the_dossier_that_it_names(desk: Desk) -> None:
    reply = await desk.called({"MaVanBan": CODE, "TrangThai": "Đang trình"}, "CapNhatTrangThaiVanBan")
    assert desk.system.said_yes(reply)
    (item,) = desk.taken
    assert {**item.event["data"], "at": ""} == {
        "dossierCode": CODE, "outcome": "trace", "state": "Đang trình", "at": "",
        "ext": {"qlvb_signing": {"MaVanBan": CODE}},
    }  # fmt: skip


async def test_an_answer_that_names_nobody_is_understood_by_the_address_or_by_the_abstract(desk: Desk) -> None:
    bare = {name: value for name, value in an_outcome().items() if name not in {"IDHoSo", "MaHoSo"}}
    await desk.called(bare, f"ho-so/{CODE}/TK%2F1")
    await desk.called({**bare, "VanBanDi": {**bare["VanBanDi"], "TrichYeu": f"Về việc (mẫu) ({CODE})"}})
    adapter = desk.opened(trace_names="request")
    await desk.called({"MaVanBan": "TK/1", "TrangThai": "x"}, f"ho-so/{CODE}/TK%2F1/CapNhatTrangThaiVanBan", adapter)
    assert [item.event["data"]["dossierCode"] for item in desk.taken] == [CODE] * 3
    assert [item.event["data"].get("requestId") for item in desk.taken] == ["TK/1", None, "TK/1"]


async def test_names_that_only_one_software_knows_are_settings(desk: Desk) -> None:
    adapter = desk.opened(request_member="id_yeu_cau", dossier_member="so_ho_so", reason_member="ghi_chu")
    body = {"LoaiKetQua": "03", "id_yeu_cau": 7, "so_ho_so": CODE, "ghi_chu": "Sai", "VanBanDi": {}}
    assert desk.system.said_yes(await desk.called(body, "", adapter))
    (item,) = desk.taken
    assert (item.event["data"]["requestId"], item.event["data"]["reason"]) == ("7", "Sai")
    assert "ext" not in item.event["data"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"rubbish", b"[]", b'{"LoaiKetQua": "01"}', an_outcome("05"), an_outcome(MaHoSo=None),
        an_outcome(VanBanDi={"DinhKem": []}), an_outcome(VanBanDi={"DinhKem": [{"Ten": "a", "Base64": ""}]}),
        an_outcome(VanBanDi={"DinhKem": [{"Ten": "a", "Base64": "*"}]}), an_outcome(MaHoSo={"a": 1}),
        an_outcome(VanBanDi={"DinhKem": [{"Ten": "a", "Base64": "AA=="}] * 101}), {"MaVanBan": "", "TrangThai": "x"},
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_answered_in_the_frame_of_the_far_side(desk: Desk, body: Any) -> None:
    reply = await desk.called(body)
    told = json.loads(reply.body)
    assert reply.status == 400
    assert told["data"] is None
    assert told["error"]["userMessage"] != told["error"]["internalMessage"]
    assert not desk.system.said_yes(reply)
    assert desk.taken == []


async def test_called_twice_or_out_of_order_it_is_the_same_message_each_time(desk: Desk) -> None:
    outcomes = [an_outcome(code) for code in ("04", "02", "01")]
    for body in [*outcomes, *reversed(outcomes), {**outcomes[2], "ThoiGianGui": "sau"}]:
        assert desk.system.said_yes(await desk.called(body))
    assert [item.event["data"]["outcome"] for item in desk.taken] == ["trace", "signed", "issued"]


async def test_a_refusal_of_the_bus_and_a_bus_that_is_busy_are_never_a_yes(desk: Desk) -> None:
    desk.refusal = NotReceived("no-agreement", Text("Cần thoả thuận.", "An agreement is needed."))
    no = await desk.called(an_outcome())
    desk.refusal = Busy("overloaded", Text("Bận.", "Busy."), retry_after=7)
    later = await desk.called(an_outcome())
    assert (no.status, later.status, later.fields["Retry-After"]) == (422, 503, "7")
    assert not desk.system.said_yes(no)
    assert not desk.system.said_yes(later)
    assert "thoả thuận" in json.loads(no.body)["error"]["userMessage"]


async def test_strangers_and_other_methods_bring_nothing(desk: Desk) -> None:
    call = Call("POST", "", {}, {"authorization": "Bearer x"}, InMemory(json.dumps(an_outcome()).encode()), "127.0.0.1")
    assert (await desk.adapter.answer(call, desk.take)).status == 401
    sound = replace(call, method="GET", fields={"authorization": f"Bearer {CALLER}"})
    assert (await desk.adapter.answer(sound, desk.take)).status == 405
    assert desk.taken == []
