"""A bad line in small: a TCP proxy that cuts, delays, narrows, refuses or falls silent on demand, and counts.

A half-open line is the worst of them: neither side is told, and no byte comes through any more. It may heal, and what
was under way arrives late; or, as when a box between has forgotten a connection, that one is swallowed for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

#: From the client to ``target``, and back.
Way = Literal["up", "down"]
BOTH: Final[frozenset[Way]] = frozenset({"up", "down"})
#: The most that lies in the proxy at a time, per direction.
CHUNK = 64 * 1024
#: A narrow line lets so much through at a time (bytes), or what it carries in a moment (seconds).
_TRICKLE: Final = 512
_MOMENT: Final = 0.05


@dataclass
class FaultyLink:
    """The line from a port of its own to ``target``; its fields may be set at any time and hold from then on."""

    target: tuple[str, int]
    #: Seconds that each chunk is under way.
    latency: float = 0.0
    #: Bytes a second of each connection and direction; none means as fast as it goes.
    bandwidth: float | None = None
    #: Cut the line (both sides are reset) when so many more bytes went up; None: never.
    cut_after: int | None = None
    #: Asked after each cut for the next ``cut_after``.
    next_cut: Callable[[], int | None] = lambda: None
    #: Nothing passes any more in these directions, and nobody is told; what waits passes when it is over.
    silent: frozenset[Way] = frozenset()
    #: Who comes is reset at once.
    is_refusing: bool = False
    #: Bytes that came from the client's side, and that were passed on to each side.
    sent: int = 0
    up: int = 0
    down: int = 0
    cuts: int = 0
    #: Where it listens; 0 means a free one.
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[Any]] = field(default_factory=set)
    _swallowed: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def is_half_open(self) -> bool:
        """Nothing passes any more in either direction."""
        return self.silent == BOTH

    @is_half_open.setter
    def is_half_open(self, value: bool) -> None:
        self.silent = BOTH if value else frozenset()

    @property
    def url(self) -> str:
        """The near end."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", self.port, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drop every connection and listen no more."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection that is open now, the swallowed ones among them."""
        self.cuts += len(self._open)
        for task in list(self._open):
            task.cancel()

    def cut_swallowed(self) -> None:
        """Reset the connections that were swallowed."""
        for task in list(self._swallowed):
            task.cancel()

    def swallow(self) -> None:
        """Every connection that is open now falls silent for good, even to its being closed; new ones pass."""
        self._swallowed |= self._open

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        if self.is_refusing:
            _reset(writer)
            writer.close()
            return
        self._open.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection(*self.target, limit=CHUNK)
            far.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_up(task, reader, far))
                group.create_task(self._pass_down(task, far_reader, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            _reset(writer, far)
        finally:
            self._open.discard(task)
            self._swallowed.discard(task)
            writer.close()
            if far is not None:
                far.close()

    async def _pass_up(
        self, connection: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK):
            self.sent += len(chunk)
            is_cut = self.cut_after is not None and len(chunk) >= self.cut_after
            passed = chunk[: self.cut_after] if is_cut else chunk
            await self._travel(connection, "up", passed)
            for part in self._parts(passed):
                await self._squeeze(part)
                writer.write(part)
                await writer.drain()
                self.up += len(part)
            if self.cut_after is not None:
                self.cut_after -= len(passed)
            if is_cut:
                self.cuts += 1
                self.cut_after = self.next_cut()
                raise ConnectionResetError("cut")
        await self._travel(connection, "up")
        if writer.can_write_eof():
            writer.write_eof()

    async def _pass_down(
        self, connection: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK):
            await self._travel(connection, "down", chunk)
            for part in self._parts(chunk):
                await self._squeeze(part)
                writer.write(part)
                await writer.drain()
                self.down += len(part)
        await self._travel(connection, "down")
        if writer.can_write_eof():
            writer.write_eof()

    async def _travel(self, connection: asyncio.Task[Any], way: Way, chunk: bytes = b"") -> None:
        while way in self.silent or connection in self._swallowed:  # noqa: ASYNC110 - set by a test at any time
            await asyncio.sleep(0.01)
        if chunk and self.latency:
            await asyncio.sleep(self.latency)

    def _parts(self, chunk: bytes) -> Iterator[bytes]:
        """What comes out at a time: a narrow line lets a little through, again and again, not all of it at the end."""
        most = max(_TRICKLE, int(self.bandwidth * _MOMENT)) if self.bandwidth else CHUNK
        for begin in range(0, len(chunk), most):
            yield chunk[begin : begin + most]

    async def _squeeze(self, part: bytes) -> None:
        if self.bandwidth:
            await asyncio.sleep(len(part) / self.bandwidth)


def _reset(*writers: asyncio.StreamWriter | None) -> None:
    """Close without a farewell: the other side sees a reset, as when a line is cut."""
    for writer in writers:
        if writer is not None:
            with contextlib.suppress(OSError):
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.asynccontextmanager
async def a_faulty_link(host: str, port: int, **faults: Any) -> AsyncIterator[FaultyLink]:
    """A line to ``host:port`` for the length of a ``with`` block; ``faults`` are its fields."""
    link = FaultyLink((host, port), **faults)
    await link.start()
    try:
        yield link
    finally:
        await link.stop()
