"""The promise of copies: a ledger at one moment as one file beside running gateways, and such a file a ledger again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.ports.records import HeldFile


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: the step of its database, how many messages and leaves, the last moment it speaks of."""

    schema: int
    messages: int
    journal: int
    newest: float | None


class Copies(Protocol):
    """Copies of one ledger. Everything raises Misconfigured in words for the administrator."""

    @property
    def name(self) -> str:
        """What the file of such a copy is called."""

    @property
    def known(self) -> int:
        """The last step of the database that this program knows: a copy beyond it is a newer program's."""

    def copy(self, target: Path) -> Copied:
        """Make the copy at ``target``: all that was acknowledged before this call is in it.

        Nobody who writes meanwhile is held up. Raises Busy where the store cannot be read now, and Misconfigured
        where it is damaged: a damaged ledger is not worth a copy.
        """

    def held_files(self, copy: Path) -> Iterator[tuple[HeldFile, bool]]:
        """Every file of the spool that a copy made here speaks of, by digest, and whether a message names it."""


class Server(Copies, Protocol):
    """The same of a ledger on a server, which a copy is put back into rather than moved to."""

    def check_place(self) -> None:
        """Raise Misconfigured where a copy cannot be put back: the server is away, or something is there already."""

    def put_back(self, copy: Path) -> None:
        """Make the copy the ledger there: whole, or nothing is changed."""
