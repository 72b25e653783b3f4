"""The reference of ``ports.queries.QueryLog``: a dictionary beside the ledger in memory."""

# ruff: noqa: D102 - ports.queries says what each method promises

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gateway.ports import AuditRow, Ledger
from gateway.ports.queries import Asking, Logged, Outcome
from gateway.store.query_rows import is_taken


class MemoryQueryLog:
    """Nothing here waits, so each call is one transaction."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: dict[str, tuple[Logged, float]] = {}

    async def begin(self, asking: Asking, *, until: float) -> bool:
        if await self.is_taken(asking.key, asking.asked_at, asking.source):
            return False
        self._kept[asking.key] = Logged(asking, "asked"), until
        return True

    async def end(self, key: str, outcome: Outcome, *, at: float, answer: str | None, audit: AuditRow) -> None:
        logged, until = self._kept[key]
        self._kept[key] = replace(logged, outcome=outcome, ended_at=at, answer=answer), until
        await self._ledger.audit([audit])

    async def is_taken(self, key: str, now: float, source: str | None = None) -> bool:
        logged, until = self._kept.get(key, (None, 0.0))
        if logged is None:
            return False
        return is_taken(logged.outcome, until, logged.asking.source, now=now, source=source)

    async def logged(
        self,
        *,
        mark: str | None = None,
        source: str | None = None,
        provider: str | None = None,
        since: float | None = None,
        until: float | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 200,
    ) -> Sequence[Logged]:
        found = [
            each
            for each, _ in self._kept.values()
            if mark in {None, each.asking.mark}
            and source in {None, each.asking.source}
            and provider in {None, each.asking.provider}
            and (-math.inf if since is None else since) <= each.asking.asked_at
            and each.asking.asked_at < (math.inf if until is None else until)
            and (before is None or _place(each) < before)
        ]
        return sorted(found, key=_place, reverse=True)[:limit]


def _place(logged: Logged) -> tuple[float, str]:
    return logged.asking.asked_at, logged.asking.key
