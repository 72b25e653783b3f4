"""Money that was moved is never lost and never counted twice, whoever calls how often with what."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from adapters.payment_gateway.adapter import PaymentGateway, open_adapter
from adapters.payment_gateway.checksum import Checksum
from adapters.payment_gateway.notice import charged_of
from adapters.payment_gateway.stand_in import CODE, RECEIPT, SECRET, Bank, agency
from gateway.core.content import InMemory, whole
from gateway.core.dossiers.dossier import Dossier
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

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "onestop"


def a_dossier(status: int = 6, *amounts: int) -> Dossier:
    fees = [{"name": "Lệ phí", "amount": amount} for amount in amounts]
    return Dossier(CODE, CODE, "H33.05", status, None, "1.004199", None, None, None, (), record={"fees": fees})


@dataclass(slots=True)
class Desk:
    bank: Bank
    hands: Hands
    dossier: Dossier | None = None
    adapters: list[PaymentGateway] = field(default_factory=list)
    taken: list[Collected] = field(default_factory=list)
    refusal: NotReceived | Busy | None = None

    @property
    def adapter(self) -> PaymentGateway:
        return self.adapters[0]

    def opened(self, *, without: str = "", **settings: Any) -> PaymentGateway:
        given = {name: value for name, value in {**self.bank.settings, **settings}.items() if name != without}

        async def known(_: str) -> Dossier | None:
            return self.dossier

        self.adapters.append(open_adapter(replace(self.hands.context("payment_gateway", given), dossier=known)))
        return self.adapters[-1]

    def parcel(self, kind: str = "dossier.progressed", attempt: int = 1, **data: Any) -> Parcel:
        parcel = self.bank.fits(a_parcel(self.hands.context("payment_gateway", {}), 1, attempt=attempt))
        return replace(parcel, event={**parcel.event, "type": kind, "data": {**parcel.event["data"], **data}})

    async def take(self, item: Collected) -> Received | NotReceived:
        if isinstance(self.refusal, Busy):
            raise self.refusal
        if self.refusal is not None:
            return self.refusal
        repeated = any(each.origin == item.origin for each in self.taken)
        if not repeated:
            self.taken.append(item)
        return Received(str(item.event["id"]), repeated)

    async def called(self, body: bytes, media: str = "application/json", **of_call: Any) -> Reply:
        call = Call("POST", "", {}, {"content-type": media}, InMemory(body), "127.0.0.1")
        return await self.adapters[-1].answer(replace(call, **of_call), self.take)

    async def told(self, **override: Any) -> Reply:
        """A notice with a good checksum."""
        notice = {
            "MaThongBaoThue": "TB-1", "MaHoSo": CODE, "MaThamChieu": f"{CODE}20261124083000", "SoTien": "15000",
            "ThoiGianThanhToan": "20261124103000", "TrangThaiThanhToan": "0", **override,
        }  # fmt: skip
        notice = {name: value for name, value in notice.items() if value is not None}
        return await self.called(json.dumps(sealed(notice)).encode())


def sealed(notice: dict[str, Any]) -> dict[str, Any]:
    names = ("MaThongBaoThue", "MaHoSo", "MaThamChieu", "SoTien", "ThoiGianThanhToan", "TrangThaiThanhToan")
    text = "|".join(str(notice.get(name, "")) for name in names)
    return {**notice, "MaXacThuc": hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with agency(tmp_path) as bank:
        made = Desk(bank, Hands(tmp_path))
        made.opened()
        yield made
        for each in made.adapters:
            await each.close()


def violations(contract: str, data: Any) -> Any:
    document = json.loads((ROOT / "contracts" / contract / "1.0" / "schema.json").read_text("utf-8"))
    return Schema.compiled(document, contract).violations(data)


# -------------------------------------------------------------------------------------------------------- in


async def test_a_payment_of_what_was_charged_moves_the_dossier_on(desk: Desk) -> None:
    desk.dossier = a_dossier(6, 15_000)
    reply = await desk.told(MaGiaoDich="GD-1")
    (item,) = desk.taken
    receipt = item.event["data"].pop("receipt")
    assert json.loads(reply.body) == {"ERROR_CODE": "1", "message": ""}
    assert item.event["data"] == {
        "dossierCode": CODE, "noticeId": "TB-1", "billId": f"{CODE}20261124083000", "amount": 15_000,
        "paidAt": "2026-11-24T10:30:00+07:00", "outcome": "paid",
        "status": {"code": 4, "at": "2026-11-24T10:30:00+07:00"}, "ext": {"payment_gateway": {"MaGiaoDich": "GD-1"}},
    }  # fmt: skip
    assert receipt["name"] == "bien-lai.pdf"
    assert [whole(file.content) for file in item.files] == [RECEIPT]
    assert item.warnings == ()
    assert violations("payment.notified", {**item.event["data"], "receipt": receipt}) == ()


async def test_a_notice_that_is_told_again_is_answered_ok_and_nothing_is_done_twice(desk: Desk) -> None:
    desk.dossier = a_dossier(6, 15_000)
    for override in ({}, {}, {"SoTien": "16000"}, {"ThoiGianThanhToan": "20261124110000"}):
        assert desk.bank.said_yes(await desk.told(**override))
    assert len(desk.taken) == 1


async def test_a_payment_that_failed_first_is_another_message_than_the_one_that_succeeded(desk: Desk) -> None:
    await desk.told(TrangThaiThanhToan="24")
    await desk.told()
    assert [item.event["data"]["outcome"] for item in desk.taken] == ["failed", "paid"]
    assert desk.taken[0].event["data"]["ext"] == {"payment_gateway": {"TrangThaiThanhToan": "24"}}
    assert len({item.event["id"] for item in desk.taken}) == 2


async def test_an_id_that_a_gateway_uses_for_two_dossiers_is_two_notices(desk: Desk) -> None:
    for code in (CODE, CODE.replace("0001", "0002"), f" {CODE} "):
        assert desk.bank.said_yes(await desk.told(MaHoSo=code))
    assert [item.event["data"]["dossierCode"][-4:] for item in desk.taken] == ["0001", "0002"]


async def test_money_that_does_not_fit_the_bill_is_kept_said_and_moves_nothing(desk: Desk) -> None:
    desk.dossier = a_dossier(6, 15_000, 30_000)
    assert desk.bank.said_yes(await desk.told(SoTien="40000"))
    (item,) = desk.taken
    assert "status" not in item.event["data"]
    assert item.event["data"]["ext"] == {"payment_gateway": {"amountMismatch": {"charged": 45_000}}}
    assert "khác số phải nộp" in item.warnings[0].vi
    assert not any(char.isdigit() for char in item.warnings[0].en)


async def test_a_notice_that_comes_before_its_dossier_is_kept_and_moves_nothing(desk: Desk) -> None:
    assert desk.bank.said_yes(await desk.told())
    (item,) = desk.taken
    assert "status" not in item.event["data"]
    assert item.event["data"]["ext"] == {"payment_gateway": {"dossierUnknown": True}}
    assert len(item.warnings) == 1


async def test_a_payment_ends_a_waiting_of_which_the_bus_hears_later_and_opens_nothing_that_is_over(desk: Desk) -> None:
    for number, status in enumerate((4, 6, 9, 10, 7)):
        desk.dossier = a_dossier(status)
        await desk.told(MaThongBaoThue=f"TB-{number}")
    assert [item.event["data"].get("status", {}).get("code") for item in desk.taken] == [4, 4, None, None, None]


def test_what_may_be_paid_at_once_is_everything_or_the_youngest_charges() -> None:
    assert charged_of(a_dossier(6, 15_000, 2_000_000)) == [2_015_000, 2_000_000]
    assert charged_of(a_dossier(6)) == []
    assert charged_of(None) == []


async def test_a_wrong_checksum_is_refused_in_the_gateways_words_and_nothing_is_taken(desk: Desk) -> None:
    desk.dossier = a_dossier(6, 15_000)
    good = sealed({"MaThongBaoThue": "TB-1", "MaHoSo": CODE, "SoTien": "15000", "TrangThaiThanhToan": "0"})
    for wrong in ("0" * 64, "", None, 5, ["a"], good["MaXacThuc"][:-1], "\ud800"):
        body = json.dumps({**good, "MaXacThuc": wrong}).encode("utf-8", "surrogatepass")
        reply = await desk.called(body)
        assert (reply.status, json.loads(reply.body)["ERROR_CODE"]) in {(401, "-1"), (400, "-1")}
    changed = await desk.called(json.dumps({**good, "SoTien": "1"}).encode())
    assert json.loads(changed.body)["ERROR_CODE"] == "-1"
    assert desk.taken == []


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "sha256", "md5"])
@pytest.mark.parametrize("secret_at", ["start", "end"])
def test_a_checksum_is_computed_as_the_gateways_guide_says(algorithm: str, secret_at: str) -> None:
    settings = {
        "algorithm": algorithm, "fields": ["b", "a", "c"], "secret_file": "f", "separator": "&",
        "secret_at": secret_at,
    }  # fmt: skip
    said = {"a": "1", "b": 2, "c": None}
    text = {"start": "S&2&1&", "end": "2&1&&S"}[secret_at]
    right = {
        "hmac-sha256": hmac.new(b"S", b"2&1&", hashlib.sha256).hexdigest(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "md5": hashlib.md5(text.encode()).hexdigest(),  # noqa: S324 - some gateways know no other
    }[algorithm]
    checksum = Checksum(settings, lambda _: b"S\n")
    assert checksum.fits(said, right.upper())
    assert not checksum.fits({**said, "a": "2"}, right)
    assert Checksum({**settings, "letters": "upper", "request_fields": ["b", "a", "c"]}, lambda _: b"S").of(
        said
    ) == right.upper()  # fmt: skip


async def test_money_that_is_given_back_is_a_refund_of_the_notice_that_is_named(desk: Desk) -> None:
    await desk.told(MaThongBaoThue="HT-1", TrangThaiThanhToan="9", MaGoc="TB-1", LyDoHoan="Nộp thừa")
    (item,) = desk.taken
    assert item.event["type"] == "payment.refunded"
    assert item.event["data"] == {
        "dossierCode": CODE, "noticeId": "HT-1", "refundOf": "TB-1", "amount": 15_000,
        "refundedAt": "2026-11-24T10:30:00+07:00", "reason": "Nộp thừa",
    }  # fmt: skip
    assert violations("payment.refunded", item.event["data"]) == ()


async def test_a_refund_that_names_no_notice_is_of_the_notice_with_its_own_id(desk: Desk) -> None:
    await desk.told()
    await desk.told(TrangThaiThanhToan="9")
    assert [item.event["type"] for item in desk.taken] == ["payment.notified", "payment.refunded"]
    assert desk.taken[1].event["data"]["refundOf"] == "TB-1"


@pytest.mark.parametrize(
    ("told", "meant"), [("15000", 15_000), (15_000, 15_000), (15_000.0, 15_000), ("1.500.000", 1_500_000)]
)
async def test_an_amount_is_whole_vnd_however_it_is_written(desk: Desk, told: Any, meant: int) -> None:
    adapter = desk.opened(without="checksum", callers=["127.0.0.1"])
    assert adapter.gate is not None
    await desk.told(SoTien=told)
    (item,) = desk.taken
    assert item.event["data"]["amount"] == meant


@pytest.mark.parametrize(
    "override",
    [
        {"SoTien": "15,5"}, {"SoTien": None}, {"SoTien": "-1"}, {"MaThongBaoThue": ""}, {"MaThongBaoThue": None},
        {"TrangThaiThanhToan": None}, {"MaHoSo": None, "MaThamChieu": None}, {"MaHoSo": "", "MaThamChieu": "x"},
    ],
)  # fmt: skip
async def test_a_notice_without_what_makes_it_one_is_answered_in_words(desk: Desk, override: dict[str, Any]) -> None:
    reply = await desk.told(**override)
    assert reply.status == 400
    assert json.loads(reply.body)["ERROR_CODE"] == "-1"
    assert "Cổng thanh toán" in json.loads(reply.body)["message"]
    assert desk.taken == []


async def test_a_dossier_that_is_not_named_is_found_in_the_reference_or_in_the_address(desk: Desk) -> None:
    await desk.told(MaHoSo=None)
    desk.opened(callers=["127.0.0.1"])
    notice = sealed({"MaThongBaoThue": "TB-2", "SoTien": 1, "TrangThaiThanhToan": 0})
    await desk.called(json.dumps(notice).encode(), path=f"ho-so/{CODE}")
    assert [item.event["data"]["dossierCode"] for item in desk.taken] == [CODE, CODE]
    assert "thời điểm" in desk.taken[1].warnings[0].vi


async def test_a_notice_may_come_as_json_as_a_form_or_in_the_address(desk: Desk) -> None:
    notice = sealed({"MaThongBaoThue": "TB-1", "MaHoSo": CODE, "SoTien": "1", "TrangThaiThanhToan": "0"})
    form = "&".join(f"{name}={value}" for name, value in notice.items()).encode()
    assert desk.bank.said_yes(await desk.called(form, "application/x-www-form-urlencoded; charset=utf-8"))
    assert desk.bank.said_yes(await desk.called(b"", method="GET", query=notice))
    assert len(desk.taken) == 1
    twice = form + b"&SoTien=2"
    assert not desk.bank.said_yes(await desk.called(twice, "application/x-www-form-urlencoded"))


@pytest.mark.parametrize("body", [b"rubbish", b"[]", b'{"a": 1, "a": 2}', b'"' + b"x" * 300_000 + b'"', b"<xml/>"])
async def test_rubbish_gets_an_answer(desk: Desk, body: bytes) -> None:
    reply = await desk.called(body)
    assert (reply.status, json.loads(reply.body)["ERROR_CODE"]) == (400, "-1")
    assert not desk.bank.said_yes(await desk.called(body, "application/x-www-form-urlencoded"))


async def test_a_refusal_of_the_bus_and_a_bus_that_is_busy_are_never_a_yes(desk: Desk) -> None:
    desk.refusal = NotReceived("no-agreement", Text("Cần thoả thuận.", "An agreement is needed."))
    no = await desk.told()
    desk.refusal = Busy("overloaded", Text("Bận.", "Busy."), retry_after=7)
    later = await desk.told()
    assert (no.status, later.status, later.fields["Retry-After"]) == (422, 503, "7")
    assert not desk.bank.said_yes(no)
    assert not desk.bank.said_yes(later)


@pytest.mark.parametrize("fault", ["missing", "slow", "unauthorized", "down", "words"])
async def test_a_receipt_that_cannot_be_had_in_time_is_left_out_and_the_notice_does_not_wait(
    desk: Desk, fault: str
) -> None:
    desk.opened(receipt_seconds=0.1)
    if fault == "down":
        await desk.bank.go_down()
    else:
        setattr(desk.bank.faults, fault, 0.5 if fault == "slow" else 1)
    assert desk.bank.said_yes(await desk.told())
    (item,) = desk.taken
    assert "receipt" not in item.event["data"]
    assert any("biên lai" in warning.vi for warning in item.warnings)


async def test_a_gateway_with_its_own_words_is_answered_in_them(desk: Desk) -> None:
    desk.opened(answer_member="RspCode", answer_ok="00", answer_error="97", message_member="Message")
    assert json.loads((await desk.told()).body) == {"RspCode": "00", "Message": ""}
    assert json.loads((await desk.called(b"rubbish")).body)["RspCode"] == "97"


async def test_strangers_are_kept_out_by_address_besides(desk: Desk) -> None:
    adapter = desk.opened(callers=["10.0.0.0/8"])
    assert (await desk.told()).status == 401
    assert adapter.gate is not None
    assert (await desk.called(b"", method="DELETE", address="10.1.1.1")).status == 405
    assert desk.taken == []


def test_a_door_that_proves_nobody_is_refused_at_opening(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="checksum"):
        open_adapter(Hands(tmp_path).context("payment_gateway", {}))
    with pytest.raises(Misconfigured, match="url"):
        open_adapter(Hands(tmp_path).context("payment_gateway", {"callers": ["127.0.0.1"], "start": True}))


async def test_what_a_checksum_does_not_cover_tells_no_dossier_where_it_alone_proves_the_notice(desk: Desk) -> None:
    names = ["MaThongBaoThue", "MaThamChieu", "SoTien", "TrangThaiThanhToan"]
    desk.opened(checksum={**desk.bank.settings["checksum"], "fields": names}, get_bill=False)
    notice = {"MaThongBaoThue": "TB-1", "MaThamChieu": "", "SoTien": "15000", "TrangThaiThanhToan": "0"}

    async def replayed(path: str = "", **members: str) -> Reply:
        text = "|".join(({**notice, **members})[name] for name in names)
        proof = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        return await desk.called(json.dumps({**notice, **members, "MaXacThuc": proof}).encode(), path=path)

    # A payer who saw a good notice pass tells it again, of another dossier.
    assert (await replayed(f"ho-so/{CODE}")).status == 400
    assert (await replayed(MaHoSo=CODE)).status == 400
    assert desk.taken == []
    other = "H33.05-261123-0999"
    assert desk.bank.said_yes(await replayed(f"ho-so/{other}", MaHoSo=other, MaThamChieu=f"{CODE}20261124083000"))
    assert desk.taken[0].event["data"]["dossierCode"] == CODE


@pytest.mark.parametrize("missing", ["MaThongBaoThue", "SoTien", "TrangThaiThanhToan", "MaHoSo"])
def test_a_checksum_that_leaves_open_what_a_notice_is_about_guards_no_door_alone(tmp_path: Path, missing: str) -> None:
    names = [name for name in ("MaThongBaoThue", "SoTien", "TrangThaiThanhToan", "MaHoSo") if name != missing]
    settings = {"checksum": {"algorithm": "hmac-sha256", "fields": names, "secret_file": "s"}}
    with pytest.raises(Misconfigured, match=missing):
        open_adapter(Hands(tmp_path).context("payment_gateway", settings))
    open_adapter(Hands(tmp_path).context("payment_gateway", {**settings, "callers": ["127.0.0.1"]}))


_ALL = ["MaThongBaoThue", "MaHoSo", "SoTien", "TrangThaiThanhToan"]


def test_a_checksum_without_a_separator_guards_no_door_alone(tmp_path: Path) -> None:
    """Of 1 and 23 it is what it is of 12 and 3."""
    checksum = {"algorithm": "hmac-sha256", "fields": _ALL, "secret_file": "s", "separator": ""}
    with pytest.raises(Misconfigured, match="separator"):
        open_adapter(Hands(tmp_path).context("payment_gateway", {"checksum": checksum}))
    settings = {"checksum": checksum, "callers": ["127.0.0.1"]}
    open_adapter(Hands(tmp_path).context("payment_gateway", settings))


@pytest.mark.parametrize(("more", "told"), [([], 1), (["ThoiGianThanhToan"], 0)])
def test_that_a_date_of_payment_is_anybodys_word_is_told_at_opening(tmp_path: Path, more: list[str], told: int) -> None:
    checksum = {"algorithm": "hmac-sha256", "fields": [*_ALL, *more], "secret_file": "s"}
    with capture_logs() as logs:
        open_adapter(Hands(tmp_path).context("payment_gateway", {"checksum": checksum}))
    assert [each["event"] for each in logs] == ["payment.date-unproven"] * told


# ------------------------------------------------------------------------------------------------------- out


async def test_what_is_to_be_paid_starts_a_payment_once_whatever_is_lost_on_the_way(desk: Desk) -> None:
    desk.bank.faults.lost = 1
    with pytest.raises(TimedOut):
        await desk.adapter.deliver(desk.parcel())
    handed = await desk.adapter.deliver(desk.parcel(attempt=2))
    (started,) = desk.bank.started.values()
    assert started.times == 2
    assert handed.reference == started.body["MaThamChieu"]


async def test_progress_that_charges_nothing_is_none_of_its_business(desk: Desk) -> None:
    data: dict[str, Any]
    for data in ({"status": {"code": 4}}, {"charges": {"fees": []}}, {"charges": {"fees": [{"amount": 0}]}}):
        handed = await desk.adapter.deliver(desk.parcel(**data))
        assert handed.reference is not None
    handed = await desk.opened(start=False).deliver(desk.parcel())
    assert "start is off" in str(handed.reference)
    assert desk.bank.counter.asked == []


async def test_a_start_that_takes_too_long_or_is_refused_is_tried_again(desk: Desk) -> None:
    adapter = desk.opened(timeout=0.1)
    desk.bank.faults.slow = 0.5
    with pytest.raises(TimedOut):
        await adapter.deliver(desk.parcel())
    desk.bank.faults.slow = 0
    desk.bank.faults.refusal = ["99"]
    with pytest.raises(TransientFailure, match="99"):
        await adapter.deliver(desk.parcel())
    desk.bank.faults.unauthorized = 1
    with pytest.raises(DestinationGone):
        await adapter.deliver(desk.parcel())


async def test_a_refund_goes_out_in_the_form_of_the_gateways_own_notices(desk: Desk) -> None:
    data = {
        "dossierCode": CODE, "noticeId": "HT-1", "refundOf": "TB-1", "amount": 15_000,
        "refundedAt": "2026-11-24T10:30:00+07:00", "reason": "Nộp thừa",
    }  # fmt: skip
    parcel = desk.parcel("payment.refunded")
    parcel = replace(parcel, event={**parcel.event, "data": data})
    await desk.adapter.deliver(parcel)
    (said,) = desk.bank.refunds
    assert said.pop("MaXacThuc")
    assert said == {
        "MaHoSo": CODE, "MaThongBaoThue": "HT-1", "SoTien": "15000", "ThoiGianThanhToan": "20261124103000",
        "TrangThaiThanhToan": "9", "MaGoc": "TB-1", "LyDoHoan": "Nộp thừa",
    }  # fmt: skip
    for missing in ("refund_path", "refund_statuses"):
        with pytest.raises(PermanentFailure, match=missing):
            await desk.opened(without=missing).deliver(parcel)


# ---------------------------------------------------------------------------------------------------- golden


async def test_the_start_of_a_payment_is_what_was_written_by_hand(desk: Desk) -> None:
    case = json.loads((VECTORS / "payment_start.json").read_text("utf-8"))
    adapter = desk.opened(transaction_text=case["wire"]["ThongTinGiaoDich"])
    await adapter.deliver(desk.parcel(**case["data"]))
    (started,) = desk.bank.started.values()
    assert started.body.pop("MaXacThuc")
    assert started.body == {name: value for name, value in case["wire"].items() if name != "MaXacThuc"}
    assert list(started.body)[:4] == list(case["wire"])[:4]


async def test_a_voucher_is_what_was_written_by_hand(desk: Desk) -> None:
    case = json.loads((VECTORS / "payment_voucher.json").read_text("utf-8"))
    code = case["data"]["dossierCode"]
    desk.dossier = replace(a_dossier(case["given"]["record"]["status"]["code"]), code=code, written=code)
    desk.opened(get_bill=False, callers=["127.0.0.1"])
    assert desk.bank.said_yes(await desk.called(json.dumps(sealed(case["wire"])).encode(), path=f"ho-so/{code}"))
    (item,) = desk.taken
    assert item.event["data"].pop("ext") == {"payment_gateway": {name: case["wire"][name] for name in case["kept"]}}
    assert item.event["data"] == case["data"]
