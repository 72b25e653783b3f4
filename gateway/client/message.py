"""What an agency's system makes: the event, its id, the assertion by which it asks for a token. Time is an argument."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from gateway.core.contract import dataschema_of
from gateway.core.jws import Signer
from gateway.core.moments import format_moment

#: How long an assertion is good (seconds); the interface allows five minutes.
ASSERTION_LIFE: Final = 120


def new_id(now: float, chance: bytes) -> str:
    """A UUID of version 7 (RFC 9562): milliseconds since 1970, then 74 random bits out of ``chance`` (10 bytes)."""
    number = int(now * 1000) << 80 | int.from_bytes(chance[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=number & ~(0x3 << 62) | 0x2 << 62))


def make_event(
    *,
    id: str,
    source: str,
    contract: str,
    version: str,
    subject: str,
    now: float,
    data: Any,
    extensions: Mapping[str, str | None],
) -> dict[str, Any]:
    """One CloudEvent as the interface describes it; extensions that are None are left out."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": contract,
        "dataschema": dataschema_of(contract, version),
        "subject": subject,
        "time": format_moment(now),
        "datacontenttype": "application/json",
        **{name: value for name, value in extensions.items() if value is not None},
        "data": data,
    }


def assertion(signer: Signer, system: str, audience: str, *, now: float, once: str) -> str:
    """A client assertion (RFC 7523) for the token door ``audience``; ``once`` is its one-time id."""
    claims = {
        "iss": system,
        "sub": system,
        "aud": audience,
        "jti": once,
        "iat": int(now),
        "exp": int(now) + ASSERTION_LIFE,
    }
    return signer.sign("JWT", json.dumps(claims, separators=(",", ":")).encode()).decode("ascii")
