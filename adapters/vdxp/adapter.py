"""The national document axis as its official kit calls it: documents and statuses out, listed items in.

Nothing is lost or doubled at a crash: an item stays listed until the axis was told what became of it, and a document
whose answer was lost is looked for before it is sent again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal

import structlog

from adapters.vdxp.agencies import Merging
from adapters.vdxp.kit import Kit, Undecodable
from adapters.vdxp.listing import Listing, Waiting, parsed, waiting_of
from adapters.vdxp.meaning import CredentialsRefused
from adapters.vdxp.posting import Posting
from adapters.vdxp.signing import is_plain, worded
from adapters.vdxp.wishes import wishes_of
from gateway.calls.address import check_url
from gateway.calls.caller import AnswerTooLarge
from gateway.core.content import Content, InMemory
from gateway.core.documents.item import Sender, collected
from gateway.core.documents.outgoing import Outgoing
from gateway.core.documents.rejection import answered, rejection
from gateway.core.edxml.parse import Limits
from gateway.core.faults import DeliveryFailure, PermanentFailure, Text, TransientFailure
from gateway.core.moments import day_of
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
#: A round ends after so many seconds, or bytes, or items in a row that could not be fetched.
_ROUND_SECONDS: Final = 15.0
_ROUND_BYTES: Final = 64 << 20
_ROUND_FAILURES: Final = 3
#: Pages of a list that are asked for in one look.
_MOST_PAGES: Final = 200
#: A document that the axis cannot give as base64 is given up after so many looks.
_UNDECODABLE_TRIES: Final = 3
#: Refusals told that are remembered.
_REMEMBERED: Final = 10_000
#: A description stands twice in a request, once escaped (bytes).
_LONGEST_NOTE: Final = 2400
#: What a second look would not change.
_OUR_OWN_RULES: Final = frozenset({"confidentiality-not-declared", "record-too-large", "no-own-recipient"})

log = structlog.get_logger()


class Vdxp:
    """One connected system of the axis."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file."""
        self._context = context
        self._wishes = wishes_of(context.settings)
        limits = Limits(size=self._wishes.largest)
        self._kit = Kit(self._wishes, context)
        outgoing = Outgoing(context.open_file, limits, context.new_sink)
        self._posting = Posting(self._kit, self._wishes, outgoing, limits, context.new_sink)
        self._sender = Sender(context.system.name, self._wishes.is_declared, limits)
        self._listing = Listing(self._wishes.poll)
        self._next_look = 0.0
        #: Why one of the lists could not be had; told once the other's items were handed out.
        self._trouble: TransientFailure | None = None
        self._left_alone: set[str] = set()
        self._answered: OrderedDict[str, None] = OrderedDict()

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Hand one document or status in; a repeat of what is there already is not sent."""
        return await self._posting.deliver(parcel)

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Listed items, documents first, oldest first; raises TransientFailure where the axis cannot be asked."""
        now = self._context.now()
        if now >= self._next_look:
            await self._look()
        ready = self._listing.ready(now)
        found: list[Collected | Uncollectable] = []
        loop = asyncio.get_running_loop()
        end, taken, failures = loop.time() + _ROUND_SECONDS, 0, 0
        for item in ready:
            if len(found) >= limit or loop.time() > end or taken > _ROUND_BYTES or failures >= _ROUND_FAILURES:
                break
            try:
                one = await self._one(item)
            except CredentialsRefused:
                raise
            except Exception as failure:  # noqa: BLE001 - one poisoned item must not stop the others
                failures += 1
                times = self._listing.failed(item, self._context.now())
                told = str(failure) if isinstance(failure, DeliveryFailure) else type(failure).__name__
                self._left(item.doc_id, told, times)
                continue
            failures = 0
            self._listing.offered(item, self._context.now())
            found.append(one)
            taken += sum(file.size for file in one.files) if isinstance(one, Collected) else 0
        if self._trouble is not None and not found:
            trouble, self._trouble = self._trouble, None
            raise trouble
        return found

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Tell the axis ``done``, or ``fail`` and why, once every item of the document is settled. Safe to repeat."""
        names = parsed(token)
        if names is None:
            return
        doc_id = names[1]
        if not self._listing.knows(doc_id):
            await self._look()
        if not self._listing.knows(doc_id):
            return
        try:
            if refusal is not None and self._wishes.tells_refusals and names[0] == "edoc":
                await self._answer(token, doc_id, names[2], refusal)
            if not self._listing.settle(token, refusal):
                return
            await self._tell(doc_id)
        except BaseException:
            self._listing.unsettle(token)
            raise

    async def close(self) -> None:
        """Stop what is under way, and close the kept connections."""
        await self._posting.close()
        await self._kit.close()

    async def fetch_agencies(self, levels: Sequence[str] = ("1", "2", "3", "4")) -> AsyncIterator[dict[str, Any]]:
        """The agencies of the axis' lists as one, each once: code, name, parent, aliases, level,
        centre, mail, closed (a day).

        ``levels``: which levels the newer list is asked for. At most 300,000 rows a list; raises TransientFailure.
        """
        merging = Merging(day_of(self._context.now()))
        await self._kit.agencies("getAgenciesList", merging.older)
        await self._kit.agencies("getSynchronizeUnit", merging.unit)
        for level in levels if self._wishes.is_newer_kit else ():
            await self._kit.agencies("getAgenciesListQD20", partial(merging.newer, level=level), level=level)
        for row in await asyncio.to_thread(merging.rows):
            yield row

    async def waiting(self) -> tuple[int | None, int | None]:
        """How many documents and statuses wait for us, as the axis counts them (newer kit only)."""
        return await self._kit.count("countReceiveEdoc"), await self._kit.count("countReceiveStatus")

    # ------------------------------------------------------------------------------------------------ inside

    async def _look(self) -> None:
        """Both lists anew; what is listed although it was settled is told to the axis again.

        Where one list cannot be had, the other must not wait: what was listed before stands for it.
        """
        items: list[Waiting] = []
        unsure: set[str] = set()
        self._trouble = None
        for kind in ("edoc", "status"):
            try:
                listed, at_the_end = await self._listed(kind)
                items += listed
                unsure |= at_the_end
            except CredentialsRefused:
                raise
            except TransientFailure as failure:
                if self._trouble is not None:
                    raise
                self._trouble = failure
                items += self._listing.of(kind)
        self._listing.replace(item for item in items if item.doc_id not in unsure)
        self._next_look = self._context.now() + self._wishes.poll
        for doc_id in self._listing.relisted():
            try:
                await self._tell(doc_id)
            except CredentialsRefused:
                raise
            except TransientFailure as failure:
                self._left(doc_id, f"it was settled, and the axis does not hear it: {failure}")

    async def _listed(self, kind: str) -> tuple[list[Waiting], set[str]]:
        """What is listed for us and, where the list is longer than what is read of it, the documents at its end.

        Receivers of those may stand behind the end: one that is told ``done`` would be lost for them. They have their
        turn once what stands before them is settled, and listed no more.
        """
        found: dict[str, Waiting] = {}
        seen: set[tuple[str, str]] = set()
        on_page: set[str] = set()
        size = self._wishes.page_size
        page = self._wishes.first_page
        for _ in range(_MOST_PAGES):
            before, rows = len(seen), 0
            on_page.clear()

            def take(row: Any) -> None:
                nonlocal rows
                rows += 1
                doc_id = str(row.get("docId") or "")
                on_page.add(doc_id)
                seen.add((doc_id, str(row.get("to") or "")))
                item = waiting_of(row, kind)
                if item is not None and self._is_for_us(item):
                    found.setdefault(item.token, item)

            paging = {"pageSize": str(size), "pageIndex": str(page)} if size else {}
            await self._kit.received(kind, take, **self._days(), **paging)
            # An axis that does not know pages gives everything, again and again.
            if not size or rows < size or len(seen) == before:
                return list(found.values()), set()
            page += 1
        self._left(min(on_page), f"the list is longer than {_MOST_PAGES} pages: its end waits until it is shorter")
        return list(found.values()), on_page

    def _days(self) -> dict[str, str]:
        if not self._wishes.days:
            return {}
        today = day_of(self._context.now())
        first = today - timedelta(days=self._wishes.days)
        return {"fromDate": f"{first:%Y/%m/%d}", "toDate": f"{today:%Y/%m/%d}"}

    def _is_for_us(self, item: Waiting) -> bool:
        """Whether it is ours to settle: what we sent ourselves, and others' items, may be listed as well."""
        if not item.receiver or self._wishes.is_centre(item.receiver) or self._wishes.is_ours(item.receiver):
            return True
        if item.token not in self._left_alone and len(self._left_alone) < 1000:
            self._left_alone.add(item.token)
            self._left(item.doc_id, "not for us")
        return False

    async def _one(self, item: Waiting) -> Collected | Uncollectable:
        try:
            raw = await self._kit.fetch(item.doc_id)
        except AnswerTooLarge:
            return Uncollectable(item.token, "too-large", _too_large(self._wishes.largest))
        except Undecodable:
            if self._listing.failures(item) + 1 < _UNDECODABLE_TRIES:
                raise TransientFailure("the axis gives a document that is no base64") from None
            return Uncollectable(item.token, "undecodable", _UNDECODABLE)
        one = await asyncio.to_thread(self._read, item, raw)
        if isinstance(one, Uncollectable) and one.reason not in _OUR_OWN_RULES:
            # ``fail`` is for good, and a line that breaks off unseen looks like a broken document: look twice.
            try:
                again = await self._kit.fetch(item.doc_id)
            except Undecodable:
                raise TransientFailure("the axis gives a document that is no base64") from None
            if again.sha256 != raw.sha256:
                raise TransientFailure("the axis gave two different documents under one id")
        return one

    def _read(self, item: Waiting, raw: Content) -> Collected | Uncollectable:
        is_direct = bool(item.receiver) and not self._wishes.is_centre(item.receiver)
        one = collected(
            raw,
            name=f"{item.doc_id}.edxml",
            token=item.token,
            sender=self._sender,
            now=self._context.now(),
            to=(item.receiver,) if is_direct else None,
            identity=f"{item.doc_id} {item.receiver}",
            new_sink=self._context.new_sink,
        )
        if is_direct or isinstance(one, Uncollectable):
            return one
        # It is for the province as a whole: of those it names, the others get it from the axis themselves.
        ours = [code for code in str(one.event["to"]).split() if self._wishes.is_ours(code)]
        if not ours:
            return Uncollectable(item.token, "no-own-recipient", _NOT_OURS)
        return replace(one, event={**one.event, "to": " ".join(ours)})

    def _left(self, doc_id: str, why: str, times: int = 1) -> None:
        log.warning("axis.item-left", agency=self._context.system.name, item=doc_id, times=times, detail=why[:300])

    async def _answer(self, token: str, doc_id: str, receiver: str, refusal: tuple[str, Text]) -> None:
        """Send the document's sender a status 02 that says why (Decision 28/2018/QĐ-TTg, article 9), once."""
        if token in self._answered:
            return
        try:
            raw = await self._kit.fetch(doc_id)
        except (Undecodable, AnswerTooLarge):
            return
        limits = self._sender.limits
        about = await asyncio.to_thread(answered, raw, receiver, limits, self._context.new_sink)
        if about is None or not is_plain(about.receiver) or not is_plain(about.document.organ_id or ""):
            return
        report = InMemory(rejection(about, *refusal, self._context.now()))
        try:
            await self._kit.send(
                report,
                kind="status",
                sender=about.receiver,
                to=(about.document.organ_id or "",),
                delivery="",
                attempt=1,
            )
        except PermanentFailure as failure:
            # It can be told in no words then; the state on the axis still says fail.
            self._left(doc_id, f"the refusal cannot be told: {failure}")
        self._answered[token] = None
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)

    async def _tell(self, doc_id: str) -> None:
        status, refusals = self._listing.verdict(doc_id)
        note = ""
        if self._wishes.describes_status:
            room = _LONGEST_NOTE // max(1, len(refusals)) // 2
            note = "; ".join(
                f"{worded(f'{receiver} {reason}: {text.vi}', self._wishes.wording, room)}"
                f" / {worded(text.en, self._wishes.wording, room)}"
                for receiver, reason, text in refusals[:10]
            )
        await self._kit.update(doc_id, status, note)
        self._listing.told(doc_id)


