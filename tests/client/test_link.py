"""The bad line is as bad as it says, and no worse."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.client.link import FaultyLink, a_faulty_link


class Far:
    """The far end: takes everything, answers with how much it took when the near side is done."""

    def __init__(self) -> None:
        self.took: list[int] = []
        self.broken = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.took.append(0)
        mine = len(self.took) - 1
        try:
            while chunk := await reader.read(10_000):
                self.took[mine] += len(chunk)
            writer.write(str(self.took[mine]).encode())
            await writer.drain()
        except ConnectionError:
            self.broken += 1
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def far_end() -> AsyncIterator[tuple[Far, int]]:
    far = Far()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    async with server:
        yield far, server.sockets[0].getsockname()[1]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what the other end will see before long."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - counters of sockets ring no bell
            await asyncio.sleep(0.01)


async def send(link: FaultyLink, content: bytes) -> bytes:
    """Send everything and wait for the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        writer.write(content)
        await writer.drain()
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


async def test_a_sound_line_passes_everything_both_ways_and_counts_it() -> None:
    async with far_end() as (_, port), a_faulty_link("127.0.0.1", port) as link:
        assert await send(link, b"x" * 1_000_000) == b"1000000"
        assert (link.sent, link.up, link.down, link.cuts) == (1_000_000, 1_000_000, 7, 0)


async def test_a_line_is_cut_to_the_byte_and_both_sides_are_told() -> None:
    async with far_end() as (far, port), a_faulty_link("127.0.0.1", port, cut_after=300_001) as link:
        with pytest.raises(ConnectionError):
            await send(link, b"x" * 5_000_000)
        await until(lambda: far.broken == 1)
        assert (link.up, link.cuts) == (300_001, 1)
        assert far.took[0] <= 300_001
        assert await send(link, b"y" * 10) == b"10"


async def test_a_line_may_be_cut_again_and_again() -> None:
    left = [1000, 1000]
    async with (
        far_end() as (_, port),
        a_faulty_link("127.0.0.1", port, cut_after=1000, next_cut=lambda: left.pop() if left else None) as link,
    ):
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await send(link, b"x" * 500_000)
        assert await send(link, b"x" * 500_000) == b"500000"
        assert (link.cuts, link.up) == (3, 503_000)


async def test_a_long_line_takes_its_time() -> None:
    async with far_end() as (_, port), a_faulty_link("127.0.0.1", port, latency=0.1) as link:
        began = time.monotonic()
        assert await send(link, b"x") == b"1"
        assert 0.2 <= time.monotonic() - began < 5


async def test_a_narrow_line_lets_through_no_more_than_it_can() -> None:
    async with far_end() as (_, port), a_faulty_link("127.0.0.1", port, bandwidth=1_000_000) as link:
        began = time.monotonic()
        assert await send(link, b"x" * 300_000) == b"300000"
        assert time.monotonic() - began >= 0.3


async def test_a_narrow_line_lets_a_little_through_at_a_time() -> None:
    async with far_end() as (far, port), a_faulty_link("127.0.0.1", port, bandwidth=20_000) as link:
        sending = asyncio.create_task(send(link, b"x" * 60_000))
        await until(lambda: bool(far.took) and far.took[0] > 0)
        assert far.took[0] <= 10_000
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_a_half_open_line_passes_nothing_and_tells_nobody() -> None:
    async with far_end() as (far, port), a_faulty_link("127.0.0.1", port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"x" * 10)
        await until(lambda: link.up == 10)
        link.is_half_open = True
        writer.write(b"y" * 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.2)
        assert (link.up, far.broken, far.took) == (10, 0, [10])
        link.is_half_open = False
        writer.write_eof()
        assert await reader.read() == b"20"
        writer.close()


async def test_a_line_may_be_silent_one_way_and_what_waited_comes_when_it_is_over() -> None:
    async with far_end() as (far, port), a_faulty_link("127.0.0.1", port, silent=frozenset({"down"})) as link:
        sending = asyncio.create_task(send(link, b"x" * 10))
        await until(lambda: far.took == [10])
        await asyncio.sleep(0.05)
        assert not sending.done()
        link.silent = frozenset({"up"})
        assert await sending == b"10"

        held = asyncio.create_task(send(link, b"y" * 5))
        await until(lambda: len(far.took) == 2)
        await asyncio.sleep(0.05)
        assert (far.took[1], held.done()) == (0, False)
        link.silent = frozenset()
        assert await held == b"5"


async def test_what_is_swallowed_stays_silent_for_good_while_others_pass_and_closing_it_is_not_heard() -> None:
    async with far_end() as (far, port), a_faulty_link("127.0.0.1", port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"x" * 10)
        await until(lambda: far.took == [10])
        link.swallow()
        writer.write(b"x" * 10)
        writer.write_eof()
        assert await send(link, b"y" * 7) == b"7"
        assert far.took == [10, 7]
        link.cut_swallowed()
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()


async def test_a_line_that_is_cut_or_refuses_resets_who_is_there_and_who_comes() -> None:
    async with far_end() as (far, port), a_faulty_link("127.0.0.1", port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"x" * 10)
        await until(lambda: far.took == [10])
        link.is_refusing = True
        link.cut()
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()
        with pytest.raises(ConnectionError):
            await send(link, b"y" * 1_000_000)
        link.is_refusing = False
        assert await send(link, b"z" * 3) == b"3"
        assert far.took == [10, 3]
