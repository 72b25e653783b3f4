"""A province moves into another store: page by page, going on where it was interrupted, and proven row by row."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from gateway.checkpoints import reach
from gateway.ports.relocation import TABLES, Export, Import, Reached, Reading, Row, Table


@dataclass(frozen=True, slots=True)
class Compared:
    """One table on both sides: how many rows, and a digest (SHA-256, hex) of every value in them, in order of keys.

    ``differs_at`` is the key of the first row that is not the same, None where all are.
    """

    table: str
    left: int
    here: int
    left_digest: str
    here_digest: str
    differs_at: Row | None = None

    @property
    def is_equal(self) -> bool:
        """Whether every row is the same on both sides."""
        return (self.left, self.left_digest) == (self.here, self.here_digest)


async def copy(
    source: Export, target: Import, reached: dict[str, Reached], tell: Callable[[Table, Reached], None]
) -> None:
    """Bring over what is missing behind ``reached``; ``tell`` hears how far a table is after each page on disk."""
    for table in TABLES:
        now = reached.get(table.name, Reached())
        if now.is_whole:
            continue
        async with aclosing(source.pages(table, now.key)) as pages:
            async for rows in pages:
                now = Reached(table.key(rows[-1]), now.count + len(rows))
                await target.put(table, rows, now)
                reach("relocate.page-kept")
                tell(table, now)
        now = replace(now, is_whole=True)
        await target.put(table, (), now)
        tell(table, now)


async def compare(source: Reading, target: Reading, tell: Callable[[Compared], None]) -> list[Compared]:
    """Read every table on both sides, row beside row; ``tell`` hears of each table as it is done."""
    found = []
    for table in TABLES:
        found.append(await _compared(table, source, target))
        tell(found[-1])
    return found


async def _compared(table: Table, source: Reading, target: Reading) -> Compared:
    differs_at: Row | None = None
    async with aclosing(source.pages(table)) as old, aclosing(target.pages(table)) as new:
        left, here = _Side(old), _Side(new)
        while (ours := await left.next()) is not None:
            theirs = await here.next()
            if differs_at is None and ours != theirs:
                differs_at = table.key(ours)
        while (theirs := await here.next()) is not None:
            differs_at = table.key(theirs) if differs_at is None else differs_at
    return Compared(table.name, left.count, here.count, left.digest(), here.digest(), differs_at)


class _Side:
    """One side's rows, one by one, and the digest of those that were told."""

    def __init__(self, pages: AsyncIterator[Sequence[Row]]) -> None:
        self._pages = pages
        self._page: Sequence[Row] = ()
        self._place = 0
        self._sha256 = hashlib.sha256()
        self.count = 0

    async def next(self) -> Row | None:
        """The next row, None behind the last."""
        if self._place == len(self._page):
            try:
                self._page, self._place = await anext(self._pages), 0
            except StopAsyncIteration:
                return None
        row = self._page[self._place]
        self._place, self.count = self._place + 1, self.count + 1
        # This format tells types apart and floats to the bit; its second version depends on the values alone.
        self._sha256.update(marshal.dumps(row, 2))
        return row

    def digest(self) -> str:
        return self._sha256.hexdigest()
