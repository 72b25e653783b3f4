"""A client assertion (RFC 7523): a short JWT by which a system proves with its registered key who it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gateway.core.directory import Certificate, Directory, System
from gateway.core.jws import Compact, NotAJws, fits, split, verify
from gateway.core.strictjson import StrictJsonError, parse_strict

#: The types a token assertion may carry; an envelope or receipt never passes for one.
TYPES: Final = (None, "JWT", "client-authentication+jwt")
#: Seconds that clocks may differ.
SKEW: Final = 30.0
#: Seconds from ``iat`` to ``exp`` at most.
LONGEST: Final = 300.0
_LONGEST_JTI: Final = 512


class NotProven(ValueError):
    """The assertion proves nothing; the text (English, ASCII) says why."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Who an assertion proved to be, by which certificate; ``jti`` must not have been used before ``until``."""

    system: System
    certificate: Certificate
    jti: str
    until: float


def check(assertion: bytes, directory: Directory, *, audience: str, now: float) -> Proven:
    """Every rule but the one-time use, which the ledger must say; raises NotProven."""
    try:
        jws = split(assertion)
        claims = parse_strict(jws.payload)
    except (NotAJws, StrictJsonError) as error:
        raise NotProven(f"the assertion is not a JWT as the interface says: {error}") from None
    if not isinstance(claims, dict):
        raise NotProven("the claims are not a JSON object")
    if jws.header.typ not in TYPES:
        raise NotProven("typ must be absent, JWT or client-authentication+jwt")
    system = _subject(claims, directory)
    certificate = _signer(jws, system, directory, now)
    if claims.get("aud") not in (audience, [audience]):
        raise NotProven(f"aud must be {audience}")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _LONGEST_JTI:
        raise NotProven("jti must be a string that is used once")
    return Proven(system, certificate, jti, until=_lifetime(claims, now) + SKEW)


def _subject(claims: dict[str, Any], directory: Directory) -> System:
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or not isinstance(subject, str):
        raise NotProven("iss and sub must both name the system")
    system = directory.system(subject)
    if system is None or directory.system(issuer) is not system:
        raise NotProven("iss and sub must both name the same registered system")
    return system


def _signer(jws: Compact, system: System, directory: Directory, now: float) -> Certificate:
    if jws.header.thumbprint is None:
        raise NotProven("the header must name the certificate by x5t#S256")
    certificate, owners = directory.signer(jws.header.thumbprint) or (None, frozenset[str]())
    if certificate is None or system.name not in owners:
        raise NotProven("the certificate is not registered to this system")
    if not fits(jws.header.alg, certificate.key):
        raise NotProven("alg does not fit the certificate's key")
    if not verify(certificate.key, jws):
        raise NotProven("the signature does not verify")
    if not certificate.is_in_force(now):
        raise NotProven("the certificate is outside its dates")
    return certificate


def _lifetime(claims: dict[str, Any], now: float) -> float:
    """``exp``, once the times are found in order."""
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    if issued > now + SKEW:
        raise NotProven("iat lies in the future; set the clock")
    if expires - issued > LONGEST or expires <= issued:
        raise NotProven("exp must be after iat, by at most 5 minutes")
    if expires + SKEW <= now:
        raise NotProven("the assertion has expired")
    if "nbf" in claims and _moment(claims, "nbf") > now + SKEW:
        raise NotProven("nbf lies in the future")
    return expires


def _moment(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise NotProven(f"{name} must be a number of seconds")
    return float(value)
