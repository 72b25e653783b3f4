"""GET /files/{token}/{name}: a file for whoever has a link to it (``gateway.core.file_link``); no list, no index."""

from __future__ import annotations

from aiohttp import web

from gateway.api.doors import DOORS
from gateway.api.files import sent
from gateway.api.problems import not_found
from gateway.core.file_link import linked_file


async def linked(request: web.Request) -> web.StreamResponse:
    """The file, whole or in part; unknown, forged and over are one answer, and so is a file that is gone."""
    doors = request.app[DOORS]
    sha256 = linked_file(request.match_info["token"], doors.gateway_certificates(), doors.clock.now())
    if sha256 is None:
        raise not_found()
    return await sent(request, sha256)
