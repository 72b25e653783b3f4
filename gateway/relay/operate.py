"""What an operator does to deliveries and destinations: hold, release, replay, discard; who and why is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.core.delivery import Delivery, Discarded, Replayed, Signal
from gateway.core.directory import Directory
from gateway.core.faults import IllegalStep, Rejected, Text
from gateway.ports import AuditRow, Clock, Ledger
from gateway.relay.settle import Origin, Settlement

_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Operate:
    """The step; it works beside a running gateway, which notices within a second."""

    ledger: Ledger
    directory: Callable[[], Directory]
    settlement: Settlement
    clock: Clock

    async def hold(self, recipient: str, reason: str, actor: str) -> int:
        """Put a destination on hold; answers how many deliveries wait now. Raises Rejected ``not-found``."""
        name = self._system(recipient)
        now = self.clock.now()
        return await self.ledger.hold(name, at=now, audit=self._row("destination.held", actor, reason, recipient=name))

    async def release(self, recipient: str, reason: str, actor: str) -> int:
        """Lift a hold; answers how many deliveries go on. Raises Rejected ``not-found``."""
        name = self._system(recipient)
        now = self.clock.now()
        row = self._row("destination.released", actor, reason, recipient=name)
        return await self.ledger.release(name, at=now, audit=row)

    async def replay(self, id_: str, reason: str, actor: str) -> Delivery:
        """Put one dead delivery back; raises IllegalStep where it is not dead or its ``expirytime`` has passed."""
        now = self.clock.now()
        return await self._step(id_, Replayed(now), self._row("delivery.replayed", actor, reason, delivery=id_), now)

    async def discard(self, id_: str, reason: str, actor: str) -> Delivery:
        """Take one delivery out for good; its lane goes on and its sender is told."""
        now = self.clock.now()
        return await self._step(id_, Discarded(), self._row("delivery.discarded", actor, reason, delivery=id_), now)

    async def _step(self, id_: str, signal: Signal, row: AuditRow, now: float) -> Delivery:
        for _ in range(_TRIES):
            delivery = await self.ledger.delivery(id_)
            record = None if delivery is None else await self.ledger.find(delivery.message)
            if delivery is None or record is None:
                raise Rejected("not-found", Text(f"Không có lượt chuyển {id_}.", f"There is no delivery {id_}."))
            if isinstance(signal, Replayed) and delivery.expires is not None and delivery.expires <= now:
                raise IllegalStep(
                    "illegal-state",
                    Text(
                        "Thông điệp đã quá expirytime, không thể gửi lại. Bên gửi phải gửi thông điệp mới.",
                        "The message is past its expirytime and cannot be replayed. The sender must send a new one.",
                    ),
                )
            origin = Origin(record.id, record.digest, record.type, record.recipients)
            change = replace(self.settlement.change(delivery, signal, origin, at=now), audit=row)
            (written,) = await self.ledger.record_many([change], now=now)
            if written:
                return change.after
        raise IllegalStep(
            "illegal-state",
            Text(
                "Lượt chuyển đang thay đổi liên tục. Hãy thử lại sau vài giây.",
                "The delivery keeps changing. Try again in a few seconds.",
            ),
        )

    def _system(self, name: str) -> str:
        system = self.directory().system(name)
        if system is None:
            raise Rejected(
                "not-found",
                Text(
                    f"Danh mục không có hệ thống {name}. Người vận hành hãy kiểm tra lại tên, dạng MÃ_CƠ_QUAN/tên.",
                    f"The registry has no system {name}. The operator checks the name, in the form CODE/name.",
                ),
            )
        return system.name

    def _row(self, event: str, actor: str, reason: str, **details: Any) -> AuditRow:
        return AuditRow(self.clock.now(), actor, event, {**details, "reason": reason[:500]})
