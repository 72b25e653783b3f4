"""The promises of what surrounds the steps: the spool of files, the bell, the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final, Protocol

NO_DELIVERIES: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


class Spool(Protocol):
    """Bytes by SHA-256, outside the database; kept once; durable when ``put`` returns."""

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream; answers (sha256 hex, size). Raises Rejected ``too-large`` over ``limit`` bytes."""

    async def adopt(self, whole: Path, sha256: str) -> None:
        """Keep a whole file of the same file system under its digest, for which the caller answers; it stays there."""

    def open(self, sha256: str) -> BinaryIO:
        """The bytes, to read and seek in; raises FileNotFoundError where they are not held. Blocks."""

    def is_present(self, sha256: str) -> bool:
        """Whether the bytes are held."""

    def remove(self, sha256: str) -> None:
        """Forget the bytes; nothing happens where they are not held."""


class Broker(Protocol):
    """Wakes dispatchers, here and in other gateways. May lose or repeat anything: the ledger is the truth."""

    async def open(self) -> None:
        """Begin; where what carries the announcements is away, go on trying without keeping anyone waiting."""

    async def close(self) -> None:
        """Let go within 5 seconds. What was heard and not yet acted on may be heard again, here or elsewhere."""

    def announce(self, recipients: frozenset[str], deliveries: Mapping[str, Sequence[str]] = NO_DELIVERIES) -> None:
        """Something may be due for these recipients: some dispatcher hears of it. Never waits, never raises.

        ``deliveries``: recipient -> ids of the deliveries that are meant, where they are known.
        """

    def later(self, recipient: str, delivery: str, seconds: float) -> None:
        """The same after ``seconds``. A dispatcher that looks at the ledger each tick needs nobody to say it."""

    def ring(self, recipients: frozenset[str]) -> None:
        """Let this process look at these recipients again; an empty set just wakes whoever waits in it."""

    async def wait(self, timeout: float) -> frozenset[str]:
        """Recipients announced to this process since the last call; returns empty after ``timeout`` seconds.

        What the last call answered counts as acted on.
        """


class Clock(Protocol):
    """Time and chance, handed in so that tests can set both."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""

    def chance(self) -> float:
        """A random number in [0, 1)."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
