"""A caller of one program: bounded in size and time, sent nowhere else, and sure of what it does not know."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from gateway.calls.address import ForbiddenAddress
from gateway.calls.caller import Answer, AnswerTooLarge, Caller, retry_after
from gateway.core.content import Content, InMemory, MemorySink, whole
from gateway.core.faults import TimedOut, TransientFailure

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Program:
    """A program on this machine that does what the test tells it to."""

    url: str = ""
    port: int = 0
    handler: Handler | None = None
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fields = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, fields, body))
        return await self.handler(request) if self.handler else web.Response(text="{}")


@pytest_asyncio.fixture
async def program() -> AsyncIterator[Program]:
    made = Program()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{made.port}"
    yield made
    await runner.cleanup()


@contextlib.asynccontextmanager
async def calling(program: Program, path: str = "", **how: Any) -> AsyncIterator[Caller]:
    caller = Caller(program.url + path, user_agent="test/1", **how)
    try:
        yield caller
    finally:
        await caller.close()


def answering(**how: Any) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(**how)

    return handler


# ------------------------------------------------------------------------------------------------- what is sent


async def test_a_path_is_joined_to_the_base(program: Program) -> None:
    async with calling(program, "/base/") as caller:
        for path in ("/a", "a", "", "/"):
            await caller.ask("GET", path)
    assert [path for _, path, _, _ in program.requests] == ["/base/a", "/base/a", "/base", "/base"]


async def test_parameters_are_escaped_whole(program: Program) -> None:
    async with calling(program, "/base?x=1") as caller:
        await caller.ask("GET", "/a", params={"from": "2026/11/23", "tên": "a&b c"})
    assert program.requests[0][1].endswith("from=2026%2F11%2F23&t%C3%AAn=a%26b%20c")


async def test_who_calls_is_said_and_no_cookie_is_kept(program: Program) -> None:
    program.handler = answering(headers={"Set-Cookie": "a=b"})
    async with calling(program) as caller:
        await caller.ask("GET", "/")
        await caller.ask("GET", "/")
    assert [fields["user-agent"] for _, _, fields, _ in program.requests] == ["test/1"] * 2
    assert all("cookie" not in fields for _, _, fields, _ in program.requests)


@dataclass(frozen=True, slots=True)
class Lying:
    """A file that lies on a disk."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def sha256(self) -> str:
        return InMemory(self.data).sha256

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


@pytest.mark.parametrize("body", [b"abc", InMemory(b"abc"), Lying(b"abc" * 300_000)])
async def test_a_body_goes_whole_and_its_length_is_told(program: Program, body: bytes | Content) -> None:
    async with calling(program) as caller:
        await caller.ask("POST", "/", body=body)
    (_, _, fields, sent) = program.requests[0]
    assert sent == (body if isinstance(body, bytes) else whole(body))
    assert fields["content-length"] == str(len(sent))
    assert "transfer-encoding" not in fields


async def test_a_form_goes_as_a_form(program: Program) -> None:
    with aiohttp.MultipartWriter("form-data") as form:
        form.append("x").set_content_disposition("form-data", name="kind")
    async with calling(program) as caller:
        await caller.ask("POST", "/", body=form)
    assert program.requests[0][2]["content-type"].startswith("multipart/form-data")


# -------------------------------------------------------------------------------------------------- what comes


@pytest.mark.parametrize(("status", "is_success"), [(200, True), (201, True), (204, True), (400, False), (500, False)])
async def test_any_status_is_an_answer(program: Program, status: int, is_success: bool) -> None:
    program.handler = answering(status=status, headers={"X-Word": "y"})
    async with calling(program) as caller:
        answer = await caller.ask("GET", "/")
    assert (answer.status, answer.is_success, answer.fields["x-word"]) == (status, is_success, "y")


