"""A mail server in small: strict about SMTP (RFC 5321), with TLS, log-ins and a size limit, and unkind on demand."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, cast

from adapters.mail_notice.certificate import own_certificate
from gateway.ports import Parcel

USER: Final = "lgsp"
PASSWORD: Final = "a password for the mail server"  # noqa: S105 - the agency in small
APPLICANT: Final = "nguyen.van.mau@example.vn"
#: A line of a message with its CR LF (RFC 5321, 4.5.3.1.6), and of a command.
_LONGEST_LINE: Final = 1000
_LONGEST_COMMAND: Final = 512
_PATH: Final = re.compile(rb"<([^<>@\s]{1,64}@[^<>@\s]{1,255})>((?: [!-~]+)*)\Z")


@dataclass(slots=True)
class Faults:
    """What goes wrong; numbers say how many times.

    ``greylist``: recipients answered 451. ``busy``: connections greeted with 421. ``cut``: messages that are taken
    and never answered. ``cut_early``: connections closed at DATA. ``slow``: seconds before each answer.
    ``refusals``: codes for the next recipients; ``data_refusals``: for the next messages. ``unknown``: addresses that
    are refused for good. ``no_tls``: STARTTLS is not offered. ``no_8bit``: 8BITMIME is not. ``locked``: log-ins are
    refused.
    """

    greylist: int = 0
    busy: int = 0
    cut: int = 0
    cut_early: int = 0
    slow: float = 0.0
    refusals: list[int] = field(default_factory=list)
    data_refusals: list[int] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    no_tls: bool = False
    no_8bit: bool = False
    locked: bool = False

    def strikes(self, name: str) -> bool:
        """Whether the fault strikes now: one less of it is left."""
        left = int(getattr(self, name))
        setattr(self, name, max(0, left - 1))
        return left > 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A message in the box: from and to whom it was posted, as it came, and read."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    is_8bit: bool
    is_private: bool

    @property
    def message(self) -> EmailMessage:
        """The message as a mail program reads it."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def delivery(self) -> str:
        """The delivery's id, as the Message-ID has it."""
        return str(self.message["Message-ID"]).strip("<> ").partition("@")[0]

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass(slots=True)
class MailServer:
    """A server on this machine. ``broken_rules``: what a caller did that the standard forbids."""

    folder: Path
    tls: str = "starttls"
    needs_login: bool = True
    size_limit: int = 1 << 20
    faults: Faults = field(default_factory=Faults)
    settings: Mapping[str, Any] = field(default_factory=dict)
    box: list[Taken] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    secured: ssl.SSLContext | None = None
    end: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        """Listen: at a free port, and ever after at that one."""
        self.end.clear()
        secured = self.secured if self.tls == "implicit" else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=secured, limit=1 << 16)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more, and close what is open."""
        self.end.set()
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, in order."""
        return [each.delivery for each in self.box]

    async def go_down(self) -> None:
        """Close the door: connections are refused."""
        await self.stop()

    async def come_back(self) -> None:
        """Open the same door again."""
        await self.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The suite's document as a dossier that was registered: its content is what nobody but the office may know."""
        return replace(parcel, event=a_registration(dict(parcel.event)))

    def hopeless(self, parcel: Parcel) -> Parcel:
        """What there are no words for."""
        return replace(parcel, event={**parcel.event, "type": "sensor.reading"})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            await _Conversation(self, reader, writer).go_on()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ssl.SSLError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()


class _Hangup(Exception):
    """The server ends the conversation."""


