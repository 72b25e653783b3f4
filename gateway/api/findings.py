"""GET /v1/files/{sha256}/findings: what was found in a file, for those who may read it and for operators."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from gateway.api import rights
from gateway.api.body import json_answer
from gateway.api.doors import DOORS, Operator
from gateway.api.identity import caller_of
from gateway.api.problems import not_found

_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


async def findings(request: web.Request) -> web.Response:
    """Its signatures, each with what it is worth, and whether it was scanned."""
    doors = request.app[DOORS]
    caller = caller_of(request)
    sha256 = request.match_info["sha256"].lower()
    if not _SHA256.match(sha256):
        raise not_found()
    if isinstance(caller, Operator):
        await rights.looking(request)
    elif await doors.ledger.may_read_file(sha256, caller.name) is None:
        raise not_found()
    found = await doors.inspect.of(sha256)
    if found is None:
        raise not_found()
    return json_answer(found.members())
