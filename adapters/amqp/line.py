"""The one connection of this process to a RabbitMQ: shared by all systems there, opened when needed, again when lost.

What the AMQP libraries raise is told in our own words here, so that neither an address nor a message stands in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, AuthenticationError, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused, ConnectionNotAllowed
from yarl import URL

from gateway.core.faults import TransientFailure

#: Seconds in which a connection is open or given up.
_OPENING: Final = 5.0
_CLOSING: Final = 3.0
#: Seconds after which a line that says nothing is dead.
_HEARTBEAT: Final = "10"

# The libraries' own log lines may hold addresses and whole messages; what matters of them is told by our failures.
for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Line:
    """A connection that any number of systems use; the last to leave closes it."""

    def __init__(self, url: str) -> None:
        """``url`` may hold a password, and is never told to anyone."""
        # The broker's certificate is always checked, whatever the URL says: the library would leave it out.
        address = URL(url).without_query_params("no_verify_ssl")
        self._url = address if "heartbeat" in address.query else address.update_query(heartbeat=_HEARTBEAT)
        self._connection: AbstractConnection | None = None
        self._opening: asyncio.Task[AbstractConnection] | None = None
        self._users = 0

    def join(self) -> None:
        """One more user."""
        self._users += 1

    async def leave(self) -> None:
        """One user less; the last one closes the connection."""
        self._users -= 1
        if self._users > 0:
            return
        if self._opening is not None:
            self._opening.cancel()
        await self._let_go()

    async def channel(self) -> AbstractChannel:
        """A new channel with publisher confirms, over a connection opened if need be."""
        connection = await self._current()
        try:
            return await connection.channel(publisher_confirms=True, on_return_raises=True)
        except RuntimeError:
            # The library learns of a connection's end in one place a moment later than in the other.
            if self._connection is connection:
                self._connection = None
            return await (await self._current()).channel(publisher_confirms=True, on_return_raises=True)

    async def _current(self) -> AbstractConnection:
        # Only who closes it himself makes it ``is_closed``; where the other side ended it, it is merely not connected.
        connection = self._connection
        is_alive = connection is not None and not connection.is_closed and connection.connected.is_set()
        return connection if connection is not None and is_alive else await self._opened()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(connection.close(), _CLOSING)

    async def _opened(self) -> AbstractConnection:
        """A fresh connection; whoever asks while one is being opened waits for that one."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
            # Whoever waited may have given up meanwhile: its failure is then nobody's.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._opening)

    async def _open(self) -> AbstractConnection:
        await self._let_go()
        with told():
            try:
                async with asyncio.timeout(_OPENING):
                    self._connection = await aio_pika.connect(self._url)
            except TimeoutError:
                raise TransientFailure(f"RabbitMQ does not answer within {_OPENING:g} s") from None
        return self._connection


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Line]] = WeakKeyDictionary()


def line_to(url: str) -> Line:
    """The line of this process (and event loop) to ``url``, with no new user yet."""
    lines = _lines.setdefault(asyncio.get_running_loop(), {})
    return lines.setdefault(url, Line(url))


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Whatever the AMQP libraries raise within becomes a TransientFailure that holds no address and no content."""
    try:
        yield
    except (AuthenticationError, ProbableAuthenticationError):
        raise TransientFailure("RabbitMQ refuses the gateway's user or password ([broker] url)") from None
    except (ChannelAccessRefused, ConnectionNotAllowed):
        raise TransientFailure("RabbitMQ does not let the gateway's user do this ([broker] url)") from None
    except (AMQPError, RuntimeError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise TransientFailure(f"the connection to RabbitMQ failed: {type(error).__name__}") from None
    except asyncio.CancelledError:
        # The library cancels what waits on a connection that breaks; only a task that was cancelled itself must end.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise TransientFailure("the connection to RabbitMQ broke") from None
