"""The public post: an order goes out for papers or a result to be carried, and what becomes of it is fetched.

What was ordered twice the post must know by its order number: after a lost answer the tracking list is asked first.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from adapters.vnpost.tracking import Terms, Tracked, Tracking, is_token, page_of
from gateway.calls.account import succeeded
from gateway.calls.address import check_url
from gateway.calls.caller import Answer, Caller
from gateway.calls.granted import Pass
from gateway.calls.notes import Notes
from gateway.calls.wire import Wire
from gateway.core.brought import Bringer
from gateway.core.faults import PermanentFailure, Text, TimedOut, TransientFailure
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
#: Whoever orders need not say the procedure's name, and the post wants it.
READS: Final = "all"
_FOLDER: Final = Path(__file__).parent
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_NEVER: Final = frozenset({400, 415, 422})
#: Events that wait in memory to be taken; the newer ones of more than that are read again.
_MOST_WAITING: Final = 20_000
_DAY: Final = 86_400.0
#: An order's number that begins with the code of a dossier, in both of its forms.
_OF_DOSSIER: Final = re.compile(
    r"((?:[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Y][0-9]{2}|[A-Z][0-9]{2}(?:\.[A-Z0-9]{1,10}){0,6})-[0-9]{6}-[0-9]{4,6})(?![0-9])"
)


class VnPost:
    """One customer of the post."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file; raises Misconfigured."""
        settings = self._settings = context.settings
        self._context = context
        self._bringer = Bringer.of(_FOLDER.name, context.system.name, settings)
        self._wires = {name: Wire(_FOLDER, name) for name in ("order", "document-order", "tracking")}
        where = f"{context.system.name}: settings"
        self._caller = self._calling(check_url(str(settings["url"]), f"{where}.url"))
        self._pass = Pass(settings, context.read_secret, context.now, self._calling, where)
        self._tracking = Tracking(
            Terms(
                settings.get("order", "newest-first"),
                int(settings.get("overlap_pages", 2)),
                int(settings.get("most_pages", 1000)),
                float(settings.get("keep_days", 30)) * _DAY,
            )
        )
        name = re.sub(r"[^A-Za-z0-9.-]", "_", context.system.name)
        self._notes = Notes(context.folder / str(settings.get("notes", "var/vnpost")) / f"{name}.jsonl")
        self._waiting: OrderedDict[str, Tracked] = OrderedDict()
        self._next_look = self._next_whole = 0.0

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
        """Order; after a lost answer only where the tracking list does not know the order yet."""
        data = parcel.event.get("data")
        if parcel.event.get("type") != "post.ordered" or not isinstance(data, Mapping):
            raise PermanentFailure("the post takes orders alone: it cannot say this message")
        number = str(data.get("orderNumber"))
        if parcel.may_have_arrived and (found := await self._found(number)) is not None:
            return HandedOver(200, reference=found)
        path, body = await self._written(data)
        fields = {**_JSON, "lgsp-delivery": parcel.delivery}
        answer = await self._ask("POST", path, fields=fields, body=json.dumps(body, ensure_ascii=False).encode())
        return _ordered(answer, self._settings, self._context.now())

    async def _written(self, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Where the order goes, and its body."""
        settings = self._settings
        is_documents = data.get("kind") in settings.get("document_orders", ("documents",))
        body = self._wires["document-order" if is_documents else "order"].outward(data)
        if "customer_code" in settings:
            body.setdefault("CustomerCode", settings["customer_code"])
        if not is_documents:
            return str(settings["order_path"]), body
        if "document_order_path" not in settings:
            raise PermanentFailure("unwritable: document_order_path is not set, and the post is to collect documents")
        dossier = await self._context.dossier(str(data.get("dossierCode")))
        procedure = {} if dossier is None else dossier.record.get("procedure", {})
        told = {"Code": procedure.get("code"), "Title": procedure.get("name")}
        if any(told.values()):
            body.setdefault("Procedure", {name: value for name, value in told.items() if value})
        return str(settings["document_order_path"]), body

    async def _found(self, number: str) -> str | None:
        """What the tracking list calls an order; None where it does not know it, or cannot be asked for one."""
        asked = self._settings.get("find_parameters")
        if not asked:
            return None
        # Inside a filter written as JSON the number is part of a text.
        quoted = json.dumps(number, ensure_ascii=False)[1:-1]
        params = {str(name): str(value).replace("{order}", quoted) for name, value in asked.items()}
        answer = succeeded(await self._ask("GET", self._tracking_path(), params=params), self._context.now())
        items = [each.item for each in page_of(answer)[0] if each.item.get("OrderNumber") == number]
        codes = [str(item["ItemCode"])[:100] for item in items if item.get("ItemCode")]
        return f"{codes[-1] if codes else 'order'} (found there)" if items else None

    # --------------------------------------------------------------------------------------------------- in

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Events that are not done with, oldest first. Raises what the list raises, once nothing else waits."""
        done = await self._from_notes()
        for token in [token for token in self._waiting if token in done]:
            del self._waiting[token]
        now = self._context.now()
        if now >= self._next_look:
            try:
                await self._look(done, now)
            except TransientFailure:
                if not self._waiting:
                    raise
        return [self._read(each) for each in list(self._waiting.values())[:limit]]

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Note it: the post lists it for ever, and wants to hear nothing of it. Other tokens are nobody's."""
        if not is_token(token):
            return
        try:
            await asyncio.to_thread(self._notes.settle, token, self._context.now(), refusal)
        except OSError as error:
            raise TransientFailure(f"the notes cannot be written: {_told(error)}") from None
        self._waiting.pop(token, None)

    async def close(self) -> None:
        """Close the kept connections."""
        await self._caller.close()
        await self._pass.close()

    async def _from_notes(self) -> frozenset[str]:
        try:
            return await asyncio.to_thread(self._notes.done)
        except OSError as error:
            raise TransientFailure(f"the notes cannot be read: {_told(error)}") from None

    async def _look(self, done: frozenset[str], now: float) -> None:
        is_whole = now >= self._next_whole
        known = done | self._waiting.keys()
        found = await self._tracking.fresh(self._page, known, now, is_whole=is_whole)
        for each in found[: max(0, _MOST_WAITING - len(self._waiting))]:
            self._waiting[each.token] = each
        self._next_look = now + float(self._settings.get("poll_seconds", 300))
        if is_whole:
            self._next_whole = now + float(self._settings.get("whole_hours", 24)) * 3600
            keeps = float(self._settings.get("keep_days", 30)) * _DAY
            try:
                await asyncio.to_thread(self._notes.thin, now - 2 * keeps)
            except OSError as error:
                raise TransientFailure(f"the notes cannot be written: {_told(error)}") from None

    async def _page(self, number: int) -> Answer:
        settings = self._settings
        params = {
            **{str(name): str(value) for name, value in settings.get("tracking_parameters", {}).items()},
            str(settings.get("page_parameter", "page")): str(number),
            str(settings.get("page_size_parameter", "pagesize")): str(settings.get("page_size", 100)),
        }
        return succeeded(await self._ask("GET", self._tracking_path(), params=params), self._context.now())

    def _read(self, each: Tracked) -> Collected | Uncollectable:
        number = str(each.item.get("OrderNumber") or "").strip()
        if each.at is None or not number:
            return Uncollectable(each.token, "unreadable-tracking", _UNREADABLE)
        # Members that begin with an underscore are the list's own.
        said = {name: value for name, value in each.item.items() if not name.startswith("_")}
        read = self._wires["tracking"].inward({**said, "EventTime": each.at})
        data = read.data
        if read.faults or "code" not in data["event"]:
            return Uncollectable(each.token, "unreadable-tracking", _UNREADABLE)
        if (found := _OF_DOSSIER.match(number)) is not None:
            data["dossierCode"] = found[1]
        return self._bringer.message(
            "post.tracked", "1.0", data, subject=number, identity=[each.token], now=self._context.now(),
            token=each.token,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ calls

    def _tracking_path(self) -> str:
        return str(self._settings["tracking_path"])

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        return await self._pass.asked(
            lambda proof: self._caller.ask(method, path, params=params, fields={**(fields or {}), **proof}, body=body)
        )


def _ordered(answer: Answer, settings: Mapping[str, Any], now: float) -> HandedOver:
    """What the answer to an order means."""
    if answer.status in _NEVER:
        raise PermanentFailure(f"the post refuses the order with status {answer.status}", answer.status)
    value = succeeded(answer, now).json()
    status = value.get("Status") if isinstance(value, dict) else None
    if status is None or isinstance(status, dict | list | bool):
        # It may have been taken: the words for it are missing.
        raise TimedOut("the answer does not say whether the order was taken", answer.status)
    said = str(status).strip()
    if said == "100" or said in settings.get("known_statuses", ()):
        code = value.get("ItemCode")
        return HandedOver(answer.status, reference=None if code in {None, ""} else str(code)[:100])
    if said in settings.get("final_statuses", ()):
        raise PermanentFailure(f"the post refuses the order: Status {_plain(said)}", answer.status)
    raise TransientFailure(f"the post does not take the order: Status {_plain(said)}", answer.status)


def _plain(said: str) -> str:
    """A code for people to read; words may be about somebody."""
    return said if re.fullmatch(r"[A-Za-z0-9_.-]{1,20}", said) else "(words)"


def _told(error: OSError) -> str:
    return error.strerror or type(error).__name__


_UNREADABLE: Final = Text(
    "Mục hành trình này thiếu số vận đơn, mã trạng thái hoặc thời điểm đọc được. Đơn vị vận hành trục đề nghị bưu điện"
    " kiểm tra dữ liệu.",
    "This tracking item has no order number, no status code or no readable moment. The operator of the bus must ask the"
    " post to look at its data.",
)


def open_adapter(context: AdapterContext) -> VnPost:
    """The adapter of one system; raises Misconfigured where the settings cannot work."""
    return VnPost(context)
