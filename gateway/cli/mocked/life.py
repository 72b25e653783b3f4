"""The life of one dossier as its fate has it: filed, received, worked on, paid for, signed, sent home; or ended before.

Whoever is not there leaves out his part. Each thing that is brought is noted for the count, with where it must be seen.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from gateway.cli.mocked.cast import Cast
from gateway.cli.mocked.counters import Counter, sent
from gateway.cli.mocked.desk import AWAY
from gateway.cli.mocked.fate import Fate
from gateway.cli.mocked.waiting import by_now, is_answered, is_positive, not_yet, until
from gateway.compose import stand_in

#: National software counts in whole seconds: what comes later must be later.
_SECOND: Final = 1.1
_FILED: Final = "nhanhsdvcqg"
_LOOK: Final = 0.15
_APPLICANT: Final = {"name": "Nguyễn Văn Mẫu", "phone": "0912345678", "address": "Số 1 đường Mẫu"}
#: Says what happened to which dossier.
Told = Callable[[str, str, str], None]


@dataclass(slots=True)
class Life:
    """One dossier's life. ``pace``: seconds between what people do; ``told`` hears system, code and deed."""

    cast: Cast
    fate: Fate
    pace: float
    told: Told = lambda _who, _code, _what: None
    _counter: Counter = field(init=False)

    async def live(self) -> None:
        """From its filing to its end."""
        fate, cast = self.fate, self.cast
        counter = cast.district if fate.origin == "district" else cast.office
        if counter is None:
            raise ValueError(f"{fate.code} is filed where nobody is")
        self._counter = counter
        await self._filed()
        await self._worked_on()
        if fate.is_supplemented:
            await self._supplemented()
        if fate.end != "handed-over":
            await self._ended()
        else:
            if fate.fee:
                await self._paid()
            await self._issued(await self._signed())
            if fate.by_post:
                await self._posted()
            await self._do("handed-over", lambda: self._counter.hand_over(fate.code))
        cast.tally.bring("status", fate.code, seen=cast.ends_as(fate.code, fate.last_status), taken=self._is_sent)
        self.told("office", fate.code, "over")

    # ------------------------------------------------------------------------------------------------- the parts

    async def _filed(self) -> None:
        code, cast = self.fate.code, self.cast
        cast.codes.append(code)
        if self.fate.origin == "portal":
            item = cast.portal.filed(stand_in("dvcqg").an_item(code, SoDienThoai=_APPLICANT["phone"]))
            note = cast.tally.bring(
                "dossier", code, taken=not_yet, seen=lambda: cast.posted(code, _FILED, "TrangThaiHoSo", "1")
            )
            await self._until_yes(lambda: cast.portal_calls.file(item))
            note.taken = by_now
            self.told("portal", code, "filed")
            await until(lambda: self._counter.knows(code))
        else:
            cast.tally.bring("dossier", code, taken=self._is_sent, seen=cast.at_portal(code))
        await self._do("received", lambda: self._counter.receive(code))

    async def _worked_on(self) -> None:
        """Several steps at a time, which software may tell in any order; perhaps the first of them is told last."""
        code, received = self.fate.code, time.time()
        now, late = (self.fate.deeds[1:], self.fate.deeds[:1]) if self.fate.is_late else (self.fate.deeds, ())
        await asyncio.sleep(len(now) * _SECOND)

        def work() -> None:
            for at, deed in enumerate(now, start=1):
                self._step("4", deed, ago=float(len(now) - at))

        await self._do("worked-on", work)
        for deed in late:
            await self._do("told-late", lambda deed=deed: self._step("4", deed, ago=time.time() - received - _SECOND))  # type: ignore[misc]
        for deed in self.fate.deeds:
            self.told("step", code, deed)

    async def _supplemented(self) -> None:
        """Asked for at the counter; answered at the portal where it was filed there, else at the counter."""
        code, cast = self.fate.code, self.cast
        named = ""

        def ask() -> None:
            nonlocal named
            named = self._counter.ask(code, "Bổ sung bản sao giấy tờ")
            if self._counter.can_withdraw:
                self._step("5", "Yêu cầu bổ sung")

        await self._do("supplement-asked", ask)
        seen = cast.entry_at_portal(code, named, is_answered=False)
        cast.tally.bring("supplement", f"{code} {named}", seen=seen, taken=self._is_sent)
        if seen is not None:
            await until(lambda: bool(seen()))
        if self.fate.origin == "portal":
            await asyncio.sleep(_SECOND)
            await self._answered_at_portal(named)
        await self._do("supplement-taken", lambda: self._counter.answered(code, named))
        cast.tally.bring(
            "supplement-answer", f"{code} {named}", taken=self._is_sent,
            seen=cast.entry_at_portal(code, named, is_answered=True),
        )  # fmt: skip

    async def _answered_at_portal(self, named: str) -> None:
        code, portal = self.fate.code, self.cast.portal
        kept = portal.of(code).item
        entries = [dict(each) for each in kept["DanhSachHoSoBoSung"]]
        entries[-1] |= {"NgayTiepNhanBoSung": self._counter.software.now(), "ThongTinTiepNhan": "Đã nộp bản sao"}
        told = {**kept, "TrangThaiHoSo": "4", "DanhSachHoSoBoSung": entries}
        await self._until_yes(lambda: self.cast.portal_calls.file(told))
        book = self._counter.software.dossiers
        await until(lambda: is_answered(book[code].item.get("DanhSachHoSoBoSung") or [], named))

    async def _ended(self) -> None:
        code, reason = self.fate.code, self.fate.reason
        if self.fate.end == "withdrawn":
            await self._do("withdrawn", lambda: self._counter.withdraw(code))
        else:
            await self._do("returned", lambda: self._counter.give_back(code, reason))

    async def _paid(self) -> None:
        """A notice of tax by way of the portal, then the bank: perhaps with a wrong checksum first, then twice."""
        code, cast, fee, bank = self.fate.code, self.cast, self.fate.fee, self.cast.bank
        if cast.portal_calls is not None:
            number = f"{fee // 1000}/{code[-6:]}/TB-CT"
            notice = {"MaHoSo": code, "SoQuyetDinh": number, "SoTien": str(fee), "TenTieuMuc": "Lệ phí trước bạ"}
            heard = await self._until_yes(lambda: cast.portal_calls.tax(notice))
            cast.tally.bring(
                "tax-notice", f"{code} {number}", taken=lambda: heard,
                seen=lambda: cast.told_to_pay(code),
            )  # fmt: skip
        await self._do("to-be-paid", lambda: self._step("6", "Chờ nộp lệ phí"))
        if bank is None:
            return
        await asyncio.sleep(_SECOND)
        notice_id = f"TB-{code[-6:]}"
        if self.fate.has_bad_checksum:
            told = await self._patient_payment(notice_id, is_bad=True)
            cast.tally.bring("bad-payment", code, taken=lambda: told)
        before = self.cast.posted(code, _FILED, "TrangThaiHoSo", "4")

        def came() -> int:
            return self.cast.posted(code, _FILED, "TrangThaiHoSo", "4") - before

        yes = await self._patient_payment(notice_id, is_bad=False)
        cast.tally.bring("payment", f"{code} {notice_id}", taken=lambda: yes, seen=came)
        self.told("bank", code, "paid")
        await until(lambda: bool(came()))

    async def _patient_payment(self, notice: str, *, is_bad: bool) -> bool:
        """Whether the bus said yes to what the bank told; it calls until it is answered."""
        bank = self.cast.bank
        while True:
            bank.twice_back, bank.bad_checksum = not is_bad, int(is_bad)
            try:
                await bank.pay(self.fate.code, self.fate.fee, notice=notice)
            except (*AWAY, ValueError):
                await asyncio.sleep(_LOOK)
                continue
            mine = [each for each in bank.said if each.notice["MaHoSo"] == self.fate.code]
            is_yes = str(mine[-1].answer.get("ERROR_CODE")) == "1"
            if is_yes or is_bad:
                return is_yes
            await asyncio.sleep(_LOOK)

    async def _signed(self) -> bytes:
        """The draft goes to be signed until it comes back issued; the signed file."""
        code, cast, centre = self.fate.code, self.cast, self.cast.centre
        result = f"%PDF-1.7\n% ket qua {code}\n%%EOF\n".encode()
        if cast.signing is None or centre is None or self.fate.origin == "district":
            return result
        draft = await centre.upload("du-thao.pdf", f"%PDF-1.7\n% du thao {code}\n%%EOF\n".encode())
        for number, outcome in enumerate(self.fate.signings, start=1):
            request = f"{code}-TK{number}"
            data = {
                "dossierCode": code, "requestId": request, "title": "Hồ sơ mẫu",
                "draft": {"abstract": "Quyết định mẫu", "attachments": [{"name": draft["name"], "file": draft}]},
                "applicant": {"name": _APPLICANT["name"]},
            }  # fmt: skip
            is_there = partial(cast.signing.drafts.__contains__, request)
            note = cast.tally.bring("draft", request, taken=not_yet, seen=is_there)
            await centre.say("signing.requested", data, to="H33.02", subject=code)
            note.taken = by_now
            await until(is_there)
            reason = "Sai căn cứ, đề nghị sửa" if outcome == "03" else ""
            file = result if outcome in {"01", "02"} else None
            await self._until_taken(partial(cast.signing.sign, request, outcome, file, reason=reason))

            def came(each: str = request) -> int:
                return centre.found("signing.completed", lambda said: said.get("requestId") == each)

            cast.tally.bring("signing", f"{request} {outcome}", seen=came)
            await until(lambda: bool(came()))
            self.told("signing", code, outcome)
        return result

    async def _issued(self, result: bytes) -> None:
        code, cast = self.fate.code, self.cast
        await self._do("issued", lambda: self._counter.issue(code, result))
        if self.fate.origin == "district" or cast.portal is None:
            return
        sha256 = hashlib.sha256(result).hexdigest()
        cast.tally.bring(
            "result", code, taken=self._is_sent,
            seen=lambda: list(cast.portal.of(code).files.values()).count(sha256),
        )  # fmt: skip
        await self._until(self._is_fetched, sha256)

    async def _is_fetched(self, sha256: str) -> bool:
        files = await self.cast.portal.fetch_files(self.fate.code)
        return sha256 in files.values()

    async def _posted(self) -> None:
        code, cast, centre = self.fate.code, self.cast, self.cast.centre
        if cast.post is None or centre is None:
            return
        order = f"{code}-1"
        data = {"dossierCode": code, "orderNumber": order, "kind": "result",
                "sender": _APPLICANT, "receiver": _APPLICANT}  # fmt: skip
        note = cast.tally.bring("order", order, taken=not_yet, seen=lambda: int(order in cast.post.orders))
        await centre.say("post.ordered", data, to="H33.91", subject=order)
        note.taken = by_now
        await until(lambda: order in cast.post.orders)
        for event, words in (("NHAN", "Đã nhận gửi"), ("PHAT", "Phát thành công")):
            cast.post.move(order, event, words)

            def came(each: str = event) -> int:
                return centre.found(
                    "post.tracked", lambda said: said["orderNumber"] == order and said["event"]["code"] == each
                )

            cast.tally.bring("tracking", f"{order} {event}", taken=partial(is_positive, came), seen=came)
            self.told("post", code, event)

    # ---------------------------------------------------------------------------------------------------- waiting

    def _step(self, status: str, content: str, *, ago: float = 0.0) -> None:
        self._counter.step(self.fate.code, status, content, ago=ago)
        seen = self.cast.step_at_portal(self.fate.code, content)
        self.cast.tally.bring("step", f"{self.fate.code} {content}", seen=seen, taken=self._is_sent)

    async def _do(self, deed: str, act: Callable[[], Any]) -> None:
        """Something an officer does, once what was done before is told; a moment later than that."""
        await asyncio.sleep(max(_SECOND, self.pace))
        act()
        self.told("office", self.fate.code, deed)
        await sent(self._counter.software, self.fate.code)

    def _is_sent(self) -> bool:
        return self.fate.code not in self._counter.software.unsent()

    async def _until_yes(self, call: Callable[[], Awaitable[Any]]) -> bool:
        """The portal calls until it is told yes."""

        async def yes() -> bool:
            return bool((await call()).is_yes)

        return await self._until(yes)

    async def _until_taken(self, call: Callable[[], Awaitable[list[int]]]) -> None:
        async def taken() -> bool:
            return all(status == 200 for status in await call())

        await self._until(taken)

    async def _until(self, call: Callable[..., Awaitable[bool]], *more: Any) -> bool:
        while True:
            try:
                if await call(*more):
                    return True
            except (*AWAY, ValueError):
                pass  # the line is away, or the answer was cut
            await asyncio.sleep(2 * _LOOK)
