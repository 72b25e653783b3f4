"""Compact JSON Web Signatures (RFC 7515) exactly as far as the bus uses them, over ``cryptography`` and libsodium.

Strict on purpose: no padding, no character outside the alphabet, zero trailing bits, four algorithms, no
header member that would let a sender choose the key (``jwk``, ``jku``, ``x5u``), the form (``b64``) or the
rules (``crit``). The four doors (envelope, token assertion, receipt, access token) share this file; each
accepts only its own ``typ``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import pybase64
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.core import ed25519
from gateway.core.strictjson import StrictJsonError, parse_strict

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

MAX_HEADER: Final = 16 * 1024
MAX_CHAIN: Final = 4
ALGORITHMS: Final = frozenset({"Ed25519", "EdDSA", "ES256", "PS256", "RS256"})
_FORBIDDEN: Final = ("jwk", "jku", "x5u", "b64", "crit")
#: Base64url as base64, and everything that is base64 alone as something that is neither.
_AS_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_LAST_OF_TWO: Final = b"AQgw"
_LAST_OF_THREE: Final = b"AEIMQUYcgkosw048"
_P256_BYTES: Final = 32
_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
_PKCS1: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)


class NotAJws(ValueError):
    """The bytes are not a compact JWS as this file says; the text names what is wrong."""


@dataclass(frozen=True, slots=True)
class Header:
    """A protected header that passed: algorithm, type, and how the signer is named."""

    alg: str
    typ: str | None
    kid: str | None
    #: SHA-256 thumbprint of the signer's certificate, base64url (from ``x5t#S256``, or of the ``x5c`` leaf).
    thumbprint: str | None
    #: DER certificates, leaf first; empty where the header has no ``x5c``.
    chain: tuple[bytes, ...]


class Compact(NamedTuple):
    """A compact JWS taken apart: its header, payload bytes, the bytes that are signed, the signature."""

    header: Header
    payload: bytes
    signing_input: bytes
    signature: bytes


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, appendix C)."""
    return _encoded(data).decode("ascii")


def _encoded(data: bytes) -> bytes:
    return pybase64.urlsafe_b64encode(data).rstrip(b"=")


def b64url_decode(text: bytes) -> bytes:
    """The bytes behind strict base64url; raises NotAJws on padding, foreign characters or trailing bits."""
    rest = len(text) % 4
    if rest == 1:
        raise NotAJws("not base64url without padding")
    try:
        decoded = pybase64.b64decode(text.translate(_AS_BASE64) + b"==="[: (4 - rest) % 4], validate=True)
    except binascii.Error:
        raise NotAJws("not base64url without padding") from None
    if (rest == 2 and text[-1] not in _LAST_OF_TWO) or (rest == 3 and text[-1] not in _LAST_OF_THREE):
        raise NotAJws("base64url with non-zero trailing bits")
    return decoded


def split(compact: bytes) -> Compact:
    """Take a compact JWS apart; raises NotAJws where any rule of this file is broken. Verifies nothing."""
    parts = compact.split(b".")
    if len(parts) != 3:
        raise NotAJws("not three parts separated by dots")
    head, body, tail = parts
    if len(head) > MAX_HEADER * 4 // 3 + 4:
        raise NotAJws("the header is over 16 KiB")
    header = _header_cached(head) if len(head) <= 1024 else _header(head)
    return Compact(header, b64url_decode(body), compact[: len(head) + 1 + len(body)], b64url_decode(tail))


def payload_of(compact: bytes) -> bytes:
    """The payload alone of a compact JWS that was taken before; raises NotAJws where it is damaged."""
    parts = compact.split(b".")
    if len(parts) != 3:
        raise NotAJws("not three parts separated by dots")
    return b64url_decode(parts[1])


def _header(encoded: bytes) -> Header:
    raw = b64url_decode(encoded)
    if len(raw) > MAX_HEADER:
        raise NotAJws("the header is over 16 KiB")
    try:
        header = parse_strict(raw)
    except StrictJsonError as error:
        raise NotAJws(f"the header is not strict JSON: {error}") from None
    if not isinstance(header, dict):
        raise NotAJws("the header is not a JSON object")
    for name in _FORBIDDEN:
        if name in header:
            raise NotAJws(f"the header member {name} is refused")
    alg, typ, kid = header.get("alg"), header.get("typ"), header.get("kid")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise NotAJws("alg is none of Ed25519, EdDSA, ES256, PS256, RS256")
    if "typ" in header and not isinstance(typ, str):
        raise NotAJws("typ is not a string")
    named = header.get("x5t#S256")
    if "x5t#S256" in header and (not isinstance(named, str) or len(b64url_decode(named.encode())) != 32):
        raise NotAJws("x5t#S256 is not the base64url of 32 bytes")
    chain = _chain(header["x5c"]) if "x5c" in header else ()
    if chain:
        leaf = b64url(hashlib.sha256(chain[0]).digest())
        if named is not None and named != leaf:
            raise NotAJws("x5t#S256 and x5c name different certificates")
        named = leaf
    return Header(alg, typ, kid if isinstance(kid, str) else None, named, chain)


