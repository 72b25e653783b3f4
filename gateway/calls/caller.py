"""A caller of one program by HTTP: bounded answers, no redirects or proxies, only addresses that may be called.

Nothing is retried here: the bus does that. What goes wrong on the way is said in the words of the adapters' port.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from gateway.calls.address import CheckedResolver, ForbiddenAddress, check_address, literal_address
from gateway.core.content import PIECE, Content, InMemory, MemorySink, NewSink
from gateway.core.faults import TimedOut, TransientFailure
from gateway.core.strictjson import StrictJsonError, parse_strict

#: What an answer that is read into memory may hold (bytes).
_MOST: Final = 8 * 1024 * 1024
#: What an answer that is read as JSON at once may hold (bytes): a list of a hundred thousand agencies has half of it.
_MOST_JSON: Final = 64 * 1024 * 1024
_CONNECT: Final = 10.0
_CONNECTIONS: Final = 8

Body = bytes | Content | aiohttp.MultipartWriter


class AnswerTooLarge(TransientFailure):
    """The answer holds more than the caller was ready to take; asking again brings the same."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came whole: status, header fields (names compare without case), body."""

    status: int
    fields: Mapping[str, str]
    content: Content

    @property
    def is_success(self) -> bool:
        """Any 2xx."""
        return 200 <= self.status < 300

    def body(self) -> bytes:
        """The bytes at once."""
        with self.content.open() as file:
            return file.read()

    def json(self) -> Any:
        """The body as JSON; raises TransientFailure where it is none: a proxy's page, an answer cut short.

        Raises AnswerTooLarge where it is over 64 MiB: as values it would take many times its size.
        """
        if self.content.size > _MOST_JSON:
            raise _too_much(self.status, _MOST_JSON)
        try:
            return parse_strict(self.body())
        except StrictJsonError:
            raise TransientFailure(f"the answer ({self.status}) is no JSON", self.status) from None

    def retry_after(self, now: float) -> float | None:
        """Seconds asked for by Retry-After, if any."""
        return retry_after(self.fields.get("Retry-After"), now)


class Caller:
    """Calls below ``base``, over kept connections. Make one an adapter, and close it.

    ``own`` are the gateway's listeners, never called; ``timeout`` (seconds) is for a whole exchange unless ``within``
    says otherwise.
    """

    def __init__(
        self,
        base: str,
        *,
        user_agent: str,
        own: frozenset[tuple[str, int]] = frozenset(),
        private_allowed: bool = True,
        timeout: float = 30.0,
        new_sink: NewSink = MemorySink,
    ) -> None:
        self._base = URL(base.rstrip("/"))
        self._agent = user_agent
        self._own = own
        self._private = private_allowed
        self._timeout = timeout
        self._new_sink = new_sink
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        body: Body | None = None,
        within: float | None = None,
        most: int = _MOST,
        is_large: bool = False,
    ) -> Answer:
        """One exchange. ``path`` begins with a slash and is joined to the base; ``body`` bytes, a file or a form.

        ``most``: bytes of the answer; more of it is AnswerTooLarge. ``is_large``: the answer goes into a sink of
        ``new_sink`` instead of memory, which takes 8 MiB at most. Raises TimedOut (whether the far side did it is not
        known), TransientFailure (it was not asked), ForbiddenAddress. Any status is an answer.
        """
        url = self._base.joinpath(path.lstrip("/"), encoded=True) if path.strip("/") else self._base
        seconds = self._timeout if within is None else within
        most = most if is_large else min(most, _MOST)
        self._check(url)
        try:
            async with (
                asyncio.timeout(seconds),
                self._opened().request(
                    method,
                    _with_query(url, params) if params else url,
                    headers=_sized(fields, body),
                    data=_sent(body),
                    allow_redirects=False,
                ) as response,
            ):
                return Answer(response.status, response.headers, await self._content(response, most, is_large))
        except TimeoutError:
            raise TimedOut(f"no answer within {seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.__cause__, ForbiddenAddress):
                raise error.__cause__ from None
            raise TransientFailure(f"no connection: {_reason(error.os_error)}") from None
        except (aiohttp.ClientError, OSError) as error:
            # Broken off: like a time-out, nobody knows whether the far side did what it was asked to.
            raise TimedOut(f"the exchange broke off: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver: AbstractResolver = CheckedResolver(own=self._own, private_allowed=self._private)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=_CONNECTIONS, use_dns_cache=False),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT),
                headers={"User-Agent": self._agent, "Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _check(self, url: URL) -> None:
        if (address := literal_address(url.host)) is not None:
            check_address(address, url.port or 80, own=self._own, private_allowed=self._private)

    async def _content(self, response: aiohttp.ClientResponse, most: int, is_large: bool) -> Content:  # noqa: FBT001
        if (response.content_length or 0) > most:
            raise _too_much(response.status, most)
        sink = self._new_sink() if is_large else MemorySink()
        size = 0
        async for piece in response.content.iter_chunked(PIECE):
            size += len(piece)
            if size > most:
                raise _too_much(response.status, most)
            if is_large:
                await asyncio.to_thread(sink.write, piece)
            else:
                sink.write(piece)
        return sink.done()


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds asked for by a Retry-After header (RFC 9110, both forms); None where it says nothing usable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _with_query(url: URL, params: Mapping[str, str]) -> URL:
    """``url`` with these parameters, every reserved character escaped: some servers want %2F for a slash in a date."""
    before = f"{url.raw_query_string}&" if url.raw_query_string else ""
    asked = urlencode(params, quote_via=quote, safe="")
    return URL(f"{url.with_query(None)}?{before}{asked}", encoded=True)


def _sized(fields: Mapping[str, str] | None, body: Body | None) -> Mapping[str, str] | None:
    """The header fields, with the length of a file: not every server takes a body of unknown length."""
    if body is None or isinstance(body, bytes | aiohttp.MultipartWriter):
        return fields
    return {**(fields or {}), "Content-Length": str(body.size)}


def _sent(body: Body | None) -> Any:
    if body is None or isinstance(body, bytes | aiohttp.MultipartWriter):
        return body
    if isinstance(body, InMemory):
        return io.BytesIO(body.data)
    return _read(body)


async def _read(content: Content) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(content.open)
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)


def _too_much(status: int, most: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"the answer is over {most} bytes", status)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
