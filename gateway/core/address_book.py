"""The address book: finding agencies by name, code or alias, and what one of them may send to the others."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

from gateway.core.agency_words import Words, fold
from gateway.core.agreement import Agreement
from gateway.core.contract import Catalog, Contract, is_gateways_own
from gateway.core.directory import Agency, Directory, System

__all__ = ["MOST_WORDS", "AddressBook", "Sendable", "Sender", "fold", "is_sent"]

#: Of a longer question only so many words are looked for.
MOST_WORDS: Final = 10


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Every agency of one picture of the registry, by code; made once for each, then asked often."""

    directory: Directory
    #: The registered ones.
    _own: Words

    @classmethod
    def of(cls, directory: Directory) -> AddressBook:
        """The book of a directory."""
        registered = sorted(directory.agencies.items())
        own = Words.of((code, " ".join(each.name.split()), each.aliases) for code, each in registered)
        return cls(directory, own)

    def search(self, asked: str, *, after: str = "", limit: int) -> tuple[list[Agency], bool]:
        """At most ``limit`` agencies in order of codes, from the first code behind ``after``; and whether more follow.

        An agency is found where each word of ``asked`` begins a word of its name, its code or one of its other
        codes, accents or not. All are found where nothing is asked.
        """
        words = [word.strip(".") for word in fold(asked.replace("\n", " ")).split()[:MOST_WORDS]]
        words = [word for word in words if word]
        if not words and asked.strip():
            return [], False
        found: list[Agency] = []
        for agency in self._with(words, after):
            if len(found) == limit:
                return found, True
            found.append(agency)
        return found, False

    def _with(self, words: list[str], after: str) -> Iterator[Agency]:
        """The agencies with all these words, each once, as the directory has them."""
        found = [self._own.search(words, after)]
        found += [each.search(words, after) for each in self.directory.naming.lists]
        for code, _ in groupby(heapq.merge(*found)):
            agency = self.directory.agency(code)
            if agency is not None and agency.code == code:  # else the code means a registered one
                yield agency


@dataclass(frozen=True, slots=True)
class Sendable:
    """A contract that one agency may send to another today: to which systems, by which agreements, for what."""

    contract: str
    systems: tuple[str, ...]
    agreements: tuple[str, ...]
    purposes: tuple[str, ...]
    #: The message must state one of the purposes.
    needs_purpose: bool


@dataclass(frozen=True, slots=True)
class Sender:
    """One agency that may send, on one day: its agreements in force, chosen once for many recipients."""

    code: str
    directory: Directory
    catalog: Catalog
    day: date
    _agreements: tuple[Agreement, ...]

    @classmethod
    def of(cls, code: str, directory: Directory, catalog: Catalog, day: date) -> Sender:
        """The agency ``code`` as a sender on ``day``."""
        agreements = tuple(
            each
            for each in directory.agreements
            if each.valid_from <= day <= each.valid_until
            and any(directory.is_match(pattern, code, day) for pattern in each.senders)
        )
        return cls(code, directory, catalog, day, agreements)

    def to(self, recipient: Agency) -> tuple[Sendable, ...]:
        """What an agreement allows and somebody subscribes to, in order of contracts' names.

        That is the recipient's own systems or, where none of these does, the one that carries for it; of a closed
        agency those of its successor. Nothing, where the sender is closed itself.
        """
        own, heir = self.directory.agency(self.code), self.directory.recipient(recipient.code, self.day)
        if heir is None or (own is not None and own.is_closed(self.day)):
            return ()
        wished: dict[str, list[str]] = {}
        for system in heir.systems:
            for name in self._wishes(system):
                wished.setdefault(name, []).append(system.name)
        carrier = self.directory.carrier(heir)
        if carrier is not None:
            for name in self._wishes(carrier):
                wished.setdefault(name, [carrier.name])
        found = []
        for name in sorted(wished):
            contract = self.catalog.contract(name)
            if contract is None or not is_sent(contract):
                continue
            agreements = [each for each in self._agreements if self._lets(each, name, heir.code)]
            if agreements:
                purposes = tuple(dict.fromkeys(each.purpose for each in agreements))
                ids = tuple(each.id for each in agreements)
                found.append(Sendable(name, tuple(wished[name]), ids, purposes, contract.personal))
        return tuple(found)

    def _wishes(self, system: System) -> Iterator[str]:
        """Contracts that a system wants from this sender."""
        for name, wish in system.subscriptions.items():
            if not wish.sources or any(self.directory.is_match(p, self.code, self.day) for p in wish.sources):
                yield name

    def _lets(self, agreement: Agreement, contract: str, recipient: str) -> bool:
        return agreement.covers(contract, self.day) and any(
            self.directory.is_match(pattern, recipient, self.day) for pattern in agreement.receivers
        )


def is_sent(contract: Contract) -> bool:
    """Whether agencies send messages of this contract by themselves, in any version."""
    is_open = any(version.state != "retired" for version in contract.versions)
    return contract.kind == "message" and not is_gateways_own(contract.name) and is_open
