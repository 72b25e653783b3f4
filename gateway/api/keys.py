"""GET /.well-known/jwks.json: the gateway's public keys, present and past, by which anyone verifies its receipts."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from gateway.api.body import json_answer
from gateway.api.doors import DOORS

MEDIA_TYPE: Final = "application/jwk-set+json"


async def jwks(request: web.Request) -> web.Response:
    """The JWK Set, open to everybody."""
    headers: dict[str, str] = {hdrs.CONTENT_TYPE: MEDIA_TYPE, hdrs.CACHE_CONTROL: "public, max-age=300"}
    return json_answer(request.app[DOORS].jwks(), headers=headers)
