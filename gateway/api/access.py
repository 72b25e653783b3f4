"""Access tokens: signed by the gateway, kept nowhere, and only as good as today's registry says they are.

A token says by which certificate or secret it was earned. Each use looks that up in the directory of the
moment, so a token ends as soon as its system, certificate or secret does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.core.directory import Directory, System
from gateway.core.jws import NotAJws, Signer, fits, split, verify
from gateway.core.strictjson import StrictJsonError, parse_strict

TYP: Final = "at+jwt"
#: Seconds that a token lives.
LIFE: Final = 900
_KEPT: Final = 10_000
_LONGEST: Final = 4096


class Claims(NamedTuple):
    """What a token of ours says: for which system, by what it was earned, when it ends (seconds since 1970)."""

    system: str
    earned_by: str
    expires: float


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Makes tokens with the gateway's key and reads them back; what was verified once is remembered until it ends."""

    signer: Signer
    _verified: dict[str, Claims] = field(default_factory=dict, repr=False)

    def make(self, system: System, earned_by: str, *, gateway: str, now: float) -> str:
        """A token for ``system`` that lives for :data:`LIFE` seconds from ``now``."""
        claims = {"iss": gateway, "sub": system.name, "iat": int(now), "exp": int(now) + LIFE, "by": earned_by}
        payload = json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()
        return self.signer.sign(TYP, payload).decode("ascii")

    def system(self, token: str, directory: Directory, now: float) -> System | None:
        """The system that ``token`` speaks for; None where it is not ours, has ended, or lost what earned it."""
        claims = self._verified.get(token) or self._read(token, directory.gateway)
        if claims is None:
            return None
        if claims.expires <= now:
            self._verified.pop(token, None)
            return None
        system = directory.systems.get(claims.system)
        return system if system is not None and is_still_held(claims.earned_by, system, now) else None

    def _read(self, token: str, gateway: str) -> Claims | None:
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            jws = split(token.encode("ascii"))
            key = self.signer.key.public_key()
            if jws.header.typ != TYP or jws.header.thumbprint != self.signer.thumbprint:
                return None
            if not fits(jws.header.alg, key) or not verify(key, jws):
                return None
            said = parse_strict(jws.payload)
        except (NotAJws, StrictJsonError):
            return None
        if said["iss"] != gateway:
            return None
        claims = Claims(said["sub"], said["by"], float(said["exp"]))
        while len(self._verified) >= _KEPT:
            self._verified.pop(next(iter(self._verified)))
        self._verified[token] = claims
        return claims


def by_certificate(thumbprint: str) -> str:
    """How a token names the certificate (``x5t#S256``) that earned it."""
    return f"x5t#S256:{thumbprint}"


def by_secret(secret_hash: str) -> str:
    """How a token names the secret that earned it: by a digest of the secret's kept hash."""
    return f"secret:{hashlib.sha256(secret_hash.encode()).hexdigest()[:32]}"


def is_still_held(earned_by: str, system: System, now: float) -> bool:
    """Whether the system still has the certificate, in force, or the very secret that earned a token."""
    if earned_by.startswith("secret:"):
        return system.secret_hash is not None and by_secret(system.secret_hash) == earned_by
    return any(by_certificate(each.thumbprint) == earned_by and each.is_in_force(now) for each in system.certificates)
