"""Sessions that nobody has to remember: a ticket says until when it is good, and the issuer's own secret proves it.

Whoever holds the secret can prove a ticket: every process of a gateway, and the next one after a restart. Changing the
secret ends every ticket.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

_LONGEST: Final = 200
_DIGITS: Final = 12


def issue(secret: bytes, holder: str, until: float) -> str:
    """A ticket for ``holder``, good until that moment (seconds since 1970): letters, digits, ``-``, ``_`` and a dot."""
    moment = str(int(until))
    return f"{moment}.{_proof(secret, holder, moment)}"


def holds(ticket: str, secret: bytes, holder: str, now: float) -> bool:
    """Whether this ticket was issued to ``holder`` with this secret and is good at ``now``; any text may be asked."""
    moment, _, proof = ticket[:_LONGEST].partition(".")
    if not (moment.isascii() and moment.isdigit()) or len(moment) > _DIGITS:
        return False
    right = hmac.compare_digest(proof.encode("utf-8", "surrogateescape"), _proof(secret, holder, moment).encode())
    return right and now < int(moment)


def _proof(secret: bytes, holder: str, moment: str) -> str:
    """What only the issuer can make; the purpose is part of it, so that no other use of the secret makes the same."""
    key = hashlib.sha256(b"lgsp ticket\x00" + secret).digest()
    digest = hmac.digest(key, f"{holder}\x00{moment}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
