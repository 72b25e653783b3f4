"""Who is asking: the system behind an access token, or the operator behind a bearer token kept as a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from aiohttp import hdrs, web

from gateway.api.access import AccessTokens
from gateway.api.doors import DOORS, Operator
from gateway.api.problems import unauthenticated
from gateway.core.directory import System
from gateway.core.faults import Rejected, Text
from gateway.ports import RegistryRow

TOKENS: Final = web.AppKey("TOKENS", AccessTokens)
#: Who a request turned out to come from, for the log: field and name.
CALLER: Final = web.RequestKey("CALLER", tuple[str, str])

Caller = System | Operator


def operators_of(rows: Iterable[RegistryRow]) -> dict[str, Operator]:
    """Operators by the SHA-256 (hex) of their token, from the registry's rows of kind ``operator``."""
    return {
        str(row.body["token_hash"]).lower(): Operator(row.key, str(row.body["role"]))
        for row in rows
        if row.kind == "operator" and row.body.get("token_hash")
    }


def bearer(request: web.Request) -> str | None:
    """The bearer token of the request (RFC 6750, header only); None where there is none."""
    given = request.headers.getall(hdrs.AUTHORIZATION, ())
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def known_caller(request: web.Request) -> Caller | None:
    """Who is asking; None without a token or with one that is not good."""
    token = bearer(request)
    if not token:
        return None
    doors = request.app[DOORS]
    caller: Caller | None
    if token.count(".") == 2:
        caller = request.app[TOKENS].system(token, doors.directory(), doors.clock.now())
    else:
        caller = _operator(token, doors.operators())
    if caller is not None:
        request[CALLER] = ("operator" if isinstance(caller, Operator) else "agency", caller.name)
    return caller


def _operator(token: str, operators: Mapping[str, Operator]) -> Operator | None:
    # Looked up by its hash: how long that takes tells nothing about the token itself.
    return operators.get(hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest())


def caller_of(request: web.Request) -> Caller:
    """Who is asking; raises Rejected ``unauthenticated``."""
    caller = known_caller(request)
    if caller is None:
        raise unauthenticated()
    return caller


def system_of(request: web.Request) -> System:
    """The system that is asking; raises Rejected ``unauthenticated``, or ``forbidden`` for an operator."""
    caller = caller_of(request)
    if isinstance(caller, Operator):
        raise Rejected(
            "forbidden",
            Text(
                "Cửa này chỉ dành cho hệ thống của cơ quan. Bên gọi hãy dùng thẻ truy cập của hệ thống.",
                "This door is for systems of agencies. The caller must use a system's access token.",
            ),
        )
    return caller


def operator_of(request: web.Request) -> Operator:
    """The operator who is asking; raises Rejected ``unauthenticated``, or ``forbidden`` for a system."""
    caller = caller_of(request)
    if isinstance(caller, System):
        raise Rejected(
            "forbidden",
            Text(
                "Cửa này chỉ dành cho người vận hành trục. Bên gọi hãy dùng thẻ của người vận hành.",
                "This door is for operators of the bus. The caller must use an operator's token.",
            ),
        )
    return caller
