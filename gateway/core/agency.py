"""An agency with its systems and their certificates: values, as the registry and lists of agencies give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from cryptography import x509

from gateway.core.agreement import Subscription
from gateway.core.findings import Policy
from gateway.core.jws import PublicKey, is_usable, thumbprint
from gateway.core.rate import Rate


@dataclass(frozen=True, slots=True)
class Certificate:
    """A registered certificate: its ``x5t#S256``, key, PEM text and dates (seconds since 1970)."""

    thumbprint: str
    key: PublicKey
    pem: str
    not_before: float
    not_after: float

    def is_in_force(self, now: float) -> bool:
        """Whether ``now`` lies within the certificate's dates."""
        return self.not_before <= now <= self.not_after


@dataclass(frozen=True, slots=True)
class Provision:
    """A query that a system answers: itself at ``url``, or (where that is empty) by way of its adapter."""

    contract: str
    version: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """One piece of software of an agency, e.g. ``H33.05/dms``. Paths of secrets are relative to the province folder."""

    name: str
    agency: str
    adapter: str
    sealing: Literal["self", "gateway"] = "self"
    key_file: str | None = None
    certificates: tuple[Certificate, ...] = ()
    #: scrypt of the client secret as ``SALT$HASH`` in hex; None where the system has no secret.
    secret_hash: str | None = None
    webhook_secret_file: str | None = None
    #: How fast it may send; None means as fast as it likes.
    rate: Rate | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    provides: tuple[Provision, ...] = ()
    #: Whether applicants file with it: what it says of a dossier as a portal is believed.
    is_portal: bool = False

    @property
    def local_name(self) -> str:
        """The part of the name after the slash."""
        return self.name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Agency:
    """An organisation with an identifier code, its other codes, its level and its parent's code.

    ``via`` is the system that carries for it where it has none of its own. From the day ``closed`` on (QĐ
    09/2025/QĐ-TTg) its code is for reading only, and what is sent to it goes to ``successor``, where it has one.
    """

    code: str
    name: str
    level: str
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    systems: tuple[System, ...] = ()
    via: str | None = None
    closed: date | None = None
    successor: str | None = None
    #: What it wants where signatures inside files are bad; None: what the province says.
    signatures: Policy | None = None

    def is_closed(self, day: date) -> bool:
        """Whether its code is closed on ``day``."""
        return self.closed is not None and self.closed <= day


def read_certificate(pem: str) -> Certificate:
    """The first certificate in a PEM text; raises ValueError where there is none or its key is not one we take."""
    loaded = x509.load_pem_x509_certificate(pem.encode())
    key = loaded.public_key()
    if not is_usable(key):
        raise ValueError("the key is none of Ed25519, P-256, RSA 2048 to 4096")
    return Certificate(
        thumbprint=thumbprint(loaded),
        key=key,  # type: ignore[arg-type]
        pem=pem,
        not_before=loaded.not_valid_before_utc.timestamp(),
        not_after=loaded.not_valid_after_utc.timestamp(),
    )
