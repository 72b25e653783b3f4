"""Systems from which the bus collects and that cannot be asked: since when, when they are asked again, the alarm."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from gateway.core.faults import DeliveryFailure
from gateway.telemetry import UNCOLLECTED, log

#: A system that cannot be asked is asked again after 2, 4, 8 … seconds, at most this many.
LONGEST_REST: Final = 60.0
#: Whoever watches the log is told of one that could not be asked for this long (seconds), and again after each AGAIN.
ALARM: Final = 900.0
AGAIN: Final = 86400.0


@dataclass(slots=True)
class _Silent:
    """One system: since when, how often in a row, until when it is left alone, when it was told last."""

    since: float
    failures: int = 0
    rests_until: float = 0.0
    told: float | None = None


@dataclass(slots=True)
class Silences:
    """What one process knows of them; forgotten at a restart, and when another process takes over, and begun anew."""

    _of: dict[str, _Silent] = field(default_factory=dict)

    def rests(self, system: str, now: float) -> bool:
        """Whether it is left alone for now."""
        silent = self._of.get(system)
        return silent is not None and now < silent.rests_until

    def failed(self, system: str, error: Exception, now: float) -> None:
        """It could not be asked: leave it alone for a while, and raise the alarm where this lasts."""
        silent = self._of.setdefault(system, _Silent(since=now))
        silent.failures += 1
        silent.rests_until = now + min(LONGEST_REST, 2.0 ** min(silent.failures, 10))
        seconds = now - silent.since
        if seconds < ALARM or (silent.told is not None and now - silent.told < AGAIN):
            return
        silent.told = now
        log.warning("collect.silent", agency=system, seconds=round(seconds), detail=_said(error))

    def answered(self, system: str, now: float) -> None:
        """It could be asked; whoever heard the alarm hears this, too."""
        silent = self._of.pop(system, None)
        if silent is not None and silent.told is not None:
            log.warning("collect.back", agency=system, seconds=round(now - silent.since))

    def show(self, systems: Collection[str], now: float) -> None:
        """Set the gauge to how long each of them is silent; the others are not collected from any more."""
        self._of = {name: silent for name, silent in self._of.items() if name in systems}
        UNCOLLECTED.clear()
        for name, silent in self._of.items():
            UNCOLLECTED.labels(name).set(now - silent.since)

    def forget(self) -> None:
        """Another process collects now."""
        self.show((), 0.0)


def _said(error: Exception) -> str:
    """Why, in words that hold no secret: adapters promise it of their own faults, nobody of what was not foreseen."""
    told = f"{type(error).__name__}: {error}" if isinstance(error, DeliveryFailure) else type(error).__name__
    return told[:300]
