"""POST /v1/messages: one envelope, a batch of them, or an unsigned event of a system that leaves signing to us."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api.body import INTAKE, Share, json_answer, media_type, read_body
from gateway.api.doors import DOORS
from gateway.api.identity import bearer, known_caller
from gateway.api.language import Language, language_of
from gateway.api.problems import REALM, answer, problem, unsupported
from gateway.core.directory import System
from gateway.core.envelope import without_line_end
from gateway.core.faults import Fault, Rejected, Text
from gateway.ports import Accepted
from gateway.telemetry import MESSAGES

SEALED: Final = "application/jose"
BATCH: Final = "application/x-ndjson"
UNSIGNED: Final = "application/cloudevents+json"
#: A line's own end, CR LF, is no part of the envelope.
_LINE_END: Final = 2
#: What a request was about, and what it was refused for: for the log.
MESSAGE_ID: Final = web.RequestKey("MESSAGE_ID", str)
PROBLEM: Final = web.RequestKey("PROBLEM", str)


async def submit(request: web.Request) -> web.Response:
    """Take messages in. 202 (or a 202 body in a line) means durable."""
    kind = media_type(request)
    try:
        with request.app[INTAKE].share() as share:
            if kind == SEALED:
                return await _one(request, share)
            if kind == BATCH:
                return await _many(request, share)
            if kind == UNSIGNED:
                return await _unsigned(request, share)
        raise unsupported((SEALED, BATCH, UNSIGNED))
    except Fault as fault:
        _count_stranger(request, fault)
        raise


async def _one(request: web.Request, share: Share) -> web.Response:
    doors = request.app[DOORS]
    raw = await read_body(request, doors.limits.envelope + _LINE_END, doors.limits.body_seconds, share)
    (outcome,) = await doors.accept.sealed_many([without_line_end(raw)], address=request.remote or "")
    return _answered(request, outcome)


async def _unsigned(request: web.Request, share: Share) -> web.Response:
    doors = request.app[DOORS]
    raw = await read_body(request, doors.limits.envelope, doors.limits.body_seconds, share)
    caller = known_caller(request)
    if not isinstance(caller, System) or caller.sealing != "gateway":
        fault = _sealing_not_allowed()
        _count_stranger(request, fault)
        refused = answer(fault, language_of(request))
        if caller is None:
            error = ', error="invalid_token"' if bearer(request) else ""
            refused.headers[hdrs.WWW_AUTHENTICATE] = f"Bearer {REALM}{error}"
        return refused
    return _answered(request, await doors.accept.unsigned(caller, raw))


async def _many(request: web.Request, share: Share) -> web.Response:
    doors = request.app[DOORS]
    raw = await read_body(request, doors.limits.batch, doors.limits.batch_seconds, share)
    lines = raw.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) > doors.limits.batch_lines:
        raise _too_many_lines(doors.limits.batch_lines)
    ended = len(lines) if raw.endswith(b"\n") else len(lines) - 1
    bodies = [line.removesuffix(b"\r") if number < ended else line for number, line in enumerate(lines)]
    outcomes = await doors.accept.sealed_many(bodies, address=request.remote or "") if bodies else []
    language = language_of(request)
    text = "".join(json.dumps(_line(each, language), ensure_ascii=False) + "\n" for each in outcomes)
    return web.Response(
        body=text.encode(),
        headers={hdrs.CONTENT_TYPE: BATCH, hdrs.CONTENT_LANGUAGE: language, hdrs.VARY: hdrs.ACCEPT_LANGUAGE},
    )


def _answered(request: web.Request, outcome: Accepted | Fault) -> web.Response:
    _count(outcome)
    if isinstance(outcome, Fault):
        request[PROBLEM] = outcome.problem
        return answer(outcome, language_of(request))
    request[MESSAGE_ID] = outcome.id
    return json_answer(_body(outcome), status=202, headers={hdrs.LOCATION: f"/v1/messages/{outcome.id}"})


def _line(outcome: Accepted | Fault, language: Language) -> dict[str, Any]:
    _count(outcome)
    return problem(outcome, language) if isinstance(outcome, Fault) else _body(outcome)


def _body(accepted: Accepted) -> dict[str, Any]:
    return {
        "id": accepted.id,
        "state": "accepted",
        "recipients": list(accepted.recipients),
        "receipt": accepted.receipt,
    }


def _count(outcome: Accepted | Fault) -> None:
    if isinstance(outcome, Fault):
        MESSAGES.labels(outcome.problem).inc()
    else:
        MESSAGES.labels("repeated" if outcome.repeated else "accepted").inc()


def _count_stranger(request: web.Request, fault: Fault) -> None:
    """A refusal before any signer was known: counted by address and minute, never a row of its own."""
    doors = request.app[DOORS]
    request[PROBLEM] = fault.problem
    doors.accept.refusals[request.remote or "", int(doors.clock.now() // 60), fault.problem] += 1
    MESSAGES.labels(fault.problem).inc()


def _sealing_not_allowed() -> Rejected:
    return Rejected(
        "sealing-not-allowed",
        Text(
            "Trục chỉ ký thay cho hệ thống được đăng ký sealing = gateway và có thẻ truy cập còn hiệu lực."
            " Bên gửi hãy tự ký phong bì (application/jose), hoặc lấy thẻ mới tại /oauth2/token.",
            "The bus signs only for a system registered with sealing = gateway that shows an access token in force."
            " The sender must sign the envelope itself (application/jose), or get a new token at /oauth2/token.",
        ),
    )


def _too_many_lines(limit: int) -> Rejected:
    return Rejected(
        "too-large",
        Text(
            f"Một lô có tối đa {limit} dòng. Bên gửi hãy chia thành nhiều lô.",
            f"A batch has at most {limit} lines. The sender must split it.",
        ),
    )
