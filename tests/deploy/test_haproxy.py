"""The proxy as it is shipped, before gateways in small: who is let in, who waits, who is asked when one goes away."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.config.keys import new_key_pem, self_signed
from tests.deploy.reading import DEPLOY, program
from tests.deploy.test_figures import NEIGHBOURS
from tests.servers.private import free_ports

CONFIGURATION = DEPLOY / "cluster/haproxy/haproxy.cfg"
TRUSTING = ssl._create_unverified_context()  # noqa: S323 - the certificate was made a moment ago


@dataclass
class Stand:
    """A gateway in small: says whether it is ready, counts what came, takes pieces as they come."""

    port: int
    is_ready: bool = True
    seen: list[str] = field(default_factory=list)
    last: web.BaseRequest | None = None
    _runner: web.ServerRunner | None = None

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/health/ready":
            return web.Response(status=200 if self.is_ready else 503)
        self.last = request
        size = sum([len(piece) async for piece in request.content.iter_any()])
        if request.path == "/v1/inbox/lease":
            await asyncio.sleep(float(request.query.get("wait", "0")))
        self.seen.append(f"{request.method} {request.path} {size}")
        return web.Response(text=str(self.port))

    async def open(self) -> None:
        self._runner = web.ServerRunner(web.Server(self.answer))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@dataclass
class Front:
    """The proxy, the gateways behind it, a client before it."""

    url: str
    figures: str
    gateways: Sequence[Stand]
    client: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **more: object) -> tuple[int, str]:
        """One request: its status and text."""
        async with self.client.request(method, self.url + path, **more) as answer:  # type: ignore[arg-type]
            return answer.status, await answer.text()

    def seen(self) -> int:
        """How many requests reached a gateway."""
        return sum(len(each.seen) for each in self.gateways)


def configuration(folder: Path, door: int, figures: int, gateways: Sequence[int], **quicker: str) -> Path:
    """The shipped file at ports of its own, some times shortened; every replaced part must be there."""
    key, pem = new_key_pem()
    (folder / "tls").mkdir(exist_ok=True)
    (folder / "tls/lgsp.pem").write_bytes(pem + self_signed(key, "lgsp.example.vn"))
    parts = {
        "/etc/haproxy/tls/": f"{folder}/tls/", "/run/haproxy/admin.sock": f"{folder}/admin.sock",
        "bind :8443": f"bind 127.0.0.1:{door}", "bind :8404": f"bind 127.0.0.1:{figures}",
    }  # fmt: skip
    parts |= {f" gw{n}:8600": f" 127.0.0.1:{port}" for n, port in enumerate(gateways, start=1)}
    text = CONFIGURATION.read_text()
    for name, value in quicker.items():
        text, count = re.subn(
            rf"timeout {name.replace('_', '-')} \S+", f"timeout {name.replace('_', '-')} {value}", text
        )
        assert count, name
    for before, after in parts.items():
        assert before in text, before
        text = text.replace(before, after)
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return path


@contextlib.asynccontextmanager
async def standing(folder: Path, **quicker: str) -> AsyncIterator[Front]:
    """The proxy before three gateways, all found ready."""
    door, figures, *ports = free_ports(5)
    path = configuration(folder, door, figures, ports, **quicker)
    gateways = [Stand(port) for port in ports]
    for gateway in gateways:
        await gateway.open()
    process = await asyncio.create_subprocess_exec(
        program("haproxy", "haproxy"), "-f", str(path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        connector = aiohttp.TCPConnector(ssl=TRUSTING, limit=0)
        async with aiohttp.ClientSession(connector=connector) as client:
            front = Front(f"https://127.0.0.1:{door}", f"http://127.0.0.1:{figures}", gateways, client)
            await until(front, active=3)
            yield front
    finally:
        process.kill()
        await process.wait()
        for gateway in gateways:
            await gateway.close()


async def until(front: Front, *, active: int, seconds: float = 10) -> float:
    """Wait until the proxy holds so many gateways for ready; answers how long it took."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with front.client.get(f"{front.figures}/metrics") as answer:
                told = await answer.text()
            if f'haproxy_backend_active_servers{{proxy="be_quick"}} {active}' in told:
                return time.monotonic() - began
        assert time.monotonic() - began < seconds, "the proxy does not see it"
        await asyncio.sleep(0.05)


