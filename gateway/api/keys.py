"""GET /.well-known/jwks.json: the gateway's public keys, present and past, by which anyone verifies its receipts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api.body import json_answer
from gateway.api.doors import DOORS
from gateway.core.jws import PublicKey, key_id, public_jwk

MEDIA_TYPE: Final = "application/jwk-set+json"


def jwks_of(signing: Iterable[PublicKey], webhook: PublicKey | None) -> dict[str, Any]:
    """The JWK Set: every signing key, then the webhook key under a ``kid`` of its own; doubles once.

    The ``kid`` of each is its RFC 7638 thumbprint; the caller keeps signing and webhook keys apart.
    """
    keys = [*signing, *([] if webhook is None else [webhook])]
    return {"keys": list({jwk["kid"]: jwk for jwk in (dict(public_jwk(key, key_id(key))) for key in keys)}.values())}


async def jwks(request: web.Request) -> web.Response:
    """The JWK Set, open to everybody."""
    headers: dict[str, str] = {hdrs.CONTENT_TYPE: MEDIA_TYPE, hdrs.CACHE_CONTROL: "public, max-age=300"}
    return json_answer(request.app[DOORS].jwks(), headers=headers)
