"""What adapters check beyond their settings' schema, before a folder is put in force: descriptions and their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType

from gateway.config.documents import each, raise_all
from gateway.config.picture import agency_of
from gateway.config.rows import Row
from gateway.config.settings import Settings
from gateway.core.directory import System
from gateway.core.faults import Misconfigured
from gateway.tongues import load_kind


def check_descriptions(settings: Settings, rows: Iterable[Row]) -> None:
    """Ask each system's adapter (``check(settings, folder)`` of its module, where it has one).

    Raises Misconfigured with every mistake.
    """
    mistakes: list[Misconfigured] = []
    for system in systems_in(rows):
        kind = _kind(settings, system)
        if kind is not None and hasattr(kind, "check"):
            try:
                kind.check(system.settings, settings.folder)
            except Misconfigured as fault:
                mistakes += [Misconfigured(f"{system.name}: {one.where}", one.wrong, one.right) for one in each(fault)]
    raise_all(mistakes)


def systems_in(rows: Iterable[Row]) -> Iterator[System]:
    """The systems of the agencies' rows."""
    for row in rows:
        if row.kind == "agency":
            yield from agency_of(row.body).systems


def _kind(settings: Settings, system: System) -> ModuleType | None:
    """Its adapter; None for one that cannot be loaded: whoever opens it says why."""
    try:
        return load_kind(system.adapter, settings.adapter_folders)
    except Exception:  # noqa: BLE001 - a province's own adapter may fail in any way
        return None
