"""The way to one mail server by SMTP (RFC 5321), a message a connection, in threads of its own.

What the server says in words is never repeated: it may hold an address. Only its codes are (RFC 3463).
"""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from adapters.mail_notice.letter import Letter
from gateway.calls.account import REFUSED
from gateway.calls.address import ForbiddenAddress, check_address
from gateway.core.faults import DeliveryFailure, DestinationGone, PermanentFailure, TimedOut, TransientFailure

Tls = Literal["starttls", "implicit", "none"]

_CONNECT: Final = 10.0
_GRACE: Final = 1.0
#: Messages on their way at once.
_CONNECTIONS: Final = 4
_ENHANCED: Final = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})\b")
#: The server wants a log-in, another one, or TLS first: nothing is wrong with the message.
_ACCOUNT: Final = frozenset({530, 534, 535, 538})
_TOO_LARGE: Final = 552


@dataclass(frozen=True, slots=True)
class Account:
    """A mail server and how one posts there. ``password`` reads the secret; ``check`` judges an address before it is
    called; ``timeout`` (seconds) is for the whole exchange.
    """

    host: str
    port: int
    tls: Tls
    hello: str
    timeout: float
    username: str | None = None
    password: Callable[[], str] = str
    own: frozenset[tuple[str, int]] = frozenset()
    private_allowed: bool = True
    trusted: ssl.SSLContext = field(default_factory=ssl.create_default_context)


@dataclass(frozen=True, slots=True)
class Posted:
    """The server took the message for some recipients: its code, and what it answered for the others."""

    code: int
    refused: Mapping[str, DeliveryFailure]


