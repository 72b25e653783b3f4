"""Late subscribers ask for what they missed; an operator sees what it would come to, and decides."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from gateway.core.backfill import OVER, Late, after
from gateway.core.contract import Catalog, Contract, is_gateways_own
from gateway.core.directory import Directory, System
from gateway.core.faults import IllegalStep, Rejected, Text, Violation
from gateway.core.moments import format_moment
from gateway.ports import AuditRow, Clock
from gateway.ports.backfills import Backfills, Request

Act = Literal["approve", "refuse", "cancel"]

#: Messages that a preview judges at most, and counts at most.
JUDGED: Final = 1000
COUNTED: Final = 100_000
_AT_ONCE: Final = 100
_LONGEST_REASON: Final = 500
_TOLD: Final[Mapping[Act, str]] = {"approve": "approved", "refuse": "refused", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a request would come to now: of ``messages`` that it means, ``judged`` were judged, the oldest first.

    ``due`` of the judged make a delivery, the others do not (``left_out``, by reason). ``messages`` is counted to
    COUNTED, ``judged`` to JUDGED.
    """

    messages: int
    judged: int
    due: int
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requests:
    """The step; it works beside a running gateway, which notices within a second. ``new_id`` makes an id never used."""

    backfills: Backfills
    directory: Callable[[], Directory]
    catalog: Callable[[], Catalog]
    clock: Clock
    new_id: Callable[[], str]

    async def ask(self, system: System, contract: str, since: float, until: float | None, reason: str) -> Request:
        """Keep what ``system`` asks for: messages of ``contract`` from ``since`` to before ``until``, or all since.

        Raises Rejected ``bad-request``, ``unknown-contract``, ``no-subscriber``; IllegalStep where it has an open
        request for the contract.
        """
        now = self.clock.now()
        if not since < (now if until is None else until) <= now:
            raise _refused("since", "since phải trước until, until không được ở tương lai",
                           "since must be before until, and until not in the future")  # fmt: skip
        reason = _reason(reason)
        if _asked_for(contract, self.catalog()) is None:
            raise Rejected(
                "unknown-contract",
                Text(
                    f"Không có hợp đồng {contract} để đề nghị nhận lại. Bên gọi xem danh sách tại /v1/contracts.",
                    f"There is no contract {contract} to ask for. The caller finds the list at /v1/contracts.",
                ),
            )
        if contract not in system.subscriptions:
            raise Rejected(
                "no-subscriber",
                Text(
                    f"{system.name} chưa đăng ký nhận {contract}. Cơ quan đề nghị đơn vị vận hành đăng ký trước,"
                    " rồi gửi lại đề nghị này.",
                    f"{system.name} does not subscribe to {contract}. The agency must have the subscription registered"
                    " first, then ask again.",
                ),
            )
        request = Request(self.new_id(), system.name, contract, since, until, reason, now)
        kept = await self.backfills.ask(request, AuditRow(now, system.name, "request.asked", _told(request)))
        if kept.id != request.id:
            raise IllegalStep(
                "illegal-state",
                Text(
                    f"Đã có đề nghị {kept.id} cho {contract} đang ở trạng thái {kept.phase.value}."
                    " Hãy chờ đề nghị đó kết thúc.",
                    f"There is the request {kept.id} for {contract}, which is {kept.phase.value}."
                    " Wait until that one has ended.",
                ),
            )
        return kept

    async def find(self, id_: str) -> Request:
        """One request; raises Rejected ``not-found``."""
        found = await self.backfills.find(id_.lower())
        if found is None:
            raise Rejected("not-found", Text(f"Không có đề nghị {id_}.", f"There is no request {id_}."))
        return found

    async def decide(self, id_: str, act: Act, *, reason: str, actor: str) -> Request:
        """Approve, refuse or cancel; what was delivered or is on its way stays so.

        Raises Rejected ``bad-request`` without a reason, ``not-found``; IllegalStep where its state does not allow it.
        """
        reason = _reason(reason)
        while True:
            before = await self.find(id_)
            now = self.clock.now()
            phase = after(before.phase, act)
            decided = replace(
                before, phase=phase, decided_by=actor, decision=reason, decided_at=now,
                ended_at=now if phase in OVER else None,
            )  # fmt: skip
            row = AuditRow(now, actor, f"request.{_TOLD[act]}", {"request": before.id, "reason": reason})
            if await self.backfills.change(before.phase, decided, row):
                return await self.find(before.id)

    async def count(self, request: Request) -> int:
        """How many messages a request means, counted to COUNTED."""
        return await self.backfills.count(request, most=COUNTED)

    async def preview(self, request: Request) -> Preview:
        """What a request would come to by today's rules; changes nothing."""
        late = late_of(request, self.directory(), self.catalog())
        messages = await self.count(request)
        if late is None:
            return Preview(messages, 0, 0)
        judged, due, place = 0, 0, 0
        left_out: Counter[str] = Counter()
        while judged < JUDGED and place < request.last:
            piece = await self.backfills.missed(request, after=place, limit=_AT_ONCE)
            deliveries, others = await asyncio.to_thread(late.weigh, piece.found, self.clock.now())
            judged, due, place = judged + len(piece.found), due + len(deliveries), piece.end
            left_out += others
        return Preview(messages, judged, due, dict(left_out))


def late_of(
    request: Request, directory: Directory, catalog: Catalog, *, pulling: frozenset[str] = frozenset()
) -> Late | None:
    """Who asks and by which rules; None where the system is gone, subscribes no more, or the contract is gone."""
    system = directory.system(request.system)
    contract = _asked_for(request.contract, catalog)
    if system is None or contract is None or contract.name not in system.subscriptions:
        return None
    return Late(system, contract, directory, is_pulled=system.adapter in pulling)


def _asked_for(name: str, catalog: Catalog) -> Contract | None:
    """The contract, where its messages may be asked for; outcomes go to nobody but the sender they are owed to."""
    contract = catalog.contract(name)
    return None if contract is None or contract.kind != "message" or is_gateways_own(name) else contract


def _told(request: Request) -> dict[str, Any]:
    told = {
        "request": request.id, "contract": request.contract, "since": format_moment(request.since),
        "reason": request.reason,
    }  # fmt: skip
    return told if request.until is None else {**told, "until": format_moment(request.until)}


def _reason(reason: str) -> str:
    reason = reason.strip()
    if reason and len(reason) <= _LONGEST_REASON:
        return reason
    raise _refused("reason", f"cần lý do, nhiều nhất {_LONGEST_REASON} ký tự",
                   f"a reason is needed, of at most {_LONGEST_REASON} characters")  # fmt: skip


def _refused(name: str, vi: str, en: str) -> Rejected:
    return Rejected(
        "bad-request",
        Text(f"Đề nghị chưa đúng ở {name}: {vi}.", f"The request is wrong at {name}: {en}."),
        (Violation(f"/{name}", "value", Text(vi, en)),),
    )
