"""An active test of every place the bus delivers to or asks: is there somebody, without sending a message."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import aiohttp

from gateway.cli.doctor.asking import Answer, ask
from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding
from gateway.core.directory import System
from gateway.core.faults import Text

#: So many destinations are asked at once.
_AT_ONCE: Final = 16
#: Settings of adapters that name a folder which the gateway reads from and writes to.
_FOLDERS: Final = ("outbox", "inbox")
#: How long all of them together may take to answer (seconds).
PATIENCE: Final = 6.0


def addresses(systems: Iterable[System]) -> Iterator[tuple[str, str]]:
    """(system, URL) of every address that the bus calls."""
    for system in systems:
        named = [system.settings.get("url"), *(each.url for each in system.provides)]
        for url in dict.fromkeys(named):
            if isinstance(url, str) and url.startswith(("http://", "https://")):
                yield system.name, url


async def on_addresses(line: aiohttp.ClientSession, systems: Iterable[System]) -> list[Finding]:
    """Every address asked once, some at a time: name, connection, TLS, HTTP, clock."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def test(system: str, url: str) -> list[Finding]:
        async with turns:
            return on_answer(system, url, await ask(line, "OPTIONS", url))

    found = await asyncio.gather(*(test(system, url) for system, url in addresses(systems)))
    return [finding for findings in found for finding in findings]


def on_answer(system: str, url: str, answer: Answer) -> list[Finding]:
    """What an answer to OPTIONS says: any but 410 shows that a server is there; its clock may be its own affair."""
    where = f"{system} {url}"
    if answer.status is None:
        return [
            Finding(
                "destinations",
                "warning",
                where,
                answer.trouble or Text("Không trả lời", "No answer"),
                Text(
                    f"Báo đơn vị vận hành {system}; kiểm tra url trong agencies/ và đường mạng."
                    " Trục giữ thông điệp và tự thử lại.",
                    f"Call whoever runs {system}; check url in agencies/ and the network."
                    " The bus keeps the messages and tries again.",
                ),
            )
        ]
    if answer.status == 410:
        return [
            Finding(
                "destinations",
                "warning",
                where,
                Text("Máy nhận trả lời 410: địa chỉ đã bỏ", "It answers 410: the address is given up"),
                Text(f"Hỏi {system} địa chỉ mới, sửa agencies/.", f"Ask {system} for its new address."),
            )
        ]
    said = Text(f"Có máy trả lời (HTTP {answer.status})", f"A server answers (HTTP {answer.status})")
    clocks = [
        replace(each, severity="warning" if each.severity == "error" else each.severity)
        for each in answer.on_clock(url)
        if each.severity != "ok"
    ]
    return [Finding("destinations", "ok", where, said), *clocks]


def shares_folders(system: System) -> bool:
    """Whether the bus exchanges files with it in folders that both can reach."""
    return system.adapter != "inbox" and all(isinstance(system.settings.get(name), str) for name in _FOLDERS)


def on_folders(settings: Settings, systems: Iterable[System], *, limit: float = PATIENCE) -> list[Finding]:
    """The folders by which agencies exchange files: there, readable and writable for whoever runs this.

    All are looked at side by side: a dead network folder does not answer, and is told after ``limit`` seconds.
    """
    named = [
        (system, name, written)
        for system in systems
        if system.adapter != "inbox"
        for name in _FOLDERS
        if isinstance(written := system.settings.get(name), str)
    ]
    looks = [_Look(settings.folder / written) for _, _, written in named]
    end = time.monotonic() + limit
    found: list[Finding] = []
    for (system, name, written), look in zip(named, looks, strict=True):
        where = f"{system.name} {name}: {written}"
        what = look.trouble(max(0.0, end - time.monotonic()), limit)
        if what is None:
            found.append(Finding("destinations", "ok", where, Text("Đọc và ghi được", "Readable and writable")))
            continue
        do = Text(
            f"Tạo thư mục hoặc gắn lại ổ mạng, cấp quyền cho tài khoản chạy trục: {look.folder}.",
            f"Make it or mount the share again, and let the service account in: {look.folder}.",
        )
        found.append(Finding("destinations", "error", where, what, do))
    return found


class _Look:
    """One look at a folder, in a thread of its own that nobody waits for at the end: it may hang for good."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._said: Text | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def trouble(self, seconds: float, limit: float) -> Text | None:
        """What is wrong with it, waiting for so long; None where nothing is. ``limit``: how long all had."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            return Text(f"Không trả lời trong {limit:g} giây", f"No answer within {limit:g} seconds")
        return self._said

    def _look(self) -> None:
        try:
            with os.scandir(self.folder) as entries:
                next(entries, None)
            if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError
        except PermissionError:
            self._said = Text("Không đọc và ghi được thư mục này", "The folder cannot be read and written")
        except (FileNotFoundError, NotADirectoryError):
            self._said = Text("Không có thư mục này", "There is no such folder")
        except OSError as error:
            why = error.strerror or type(error).__name__
            self._said = Text(f"Thư mục không dùng được ({why})", f"The folder cannot be used ({why})")
