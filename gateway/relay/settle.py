"""How an attempt's end becomes a step of its delivery: state, attempt, receipt and the outcome owed, as one change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.delivery import Delivery, Signal
from gateway.core.directory import Directory
from gateway.core.receipt import OUTCOMES, payload_bytes, receipt_payload
from gateway.ports import Attempt, Change


@dataclass(frozen=True, slots=True)
class Origin:
    """What receipts name of the message: its id as sent, digest (hex), type, recipients."""

    id: str
    digest: str
    type: str
    recipients: Sequence[str]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Makes changes that carry their receipt payload and say whether the sender is owed an outcome message."""

    directory: Callable[[], Directory]

    def change(
        self,
        before: Delivery,
        signal: Signal,
        origin: Origin,
        *,
        at: float,
        attempt: Attempt | None = None,
        delivered_digest: str | None = None,
        proof: bytes | None = None,
        reason: str | None = None,
    ) -> Change:
        """The step of ``before`` under ``signal``; raises IllegalStep.

        ``delivered_digest`` (``sha-256:HEX``) where something else than the original envelope went out; ``reason``
        where the bus itself has one that the sender is to know.
        """
        after = before.after(signal)
        outcome = OUTCOMES.get(after.state)
        if outcome is None:
            return Change(before, after, attempt)
        directory = self.directory()
        if before.source == directory.gateway:
            return Change(before, after, attempt, proof=proof)
        payload = receipt_payload(
            outcome,
            id=origin.id,
            digest=f"sha-256:{origin.digest}",
            source=before.source,
            type=origin.type,
            to=origin.recipients,
            recipient=before.recipient,
            delivery=before.id,
            delivered_digest=delivered_digest,
            cause=after.cause,
            reason=reason,
            at=at,
            gateway=directory.gateway,
        )
        sender = directory.system(before.source)
        owed = sender is not None and f"receipt.{outcome}" in sender.subscriptions
        if owed != after.owes_outcome:
            after = after.but(owes_outcome=owed)
        return Change(before, after, attempt, leaf=payload_bytes(payload), proof=proof)
