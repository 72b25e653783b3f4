"""The keys that a running gateway signs with: its own, its webhook key, and one for each system it seals for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.config.keys import (
    gateway_certificate,
    gateway_signer,
    read_certificate_file,
    sealing_signer,
    webhook_signer,
)
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
        files = sorted((settings.signing_key.parent / OLD).glob("*.crt"))
        old = tuple(read_certificate_file(path, settings.shown(path)) for path in files)
        own = gateway_certificate(settings)
        return cls(settings, gateway_signer(settings), webhook_signer(settings), own, old)

    def jwks(self) -> Mapping[str, Any]:
        """The JWK Set that the gateway publishes: today's signing key, older ones, the webhook key."""
        webhook: Any = self.webhook.key
        named = {jws.key_id(each.key): each.key for each in (self.certificate, *self.old)}
        keys = [jws.public_jwk(key, kid) for kid, key in named.items()]
        return {"keys": [*keys, jws.public_jwk(webhook.public_key(), str(self.webhook.kid))]}

    def certificates(self) -> Sequence[Certificate]:
        """Certificates of the gateway's own keys, present and past."""
        return (self.certificate, *self.old)

    def signer_of(self, system: System) -> jws.Signer:
        """The key kept for a system, which signs nothing else; raises Busy where it cannot be used now."""
        marks = (system.key_file, *(each.thumbprint for each in system.certificates))
        kept = self._kept.get(system.name)
        if kept is not None and kept[0] == marks:
            return kept[1]
        try:
            signer = sealing_signer(self.settings, system)
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
