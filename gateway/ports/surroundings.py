"""The promises of what surrounds the steps: the spool of files, the bell, the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class Spool(Protocol):
    """Bytes by SHA-256, outside the database; kept once; durable when ``put`` returns."""

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream; answers (sha256 hex, size). Raises Rejected ``too-large`` over ``limit`` bytes."""

    async def adopt(self, whole: Path, sha256: str) -> None:
        """Keep a whole file of the same file system under its digest, for which the caller answers; it stays there."""

    def path(self, sha256: str) -> Path:
        """Where the bytes are, whether or not they exist."""

    def is_present(self, sha256: str) -> bool:
        """Whether the bytes are held."""

    def remove(self, sha256: str) -> None:
        """Forget the bytes; nothing happens where they are not held."""


class Broker(Protocol):
    """Wakes dispatchers. May lose or repeat anything: the ledger is the truth."""

    def announce(self, recipients: frozenset[str]) -> None:
        """Something may be due for these recipients."""

    async def wait(self, timeout: float) -> frozenset[str]:
        """Recipients announced since the last call; returns empty after ``timeout`` seconds."""


class Clock(Protocol):
    """Time and chance, handed in so that tests can set both."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""

    def chance(self) -> float:
        """A random number in [0, 1)."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
