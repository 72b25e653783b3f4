"""The directory: agencies, their systems and certificates, agreements; one frozen picture of the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final

from gateway.core.agency import Agency, Certificate, Provision, System, read_certificate
from gateway.core.agency_list import AgencyList
from gateway.core.agreement import Agreement, Subscription
from gateway.core.codes import is_centre
from gateway.core.naming import Naming
from gateway.core.registers import Trust

__all__ = ["Agency", "Certificate", "Directory", "Provision", "System", "read_certificate"]

#: Answers about agreements that one picture remembers.
_REMEMBERED: Final = 10_000


class Directory:
    """Everything the registry says, indexed for the questions that each message asks. Never changes."""

    def __init__(
        self,
        agencies: Iterable[Agency],
        agreements: Iterable[Agreement],
        *,
        gateway: str,
        version: int = 0,
        lists: Iterable[AgencyList] = (),
        trusts: Iterable[Trust] = (),
    ) -> None:
        """``gateway`` is the name of the gateway's own system, ``version`` the registry's."""
        self.gateway = gateway
        self.version = version
        self.naming = Naming(agencies, lists)
        #: Those that are registered here; what lists add is found by :meth:`agency`.
        self.agencies: Mapping[str, Agency] = self.naming.registered
        self.agreements: tuple[Agreement, ...] = tuple(agreements)
        #: Items of registers with whom they are trusted to, by their names.
        self.trusts: Mapping[str, Trust] = {trust.item: trust for trust in trusts}
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
        named = {agency.via for agency in self.agencies.values()}.union(*(each.carriers for each in self.naming.lists))
        carrying = [self.system(name) for name in named if name is not None]
        #: Names of systems that carry for agencies without one of their own.
        self.carriers: frozenset[str] = frozenset(each.name for each in carrying if each is not None)
        #: Names of systems that lead to a wider network: the gateway seals what it collects there, and they are its own
        #: agency's, or carry for others than agencies below theirs.
        self.lines: frozenset[str] = frozenset(self._lines())
        self._agreed: dict[tuple[str, str, str, date], tuple[Agreement, ...]] = {}
        self._gateway_names: frozenset[str] | None = None

    def _lines(self) -> Iterator[str]:
        listed = {name for each in self.naming.lists for name in each.carriers}
        beyond = {
            agency.via
            for agency in self.agencies.values()
            if agency.via is not None
            and (self.naming.code(agency.via.partition("/")[0]) not in {agency.code, *self.naming.above(agency.code)})
        }
        names = {system.name for name in listed | beyond if (system := self.system(name)) is not None}
        own = self.naming.code(self.gateway.partition("/")[0])
        for system in self.systems.values():
            if system.sealing == "gateway" and (system.agency == own or system.name in names):
                yield system.name

    def agency(self, code: str) -> Agency | None:
        """The agency with this code or alias: registered or on a list, closed or not."""
        return self.naming.agency(code)

    def recipient(self, code: str, day: date) -> Agency | None:
        """The agency that gets what is sent to this code or alias on ``day``: itself, or its successor.

        None where there is none; a connection centre is never a party to anything.
        """
        found = self.naming.living(code, day)
        return None if found is None or is_centre(code) or is_centre(found.code) else found

    def carrier(self, agency: Agency) -> System | None:
        """The system that carries for an agency, where it has one and that is registered."""
        return None if agency.via is None else self.system(agency.via)

    def system(self, name: str) -> System | None:
        """The system with this name, its agency written by code or alias."""
        found = self.systems.get(name)
        if found is not None:
            return found
        code, _, local = name.partition("/")
        return self.systems.get(f"{self.naming.code(code) or ''}/{local}")

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

    def is_match(self, pattern: str, code: str, day: date | None = None) -> bool:
        """Whether agency ``code`` falls under ``*``, ``H33`` (itself) or ``H33.*`` (below it, at any depth).

        On ``day`` it also does where an agency does in whose place it stands.
        """
        if pattern == "*":
            return True
        naming = self.naming
        selves = naming.selves(code, day)
        if pattern.endswith(".*"):
            top = pattern[:-2]
            top = naming.code(top) or top
            return any(top in naming.above(each, day) for each in selves)
        return (naming.code(pattern) or pattern) in selves

    def ancestors(self, code: str) -> frozenset[str]:
        """Codes of every agency above ``code`` through parent links; a parent need not be registered."""
        return self.naming.above(code)

    def agreements_for(self, source: str, recipient: str, contract: str, day: date) -> tuple[Agreement, ...]:
        """Agreements in force on ``day`` that let agency ``source`` send ``contract`` to agency ``recipient``."""
        asked = (source, recipient, contract, day)
        found = self._agreed.get(asked)
        if found is None:
            found = tuple(
                agreement
                for agreement in self.agreements
                if agreement.covers(contract, day)
                and any(self.is_match(pattern, source, day) for pattern in agreement.senders)
                and any(self.is_match(pattern, recipient, day) for pattern in agreement.receivers)
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
            if agreement.covers(contract, day)
            and any(self.is_match(pattern, source, day) for pattern in agreement.senders)
        )

    def may_exchange(self, one: str, other: str, day: date) -> bool:
        """Whether any agreement in force lets the two agencies exchange anything, in either direction."""
        if self.is_match(one, other):
            return True
        return any(
            agreement.valid_from <= day <= agreement.valid_until
            and any(self.is_match(p, sender, day) for p in agreement.senders)
            and any(self.is_match(p, receiver, day) for p in agreement.receivers)
            for agreement in self.agreements
            for sender, receiver in ((one, other), (other, one))
        )

    def wants(
        self, system: System, contract: str, source_agency: str, subject: str, day: date | None = None
    ) -> Subscription | None:
        """The system's subscription to ``contract`` where its filter lets this message pass (on ``day``)."""
        wish = system.subscriptions.get(contract)
        if wish is None or not wish.wants_subject(subject):
            return None
        if wish.sources and not any(self.is_match(pattern, source_agency, day) for pattern in wish.sources):
            return None
        return wish
