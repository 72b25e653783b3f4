"""Connections to the ledger's file: how they are set, and what the errors of SQLite mean to whoever waits."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

from gateway.core.faults import Busy, Misconfigured, Text

#: STRICT tables came with this one.
OLDEST_SQLITE: Final = (3, 37, 0)
#: How long a writer waits for another process (milliseconds).
_BUSY_TIMEOUT: Final = 5000
#: Pages kept by a connection (KiB): indexes stay warm, memory stays flat.
_CACHE: Final = {"writer": 16384, "reader": 4096}
#: The write-ahead log is copied back after this many pages (of 4 KiB): an index page written by many commits is
#: copied once, and the commit that copies waits some tens of milliseconds.
_CHECKPOINT_PAGES: Final = 4000
#: Result codes that say "not now", not "wrong".
_PASSING: Final = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip
#: When to ask again (seconds).
_RETRY_AFTER: Final = 5.0


def connect(path: Path, role: str) -> sqlite3.Connection:
    """A connection for the ``writer`` or a ``reader``: durable at each commit, never scanning for a lock.

    Raises sqlite3.Error. A power cut right after a commit loses nothing: the write-ahead log is synced by it.
    """
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT / 1000, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        _set_journal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = OFF")  # the writer alone writes, and looks before
        connection.execute(f"PRAGMA cache_size = -{_CACHE[role]}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")
        if role == "reader":
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_journal(connection: sqlite3.Connection) -> None:
    # Two processes that open a new file at once race for this change, for which SQLite does not wait by itself.
    end = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            if mode != "wal":
                raise sqlite3.OperationalError(f"the file system does not allow a write-ahead log ({mode})")
            return


def make_file(path: Path) -> None:
    """Make the ledger's folder and an empty file that only its owner may read, where there is none; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed later: a full disk, a locked file, a device that does not write."""
    return isinstance(error, sqlite3.Error) and _code(error) in _PASSING


def is_locked(error: BaseException) -> bool:
    """Whether another process holds the file: its turn ends by itself."""
    return isinstance(error, sqlite3.Error) and _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def as_busy() -> Busy:
    """What a caller hears whose transaction could not be committed: nothing was kept, try again."""
    return Busy(
        "overloaded",
        Text(
            "Trục liên thông tạm thời chưa ghi được vào sổ; chưa có gì được lưu. Hệ thống gửi hãy gửi lại sau ít giây;"
            " nếu lặp lại, quản trị viên kiểm tra ổ đĩa của máy chủ.",
            "The bus cannot write to its ledger at this moment; nothing was kept. The sending system should try again"
            " in a few seconds; where it goes on, the administrator checks the server's disk.",
        ),
        retry_after=_RETRY_AFTER,
    )


def as_misconfigured(path: Path, error: Exception) -> Misconfigured:
    """A ledger that cannot be opened at all, in words for the administrator."""
    return Misconfigured(
        "lgsp.toml [store] url",
        Text(f"Không mở được cơ sở dữ liệu {path}: {error}", f"The database {path} cannot be opened: {error}"),
        Text(
            "Quản trị viên kiểm tra đường dẫn, quyền ghi của tài khoản chạy dịch vụ, dung lượng đĩa"
            " và tệp đó có đúng là cơ sở dữ liệu của trục liên thông không.",
            "The administrator checks the path, the service account's right to write, free space,"
            " and that the file is a database of the bus.",
        ),
    )
