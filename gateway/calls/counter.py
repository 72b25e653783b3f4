"""The HTTP counter of an agency in small: it can go away and come back at the same port, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

_PAGE: Final = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
_LARGEST: Final = 400 << 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Faults:
    """What goes wrong at a counter; numbers say for how many requests.

    ``slow``: seconds before each answer. ``lost``: posts that are taken and never answered. ``twice``: what waits is
    listed twice. ``unauthorized``: requests answered 401 whatever the token. ``pages``: answers that are an HTML page
    with status 502; ``words``: answers that are plain words with status 200. ``missing``: answers without their data.
    ``spoiled``: ids of items whose content comes spoilt. ``refusal``: error codes for the next posts, one each, told
    with status 200.
    """

    slow: float = 0.0
    lost: int = 0
    twice: bool = False
    unauthorized: int = 0
    pages: int = 0
    words: int = 0
    missing: int = 0
    spoiled: set[str] = field(default_factory=set)
    refusal: list[str] = field(default_factory=list)

    def strikes(self, name: str) -> bool:
        """Whether the fault of this name strikes now: one less of it is left."""
        left = int(getattr(self, name))
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0


class Counter:
    """A server on this machine with these routes. ``posts``: the paths whose answers can get lost."""

    def __init__(self, routes: Iterable[web.AbstractRouteDef], faults: Faults, *, posts: frozenset[str]) -> None:
        self._routes = list(routes)
        self._faults = faults
        self._posts = posts
        self._runner: web.AppRunner | None = None
        self._end = asyncio.Event()
        self.port = 0
        #: Paths of all requests, in order.
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens, or did."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen: at a free port, and ever after at that one."""
        app = web.Application(client_max_size=_LARGEST, middlewares=[self._misbehaving()])
        app.add_routes(self._routes)
        self._end.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Listen no more; slow requests are let go."""
        self._end.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _misbehaving(self) -> Middleware:
        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            faults = self._faults
            self.asked.append(request.path)
            if faults.slow:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._end.wait(), faults.slow)
            if faults.strikes("pages"):
                return web.Response(status=502, text=_PAGE, content_type="text/html")
            if faults.strikes("words"):
                return web.Response(text="Unexpected end of stream, the content may have been read already")
            answer = await handler(request)
            is_post = request.method == "POST" and request.path in self._posts
            if is_post and faults.strikes("lost") and request.transport is not None:
                request.transport.abort()
            return answer

        return misbehave
