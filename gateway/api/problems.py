"""A fault becomes an answer: RFC 9457 problem+json in two languages. The only place where status codes live."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api.language import Language
from gateway.core.faults import PROBLEMS, Fault, Rejected, Text, Unanswered, Violation

MEDIA_TYPE: Final = "application/problem+json"
PREFIX: Final = "urn:lgsp:problem:"
REALM: Final = 'realm="lgsp"'

#: Problem name -> HTTP status.
STATUS: Final[dict[str, int]] = {
    "malformed-envelope": 400,
    "bad-request": 400,
    "unknown-signer": 401,
    "bad-signature": 401,
    "unauthenticated": 401,
    "forbidden": 403,
    "untrusted-certificate": 403,
    "no-agreement": 403,
    "sealing-not-allowed": 403,
    "secret-content": 403,
    "not-found": 404,
    "no-record": 404,
    "method-not-allowed": 405,
    "conflict": 409,
    "illegal-state": 409,
    "too-large": 413,
    "unsupported-media-type": 415,
    "unknown-contract": 422,
    "contract-violation": 422,
    "unknown-recipient": 422,
    "no-subscriber": 422,
    "missing-file": 422,
    "expired": 422,
    "stale": 422,
    "digest-mismatch": 422,
    "infected-file": 422,
    "rate-limited": 429,
    "checksum-mismatch": 460,  # the status of the tus protocol
    "internal": 500,
    "provider-unavailable": 502,
    "overloaded": 503,
}
#: What a 401 asks for (RFC 9110, 11.6.1): a token, or an envelope that verifies.
_CHALLENGE: Final = {
    "unauthenticated": f"Bearer {REALM}",
    "unknown-signer": f'JWS {REALM}, typ="ce+jws"',
    "bad-signature": f'JWS {REALM}, typ="ce+jws"',
}


def status_of(fault: Fault) -> int:
    """The HTTP status of a fault: its problem's; of a provider that was too late 504."""
    return 504 if isinstance(fault, Unanswered) else STATUS[fault.problem]


def problem(fault: Fault, language: Language, *, instance: str | None = None) -> dict[str, Any]:
    """The members of the problem: ``type``, ``title``, ``status``, ``detail`` and what the fault has to add."""
    members: dict[str, Any] = {
        "type": PREFIX + fault.problem,
        "title": PROBLEMS[fault.problem].in_language(language),
        "status": status_of(fault),
        "detail": fault.detail.in_language(language),
    }
    if instance is not None:
        members["instance"] = instance
    if fault.violations:
        members["violations"] = [
            {"pointer": each.pointer, "rule": each.rule, "message": each.message.in_language(language)}
            for each in fault.violations
        ]
    if fault.recipients:
        members["recipients"] = list(fault.recipients)
    return members


def answer(fault: Fault, language: Language, *, instance: str | None = None) -> web.Response:
    """The fault as a whole answer, with the headers that its status asks for."""
    response = _response(problem(fault, language, instance=instance), language)
    response.headers.update(asked_for(fault))
    return response


def asked_for(fault: Fault) -> dict[str, str]:
    """The header fields that a fault's status asks for: when to come again, with what to come."""
    fields: dict[str, str] = {}
    if fault.retry_after is not None:
        fields[hdrs.RETRY_AFTER] = str(max(1, math.ceil(fault.retry_after)))
    elif fault.problem in ("overloaded", "rate-limited", "provider-unavailable"):
        fields[hdrs.RETRY_AFTER] = "5"
    if fault.problem in _CHALLENGE:
        fields[hdrs.WWW_AUTHENTICATE] = _CHALLENGE[fault.problem]
    return fields


def spoken(language: Language) -> dict[str, str]:
    """The header fields of an answer that speaks to people."""
    return {hdrs.CONTENT_LANGUAGE: language, hdrs.VARY: hdrs.ACCEPT_LANGUAGE}


def _response(members: dict[str, Any], language: Language) -> web.Response:
    return web.Response(
        status=members["status"],
        body=json.dumps(members, ensure_ascii=False).encode(),
        headers={hdrs.CONTENT_TYPE: MEDIA_TYPE, **spoken(language)},
    )


def unsatisfiable_range(size: int, language: Language) -> web.Response:
    """416 (RFC 9110, 15.5.17): the byte range asked for lies outside a file of ``size`` bytes."""
    fault = bad_request(
        detail=Text(
            f"Khoảng byte yêu cầu nằm ngoài tệp ({size} byte). Bên gọi hãy sửa tiêu đề Range.",
            f"The range lies outside the file ({size} bytes). The caller must mend the Range header.",
        )
    )
    response = _response({**problem(fault, language), "status": 416}, language)
    response.headers[hdrs.CONTENT_RANGE] = f"bytes */{size}"
    return response


