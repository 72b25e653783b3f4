"""Everything that ends comes back by the front door: an ended delivery becomes a receipt message to its sender.

The id of the outcome message follows from the delivery's id, the outcome and the number of replays: told
twice is told once. An outcome never earns a receipt itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from gateway.checkpoints import reach
from gateway.core.delivery import Delivery
from gateway.core.directory import Directory
from gateway.core.moments import format_moment
from gateway.core.receipt import OUTCOMES, outcome_key
from gateway.core.routing import Route
from gateway.core.strictjson import parse_strict
from gateway.ports import Clock, Ledger, Record
from gateway.relay.accept import Accept, derived_uuid

#: Outcomes told side by side.
_TOGETHER: Final = 200

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """The step: what is owed comes from the ledger, what is told goes in by Accept."""

    ledger: Ledger
    accept: Accept
    directory: Callable[[], Directory]
    clock: Clock

    async def once(self) -> int:
        """Tell senders what they are owed; answers how many outcomes were looked at.

        Told side by side, so that many share a transaction; one that cannot be told holds back no other.
        """
        looked_at = 0
        while owing := await self.ledger.owing(_TOGETHER):
            ends = await asyncio.gather(*(self._tell(delivery) for delivery in owing), return_exceptions=True)
            told = [delivery for delivery, end in zip(owing, ends, strict=True) if end is None]
            for delivery, end in zip(owing, ends, strict=True):
                if end is not None:
                    log.error("step.failed", step="report", delivery_id=delivery.id, exc_info=end)
            looked_at += len(owing)
            if told:
                reach("report.told")
                await self.ledger.outcome_told(told)
            if len(owing) < _TOGETHER or len(told) < len(owing):
                break
        return looked_at

    async def _tell(self, delivery: Delivery) -> None:
        record = await self.ledger.find(delivery.message)
        directory = self.directory()
        sender = directory.system(delivery.source)
        outcome = OUTCOMES.get(delivery.state)
        if record is None or sender is None or outcome is None:
            return
        kind = f"receipt.{outcome}"
        wish = directory.wants(sender, kind, directory.gateway.partition("/")[0], record.id)
        if wish is None:
            return
        members = await self._members(delivery, record, kind, wish.version)
        if members is None:
            return
        await self.accept.own(members, (Route(sender, wish),))
        log.info("outcome.told", message_id=record.id, delivery_id=delivery.id, agency=sender.name, outcome=outcome)

    async def _members(self, delivery: Delivery, record: Record, kind: str, version: str) -> dict[str, Any] | None:
        payload = await self.ledger.owed(delivery.id)
        if payload is None:
            return None
        return {
            "specversion": "1.0",
            "id": derived_uuid("outcome", outcome_key(delivery)),
            "source": self.directory().gateway,
            "type": kind,
            "dataschema": f"urn:lgsp:contract:{kind}:{version}",
            "subject": record.id,
            "time": format_moment(self.clock.now()),
            "datacontenttype": "application/json",
            "to": delivery.source,
            "causationid": record.id,
            "data": parse_strict(payload),
        }
