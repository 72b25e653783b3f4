"""The promise of what keeps files on their way in: uploads that come in pieces, over cuts and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in: whose it is, how long it is to be, how much of it is there. Sizes in bytes."""

    id: str
    system: str
    size: int
    #: As the client announced it (lower-case hex), to be held to when all has come.
    sha256: str | None = None
    media_type: str = "application/octet-stream"
    #: The client's own words about it, given back as they came.
    metadata: str = ""
    offset: int = 0
    #: When its last byte came, or when it was begun (seconds since 1970).
    touched_at: float = 0.0
    #: It came whole, the spool holds it, and its system may name it.
    is_kept: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all its bytes have come."""
        return self.offset == self.size


class Sum(Protocol):
    """A check sum that grows with what is added."""

    def update(self, data: bytes, /) -> None:
        """Add to it."""

    def digest(self) -> bytes:
        """What has been added, summed up."""


class PartialFile(Protocol):
    """One upload's file, in the hands of whoever writes it."""

    @property
    def offset(self) -> int:
        """Bytes that it holds by now."""

    async def add(self, data: bytes, check: Sum | None = None) -> None:
        """Add to its end, and to ``check`` beside it; raises Busy where the disk does not take it."""

    async def cut(self, offset: int) -> None:
        """Forget what lies behind ``offset``."""

    async def close(self, *, at: float) -> None:
        """Make durable what came by the moment ``at``, and let go; raises Busy where it cannot be."""


class Partials(Protocol):
    """Files on their way in, outside the database. What a call did, or said, survives a power cut."""

    async def begin(self, upload: Upload) -> None:
        """Make room for a new upload, as yet empty; raises Busy where the disk does not take it."""

    async def find(self, system: str, id: str) -> Upload | None:
        """That system's upload of that id; what lies behind its ``offset`` may be lost, what lies before may not."""

    async def open(self, upload: Upload) -> PartialFile | None:
        """Its file, for one writer at a time; None where another writes it or it is gone."""

    async def want(self, upload: Upload) -> None:
        """Let whoever writes it, in whatever process, know that another wants to."""

    async def is_wanted(self, upload: Upload) -> bool:
        """Whether another wants to write it since it was opened."""

    async def digest(self, upload: Upload) -> str:
        """SHA-256 (hex) of what has come of it."""

    def path(self, upload: Upload) -> Path:
        """Where what has come of it lies."""

    async def keep(self, upload: Upload, *, at: float) -> Upload:
        """Let its bytes go, for they are in the spool, and remember for a while that it came whole."""

    async def drop(self, upload: Upload) -> bool:
        """Forget it with its bytes; False where another writes it."""

    async def held(self, system: str) -> tuple[int, int]:
        """How many uploads of a system are not whole yet, and the bytes that have come of them."""

    async def whole(self) -> Sequence[Upload]:
        """Uploads all of whose bytes have come, but which are not kept: a crash came between."""

    async def sweep(self, before: float) -> int:
        """Forget every upload whose last byte came before that moment; answers how many were not whole."""
