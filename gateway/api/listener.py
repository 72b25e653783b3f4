"""The listener: the server's sockets, guarded against slow clients and against what cannot be read as HTTP."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api import problems
from gateway.api.body import INTAKE
from gateway.api.door import WAITING, family_of
from gateway.api.doors import DOORS
from gateway.api.standing import HEADERS, SERVER
from gateway.api.wicket import Lodge, Wicket
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
            listening = await loop.create_server(
                lambda: Wicket(lodge), self._host, self._port, family=family_of(self._host), backlog=self._backlog,
                reuse_address=True,
            )  # fmt: skip
        else:
            # One connection at a time, so that those who wait at the same door take turns.
            listening = await loop.create_server(lambda: Wicket(lodge), sock=self._door, backlog=1)
            self._door.listen(self._backlog)
        self._port = listening.sockets[0].getsockname()[1]
        self._server = listening

    async def stop(self) -> None:
        """Take no new connection; let the wickets' requests be answered."""
        await super().stop()
        if self._lodge is not None:
            await self._lodge.close(_LAST_ANSWERS)


class _Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_first_header", "_guard")

    def __init__(self, manager: Any, *, first_header: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self._first_header = first_header
        self._guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._guard = asyncio.get_running_loop().call_later(self._first_header, self._close_if_silent)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._guard is not None:
            self._guard.cancel()
        super().connection_lost(exc)

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
