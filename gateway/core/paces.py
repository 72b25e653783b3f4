"""How fast each of many parties may ask, in bounded memory: one number a party, the longest silent forgotten. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from gateway.core.rate import Rate


class Paces:
    """Parties at one rate. Who is forgotten begins anew, so a common pace must stand beside this one."""

    def __init__(self, rate: Rate, most: int) -> None:
        """``most``: parties that are remembered."""
        self._rate = rate
        self._most = most
        self._reached: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._reached)

    def take(self, party: Hashable, now: float) -> float:
        """Seconds until the party may ask; 0.0 where it may now, and has."""
        reached, wait = self._rate.take(self._reached.pop(party, 0.0), now)
        self._reached[party] = reached
        if len(self._reached) > self._most:
            self._reached.popitem(last=False)
        return wait

    def give_back(self, party: Hashable) -> None:
        """As if the party had asked once less."""
        if party in self._reached:
            self._reached[party] -= 60.0 / self._rate.per_minute
