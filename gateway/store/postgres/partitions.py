"""Months of the ledger: a number tells its month, each month is a partition of its own, made before it begins.

What is kept by month can be dropped by month, in an instant and beside everybody who works. A table is kept by month
where its definition says ``PARTITION BY RANGE`` of a number from the sequence ``seq``; nothing else names it here.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.store.postgres.connection import Connection

#: A number's month stands above this many bits: so many things may be kept in one month.
_BITS: Final = 40
_FIRST_YEAR: Final = 2000
#: Months that are made beside the present one.
AHEAD: Final = 2
#: What a partition does not have from its table: bodies of usual size stay in their row.
_STORAGE: Final = {"bodies": " WITH (toast_tuple_target = 8160)"}


@dataclass(frozen=True, slots=True)
class Month:
    """A month by its number: how many began since January 2000 (UTC)."""

    number: int

    @classmethod
    def at(cls, moment: float) -> Month:
        """The month of a moment (seconds since 1970)."""
        day = time.gmtime(moment)
        return cls((day.tm_year - _FIRST_YEAR) * 12 + day.tm_mon - 1)

    @classmethod
    def of(cls, seq: int) -> Month:
        """The month of what has this number."""
        return cls(seq >> _BITS)

    @classmethod
    def named(cls, partition: str) -> Month:
        """The month of a partition by its name, see :meth:`name`."""
        year, month = partition.split("_")[-2:]
        return cls((int(year) - _FIRST_YEAR) * 12 + int(month) - 1)

    @property
    def first(self) -> int:
        """The numbers of this month begin here; they end before the first of the next one."""
        return self.number << _BITS

    @property
    def began(self) -> float:
        """The moment at which it began."""
        return float(calendar.timegm((_FIRST_YEAR + self.number // 12, self.number % 12 + 1, 1, 0, 0, 0)))

    @property
    def later(self) -> Month:
        """The next month."""
        return Month(self.number + 1)

    def name(self, table: str) -> str:
        """The table's partition of this month, as in ``bodies_2026_11``."""
        return f"{table}_{_FIRST_YEAR + self.number // 12}_{self.number % 12 + 1:02}"


_TABLES: Final = """
SELECT c.relname, ARRAY(
    SELECT p.relname::text FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid WHERE i.inhparent = c.oid
  ) FROM pg_partitioned_table t JOIN pg_class c ON c.oid = t.partrelid
  WHERE c.relnamespace = current_schema()::regnamespace ORDER BY c.relname
"""


async def tables(connection: Connection) -> dict[str, set[str]]:
    """The tables that are kept by month, each with the names of its partitions."""
    return {name: set(partitions) for name, partitions in await connection.fetch(_TABLES)}


async def ensure(connection: Connection, at: float) -> None:
    """Make the partitions of the month of ``at`` and of those ahead, and let numbers begin in that month.

    To be called under ``locks.SCHEMA``. Nobody waits for it: a partition is made apart and then attached. Numbers
    never go back: a clock that does changes nothing.
    """
    month = Month.at(at)
    await make(connection, [Month(month.number + ahead) for ahead in range(AHEAD + 1)])
    await connection.execute("SELECT setval('seq', $1) FROM seq WHERE last_value < $1", month.first)


async def make(connection: Connection, months: Sequence[Month]) -> None:
    """Make the partitions of these months where there are none. To be called under ``locks.SCHEMA``."""
    for table, present in (await tables(connection)).items():
        for month in months:
            if month.name(table) not in present:
                await _make(connection, table, month)


async def _make(connection: Connection, table: str, month: Month) -> None:
    name = month.name(table)
    await connection.execute(
        f"CREATE TABLE {name} (LIKE {table} INCLUDING STORAGE){_STORAGE.get(table, '')};"
        f" ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({month.first}) TO ({month.later.first})"
    )


async def now(connection: Connection) -> float:
    """The moment by the clock of the database: one for all gateways."""
    return float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
