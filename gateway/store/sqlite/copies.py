"""Copies of a SQLite ledger: the database's own online copy, one file that is a whole database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.faults import Misconfigured, Text
from gateway.ports.copies import Copied
from gateway.ports.records import HeldFile
from gateway.store.sqlite import examination


@dataclass(frozen=True, slots=True)
class SqliteCopies:
    """Keeps ``ports.Copies`` for the database in the file ``path``, which people know as ``shown``."""

    path: Path
    shown: str
    name: Final = "lgsp.db"

    @property
    def known(self) -> int:
        """The last step that this program knows."""
        return examination.known_steps()

    def copy(self, target: Path) -> Copied:
        """One consistent picture of the file, looked through for damage."""
        target.touch(mode=0o600)
        examination.copy(self.path, target)
        with closing(examination.open_for_looking(target)) as connection:
            unsound = examination.unsoundness(connection, float("inf"))
            if unsound:
                raise self._unsound(unsound[0])
            counts = examination.counts(connection)
            return Copied(
                schema=examination.shape(connection, target).schema,
                messages=counts["messages"],
                journal=counts["journal"],
                newest=examination.newest(connection),
            )

    def held_files(self, copy: Path) -> Iterator[tuple[HeldFile, bool]]:
        """As the copy tells."""
        with closing(examination.open_for_looking(copy)) as connection:
            yield from examination.held_files(connection)

    def _unsound(self, how: str) -> Misconfigured:
        return Misconfigured(
            self.shown,
            Text(f"Cơ sở dữ liệu bị hỏng, không sao lưu bản hỏng ({how})", f"The database is damaged ({how})"),
            Text(
                "Giữ các bản sao lưu cũ; xem lgsp doctor, rồi khôi phục bản tốt gần nhất bằng lgsp restore.",
                "Keep the older backups; see lgsp doctor, then restore the last good one with lgsp restore.",
            ),
        )
