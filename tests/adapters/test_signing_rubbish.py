"""Whatever is thrown at the doors of a signer and of a bank, and whatever the post lists, gets an answer in words."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.payment_gateway import adapter as payment
from adapters.qlvb_signing import adapter as qlvb
from adapters.vnpost.tracking import page_of
from gateway.calls.caller import Answer
from gateway.core.content import InMemory
from gateway.core.faults import TransientFailure
from gateway.ports import Adapter, Call, Collected, NotReceived, Received
from tests.adapters.fitting import Hands

CODE = "H33.01-261123-0001"
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
ODD = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
ATTACHMENTS = st.lists(
    st.fixed_dictionaries({}, optional={"Ten": ODD, "Base64": st.sampled_from(["QQ==", "", "*", "\x00lifted:0"]) | ODD})
)
DOCUMENT = st.fixed_dictionaries(
    {}, optional={"TrichYeu": ODD, "NgayKy": ODD, "NgayBanHanh": ODD, "DinhKem": ATTACHMENTS | ODD, "LoaiKetQua": ODD}
)
OUTCOMES = st.fixed_dictionaries(
    {},
    optional={
        "LoaiKetQua": st.sampled_from(["01", "02", "03", "04", 1, "5"]) | ODD, "MaHoSo": st.just(CODE) | ODD,
        "IDHoSo": ODD, "LyDo": ODD, "VanBanDi": DOCUMENT | ODD, "MaVanBan": ODD, "TrangThai": ODD, "Khac": ODD,
    },
)  # fmt: skip
NOTICES = st.fixed_dictionaries(
    {},
    optional={
        "MaThongBaoThue": ODD, "MaHoSo": st.just(CODE) | ODD, "SoTien": st.integers() | st.just("1.000") | ODD,
        "ThoiGianThanhToan": ODD, "TrangThaiThanhToan": st.sampled_from(["0", "9", 0]) | ODD, "MaThamChieu": ODD,
        "lgsp": ODD, "amount": ODD, "Khac": ODD,
    },
)  # fmt: skip
EVENTS = st.fixed_dictionaries({}, optional={"_id": ODD, "EventTime": ODD, "OrderNumber": ODD, "StatusCode": ODD})
PAGES = st.fixed_dictionaries(
    {},
    optional={
        "_embedded": st.fixed_dictionaries({}, optional={"rh:doc": st.lists(EVENTS | ODD) | EVENTS | ODD}) | ODD,
        "_returned": ODD, "_total_pages": ODD, "_size": ODD,
    },
)  # fmt: skip


def answered(adapter: Adapter, body: bytes) -> tuple[int, dict[str, Any], list[Collected]]:
    """What an adapter answers, and what it would have had the bus take."""
    taken: list[Collected] = []

    async def take(item: Collected) -> Received | NotReceived:
        taken.append(item)
        return Received(str(item.event["id"]))

    call = Call("POST", "", {}, {"content-type": "application/json"}, InMemory(body), "127.0.0.1")
    reply = asyncio.run(adapter.answer(call, take))  # type: ignore[attr-defined]
    return reply.status, json.loads(reply.body), taken


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> qlvb.QlvbSigning:
    hands = Hands(tmp_path_factory.mktemp("signer"))
    given = {"url": "http://127.0.0.1:9", "callers": ["127.0.0.1"], "reason_member": "LyDo"}
    return qlvb.open_adapter(hands.context("qlvb_signing", given))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> payment.PaymentGateway:
    folder: Path = tmp_path_factory.mktemp("bank")
    (folder / "s").write_text("khoa-mau")
    given = {
        "checksum": {"algorithm": "hmac-sha256", "fields": ["SoTien"], "secret_file": "s"}, "refund_statuses": ["9"],
        "callers": ["127.0.0.1"],
    }  # fmt: skip
    return payment.open_adapter(Hands(folder).context("payment_gateway", given))


@given(said=OUTCOMES | ODD)
@settings(max_examples=150, deadline=None)
def test_a_signer_is_answered_and_what_is_taken_names_its_dossier(signer: qlvb.QlvbSigning, said: Any) -> None:
    status, told, taken = answered(signer, json.dumps(said).encode("utf-8", "surrogatepass"))
    assert set(told) == {"data", "error"}
    assert (status == 200) is bool(taken)
    for item in taken:
        data = item.event["data"]
        assert data["dossierCode"] == item.event["subject"][:256] != ""
        assert data["outcome"] != "rejected" or data["reason"]
        assert {each["file"]["sha256"] for each in data.get("document", {}).get("attachments", [])} == {
            file.sha256 for file in item.files
        }


@given(said=NOTICES | ODD)
@settings(max_examples=150, deadline=None)
def test_a_bank_is_answered_and_what_is_taken_is_an_amount_with_an_id(bank: payment.PaymentGateway, said: Any) -> None:
    if isinstance(said, dict):
        amount = said.get("SoTien")
        text = "" if not isinstance(amount, str | int | float) else str(amount)
        if isinstance(amount, bool) or (isinstance(amount, float) and amount.is_integer()):
            text = str(amount).lower() if isinstance(amount, bool) else str(int(amount))
        seal = hmac.new(b"khoa-mau", text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        said = {**said, "MaXacThuc": seal}
    status, told, taken = answered(bank, json.dumps(said).encode("utf-8", "surrogatepass"))
    assert told == {"ERROR_CODE": "1" if taken else "-1"}
    assert (status == 200) is bool(taken)
    for item in taken:
        data = item.event["data"]
        assert data["amount"] >= 0
        assert isinstance(data["amount"], int)
        assert data["noticeId"]
        assert data["dossierCode"]


@given(said=PAGES | ODD)
@settings(max_examples=150, deadline=None)
def test_a_page_of_the_post_is_read_or_said_to_be_none(said: Any) -> None:
    answer = Answer(200, {}, InMemory(json.dumps(said).encode("utf-8", "surrogatepass")))
    try:
        items, pages = page_of(answer)
    except TransientFailure:
        return
    assert pages >= 0
    assert all(item.token.startswith("track:") for item in items)