def test_the_proxy_takes_the_file_without_a_warning(tmp_path: Path) -> None:
    path = configuration(tmp_path, 8443, 8404, (8601, 8602, 8603))
    command = [program("haproxy", "haproxy"), "-c", "-f", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "WARNING" not in found.stderr


async def test_it_lets_in_what_agencies_send_and_says_for_whom_it_speaks(tmp_path: Path) -> None:
    async with standing(tmp_path) as front:
        made_up = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
        assert (await front.ask("POST", "/v1/messages", data=b"x" * 2000, headers=made_up))[0] == 200
        request = next(each.last for each in front.gateways if each.last is not None)
        assert request.headers.getall("X-Forwarded-For") == ["127.0.0.1"]
        assert "Forwarded" not in request.headers
        assert request.headers["X-Forwarded-Proto"] == "https"

        # Figures are not for outside, and what is too large for the gateway does not cross to it.
        assert (await front.ask("GET", "/metrics"))[0] == 404
        large = {"data": io.BytesIO(b"x" * (4 * 2**20 + 1)), "expect100": True}
        status, told = await front.ask("POST", "/v1/inbox/settle", **large)
        assert (status, "urn:lgsp:problem:too-large" in told) == (413, True)
        assert front.seen() == 1
        assert (await front.ask("POST", "/v1/messages", data=io.BytesIO(b"x" * (5 * 2**20))))[0] == 200
        file = io.BytesIO(b"x" * (40 * 2**20))
        assert (await front.ask("PATCH", "/v1/uploads/1", data=file))[0] == 200, "the limit of files is the gateway's"


async def test_the_pieces_of_one_upload_go_to_one_gateway_and_waiting_inboxes_to_all(tmp_path: Path) -> None:
    async with standing(tmp_path) as front:
        pieces = {await front.ask("PATCH", "/v1/uploads/7f3a", data=b"piece") for _ in range(6)}
        assert len(pieces) == 1
        waiting = await asyncio.gather(*(front.ask("POST", "/v1/inbox/lease?wait=0.3") for _ in range(9)))
        assert len(set(waiting)) == 3


async def test_a_gateway_that_is_replaced_costs_nobody_a_refused_request(tmp_path: Path) -> None:
    async with standing(tmp_path) as front:
        answers: list[int] = []
        is_over = asyncio.Event()

        async def send() -> None:
            while not is_over.is_set():
                answers.append((await front.ask("POST", "/v1/messages", data=b"message"))[0])

        senders = [asyncio.create_task(send()) for _ in range(8)]
        for gateway in front.gateways:
            await gateway.close()  # as at SIGTERM: the port is closed before the proxy has heard of it
            await asyncio.sleep(0.2)
            await gateway.open()
            await until(front, active=3)
        is_over.set()
        await asyncio.gather(*senders)
        assert len(answers) > 100
        assert set(answers) == {200}


async def test_it_counts_the_figures_that_alerts_and_board_name(tmp_path: Path) -> None:
    async with standing(tmp_path) as front, front.client.get(f"{front.figures}/metrics") as answer:
        told = await answer.text()
    assert [name for name in NEIGHBOURS if name.startswith("haproxy_") and f"{name}{{" not in told] == []
    assert 'haproxy_server_status{proxy="be_quick",server="gw1",state="UP"} 1' in told


async def test_one_that_is_not_ready_gets_nothing_and_soon_again_when_it_is(tmp_path: Path) -> None:
    async with standing(tmp_path) as front:
        sick, *_ = front.gateways
        sick.is_ready = False
        assert await until(front, active=2) < 5
        sick.seen.clear()
        for _ in range(9):
            assert (await front.ask("POST", "/v1/messages", data=b"message"))[0] == 200
        assert sick.seen == []
        sick.is_ready = True
        assert await until(front, active=3) < 5


async def test_where_none_is_ready_senders_hear_when_to_come_again(tmp_path: Path) -> None:
    async with standing(tmp_path) as front:
        for gateway in front.gateways:
            await gateway.close()
        await until(front, active=0)
        async with front.client.post(f"{front.url}/v1/messages", data=b"message") as answer:
            told = await answer.json(content_type="application/problem+json")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert told["type"] == "urn:lgsp:problem:overloaded"


async def test_a_slow_upload_goes_on_and_a_slow_header_does_not(tmp_path: Path) -> None:
    async with standing(tmp_path, client="500ms", server="500ms", http_request="500ms") as front:

        async def drops() -> AsyncIterator[bytes]:
            for _ in range(8):
                yield b"x" * 100
                await asyncio.sleep(0.2)

        async def crawl() -> float:
            began = time.monotonic()
            host, port = front.url.removeprefix("https://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), ssl=TRUSTING)
            writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: lgsp\r\n")
            while not reader.at_eof() and time.monotonic() - began < 5:
                with contextlib.suppress(ConnectionError):
                    writer.write(b"X-A: b\r\n")
                    await writer.drain()
                with contextlib.suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(0.1):
                        await reader.read(4096)
            writer.close()
            return time.monotonic() - began

        (status, _), seconds = await asyncio.gather(front.ask("PATCH", "/v1/uploads/1", data=drops()), crawl())
        assert status == 200, "1.6 seconds in drops, each within the half second"
        assert seconds < 2


@pytest.mark.parametrize("limit", ["sc0_conn_cur gt 2000", "sc0_http_req_rate gt 20000", "maxconn 7000"])
def test_one_address_may_be_all_the_communes_of_a_district(limit: str) -> None:
    # 200 systems behind one address: each with ten connections and ten requests a second is let in.
    assert limit in CONFIGURATION.read_text()
    assert int(limit.rsplit(maxsplit=1)[-1]) >= 200 * 10
