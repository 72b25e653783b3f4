"""Taking messages in, apart from how HTTP is spoken: bytes of a body become the parts of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from prometheus_client import Counter

from gateway.api.doors import Doors
from gateway.api.language import Language
from gateway.api.problems import MEDIA_TYPE, STATUS, asked_for, problem, spoken
from gateway.core.envelope import without_line_end
from gateway.core.faults import Fault, Rejected, Text
from gateway.ports import Accepted
from gateway.telemetry import MESSAGES

DOOR: Final = "/v1/messages"
SEALED: Final = "application/jose"
BATCH: Final = "application/x-ndjson"
UNSIGNED: Final = "application/cloudevents+json"
#: A line's own end, CR LF, is no part of the envelope.
LINE_END: Final = 2


class Reply(NamedTuple):
    """An answer: status, header fields, body; and for the log, what it was about and what it was refused for."""

    status: int
    fields: Mapping[str, str]
    body: bytes
    message_id: str | None = None
    problem: str | None = None


async def take_one(doors: Doors, raw: bytes, address: str, language: Language) -> Reply:
    """Accept one envelope, with or without a line end after it; 202 means durable."""
    (outcome,) = await doors.accept.sealed_many([without_line_end(raw)], address=address)
    return replied(outcome, language)


async def take_many(doors: Doors, raw: bytes, address: str, language: Language) -> Reply:
    """Accept a batch, one envelope a line; one line each in the answer. Raises Rejected ``too-large``."""
    lines = raw.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) > doors.limits.batch_lines:
        raise _too_many_lines(doors.limits.batch_lines)
    ended = len(lines) if raw.endswith(b"\n") else len(lines) - 1
    bodies = [line.removesuffix(b"\r") if number < ended else line for number, line in enumerate(lines)]
    outcomes = await doors.accept.sealed_many(bodies, address=address) if bodies else []
    lines = [_line(each, language) for each in outcomes]
    return Reply(200, {"Content-Type": BATCH, **spoken(language)}, b"".join(lines))


def replied(outcome: Accepted | Fault, language: Language) -> Reply:
    """The answer about one message."""
    _count(outcome)
    if isinstance(outcome, Fault):
        return refusal(outcome, language)
    fields = {"Content-Type": "application/json", "Location": f"{DOOR}/{outcome.id}"}
    return Reply(202, fields, orjson.dumps(_body(outcome)), message_id=outcome.id)


def refusal(fault: Fault, language: Language, *, instance: str | None = None) -> Reply:
    """A fault as an answer (RFC 9457)."""
    body = orjson.dumps(problem(fault, language, instance=instance))
    fields = {"Content-Type": MEDIA_TYPE, **spoken(language), **asked_for(fault)}
    return Reply(STATUS[fault.problem], fields, body, problem=fault.problem)


def count_stranger(doors: Doors, address: str, fault: Fault) -> None:
    """A refusal before any signer was known: counted by address and minute, never a row of its own."""
    doors.accept.refusals[address, int(doors.clock.now() // 60), fault.problem] += 1
    _counter(fault.problem).inc()


def count_outcome(outcome: str) -> None:
    """One message more with this outcome: ``accepted``, ``repeated`` or the name of a problem."""
    _counter(outcome).inc()


def _line(outcome: Accepted | Fault, language: Language) -> bytes:
    _count(outcome)
    told = problem(outcome, language) if isinstance(outcome, Fault) else _body(outcome)
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _body(accepted: Accepted) -> dict[str, Any]:
    return {
        "id": accepted.id,
        "state": "accepted",
        "recipients": accepted.recipients,
        "receipt": accepted.receipt,
    }


def _count(outcome: Accepted | Fault) -> None:
    if isinstance(outcome, Fault):
        _counter(outcome.problem).inc()
    else:
        _counter("repeated" if outcome.repeated else "accepted").inc()


@lru_cache(maxsize=128)
def _counter(outcome: str) -> Counter:
    return MESSAGES.labels(outcome)


def _too_many_lines(limit: int) -> Rejected:
    return Rejected(
        "too-large",
        Text(
            f"Một lô có tối đa {limit} dòng. Bên gửi hãy chia thành nhiều lô.",
            f"A batch has at most {limit} lines. The sender must split it.",
        ),
    )
