"""Header fields that every answer carries (RFC 9110; OWASP's advice for APIs)."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs

SERVER: Final = "lgsp"
#: A door may say otherwise.
HEADERS: Final = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def secured(public_url: str) -> dict[str, str]:
    """The fields that no door changes: who answers and, behind TLS, that it stays so."""
    fields: dict[str, str] = {hdrs.SERVER: SERVER}
    if public_url.startswith("https:"):
        fields[hdrs.STRICT_TRANSPORT_SECURITY] = "max-age=31536000"
    return fields
