"""One kept connection to a recipient: a request goes out, its answer comes back or the connection is given up."""

from __future__ import annotations

import asyncio
from typing import cast

from adapters.webhook.answer import Answer, NotHttp, Reader
from gateway.core.faults import TransientFailure


def broken(why: str) -> TransientFailure:
    """The failure of a connection, told by ``why`` alone: nothing of what was sent or received stands in it."""
    return TransientFailure(f"connection failed: {why}")


class Line(asyncio.Protocol):
    """Carries one request at a time. The answer of a 2xx is awaited whole, of anything else only its header."""

    __slots__ = ("_loop", "_reader", "_timer", "_transport", "_until", "_waiter", "idle_since", "is_open")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._reader = Reader()
        self._waiter: asyncio.Future[Answer] | None = None
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        #: Whether it can carry another request.
        self.is_open = False
        #: When its last answer ended (the loop's time).
        self.idle_since = 0.0

    async def ask(self, request: bytes, until: float) -> Answer:
        """Send a request and wait for its answer until the loop's time ``until``.

        Raises TransientFailure where the connection fails before the answer's header, TimeoutError where it is late.
        What fails after the header of a 2xx is an answer that is not whole: the message was taken.
        """
        if self._transport is None:
            raise broken("closed")
        answer = self._reader.begin()
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        self._wait(until)
        self._transport.write(request)
        try:
            return await waiter
        finally:
            self._waiter = None
            if not answer.may_be_kept:
                self.close()
            self.idle_since = self._loop.time()

    def close(self) -> None:
        """Let go at once; safe to repeat."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------------------------------- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # whichever loop made it
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """More of the answer; where none is awaited, the recipient speaks out of turn and is left."""
        if self._waiter is None or self._waiter.done():
            self.close()
            return
        answer = self._reader.answer
        try:
            self._reader.feed(data)
        except NotHttp as error:
            self._end(broken(f"no HTTP/1.1 ({error})"))
            return
        is_taken = 200 <= answer.status < 300
        if answer.is_whole or (answer.has_head and (answer.is_cut or not is_taken)):
            self._waiter.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """The recipient closed: where the answer had no length, that was its end."""
        self._reader.end()
        self._end(broken("closed before the answer" if exc is None else type(exc).__name__))

    def _wait(self, until: float) -> None:
        """The answer has until then. One timer serves many requests: it is moved when it rings."""
        self._until = until
        if self._timer is None or self._timer.when() > until:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(until, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._ring)
        else:
            self._end(TimeoutError())

    def _end(self, failure: Exception) -> None:
        self.close()
        if self._waiter is None or self._waiter.done():
            return
        if self._reader.answer.has_head:
            self._waiter.set_result(self._reader.answer)
        else:
            self._waiter.set_exception(failure)
