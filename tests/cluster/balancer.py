"""What stands before several gateways in small: each connection goes to the next one that takes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

_CHUNK = 64 * 1024


@dataclass
class Balancer:
    """Listens at ``port`` and joins each connection to one of ``targets()``, by turns; refuses nobody who waits."""

    port: int
    targets: Callable[[], Sequence[int]]
    #: Connections that no gateway took.
    refused: int = 0
    _turn: int = 0
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            far = await self._next()
            if far is None:
                self.refused += 1
                return
            with contextlib.closing(far[1]):
                ways = [asyncio.create_task(_pass(*way)) for way in ((reader, far[1]), (far[0], writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
        finally:
            self._open.discard(task)
            writer.close()

    async def _next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        ports = list(self.targets())
        self._turn += 1
        for number in range(len(ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", ports[(self._turn + number) % len(ports)])
        return None

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """It stands for the length of the block."""
        server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
