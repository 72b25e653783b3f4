"""A document system that shares two folders with the bus: it drops .edxml files in one and collects from the other.

What most systems of agencies can do without being changed. Nothing is lost at a crash: a file is moved out of
the way only after its message is durable, and one put in twice is recognised by its bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any, Final, Literal, TypeVar

from adapters.edxml_folder.folder import Item, Outbox, put
from adapters.edxml_folder.reason import refusal_note
from gateway.core.content import InMemory
from gateway.core.documents.item import Sender, collected
from gateway.core.documents.outgoing import Made, Outgoing
from gateway.core.edxml.parse import Limits
from gateway.core.faults import Misconfigured, Text, TimedOut, TransientFailure
from gateway.core.manifest_table import LARGEST, read_table
from gateway.core.moments import day_of
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable
from gateway.ports.manifests import Statement, statements_of

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = True
#: A network folder may hang; nobody waits longer than this (seconds). What takes longer goes on meanwhile, and the
#: next try waits for it instead of beginning again: a large file on a slow line arrives in the end.
PATIENCE: Final = 18.0
#: A round ends when it holds so many bytes of files.
_ROUND: Final = 64 << 20
_MEBIBYTE: Final = 1 << 20
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")

_Result = TypeVar("_Result")


class EdxmlFolder:
    """The two folders of one system."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed the schema beside this file."""
        settings = context.settings
        largest = int(settings.get("max_mebibytes", 64)) * _MEBIBYTE
        limits = Limits(size=largest, unpacked=max(largest, Limits().unpacked))
        self._context = context
        self._largest = largest
        self._outgoing = Outgoing(context.open_file, limits, context.new_sink)
        self._inbox = context.folder / str(settings["inbox"])
        self._sender = Sender(context.system.name, settings.get("confidentiality") == "none", limits)
        still = float(settings.get("settle_seconds", 1))
        self._outbox = Outbox(context.folder / str(settings["outbox"]), still, largest, context.now, context.new_sink)
        self._manifests = str(settings.get("manifests", ""))
        #: Deliveries that are being written, and the round of collecting that is under way.
        self._puts: dict[str, asyncio.Future[HandedOver]] = {}
        self._round: asyncio.Future[list[Collected | Uncollectable]] | None = None
        # Threads of its own: a network folder that hangs must not stop anybody else's work.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"edxml {context.system.name}")

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Put one file into the agency's folder, named by the delivery: a repeat takes its own place."""
        put = self._puts.get(parcel.delivery)
        if put is None:
            put = self._puts[parcel.delivery] = self._begun(lambda: self._put(parcel))
            put.add_done_callback(lambda done: self._has_put(parcel.delivery, done))
        try:
            return await _within_patience(put)
        except TimeoutError:
            raise TimedOut(f"the folder {self._name('inbox')} did not answer within {PATIENCE:g} s") from None
        except OSError as error:
            raise TransientFailure(f"the folder {self._name('inbox')} cannot be written: {_told(error)}") from None

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """The finished files in the agency's folder, oldest first; raises TransientFailure where it is not there."""
        gathering = self._round = self._round or self._begun(lambda: self._gather(limit))
        try:
            return await _within_patience(gathering)
        except TimeoutError:
            raise TimedOut(f"the folder {self._name('outbox')} did not answer within {PATIENCE:g} s") from None
        except OSError as error:
            raise TransientFailure(f"the folder {self._name('outbox')} cannot be read: {_told(error)}") from None
        finally:
            if gathering.done():
                self._round = None

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Move the file to ``.done/DAY/``, or to ``.refused/`` with a note that says who must do what."""
        try:
            await _within_patience(self._begun(lambda: self._settle(token, refusal)))
        except TimeoutError:
            raise TimedOut(f"the folder {self._name('outbox')} did not answer within {PATIENCE:g} s") from None
        except OSError as error:
            raise TransientFailure(f"a file in {self._name('outbox')} cannot be moved: {_told(error)}") from None

    async def fetch_manifest(self, day: date) -> Sequence[Statement] | None:
        """The table ``YYYY-MM-DD.csv`` that the agency's software keeps of a day; None where there is none (yet)."""
        if not self._manifests:
            return None
        reading = self._begun(lambda: self._read_manifest(day))
        try:
            content = await _within_patience(reading)
        except TimeoutError:
            raise TimedOut(f"the folder {self._name('manifests')} did not answer within {PATIENCE:g} s") from None
        except OSError as error:
            raise TransientFailure(f"the folder {self._name('manifests')} cannot be read: {_told(error)}") from None
        return None if content is None else statements_of(read_table(content), "received")

    def _read_manifest(self, day: date) -> bytes | None:
        file = self._context.folder / self._manifests / f"{day.isoformat()}.csv"
        if not file.is_file() or file.is_symlink():
            return None
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1)

    async def close(self) -> None:
        """Let the threads go; one that hangs in a dead network folder is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begun(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _has_put(self, delivery: str, done: asyncio.Future[Any]) -> None:
        del self._puts[delivery]
        if not done.cancelled():
            done.exception()  # nobody may be waiting for it any more

    def _name(self, folder: str) -> str:
        return str(self._context.settings[folder])

    def _gather(self, limit: int) -> list[Collected | Uncollectable]:
        found: list[Collected | Uncollectable] = []
        taken = 0
        try:
            for item in self._outbox.items():
                one = self._one(item)
                found.append(one)
                taken += sum(file.size for file in one.files) if isinstance(one, Collected) else 0
                if len(found) >= limit or taken > _ROUND:
                    break
        except TransientFailure:
            # A file for which the gateway has no room now must not hold back those before it.
            if not found:
                raise
        return found

    def _one(self, item: Item) -> Collected | Uncollectable:
        if not item.is_file:
            return Uncollectable(item.token, "not-a-file", _NOT_A_FILE)
        if item.content is None:
            return Uncollectable(item.token, "too-large", _too_large(self._largest))
        name = item.name[:500]
        sink, now = self._context.new_sink, self._context.now()
        return collected(item.content, name=name, token=item.token, sender=self._sender, now=now, new_sink=sink)

    def _settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        now = self._context.now()
        if refusal is None:
            self._outbox.keep(token, day_of(now).isoformat())
        else:
            reason, detail = refusal
            self._outbox.refuse(token, refusal_note(token.rpartition("#")[0], reason, detail, now))

    def _put(self, parcel: Parcel) -> HandedOver:
        name, made = self._file(parcel)
        put(self._inbox, name, made.content)
        return HandedOver(reference=made.reference)

    def _file(self, parcel: Parcel) -> tuple[str, Made]:
        """The file for a parcel: an .edxml, or the record of an outcome; raises PermanentFailure for anything else."""
        stem = file_stem(parcel.delivery)
        if str(parcel.event.get("type")).startswith("receipt."):
            told = json.dumps(dict(parcel.event), ensure_ascii=False, indent=2)
            return f"{stem}.receipt.json", Made(InMemory(told.encode() + b"\n"), is_as_it_came=False)
        return f"{stem}.edxml", self._outgoing.made(parcel)


async def _within_patience(work: asyncio.Future[_Result]) -> _Result:
    """What comes of it; raises TimeoutError after PATIENCE, and it goes on."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.shield(work)


