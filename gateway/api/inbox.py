"""The inbox: a recipient that nobody can call leases its deliveries and settles them (adapters that pull)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS, Parcelled
from gateway.api.identity import system_of
from gateway.api.problems import bad_request
from gateway.core.directory import System
from gateway.core.faults import Rejected, Text, Violation

#: How often a waiting lease looks whether its caller is still there, in seconds.
_LOOK: Final = 1.0
_MOST_ITEMS: Final = 5_000
_LONGEST_REASON: Final = 500
_LONGEST_RECEIPT: Final = 64 * 1024
_LONGEST_LATER: Final = 30 * 86400
#: Set when the gateway stops: waiting leases end at once, empty-handed.
CLOSING: Final = web.AppKey("CLOSING", asyncio.Event)


async def lease(request: web.Request) -> web.Response:
    """Lease due deliveries; waits up to ``wait`` seconds for the first one."""
    system = _puller(request)
    form = _Form(await read_json_object(request))
    most = int(form.number("max", 10, 1, 500, whole=True))
    wait = form.number("wait", 0, 0, 60)
    visibility = form.number("visibility", 30, 1, 3600)
    form.judge()
    pull = request.app[DOORS].pull
    if wait == 0:
        leased = await pull.lease(system, max=most, wait=0, visibility=visibility)
    else:
        leased = await _patiently(request, pull.lease(system, max=most, wait=wait, visibility=visibility))
    return json_answer(
        {
            "deliveries": [
                {"delivery": each.delivery, "attempt": each.attempt, "envelope": each.envelope}
                | ({"carried": list(each.carried)} if each.carried else {})
                for each in leased
            ]
        }
    )


async def settle(request: web.Request) -> web.Response:
    """Say of leased deliveries: taken, refused for good, or later."""
    system = _puller(request)
    form = _Form(await read_json_object(request))
    taken = form.taken()
    refused = form.refused()
    later = form.later()
    form.only_once(taken, refused, later)
    form.judge()
    settled, unknown = await request.app[DOORS].pull.settle(
        system,
        taken=list(taken.items()),
        refused=list(refused.items()),
        later=list(later.items()),
    )
    return json_answer({"settled": settled, "unknown": [form.as_given.get(each, each) for each in unknown]})


def _puller(request: web.Request) -> System:
    system = system_of(request)
    if system.adapter not in request.app[DOORS].pulling:
        raise Rejected(
            "forbidden",
            Text(
                "Hệ thống này không nhận qua hộp thư (adapter của nó được trục gọi). Cơ quan liên hệ đơn vị vận hành để"
                " đổi.",
                "This system does not receive by inbox (the bus calls its adapter). The agency must ask the operator.",
            ),
        )
    return system


async def _patiently(request: web.Request, leasing: Awaitable[Sequence[Parcelled]]) -> Sequence[Parcelled]:
    """Wait for the lease, but not for a caller who left, and not while the gateway stops."""
    task = asyncio.ensure_future(leasing)
    closing = asyncio.ensure_future(request.app[CLOSING].wait())
    try:
        while not task.done():
            await asyncio.wait({task, closing}, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
            gone = request.transport is None or request.transport.is_closing()
            if not task.done() and (closing.done() or gone):
                return ()
        return task.result()
    finally:
        closing.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _Form:
    """A JSON body being read: members of the wrong kind become violations, all told at once."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members
        self.violations: list[Violation] = []
        #: Ids compare without case; this is how the caller wrote them.
        self.as_given: dict[str, str] = {}

    def wrong(self, pointer: str, rule: str, vi: str, en: str) -> None:
        self.violations.append(Violation(pointer, rule, Text(vi, en)))

    def judge(self) -> None:
        """Raise Rejected ``bad-request`` where anything was wrong."""
        if self.violations:
            raise bad_request(*self.violations[:50])

    def number(self, name: str, default: float, least: float, most: float, *, whole: bool = False) -> float:
        value = self.members.get(name, default)
        return self._number(f"/{name}", value, least, most, whole=whole)

    def _number(self, pointer: str, value: Any, least: float, most: float, *, whole: bool = False) -> float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or (whole and value != int(value)):
            self.wrong(pointer, "type", *(("Phải là số nguyên.", "Must be a whole number.") if whole
                                          else ("Phải là số.", "Must be a number.")))  # fmt: skip
            return least
        if not least <= value <= most:
            self.wrong(
                pointer,
                "minimum" if value < least else "maximum",
                f"Phải từ {least:g} đến {most:g}.",
                f"Must be from {least:g} to {most:g}.",
            )
            return least
        return float(value)

    def taken(self) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}
        for pointer, item in self._items("taken"):
            name = self._id(pointer, {"delivery": item} if isinstance(item, str) else item)
            receipt = item.get("receipt") if isinstance(item, dict) else None
            if receipt is not None and (not isinstance(receipt, str) or len(receipt) > _LONGEST_RECEIPT):
                self.wrong(f"{pointer}/receipt", "type", "Phải là chuỗi JWS dạng gọn.", "Must be a compact JWS string.")
            elif name is not None:
                found[name] = receipt.encode("utf-8", "replace") if receipt is not None else found.get(name)
        return found

    def refused(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for pointer, item in self._items("refused"):
            name = self._id(pointer, item)
            reason = item.get("reason") if isinstance(item, dict) else None
            if not isinstance(reason, str) or not reason.strip():
                self.wrong(f"{pointer}/reason", "required", "Phải nêu lý do từ chối.", "Must say why it is refused.")
            elif name is not None:
                found[name] = reason.strip()[:_LONGEST_REASON]
        return found

    def later(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for pointer, item in self._items("later"):
            name = self._id(pointer, item)
            seconds = item.get("seconds") if isinstance(item, dict) else None
            value = self._number(f"{pointer}/seconds", seconds, 0, _LONGEST_LATER)
            if name is not None:
                found[name] = value
        return found

    def only_once(self, *lists: dict[str, Any]) -> None:
        """A delivery may stand in one of the lists only."""
        seen: set[str] = set()
        for each in lists:
            for name in sorted(each.keys() & seen):
                self.wrong(
                    "",
                    "unique",
                    f"Lượt chuyển {name} nằm trong hai danh sách.",
                    f"The delivery {name} stands in two of the lists.",
                )
            seen |= each.keys()

    def _items(self, name: str) -> list[tuple[str, Any]]:
        value = self.members.get(name, [])
        if not isinstance(value, list):
            self.wrong(f"/{name}", "type", "Phải là một danh sách.", "Must be a list.")
            return []
        if len(value) > _MOST_ITEMS:
            self.wrong(f"/{name}", "maxItems", f"Tối đa {_MOST_ITEMS} mục.", f"At most {_MOST_ITEMS} items.")
            return []
        return [(f"/{name}/{index}", item) for index, item in enumerate(value)]

    def _id(self, pointer: str, item: Any) -> str | None:
        name = item.get("delivery") if isinstance(item, dict) else None
        if not isinstance(name, str):
            self.wrong(f"{pointer}/delivery", "required", "Phải nêu mã lượt chuyển.", "Must name the delivery's id.")
            return None
        self.as_given.setdefault(name.lower(), name)
        return name.lower()
