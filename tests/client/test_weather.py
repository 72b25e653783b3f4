"""A line's weather is as it was written, the same for the same seed, and as bad as it says."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from gateway.client.link import FaultyLink
from gateway.client.weather import Profile, a_bad_line


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("", Profile()),
        ("offline:0.45,rate:64kbit,cut:200k", Profile(offline=0.45, rate=8000, cut=200_000)),
        ("latency:300ms, window:5s", Profile(latency=0.3, window=5)),
        ("rate:1Mbit", Profile(rate=125_000)),
        ("rate:9600bit,cut:5000", Profile(rate=1200, cut=5000)),
        ("offline:0", Profile()),
    ],
)
def test_a_profile_is_written_as_people_say_it(text: str, profile: Profile) -> None:
    assert Profile.read(text) == profile


@pytest.mark.parametrize(
    "text",
    ["offline", "offline:", "offline:1", "offline:x", "speed:1k", "rate:64kb", "latency:5", "cut:1k,cut:2k", "-"],
)
def test_what_is_no_profile_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.rpartition(",")[2].split(":", maxsplit=1)[0]):
        Profile.read(text)


def test_the_same_seed_is_the_same_weather_and_another_seed_is_another() -> None:
    profile = Profile(offline=0.45, cut=1000)

    def begun(seed: int) -> list[object]:
        cut = profile.cuts(seed)
        return [*itertools.islice(profile.spells(seed), 20), *(cut() for _ in range(20))]

    assert begun(7) == begun(7)
    assert begun(7) != begun(8)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.45, 0.6])
def test_a_line_is_away_for_its_share_of_the_time(share: float) -> None:
    spells = list(itertools.islice(Profile(offline=share, window=10).spells(1), 400))
    away = sum(spell.seconds for spell in spells if not spell.is_up)
    assert away / sum(spell.seconds for spell in spells) == pytest.approx(share, abs=0.01)
    if share:
        assert {spell.is_cut for spell in spells if not spell.is_up} == {True, False}


@contextlib.asynccontextmanager
async def an_echo() -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1000):
                writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def said(link: FaultyLink, content: bytes) -> bytes:
    """What comes back of it; nothing where the line was not good enough."""
    try:
        async with asyncio.timeout(0.2):
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
            try:
                writer.write(content)
                return await reader.readexactly(len(content))
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return b""


async def test_a_line_in_bad_weather_comes_and_goes() -> None:
    async with an_echo() as port, a_bad_line("127.0.0.1", port, Profile(offline=0.5, window=0.1), 3) as link:
        found: set[bytes] = set()
        async with asyncio.timeout(5):
            while len(found) < 2:
                found.add(await said(link, b"x"))
    assert found == {b"", b"x"}


async def test_a_line_is_cut_in_the_middle_again_and_again() -> None:
    async with an_echo() as port, a_bad_line("127.0.0.1", port, Profile(cut=1000), 3) as link:
        for _ in range(20):
            await said(link, b"x" * 400)
        assert link.cuts >= 3
        assert 500 <= link.up / link.cuts <= 4000


async def test_a_line_without_faults_is_one() -> None:
    async with an_echo() as port, a_bad_line("127.0.0.1", port, Profile(), 3) as link:
        assert await said(link, b"x" * 900) == b"x" * 900
