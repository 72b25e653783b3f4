"""POST /v1/messages: one envelope, a batch of them, or an unsigned event of a system that leaves signing to us."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from gateway.api.body import INTAKE, Share, media_type, read_body
from gateway.api.doors import DOORS
from gateway.api.identity import bearer, known_caller
from gateway.api.language import language_of
from gateway.api.problems import REALM, answer, unsupported
from gateway.api.taking import BATCH, LINE_END, SEALED, UNSIGNED, Reply, count_stranger, replied, take_many, take_one
from gateway.core.directory import System
from gateway.core.faults import Fault, Rejected, Text

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
    raw = await read_body(request, doors.limits.envelope + LINE_END, doors.limits.body_seconds, share)
    return _answered(request, await take_one(doors, raw, request.remote or "", language_of(request)))


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
    return _answered(request, replied(await doors.accept.unsigned(caller, raw), language_of(request)))


async def _many(request: web.Request, share: Share) -> web.Response:
    doors = request.app[DOORS]
    raw = await read_body(request, doors.limits.batch, doors.limits.batch_seconds, share)
    return _answered(request, await take_many(doors, raw, request.remote or "", language_of(request)))


def _answered(request: web.Request, reply: Reply) -> web.Response:
    if reply.problem is not None:
        request[PROBLEM] = reply.problem
    if reply.message_id is not None:
        request[MESSAGE_ID] = reply.message_id
    return web.Response(status=reply.status, body=reply.body, headers=reply.fields)


def _count_stranger(request: web.Request, fault: Fault) -> None:
    request[PROBLEM] = fault.problem
    count_stranger(request.app[DOORS], request.remote or "", fault)


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