def unsupported_protocol(header: str, versions: str, language: Language) -> web.Response:
    """412 with ``header``: the caller speaks another version of a protocol, or names none."""
    fault = bad_request(
        detail=Text(
            f"Cửa này chỉ dùng giao thức tus {versions}. Bên gọi phải thêm tiêu đề Tus-Resumable: {versions}.",
            f"This door speaks tus {versions} alone. The caller must send the header Tus-Resumable: {versions}.",
        )
    )
    response = _response({**problem(fault, language), "status": 412}, language)
    response.headers[header] = versions
    return response


def from_http(error: web.HTTPException, language: Language) -> web.Response:
    """What the web library itself refuses, said in our words."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        response = answer(method_not_allowed(error.allowed_methods), language)
        response.headers[hdrs.ALLOW] = ", ".join(sorted(error.allowed_methods))
        return response
    if error.status == 413:
        return answer(too_large(None), language)
    if error.status == 415:
        return answer(unsupported(()), language)
    return answer(not_found() if error.status == 404 else bad_request(), language)


# ----------------------------------------------------------------- the faults that arise at the doors themselves


def not_found() -> Rejected:
    """There is no such thing, or not for this caller: the two are one answer."""
    return Rejected(
        "not-found",
        Text(
            "Không có tài nguyên này, hoặc bên gọi không được xem. Bên gọi hãy kiểm tra lại địa chỉ và mã.",
            "There is no such thing here, or it is not for the caller to see. The caller must check address and id.",
        ),
    )


def method_not_allowed(allowed: set[str]) -> Rejected:
    """The door exists, but does not know the method."""
    listed = ", ".join(sorted(allowed))
    return Rejected(
        "method-not-allowed",
        Text(
            f"Địa chỉ này chỉ nhận phương thức: {listed}. Bên gọi hãy dùng đúng phương thức.",
            f"This address takes only: {listed}. The caller must use one of these methods.",
        ),
    )


def bad_request(*violations: Violation, detail: Text | None = None) -> Rejected:
    """The request is not as its door describes; ``violations`` say where."""
    return Rejected(
        "bad-request",
        detail
        or Text(
            "Yêu cầu không đúng mô tả của cửa này (xem /docs). Bên gọi phải sửa yêu cầu.",
            "The request is not as this door describes (see /docs). The caller must mend it.",
        ),
        violations,
    )


def body_late(seconds: float) -> Rejected:
    """400: the body did not come in time."""
    return bad_request(
        detail=Text(
            f"Nội dung yêu cầu không đến đủ trong {seconds:g} giây. Bên gửi kiểm tra đường truyền rồi gửi lại.",
            f"The body did not arrive within {seconds:g} seconds. The sender must check the line and send again.",
        )
    )


def too_large(limit: int | None) -> Rejected:
    """The body is over ``limit`` bytes."""
    most = "" if limit is None else f" ({limit} byte)"
    return Rejected(
        "too-large",
        Text(
            f"Nội dung yêu cầu vượt giới hạn{most}. Bên gửi hãy chia nhỏ hoặc tải tệp lên riêng.",
            f"The body is over the limit{most}. The sender must split it, or upload files apart.",
        ),
    )


def unsupported(allowed: tuple[str, ...]) -> Rejected:
    """The media type, or a compression of the body, is not one the door takes."""
    listed = ", ".join(allowed)
    vi = f" Cửa này nhận: {listed}." if allowed else ""
    en = f" This door takes: {listed}." if allowed else ""
    return Rejected(
        "unsupported-media-type",
        Text(
            f"Kiểu nội dung hoặc cách nén không được hỗ trợ.{vi} Bên gửi phải đổi Content-Type và không nén nội dung.",
            f"The media type or encoding is not supported.{en} The sender must change Content-Type, uncompressed.",
        ),
    )


def unauthenticated() -> Rejected:
    """No token, or one that is not good (any more)."""
    return Rejected(
        "unauthenticated",
        Text(
            "Cần thẻ truy cập (bearer token) còn hiệu lực. Bên gọi hãy lấy thẻ mới tại /oauth2/token.",
            "A bearer token in force is needed. The caller must get a new one at /oauth2/token.",
        ),
    )


def internal() -> Fault:
    """Something unforeseen: the caller learns only a reference under which the operator finds the log line."""
    return Fault(
        "internal",
        Text(
            "Trục liên thông gặp lỗi bên trong. Bên gọi hãy gửi lại sau; nếu lặp lại, báo đơn vị vận hành"
            " mã tham chiếu ở trường instance.",
            "The bus met an error inside. The caller may try again later; if it stays, tell the operator"
            " the reference in the member instance.",
        ),
    )
