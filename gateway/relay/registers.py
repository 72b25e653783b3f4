"""Who is trusted with which item of a register: the first that tells of it; whoever comes second waits for an approver.

What is decided stands in the registry (rows of kind ``item``), so that it is judged from the picture of the registry
like an agreement, moves and is backed up with it, and every process has it within two seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import structlog

from gateway.config.picture import trust_of
from gateway.core.directory import Directory
from gateway.core.faults import Busy, Fault, IllegalStep, Rejected, Text, Violation
from gateway.core.moments import format_moment
from gateway.core.registers import SecondProvider, refuse_second
from gateway.ports import AuditRow, Clock, Ledger, RegistryRow

Act = Literal["approve", "reject"]

#: Items that one system is trusted with without anybody's decision, at most: a sender must not fill the registry.
MOST_ITEMS: Final = 500
#: Systems that wait for one item, and rejections that are remembered of it.
MOST_WAITING: Final = 50
_LONGEST_REASON: Final = 500
#: How often a change of the registry is tried where others change it at the same moment.
_TRIES: Final = 20

log = structlog.get_logger()


@dataclass(slots=True)
class Registers:
    """The step; it works beside a running gateway."""

    ledger: Ledger
    directory: Callable[[], Directory]
    clock: Clock
    #: What was found out that the picture of the registry, at this version, does not tell yet: item and system.
    _known: dict[tuple[str, str], Fault | None] = field(default_factory=dict)
    _at: int = -1

    async def claim(self, item: str, system: str, now: float) -> Fault | None:
        """``system`` tells of an item with which nobody is trusted: it is from now on, durably; or a fault.

        Of two at the same moment one is the second: it gets SecondProvider. Raises Busy where the registry is changed
        by too many at once.
        """
        version = self.directory().version
        if version != self._at:
            self._known, self._at = {}, version
        if (item, system) not in self._known:
            self._known[item, system] = await self._claimed(item, system, now)
        return self._known[item, system]

    async def _claimed(self, item: str, system: str, now: float) -> Fault | None:
        for _ in range(_TRIES):
            version, rows = await self.ledger.registry()
            items = {row.key: row for row in rows if row.kind == "item"}
            if item in items:
                try:
                    refuse_second(trust_of(item, items[item].body), system)
                except SecondProvider as fault:
                    return fault
                return None
            mine = sum(row.body["provider"] == system and row.body["by"] == "first" for row in items.values())
            if mine >= MOST_ITEMS:
                return _too_many(system)
            row = RegistryRow("item", item, "console", {"provider": system, "since": format_moment(now), "by": "first"})
            if await self._written(version, row, AuditRow(now, system, "register.claimed", {"item": item})):
                log.info("register.claimed", item=item, agency=system)
                return None
        raise _busy()

    async def note(self, item: str, system: str, now: float) -> None:
        """A second provider was refused: it waits for a decision, once. Nothing where it waits or was rejected."""
        known = self.directory().trusts.get(item)
        if known is not None and (system in {*known.waiting, *known.rejected} or len(known.waiting) >= MOST_WAITING):
            return
        for _ in range(_TRIES):
            version, row = await self._read(item)
            if row is None:
                return
            waiting = row.body.get("waiting", {})
            if (
                system in waiting
                or system in row.body.get("rejected", {})
                or system == row.body["provider"]
                or len(waiting) >= MOST_WAITING
            ):
                return
            body = {**row.body, "waiting": {**waiting, system: {"since": format_moment(now)}}}
            audit = AuditRow(now, system, "register.asked", {"item": item, "provider": row.body["provider"]})
            if await self._written(version, RegistryRow("item", item, row.origin, body), audit):
                log.warning("register.second-provider", item=item, agency=system, provider=row.body["provider"])
                return

    async def listed(self) -> list[RegistryRow]:
        """Every item, those with somebody waiting first, then by name."""
        _, rows = await self.ledger.registry()
        found = [row for row in rows if row.kind == "item"]
        return sorted(found, key=lambda row: (not row.body.get("waiting"), row.key))

    async def find(self, item: str) -> RegistryRow:
        """One item; raises Rejected ``not-found``."""
        _, row = await self._read(item)
        if row is None:
            raise _unknown(item)
        return row

    async def decide(self, item: str, system: str, act: Act, *, reason: str, actor: str) -> RegistryRow:
        """Approve: the item is trusted to ``system`` from now on, in place of its provider. Reject: it stays refused.

        What was accepted is not touched. One that was rejected may be approved later; a provider is replaced by
        approving another. Raises Rejected ``bad-request`` without a reason, ``not-found``; IllegalStep where the system
        has not asked, or is the provider.
        """
        reason = _reason(reason)
        for _ in range(_TRIES):
            version, row = await self._read(item)
            if row is None:
                raise _unknown(item)
            body = _decided(
                row.body, system, act, {"at": format_moment(self.clock.now()), "by": actor, "reason": reason}
            )
            if body is None:
                raise _not_asked(item, system)
            phase = "approved" if act == "approve" else "rejected"
            details = {"item": item, "system": system, "was": row.body["provider"], "reason": reason}
            audit = AuditRow(self.clock.now(), actor, f"register.{phase}", details)
            decided = RegistryRow("item", item, row.origin, body)
            if await self._written(version, decided, audit):
                return decided
        raise _busy()

    async def _read(self, item: str) -> tuple[int, RegistryRow | None]:
        version, rows = await self.ledger.registry()
        return version, next((row for row in rows if row.kind == "item" and row.key == item), None)

    async def _written(self, version: int, row: RegistryRow, audit: AuditRow) -> bool:
        return await self.ledger.change_registry(version, put=[row], delete=[], audit=[audit])


def _decided(body: Mapping[str, Any], system: str, act: Act, said: Mapping[str, str]) -> dict[str, Any] | None:
    """What the row says after the decision; None where there is nothing to decide."""
    waiting, rejected = dict(body.get("waiting", {})), dict(body.get("rejected", {}))
    if system not in waiting and (system not in rejected or act == "reject"):
        return None
    waiting.pop(system, None)
    rejected.pop(system, None)
    if act == "approve":
        new = {"provider": system, "since": said["at"], "by": said["by"], "reason": said["reason"],
               "before": body["provider"]}  # fmt: skip
    else:
        new = {name: value for name, value in body.items() if name not in {"waiting", "rejected"}}
        rejected = dict([*rejected.items(), (system, dict(said))][-MOST_WAITING:])
    return {**new, "waiting": waiting, "rejected": rejected}


def _reason(reason: str) -> str:
    reason = reason.strip()
    if reason and len(reason) <= _LONGEST_REASON:
        return reason
    what = Text(f"cần lý do, nhiều nhất {_LONGEST_REASON} ký tự",
                f"a reason is needed, of at most {_LONGEST_REASON} characters")  # fmt: skip
    said = Text(f"Đề nghị chưa đúng ở reason: {what.vi}.", f"The request is wrong at reason: {what.en}.")
    raise Rejected("bad-request", said, (Violation("/reason", "value", what),))


def _unknown(item: str) -> Rejected:
    return Rejected(
        "not-found",
        Text(
            f"Chưa hệ thống nào cung cấp {item}. Người vận hành xem danh sách: lgsp registers list.",
            f"No system has told of {item} yet. The operator finds the list by lgsp registers list.",
        ),
    )


def _not_asked(item: str, system: str) -> IllegalStep:
    return IllegalStep(
        "illegal-state",
        Text(
            f"{system} không chờ duyệt cho {item}. Xem ai đang chờ: lgsp registers show {item}.",
            f"{system} does not wait for a decision on {item}. Who does: lgsp registers show {item}.",
        ),
    )


def _too_many(system: str) -> Rejected:
    return Rejected(
        "no-agreement",
        Text(
            f"{system} đã là nơi cung cấp đầu tiên của {MOST_ITEMS} mục; không nhận thêm mục mới. Bên gửi dùng keySpace"
            " cho phạm vi lớn hơn (huyện, cơ quan), không phải cho từng bản ghi.",
            f"{system} is the first provider of {MOST_ITEMS} items already; no new one is taken. The sender must use"
            " keySpace for larger spaces (a district, an agency), not for each record.",
        ),
    )


def _busy() -> Busy:
    return Busy(
        "overloaded",
        Text(
            "Đăng ký của trục đang được thay đổi liên tục. Bên gửi thử lại sau ít giây.",
            "The registry is being changed all the time. The sender should try again in a few seconds.",
        ),
        retry_after=5.0,
    )
