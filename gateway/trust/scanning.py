"""Asks clamd (ClamAV) whether a file holds malware: its INSTREAM command, over TCP or a socket of this machine.

The protocol is a command, pieces with their length before them, a piece of none, and one line of answer. The clients
on offer are no help with what matters here: answers cut short, limits, and a daemon that is gone half way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from gateway.core.content import PIECE, Content
from gateway.ports.findings import Scan, ScannerAway

_ADDRESS: Final = re.compile(r"tcp:(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/\s]+)):([0-9]{1,5})\Z|unix:(/[^\0]{1,100})\Z")
_LONGEST_ANSWER: Final = 4096
_FOUND: Final = re.compile(r"stream: (.{1,300}) FOUND\Z", re.DOTALL)
_TOO_LARGE: Final = "INSTREAM size limit exceeded"


@dataclass(frozen=True, slots=True)
class Clamd:
    """Keeps ``ports.findings.Scanner``; ``address`` is ``tcp:HOST:PORT`` or ``unix:PATH``.

    ``seconds``: how long one file may take from beginning to end.
    """

    address: str
    seconds: float = 60.0

    async def scan(self, file: Content) -> Scan:
        """What clamd says of a file: ``failed`` where it will not look at this one, whenever it is asked.

        Raises ScannerAway where it cannot be reached, or breaks off; OSError where the file cannot be read.
        """
        answer = await self._asked(b"zINSTREAM\0", file)
        if answer == "stream: OK":
            return Scan("clean", by="clamd")
        found = _FOUND.match(answer)
        if found is not None:
            return Scan("infected", _printable(found[1]), "clamd")
        if answer.startswith(_TOO_LARGE):
            return Scan("failed", "too-large", "clamd")
        if answer.endswith("ERROR"):
            raise ScannerAway(_printable(answer))
        raise ScannerAway("an answer that is none")

    async def version(self) -> str:
        """What it calls itself; raises ScannerAway."""
        return _printable(await self._asked(b"zVERSION\0", None))

    async def _asked(self, command: bytes, file: Content | None) -> str:
        try:
            async with asyncio.timeout(self.seconds), self._line() as (reader, writer):
                return await _spoken(reader, writer, command, file)
        except TimeoutError:
            raise ScannerAway("no answer in time") from None

    @contextlib.asynccontextmanager
    async def _line(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        found = _ADDRESS.match(self.address)
        if found is None:
            raise ScannerAway("not an address")
        try:
            if found[4] is not None:
                reader, writer = await asyncio.open_unix_connection(found[4], limit=_LONGEST_ANSWER)
            else:
                host, port = found[1] or found[2], int(found[3])
                reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_ANSWER)
        except (OSError, OverflowError, ValueError) as error:
            raise ScannerAway(type(error).__name__) from None
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()


async def _spoken(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes, file: Content | None
) -> str:
    """One question and its answer; whoever breaks off may have said why before."""
    try:
        writer.write(command)
        if file is not None:
            await _hand_over(writer, file)
        await writer.drain()
    except ConnectionError:
        pass  # it answers before the end where a file is too large for it
    try:
        answer = await reader.readuntil(b"\0")
    except asyncio.IncompleteReadError as error:
        raise ScannerAway("an answer cut short" if error.partial else "no answer") from None
    except (asyncio.LimitOverrunError, ConnectionError) as error:
        raise ScannerAway(type(error).__name__) from None
    return answer[:-1].decode("utf-8", "replace").strip()


async def _hand_over(writer: asyncio.StreamWriter, file: Content) -> None:
    opened = await asyncio.to_thread(file.open)
    try:
        left = file.size
        while left > 0:
            piece = await asyncio.to_thread(opened.read, min(PIECE, left))
            if not piece:
                raise EOFError("the file is shorter than it was said to be")
            left -= len(piece)
            writer.write(struct.pack("!L", len(piece)))
            writer.write(piece)
            await writer.drain()
        writer.write(struct.pack("!L", 0))
    finally:
        await asyncio.to_thread(opened.close)


def is_address(text: str) -> bool:
    """Whether this is how an address is written here."""
    found = _ADDRESS.match(text)
    return found is not None and (found[3] is None or 0 < int(found[3]) < 65536)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]
