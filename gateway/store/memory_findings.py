"""The reference of ``ports.findings.FindingsBook``: a dictionary beside the ledger in memory."""

# ruff: noqa: D102 - ports.findings says what each method promises

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.core.findings import Findings
from gateway.ports import HeldFile, Ledger, NewMessage
from gateway.ports.findings import Named


class Holding(Ledger, Protocol):
    """A ledger whose files and messages lie open."""

    _files: dict[str, tuple[HeldFile, float]]

    def messages(self) -> list[NewMessage]:
        """Every message in order of acceptance."""


class MemoryFindings:
    """Nothing here waits, so each call is one transaction."""

    def __init__(self, ledger: Holding) -> None:
        self._ledger = ledger
        #: With the file as it was granted first: one that went and came back is another one.
        self._kept: dict[tuple[str, str], tuple[HeldFile, Findings]] = {}

    def _file(self, sha256: str) -> HeldFile | None:
        found = self._ledger._files.get(sha256)  # noqa: SLF001 - one store, two promises
        return None if found is None else found[0]

    async def keep(self, findings: Findings) -> bool:
        file = self._file(findings.sha256)
        if file is None:
            return False
        self._kept[findings.sha256, findings.about] = file, findings
        return True

    async def of(self, sha256: str, about: str = "") -> Findings | None:
        file, found = self._kept.get((sha256, about), (None, None))
        return found if file is not None and file is self._file(sha256) else None

    async def held(self, sha256: str) -> int | None:
        file = self._file(sha256)
        return None if file is None else file.size

    async def named(self, message: str) -> Sequence[Named]:
        files = next((each.files for each in self._ledger.messages() if each.key == message), ())
        held = [(sha256, file.size) for sha256 in sorted(set(files)) if (file := self._file(sha256)) is not None]
        return [Named(sha256, size, await self.of(sha256)) for sha256, size in held]
