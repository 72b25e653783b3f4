"""The listener: guarded answers, what cannot be read as HTTP, clients that say nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import pytest

from tests.api.hall import Hall, open_hall


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/docs", "/v1/contracts"])
async def test_every_answer_is_guarded_and_names_no_versions(hall: Hall, path: str) -> None:
    headers = (await hall.get(path)).headers

    assert headers["Server"] == "lgsp"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Cache-Control" in headers


async def spoken(hall: Hall, said: bytes) -> bytes:
    """What the listener answers to raw bytes, until it closes."""
    host, port = hall.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01 this is TLS\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_cannot_be_read_as_http_is_a_problem_and_the_end(hall: Hall, said: bytes) -> None:
    answer = await spoken(hall, said)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"Content-Type: application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:lgsp:problem:bad-request"
    assert b"aiohttp" not in answer
    assert b"Server: lgsp" in answer


async def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async with open_hall(tmp_path, first_header=0.1) as hall:
        assert await spoken(hall, b"") == b""
        assert await spoken(hall, b"GET / HTTP/1.1\r\nHost:") == b""


async def test_a_connection_that_spoke_in_time_stays_open(tmp_path: Path) -> None:
    async with open_hall(tmp_path, first_header=0.1) as hall:
        host, port = hall.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(2):
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(reader.readuntil(b'"live"}'), 5)
            await asyncio.sleep(0.15)
        writer.close()


async def test_a_body_that_waits_to_be_asked_for_is_asked_for(hall: Hall) -> None:
    host, port = hall.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
        b"Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    assert await asyncio.wait_for(reader.readline(), 5) == b"HTTP/1.1 100 Continue\r\n"
    writer.write(b"a.b")
    rest = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert b"HTTP/1.1 400 " in rest
    assert b"malformed-envelope" in rest


async def test_an_expectation_we_do_not_know_is_ignored(hall: Hall) -> None:
    assert (await hall.get("/health/live", headers={"Expect": "a-miracle"})).status == 200


async def test_broken_chunks_are_a_bad_request(hall: Hall) -> None:
    answer = await spoken(
        hall,
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
    )

    assert answer.split(b" ")[1] == b"400"
    assert b"problem+json" in answer


async def test_a_client_that_reads_no_answers_can_send_no_more_than_fits(hall: Hall) -> None:
    host, port = hall.url.removeprefix("http://").split(":")
    request = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 1\r\n\r\nx"
    with socket.create_connection((host, int(port))) as client:
        client.setblocking(False)
        sent, since = 0, time.monotonic()
        while time.monotonic() - since < 1 and sent < 64 * 2**20:
            try:
                sent += client.send(request * 1000)
                since = time.monotonic()
            except BlockingIOError:
                await asyncio.sleep(0.01)
    assert sent < 64 * 2**20


async def test_what_comes_far_ahead_is_answered_in_order_also_where_the_last_goes_through_the_gate(hall: Hall) -> None:
    post = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 1\r\n\r\nx"
    last = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 4000 + b"\r\n\r\n"
    closing = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    answers = await spoken(hall, post * 1500 + last * 20 + closing)

    assert answers.count(b"HTTP/1.1 400 ") == 1500
    assert answers.count(b"HTTP/1.1 200 ") == 20
    assert b"HTTP/1.1 404 " in answers.rpartition(b"HTTP/1.1 200 ")[2]


LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def a_post(hall: Hall) -> bytes:
    """A message in the plain form, as the wicket takes it."""
    body = hall.town.envelope()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def test_who_waited_at_the_door_when_it_was_closed_is_still_answered(hall: Hall) -> None:
    host, port = hall.url.removeprefix("http://").split(":")
    (site,) = hall.runner.sites
    with socket.create_connection((host, int(port))) as early:  # nobody has taken it: this task has not let go yet
        early.sendall(LIVE)
        early.setblocking(False)
        await site.stop()
        answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(early, 65_536), 5)

    assert answer.startswith(b"HTTP/1.1 200 ")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize("is_plain", [True, False], ids=["at the wicket", "through the gate"])
async def test_what_comes_on_an_open_connection_while_it_closes_is_answered_as_the_last(
    hall: Hall, is_plain: bool
) -> None:
    host, port = hall.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(a_post(hall) if is_plain else LIVE)
    first = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(first.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    (site,) = hall.runner.sites
    closing = asyncio.create_task(site.stop())
    await asyncio.sleep(0.1)
    writer.write(a_post(hall))
    answer = await asyncio.wait_for(reader.read(), 5)
    await closing

    assert b"Connection: close" not in first
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"connection: close" in answer.lower()
    writer.close()


async def test_with_nobody_there_it_closes_at_once(hall: Hall) -> None:
    (site,) = hall.runner.sites
    began = time.monotonic()
    await site.stop()

    assert time.monotonic() - began < 0.2
