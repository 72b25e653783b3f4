"""Finds adapters by their place and keeps one open for each system, reopened when its registration changes."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import structlog

from gateway.core.directory import Directory, System
from gateway.core.faults import Misconfigured, Text, TransientFailure
from gateway.ports import Adapter, AdapterContext

BUILT_IN: Final = Path(__file__).resolve().parent.parent / "adapters"
_CLOSE_LIMIT: Final = 5.0

log = structlog.get_logger()


def adapter_folder(name: str, folders: Iterable[Path]) -> Path | None:
    """The folder of an adapter: a built-in one, or one in the province's own adapter folders."""
    for base in (BUILT_IN, *folders):
        if (base / name / "adapter.py").is_file():
            return base / name
    return None


def load_kind(name: str, folders: Iterable[Path]) -> ModuleType:
    """The adapter's module; raises Misconfigured where there is none. A province's own runs as trusted code."""
    folder = adapter_folder(name, folders)
    if folder is None:
        raise Misconfigured(
            f"adapters/{name}",
            Text(f"Không có bộ chuyển đổi {name}", f"There is no adapter {name}"),
            Text("Kiểm tra tên adapter của hệ thống trong agencies/.", "Check the system's adapter in agencies/."),
        )
    if folder.parent == BUILT_IN:
        return importlib.import_module(f"adapters.{name}.adapter")
    own = f"lgsp_province_adapters.{name}"
    if own not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            own, folder / "adapter.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise Misconfigured(
                str(folder),
                Text("Không nạp được bộ chuyển đổi", "The adapter cannot be loaded"),
                Text("Cần tệp adapter.py đọc được.", "It needs a readable adapter.py."),
            )
        module = importlib.util.module_from_spec(spec)
        sys.modules[own] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[own]  # else the half of it would be taken for the whole the next time
            raise
    return sys.modules[own]


@dataclass(slots=True)
class Tongues:
    """The open adapters of one gateway."""

    folders: tuple[Path, ...]
    context: Callable[[System], AdapterContext]
    _kinds: dict[str, ModuleType] = field(default_factory=dict)
    _open: dict[str, tuple[Any, Adapter]] = field(default_factory=dict)
    _closing: set[asyncio.Task[None]] = field(default_factory=set)

    def kind(self, name: str) -> ModuleType:
        """The module of an adapter by name."""
        if name not in self._kinds:
            self._kinds[name] = load_kind(name, self.folders)
        return self._kinds[name]

    def is_pushed(self, system: System) -> bool:
        """Whether the bus delivers to this system by itself."""
        kind = self._kind_of(system)
        return kind is None or getattr(kind, "MODE", "push") == "push"

    def collects(self, system: System) -> bool:
        """Whether the bus must fetch from this system."""
        kind = self._kind_of(system)
        return kind is None or bool(getattr(kind, "COLLECTS", False))

    def answers(self, system: System) -> bool:
        """Whether this system's software calls the bus, at a door of its own."""
        kind = self._kind_of(system)
        return kind is None or bool(getattr(kind, "ANSWERS", False))

    def reads_all(self, system: System) -> bool:
        """Whether its adapter speaks for the province, and so is given all of every dossier."""
        kind = self._kind_of(system)
        return kind is not None and getattr(kind, "READS", "own") == "all"

    def lists_agencies(self, system: System) -> bool:
        """Whether this system's adapter can fetch a list of agencies (``fetch_agencies``)."""
        kind = self._kind_of(system)
        if kind is None:
            return True
        return any(isinstance(each, type) and hasattr(each, "fetch_agencies") for each in vars(kind).values())

    def states_manifests(self, system: System) -> bool:
        """Whether this system's adapter can be asked for its side of a day (``fetch_manifest``)."""
        kind = self._kind_of(system)
        return kind is not None and any(
            isinstance(each, type) and hasattr(each, "fetch_manifest") for each in vars(kind).values()
        )

    def _kind_of(self, system: System) -> ModuleType | None:
        """The module of its adapter; None where it cannot be loaded (any more).

        Such a system counts as one that does everything: whoever then opens its adapter fails with this system alone,
        says why, and leaves it alone for a while. The others of the same round go on.
        """
        try:
            return self.kind(system.adapter)
        except Exception:  # noqa: BLE001 - a province's own adapter may fail in any way
            return None

    def pulling(self) -> frozenset[str]:
        """Names of built-in adapters whose recipients fetch for themselves."""
        names = (each.parent.name for each in sorted(BUILT_IN.glob("*/adapter.py")))
        return frozenset(name for name in names if getattr(self.kind(name), "MODE", "push") == "pull")

    def of(self, system: System) -> Adapter:
        """The open adapter of a system; raises TransientFailure where it cannot be opened as registered."""
        marks = (system.adapter, dict(system.settings), system.webhook_secret_file)
        known = self._open.get(system.name)
        if known is not None and known[0] == marks:
            return known[1]
        if known is not None:
            self._close_later(known[1])
        try:
            adapter: Adapter = self.kind(system.adapter).open_adapter(self.context(system))
        except Misconfigured as error:
            self._open.pop(system.name, None)
            raise TransientFailure(str(error)) from None
        self._open[system.name] = (marks, adapter)
        return adapter

    def forget_gone(self, directory: Directory) -> None:
        """Close the adapters of systems that are no longer registered."""
        for name in [name for name in self._open if name not in directory.systems]:
            self._close_later(self._open.pop(name)[1])

    async def close(self) -> None:
        """Close every adapter."""
        for _, adapter in self._open.values():
            self._close_later(adapter)
        self._open.clear()
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=_CLOSE_LIMIT)

    def _close_later(self, adapter: Adapter) -> None:
        task = asyncio.ensure_future(_close(adapter))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _close(adapter: Adapter) -> None:
    try:
        async with asyncio.timeout(_CLOSE_LIMIT):
            await adapter.close()
    except Exception as error:  # noqa: BLE001 - whatever an adapter does at its end is its own affair
        log.warning("adapter.not-closed", detail=type(error).__name__)
