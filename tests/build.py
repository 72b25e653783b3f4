"""Builders: a message, a delivery, an attempt; sensible by default, one override a test."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from gateway.core.delivery import Delivery, new_delivery
from gateway.ports import Attempt, AuditRow, NewMessage

#: A Monday morning on which every test begins (2026-11-23T01:00:00Z, eight in Viet Nam).
MORNING = 1795395600.0
SENDER = "H33.05/dms"
RECIPIENT = "H33.16/dms"


def a_key(name: str | int) -> str:
    """The UUID of a message told apart by ``name``: the same name, the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:test:{name}"))


def a_digest(name: str | int) -> str:
    """A SHA-256 in lower-case hex told apart by ``name``."""
    return hashlib.sha256(str(name).encode()).hexdigest()


def a_delivery(name: str | int = 1, **override: Any) -> Delivery:
    """A queued delivery of message ``name`` to RECIPIENT, accepted in the MORNING; fields as of ``new_delivery``
    (``subject``, ``ordered``, ``accepted_at``) or of ``Delivery`` itself (``state``, ``due``, …) may be overridden."""
    made: dict[str, Any] = {
        "message": a_key(name),
        "source": SENDER,
        "subject": f"subject {name}",
        "recipient": RECIPIENT,
        "contract": "document.issued/1.0",
        "ordered": True,
        "priority": 0,
        "accepted_at": MORNING,
        "notbefore": None,
        "expires": None,
        "patience": 1209600.0,
    }
    fields = {key: override.pop(key) for key in made.keys() & override.keys()}
    return new_delivery(**{**made, **fields}).but(**override)


def a_message(name: str | int = 1, *, to: tuple[str, ...] = (RECIPIENT,), **override: Any) -> NewMessage:
    """A message told apart by ``name``, to the recipients ``to``, one delivery each, accepted in the MORNING.

    What belongs to its deliveries (``subject``, ``ordered``, ``priority``, ``notbefore``, ``expires``, ``patience``,
    ``contract``) may be overridden beside the message's own fields.
    """
    key = override.get("key", a_key(name))
    source = override.get("source", SENDER)
    subject = override.get("subject", f"subject {name}")
    accepted_at = override.get("accepted_at", MORNING)
    of_deliveries = {
        field: override.pop(field)
        for field in ("ordered", "priority", "notbefore", "expires", "patience", "contract")
        if field in override
    }
    deliveries = tuple(
        a_delivery(
            name,
            message=key,
            source=source,
            subject=subject,
            accepted_at=accepted_at,
            recipient=recipient,
            **of_deliveries,
        )
        for recipient in to
    )
    made: dict[str, Any] = {
        "key": key,
        "id": key.upper(),
        "source": source,
        "type": "document.issued",
        "version": "1.0",
        "subject": subject,
        "accepted_at": accepted_at,
        "digest": a_digest(f"envelope {name}"),
        "repeat_digest": a_digest(f"payload {name}"),
        "envelope": f"envelope.of.{name}".encode(),
        "recipients": to,
        "receipt": f"receipt.of.{name}",
        "receipt_payload": f'{{"receipt":"accepted","id":"{key}"}}'.encode(),
        "deliveries": deliveries,
    }
    return NewMessage(**{**made, **override})


def an_attempt(number: int = 1, **override: Any) -> Attempt:
    """An attempt that the recipient took, one second long."""
    made: dict[str, Any] = {"started_at": MORNING + 1, "ended_at": MORNING + 2, "outcome": "taken", "status": 204}
    return Attempt(number, **{**made, **override})


def an_audit_row(event: str = "destination.held", **override: Any) -> AuditRow:
    """Something an operator did."""
    made: dict[str, Any] = {"at": MORNING, "actor": "Nguyễn Văn Mẫu", "details": {"reason": "thử nghiệm"}}
    return AuditRow(event=event, **{**made, **override})