class Post:
    """Posts by one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._threads: ThreadPoolExecutor | None = None
        self._under_way: set[_Exchange] = set()

    async def send(self, letter: Letter) -> Posted:
        """Post one message.

        Raises PermanentFailure where every recipient or the message is refused for good, DestinationGone where the
        account is, TimedOut where the message may have arrived, else TransientFailure.
        """
        exchange = _Exchange(self._account, letter)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="mail")
        work: Future[Posted] = self._threads.submit(exchange.run)
        self._under_way.add(exchange)
        waited = asyncio.wrap_future(work)
        waited.add_done_callback(_heard)
        try:
            ended, _ = await asyncio.wait([waited], timeout=self._account.timeout)
        finally:
            # Whoever waits was cut off, or waited long enough: a thread is not left hanging at a silent server.
            if not waited.done():
                exchange.abort()
            self._under_way.discard(exchange)
        if not ended:
            raise exchange.lost(f"no answer within {self._account.timeout:g} s")
        return waited.result()

    async def close(self) -> None:
        """End what is under way."""
        for exchange in list(self._under_way):
            exchange.abort()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None


def _heard(future: asyncio.Future[Posted]) -> None:
    """A failure that nobody comes back for is no news."""
    if not future.cancelled():
        future.exception()


class _Exchange:
    """One message on one connection."""

    def __init__(self, account: Account, letter: Letter) -> None:
        self._account = account
        self._letter = letter
        self._until = time.monotonic() + account.timeout
        #: Another handle of the connection, by which it is ended while the thread waits on the first.
        self._handle: socket.socket | None = None
        self._is_aborted = False
        self._is_posted = False

    def abort(self) -> None:
        """Let the thread go, whatever it waits for; from any thread."""
        self._is_aborted = True
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def lost(self, why: str) -> TransientFailure:
        """What it means that the connection went: after the last dot of the message it may have arrived."""
        if self._is_posted:
            return TimedOut(f"{why} after the message was posted: it is posted again under the same Message-ID")
        return TransientFailure(why)

    def run(self) -> Posted:
        """The exchange; blocks."""
        try:
            return self._run()
        finally:
            if self._handle is not None:
                self._handle.close()

    def _run(self) -> Posted:
        try:
            server = self._greeted()
            try:
                return self._posted(server)
            finally:
                server.close()
        except DeliveryFailure:
            raise
        except ssl.SSLCertVerificationError as error:
            raise TransientFailure(f"the certificate does not hold ({error.verify_message})") from None
        except ssl.SSLError as error:
            raise self.lost(f"TLS ({error.reason})") from None
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPServerDisconnected:
            raise self.lost("the connection was closed") from None
        except (smtplib.SMTPException, OSError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise self.lost(f"the connection failed: {reason}") from None

    # ----------------------------------------------------------------------------------------- the opening

    def _greeted(self) -> smtplib.SMTP:
        account = self._account
        server = smtplib.SMTP(local_hostname=account.hello, timeout=account.timeout)
        connected = self._connected()
        self._handle = connected.dup()
        try:
            if account.tls == "implicit":
                connected = self._wrapped(connected)
            server.sock = connected
            code, said = server.getreply()
            if code != 220:
                raise TransientFailure(f"the server does not take mail now ({_codes(code, said)})", code)
            self._hello(server)
            if account.tls == "starttls":
                self._start_tls(server)
            if account.username is not None:
                self._log_in(server, account.username)
        except BaseException:
            connected.close()
            server.close()
            raise
        return server

    def _connected(self) -> socket.socket:
        """A connection to the first address of the name that may be called and answers."""
        account = self._account
        try:
            found = socket.getaddrinfo(account.host, account.port, type=socket.SOCK_STREAM)
        except socket.gaierror:
            raise TransientFailure("the name of the mail server is not known (DNS)") from None
        failure: Exception = TransientFailure("the name of the mail server has no address (DNS)")
        for family, kind, protocol, _, address in found:
            try:
                check_address(str(address[0]), account.port, own=account.own, private_allowed=account.private_allowed)
                return self._at(family, kind, protocol, address)
            except (ForbiddenAddress, OSError) as error:
                failure = error
        raise failure

    def _at(self, family: int, kind: int, protocol: int, address: object) -> socket.socket:
        seconds = min(_CONNECT, self._until - time.monotonic())
        if self._is_aborted or seconds <= 0:
            raise TransientFailure("there was no time left to connect")
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(seconds + _GRACE)
            made.connect(address)  # type: ignore[arg-type]
            # The loop ends the whole exchange in time; this is for a thread that nobody waits for any more.
            made.settimeout(self._account.timeout + _GRACE)
        except BaseException:
            made.close()
            raise
        return made

    def _wrapped(self, plain: socket.socket) -> ssl.SSLSocket:
        """``plain`` under TLS, its certificate checked for the host's name."""
        return self._account.trusted.wrap_socket(plain, server_hostname=self._account.host)

    def _hello(self, server: smtplib.SMTP) -> None:
        code, said = server.ehlo()
        if code != 250:
            raise _failure(code, said)

    def _start_tls(self, server: smtplib.SMTP) -> None:
        if not server.has_extn("starttls"):
            raise TransientFailure("the server offers no TLS: its operator must mend that, or the setting tls changes")
        code, said = server.docmd("STARTTLS")
        if code != 220:
            raise _failure(code, said)
        server.sock = self._wrapped(server.sock)  # type: ignore[arg-type]
        # What was said in the clear counts no more.
        server.file = None
        server.ehlo_resp = None
        server.esmtp_features = {}
        self._hello(server)

    def _log_in(self, server: smtplib.SMTP, username: str) -> None:
        try:
            server.login(username, self._account.password())
        except smtplib.SMTPNotSupportedError:
            raise TransientFailure("the server offers no log-in that is known here") from None
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code >= 500:
                raise DestinationGone(REFUSED, error.smtp_code) from None
            raise

    # ----------------------------------------------------------------------------------------- the message

    def _posted(self, server: smtplib.SMTP) -> Posted:
        is_8bit = server.has_extn("8bitmime")
        raw = self._letter.written(is_8bit=is_8bit)
        options = [f"SIZE={len(raw)}"] if server.has_extn("size") else []
        options += ["BODY=8BITMIME"] if is_8bit else []
        code, said = server.mail(self._letter.sender, options)
        if code == _TOO_LARGE:
            raise PermanentFailure("the message is too large for the mail server", code)
        if code >= 500:
            # Our address is wrong for this server: nothing that another message could mend.
            raise DestinationGone(REFUSED, code)
        if code != 250:
            raise _failure(code, said)
        refused: dict[str, DeliveryFailure] = {}
        for address in self._letter.recipients:
            code, said = server.rcpt(address)
            if code not in (250, 251):
                refused[address] = _failure(code, said)
        if len(refused) == len(self._letter.recipients):
            self._leave(server)
            raise _worst(refused)
        return Posted(self._data(server, raw), refused)

    def _data(self, server: smtplib.SMTP, raw: bytes) -> int:
        code, said = server.docmd("DATA")
        if code != 354:
            raise _failure(code, said)
        # A line that begins with a dot gets another (RFC 5321, 4.5.2); every line ends in CR LF already.
        stuffed = re.sub(rb"(?m)^\.", b"..", raw)
        self._is_posted = True
        server.send(stuffed + b".\r\n")
        code, said = server.getreply()
        if code == -1:
            raise smtplib.SMTPServerDisconnected("no answer that is one")
        self._is_posted = False
        if code != 250:
            raise _failure(code, said)
        self._leave(server)
        return code

    @staticmethod
    def _leave(server: smtplib.SMTP) -> None:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()


def _worst(refused: Mapping[str, DeliveryFailure]) -> DeliveryFailure:
    """What the failure is where nobody was reached: temporary as long as it is for one of them."""
    return next((each for each in refused.values() if isinstance(each, TransientFailure)), next(iter(refused.values())))


def _codes(code: int, said: bytes | str) -> str:
    found = _ENHANCED.match(said) if isinstance(said, bytes) else None
    return f"{code} {found[1].decode()}" if found else str(code)


def _failure(code: int, said: bytes | str) -> DeliveryFailure:
    """What an answer of the server means that is no success."""
    if code in _ACCOUNT:
        return DestinationGone(REFUSED, code)
    if code == -1:
        return TransientFailure("the connection was closed")
    if code >= 500:
        return PermanentFailure(f"the mail server refused it for good ({_codes(code, said)})", code)
    return TransientFailure(f"the mail server cannot take it now ({_codes(code, said)})", code)
