"""The post in small, written from the facts page: orders in, a tracking list out that nobody can mark as read.

Faults besides the counter's: ``number_status`` (Status as a number), ``bare`` (no ``_embedded`` where a list should
be), ``shifts`` (events that are added between two pages), ``item_code`` off. An order that comes again is the same
order, known by its number.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.ports import Parcel

CUSTOMER: Final = "KHMAU01"
#: Made up for this stand-in alone.
TOKEN: Final = "the-mau-cua-buu-dien-7"  # noqa: S105
_ORDER: Final = {"CustomerCode", "OrderNumber", "SenderAddress", "SenderName", "ReceiverName", "ReceiverAddress"}
_DOCUMENTS: Final = {"CustomerCode", "OrderNumber", "IsSendDocument", "DocumentSender", "IsReceiveResult"}
_VIET_NAM: Final = timedelta(hours=7)
_NOTES: Final = "var/vnpost"


@dataclass(slots=True)
class Order:
    """What was ordered, and under which delivery id it came first."""

    number: str
    item: str
    body: dict[str, Any]
    delivery: str
    times: int = 1
    is_cancelled: bool = False


@dataclass(slots=True)
class Post:
    """The post, for one customer. ``page``: events a page. ``time_form``: how EventTime is written."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    page: int = 3
    time_form: str = "%Y-%m-%dT%H:%M:%S+07:00"
    newest_first: bool = True
    number_status: bool = False
    bare: bool = False
    gives_item_code: bool = True
    shifts: list[tuple[str, str, str]] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    #: Statuses for the next orders, one each, instead of "100".
    refusal: list[str] = field(default_factory=list)
    clock: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=1))
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        routes = [
            web.post("/order", self._order),
            web.post("/document-order", self._document_order),
            web.get("/tracking", self._tracking),
        ]
        self.counter = Counter(routes, self.faults, posts=frozenset({"/order", "/document-order"}))

    # ------------------------------------------------------------------------------------- for those who watch

    def move(self, order: str, code: str, message: str) -> str:
        """Something happened to an order, a minute after what happened before. The event's id."""
        self.clock += timedelta(minutes=1)
        known = self.orders.get(order)
        its_id = f"{next(self._numbers):024x}"
        event: dict[str, Any] = {
            "_id": {"$oid": its_id},
            "CustomerCode": CUSTOMER,
            "OrderNumber": order,
            "EventTime": (self.clock + _VIET_NAM).strftime(self.time_form),
            "POSID": "920000",
            "ItemCode": known.item if known else "",
            "StatusCode": code,
            "StatusMessage": message,
            "Notes": None,
        }
        self.events.append(event)
        return its_id

    def cancel(self, order: str) -> str:
        """The order is cancelled at the post's own counter: nobody asked for it by the interface."""
        self.orders[order].is_cancelled = True
        return self.move(order, "HUY", "Đơn hàng đã huỷ")

    async def arrivals(self) -> list[str]:
        """Delivery ids of the orders, each under the id by which it came first."""
        return [order.delivery for order in self.orders.values()]

    async def go_down(self) -> None:
        """Be out of reach."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as an order whose description is what the parcel's document is about."""
        code = "000.00.00.H33-261123-0001"
        somebody = {"name": "Nguyễn Văn Mẫu", "address": "Số 1 đường Mẫu", "phone": "0900000000"}
        data = {
            "dossierCode": code, "orderNumber": f"{code}-{parcel.delivery[:8]}", "kind": "result",
            "sender": somebody, "receiver": somebody, "description": str(parcel.event["data"].get("subject", "")),
        }  # fmt: skip
        kind = {"type": "post.ordered", "dataschema": "urn:lgsp:contract:post.ordered:1.0"}
        return replace(parcel, event={**parcel.event, **kind, "subject": data["orderNumber"], "data": data})

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A message that is no order."""
        return replace(parcel, event={**parcel.event, "type": "document.issued"})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """An event has happened that says what ``event`` is about."""
        data = event["data"]
        self.move(f"000.00.00.H33-261123-0001-{event['id'][:8]}", "DEN", str(data.get("subject", "")))

    async def drop_rubbish(self) -> None:
        """An event that says neither when nor to what it happened."""
        self.events.append({"_id": {"$oid": f"{next(self._numbers):024x}"}, "EventTime": "hôm qua"})

    async def waiting(self) -> list[str]:
        """Ids of the events that nobody noted as done with."""
        done = {line["token"] for line in self._notes()}
        ids = [str(event["_id"]["$oid"]) for event in self.events]
        return [each for each in ids if f"track:{each}" not in done]

    async def refusals(self) -> list[str]:
        """What was noted of events that the bus refused."""
        return [f"{line['refused']}: {line['vi']} {line['en']}" for line in self._notes() if "refused" in line]

    def _notes(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / _NOTES).glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]

    # ------------------------------------------------------------------------------------------------ the doors

    def _stranger(self, request: web.Request) -> web.Response | None:
        if self.faults.strikes("unauthorized") or request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"Status": "401", "Message": "Unauthorized"}, status=401)
        return None

    async def _order(self, request: web.Request) -> web.Response:
        return await self._taken(request, _ORDER)

    async def _document_order(self, request: web.Request) -> web.Response:
        return await self._taken(request, _DOCUMENTS)

    async def _taken(self, request: web.Request, needed: set[str]) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        body = json.loads(await request.read())
        if not needed <= set(body) or body["CustomerCode"] != CUSTOMER:
            return self._answer("99", "Thiếu dữ liệu")
        if self.refusal:
            return self._answer(self.refusal.pop(0), "…")
        known = self.orders.get(body["OrderNumber"])
        if known is None:
            item = f"EM{len(self.orders) + 1:09d}VN"
            known = Order(body["OrderNumber"], item, body, request.headers.get("lgsp-delivery", ""))
            self.orders[known.number] = known
            self.move(known.number, "MOI", "Đã nhận đơn hàng")
        else:
            known.times += 1
        if self.faults.strikes("missing"):
            return web.json_response({})
        return self._answer("100", "Thành công", known.item)

    def _answer(self, status: str, message: str, item: str = "") -> web.Response:
        told: dict[str, Any] = {"Status": int(status) if self.number_status else status, "Message": message}
        if item and self.gives_item_code:
            told["ItemCode"] = item
        return web.json_response(told)

    async def _tracking(self, request: web.Request) -> web.Response:
        if (no := self._stranger(request)) is not None:
            return no
        wanted = json.loads(request.query.get("filter", "{}")).get("OrderNumber")
        number = int(request.query.get("page", "1"))
        if number > 1 and self.shifts:
            self.move(*self.shifts.pop(0))
        found = [each for each in self.events if wanted is None or each.get("OrderNumber") == wanted]
        if self.newest_first:
            found.reverse()
        shown = found[(number - 1) * self.page : number * self.page]
        total = -(-len(found) // self.page)
        told: dict[str, Any] = {"_size": len(found), "_total_pages": total, "_returned": len(shown)}
        if (shown or not self.bare) and not self.faults.strikes("missing"):
            told["_embedded"] = {"rh:doc": shown * (2 if self.faults.twice else 1)}
        return web.json_response(told)


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Post]:
    """A post whose settings fit the adapter beside this file; its secret is a file under ``folder``."""
    post = Post(folder)
    await post.counter.start()
    file = folder / "keys" / "vnpost.token"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{TOKEN}\n")
    post.settings = {
        "url": post.counter.url, "order_path": "/order", "document_order_path": "/document-order",
        "tracking_path": "/tracking", "customer_code": CUSTOMER, "token_file": "keys/vnpost.token",
        "find_parameters": {"filter": '{"OrderNumber":"{order}"}'}, "page_size": 3, "poll_seconds": 0, "timeout": 5,
        "to": ["H33.16"],
    }  # fmt: skip
    try:
        yield post
    finally:
        await post.counter.stop()
