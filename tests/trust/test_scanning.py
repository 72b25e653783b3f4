"""The question to clamd, against a stand-in that keeps strictly to its protocol, or breaks it on purpose."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.content import InMemory
from gateway.ports.findings import Lying, Scan, ScannerAway
from gateway.trust.scanning import Clamd, is_address

#: Not the well-known test file itself, so that no scanner of a developer's machine takes this one away.
MALWARE = b"X5O!P%@AP-STAND-IN-FOR-MALWARE"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StandIn:
    """clamd in small, as its manual describes it: anything that is not its protocol ends the line without an answer."""

    def __init__(self, *, most: int = 25 * 2**20) -> None:
        self.most = most
        self.seen: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One command, its stream, one answer."""
        command = await reader.readuntil(b"\0")
        if command == b"zVERSION\0":
            writer.write(b"ClamAV 1.4.6/27800/Mon Nov 23 2026\0")
        elif command == b"zINSTREAM\0":
            writer.write(await self._scanned(reader))
        await writer.drain()

    async def _scanned(self, reader: asyncio.StreamReader) -> bytes:
        data = b""
        while (length := struct.unpack("!L", await reader.readexactly(4))[0]) > 0:
            data += await reader.readexactly(length)
            if len(data) > self.most:
                return b"INSTREAM size limit exceeded. ERROR\0"
        self.seen.append(data)
        return b"stream: Eicar-Test-Signature FOUND\0" if MALWARE in data else b"stream: OK\0"


@asynccontextmanager
async def clamd(talk: Talk, *, unix: Path | None = None, seconds: float = 5.0) -> AsyncIterator[Clamd]:
    """Somebody who listens, and the client that asks."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    if unix is not None:
        server = await asyncio.start_unix_server(served, unix)
        address = f"unix:{unix}"
    else:
        server = await asyncio.start_server(served, "127.0.0.1", 0)
        address = f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield Clamd(address, seconds)


async def test_a_clean_file_is_clean_and_came_over_byte_for_byte() -> None:
    stand_in = StandIn()
    content = bytes(range(256)) * 4000
    async with clamd(stand_in.talk) as scanner:
        assert await scanner.scan(InMemory(content)) == Scan("clean", "", "clamd")
    assert stand_in.seen == [content]


async def test_an_infected_file_is_told_with_the_name_of_what_is_in_it(tmp_path: Path) -> None:
    async with clamd(StandIn().talk, unix=tmp_path / "clamd.ctl") as scanner:
        found = await scanner.scan(InMemory(b"before " + MALWARE + b" after"))
    assert found == Scan("infected", "Eicar-Test-Signature", "clamd")


async def test_an_empty_file_can_be_asked_about() -> None:
    async with clamd(StandIn().talk) as scanner:
        assert (await scanner.scan(InMemory(b""))).outcome == "clean"


async def test_a_file_over_the_daemons_limit_is_told_so_though_it_breaks_off_in_the_midst() -> None:
    async with clamd(StandIn(most=2**20).talk) as scanner:
        assert await scanner.scan(InMemory(bytes(8 * 2**20))) == Scan("failed", "too-large", "clamd")


async def test_the_daemon_says_what_it_is() -> None:
    async with clamd(StandIn().talk) as scanner:
        assert await scanner.version() == "ClamAV 1.4.6/27800/Mon Nov 23 2026"


def answering(answer: bytes) -> Talk:
    """Takes everything, says this."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0")
        while (length := struct.unpack("!L", await reader.readexactly(4))[0]) > 0:
            await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()

    return talk


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: O",
        b"stream: OK",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"stream: OK and more\0",
        b"\xff\xfe\0",
        b"stream: " + b"x" * 10_000 + b" FOUND\0",
        b"other: Name FOUND\0",
    ],
)
async def test_anything_but_a_clear_answer_counts_as_none(answer: bytes) -> None:
    async with clamd(answering(answer)) as scanner:
        with pytest.raises(ScannerAway):
            await scanner.scan(InMemory(b"content"))


async def test_a_daemon_that_falls_silent_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with clamd(silent, seconds=0.2) as scanner:
        with pytest.raises(ScannerAway, match="time"):
            await scanner.scan(InMemory(b"content"))


async def test_a_daemon_that_does_not_take_the_bytes_is_not_waited_for() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with clamd(deaf, seconds=0.3) as scanner:
        with pytest.raises(ScannerAway, match="time"):
            await scanner.scan(InMemory(bytes(32 * 2**20)))


async def test_a_daemon_that_hangs_up_at_once_is_away() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with clamd(rude) as scanner:
        with pytest.raises(ScannerAway):
            await scanner.scan(InMemory(bytes(2**20)))


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:1", "unix:/nowhere/clamd.ctl", "tcp:no.such.host.invalid:3310", ""])
async def test_a_daemon_that_is_not_there_is_away(address: str) -> None:
    with pytest.raises(ScannerAway):
        await Clamd(address, 5.0).scan(InMemory(b"content"))


async def test_a_file_that_is_gone_is_not_the_daemons_fault() -> None:
    def gone() -> None:
        raise FileNotFoundError("gone")

    async with clamd(StandIn().talk) as scanner:
        with pytest.raises(FileNotFoundError):
            await scanner.scan(Lying("0" * 64, 10, gone))  # type: ignore[arg-type]


async def test_a_file_that_is_shorter_than_it_should_be_is_never_called_clean() -> None:
    short = InMemory(b"content")
    async with clamd(StandIn().talk) as scanner:
        with pytest.raises(OSError, match="shorter"):
            await scanner.scan(Lying(short.sha256, short.size + 1, short.open))


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("tcp:127.0.0.1:3310", True),
        ("tcp:[::1]:3310", True),
        ("tcp:clamd.example.vn:3310", True),
        ("unix:/run/clamav/clamd.ctl", True),
        ("tcp:127.0.0.1", False),
        ("tcp:127.0.0.1:0", False),
        ("tcp:127.0.0.1:70000", False),
        ("unix:clamd.ctl", False),
        ("http://127.0.0.1:3310", False),
    ],
)
def test_an_address_is_written_in_one_of_two_ways(address: str, usable: bool) -> None:
    assert is_address(address) is usable