def file_stem(delivery: str) -> str:
    """The name of a delivery's file without its ending: the delivery id, or its digest where that is no plain name."""
    return delivery if _SAFE.match(delivery) else hashlib.sha256(delivery.encode()).hexdigest()


_NOT_A_FILE: Final = Text(
    "Đây không phải là tệp thường (có thể là liên kết). Cơ quan cần đặt chính tệp .edxml vào thư mục gửi.",
    "This is no plain file (perhaps a link). The agency must put the .edxml file itself into the outgoing folder.",
)


def _too_large(largest: int) -> Text:
    return Text(
        f"Tệp lớn hơn {largest} byte. Cơ quan cần giảm dung lượng tệp đính kèm, hoặc đề nghị đơn vị vận hành trục"
        " nâng max_mebibytes.",
        f"The file is over {largest} bytes. The agency must make its attachments smaller, or ask the operator of the"
        " bus to raise max_mebibytes.",
    )


def _told(error: OSError) -> str:
    return error.strerror or type(error).__name__


def open_adapter(context: AdapterContext) -> EdxmlFolder:
    """The adapter of one system; raises Misconfigured where both folders are one."""
    # As text: a network folder may not be there yet, or may not answer.
    outbox, inbox = (os.path.normpath(context.folder / str(context.settings[name])) for name in ("outbox", "inbox"))
    if outbox == inbox:
        raise Misconfigured(
            f"{context.system.name}: settings.inbox",
            Text("outbox và inbox là cùng một thư mục", "outbox and inbox are the same folder"),
            Text("Cần hai thư mục riêng, một cho mỗi chiều.", "Two folders are needed, one for each direction."),
        )
    return EdxmlFolder(context)
