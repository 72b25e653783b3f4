"""The directory: agencies, their systems and certificates, agreements; one frozen picture of the registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

from cryptography import x509

from gateway.core.agreement import Agreement, Subscription
from gateway.core.jws import PublicKey, is_usable, thumbprint
from gateway.core.rate import Rate

#: Answers about agreements that one picture remembers.
_REMEMBERED: Final = 10_000


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
    """A query that a system answers itself at ``url``."""

    contract: str
    version: str
    url: str


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

    @property
    def local_name(self) -> str:
        """The part of the name after the slash."""
        return self.name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Agency:
    """An organisation with an identifier code, its other codes, its level and its parent's code."""

    code: str
    name: str
    level: str
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    systems: tuple[System, ...] = ()


class Directory:
    """Everything the registry says, indexed for the questions that each message asks. Never changes."""

    def __init__(
        self, agencies: Iterable[Agency], agreements: Iterable[Agreement], *, gateway: str, version: int = 0
    ) -> None:
        """``gateway`` is the name of the gateway's own system, ``version`` the registry's."""
        self.gateway = gateway
        self.version = version
        self.agencies: Mapping[str, Agency] = {agency.code: agency for agency in agencies}
        self.agreements: tuple[Agreement, ...] = tuple(agreements)
        self._names: dict[str, str] = {}
        for agency in self.agencies.values():
            self._names.update(dict.fromkeys(agency.aliases, agency.code))
        self._names.update({code: code for code in self.agencies})
        self.systems: Mapping[str, System] = {s.name: s for a in self.agencies.values() for s in a.systems}
        self._signers: dict[str, tuple[Certificate, frozenset[str]]] = {}
        for system in self.systems.values():
            for certificate in system.certificates:
                _, owners = self._signers.get(certificate.thumbprint, (certificate, frozenset[str]()))
                self._signers[certificate.thumbprint] = (certificate, owners | {system.name})
        self._subscribers: dict[str, tuple[System, ...]] = {}
        for system in self.systems.values():
            for contract in system.subscriptions:
                self._subscribers[contract] = (*self._subscribers.get(contract, ()), system)
        self._ancestors: dict[str, frozenset[str]] = {}
        self._agreed: dict[tuple[str, str, str, date], tuple[Agreement, ...]] = {}
        self._gateway_names: frozenset[str] | None = None

    def agency(self, code: str) -> Agency | None:
        """The agency with this code or alias."""
        return self.agencies.get(self._names.get(code, ""))

    def system(self, name: str) -> System | None:
        """The system with this name, its agency written by code or alias."""
        found = self.systems.get(name)
        if found is not None:
            return found
        code, _, local = name.partition("/")
        return self.systems.get(f"{self._names.get(code, '')}/{local}")

    def signer(self, thumb: str) -> tuple[Certificate, frozenset[str]] | None:
        """A registered certificate by ``x5t#S256``, and the systems it is registered to."""
        return self._signers.get(thumb)

    def subscribers(self, contract: str) -> tuple[System, ...]:
        """Every system that subscribes to the contract, in any version."""
        return self._subscribers.get(contract, ())

    def gateway_names(self) -> frozenset[str]:
        """Every way of writing the gateway's own system: by its agency's code and by each alias."""
        if self._gateway_names is None:
            code, _, local = self.gateway.partition("/")
            agency = self.agency(code)
            codes = (code,) if agency is None else (code, agency.code, *agency.aliases)
            self._gateway_names = frozenset(f"{each}/{local}" for each in codes)
        return self._gateway_names

    def is_match(self, pattern: str, code: str) -> bool:
        """Whether agency ``code`` falls under ``*``, ``H33`` (itself) or ``H33.*`` (below it, at any depth)."""
        if pattern == "*":
            return True
        if pattern.endswith(".*"):
            top = pattern[:-2]
            return self._names.get(top, top) in self.ancestors(code)
        return self._names.get(pattern, pattern) == self._names.get(code, code)

    def ancestors(self, code: str) -> frozenset[str]:
        """Codes of every agency above ``code`` through parent links; a parent need not be registered."""
        code = self._names.get(code, code)
        known = self._ancestors.get(code)
        if known is None:
            above: dict[str, None] = {}
            agency = self.agencies.get(code)
            while agency is not None and agency.parent:
                parent = self._names.get(agency.parent, agency.parent)
                if parent in above or parent == code:
                    break
                above[parent] = None
                agency = self.agencies.get(parent)
            known = self._ancestors[code] = frozenset(above)
        return known

    def agreements_for(self, source: str, recipient: str, contract: str, day: date) -> tuple[Agreement, ...]:
        """Agreements in force on ``day`` that let agency ``source`` send ``contract`` to agency ``recipient``."""
        asked = (source, recipient, contract, day)
        found = self._agreed.get(asked)
        if found is None:
            found = tuple(
                agreement
                for agreement in self.agreements
                if agreement.covers(contract, day)
                and any(self.is_match(pattern, source) for pattern in agreement.senders)
                and any(self.is_match(pattern, recipient) for pattern in agreement.receivers)
            )
            if len(self._agreed) >= _REMEMBERED:
                self._agreed.clear()
            self._agreed[asked] = found
        return found

    def purposes(self, source: str, contract: str, day: date) -> frozenset[str]:
        """Purposes for which agency ``source`` may send ``contract`` to anybody at all on ``day``."""
        return frozenset(
            agreement.purpose
            for agreement in self.agreements
            if agreement.covers(contract, day) and any(self.is_match(pattern, source) for pattern in agreement.senders)
        )

    def may_exchange(self, one: str, other: str, day: date) -> bool:
        """Whether any agreement in force lets the two agencies exchange anything, in either direction."""
        if self._names.get(one, one) == self._names.get(other, other):
            return True
        return any(
            agreement.valid_from <= day <= agreement.valid_until
            and any(self.is_match(p, sender) for p in agreement.senders)
            and any(self.is_match(p, receiver) for p in agreement.receivers)
            for agreement in self.agreements
            for sender, receiver in ((one, other), (other, one))
        )

    def wants(self, system: System, contract: str, source_agency: str, subject: str) -> Subscription | None:
        """The system's subscription to ``contract`` where its filter lets this message pass."""
        wish = system.subscriptions.get(contract)
        if wish is None or not wish.wants_subject(subject):
            return None
        if wish.sources and not any(self.is_match(pattern, source_agency) for pattern in wish.sources):
            return None
        return wish


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
