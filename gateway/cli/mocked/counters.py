"""Counters of one-stop offices in small: what officers do with a dossier, whichever software they have."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

_ROUND: Final = 0.3
#: What software does at times, besides what it is told to; each round draws anew.
_HABITS: Final = ("shuffles", "twice", "forces_nine", "nulls", "numbers", "cased", "texts")


class Counter(Protocol):
    """What a dossier's life needs of an office."""

    software: Any
    can_withdraw: bool

    def knows(self, code: str) -> bool:
        """Whether the dossier is in its book."""

    def receive(self, code: str) -> None:
        """Take it in."""

    def step(self, code: str, status: str, content: str, *, ago: float = 0.0) -> None:
        """Do a step of ``ago`` seconds ago."""

    def ask(self, code: str, content: str) -> str:
        """Ask for a supplement; its id."""

    def answered(self, code: str, named: str) -> None:
        """The supplement is here."""

    def issue(self, code: str, file: bytes | None) -> None:
        """The result is there."""

    def hand_over(self, code: str) -> None:
        """The result was handed over."""

    def give_back(self, code: str, reason: str) -> None:
        """Return it."""

    def withdraw(self, code: str) -> None:
        """Its applicant took it back."""


@dataclass(slots=True)
class OneStopCounter:
    """A counter with the software of today."""

    software: Any
    can_withdraw: bool = True

    def knows(self, code: str) -> bool:
        """Whether the dossier is in its book."""
        return code in self.software.dossiers

    def receive(self, code: str) -> None:
        """Take in what the bus brought, or a new one."""
        self.software.receive(code if self.knows(code) else {"MaHoSo": code})

    def step(self, code: str, status: str, content: str, *, ago: float = 0.0) -> None:
        """Do a step of ``ago`` seconds ago."""
        self.software.habits.backdates = ago
        self.software.progress(code, status, content)
        self.software.habits.backdates = 0.0

    def ask(self, code: str, content: str) -> str:
        """Ask for a supplement; its id."""
        named: str = self.software.ask_supplement(code, content)
        return named

    def answered(self, code: str, named: str) -> None:
        """The supplement is here."""
        self.software.take_supplement(code, named)

    def issue(self, code: str, file: bytes | None) -> None:
        """The result is there."""
        self.software.issue_result(code, {} if file is None else {f"{code}.pdf": file})

    def hand_over(self, code: str) -> None:
        """The result was handed over."""
        self.software.issue_result(code, {}, is_handed_over=True)

    def give_back(self, code: str, reason: str) -> None:
        """Return it."""
        self.software.give_back(code, reason)

    def withdraw(self, code: str) -> None:
        """Its applicant took it back."""
        self.software.set_to(code, TrangThaiHoSo="7", NgayTra=self.software.now())


@dataclass(slots=True)
class OldCounter:
    """A counter with the older software, which knows two statuses and no withdrawal."""

    software: Any
    can_withdraw: bool = False

    def knows(self, code: str) -> bool:
        """Whether the dossier is in its book."""
        return code in self.software.documents

    def receive(self, code: str) -> None:
        """Take in a new one, with a paper of its own."""
        self.software.receive({"DocCode": code}, {"don.pdf": f"%PDF-1.7\n% {code}\n%%EOF\n".encode()})

    def step(self, code: str, status: str, content: str, *, ago: float = 0.0) -> None:
        """Do a step of ``ago`` seconds ago: whatever its status, it is being processed."""
        del status
        self.software.habits.backdates = ago
        self.software.progress(code, 1, content)
        self.software.habits.backdates = 0.0

    def ask(self, code: str, content: str) -> str:
        """Ask for a supplement; its id."""
        named: str = self.software.ask_supplement(code, content)
        return named

    def answered(self, code: str, named: str) -> None:
        """The supplement is here."""
        self.software.take_supplement(code, named)

    def issue(self, code: str, file: bytes | None) -> None:
        """The result is there; this interface names no files."""
        del file
        self.software.issue_result(code)

    def hand_over(self, code: str) -> None:
        """The result was handed over."""
        self.software.issue_result(code, is_handed_over=True)

    def give_back(self, code: str, reason: str) -> None:
        """Return it."""
        self.software.give_back(code, reason)

    def withdraw(self, code: str) -> None:
        """There is no word for it here."""
        raise NotImplementedError(code)


@dataclass(slots=True)
class Rounds:
    """Sends what an office has not sent yet, round after round, with habits that the seed draws."""

    software: Any
    seed: str
    #: Which habits ever act; those that a kind of software does not have are left out.
    habits: tuple[str, ...] = _HABITS
    share: float = 0.35
    drawn: set[str] = field(default_factory=set)

    async def go_on(self) -> None:
        """For ever."""
        chance = random.Random(f"habits {self.seed}")  # noqa: S311 - a story, no secret
        has = [name for name in self.habits if hasattr(self.software.habits, name)]
        while True:
            if self.software.unsent():
                for name in has:
                    # A 9 over a stop that nobody told of before could not be known for what it is.
                    is_on = chance.random() < self.share and not (name == "forces_nine" and self._stops_one())
                    setattr(self.software.habits, name, is_on)
                    if is_on:
                        self.drawn.add(name)
                await self.software.cycle()
            await asyncio.sleep(_ROUND)

    def _stops_one(self) -> bool:
        codes = self.software.unsent()
        return any(self.software.dossiers[code].item["TrangThaiHoSo"] == "8" for code in codes)


async def sent(software: Any, code: str) -> None:
    """Wait until an office has nothing to tell of a dossier any more: what is told next overtakes nothing."""
    while code in software.unsent():  # noqa: ASYNC110 - software in small rings no bell
        await asyncio.sleep(_ROUND / 2)
