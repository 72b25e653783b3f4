"""The alarm: what died, is stuck, or is not fetched is told to whoever watches logs and figures, unasked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.ports import Clock
from gateway.ports.failures import Failures, Sought
from gateway.telemetry import FAILURES, log

#: Groups told at most; `lgsp failed` shows the rest.
_MOST: Final = 200
#: What still waits is told again after this (seconds).
AGAIN: Final = 86400.0


@dataclass(slots=True)
class Watch:
    """The step that looks at failures now and then; what it said is forgotten at a restart, and said again."""

    failures: Failures
    clock: Clock
    #: Whether this process does what only one of several should do.
    leads: Callable[[], bool] = lambda: True
    _told: dict[str, float] = field(default_factory=dict)

    async def once(self) -> None:
        """Set the gauge to today's groups; write a log line for each new one, and once a day for each that stays."""
        if not self.leads():
            FAILURES.clear()
            self._told.clear()
            return
        now = self.clock.now()
        await self.failures.look()
        groups = await self.failures.groups(Sought(), now=now, limit=_MOST)
        FAILURES.clear()
        for group in groups:
            FAILURES.labels(group.recipient, group.contract, group.kind, group.error).inc(group.count)
        self._told = {each.fingerprint: self._told.get(each.fingerprint, -AGAIN) for each in groups}
        for group in groups:
            if now - self._told[group.fingerprint] < AGAIN:
                continue
            self._told[group.fingerprint] = now
            log.warning(
                "failures.waiting",
                agency=group.recipient,
                contract=group.contract,
                group=group.fingerprint,
                kind=group.kind,
                error=group.error,
                count=group.count,
                since=group.first,
            )
