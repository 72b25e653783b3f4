"""The portal's table of dossiers: each with what was said of it last, its status, and every step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Kept:
    """One dossier. ``statuses``: every status that it had, in the order in which it was told them.

    ``repeats``: steps that came again just as they were; a portal that compares keeps one of them.
    """

    item: dict[str, Any]
    status: str
    statuses: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    repeats: int = 0
    updates: int = 0
    #: Where a file was to be fetched -> the SHA-256 of what was there; empty where nothing was.
    files: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """All dossiers, by code. ``violations``: what was told in a way that the portal does not take."""

    dossiers: dict[str, Kept] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    #: Odd names that the portal itself gave out with dossiers that were filed there: it takes them back.
    known: set[str] = field(default_factory=set)

    def create(self, item: dict[str, Any]) -> bool:
        """Keep a new dossier; False where it is there already."""
        code = str(item["MaHoSo"])
        if code in self.dossiers:
            return False
        status = str(item["TrangThaiHoSo"])
        self.dossiers[code] = Kept(item, status, [status])
        return True

    def update(self, item: dict[str, Any]) -> bool:
        """Put what is said now in place of what was said; False of an unknown dossier."""
        kept = self.dossiers.get(str(item["MaHoSo"]))
        if kept is None:
            return False
        kept.item = item
        kept.updates += 1
        self._stands(kept, str(item["TrangThaiHoSo"]))
        return True

    def progress(self, step: dict[str, Any], *, sets_status: bool) -> bool:
        """Note one step; False of an unknown dossier."""
        kept = self.dossiers.get(str(step["MaHoSo"]))
        if kept is None:
            return False
        if step in kept.steps:
            kept.repeats += 1
        else:
            kept.steps.append(step)
        if sets_status:
            self._stands(kept, str(step["TrangThai"]))
        return True

    def status(self, code: str) -> str | None:
        """Where a dossier stands."""
        kept = self.dossiers.get(code)
        return None if kept is None else kept.status

    @staticmethod
    def _stands(kept: Kept, status: str) -> None:
        if kept.status != status:
            kept.statuses.append(status)
        kept.status = status
