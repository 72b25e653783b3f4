"""Files that a one-stop system offers by address, fetched within bounds; what cannot be had stays an address."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from yarl import URL

from gateway.calls.address import check_url
from gateway.calls.caller import Caller
from gateway.calls.hosts import Hosts
from gateway.core.content import Content, NewSink
from gateway.core.faults import DeliveryFailure, Misconfigured, Text

#: Files fetched at the same time.
_AT_ONCE: Final = 4
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,99}/[a-z0-9][a-z0-9.+-]{0,99}\Z")
_ANY: Final = "application/octet-stream"
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched."""

    media_type: str
    content: Content


@dataclass(frozen=True, slots=True)
class Bounds:
    """``hosts``: from which files are fetched, as HOST or HOST:PORT; none means that nothing is. ``most``: bytes of a
    file; ``seconds``: for all files of one item; ``count``: files of one item.
    """

    hosts: Hosts
    most: int
    seconds: float
    count: int = 50


class Fetch:
    """Gets files for one system. Whose address stands in no setting is never called: items come from outside."""

    def __init__(self, bounds: Bounds, *, user_agent: str, own: frozenset[tuple[str, int]], new_sink: NewSink) -> None:
        self._bounds = bounds
        self._caller: Callable[[str], Caller] = lambda url: Caller(
            url, user_agent=user_agent, own=own, timeout=bounds.seconds, new_sink=new_sink
        )

    async def all(self, urls: Sequence[str]) -> list[Fetched | Text]:
        """For each address its file, or why it stays an address."""
        if not urls:
            return []
        room = asyncio.Semaphore(_AT_ONCE)
        loop = asyncio.get_running_loop()
        end = loop.time() + self._bounds.seconds

        async def one(position: int, url: str) -> Fetched | Text:
            async with room:
                left = end - loop.time()
                return _TOO_MANY if position >= self._bounds.count or left <= 0 else await self._one(url, left)

        return list(await asyncio.gather(*(one(position, url) for position, url in enumerate(urls))))

    async def _one(self, url: str, seconds: float) -> Fetched | Text:
        try:
            check_url(url, "address")
            where = URL(url)
        except (Misconfigured, ValueError):
            return _NOT_CALLED
        if not self._bounds.hosts.has(url):
            return _NOT_CALLED
        caller = self._caller(url)
        try:
            answer = await caller.ask("GET", "", within=seconds, most=self._bounds.most, is_large=True)
        except DeliveryFailure:
            return _NOT_THERE
        finally:
            await caller.close()
        media_type = _media_type(answer.fields.get("Content-Type", ""), where.name)
        # A page that says "log in" with status 200 is no file.
        if not answer.is_success or answer.content.size == 0 or media_type in _PAGES:
            return _NOT_THERE
        return Fetched(media_type, answer.content)


def _media_type(told: str, name: str) -> str:
    media_type = told.partition(";")[0].strip().lower()
    if _TYPE.match(media_type) and media_type != _ANY:
        return media_type
    return mimetypes.guess_type(name)[0] or _ANY


_NOT_CALLED: Final = Text(
    "Tệp giữ nguyên đường dẫn: máy chủ tệp chưa được khai trong file_hosts (đơn vị vận hành trục)",
    "the file stays an address: its host is not among file_hosts (the operator of the bus sets it)",
)
_NOT_THERE: Final = Text(
    "Tệp giữ nguyên đường dẫn: máy chủ tệp không trả tệp (phần mềm một cửa kiểm tra đường dẫn)",
    "the file stays an address: its host did not give it (the one-stop software must look at the address)",
)
_TOO_MANY: Final = Text(
    "Tệp giữ nguyên đường dẫn: quá số tệp hoặc quá thời gian cho một hồ sơ",
    "the file stays an address: too many files, or too little time, for one dossier",
)
