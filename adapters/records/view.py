"""A view of a database, read only: rows by a cursor, somewhat overlapping, each once by its digest.

One statement is all that is ever sent: SELECT everything from the named view behind the cursor, in its order, within
a time. SQLite opens the file for reading alone; PostgreSQL gets a read-only transaction on a read-only session.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import sqlite3
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from adapters.records.mapping import Inward, digest_of
from gateway.calls.notes import Notes
from gateway.core.faults import Text, TransientFailure
from gateway.core.handover import Collected, Uncollectable

_CURSOR: Final = "cursor"
#: Rows that are read ahead of what is settled, and rows of a database's answer at once.
_AHEAD: Final = 500
_PAGE: Final = 200
_STEPS: Final = 10_000
_DAY: Final = 86_400.0


class View:
    """The way in from one view. Raises TransientFailure where the database does not answer as it must."""

    def __init__(
        self, settings: Mapping[str, Any], folder: Path, inward: Inward, *, notes: Notes,
        now: Callable[[], float], read_secret: Callable[[str], bytes],
    ) -> None:  # fmt: skip
        self._settings, self._folder, self._inward, self._notes = settings, folder, inward, notes
        self._now, self._read_secret = now, read_secret
        self._limit = float(settings.get("statement_seconds", 15))
        self._waiting: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._reached: Any = None
        self._next_look = 0.0

    async def items(self, limit: int) -> list[Collected | Uncollectable]:
        """Rows that are not settled, by the cursor; the same again until they are."""
        now = self._now()
        if not self._waiting and now >= self._next_look:
            await self._look(max(limit, 1))
            if not self._waiting:
                self._next_look = now + float(self._settings.get("poll_seconds", 60))
        return [self._item(token, row) for token, row in list(self._waiting.items())[:limit]]

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Note the row; the cursor moves when all that was read is noted."""
        if self._waiting.pop(token, None) is None:
            return
        await self._noted(lambda: self._notes.settle(token, self._now(), refusal))
        if not self._waiting and self._reached is not None:
            await self._noted(lambda: self._notes.advance(_CURSOR, self._reached, self._now()))
            await self._noted(lambda: self._notes.thin(self._now() - 60 * _DAY))

    async def _noted(self, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise TransientFailure(f"the notes cannot be used: {error.strerror or type(error).__name__}") from None

    async def _look(self, limit: int) -> None:
        done = await self._noted(self._notes.done)
        mark = await self._noted(lambda: self._notes.mark(_CURSOR))
        column = str(self._settings["cursor"])
        is_sqlite = "file" in self._settings
        since = _less(mark, float(self._settings.get("overlap", 0)))
        rows = self._from_sqlite(since) if is_sqlite else self._from_postgres(since)
        reached = mark
        async with aclosing(rows):
            async for row in rows:
                plain = {str(name): _plain(value) for name, value in row.items() if value is not None}
                reached = plain.get(column, reached)
                token = digest_of(plain)
                if token not in done:
                    self._waiting[token] = plain
                if len(self._waiting) >= max(limit, _AHEAD):
                    break
        self._reached = reached
        if not self._waiting and reached is not None and reached != mark:
            await self._noted(lambda: self._notes.advance(_CURSOR, reached, self._now()))

    def _item(self, token: str, row: Mapping[str, Any]) -> Collected | Uncollectable:
        return self._inward.message(row, token=token, identity=[token], now=self._now())

    def _statement(self, mark: str, *, is_first: bool) -> str:
        view = ".".join(f'"{part}"' for part in str(self._settings["view"]).split("."))
        column = f'"{self._settings["cursor"]}"'
        behind = "IS NOT NULL" if is_first else f">= {mark}"
        return f"SELECT * FROM {view} WHERE {column} {behind} ORDER BY {column}"  # noqa: S608 - names passed the schema

    # ------------------------------------------------------------------------------------------------- SQLite

    async def _from_sqlite(self, since: Any) -> AsyncGenerator[Mapping[str, Any], None]:
        path = (self._folder / str(self._settings["file"])).resolve()
        until = time.monotonic() + self._limit
        try:
            opened = await asyncio.to_thread(
                lambda: sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=5)
            )
            with closing(opened) as connection:
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA query_only = ON")
                connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
                statement = self._statement("?", is_first=since is None)
                values = () if since is None else (since,)
                cursor = await asyncio.to_thread(lambda: connection.execute(statement, values))
                while page := await asyncio.to_thread(lambda: cursor.fetchmany(_PAGE)):
                    for row in page:
                        yield dict(row)
        except sqlite3.Error as error:
            raise TransientFailure(f"the view cannot be read: {type(error).__name__}") from None

    # --------------------------------------------------------------------------------------------- PostgreSQL

    async def _from_postgres(self, since: Any) -> AsyncGenerator[Mapping[str, Any], None]:
        settings = self._settings
        try:
            password = self._read_secret(str(settings["secret_file"])).decode().strip()
        except (OSError, UnicodeDecodeError):
            raise TransientFailure("the file of the database's password cannot be read") from None
        try:
            connection = await asyncpg.connect(
                str(settings["url"]),
                password=password,
                timeout=self._limit,
                command_timeout=self._limit,
                statement_cache_size=0,
                server_settings={
                    "default_transaction_read_only": "on",
                    "statement_timeout": str(int(self._limit * 1000)),
                    "application_name": "lgsp",
                },
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise TransientFailure(f"the database cannot be reached: {type(error).__name__}") from None
        try:
            async with connection.transaction(readonly=True):
                statement = self._statement("$1", is_first=since is None)
                values = () if since is None else (_moment(since) if isinstance(since, str) else since,)
                try:
                    rows = connection.cursor(statement, *values, prefetch=_PAGE)
                    async for row in rows:
                        yield dict(row)
                except asyncpg.DataError:
                    # A cursor that is text: compared as text.
                    raise TransientFailure("the cursor column is neither a whole number nor a moment") from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise TransientFailure(f"the view cannot be read: {type(error).__name__}") from None
        finally:
            connection.terminate()


def _less(mark: Any, overlap: float) -> Any:
    """From where is read again: ``overlap`` (seconds, or numbers) before the mark; a moment keeps the form it has."""
    if mark is None or not overlap:
        return mark
    if isinstance(mark, int):
        return mark - math.ceil(overlap)
    if isinstance(mark, float):
        return mark - overlap
    moment = _moment(str(mark))
    if not isinstance(moment, dt.datetime | dt.date):
        return mark
    earlier = moment - dt.timedelta(seconds=overlap)
    if isinstance(earlier, dt.datetime):
        text = earlier.isoformat(sep=str(mark)[10:11] or "T")
        return text.replace("+00:00", "Z") if str(mark).endswith("Z") else text
    return (moment - dt.timedelta(days=math.ceil(overlap / _DAY))).isoformat()


def _moment(text: str) -> dt.datetime | dt.date | str:
    for kind in (dt.date, dt.datetime):
        try:
            return kind.fromisoformat(text)
        except ValueError:
            continue
    return text


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else str(value)
    return value.hex() if isinstance(value, bytes) else str(value)