_header_cached = lru_cache(maxsize=4096)(_header)


def _chain(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHAIN:
        raise NotAJws("x5c is not a list of one to four certificates")
    chain: list[bytes] = []
    for item in value:
        if not isinstance(item, str):
            raise NotAJws("x5c holds something other than base64 text")
        try:
            der = base64.b64decode(item.encode("ascii"), validate=True)
            x509.load_der_x509_certificate(der)
        except (ValueError, binascii.Error, x509.InvalidVersion):
            raise NotAJws("x5c holds something that is not a certificate") from None
        chain.append(der)
    return tuple(chain)


def fits(alg: str, key: object) -> bool:
    """Whether ``alg`` may be used with ``key``: Ed25519, P-256, or RSA of 2048 to 4096 bits."""
    if isinstance(key, Ed25519PublicKey | Ed25519PrivateKey):
        return alg in ("Ed25519", "EdDSA")
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return alg == "ES256" and isinstance(key.curve, ec.SECP256R1)
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return alg in ("PS256", "RS256") and 2048 <= key.key_size <= 4096
    return False


def is_usable(key: object) -> bool:
    """Whether the bus takes this kind of key at all."""
    return any(fits(alg, key) for alg in ALGORITHMS)


def verify(key: PublicKey, jws: Compact) -> bool:
    """Whether the signature is ``key``'s over the signing input. The caller has checked :func:`fits`."""
    try:
        if isinstance(key, Ed25519PublicKey):
            return ed25519.verify(key, jws.signature, jws.signing_input)
        if isinstance(key, ec.EllipticCurvePublicKey):
            if len(jws.signature) != 2 * _P256_BYTES:
                return False
            r = int.from_bytes(jws.signature[:_P256_BYTES], "big")
            s = int.from_bytes(jws.signature[_P256_BYTES:], "big")
            key.verify(encode_dss_signature(r, s), jws.signing_input, _ECDSA)
        else:
            key.verify(jws.signature, jws.signing_input, _PSS if jws.header.alg == "PS256" else _PKCS1, _SHA256)
    except InvalidSignature:
        return False
    return True


def signature_of(key: PrivateKey, alg: str, signing_input: bytes) -> bytes:
    """The raw JWS signature (RFC 7518 shapes) of ``signing_input``; ``alg`` must fit ``key``."""
    if isinstance(key, Ed25519PrivateKey):
        return ed25519.sign(key, signing_input)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(signing_input, _ECDSA))
        return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")
    return key.sign(signing_input, _PSS if alg == "PS256" else _PKCS1, _SHA256)


def default_alg(key: object) -> str:
    """The algorithm name the bus writes for this kind of key (``EdDSA``, ``ES256`` or ``PS256``)."""
    if isinstance(key, Ed25519PublicKey | Ed25519PrivateKey):
        return "EdDSA"
    return "ES256" if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) else "PS256"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its certificate's names, ready to sign what one party says."""

    key: PrivateKey
    alg: str
    thumbprint: str
    kid: str | None = None

    def sign(self, typ: str, payload: bytes) -> bytes:
        """The compact JWS of ``payload`` under header ``typ``, ``alg``, ``x5t#S256`` and, where set, ``kid``."""
        signing_input = self._head(typ) + b"." + _encoded(payload)
        signature = signature_of(self.key, self.alg, signing_input)
        return signing_input + b"." + _encoded(signature)

    def _head(self, typ: str) -> bytes:
        return _encoded_head(typ, self.alg, self.thumbprint, self.kid)


@lru_cache(maxsize=256)
def _encoded_head(typ: str, alg: str, thumbprint: str, kid: str | None) -> bytes:
    header: dict[str, str] = {"typ": typ, "alg": alg, "x5t#S256": thumbprint}
    if kid is not None:
        header["kid"] = kid
    return _encoded(json.dumps(header, separators=(",", ":")).encode())


def thumbprint(certificate: x509.Certificate) -> str:
    """The ``x5t#S256`` of a certificate: base64url of the SHA-256 of its DER form."""
    return b64url(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())


def public_jwk(key: PublicKey, kid: str) -> Mapping[str, str]:
    """A public key as JWK (RFC 7517, RFC 8037) with ``use`` sig and the ``alg`` the bus signs with."""
    if isinstance(key, Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw), "alg": "EdDSA", "use": "sig", "kid": kid}
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers = key.public_numbers()
        x, y = (b64url(n.to_bytes(_P256_BYTES, "big")) for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "use": "sig", "kid": kid}
    raise ValueError("the bus publishes Ed25519 and P-256 keys only")


def key_id(key: PublicKey) -> str:
    """The name of a key in the JWKS: its RFC 7638 thumbprint over SHA-256, base64url."""
    members = {k: v for k, v in public_jwk(key, "").items() if k in ("crv", "kty", "x", "y")}
    return b64url(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())
