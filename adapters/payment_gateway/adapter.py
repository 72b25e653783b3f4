"""A payment gateway: it calls when money was paid or given back; the bus starts payments where that is wanted.

A payment is told apart by ``MaThamChieu``, which follows from the dossier and the moment of its charges: started twice
it is one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final, Literal

import structlog

from adapters.payment_gateway.checksum import Checksum
from adapters.payment_gateway.notice import Notice, Notices, Senseless, said_in
from adapters.payment_gateway.receipt import receipt_in
from adapters.payment_gateway.request import Requests
from gateway.calls.account import succeeded
from gateway.calls.address import check_url
from gateway.calls.caller import Answer, Caller
from gateway.calls.gate import Gate
from gateway.calls.granted import Pass
from gateway.core.brought import Bringer
from gateway.core.dossiers.code import compared
from gateway.core.faults import (
    Busy,
    DeliveryFailure,
    Misconfigured,
    PermanentFailure,
    Text,
    TransientFailure,
)
from gateway.ports import (
    AdapterContext,
    Call,
    Collected,
    CollectedFile,
    HandedOver,
    NotReceived,
    Parcel,
    Reply,
    Take,
    Uncollectable,
)

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
ANSWERS: Final = True
#: A bill is of what any office charged: it is made of what was sent to others.
READS: Final = "all"
_FOLDER: Final = Path(__file__).parent
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_NEVER: Final = frozenset({400, 415, 422})
_PAYING: Final = 6

log = structlog.get_logger()


class PaymentGateway:
    """One payment gateway."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file; raises Misconfigured."""
        settings = self._settings = context.settings
        self._context = context
        where = f"{context.system.name}: settings"
        #: Who may call besides knowing the checksum; the bus asks it before it reads a body.
        self.gate = Gate.if_set(settings, context.read_secret, where)
        self._checksum = Checksum(settings["checksum"], context.read_secret) if "checksum" in settings else None
        if self._checksum is None and self.gate is None:
            raise Misconfigured(
                f"{where}.checksum",
                Text("Cửa này không có cách nào nhận ra cổng thanh toán", "Nothing proves the payment gateway here"),
                Text(
                    "Ghi checksum, hoặc callers, hoặc caller_secret_file.",
                    "Set checksum, or callers, or caller_secret_file.",
                ),
            )
        self._notices = Notices(_FOLDER, settings)
        #: Members that nobody could have changed; None where the door proves the caller besides.
        self._covered = frozenset(settings["checksum"]["fields"]) if self.gate is None else None
        if self._covered is not None:
            _check_cover(self._covered, self._notices.names, where)
            _check_separator(str(settings["checksum"].get("separator", "|")), where)
            if self._notices.names["paid_at"] not in self._covered:
                # Whoever carries a notice may date it anew: told, as guides differ in it and the money is the same.
                log.warning("payment.date-unproven", agency=context.system.name, member=self._notices.names["paid_at"])
        calls = [name for name in ("start", "get_bill", "refund_path") if settings.get(name)]
        if calls and "url" not in settings:
            raise Misconfigured(
                f"{where}.url",
                Text(f"{calls[0]} cần địa chỉ của cổng thanh toán", f"{calls[0]} needs the gateway's address"),
                Text("Ghi url, ví dụ https://thanhtoan.example.vn", "Set url, such as https://pay.example.vn"),
            )
        self._requests = Requests(_FOLDER, settings, self._notices.names, self._checksum)
        self._bringer = Bringer.of(_FOLDER.name, context.system.name, settings)
        self._caller: Caller | None = None
        if "url" in settings:
            self._caller = self._calling(check_url(str(settings["url"]), f"{where}.url"))
        self._pass = Pass(settings, context.read_secret, context.now, self._calling, where)

    def _calling(self, base: str) -> Caller:
        context = self._context
        return Caller(
            base,
            user_agent=context.user_agent,
            own=context.own_addresses,
            private_allowed=bool(context.settings.get("private", True)),
            timeout=float(context.settings.get("timeout", 15)),
        )

    # -------------------------------------------------------------------------------------------------- out

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Start a payment where something is to be paid, or tell of a refund; other progress is not its business."""
        kind, data, settings = parcel.event.get("type"), parcel.event.get("data"), self._settings
        if not isinstance(data, Mapping) or kind not in {"dossier.progressed", "payment.refunded"}:
            raise PermanentFailure("a payment gateway is told of charges and refunds alone: it cannot say this message")
        if kind == "payment.refunded":
            if "refund_path" not in settings:
                raise PermanentFailure("unwritable: refund_path is not set, so that no refund can be told")
            return await self._post(str(settings["refund_path"]), self._requests.refund(data), parcel.delivery)
        fees = data.get("charges", {}).get("fees", [])
        if data.get("status", {}).get("code") != _PAYING or not sum(fee["amount"] for fee in fees):
            return HandedOver(reference="nothing to pay: the gateway is not told")
        if not settings.get("start"):
            return HandedOver(reference="start is off: the gateway is not told")
        return await self._post(str(settings.get("path", "/")), self._requests.start(data), parcel.delivery)

    async def _post(self, path: str, message: Mapping[str, Any], delivery: str) -> HandedOver:
        answer = await self._asked(path, message, {"lgsp-delivery": delivery})
        if answer.status in _NEVER:
            raise PermanentFailure(f"the gateway refuses it with status {answer.status}", answer.status)
        value = succeeded(answer, self._context.now()).json()
        if not isinstance(value, dict):
            raise TransientFailure("the answer is no object", answer.status)
        member = self._settings.get("reply_member")
        said = str(value.get(member)).strip() if member is not None else None
        if said is not None and said not in self._settings.get("reply_ok", ("0", "00")):
            shown = said if said.isascii() and said.replace("-", "").isalnum() and len(said) <= 20 else "(words)"
            raise TransientFailure(f"the gateway does not take it: {member} {shown}", answer.status)
        reference = message.get("MaThamChieu")
        return HandedOver(answer.status, reference=None if reference is None else str(reference)[:100])

    async def _asked(
        self, path: str, message: Mapping[str, Any], fields: Mapping[str, str], *, within: float | None = None
    ) -> Answer:
        caller = self._caller
        if caller is None:
            raise TransientFailure("the gateway's address is not set")
        body = json.dumps(message, ensure_ascii=False).encode()
        return await self._pass.asked(
            lambda proof: caller.ask("POST", path, fields={**_JSON, **fields, **proof}, body=body, within=within)
        )

    # --------------------------------------------------------------------------------------------------- in

    async def answer(self, call: Call, take: Take) -> Reply:
        """Take a notice that proves itself, and say in the gateway's words whether it was taken."""
        if self.gate is not None and not self.gate.lets_in(call):
            return self._no(401, _STRANGER)
        if call.method not in {"POST", "GET"}:
            return self._no(405, _METHOD)
        try:
            said = said_in(call)
            if self._checksum is not None and not self._checksum.fits(said, said.get(self._notices.names["checksum"])):
                return self._no(401, _BAD_CHECKSUM)
            notice = self._notices.read(*self._proven(call.path, said), self._context.now())
            item = await self._item(notice)
            answer = await take(item)
        except Senseless as why:
            return self._no(400, why.text)
        except Busy as fault:
            wait = {} if fault.retry_after is None else {"Retry-After": str(max(1, round(fault.retry_after)))}
            return self._no(503, fault.detail, wait)
        if isinstance(answer, NotReceived):
            return self._no(422, answer.detail)
        return self._told(self._settings.get("answer_ok", "1"), None, 200, {})

    def _proven(self, path: str, said: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Where the dossier's code may be looked for.

        A notice passes through the payer's browser: where its checksum alone proves it, the address and members that
        the checksum does not cover are anybody's word, and one payment must not be told of another dossier.
        """
        if self._covered is None:
            return path, said
        open_to_all = {self._notices.names[name] for name in ("dossier", "bill")} - self._covered
        return "", {name: value for name, value in said.items() if name not in open_to_all}

    async def _item(self, notice: Notice) -> Collected:
        """The message of a notice, with what is known of its dossier and, where it can be had now, its receipt."""
        dossier = await self._context.dossier(notice.data["dossierCode"])
        notice = notice.beside(dossier, _FOLDER.name)
        data, warnings = dict(notice.data), list(notice.warnings)
        files: tuple[CollectedFile, ...] = ()
        if notice.outcome == "paid" and self._settings.get("get_bill"):
            receipt = await self._receipt(str(data.get("billId", "")))
            if receipt is None:
                warnings.append(_NO_RECEIPT)
            else:
                data["receipt"] = receipt[0]
                files = () if receipt[1] is None else (receipt[1],)
        # With the dossier: were a gateway to use an id twice, no money would be taken for a repeat of another's.
        identity = [data["noticeId"], notice.outcome, compared(data["dossierCode"])]
        return self._bringer.message(
            notice.contract, "1.0", data, subject=data["dossierCode"], identity=identity,
            now=self._context.now(), files=files, warnings=tuple(warnings),
        )  # fmt: skip

    async def _receipt(self, bill: str) -> tuple[dict[str, Any], CollectedFile | None] | None:
        """The receipt of a payment; None where it is not there in time: the notice does not wait for it."""
        member, seconds = self._settings.get("receipt_member"), float(self._settings.get("receipt_seconds", 5))
        if member is None or not bill:
            return None
        try:
            async with asyncio.timeout(seconds):
                path = str(self._settings.get("path", "/"))
                answer = await self._asked(path, self._requests.bill(bill), {}, within=seconds)
                return receipt_in(succeeded(answer, self._context.now()).json(), str(member))
        except (DeliveryFailure, TimeoutError):
            return None

    def _no(self, status: int, detail: Text, fields: Mapping[str, str] | None = None) -> Reply:
        return self._told(self._settings.get("answer_error", "-1"), detail, status, fields or {})

    def _told(self, value: str, detail: Text | None, status: int, fields: Mapping[str, str]) -> Reply:
        told: dict[str, Any] = {str(self._settings.get("answer_member", "ERROR_CODE")): value}
        member = self._settings.get("message_member")
        if member is not None:
            told[str(member)] = "" if detail is None else f"{detail.vi} / {detail.en}"
        return Reply(json.dumps(told, ensure_ascii=False).encode(), status, fields=dict(fields))

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - nothing waits there
        """Nothing waits: notices come by a call."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Close the kept connections."""
        if self._caller is not None:
            await self._caller.close()
        await self._pass.close()


def _check_cover(covered: AbstractSet[str], names: Mapping[str, str], where: str) -> None:
    """Raises Misconfigured where a checksum that alone guards the door leaves open what a notice is about."""
    lacking = [names[name] for name in ("notice", "amount", "status") if names[name] not in covered]
    if covered.isdisjoint({names["dossier"], names["bill"]}):
        lacking.append(names["dossier"])
    if lacking:
        named = ", ".join(lacking)
        raise Misconfigured(
            f"{where}.checksum.fields",
            Text(f"Mã xác thực không bảo vệ {named}", f"The checksum does not cover {named}"),
            Text(
                "Thống nhất với cổng thanh toán để ghi thêm vào fields; nếu không được thì giữ cửa bằng callers.",
                "Agree with the payment gateway to add them to fields; where it cannot, guard the door with callers.",
            ),
        )


def _check_separator(separator: str, where: str) -> None:
    """Raises Misconfigured where nothing stands between members: 1 and 23 are then proven by what 12 and 3 are."""
    if not separator:
        raise Misconfigured(
            f"{where}.checksum.separator",
            Text(
                "Mã xác thực không có dấu nối: hai thông báo khác nhau có thể cùng một mã",
                "Nothing stands between the members of the checksum: two notices may have one and the same",
            ),
            Text(
                "Thống nhất với cổng thanh toán để dùng dấu nối; nếu không được thì giữ cửa bằng callers hoặc"
                " caller_secret_file.",
                "Agree with the payment gateway on a separator; where it has none, guard the door with callers or"
                " caller_secret_file.",
            ),
        )


_STRANGER: Final = Text(
    "Bên gọi chưa chứng minh được mình là ai. Cổng thanh toán kiểm tra địa chỉ và khoá đã thống nhất với đơn vị vận"
    " hành trục.",
    "The caller did not prove who it is. The payment gateway must check address and secret as agreed with the operator"
    " of the bus.",
)
_BAD_CHECKSUM: Final = Text(
    "Mã xác thực không đúng. Cổng thanh toán kiểm tra khoá chung và cách tính đã thống nhất với đơn vị vận hành trục.",
    "The checksum is wrong. The payment gateway must check the shared secret and the way of computing agreed with the"
    " operator of the bus.",
)
_METHOD: Final = Text(
    "Cửa này chỉ nhận POST hoặc GET. Cổng thanh toán cần sửa cách gọi.",
    "This door takes POST or GET. The payment gateway must mend how it calls.",
)
_NO_RECEIPT: Final = Text(
    "Chưa lấy được biên lai trong thời gian gọi; thông báo vào không kèm biên lai.",
    "The receipt could not be had in time; the notice goes in without it.",
)


def open_adapter(context: AdapterContext) -> PaymentGateway:
    """The adapter of one system; raises Misconfigured where the settings cannot work."""
    return PaymentGateway(context)
