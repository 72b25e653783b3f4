"""The wicket beside the gate: connections that do nothing but post messages in the plain form are served here.

Plain means: one envelope or a batch, of stated length, kept alive, nothing else asked for. Almost every message
comes so, and the general server behind the gate was half of what it cost. Whatever is not plain, or not in good
form, or too much, goes through the gate with every byte that came, and its connection stays there. So the wicket
decides nothing that the gate decides otherwise: it only says the usual answer in fewer words.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, cast

from gateway.api import problems
from gateway.api.body import Intake, Share
from gateway.api.doors import Doors
from gateway.api.head import BEGINNING, END, MAX_HEAD, Head, read_head
from gateway.api.language import Language, preferred
from gateway.api.standing import HEADERS, secured
from gateway.api.taking import DOOR, LINE_END, Reply, count_stranger, refusal, take_many, take_one
from gateway.api.telling import tell
from gateway.core.faults import Fault
from gateway.telemetry import log

#: What may come ahead of the answer to the request before it (bytes); then the client waits.
_AHEAD: Final = 64 * 1024
#: What one reading may bring (bytes).
_DESK: Final = 256 * 1024
#: How long connections on which nothing is under way are left open when the listener stops (seconds).
LAST_CALL: Final = 1.0
LOOKS: Final = 40
_PHRASES: Final = {each.value: each.phrase for each in HTTPStatus}


@dataclass(slots=True)
class Lodge:
    """What all wickets of one listener share. Times in seconds."""

    doors: Doors
    intake: Intake
    #: A new connection of the general server.
    gate: Callable[[], asyncio.Protocol]
    first_header: float
    keep_alive: float
    wickets: set[Wicket] = field(default_factory=set)
    #: Where bytes arrive, for whichever connection they come: it takes them away before the next ones.
    desk: memoryview = field(default_factory=lambda: memoryview(bytearray(_DESK)))
    is_closing: bool = False
    _standing: bytes = b""
    _dated: tuple[int, bytes] = (0, b"")

    def __post_init__(self) -> None:
        fields = {**HEADERS, **secured(self.doors.public_url)}
        self._standing = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")

    def standing(self) -> bytes:
        """The header fields that every answer carries, and the date."""
        now = int(time.time())
        if self._dated[0] != now:
            self._dated = now, self._standing + f"Date: {formatdate(now, usegmt=True)}\r\n".encode("latin-1")
        return self._dated[1]

    async def close(self, limit: float) -> None:
        """Let requests under way be answered within ``limit`` seconds; close all connections.

        What comes within the first moment still is answered, too, and told to be its connection's last: a client
        that wrote while we closed could not know whether its message was taken.
        """
        self.is_closing = True
        for _ in range(LOOKS):
            if not self.wickets:
                return
            await asyncio.sleep(LAST_CALL / LOOKS)
        for wicket in list(self.wickets):
            wicket.leave()
        tasks = [wicket.task for wicket in self.wickets if wicket.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=limit)
        for wicket in list(self.wickets):
            wicket.abort()


class Wicket(asyncio.BufferedProtocol):
    """One connection, until it turns out not to be plain."""

    def __init__(self, lodge: Lodge) -> None:
        self._lodge = lodge
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._address = ""
        self._came = bytearray()
        self._head: Head | None = None
        self._share: Share | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_full = False
        #: The request that is being answered.
        self.task: asyncio.Task[None] | None = None

    # ---------------------------------------------------------------------------- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin. Not every loop's transport inherits from ``asyncio.Transport``; all of a connection behave so."""
        self._transport = cast("asyncio.Transport", transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        self._lodge.wickets.add(self)
        self._wait(self._lodge.first_header)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the library's signature
        """Where the next bytes go. A new buffer for each reading would cost more than the reading."""
        return self._lodge.desk

    def buffer_updated(self, nbytes: int) -> None:
        """More bytes: of the next request while one is being answered."""
        self._came += self._lodge.desk[:nbytes]
        self._go_on()

    def pause_writing(self) -> None:
        """The client does not read its answers: it gets no more."""
        self._is_full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_full = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the library's signature
        """The client left; what it sent whole is still taken."""
        self._forget()
        self._transport = None

    # -------------------------------------------------------------------------------------- what arrives

    def _go_on(self) -> None:
        """Begin the next request where it is whole and its turn; read on while that is needed, or little lies here."""
        if self.task is None and not self._is_full:
            self._begin()
        if self._transport is None:
            return
        if (self.task is None and not self._is_full) or len(self._came) <= _AHEAD:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _begin(self) -> None:
        """Look at what came: the next head, or its body; begin to answer where the request is whole."""
        if self._transport is None:
            return
        if self._head is None:
            self._head = self._next_head()
        head = self._head
        if head is None or len(self._came) < head.size:
            return
        body = bytes(self._came[: head.size])
        del self._came[: head.size]
        self._head = None
        self.task = self._loop.create_task(self._answer(head, body))

    def _next_head(self) -> Head | None:
        """The head of the next request where it is there and plain; what is not plain goes through the gate."""
        came = self._came
        end = came.find(END, 0, MAX_HEAD)
        if end < 0:
            if not came.startswith(BEGINNING[: len(came)]) or len(came) >= MAX_HEAD:
                self._through_the_gate()
            return None
        raw = bytes(came[: end + len(END)])
        head = read_head(raw) if raw.startswith(BEGINNING) else None
        if head is None or not self._is_small_enough(head):
            self._through_the_gate()
            return None
        del came[: len(raw)]
        self._share = self._lodge.intake.share()
        self._share.take(head.size)
        if len(came) < head.size:
            self._wait(self._seconds(head))
        return head

    def _is_small_enough(self, head: Head) -> bool:
        limits, intake = self._lodge.doors.limits, self._lodge.intake
        most = limits.batch if head.is_batch else limits.envelope + LINE_END
        return head.size <= most and intake.held + head.size <= intake.most

    def _through_the_gate(self) -> None:
        """Hand the connection to the general server, with all that came and was not answered."""
        transport, came = self._transport, bytes(self._came)
        if transport is None:
            return
        self._forget()
        self._transport = None
        transport.resume_reading()
        gate = self._lodge.gate()
        transport.set_protocol(gate)
        gate.connection_made(transport)
        gate.data_received(came)

    # ------------------------------------------------------------------------------------------- answering

    async def _answer(self, head: Head, body: bytes) -> None:
        began = time.perf_counter()
        doors = self._lodge.doors
        language = _language(head)
        try:
            take = take_many if head.is_batch else take_one
            reply = await take(doors, body, self._address, language)
        except Fault as fault:
            count_stranger(doors, self._address, fault)
            reply = refusal(fault, language)
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller gets a problem and the log a line
            reference = f"urn:uuid:{uuid.uuid4()}"
            log.error("request.failed", reference=reference, method="POST", door=DOOR, exc_info=error)
            reply = refusal(problems.internal(), language, instance=reference)
        finally:
            self._give_back()
        self._write(reply)
        self._tell(reply, time.perf_counter() - began, head.trace)
        self.task = None
        if self._transport is not None:
            self._wait(self._lodge.keep_alive)
            self._go_on()

    def _write(self, reply: Reply, *, is_last: bool = False) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        is_last = is_last or self._lodge.is_closing
        fields = "".join([f"{name}: {value}\r\n" for name, value in reply.fields.items()]).encode("latin-1")
        self._transport.write(
            b"HTTP/1.1 %d %b\r\n%b%b%bContent-Length: %d\r\n\r\n%b"
            % (
                reply.status,
                _PHRASES[reply.status].encode(),
                fields,
                self._lodge.standing(),
                b"Connection: close\r\n" if is_last else b"",
                len(reply.body),
                reply.body,
            )
        )
        if is_last:
            self._transport.close()

    def _tell(self, reply: Reply, seconds: float, trace: str) -> None:
        told: dict[str, Any] = {"message_id": reply.message_id, "problem": reply.problem}
        told = {name: value for name, value in told.items() if value is not None}
        tell(DOOR, "POST", reply.status, seconds=seconds, address=self._address, trace=trace, told=told)

    # ---------------------------------------------------------------------------------- time and the end

    def _wait(self, seconds: float) -> None:
        """The client has so long for what comes next. One timer serves many requests: it is moved when it rings."""
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self.task is not None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        elif self._head is not None:
            self._refuse_late(self._head)
        else:
            self.abort()

    def _seconds(self, head: Head) -> float:
        """How long the body may take."""
        limits = self._lodge.doors.limits
        return limits.batch_seconds if head.is_batch else limits.body_seconds

    def _refuse_late(self, head: Head) -> None:
        fault = problems.body_late(self._seconds(head))
        count_stranger(self._lodge.doors, self._address, fault)
        reply = refusal(fault, _language(head))
        self._write(reply, is_last=True)
        self._tell(reply, self._seconds(head), head.trace)

    def leave(self) -> None:
        """Close where nothing is under way; else after the answer."""
        if self.task is None and self._head is None:
            self.abort()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.close()

    def _give_back(self) -> None:
        if self._share is not None:
            self._share.give_back()
            self._share = None

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.task is None:
            self._give_back()
        self._head = None
        self._lodge.wickets.discard(self)


def _language(head: Head) -> Language:
    return preferred(head.language) if head.language else "vi"
