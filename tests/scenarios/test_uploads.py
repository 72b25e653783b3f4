"""A real gateway, a bad line and large files: cut ten times, killed, stopped, half dead, and by a public tus client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiotus
import pytest

from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.client.link import FaultyLink, a_faulty_link
from gateway.client.message import make_event, new_id
from gateway.core.envelope import seal
from gateway.core.jws import Signer
from tests.cli.desk import ROOT, choose_port, lgsp
from tests.province import a_province
from tests.town import document

ME = "H33.05/dms"
RECIPIENT = "H33.16/dms"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
MEGABYTE = 10**6


@dataclass
class Serving:
    """A province whose gateway runs in a process of its own; its log goes to a file."""

    folder: Path
    port: int
    url: str
    process: subprocess.Popen[bytes] | None = None

    @classmethod
    def founded(cls, folder: Path) -> Serving:
        """A province on a free port, applied."""
        a_province(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        url = choose_port(folder, port)
        assert lgsp("-C", folder, "apply").status == 0
        return cls(folder, port, url)

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "gateway", "-C", str(self.folder), "serve"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)  # noqa: ASYNC220 - a start, no wait
        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/health/ready") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.02)

    def end(self, number: signal.Signals) -> int:
        """Send it a signal and wait for its end; answers its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.process = None
        return status

    def memory(self) -> int:
        """Bytes of memory that it holds now."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def signer(self, system: str) -> Signer:
        """The key of one of the province's systems."""
        return read_signer(*find_files(self.folder / "keys", system))

    async def bearer(self, system: str) -> dict[str, str]:
        """A token of a system, as a header."""
        async with Bus.reach(self.url) as bus:
            return {"Authorization": f"Bearer {await bus.token(self.signer(system), system)}"}

    async def send(self, data: dict[str, Any]) -> dict[str, Any]:
        """Send a document of H33.05 to H33.16."""
        now = time.time()
        event = make_event(
            id=new_id(now, os.urandom(10)), source=ME, contract="document.issued", version="1.0", subject="1/STC-VP",
            now=now, data=data, extensions={"to": "H33.16"},
        )  # fmt: skip
        async with Bus.reach(self.url) as bus:
            return await bus.send(seal(event, self.signer(ME)))


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    made = Serving.founded(tmp_path / "tinh")
    yield made
    if made.process is not None:
        made.end(signal.SIGKILL)


