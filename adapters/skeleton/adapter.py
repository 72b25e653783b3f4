"""Copy me. An agency's tongue in one file: here, JSON files in two folders; yours says it to your agency's software.

Six promises, each marked below, all held by one suite (tests/conformance/test_adapters.py):
1 deliver returns only when the agency took it. 2 The delivery id goes along. 3 Never is told from not now.
4 What was collected comes again until it is settled. 5 No secret and no content in an error.
6 A caller is told yes only after the bus took what it brought, and strangers bring nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from gateway.calls.gate import Gate
from gateway.core.content import whole
from gateway.core.faults import PermanentFailure, Text, TransientFailure
from gateway.core.moments import format_moment
from gateway.ports import (
    AdapterContext,
    Call,
    Collected,
    HandedOver,
    NotReceived,
    Parcel,
    Reply,
    Take,
    Uncollectable,
)

#: "push": the bus hands messages over. "pull": the recipient leases them from the inbox by itself.
MODE: Final[Literal["push", "pull"]] = "push"
#: True where the agency cannot send by itself, so that the bus must fetch.
COLLECTS: Final = True
#: True where the agency's software calls the bus, at {public_url}/in/AGENCY/SYSTEM/. Leave it out where it does not.
ANSWERS: Final = True
_LARGEST: Final = 1 << 20


class Skeleton:
    """One agency system. No retry and no queue here: the bus has both."""

    def __init__(self, context: AdapterContext) -> None:
        """``context.settings`` have passed settings.schema.json."""
        self._context = context
        self._folder = context.folder / str(context.settings["folder"])
        #: Promise 6: who may call. The bus asks it, too, before it reads the body of a call.
        self.gate = Gate.if_set(context.settings, context.read_secret, context.system.name)

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Hand one message over."""
        # Promise 3: what this agency's software can never take is permanent; only say so when you are sure.
        if not str(parcel.event.get("type")).startswith("document."):
            raise PermanentFailure(f"this agency reads documents only, not {parcel.event.get('type')}")
        # Promise 2: the name is the delivery id, so that a repeat replaces itself.
        content = json.dumps({"delivery": parcel.delivery, "event": dict(parcel.event)}, ensure_ascii=False).encode()
        try:
            await asyncio.to_thread(_put, self._folder / "inbox", f"{parcel.delivery}.json", content)
        except OSError as error:
            # Promises 3 and 5: anything unsure is "not now", in words that hold no content.
            raise TransientFailure(f"the folder cannot be written: {error.strerror}") from None
        # Promise 1: only now.
        return HandedOver()

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """What the agency wants to send, oldest first."""
        # Promise 4: nothing is moved here. A crash after this line loses nothing.
        try:
            return await asyncio.to_thread(self._waiting, limit)
        except OSError as error:
            raise TransientFailure(f"the folder cannot be read: {error.strerror}") from None

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Promise 4 again: safe to repeat, and a refusal reaches the agency in words."""
        await asyncio.to_thread(self._settle, token, refusal)

    async def answer(self, call: Call, take: Take) -> Reply:
        """Promise 6: POST one event as JSON; {"taken": ID} says that it was taken, any other answer that it was not."""
        if self.gate is None or not self.gate.lets_in(call):
            return _said(401, error="who are you?")
        if (call.method, call.path) != ("POST", "events"):
            return _said(404, error="POST to events")
        if call.body.size > _LARGEST:
            return _said(413, error=f"at most {_LARGEST} bytes")
        item = self._item("call", whole(call.body))
        if isinstance(item, Uncollectable):
            return _said(400, error=item.reason, detail=[*item.detail])
        # It is durable only when this returns. Busy, which it raises, becomes a 503 of the bus's own.
        answer = await take(item)
        if isinstance(answer, NotReceived):
            return _said(422, error=answer.problem, detail=[*answer.detail])
        return _said(200, taken=answer.id)

    async def close(self) -> None:
        """Close connections here; there are none."""

    def _waiting(self, limit: int) -> list[Collected | Uncollectable]:
        paths = [path for path in (self._folder / "outbox").iterdir() if path.suffix == ".json"]
        paths.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [self._one(path) for path in paths[:limit]]

    def _one(self, path: Path) -> Collected | Uncollectable:
        with path.open("rb") as file:
            return self._item(path.name, file.read(_LARGEST + 1))

    def _item(self, token: str, origin: bytes) -> Collected | Uncollectable:
        try:
            written: dict[str, Any] = json.loads(origin) if len(origin) <= _LARGEST else {}
            kind, version, to, subject, data = (written[name] for name in ("type", "version", "to", "subject", "data"))
        except (ValueError, KeyError, TypeError, RecursionError):
            return Uncollectable(token, "unreadable", _UNREADABLE)
        # The id follows from the agency's own bytes: collected twice is one message.
        digest = hashlib.sha256(origin).hexdigest()
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:lgsp:skeleton:{self._context.system.name}:{digest}")),
            "type": kind,
            "dataschema": f"urn:lgsp:contract:{kind}:{version}",
            "subject": subject,
            "time": format_moment(self._context.now()),
            "datacontenttype": "application/json",
            "to": to,
            "data": data,
        }
        return Collected(token, event, digest)

    def _settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        path = self._folder / "outbox" / Path(token).name
        folder = self._folder / ("taken" if refusal is None else "refused")
        if not path.is_file():
            return
        folder.mkdir(exist_ok=True)
        if refusal is not None:
            reason, detail = refusal
            _put(folder, f"{path.name}.reason.txt", f"{reason}\n{detail.vi}\n{detail.en}\n".encode())
        path.rename(folder / path.name)


_UNREADABLE: Final = Text(
    "Tệp không phải JSON có đủ type, version, to, subject, data. Cơ quan gửi cần sửa rồi đặt lại tệp.",
    "The file is not JSON with type, version, to, subject and data. The agency must mend it and drop it again.",
)


def _said(status: int, **members: Any) -> Reply:
    return Reply(json.dumps(members, ensure_ascii=False).encode(), status)


def _put(folder: Path, name: str, content: bytes) -> None:
    unfinished = folder / f".{name}.tmp"
    unfinished.write_bytes(content)
    unfinished.rename(folder / name)


def open_adapter(context: AdapterContext) -> Skeleton:
    """The adapter of one system; raise Misconfigured here for settings that no schema can judge."""
    return Skeleton(context)
