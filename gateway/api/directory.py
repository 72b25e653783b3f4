"""GET /v1/certificates/{x5t#S256}: whose key is this? PEM and system, for whoever may exchange with it."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api.body import json_answer
from gateway.api.doors import DOORS, Operator
from gateway.api.identity import Caller, caller_of
from gateway.api.problems import not_found
from gateway.core.directory import Certificate, Directory
from gateway.core.moments import day_of, format_moment

PEM: Final = "application/x-pem-file"
_PEM_TYPES: Final = frozenset({PEM, "application/pem-certificate-chain"})


async def certificate(request: web.Request) -> web.Response:
    """One certificate. The gateway's own needs no token; another that the caller may not see is 404."""
    doors = request.app[DOORS]
    wanted = request.match_info["thumbprint"]
    directory = doors.directory()
    now = doors.clock.now()
    own = next((each for each in doors.gateway_certificates() if each.thumbprint == wanted), None)
    if own is not None:
        return _shown(request, own, [directory.gateway], now)
    caller = caller_of(request)
    known = directory.signer(wanted)
    if known is None:
        raise not_found()
    found, owners = known
    visible = [name for name in sorted(owners) if _may_see(caller, name, directory, now)]
    if not visible:
        raise not_found()
    return _shown(request, found, visible, now)


def _may_see(caller: Caller, owner: str, directory: Directory, now: float) -> bool:
    if isinstance(caller, Operator):
        return True
    return directory.may_exchange(caller.agency, directory.systems[owner].agency, day_of(now))


def _shown(request: web.Request, found: Certificate, systems: list[str], now: float) -> web.Response:
    accepted = {each.partition(";")[0].strip().lower() for each in request.headers.get(hdrs.ACCEPT, "").split(",")}
    if accepted & _PEM_TYPES and "application/json" not in accepted:
        chosen = next(iter(sorted(accepted & _PEM_TYPES, reverse=True)))
        return web.Response(body=found.pem.encode(), headers={hdrs.CONTENT_TYPE: chosen, hdrs.VARY: hdrs.ACCEPT})
    members: dict[str, Any] = {
        "x5t#S256": found.thumbprint,
        "pem": found.pem,
        "system": systems[0],
        "systems": systems,
        "not_before": format_moment(found.not_before),
        "not_after": format_moment(found.not_after),
        "in_force": found.is_in_force(now),
    }
    return json_answer(members, headers={hdrs.VARY: hdrs.ACCEPT})