_UNDECODABLE: Final = Text(
    "Trục quốc gia nhiều lần trả nội dung không giải mã được (không phải base64). Đơn vị gửi cần gửi lại văn bản.",
    "Again and again the axis gives a content that cannot be decoded (no base64). The sender must send it anew.",
)
_NOT_OURS: Final = Text(
    "Văn bản gửi cho mã trung tâm kết nối của tỉnh nhưng trong phần To không có cơ quan nào của tỉnh. Đơn vị gửi cần"
    " ghi mã định danh của cơ quan nhận.",
    "The document is for the province's connection centre, but its To names none of the province's agencies. The"
    " sender must write the code of the agency it is for.",
)


def _too_large(largest: int) -> Text:
    return Text(
        f"Văn bản lớn hơn {largest} byte. Đơn vị gửi cần giảm dung lượng tệp đính kèm, hoặc đề nghị đơn vị vận hành"
        " trục nâng max_mebibytes rồi gửi lại.",
        f"The document is over {largest} bytes. The sender must make its attachments smaller, or ask the operator of"
        " the bus to raise max_mebibytes, and send it anew.",
    )


def open_adapter(context: AdapterContext) -> Vdxp:
    """The adapter of one system; raises Misconfigured where the address cannot be one."""
    check_url(wishes_of(context.settings).url, f"{context.system.name}: settings.url")
    return Vdxp(context)
