"""Which faults come when, drawn from a seed: a plan is a value, so that the same seed brings the same weather again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.client.link import Way

Line = Literal["store", "broker", "agencies"]
#: How often a second fault joins the first; pauses between two strokes (seconds).
_TOGETHER: Final = 0.3
_PAUSE: Final = (0.5, 2.5)
#: Longer than a push lease, which is 28 seconds.
OVERSLEPT: Final = (29.0, 33.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """What may fail, and for how long (seconds, from to). Two faults of one ``place`` never come together."""

    place: str
    least: float
    most: float


KINDS: Final[Mapping[str, Kind]] = {
    "gateway-killed": Kind("gateway", 0.0, 3.0),
    "gateway-replaced": Kind("gateway", 0.0, 1.0),
    "gateway-paused": Kind("gateway", 1.0, 8.0),
    "gateway-overslept": Kind("gateway", *OVERSLEPT),
    "rabbit-killed": Kind("rabbit", 0.0, 3.0),
    "rabbit-hangs": Kind("rabbit", 1.0, 8.0),
    "rabbit-short-of-memory": Kind("rabbit", 1.0, 4.0),
    "rabbit-connections-closed": Kind("rabbit", 0.5, 3.0),
    "rabbit-queues-deleted": Kind("rabbit", 0.5, 3.0),
    "postgres-killed": Kind("postgres", 0.0, 3.0),
    "postgres-stopped-at-once": Kind("postgres", 0.0, 2.0),
    "postgres-hangs": Kind("postgres", 1.0, 6.0),
    "postgres-backends-ended": Kind("postgres", 0.0, 2.0),
    "line-cut": Kind("line", 0.0, 2.0),
    "line-slow": Kind("line", 2.0, 6.0),
    "line-silent": Kind("line", 2.0, 12.0),
    "line-swallows": Kind("line", 2.0, 12.0),
    "line-refuses": Kind("line", 1.0, 6.0),
}
#: The kinds after which a round takes half a minute longer: at most so many of each in a plan.
_SELDOM: Final = {"gateway-overslept": 1}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: ``node`` (from 0) where it befalls a gateway or its line, ``line`` and ``ways`` for lines."""

    kind: str
    seconds: float
    node: int = 0
    line: Line = "store"
    ways: frozenset[Way] = frozenset()

    def __str__(self) -> str:
        where = {"gateway": f" {self.node + 1}", "line": f" {self._line}"}.get(KINDS[self.kind].place, "")
        silent = f" {'+'.join(sorted(self.ways))}" if self.kind == "line-silent" else ""
        return f"{self.kind}{where}{silent} for {self.seconds:.1f} s"

    @property
    def _line(self) -> str:
        return self.line if self.line == "agencies" else f"{self.node + 1}-{self.line}"


@dataclass(frozen=True, slots=True)
class Stroke:
    """Faults that begin together, after a pause (seconds)."""

    pause: float
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.faults))

    @property
    def seconds(self) -> float:
        """How long it takes at least."""
        return self.pause + max(fault.seconds for fault in self.faults)


def drawn(chance: random.Random, strokes: int, gateways: int) -> tuple[Stroke, ...]:
    """So many strokes on so many gateways: every kind comes before any comes again."""
    kinds: list[str] = []
    plan: list[Stroke] = []
    left = dict(_SELDOM)
    for _ in range(strokes):
        kinds = kinds or chance.sample(sorted(KINDS), len(KINDS))
        chosen = [kinds.pop()]
        if chance.random() < _TOGETHER:
            chosen += [kind for kind in kinds if KINDS[kind].place != KINDS[chosen[0]].place][:1]
            kinds = [kind for kind in kinds if kind not in chosen]
        chosen = [kind for kind in chosen if left.get(kind, 1)] or ["gateway-paused"]
        for kind in left.keys() & set(chosen):
            left[kind] -= 1
        plan.append(Stroke(chance.uniform(*_PAUSE), tuple(_fault(chance, kind, gateways) for kind in chosen)))
    return tuple(plan)


def _fault(chance: random.Random, kind: str, gateways: int) -> Fault:
    lines: Sequence[Line] = ("store", "broker", "agencies")
    ways: Sequence[frozenset[Way]] = (frozenset({"up"}), frozenset({"down"}), frozenset({"up", "down"}))
    return Fault(
        kind,
        round(chance.uniform(KINDS[kind].least, KINDS[kind].most), 1),
        chance.randrange(gateways),
        chance.choice(lines),
        chance.choice(ways),
    )
