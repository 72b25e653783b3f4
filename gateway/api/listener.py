"""The listener: the server's sockets, guarded against slow clients and against what cannot be read as HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api import problems
from gateway.api.body import INTAKE
from gateway.api.door import WAITING, open_door
from gateway.api.doors import DOORS
from gateway.api.standing import HEADERS, SERVER
from gateway.api.wicket import LAST_CALL, LOOKS, Lodge, Wicket
from gateway.core.faults import Text

#: A connection that has not sent its first request's header by then is closed (seconds).
FIRST_HEADER: Final = 10.0
#: Longer than the usual proxy keeps its side, so that it is the proxy that closes (seconds).
KEEP_ALIVE: Final = 75.0
#: How long requests under way have when the listener stops (seconds).
_LAST_ANSWERS: Final = 5.0
_LINE: Final = 8190
_HEADERS: Final = 64


class GuardedSite(web.BaseSite):
    """Listens on one address for a runner, as ``web.TCPSite`` does, with this file's guards on each connection."""

    def __init__(
        self,
        runner: web.AppRunner,
        host: str,
        port: int,
        *,
        door: socket.socket | None = None,
        first_header: float = FIRST_HEADER,
    ) -> None:
        """``first_header``: seconds that a new connection has for its first request's header.

        ``door``: a socket that listens already, and goes on when this site stops: others wait at it, too.
        """
        super().__init__(runner, backlog=WAITING)
        self._door = door
        self._own: socket.socket | None = None
        self._app = runner.app
        self._lodge: Lodge | None = None
        self._host = host
        self._port = port
        self._first_header = first_header

    @property
    def name(self) -> str:
        """Where it listens, as a URL."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    async def start(self) -> None:
        """Listen; raises OSError where the address is taken."""
        await super().start()
        server = self._runner.server
        loop = asyncio.get_running_loop()

        def gate() -> _Connection:
            return _Connection(
                server,
                is_last=lambda: lodge.is_closing,
                loop=loop,
                first_header=self._first_header,
                keepalive_timeout=KEEP_ALIVE,
                max_line_size=_LINE,
                max_field_size=_LINE,
                max_headers=_HEADERS,
                auto_decompress=False,
                access_log=None,
            )

        self._lodge = lodge = Lodge(
            self._app[DOORS], self._app[INTAKE], gate, first_header=self._first_header, keep_alive=KEEP_ALIVE
        )
        if self._door is None:
            self._own = open_door(self._host, self._port)
            listening = await loop.create_server(lambda: Wicket(lodge), sock=self._own, backlog=self._backlog)
        else:
            # One connection at a time, so that those who wait at the same door take turns.
            listening = await loop.create_server(lambda: Wicket(lodge), sock=self._door, backlog=1)
            self._door.listen(self._backlog)
        self._port = listening.sockets[0].getsockname()[1]
        self._server = listening

    async def stop(self) -> None:
        """Take no new connection but those that wait already; answer what comes within a moment still, as the last."""
        if self._lodge is None:
            await super().stop()
            return
        waiting = None if self._own is None else self._own.dup()
        await super().stop()
        if waiting is not None:
            with waiting:
                await _take_all(waiting, self._lodge)
        await asyncio.gather(self._lodge.close(_LAST_ANSWERS), self._last_call())

    async def _last_call(self) -> None:
        """Leave connections beyond the gate a moment: a client that writes while we close cannot know what became."""
        for _ in range(LOOKS):
            if not getattr(self._runner.server, "connections", ()):
                return
            await asyncio.sleep(LAST_CALL / LOOKS)


async def _take_all(door: socket.socket, lodge: Lodge) -> None:
    """Take every connection that waits at a door; nobody listens at it any more."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            taken, _ = door.accept()
            taken.settimeout(0)
            await loop.connect_accepted_socket(lambda: Wicket(lodge), taken)


class _Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_first_header", "_guard", "_is_last")

    def __init__(
        self, manager: Any, *, first_header: float, is_last: Callable[[], bool] = lambda: False, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._is_last = is_last
        self._first_header = first_header
        self._guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._guard = asyncio.get_running_loop().call_later(self._first_header, self._close_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._guard is not None:
            self._guard.cancel()
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Tell a client that the answer is its connection's last where the listener stops."""
        if self._is_last():
            resp.force_close()
        return await super().finish_response(request, resp, start_time)

    def _close_if_silent(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - the library's signature
        message: str | None = None,  # noqa: ARG002 - the library's signature
    ) -> web.StreamResponse:
        """What cannot be read as HTTP is a ``bad-request``; its bytes are neither answered nor logged."""
        if request.writer.output_size > 0:
            raise ConnectionAbortedError("broken off after an error")
        fault = problems.internal() if status >= 500 else problems.bad_request(detail=_UNREADABLE)
        response = problems.answer(fault, "vi")
        response.headers.update({**HEADERS, hdrs.SERVER: SERVER})
        response.force_close()
        return response


_UNREADABLE: Final = Text(
    "Yêu cầu không đọc được theo HTTP/1.1, hoặc phần đầu quá dài. Bên gọi phải sửa phần mềm gửi.",
    "The request cannot be read as HTTP/1.1, or its header is too long. The caller must mend its software.",
)
