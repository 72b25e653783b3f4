"""Records of a register, whatever software keeps it: CSV files in folders both ways, or a view that is read.

What a row means is told by rule files of the province folder. Where a folder hangs (a network drive) nobody waits for
it longer than PATIENCE, and work of other systems goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Literal, TypeVar

from adapters.records.cells import encoding_named
from adapters.records.inbox import Inbox, Terms
from adapters.records.mapping import Inward, Outward
from adapters.records.outbox import Outbox
from adapters.records.view import View
from gateway.calls.notes import Notes
from gateway.core.faults import Misconfigured, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
PATIENCE: Final = 18.0
_LAST: Final = 3.0
_MEBIBYTE: Final = 1 << 20
_SEPARATORS: Final = {"tab": "\t"}

_Result = TypeVar("_Result")


class Records:
    """One system's tables."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file; raises Misconfigured."""
        settings, folder, system = context.settings, context.folder, context.system.name
        self._now = context.now
        incoming, read, view = settings.get("incoming"), settings.get("read"), settings.get("view")
        inward = None if incoming is None else Inward.of(incoming, folder, system, settings)
        self._inbox = None if inward is None or read is None else Inbox(
            folder / str(read["folder"]), _terms(read, f"{system}: settings.read.encoding"), inward, context.now
        )  # fmt: skip
        name = re.sub(r"[^A-Za-z0-9.-]", "_", system)
        notes = Notes(folder / str(settings.get("notes", "var/records")) / f"{name}.jsonl")
        self._view = None if inward is None or view is None else View(
            view, folder, inward, notes=notes, now=context.now, read_secret=context.read_secret
        )  # fmt: skip
        out = settings.get("out")
        self._outbox = None if out is None else Outbox(
            folder / str(out["folder"]),
            _encoding(out, f"{system}: settings.out.encoding"),
            _separator(out, ","),
            hourly=out.get("batch", "message") == "hour",
            now=context.now,
        )  # fmt: skip
        outgoing = [Outward.of(each, folder, system) for each in settings.get("outgoing", ())]
        self._outgoing = {each.contract: each for each in outgoing}
        # Threads of its own: a network folder that hangs must not stop anybody else's work.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"records {system}")
        self._turn = asyncio.Lock()

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Write one row; a repeat takes its own place."""
        contract, data = str(parcel.event.get("type")), parcel.event.get("data")
        way, outbox = self._outgoing.get(contract), self._outbox
        if way is None or outbox is None or not isinstance(data, Mapping):
            raise PermanentFailure("unwritable: the setting outgoing names no rules for this contract")
        cells = await self._done(lambda: way.row(data))
        name = await self._done(lambda: outbox.put(contract, parcel.delivery, way.columns, cells))
        return HandedOver(reference=name)

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Rows that are not settled, oldest first; files of hours that are over are shown on the way."""
        outbox, inbox = self._outbox, self._inbox
        async with self._turn:
            if outbox is not None:
                await self._done(outbox.show)
            found: list[Collected | Uncollectable] = []
            if inbox is not None:
                found = await self._done(lambda: inbox.items(limit))
            if self._view is not None and len(found) < limit:
                found += await self._view.items(limit - len(found))
            return found

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Note it; a refused row of a file is written beside, with the reason."""
        inbox = self._inbox
        async with self._turn:
            if inbox is not None:
                await self._done(lambda: inbox.settle(token, refusal))
            if self._view is not None:
                await self._view.settle(token, refusal)

    async def close(self) -> None:
        """Let the threads go; one that hangs in a dead network folder is not waited for."""
        if self._inbox is not None:
            with contextlib.suppress(TransientFailure, TimedOut, RuntimeError):
                await self._done(self._inbox.close, _LAST)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _done(self, work: Callable[[], _Result], patience: float = PATIENCE) -> _Result:
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            async with asyncio.timeout(patience):
                return await running
        except TimeoutError:
            raise TimedOut(f"a folder of the settings did not answer within {PATIENCE:g} s") from None
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise TransientFailure(f"a folder of the settings cannot be used: {told}") from None


def _terms(read: Mapping[str, Any], where: str) -> Terms:
    return Terms(
        encoding=_encoding(read, where),
        separator=_separator(read, "auto"),
        settle_seconds=float(read.get("settle_seconds", 2)),
        largest=int(read.get("max_mebibytes", 1024)) * _MEBIBYTE,
        repeats=str(read.get("repeats", "per-file")),
        identity=tuple(read.get("identity", ())),
    )


def _separator(settings: Mapping[str, Any], usual: str) -> str:
    written = str(settings.get("separator", usual))
    return _SEPARATORS.get(written, written)


def _encoding(settings: Mapping[str, Any], where: str) -> str:
    found = encoding_named(str(settings.get("encoding", "utf-8")))
    if found is None:
        raise Misconfigured(
            where,
            Text("Không có bảng mã này", "There is no such encoding"),
            Text("Cần: utf-8, utf-16, windows-1258, iso-8859-1…", "Needed: utf-8, utf-16, windows-1258, iso-8859-1…"),
        )
    return found


def open_adapter(context: AdapterContext) -> Records:
    """The adapter of one system; raises Misconfigured where its settings cannot work."""
    settings, where = context.settings, f"{context.system.name}: settings"
    ways = [name for name in ("read", "view") if name in settings]
    if len(ways) > 1 or bool(ways) is not ("incoming" in settings):
        raise Misconfigured(
            f"{where}.incoming",
            Text("incoming đi cùng đúng một trong read và view", "incoming goes with one of read and view"),
            Text("Cần: incoming và read, hoặc incoming và view", "Needed: incoming and read, or incoming and view"),
        )
    if ("out" in settings) is not ("outgoing" in settings):
        raise Misconfigured(
            f"{where}.out",
            Text("out và outgoing đi cùng nhau", "out and outgoing go together"),
            Text("Cần cả hai, hoặc bỏ cả hai", "Both are needed, or none"),
        )
    folders = [str(settings[name]["folder"]) for name in ("read", "out") if name in settings]
    if len({os.path.normpath(context.folder / each) for each in folders}) < len(folders):
        raise Misconfigured(
            f"{where}.out.folder",
            Text("read và out là cùng một thư mục", "read and out are the same folder"),
            Text("Cần hai thư mục riêng, một cho mỗi chiều.", "Two folders are needed, one for each direction."),
        )
    return Records(context)
