"""Everything that ends comes back by the front door: an ended delivery becomes a receipt message to its sender.

The id of the outcome message follows from the delivery's id, the outcome and the number of replays: told
twice is told once. An outcome never earns a receipt itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.checkpoints import reach
from gateway.core.delivery import Delivery
from gateway.core.directory import Directory
from gateway.core.moments import format_moment
from gateway.core.receipt import OUTCOMES, outcome_key, receipt_payload
from gateway.core.routing import Route
from gateway.ports import Clock, Ledger, Record, RecordedDelivery
from gateway.relay.accept import Accept, derived_uuid

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """The step: what is owed comes from the ledger, what is told goes in by Accept."""

    ledger: Ledger
    accept: Accept
    directory: Callable[[], Directory]
    clock: Clock

    async def once(self) -> int:
        """Tell senders what they are owed; answers how many outcomes were looked at."""
        owing = await self.ledger.owing()
        for delivery in owing:
            await self._tell(delivery)
        if owing:
            reach("report.told")
            await self.ledger.outcome_told(owing)
        return len(owing)

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
        told = next((each for each in record.deliveries if each.delivery.id == delivery.id), None)
        members = self._members(delivery, record, kind, wish.version, told)
        await self.accept.own(members, (Route(sender, wish),))
        log.info("outcome.told", message_id=record.id, delivery_id=delivery.id, agency=sender.name, outcome=outcome)

    def _members(
        self, delivery: Delivery, record: Record, kind: str, version: str, told: RecordedDelivery | None
    ) -> dict[str, Any]:
        gateway = self.directory().gateway
        at = told.attempts[-1].ended_at if told is not None and told.attempts else self.clock.now()
        data = receipt_payload(
            OUTCOMES[delivery.state],
            id=record.id,
            digest=f"sha-256:{record.digest}",
            source=record.source,
            type=record.type,
            to=record.recipients,
            recipient=delivery.recipient,
            delivery=delivery.id,
            cause=delivery.cause,
            at=at,
            gateway=gateway,
        )
        return {
            "specversion": "1.0",
            "id": derived_uuid("outcome", outcome_key(delivery)),
            "source": gateway,
            "type": kind,
            "dataschema": f"urn:lgsp:contract:{kind}:{version}",
            "subject": record.id,
            "time": format_moment(self.clock.now()),
            "datacontenttype": "application/json",
            "to": delivery.source,
            "causationid": record.id,
            "data": data,
        }
