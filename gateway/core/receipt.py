"""Receipts (biên nhận): what the gateway took responsibility for, as exact bytes and as a compact JWS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import orjson

from gateway.core.delivery import Delivery, State
from gateway.core.jws import Signer
from gateway.core.moments import format_moment

TYP: Final = "receipt+jws"
Outcome = Literal["accepted", "delivered", "refused", "expired", "discarded"]
#: The state in which a delivery ends -> the receipt its sender gets.
OUTCOMES: Final[dict[State, Outcome]] = {
    State.DELIVERED: "delivered",
    State.DEAD: "refused",
    State.EXPIRED: "expired",
    State.DISCARDED: "discarded",
}


def receipt_payload(
    outcome: Outcome,
    *,
    id: str,
    digest: str,
    source: str,
    type: str,
    to: Sequence[str],
    at: float,
    gateway: str,
    recipient: str | None = None,
    delivery: str | None = None,
    delivered_digest: str | None = None,
    cause: str | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """The members of a receipt; ``digest`` as ``sha-256:HEX`` of the original envelope, absent members left out."""
    members: dict[str, Any] = {"receipt": outcome, "id": id, "digest": digest, "source": source, "type": type}
    members["to"] = list(to)
    optional = {
        "recipient": recipient, "delivery": delivery, "delivered_digest": delivered_digest, "cause": cause,
        "reason": reason,
    }  # fmt: skip
    members.update({name: value for name, value in optional.items() if value is not None})
    members["at"] = format_moment(at)
    members["gateway"] = gateway
    return members


def payload_bytes(members: dict[str, Any]) -> bytes:
    """The exact bytes that are signed and that become a leaf of the journal: UTF-8, no blanks between."""
    return orjson.dumps(members)


def sign_receipt(payload: bytes, signer: Signer) -> str:
    """The receipt as compact JWS under ``typ`` receipt+jws and the gateway's ``kid``."""
    return signer.sign(TYP, payload).decode("ascii")


def outcome_key(delivery: Delivery) -> str:
    """What makes an outcome message one of its kind: delivery, outcome, number of replays."""
    return f"{delivery.id}:{OUTCOMES[delivery.state]}:{delivery.replays}"
