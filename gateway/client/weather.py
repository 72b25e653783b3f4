"""How bad a line is: how often it is away, how narrow, how long, how often it is cut; the same again for a seed.

Written as people say it: ``offline:0.45,rate:64kbit,cut:200k,latency:300ms``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from gateway.client.link import FaultyLink
from gateway.core.moments import parse_duration

_AMOUNT: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(|bit|kbit|Mbit|k|M)\Z")
_UNITS: Final = {"": 1.0, "k": 1000.0, "M": 1000_000.0, "bit": 1 / 8, "kbit": 125.0, "Mbit": 125_000.0}
#: Of the times that a line goes away, how often it is cut; else it falls silent and nobody is told.
_CUT: Final = 0.7


class Spell(NamedTuple):
    """A while in which the line is there, or away; ``is_cut``: whoever is on it is told by a reset."""

    seconds: float
    is_up: bool
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A line's faults. ``offline`` is the share of time in which it is away, in spells that come and go.

    ``window``: how long a spell there and one away last together, on average (seconds); ``rate``: bytes a second;
    ``cut``: bytes that go up between two cuts, on average; ``latency``: seconds.
    """

    offline: float = 0.0
    window: float = 20.0
    rate: float | None = None
    cut: int | None = None
    latency: float = 0.0

    @classmethod
    def read(cls, text: str) -> Self:
        """A profile as people write it; raises ValueError that says which part is none."""
        found: dict[str, float] = {}
        for part in filter(None, text.split(",")):
            name, _, value = part.strip().partition(":")
            read = _READ.get(name)
            amount = None if read is None else read(value.strip())
            if amount is None or name in found:
                raise ValueError(part)
            found[name] = amount
        if not 0 <= found.get("offline", 0) <= 0.95:
            raise ValueError(f"offline:{found['offline']:g}")
        cut, rate = found.get("cut"), found.get("rate")
        return cls(
            offline=found.get("offline", 0.0),
            window=found.get("window") or cls().window,
            rate=rate or None,
            cut=int(cut) if cut else None,
            latency=found.get("latency", 0.0),
        )

    def spells(self, seed: int) -> Iterator[Spell]:
        """The line's comings and goings, for ever; the same for the same seed."""
        chance = random.Random(f"spells {seed}")  # noqa: S311 - weather, no secret
        while True:
            both = self.window * chance.uniform(0.5, 1.5)
            yield Spell(both * (1 - self.offline), is_up=True)
            if self.offline:
                yield Spell(both * self.offline, is_up=False, is_cut=chance.random() < _CUT)

    def cuts(self, seed: int) -> Callable[[], int | None]:
        """How many bytes go up before the next cut, each time it is asked."""
        chance = random.Random(f"cuts {seed}")  # noqa: S311 - as above
        most = self.cut
        return lambda: None if most is None else max(1, int(most * chance.uniform(0.5, 1.5)))


def _amount(text: str) -> float | None:
    found = _AMOUNT.match(text)
    return None if found is None else float(found[1]) * _UNITS[found[2]]


_READ: Final[dict[str, Callable[[str], float | None]]] = {
    "offline": _amount,
    "rate": _amount,
    "cut": _amount,
    "window": parse_duration,
    "latency": parse_duration,
}


@contextlib.asynccontextmanager
async def a_bad_line(host: str, port: int, profile: Profile, seed: int, *, at: int = 0) -> AsyncIterator[FaultyLink]:
    """A line to ``host:port`` with the faults of a profile; it listens at port ``at``, or at a free one."""
    next_cut = profile.cuts(seed)
    link = FaultyLink(
        (host, port), latency=profile.latency, bandwidth=profile.rate, cut_after=next_cut(), next_cut=next_cut, port=at
    )
    await link.start()
    weather = asyncio.create_task(_change(link, profile.spells(seed)))
    try:
        yield link
    finally:
        weather.cancel()
        await asyncio.gather(weather, return_exceptions=True)
        await link.stop()


async def _change(link: FaultyLink, spells: Iterator[Spell]) -> None:
    for spell in spells:
        link.is_refusing = not spell.is_up
        if not spell.is_up:
            if spell.is_cut:
                link.cut()
            else:
                link.swallow()
        await asyncio.sleep(spell.seconds)
