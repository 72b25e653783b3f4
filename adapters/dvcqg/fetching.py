"""Files that a dossier from the portal names by address: fetched while the portal waits, a few seconds in all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from yarl import URL

from gateway.calls.address import check_url
from gateway.calls.caller import AnswerTooLarge, Caller
from gateway.calls.hosts import Hosts
from gateway.core.content import Content
from gateway.core.edxml.attachments import detect
from gateway.core.faults import DeliveryFailure, Misconfigured, Text
from gateway.core.handover import CollectedFile
from gateway.ports import AdapterContext

_AT_ONCE: Final = 4
_MOST: Final = 100
_PAGE: Final = "text/html"


class Fetching:
    """Fetches from the hosts that the settings list, and from no other."""

    def __init__(self, context: AdapterContext) -> None:
        """Settings: ``file_hosts``, ``file_seconds``, ``max_mebibytes``."""
        settings = context.settings
        self._context = context
        self._hosts = Hosts(map(str, settings.get("file_hosts", ())))
        self._seconds = float(settings.get("file_seconds", 8))
        self._most = int(settings.get("max_mebibytes", 20)) << 20

    def end(self) -> float:
        """Until when (by the loop's clock) the files of a call that begins now may be fetched."""
        return asyncio.get_running_loop().time() + self._seconds

    async def files(self, addresses: Sequence[str], end: float) -> tuple[Mapping[str, CollectedFile], tuple[Text, ...]]:
        """The files by address, and a word on those that stay where they are; over by ``end``. Never raises."""
        wanted = list(dict.fromkeys(addresses))
        slots = asyncio.Semaphore(_AT_ONCE)
        tasks = {each: asyncio.ensure_future(self._one(each, slots)) for each in wanted[:_MOST]}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=max(0.0, end - asyncio.get_running_loop().time()))
        found: dict[str, CollectedFile] = {}
        reasons: list[str] = ["too many"] * (len(wanted) > _MOST)
        for address, task in tasks.items():
            if not task.done():
                task.cancel()
                reasons.append("slow")
                continue
            got = task.result()
            if isinstance(got, str):
                reasons.append(got)
            else:
                found[address] = got
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return found, tuple(_WORDS[reason] for reason in dict.fromkeys(reasons))

    async def _one(self, address: str, slots: asyncio.Semaphore) -> CollectedFile | str:
        """The file, or why it stays a link."""
        try:
            check_url(address, "link")
        except (Misconfigured, ValueError):
            return "address"
        if not self._hosts.has(address):
            return "host"
        async with slots:
            caller = Caller(
                address,
                user_agent=self._context.user_agent,
                own=self._context.own_addresses,
                private_allowed=bool(self._context.settings.get("private", True)),
                timeout=self._seconds,
                new_sink=self._context.new_sink,
            )
            try:
                answer = await caller.ask("GET", "", most=self._most, is_large=True)
            except AnswerTooLarge:
                return "too large"
            except (DeliveryFailure, ValueError, OSError):
                return "absent"
            finally:
                await caller.close()
        if answer.status != 200 or answer.fields.get("Content-Type", "").startswith(_PAGE):
            return "absent"
        return CollectedFile(await asyncio.to_thread(_type_of, answer.content, address), answer.content)


def _type_of(content: Content, address: str) -> str:
    with content.open() as file:
        return detect(file.read(4096), URL(address).name)


_WORDS: Final[Mapping[str, Text]] = {
    "host": Text(
        "Có tệp nằm ở máy chủ ngoài danh sách file_hosts: trục giữ nguyên đường dẫn. Đơn vị vận hành trục bổ sung danh"
        " sách nếu máy chủ đó đúng là của Cổng.",
        "A file lies with a host that file_hosts does not list: its link is kept. The operator adds the host if it is"
        " the portal's.",
    ),
    "address": Text("Có đường dẫn tệp không dùng được: giữ nguyên.", "The address of a file cannot be used: kept."),
    "slow": Text(
        "Có tệp chưa kịp lấy: trục giữ nguyên đường dẫn.", "A file was not fetched in time: its link is kept."
    ),
    "too large": Text("Có tệp lớn hơn mức max_mebibytes: giữ đường dẫn.", "A file is over max_mebibytes: link kept."),
    "absent": Text("Có tệp không lấy được từ đường dẫn: giữ đường dẫn.", "A file cannot be fetched: its link is kept."),
    "too many": Text("Hồ sơ có quá nhiều tệp: phần còn lại giữ đường dẫn.", "Too many files: links of the rest kept."),
}