async def test_a_redirect_is_an_answer_and_is_not_followed(program: Program) -> None:
    program.handler = answering(status=307, headers={"Location": f"{program.url}/elsewhere"})
    async with calling(program) as caller:
        assert (await caller.ask("POST", "/a", body=b"x")).status == 307
    assert len(program.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff"])
async def test_an_answer_that_is_no_json_is_a_temporary_failure(program: Program, body: bytes) -> None:
    program.handler = answering(body=body)
    async with calling(program) as caller:
        answer = await caller.ask("GET", "/")
    with pytest.raises(TransientFailure, match=r"the answer \(200\) is no JSON"):
        answer.json()


async def test_an_answer_in_json_is_read(program: Program) -> None:
    program.handler = answering(text='{"a": ["đ"]}')
    async with calling(program) as caller:
        assert (await caller.ask("GET", "/")).json() == {"a": ["đ"]}


@pytest.mark.parametrize("is_large", [True, False])
@pytest.mark.parametrize("is_told", [True, False])
async def test_no_more_is_taken_than_agreed_whether_the_length_is_told_or_not(
    program: Program, is_large: bool, is_told: bool
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        if is_told:
            stream.content_length = 1 << 20
        await stream.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(1024):
                await stream.write(b"x" * 1024)
        return stream

    program.handler = handler
    async with calling(program) as caller:
        with pytest.raises(AnswerTooLarge):
            await caller.ask("GET", "/", most=(1 << 20) - 1, is_large=is_large)
        assert (await caller.ask("GET", "/", most=1 << 20, is_large=is_large)).content.size == 1 << 20


async def test_what_is_read_into_memory_is_small_whatever_the_caller_would_take(program: Program) -> None:
    program.handler = answering(body=b" " * ((8 << 20) + 1))
    async with calling(program, new_sink=MemorySink) as caller:
        with pytest.raises(AnswerTooLarge):
            await caller.ask("GET", "/", most=1 << 30)
        assert (await caller.ask("GET", "/", most=1 << 30, is_large=True)).content.size == (8 << 20) + 1


async def test_json_of_any_length_is_not_made_into_values() -> None:
    class Endless(InMemory):
        """Says that it holds more than it does, so that the test need not."""

        @property
        def size(self) -> int:
            return (64 << 20) + 1

    with pytest.raises(AnswerTooLarge):
        Answer(200, {}, Endless(b"[]")).json()


async def test_a_large_answer_goes_into_a_sink(program: Program) -> None:
    made: list[MemorySink] = []

    def new_sink() -> MemorySink:
        made.append(MemorySink())
        return made[-1]

    program.handler = answering(body=b"x" * 1000)
    async with calling(program, new_sink=new_sink) as caller:
        await caller.ask("GET", "/")
        assert made == []
        assert (await caller.ask("GET", "/", is_large=True)).body() == b"x" * 1000
    assert len(made) == 1


async def test_a_packed_answer_is_not_unpacked(program: Program) -> None:
    program.handler = answering(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    async with calling(program) as caller:
        assert (await caller.ask("GET", "/")).body() == b"\x1f\x8b"
    assert program.requests[0][2]["accept-encoding"] == "identity"


# --------------------------------------------------------------------------------------- nobody knows, or it was not


async def test_no_answer_in_time_is_not_known_to_have_failed(program: Program) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3)
        return web.Response()

    program.handler = handler
    async with calling(program, timeout=0.2) as caller:
        with pytest.raises(TimedOut, match=r"no answer within 0\.2 s"):
            await caller.ask("GET", "/")
    async with calling(program) as caller:
        with pytest.raises(TimedOut, match=r"no answer within 0\.1 s"):
            await caller.ask("GET", "/", within=0.1)


@pytest.mark.parametrize("when", ["before", "within"])
async def test_an_exchange_that_breaks_off_is_not_known_to_have_failed(program: Program, when: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        stream.content_length = 100
        if when == "within":
            await stream.prepare(request)
            await stream.write(b"x" * 10)
        assert request.transport is not None
        request.transport.abort()
        return stream

    program.handler = handler
    async with calling(program) as caller:
        with pytest.raises(TimedOut, match="broke off"):
            await caller.ask("POST", "/", body=b"x")


async def test_an_answer_that_is_no_http_is_not_known_to_have_failed() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    program = Program(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server, calling(program) as caller:
        with pytest.raises(TimedOut):
            await caller.ask("GET", "/")


async def test_a_door_that_is_shut_is_known_to_have_done_nothing() -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with calling(Program(f"http://127.0.0.1:{port}")) as caller:
        with pytest.raises(TransientFailure, match="no connection") as failure:
            await caller.ask("GET", "/")
    assert not isinstance(failure.value, TimedOut)


async def test_a_failure_names_neither_address_nor_content(program: Program) -> None:
    program.handler = answering(body=b"bi mat" * 1000)
    async with calling(program, "/secret-path") as caller:
        with pytest.raises(TransientFailure) as failure:
            await caller.ask("GET", "/", most=10)
    assert "bi mat" not in str(failure.value)
    assert "secret-path" not in str(failure.value)


# -------------------------------------------------------------------------------------------------- where it goes


async def test_the_gateways_own_listener_is_never_called(program: Program) -> None:
    own = frozenset({("127.0.0.1", program.port)})
    for host in ("127.0.0.1", "localhost"):
        async with calling(Program(f"http://{host}:{program.port}"), own=own) as caller:
            with pytest.raises(ForbiddenAddress):
                await caller.ask("GET", "/")
    assert program.requests == []


@pytest.mark.parametrize("host", ["169.254.169.254", "224.0.0.1", "0.0.0.0", "[fe80::1]", "[::ffff:169.254.1.1]"])
async def test_addresses_that_no_agency_has_are_never_called(host: str) -> None:
    async with calling(Program(f"http://{host}:80")) as caller:
        with pytest.raises(ForbiddenAddress):
            await caller.ask("GET", "/")


async def test_private_ranges_are_called_only_where_that_is_allowed() -> None:
    async with calling(Program("http://10.255.255.1:9"), private_allowed=False) as caller:
        with pytest.raises(ForbiddenAddress):
            await caller.ask("GET", "/")


async def test_no_proxy_of_the_machine_is_used(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with calling(program) as caller:
        assert (await caller.ask("GET", "/")).is_success


async def test_closing_twice_or_unused_does_no_harm(program: Program) -> None:
    async with calling(program) as caller:
        await caller.close()
    async with calling(program) as caller:
        await caller.ask("GET", "/")
        await caller.close()


# -------------------------------------------------------------------------------------------------- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        (" 120 ", 120.0),
        ("-1", None),
        ("1e3", None),
        ("9" * 12, None),
        ("Sun, 22 Nov 2026 17:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 16:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_what_retry_after_asks_for(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 1795366800.0) == seconds