@dataclass
class Client:
    """A client of a few lines that does what the protocol says: ask where it stands, go on from there."""

    url: str
    bearer: dict[str, str]
    content: bytes
    session: aiohttp.ClientSession
    location: str = ""
    tries: int = 0
    resumed_at: list[int] = field(default_factory=list)

    async def begin(self, **told: str) -> None:
        """A new upload."""
        words = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())
        headers = {**TUS, **self.bearer, "Upload-Length": str(len(self.content)), "Upload-Metadata": words}
        async with self.session.post(f"{self.url}/v1/uploads", headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            self.location = answer.headers["Location"]

    async def offset(self) -> int:
        """Where the gateway says that it stands."""
        async with self.session.head(self.location, headers={**TUS, **self.bearer}) as answer:
            assert answer.status == 200
            return int(answer.headers["Upload-Offset"])

    async def piece(self, offset: int) -> int:
        """Send all the rest; answers the status."""

        async def rest() -> AsyncIterator[memoryview]:
            view = memoryview(self.content)
            for start in range(offset, len(view), 65_536):
                yield view[start : start + 65_536]

        headers = {**PIECE, **self.bearer, "Upload-Offset": str(offset)}
        headers["Content-Length"] = str(len(self.content) - offset)
        async with self.session.patch(self.location, data=rest(), headers=headers) as answer:
            return answer.status

    async def go_on(self) -> None:
        """Until it is done, however often the line is cut."""
        while True:
            try:
                at = await self.offset()
                self.resumed_at.append(at)
                if at == len(self.content):
                    return
                await self.piece(at)
            except (aiohttp.ClientError, ConnectionError):
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def a_client(serving: Serving, url: str, content: bytes, **told: str) -> AsyncIterator[Client]:
    """A client by the line ``url`` that has begun an upload."""
    async with aiohttp.ClientSession() as session:
        client = Client(url, await serving.bearer(ME), content, session)
        await client.begin(**told)
        yield client


def some_bytes(megabytes: int) -> bytes:
    return random.Random(megabytes).randbytes(megabytes * MEGABYTE)


def naming(content: bytes) -> dict[str, Any]:
    """A document with that file."""
    sha256 = hashlib.sha256(content).hexdigest()
    return document(
        files=[{"name": "bản vẽ.pdf", "mediaType": "application/pdf", "size": len(content), "sha256": sha256}]
    )


async def watch(serving: Serving, seen: list[int]) -> None:
    """Look at the gateway's memory all the time."""
    while True:
        seen.append(serving.memory())
        await asyncio.sleep(0.02)


async def until_more_than(link: FaultyLink, count: int) -> None:
    async with asyncio.timeout(20):
        while link.up < count:  # noqa: ASYNC110 - a socket's counter rings no bell
            await asyncio.sleep(0.005)


async def test_a_hundred_megabytes_over_a_line_cut_ten_times_cost_a_tenth_more_at_most_and_no_memory(
    serving: Serving,
) -> None:
    content = some_bytes(100)
    sha256 = hashlib.sha256(content).hexdigest()
    await serving.start()
    cuts = [9 * MEGABYTE] * 9
    async with a_faulty_link("127.0.0.1", serving.port) as link:
        async with a_client(serving, link.url, some_bytes(1)) as warming_up:
            await warming_up.go_on()
        before, link.up, link.sent = serving.memory(), 0, 0
        link.cut_after, link.next_cut = 9 * MEGABYTE, lambda: cuts.pop() if cuts else None
        seen: list[int] = []
        watching = asyncio.create_task(watch(serving, seen))
        async with a_client(serving, link.url, content, sha256=sha256) as client:
            await client.go_on()
        watching.cancel()

    assert link.cuts == 10
    assert len(client.resumed_at) > 10
    assert max(link.up, link.sent) <= 1.1 * len(content)
    assert max(seen) - before <= 32 * 2**20
    await serving.send(naming(content))
    kept = serving.folder / "var/files" / sha256[:2] / sha256[2:4] / sha256
    assert kept.stat().st_size == len(content)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == sha256


async def test_a_gateway_killed_in_the_middle_goes_on_where_it_truly_stood(serving: Serving) -> None:
    content = some_bytes(30)
    await serving.start()
    async with (
        a_faulty_link("127.0.0.1", serving.port, bandwidth=40 * MEGABYTE) as link,
        a_client(serving, link.url, content, sha256=hashlib.sha256(content).hexdigest()) as client,
    ):
        sending = asyncio.create_task(client.piece(0))
        await until_more_than(link, 12 * MEGABYTE)
        serving.end(signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await sending
        await serving.start()
        client.bearer = await serving.bearer(ME)

        at = await client.offset()
        assert 8 * MEGABYTE < at <= link.up
        (part,) = (serving.folder / "var/files/uploads").glob("*/*.part")
        assert part.read_bytes() == content[:at]

        link.bandwidth = None
        await client.go_on()
    await serving.send(naming(content))


async def test_a_gateway_told_to_stop_in_the_middle_keeps_what_arrived_and_ends_well(serving: Serving) -> None:
    content = some_bytes(10)
    await serving.start()
    async with (
        a_faulty_link("127.0.0.1", serving.port) as link,
        a_client(serving, link.url, content) as client,
    ):
        await client.offset()
        link.bandwidth = 3 * MEGABYTE
        sending = asyncio.create_task(client.piece(0))
        await until_more_than(link, MEGABYTE)
        link.is_half_open = True
        await asyncio.sleep(0.3)
        came = link.up

        began = time.monotonic()
        assert await asyncio.to_thread(serving.end, signal.SIGTERM) == 0
        assert time.monotonic() - began < 5

        sending.cancel()
        link.is_half_open = False
        await serving.start()
        client.bearer = await serving.bearer(ME)
        assert came - 200_000 <= await client.offset() <= came


async def test_who_comes_back_after_a_line_died_without_a_word_goes_on_within_seconds(serving: Serving) -> None:
    content = some_bytes(4)
    await serving.start()
    async with (
        a_faulty_link("127.0.0.1", serving.port, bandwidth=4 * MEGABYTE) as dying,
        a_client(serving, dying.url, content) as client,
    ):
        dead = asyncio.create_task(client.piece(0))
        await until_more_than(dying, MEGABYTE)
        dying.is_half_open = True
        async with a_faulty_link("127.0.0.1", serving.port) as sound:
            client.location = client.location.replace(dying.url, sound.url)
            began = time.monotonic()
            await client.go_on()
            assert time.monotonic() - began < 10
        dead.cancel()
    await serving.send(naming(content))


async def test_a_public_client_uploads_and_the_recipient_fetches_what_the_message_names(serving: Serving) -> None:
    content = some_bytes(20)
    sha256 = hashlib.sha256(content).hexdigest()
    await serving.start()
    async with a_faulty_link("127.0.0.1", serving.port) as link, aiohttp.ClientSession() as session:
        mine = await serving.bearer(ME)
        link.cut_after = 7 * MEGABYTE
        told = {"filename": "bản vẽ.pdf".encode(), "mediatype": b"application/pdf", "sha256": sha256.encode()}
        patient = aiotus.RetryConfiguration(retry_attempts=5, max_retry_period_seconds=0.1)
        location = await aiotus.upload(
            f"{link.url}/v1/uploads", io.BytesIO(content), told, session, config=patient, headers=mine,
            chunksize=MEGABYTE,
        )  # fmt: skip
        assert location is not None
        assert link.cuts == 1
        assert await aiotus.metadata(location, session, headers=mine) == told

        sent = await serving.send(naming(content))
        assert sent["recipients"] == [RECIPIENT]

        theirs = await serving.bearer(RECIPIENT)
        fetched = b""
        while len(fetched) < len(content):
            wanted = f"bytes={len(fetched)}-{len(fetched) + 6 * MEGABYTE - 1}"
            async with session.get(f"{serving.url}/v1/files/{sha256}", headers={**theirs, "Range": wanted}) as answer:
                assert answer.status == 206
                fetched += await answer.read()
        assert hashlib.sha256(fetched).hexdigest() == sha256


async def test_a_public_client_whose_file_is_another_than_it_announced_is_refused(serving: Serving) -> None:
    await serving.start()
    async with aiohttp.ClientSession() as session:
        location = await aiotus.upload(
            f"{serving.url}/v1/uploads", io.BytesIO(b"one thing"),
            {"sha256": hashlib.sha256(b"another").hexdigest().encode()}, session,
            config=aiotus.RetryConfiguration(retry_attempts=2, max_retry_period_seconds=0.1),
            headers=await serving.bearer(ME),
        )  # fmt: skip

    assert location is None
