"""One careful question over HTTP: what answers there, how it is called, what time it has. No message is ever sent."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from gateway.core.diagnosis import Finding, on_skew
from gateway.core.faults import Text

_LIMIT: Final = 6.0
_MAX_ANSWER: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body, or why there was none; ``skew`` is what its Date says of the clocks."""

    status: int | None
    body: bytes = b""
    trouble: Text | None = None
    is_refused: bool = False
    date: float | None = None
    asked_at: float = 0.0
    took: float = 0.0

    def on_clock(self, where: str) -> list[Finding]:
        """Our clock beside the answer's Date (whole seconds, and as old as the answer was on its way)."""
        if self.date is None:
            return []
        return [on_skew(where, self.asked_at, self.date, granularity=1.0 + self.took)]


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for the length of a ``with`` block: no cookies, no redirects, six seconds for everything."""
    timeout = aiohttp.ClientTimeout(total=_LIMIT)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


async def ask(line: aiohttp.ClientSession, method: str, url: str) -> Answer:
    """One question without a body; never raises for what the far side does."""
    asked_at, begun = time.time(), time.monotonic()
    try:
        async with line.request(method, url, allow_redirects=False) as answer:
            body = await answer.content.read(_MAX_ANSWER)
            took = time.monotonic() - begun
            return Answer(answer.status, body, date=_date(answer.headers.get("Date")), asked_at=asked_at, took=took)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        refused = isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)
        return Answer(None, trouble=_trouble(error), is_refused=refused)


def _date(written: str | None) -> float | None:
    try:
        return None if written is None else parsedate_to_datetime(written).timestamp()
    except ValueError:
        return None


def _trouble(error: Exception) -> Text:
    if isinstance(error, TimeoutError):
        return Text("Không trả lời trong 6 giây", "No answer within 6 seconds")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "")
        return Text(f"Chứng thư TLS không được tin cậy ({reason})", f"Its TLS certificate is not trusted ({reason})")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Text("Không phân giải được tên máy", "The host name does not resolve")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Text("Bắt tay TLS không thành", "The TLS handshake fails")
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = os.strerror(error.os_error.errno) if error.os_error.errno else type(error.os_error).__name__
        return Text(f"Không kết nối được ({reason})", f"No connection ({reason})")
    return Text(f"Không nói được HTTP ({type(error).__name__})", f"It does not speak HTTP ({type(error).__name__})")
