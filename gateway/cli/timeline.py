"""What became of a message, in words: when it came, and each delivery with its tries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.core.faults import Text
from gateway.core.moments import format_moment
from gateway.ports import Attempt, Record, RecordedDelivery

STATES: Final[dict[str, Text]] = {
    "queued": Text("đang chờ chuyển", "waiting to be delivered"),
    "leased": Text("đang chuyển", "being delivered"),
    "held": Text("tạm giữ", "held"),
    "blocked": Text("chờ thông điệp trước", "waits for an earlier one"),
    "delivered": Text("đã nhận", "delivered"),
    "dead": Text("không chuyển được, chờ người vận hành", "failed, waits for an operator"),
    "expired": Text("quá hạn", "expired"),
    "discarded": Text("đã loại bỏ", "discarded"),
}
OUTCOMES: Final[dict[str, Text]] = {
    "taken": Text("nơi nhận đã nhận", "the recipient took it"),
    "refused": Text("nơi nhận từ chối", "the recipient refused it"),
    "failed": Text("không chuyển được", "it could not be handed over"),
    "timeout": Text("nơi nhận không trả lời kịp", "the recipient did not answer in time"),
    "lapsed": Text("hết thời gian giữ", "the lease ended without an answer"),
}


def members_of(record: Record) -> dict[str, Any]:
    """A message as ``GET /v1/messages/{id}`` would show it to an operator."""
    return {
        "id": record.id,
        "source": record.source,
        "type": record.type,
        "version": record.version,
        "subject": record.subject,
        "accepted_at": format_moment(record.accepted_at),
        "digest": f"sha-256:{record.digest}",
        "deliveries": [_delivery(each) for each in record.deliveries],
    }


def _delivery(recorded: RecordedDelivery) -> dict[str, Any]:
    delivery = recorded.delivery
    members: dict[str, Any] = {
        "delivery": delivery.id,
        "recipient": delivery.recipient,
        "state": delivery.state.value,
        "attempts": [_attempt(each) for each in recorded.attempts],
    }
    if recorded.blocked_by is not None:
        members["blocked_by"] = recorded.blocked_by
    if delivery.state.value == "queued":
        members["next_attempt_at"] = format_moment(delivery.due)
    return members


def _attempt(attempt: Attempt) -> dict[str, Any]:
    members: dict[str, Any] = {
        "number": attempt.number,
        "started_at": format_moment(attempt.started_at),
        "ended_at": format_moment(attempt.ended_at),
        "outcome": attempt.outcome,
        "status": attempt.status,
        "detail": attempt.detail,
    }
    return {name: value for name, value in members.items() if value is not None}


def told(message: Mapping[str, Any], language: str) -> Iterator[str]:
    """The lines of a message's timeline in one language."""

    def word(vi: str, en: str) -> str:
        return en if language == "en" else vi

    yield f"{message['type']}/{message['version']}  {message['subject']}"
    accepted = word("trục đã nhận từ", "accepted from")
    yield f"  {message['accepted_at']}  {accepted} {message['source']} ({message['id']})"
    if not message["deliveries"]:
        yield f"  {word('không có nơi nhận', 'no recipients')}"
    for delivery in message["deliveries"]:
        state = STATES[delivery["state"]].in_language(language)
        yield f"  → {delivery['recipient']}: {state} ({delivery['delivery']})"
        for attempt in delivery["attempts"]:
            outcome = OUTCOMES[attempt["outcome"]].in_language(language)
            status = f", HTTP {attempt['status']}" if "status" in attempt else ""
            detail = f": {attempt['detail']}" if attempt.get("detail") else ""
            yield f"      {attempt['ended_at']}  {word('lần', 'try')} {attempt['number']}: {outcome}{status}{detail}"
        if "next_attempt_at" in delivery:
            yield f"      {delivery['next_attempt_at']}  {word('lần thử kế tiếp', 'the next try')}"
        if "blocked_by" in delivery:
            yield f"      {word('đang chờ lượt chuyển', 'waits for delivery')} {delivery['blocked_by']}"