class _Conversation:
    """One connection: every command only where the standard allows it."""

    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._faults = server.faults
        self._reader = reader
        self._writer = writer
        self._is_private = server.tls == "implicit"
        self._is_known = not server.needs_login
        self._has_greeted = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._is_8bit = False

    async def go_on(self) -> None:
        if self._faults.strikes("busy"):
            await self._say("421 come again later")
            return
        await self._say("220 mail.example.vn ESMTP")
        with contextlib.suppress(_Hangup):
            while True:
                await self._command(await self._line(_LONGEST_COMMAND))

    async def _command(self, line: bytes) -> None:
        verb, _, rest = line.partition(b" ")
        match verb.upper():
            case b"EHLO":
                self._forget()
                self._has_greeted = True
                await self._say("250-mail.example.vn", *self._offers())
            case b"STARTTLS":
                await self._start_tls()
            case b"AUTH":
                await self._log_in(rest)
            case b"MAIL":
                await self._mail(rest)
            case b"RCPT":
                await self._recipient(rest)
            case b"DATA":
                await self._data()
            case b"RSET":
                self._forget()
                await self._say("250 ok")
            case b"NOOP":
                await self._say("250 ok")
            case b"QUIT":
                await self._say("221 bye")
                raise _Hangup
            case _:
                await self._break(f"500 {verb[:10]!r}")

    def _offers(self) -> list[str]:
        offers = [f"250-SIZE {self._server.size_limit}"]
        if not self._faults.no_8bit:
            offers.append("250-8BITMIME")
        if self._server.tls == "starttls" and not self._is_private and not self._faults.no_tls:
            offers.append("250-STARTTLS")
        if self._server.needs_login and (self._is_private or self._server.tls == "none"):
            offers.append("250-AUTH PLAIN LOGIN")
        return [*offers, "250 HELP"]

    async def _start_tls(self) -> None:
        if self._server.tls != "starttls" or self._faults.no_tls or self._is_private:
            await self._break("503 no STARTTLS now")
            return
        await self._say("220 go on")
        await self._writer.start_tls(cast("ssl.SSLContext", self._server.secured))
        self._is_private, self._has_greeted = True, False
        self._forget()

    async def _log_in(self, rest: bytes) -> None:
        if not self._has_greeted or not (self._is_private or self._server.tls == "none"):
            await self._break("538 not without TLS")
            return
        kind, _, first = rest.partition(b" ")
        if kind.upper() != b"PLAIN":
            await self._say("504 PLAIN only")
            return
        try:
            said = base64.b64decode(first, validate=True).split(b"\0")
        except binascii.Error:
            said = []
        self._is_known = said == [b"", USER.encode(), PASSWORD.encode()] and not self._faults.locked
        await self._say("235 known" if self._is_known else "535 5.7.8 not known: " + repr(said[1:2]))

    async def _mail(self, rest: bytes) -> None:
        found = _PATH.match(rest.removeprefix(b"FROM:").removeprefix(b"from:"))
        if not self._has_greeted or self._sender is not None or found is None:
            await self._break("503 or 501: MAIL")
            return
        if not self._is_known:
            await self._say("530 5.7.0 log in first")
            return
        options = dict(each.upper().partition(b"=")[::2] for each in found[2].split())
        if int(options.get(b"SIZE", b"0")) > self._server.size_limit:
            await self._say("552 5.3.4 too large")
            return
        self._sender, self._is_8bit = found[1].decode("ascii"), options.get(b"BODY") == b"8BITMIME"
        if self._is_8bit and self._faults.no_8bit:
            self._server.broken_rules.append("BODY=8BITMIME where it is not offered")
        await self._say("250 ok")

    async def _recipient(self, rest: bytes) -> None:
        found = _PATH.match(rest.removeprefix(b"TO:").removeprefix(b"to:"))
        if self._sender is None or found is None:
            await self._break("503 or 501: RCPT")
            return
        address = found[1].decode("ascii")
        if self._faults.strikes("greylist"):
            await self._say(f"451 4.7.1 <{address}> greylisted, try again later")
        elif self._faults.refusals:
            await self._say(f"{self._faults.refusals.pop(0)} <{address}> as the test wants it")
        elif address in self._faults.unknown:
            await self._say(f"550 5.1.1 <{address}> no such mailbox")
        else:
            self._recipients.append(address)
            await self._say("250 ok")

    async def _data(self) -> None:
        if not self._recipients:
            await self._break("503 no recipient")
            return
        if self._faults.strikes("cut_early"):
            raise _Hangup
        await self._say("354 go on")
        lines: list[bytes] = []
        while (line := await self._line(_LONGEST_LINE)) != b".":
            lines.append(line.removeprefix(b"."))
        raw = b"\r\n".join(lines) + b"\r\n"
        if not self._is_8bit and not raw.isascii():
            self._server.broken_rules.append("8-bit data without BODY=8BITMIME")
        if self._faults.data_refusals:
            await self._say(f"{self._faults.data_refusals.pop(0)} as the test wants it")
        elif len(raw) > self._server.size_limit:
            await self._say("552 5.3.4 too large")
        else:
            to = tuple(self._recipients)
            self._server.box.append(Taken(cast("str", self._sender), to, raw, self._is_8bit, self._is_private))
            if self._faults.strikes("cut"):
                self._writer.transport.abort()
                raise _Hangup
            await self._say("250 2.0.0 taken")
        self._forget()

    def _forget(self) -> None:
        self._sender, self._recipients, self._is_8bit = None, [], False

    async def _line(self, longest: int) -> bytes:
        """A line without its CR LF; what is not ended so, or is too long, breaks a rule."""
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            if end.partial:
                self._server.broken_rules.append("a line without its end")
            raise _Hangup from None
        if len(line) > longest:
            self._server.broken_rules.append(f"a line of {len(line)} bytes")
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            self._server.broken_rules.append("a bare CR or LF, or a NUL")
        return line.rstrip(b"\r\n")

    async def _break(self, told: str) -> None:
        self._server.broken_rules.append(told)
        await self._say(f"503 {told}")

    async def _say(self, *lines: str) -> None:
        if self._faults.slow:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.end.wait(), self._faults.slow)
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()


