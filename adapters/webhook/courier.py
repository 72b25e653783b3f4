"""The courier of one address: posts over kept connections, opened only to addresses that may be called.

A small HTTP/1.1 client for one purpose, because the general one was the largest part of what a delivery cost:
no redirects, no cookies, no proxies, no compression, nothing retried; a parser reads the answers.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import socket
import ssl
from typing import Final

import aiohappyeyeballs
from yarl import URL

from adapters.webhook.answer import Answer
from adapters.webhook.line import Line, broken
from gateway.calls.address import CheckedResolver, check_address, literal_address

#: How long a connection may lie idle (seconds). How many there are is up to whoever delivers.
_IDLE: Final = 30.0
#: Connecting may take this long, less where the whole request has less (seconds).
_CONNECT: Final = 10.0
#: The next address of a name is tried beside a silent one after this long (seconds; RFC 8305).
_NEXT_ADDRESS: Final = 0.25


class Courier:
    """Posts to one URL; ``timeout`` (seconds) covers connecting, sending and the answer."""

    def __init__(self, url: URL, *, own: frozenset[tuple[str, int]], private_allowed: bool, timeout: float) -> None:
        """``own`` are the gateway's own listeners, which are never called."""
        self._url = url
        self._own = own
        self._private = private_allowed
        self._timeout = timeout
        self._resolver: CheckedResolver | None = None
        self._idle: list[Line] = []
        self._sweeping: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._start = _start_of(url)

    async def post(self, fields: str, body: bytes) -> Answer:
        """Post ``body`` with header ``fields`` (lines) beside the usual ones; see :meth:`Line.ask` for what it raises.

        ForbiddenAddress where the address may not be called.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        request = b"%b%bcontent-length: %d\r\n\r\n%b" % (self._start, fields.encode("ascii"), len(body), body)
        line = self._kept(loop) or await self._opened(loop, until)
        try:
            return await line.ask(request, until)
        finally:
            if line.is_open:
                self._keep(line, loop)

    async def close(self) -> None:
        """Close every kept connection; safe to repeat."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        while self._idle:
            self._idle.pop().close()
        if self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    # -------------------------------------------------------------------------------- kept connections

    def _kept(self, loop: asyncio.AbstractEventLoop) -> Line | None:
        """The connection that was used last, where it is still good."""
        while self._idle:
            line = self._idle.pop()
            if line.is_open and loop.time() - line.idle_since < _IDLE:
                return line
            line.close()
        return None

    def _keep(self, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        self._idle.append(line)
        if self._sweeping is None:
            self._sweeping = loop.call_later(_IDLE, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what lay idle too long; look again while there is something to look at."""
        self._sweeping = None
        lines, self._idle = self._idle, []
        for line in lines:
            if line.is_open and loop.time() - line.idle_since < _IDLE:
                self._keep(line, loop)
            else:
                line.close()

    # ----------------------------------------------------------------------------------------- connecting

    async def _opened(self, loop: asyncio.AbstractEventLoop, until: float) -> Line:
        """A new connection; its address is judged now, on what the name means now."""
        try:
            async with asyncio.timeout(min(_CONNECT, until - loop.time())):
                reached = await aiohappyeyeballs.start_connection(
                    await self._addresses(), happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop
                )
                _, line = await loop.create_connection(
                    lambda: Line(loop), sock=reached, ssl=self._secured(), server_hostname=self._name_shown()
                )
        except TimeoutError:  # an OSError, too, but one that the caller tells
            raise
        except socket.gaierror:
            raise broken("the name is not known (DNS)") from None
        except ssl.SSLCertVerificationError as error:
            raise broken(f"the certificate does not hold ({error.verify_message or error.reason})") from None
        except ssl.SSLError as error:
            raise broken(f"TLS ({error.reason})") from None
        except ConnectionRefusedError:
            raise broken("refused") from None
        except OSError as error:
            raise broken("unreachable" if error.errno in _UNREACHABLE else type(error).__name__) from None
        return line

    async def _addresses(self) -> list[aiohappyeyeballs.AddrInfoType]:
        """Where the host may be called; raises ForbiddenAddress where nowhere, OSError where it has no address."""
        host, port = self._url.host or "", self._url.port or 0
        literal = literal_address(host)
        if literal is not None:
            check_address(literal, port, own=self._own, private_allowed=self._private)
            return [_info(literal, port)]
        if self._resolver is None:
            self._resolver = CheckedResolver(own=self._own, private_allowed=self._private)
        found = await self._resolver.resolve(self._url.raw_host or host, port)
        if not found:
            raise broken("the name has no address (DNS)")
        return [_info(each["host"], each["port"]) for each in found]

    def _secured(self) -> ssl.SSLContext | None:
        if self._url.scheme != "https":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _name_shown(self) -> str | None:
        """The name that the certificate must hold."""
        return (self._url.raw_host or "").rstrip(".") if self._url.scheme == "https" else None


_UNREACHABLE: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH})


def _info(host: str, port: int) -> aiohappyeyeballs.AddrInfoType:
    if ":" in host:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)


def _start_of(url: URL) -> bytes:
    """The request line and the header fields that never change."""
    host = url.raw_host or ""
    shown = f"[{host}]" if ":" in host else host
    if not url.is_default_port():
        shown = f"{shown}:{url.port}"
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", f"host: {shown}", "accept: */*", "accept-encoding: identity"]
    if url.user is not None:
        pair = f"{url.user}:{url.password or ''}".encode()
        lines.append(f"authorization: Basic {base64.b64encode(pair).decode('ascii')}")
    return ("\r\n".join(lines) + "\r\n").encode("ascii")
