"""Connections to the cluster's database: transactions that end in bounded time, and what its errors mean to us.

Behind PgBouncer (transaction mode) a connection is another one after each transaction, so nothing here outlives one:
every statement runs inside a transaction, which begins by saying what it relies on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from gateway.core.faults import Busy, Misconfigured, Text

#: Rows of a partitioned table fire triggers, partitions can be taken off without stopping anyone: since this one.
OLDEST_POSTGRES: Final = 14
#: How long one transaction may take in all, one connection to come about, one to be free (seconds).
_LIMIT: Final = 10.0
_CONNECT: Final = 5.0
_TURN: Final = 5.0
#: What a transaction relies on. A gateway that is stopped in the midst of one loses its locks sooner than the others
#: give up waiting for them. What is asked here is some rows, each an index away: no plan is worth compiling, and none
#: may go through a whole table because it was small when the plan was made. And a commit is on disk when it is told
#: (also on the standby, where the server's own settings name one).
_SETTINGS: Final = {
    "idle_in_transaction_session_timeout": "4000",
    "lock_timeout": "5000",
    "statement_timeout": "9000",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "synchronous_commit": "on",
}
_PATIENCE: Final = "".join(f"; SET LOCAL {name} = 0" for name in _SETTINGS if name.endswith("timeout"))
#: When to ask again (seconds).
_RETRY_AFTER: Final = 5.0
#: Errors that say "not now": the class of the connection, of resources, of an operator who stops the server, and those
#: of transactions that stood in each other's way; a server that only reads is a standby, or becoming the first one.
_PASSING_CLASSES: Final = frozenset({"08", "53", "57", "58"})
_PASSING: Final = frozenset({"25006", "25P03", "40001", "40P01", "55P03"})
_COLLIDED: Final = frozenset({"40001", "40P01"})


class Connection(Protocol):
    """What a question or a step asks of a connection; parameters are ``$1`` and so on, rows are read by place."""

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement (several, without parameters); answers its tag."""

    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of these, all sent together."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """All rows."""

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """The first row; None where there is none."""

    async def fetchval(self, query: str, *args: Any) -> Any:
        """The first value of the first row."""


class Database:
    """Transactions on the database at ``url``, so many at once; each is whole or not at all. Of one event loop."""

    def __init__(self, url: str, *, pgbouncer: bool = False, connections: int = 8) -> None:
        self._url = url
        self._is_shared = pgbouncer
        self._connections = connections
        self._pool: Any = None
        settings = "".join(f"; SET LOCAL {name} = '{value}'" for name, value in _SETTINGS.items())
        stated = settings if pgbouncer else ""
        self._begin: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE{stated}"
        self._begin_picture: Final = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{stated}"

    async def open(self) -> None:
        """Connect; raises Misconfigured where that is wrong for good, Busy where the server is just starting."""
        try:
            async with asyncio.timeout(_LIMIT):
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=1,
                    max_size=self._connections,
                    max_inactive_connection_lifetime=300.0,
                    max_queries=1_000_000,
                    timeout=_CONNECT,
                    # Nothing is left over from a transaction that would have to be cleared away.
                    reset=_nothing,
                    statement_cache_size=0 if self._is_shared else 256,
                    max_cached_statement_lifetime=0,
                    server_settings=None if self._is_shared else {"application_name": "lgsp", **_SETTINGS},
                )
                async with self.transaction() as connection:
                    version = int(await connection.fetchval("SHOW server_version_num")) // 10000
        except (
            OSError,
            ValueError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            await self.close()
            raise (as_busy() if _is_starting(error) else as_misconfigured(self._url, error)) from error
        except BaseException:
            await self.close()
            raise
        if version < OLDEST_POSTGRES:
            await self.close()
            raise _too_old(self._url, version)

    async def close(self) -> None:
        """Let go; what runs is cut off after a moment."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(_CONNECT):
                await pool.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @contextlib.asynccontextmanager
    async def transaction(self, locks: str = "", *, is_long: bool = False) -> AsyncIterator[Connection]:
        """Everything inside is one transaction, on disk when the block is left; ``locks`` begin it (see ``locks``).

        Each statement sees what was committed before it. ``is_long``: it may wait and take as long as it needs. Raises
        what the block raises (nothing is kept then), and asyncpg's errors, OSError or TimeoutError where the database
        fails: see :func:`is_passing`.
        """
        patience, limit = (_PATIENCE, None) if is_long else ("", _LIMIT)
        async with self._begun(f"{self._begin}{patience}{locks}", limit) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def picture(self) -> AsyncIterator[Connection]:
        """Every question inside is answered by one picture of the database; nothing can be written."""
        async with self._begun(self._begin_picture, _LIMIT) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def glance(self) -> AsyncIterator[Connection]:
        """For a single question, which is a picture by itself: three times as cheap as :meth:`picture`."""
        if self._is_shared:
            async with self._begun(self._begin_picture, _LIMIT) as connection:
                yield connection
            return
        async with self._lent(_LIMIT) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _begun(self, begin: str, limit: float | None) -> AsyncIterator[Connection]:
        async with self._lent(limit) as connection:
            try:
                await connection.execute(begin)
                yield connection
                if await connection.execute("COMMIT") != "COMMIT":
                    raise RuntimeError("a step went on although a statement had failed: nothing of it is kept")
            except BaseException as error:
                await _take_back(connection, error)
                raise

    @contextlib.asynccontextmanager
    async def _lent(self, limit: float | None) -> AsyncIterator[Any]:
        pool = self._pool
        if pool is None:
            raise as_busy()
        async with asyncio.timeout(limit):
            connection = await pool.acquire(timeout=_TURN)
            try:
                yield connection
            except (asyncio.CancelledError, OSError):  # who knows what it is doing now
                connection.terminate()
                raise
            finally:
                await pool.release(connection)


