"""The keys that a running gateway signs with: its own, its webhook key, and one for each system it seals for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.config.keys import is_pair, not_a_pair, read_certificate_file, read_key
from gateway.config.settings import Settings
from gateway.core import jws
from gateway.core.directory import Certificate, System
from gateway.core.faults import Busy, Misconfigured, Text

#: Beside the signing key: certificates of keys that the gateway signed with before. What they signed stays verifiable.
OLD: Final = "old"


@dataclass(slots=True)
class Keyring:
    """All keys of one gateway; private keys never leave it."""

    settings: Settings
    signer: jws.Signer
    webhook: jws.Signer
    certificate: Certificate
    old: tuple[Certificate, ...]
    _kept: dict[str, tuple[tuple[str | None, ...], jws.Signer]] = field(default_factory=dict)

    @classmethod
    def read(cls, settings: Settings) -> Keyring:
        """The gateway's keys; raises Misconfigured naming the file, what is wrong and what would be right."""
        own = read_certificate_file(settings.certificate, settings.shown(settings.certificate))
        files = sorted((settings.signing_key.parent / OLD).glob("*.crt"))
        kept = (read_certificate_file(path, settings.shown(path)) for path in files)
        old = tuple(each for each in kept if each.thumbprint != own.thumbprint)
        signer = _gateway_signer(settings, own)
        return cls(settings, signer, _webhook_signer(settings, signer), own, old)

    def remember(self) -> bool:
        """Put today's certificate beside the older ones; whether it is there now. So a new key makes nobody forget.

        A folder that cannot be written is left as it is: whoever locked it keeps the old certificates, too.
        """
        path = self.settings.signing_key.parent / OLD / f"{self.certificate.thumbprint}.crt"
        try:
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                part = path.with_suffix(".part")
                part.write_text(self.certificate.pem, encoding="ascii")
                part.replace(path)
        except OSError:
            return path.exists()  # another process of this gateway may just have put it there
        return True

    def jwks(self) -> Mapping[str, Any]:
        """The JWK Set that the gateway publishes: today's signing key, older ones, the webhook key."""
        webhook: Any = self.webhook.key
        named = {jws.key_id(each.key): each.key for each in (self.certificate, *self.old)}
        keys = [jws.public_jwk(key, kid) for kid, key in named.items()]
        return {"keys": [*keys, jws.public_jwk(webhook.public_key(), str(self.webhook.kid))]}

    def certificates(self) -> Sequence[Certificate]:
        """Certificates of the gateway's own keys, present and past."""
        return (self.certificate, *self.old)

    def mark_key(self) -> bytes:
        """The key under which the log of queries marks what was asked about: derived from the webhook key (RFC 5869).

        After a change of that key older marks can be looked for with the older key alone.
        """
        return _mark_key(self.webhook.key)

    def signer_of(self, system: System) -> jws.Signer:
        """The key kept for a system, which signs nothing else; raises Busy where it cannot be used now."""
        marks = (system.key_file, *(each.thumbprint for each in system.certificates))
        kept = self._kept.get(system.name)
        if kept is not None and kept[0] == marks:
            return kept[1]
        try:
            signer = _sealing_signer(self.settings, system)
        except Misconfigured:
            raise Busy(
                "overloaded",
                Text(
                    f"Trục chưa dùng được khoá giữ cho {system.name}. Đơn vị vận hành kiểm tra khoá và chứng thư.",
                    f"The bus cannot use the key it keeps for {system.name}. Its operator must check the key.",
                ),
                retry_after=60,
            ) from None
        self._kept[system.name] = (marks, signer)
        return signer


def read_mark_key(path: Path, shown: str) -> bytes:
    """The key of the marks that a webhook key in a PEM file made, today's or an older one; raises Misconfigured."""
    key = read_key(path, shown)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _wrong_kind(shown, Text("Ed25519", "Ed25519"))
    return _mark_key(key)


def _mark_key(webhook: Any) -> bytes:
    raw = webhook.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"lgsp query marks").derive(raw)


def _gateway_signer(settings: Settings, own: Certificate) -> jws.Signer:
    """What signs receipts and the gateway's own envelopes, under the ``kid`` of its JWKS."""
    shown = settings.shown(settings.signing_key)
    key = read_key(settings.signing_key, shown)
    if not isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
        raise _wrong_kind(shown, Text("Ed25519 hoặc P-256", "Ed25519 or P-256"))
    if not is_pair(key, own):
        raise not_a_pair(settings.shown(settings.certificate), shown)
    return jws.Signer(key, jws.default_alg(key), own.thumbprint, jws.key_id(key.public_key()))


def _webhook_signer(settings: Settings, signer: jws.Signer) -> jws.Signer:
    """What signs ``webhook-signature`` v1a: a key of its own, under which no receipt or envelope ever verifies."""
    shown = settings.shown(settings.webhook_key)
    key = read_key(settings.webhook_key, shown)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _wrong_kind(shown, Text("Ed25519", "Ed25519"))
    kid = jws.key_id(key.public_key())
    if kid == signer.kid:
        raise Misconfigured(
            shown,
            Text("Khoá webhook trùng với khoá ký của trục", "The webhook key is the signing key too"),
            Text(
                f"Tạo khoá riêng: openssl genpkey -algorithm ed25519 -out {shown}",
                f"Make one of its own: openssl genpkey -algorithm ed25519 -out {shown}",
            ),
        )
    return jws.Signer(key, "EdDSA", "", kid)


def _sealing_signer(settings: Settings, system: System) -> jws.Signer:
    """What signs for a system with ``sealing = "gateway"``; the certificate of its key is registered to it."""
    path = settings.folder / (system.key_file or "")
    key = read_key(path, settings.shown(path))
    for certificate in system.certificates:
        if is_pair(key, certificate):
            return jws.Signer(key, jws.default_alg(key), certificate.thumbprint)
    raise not_a_pair(system.name, settings.shown(path))


def _wrong_kind(shown: str, wanted: Text) -> Misconfigured:
    return Misconfigured(
        shown,
        Text("Loại khoá này không dùng được ở đây", "This kind of key cannot be used here"),
        Text(f"Phải là khoá {wanted.vi}.", f"It must be {wanted.en}."),
    )
