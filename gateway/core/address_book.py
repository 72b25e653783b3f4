"""The address book: finding agencies by name, code or alias, and what one of them may send to the others."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.core.agreement import Agreement
from gateway.core.contract import Catalog, Contract
from gateway.core.directory import Agency, Directory

#: Of a longer question only so many words are looked for.
MOST_WORDS: Final = 10
_MARKS: Final = re.compile("[\u0300-\u036f]+")
_BETWEEN: Final = re.compile(r"[^\w.\n]+")


def fold(text: str) -> str:
    """Words in small letters without accents, one space between: ``Sở Y tế – Đắk Lắk`` -> ``so y te dak lak``.

    Tone and vowel marks go; đ counts as d, and so does the ð that some keyboards write for it. Line ends and the dots
    of codes stay.
    """
    plain = _MARKS.sub("", unicodedata.normalize("NFD", text.casefold())).replace("đ", "d").replace("ð", "d")
    return _BETWEEN.sub(" ", plain).strip(" ")


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Every agency of one picture of the registry, by code; made once for each, then asked often."""

    directory: Directory
    _codes: list[str]
    #: A line an agency, in order of codes: its name, code and aliases folded, a space before each word.
    _lines: str
    _starts: list[int]

    @classmethod
    def of(cls, directory: Directory) -> AddressBook:
        """The book of a directory."""
        agencies = sorted(directory.agencies.values(), key=lambda agency: agency.code)
        # folded in one go: a hundred thousand names take a tenth of the time that they would take one by one
        said = fold("\n".join(" ".join((each.name, each.code, *each.aliases)).replace("\n", " ") for each in agencies))
        lines = [f" {line.strip(' ')}\n" for line in said.split("\n")] if agencies else []
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        return cls(directory, [agency.code for agency in agencies], "".join(lines), starts)

    def search(self, asked: str, *, after: str = "", limit: int) -> tuple[list[Agency], bool]:
        """At most ``limit`` agencies in order of codes, from the first code behind ``after``; and whether more follow.

        An agency is found where each word of ``asked`` begins a word of its name, its code or one of its other
        codes, accents or not. All are found where nothing is asked.
        """
        words = [word.strip(".") for word in fold(asked.replace("\n", " ")).split()[:MOST_WORDS]]
        words = [word for word in words if word]
        first = bisect_right(self._codes, after)
        if not words and asked.strip():
            return [], False
        numbers = self._with(words, first) if words else iter(range(first, len(self._codes)))
        found: list[Agency] = []
        for number in numbers:
            if len(found) == limit:
                return found, True
            found.append(self.directory.agencies[self._codes[number]])
        return found, False

    def _with(self, words: list[str], first: int) -> Iterator[int]:
        """Numbers of the agencies with all these words: the longest is looked for, the others in its lines."""
        longest = f" {max(words, key=len)}"
        others = [f" {word}" for word in words]
        at = self._starts[first]
        while (at := self._lines.find(longest, at)) >= 0:
            number = bisect_right(self._starts, at) - 1
            start, at = self._starts[number], self._starts[number + 1]
            line = self._lines[start:at]
            if all(word in line for word in others):
                yield number


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
            and any(directory.is_match(pattern, code) for pattern in each.senders)
        )
        return cls(code, directory, catalog, day, agreements)

    def to(self, recipient: Agency) -> tuple[Sendable, ...]:
        """What the recipient's systems subscribe to and an agreement allows, in order of contracts' names."""
        wished: dict[str, list[str]] = {}
        for system in recipient.systems:
            for name, wish in system.subscriptions.items():
                if not wish.sources or any(self.directory.is_match(pattern, self.code) for pattern in wish.sources):
                    wished.setdefault(name, []).append(system.name)
        found = []
        for name in sorted(wished):
            contract = self.catalog.contract(name)
            if contract is None or not is_sent(contract):
                continue
            agreements = [each for each in self._agreements if self._lets(each, name, recipient.code)]
            if agreements:
                purposes = tuple(dict.fromkeys(each.purpose for each in agreements))
                ids = tuple(each.id for each in agreements)
                found.append(Sendable(name, tuple(wished[name]), ids, purposes, contract.personal))
        return tuple(found)

    def _lets(self, agreement: Agreement, contract: str, recipient: str) -> bool:
        return agreement.covers(contract, self.day) and any(
            self.directory.is_match(pattern, recipient) for pattern in agreement.receivers
        )


def is_sent(contract: Contract) -> bool:
    """Whether agencies send messages of this contract by themselves, in any version."""
    is_open = any(version.state != "retired" for version in contract.versions)
    return contract.kind == "message" and not contract.name.startswith("receipt.") and is_open