async def _nothing(_: Any) -> None:
    return


async def _take_back(connection: Any, error: BaseException) -> None:
    """Roll back; a connection that cannot do even that, or that leads to a server that only reads, is given up."""
    if connection.is_closed() or isinstance(error, (asyncio.CancelledError, OSError)):
        return
    if _code(error) == "25006":
        connection.terminate()
        return
    try:
        async with asyncio.timeout(_CONNECT):
            await connection.execute("ROLLBACK")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


def _code(error: BaseException) -> str:
    return getattr(error, "sqlstate", None) or ""


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed later: the server is away, full, stopping, or others were in the way."""
    if isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        return not isinstance(error, ValueError)  # a value that does not fit its column is our mistake
    code = _code(error)
    return code[:2] in _PASSING_CLASSES or code in _PASSING


def is_collision(error: BaseException) -> bool:
    """Whether two transactions stood in each other's way, so that the same succeeds at once when asked again."""
    return _code(error) in _COLLIDED


def _is_starting(error: BaseException) -> bool:
    return _code(error)[:2] in {"53", "57"}


def as_busy() -> Busy:
    """What a caller hears whose transaction failed with the database: it may be asked again, nothing happens twice."""
    return Busy(
        "overloaded",
        Text(
            "Trục liên thông tạm thời chưa ghi được vào sổ. Hệ thống gửi hãy gửi lại đúng thông điệp đó sau ít giây:"
            " cùng một mã thì không bao giờ bị nhận hai lần; nếu lặp lại, quản trị viên kiểm tra máy chủ PostgreSQL.",
            "The bus cannot write to its ledger at this moment. The sending system should send the same again in a few"
            " seconds: one id is never accepted twice; where it goes on, the administrator checks the PostgreSQL"
            " server.",
        ),
        retry_after=_RETRY_AFTER,
    )


def place_of(url: str) -> str:
    """Where a database is, fit to be shown: no user, no password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def as_misconfigured(url: str, error: BaseException) -> Misconfigured:
    """A database that cannot be opened at all, in words for the administrator."""
    place = place_of(url)
    return Misconfigured(
        "lgsp.toml [store] url",
        Text(f"Không mở được cơ sở dữ liệu {place}: {error}", f"The database {place} cannot be opened: {error}"),
        Text(
            "Quản trị viên kiểm tra máy chủ PostgreSQL có đang chạy không, địa chỉ, tên cơ sở dữ liệu, tài khoản,"
            " mật khẩu và quyền tạo bảng của tài khoản đó; nếu kết nối qua PgBouncer thì đặt pgbouncer = true.",
            "The administrator checks that the PostgreSQL server runs, the address, the name of the database, the"
            " account, its password and its right to create tables; behind PgBouncer, pgbouncer = true is to be set.",
        ),
    )


def _too_old(url: str, version: int) -> Misconfigured:
    return Misconfigured(
        "lgsp.toml [store] url",
        Text(
            f"PostgreSQL {version} tại {place_of(url)} quá cũ",
            f"PostgreSQL {version} at {place_of(url)} is too old",
        ),
        Text(
            f"Quản trị viên dùng PostgreSQL {OLDEST_POSTGRES} trở lên.",
            f"The administrator uses PostgreSQL {OLDEST_POSTGRES} or newer.",
        ),
    )
