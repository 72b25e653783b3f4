"""Reading beside the writer: a few threads with a connection each, every question one consistent picture."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from gateway.store.sqlite.connection import as_busy, connect, is_passing

R = TypeVar("R")

COUNT: Final = 2


class Readers:
    """A question asked after a commit sees it; one that is asked during a write does not wait for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mine = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(COUNT, thread_name_prefix="ledger-reader")

    async def ask(self, question: Callable[[sqlite3.Connection], R]) -> R:
        """What ``question`` answers on one picture of the database; raises Busy where it cannot be read now."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def stop(self) -> None:
        """Let go of the file. Blocks until running questions are answered."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _answer(self, question: Callable[[sqlite3.Connection], R]) -> R:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if is_passing(error):
                raise as_busy() from error
            raise

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = connect(self._path, "reader")
            self._connections.append(connection)
        return connection
