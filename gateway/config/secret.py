"""Client secrets of old software, kept as scrypt hashes (RFC 7914): ``SALT$HASH`` in hex."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

_N: Final = 2**14
_R: Final = 8
_P: Final = 1
_LENGTH: Final = 32
_MAXMEM: Final = 64 * 2**20


def hash_secret(secret: bytes, salt: bytes | None = None) -> str:
    """``SALT$HASH`` of a secret, under a new random salt of 16 bytes unless one is given."""
    salt = secrets.token_bytes(16) if salt is None else salt
    return f"{salt.hex()}${_scrypt(secret, salt).hex()}"


def is_secret(stored: str, secret: bytes) -> bool:
    """Whether ``secret`` is the one behind ``stored``; takes the same time whatever differs."""
    salt, _, digest = stored.partition("$")
    try:
        return hmac.compare_digest(_scrypt(secret, bytes.fromhex(salt)), bytes.fromhex(digest))
    except ValueError:
        return False


def hash_token(token: str) -> str:
    """Lower-case hex SHA-256 of an operator's bearer token: long and random, so that it needs no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def _scrypt(secret: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(secret, salt=salt, n=_N, r=_R, p=_P, maxmem=_MAXMEM, dklen=_LENGTH)
