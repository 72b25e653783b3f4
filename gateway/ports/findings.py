"""The promises about what is in files: a book of what was found, and those who look: for signatures, for malware."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

from gateway.core.content import Content
from gateway.core.findings import Findings, Looked


@dataclass(frozen=True, slots=True)
class Lying:
    """A file that lies somewhere, as a ``core.content.Content``: ``open`` raises OSError where it is gone."""

    sha256: str
    size: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Named:
    """A file that a message names, and what is known of it; None where nobody has looked yet."""

    sha256: str
    size: int
    findings: Findings | None


class FindingsBook(Protocol):
    """Keeps what was found, once for each file, however many name it. Each call is one transaction.

    What is known of a file goes when the file goes.
    """

    async def keep(self, findings: Findings) -> bool:
        """Write it in place of what was known of that file (and the one it is about).

        False, and nothing is written, where the file is not held.
        """

    async def of(self, sha256: str, about: str = "") -> Findings | None:
        """What is known of a file by itself, or as the signature of another one."""

    async def held(self, sha256: str) -> int | None:
        """The size of a file that the ledger knows; None where it knows none."""

    async def named(self, message: str) -> Sequence[Named]:
        """The files that a message (its key) names, by their SHA-256, and what is known of each by itself."""


class Examiner(Protocol):
    """Looks into files for signatures. Never raises for what a file holds, and never takes long for ever."""

    async def look(self, file: Content, beside: Content | None = None, *, now: float) -> Looked:
        """What is in ``file``; where it is a detached signature, held to the file ``beside``. Raises OSError."""

    async def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scanner says: ``name`` is that of the malware, or why it could not look."""

    outcome: Literal["clean", "infected", "failed"]
    name: str = ""
    #: What looked, with its version.
    by: str = ""


class ScannerAway(Exception):
    """The scanner cannot be asked now: the same question may be answered later."""


class Scanner(Protocol):
    """Looks into files for malware."""

    async def scan(self, file: Content) -> Scan:
        """What it says of a file. Raises ScannerAway; OSError where the file cannot be read."""
