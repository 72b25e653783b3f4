"""What the processes of one gateway ask each other: figures and readiness, over sockets that only their user reaches.

They share one port, so whoever asks it meets any of them and must hear about all. Each listens at a socket of its own
in a folder of theirs; one that does not answer in time is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from gateway.telemetry import REGISTRY

#: How long a sibling may take, and how much it may say (seconds, bytes).
_PATIENCE: Final = 2.0
_MOST: Final = 16 * 2**20
_FIGURES: Final = b"figures\n"
_READY: Final = b"ready\n"
_FAMILY: Final = b"\n# HELP "


@dataclass(slots=True)
class Siblings:
    """One process among its siblings; alone where there is no ``folder``. ``is_ready`` tells of itself alone."""

    number: int
    is_ready: Callable[[], Awaitable[bool]]
    folder: Path | None = None
    _server: asyncio.AbstractServer | None = field(default=None)

    async def open(self) -> None:
        """Listen to the others; raises OSError where the folder does not let it."""
        if self.folder is not None:
            self._own.unlink(missing_ok=True)  # of a former life
            self._server = await asyncio.start_unix_server(self._answer, self._own)

    async def close(self) -> None:
        """Let go."""
        if self._server is not None:
            self._server.close()
            self._own.unlink(missing_ok=True)

    async def figures(self) -> bytes:
        """The figures of all processes in Prometheus' text form, each series with the label ``worker``."""
        if self.folder is None:
            return generate_latest(REGISTRY)
        told = [self._figures(), *await self._ask(_FIGURES)]
        families: dict[bytes, list[bytes]] = {}
        for text in told:
            for family in (b"\n" + text.rstrip(b"\n")).split(_FAMILY)[1:]:
                # its help, its type, its samples
                help_, type_, *samples = family.split(b"\n")
                families.setdefault(help_.partition(b" ")[0], [help_, type_]).extend(samples)
        lines = (b"\n".join(lines) for lines in families.values())
        return b"".join(_FAMILY[1:] + family + b"\n" for family in lines)

    async def is_any_ready(self) -> bool:
        """Whether one of the others accepts and delivers."""
        return b"1" in await self._ask(_READY)

    @property
    def _own(self) -> Path:
        return self._at(self.number)

    def _at(self, number: int) -> Path:
        return (self.folder or Path()) / str(number)

    def _figures(self) -> bytes:
        labelled = CollectorRegistry()
        labelled.register(_Labelled(str(self.number)))
        return generate_latest(labelled)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_PATIENCE):
                asked = await reader.readline()
                if asked == _FIGURES:
                    writer.write(self._figures())
                elif asked == _READY:
                    writer.write(b"1" if await self.is_ready() else b"0")
                await writer.drain()
        writer.close()

    async def _ask(self, question: bytes) -> list[bytes]:
        if self.folder is None:
            return []
        others = [path for path in sorted(self.folder.iterdir()) if path != self._own and path.is_socket()]
        return [told for told in await asyncio.gather(*(_asked(path, question) for path in others)) if told]


async def _asked(path: Path, question: bytes) -> bytes:
    """What a sibling says; nothing where it does not."""
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(question)
                told = b""
                while len(told) < _MOST and (more := await reader.read(65_536)):
                    told += more
                return told
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


class _Labelled(Collector):
    """Every figure of this process, with the label ``worker``."""

    def __init__(self, worker: str) -> None:
        self._worker = worker

    def collect(self) -> Iterator[Metric]:
        """The families of the registry."""
        for family in REGISTRY.collect():
            family.samples = [
                Sample(each.name, {**each.labels, "worker": self._worker}, *each[2:]) for each in family.samples
            ]
            yield family
