"""Asks clamd (ClamAV) whether a file holds malware: its INSTREAM command, over TCP or a socket of this machine.

The protocol is a command, pieces with their length before them, a piece of none, and one line of answer. The clients
on offer are no help with what matters here: answers cut short, limits, and a daemon that is gone half way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

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
            async with asyncio.timeout(self.seconds):
                line = await self._connected()
                try:
                    return await _spoken(line, command, file)
                finally:
                    line.close()
        except TimeoutError:
            raise ScannerAway("no answer in time") from None

    async def _connected(self) -> socket.socket:
        """A line to it. Plain, as an answer is to be had even where the other side breaks off while it is spoken to."""
        found = _ADDRESS.match(self.address)
        if found is None:
            raise ScannerAway("not an address")
        loop = asyncio.get_running_loop()
        try:
            if found[4] is not None:
                return await _opened(socket.AF_UNIX, found[4])
            places = await loop.getaddrinfo(found[1] or found[2], int(found[3]), type=socket.SOCK_STREAM)
        except (OSError, OverflowError, ValueError) as error:
            raise ScannerAway(type(error).__name__) from None
        trouble: OSError | None = None
        for family, _, _, _, address in places:
            try:
                return await _opened(family, address)
            except OSError as error:
                trouble = error
        raise ScannerAway(type(trouble).__name__)


async def _opened(family: int, address: Any) -> socket.socket:
    line = socket.socket(family, socket.SOCK_STREAM)
    line.settimeout(0)
    try:
        await asyncio.get_running_loop().sock_connect(line, address)
    except BaseException:
        line.close()
        raise
    return line


async def _spoken(line: socket.socket, command: bytes, file: Content | None) -> str:
    """One question and its answer; whoever breaks off may have said why before."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):  # it answers before the end where a file is too large for it
        await loop.sock_sendall(line, command)
        if file is not None:
            await _hand_over(line, file)
    answer = bytearray()
    try:
        while not answer.endswith(b"\0") and len(answer) <= _LONGEST_ANSWER:
            piece = await loop.sock_recv(line, _LONGEST_ANSWER)
            if not piece:
                break
            answer += piece
    except ConnectionError as error:
        raise ScannerAway(type(error).__name__) from None
    if not answer.endswith(b"\0"):
        raise ScannerAway("an answer cut short" if answer else "no answer")
    return answer[:-1].decode("utf-8", "replace").strip()


async def _hand_over(line: socket.socket, file: Content) -> None:
    loop = asyncio.get_running_loop()
    opened = await asyncio.to_thread(file.open)
    try:
        left = file.size
        while left > 0:
            piece = await asyncio.to_thread(opened.read, min(PIECE, left))
            if not piece:
                raise OSError("the file is shorter than it was said to be")
            left -= len(piece)
            await loop.sock_sendall(line, struct.pack("!L", len(piece)) + piece)
        await loop.sock_sendall(line, struct.pack("!L", 0))
    finally:
        await asyncio.to_thread(opened.close)


def is_address(text: str) -> bool:
    """Whether this is how an address is written here."""
    found = _ADDRESS.match(text)
    return found is not None and (found[3] is None or 0 < int(found[3]) < 65536)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]