def a_registration(event: dict[str, Any], **override: Any) -> dict[str, Any]:
    """A document of the suite as dossier.registered 2.0: what a person may not read stands in name and abstract."""
    secret = str(event.get("data", {}).get("subject", ""))
    data: dict[str, Any] = {
        "dossierCode": "H33.05-261120-0012",
        "procedure": {"code": "2.002492", "name": "Đăng ký thành lập hộ kinh doanh"},
        "agency": {"code": "H33.05", "name": "Sở Tài chính"},
        "applicant": {"name": secret or "Nguyễn Văn Mẫu", "kind": "citizen", "email": APPLICANT,
                      "phone": "0912 345 678", "address": "1 Đường Mẫu"},
        "abstract": secret,
        "receivedAt": "2026-11-20T08:30:00+07:00",
        "dueAt": "2026-11-27T17:00:00+07:00",
        "status": {"code": 2, "at": "2026-11-20T08:30:00+07:00"},
        **override,
    }  # fmt: skip
    made = {**event, "type": "dossier.registered", "subject": data["dossierCode"], "purpose": "giai-quyet-tthc"}
    return {**made, "dataschema": "urn:lgsp:contract:dossier.registered:2.0", "data": data}


@contextlib.asynccontextmanager
async def agency(folder: Path, tls: str = "starttls", *, needs_login: bool = True) -> AsyncIterator[MailServer]:
    """A listening mail server whose settings fit the adapter beside this file."""
    home = folder / "mail"
    home.mkdir(parents=True, exist_ok=True)
    (home / "password.secret").write_text(f"{PASSWORD}\n", "utf-8")
    server = MailServer(home, tls, needs_login)
    server.secured = await asyncio.to_thread(own_certificate, home)
    await server.start()
    settings: dict[str, Any] = {"host": "localhost", "port": server.port, "tls": tls, "from": "motcua@example.vn",
                                "timeout": 3, "ca_file": "mail/mail.crt"}  # fmt: skip
    if needs_login:
        settings |= {"username": USER, "password_file": "mail/password.secret"}
    server.settings = settings
    try:
        yield server
    finally:
        await server.stop()
