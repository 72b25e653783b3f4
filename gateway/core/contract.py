"""Contracts: the message types that the bus knows, each in its versions, and the ways between their majors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from gateway.core.faults import Text, Violation
from gateway.core.schema import Schema
from gateway.core.translation import Chain, Rules

MOST_NAME: Final = 100
KINDS: Final = ("message", "query", "answer")
ORDERINGS: Final = ("subject", "none")
#: ``draft`` is being tried, ``deprecated`` will go, ``retired`` is gone: kept so that old messages stay readable.
STATES: Final = ("draft", "active", "deprecated", "retired")

_WORD: Final = "[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*\Z")
_LABEL: Final = re.compile(r"([1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\Z")
_DATASCHEMA: Final = "urn:lgsp:contract:"


def is_contract_name(name: str) -> bool:
    """Whether ``name`` is lower-case kebab words with dots between, such as ``document.issued``."""
    return len(name) <= MOST_NAME and _NAME.match(name) is not None


def is_gateways_own(name: str) -> bool:
    """Whether only the gateway itself sends messages of this contract: receipts, reminders of what is owed by law."""
    return name.startswith("receipt.") or name == "document.reminder"


def parse_label(label: str) -> tuple[int, int] | None:
    """Major and minor of ``"2.0"``; None for anything else (no leading zeros, majors start at 1)."""
    found = _LABEL.match(label)
    return None if found is None else (int(found[1]), int(found[2]))


def parse_dataschema(dataschema: str) -> tuple[str, str] | None:
    """Name and version label of ``urn:lgsp:contract:NAME:MAJOR.MINOR``; None for anything else."""
    if not dataschema.startswith(_DATASCHEMA):
        return None
    name, _, label = dataschema.removeprefix(_DATASCHEMA).partition(":")
    if not is_contract_name(name) or parse_label(label) is None:
        return None
    return name, label


def dataschema_of(name: str, label: str) -> str:
    """The ``dataschema`` of a version: the inverse of ``parse_dataschema``."""
    return f"{_DATASCHEMA}{name}:{label}"


class Example(NamedTuple):
    """The data of one message that keeps, or on purpose breaks, a version's schema; ``rule`` is the one it breaks."""

    name: str
    data: Any
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a contract. ``up`` leads here from the major before, ``down`` back to it.

    The schema is compiled when the value is made; that raises ``Misconfigured`` where it cannot be used.
    """

    name: str
    major: int
    minor: int
    state: str
    schema: Mapping[str, Any] = field(hash=False)
    examples: tuple[Example, ...] = field(default=(), hash=False)
    counterexamples: tuple[Example, ...] = field(default=(), hash=False)
    up: Rules | None = field(default=None, hash=False)
    down: Rules | None = field(default=None, hash=False)
    _compiled: Schema = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", Schema.compiled(self.schema, f"{self.name}/{self.label}/schema.json"))

    @property
    def label(self) -> str:
        """``"MAJOR.MINOR"``."""
        return f"{self.major}.{self.minor}"

    @property
    def dataschema(self) -> str:
        """The envelope's ``dataschema`` for this version."""
        return dataschema_of(self.name, self.label)

    def check(self, data: Any) -> tuple[Violation, ...]:
        """What is wrong with ``data``: at most 20 violations, none where it is valid.

        A ``pointer`` (RFC 6901) names the value that breaks the ``rule`` (a schema keyword); for a missing member
        it names the object that lacks it, and the message names the member.
        """
        return self._compiled.violations(data)


@dataclass(frozen=True, slots=True)
class Processed:
    """By what a recipient shows that it dealt with a message: one of the contracts ``by`` about the same thing.

    Where ``codes`` are named only these of them count, and ``accepted`` say that it has it and no more. It is late
    after ``within`` working days.
    """

    by: tuple[str, ...]
    within: int
    codes: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """A message type: who answers for it, how it is ordered, whether it carries personal data, its versions."""

    name: str
    title: Text
    owner: str
    kind: str = "message"
    ordering: str = "subject"
    personal: bool = False
    answer: str | None = None
    #: Of what tells of a register's records: the register's code, or ``/MEMBER`` of the data that holds it. Each of its
    #: items has one trusted provider (``gateway.core.registers``).
    register: str | None = None
    versions: tuple[Version, ...] = ()
    #: None: nothing shows it, so nobody is asked for it.
    processed: Processed | None = None

    def version(self, label: str) -> Version | None:
        """The version with this label, if there is one."""
        return next((version for version in self.versions if version.label == label), None)

    def majors(self) -> tuple[int, ...]:
        """The majors that have a version, in rising order."""
        return tuple(sorted({version.major for version in self.versions}))

    def first_of(self, major: int) -> Version | None:
        """The first minor of a major: the one that translations lead to, since later minors only add to it."""
        found = [version for version in self.versions if version.major == major]
        return min(found, key=lambda version: version.minor) if found else None

    def translation(self, from_major: int, to_major: int) -> Chain | None:
        """The way from any version of one major to the first minor of another; None where there is none."""
        majors = self.majors()
        goal = self.first_of(to_major)
        if goal is None or from_major not in majors or from_major == to_major:
            return None
        rising = to_major > from_major
        between = [major for major in majors if min(from_major, to_major) < major <= max(from_major, to_major)]
        steps: list[Rules] = []
        for major in between if rising else reversed(between):
            version = self.first_of(major)
            rules = None if version is None else (version.up if rising else version.down)
            if rules is None:
                return None
            steps.append(rules)
        return Chain.of(steps, goal.label)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All contracts that a gateway knows at one moment, by name."""

    contracts: Mapping[str, Contract] = field(hash=False)
    _chains: dict[tuple[str, int, int], Chain] = field(default_factory=dict, init=False, repr=False,
                                                              compare=False)  # fmt: skip

    @classmethod
    def of(cls, contracts: Iterable[Contract]) -> Catalog:
        """The catalog of ``contracts``; of two with the same name the later one holds."""
        return cls({contract.name: contract for contract in contracts})

    def names(self) -> tuple[str, ...]:
        """The contracts' names in order."""
        return tuple(sorted(self.contracts))

    def contract(self, name: str) -> Contract | None:
        """The contract with this name, if it is known."""
        return self.contracts.get(name)

    def find(self, name: str, label: str) -> Version | None:
        """The version ``label`` (``"1.0"``) of the contract ``name``, if both are known."""
        contract = self.contracts.get(name)
        return None if contract is None else contract.version(label)

    def translation(self, name: str, from_major: int, to_major: int) -> Chain | None:
        """The rules from one major to another; None where a way is missing or the majors are the same."""
        asked = (name, from_major, to_major)
        if asked not in self._chains:
            contract = self.contracts.get(name)
            chain = None if contract is None else contract.translation(from_major, to_major)
            if chain is None:
                return None
            self._chains[asked] = chain
        return self._chains[asked]

    def merged(self, other: Catalog) -> Catalog:
        """Both catalogs' contracts, ``other``'s added to these; where both know a name, ``other``'s holds."""
        return Catalog({**self.contracts, **other.contracts})
