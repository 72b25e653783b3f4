"""Keeps ``ports.Broker`` across gateways: what one announces, exactly one of them hears, be it the same.

While RabbitMQ is away each announcement rings in its own process, as with one gateway; ticks and sweeps find the rest.
Nothing is kept for later but what was announced within the last moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog
from yarl import URL

from gateway.broker.rabbitmq.notice import MOST_IDS, Notice, Unreadable, read
from gateway.broker.rabbitmq.session import Heard, Session
from gateway.broker.rabbitmq.topology import MOST_GIVEN, STEPS, Step, is_nameable, step_within
from gateway.core.faults import Misconfigured, Text
from gateway.ports.surroundings import NO_DELIVERIES
from gateway.telemetry import BROKER_AWAY, PARKINGS

#: Announcements gather for so long (seconds), and longer by so much for each message of the last round, at most so
#: long: who announces much shares what a message costs, who announces little hardly waits.
GATHER: Final = 0.002
GATHER_EACH: Final = 0.001
GATHER_MOST: Final = 0.05
#: Messages on their way to the broker at once, and ids that wait to be told; what is beyond rings here.
TOGETHER: Final = 64
MOST_PENDING: Final = 20_000
#: Seconds between two tries to connect: at first, at most (each up to a half longer, as gateways lose it together).
PAUSE: Final = 0.2
PAUSE_MOST: Final = 1.5
#: For so long (seconds) all of connecting and making queues may take.
OPEN: Final = 30.0
#: What was announced before the end gets so long (seconds) to reach the others.
LAST_WORDS: Final = 0.8

log = structlog.get_logger()


class RabbitBroker:
    """One gateway's end. ``url`` as in the settings (never shown), ``node`` names this process to operators.

    ``known``: today's systems to which this gateway delivers, whose queues it reads; all others are looked at where
    they are announced, as who fetches asks for itself. Left out, each that is announced is read from then on.
    """

    def __init__(
        self,
        url: str,
        node: str,
        *,
        known: Callable[[], Iterable[str]] | None = None,
        steps: Sequence[Step] = STEPS,
    ) -> None:
        """Raises Misconfigured where the URL's certificates cannot be used; connects to nothing yet."""
        self._url = URL(url)
        self._tls = _tls_of(self._url)
        self._node = node
        self._known = known
        self._steps = steps
        self._rung = asyncio.Event()
        self._recipients: set[str] = set()
        self._pending: dict[tuple[str, Step | None], list[tuple[str, float]]] = {}
        self._count = 0
        self._is_pending = asyncio.Event()
        self._is_told = asyncio.Event()
        self._is_told.set()
        self._session: Session | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_closing = False
        #: The last message heard and not yet answered with, and the last that the latest answer holds.
        self._heard: tuple[Session, int] | None = None
        self._acting: tuple[Session, int] | None = None
        self._doubted: set[str] = set()
        self._told_away_at = -1e9

    @property
    def is_connected(self) -> bool:
        """Whether announcements reach other gateways now."""
        return self._session is not None

    async def open(self) -> None:
        """Begin; connects in the background, for as long as it takes."""
        if self._work is None:
            self._is_closing = False
            self._work = asyncio.create_task(self._stay_connected())

    async def close(self) -> None:
        """Let go within 5 seconds; what was announced last still goes out where the broker is there."""
        if self._session is not None and self._pending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._is_told.wait()
        if self._work is not None:
            self._is_closing = True
            self._work.cancel()
            await asyncio.wait([self._work], timeout=4.0)
            self._work = None

    # ------------------------------------------------------------------------------------- the promises

    def announce(self, recipients: frozenset[str], deliveries: Mapping[str, Sequence[str]] = NO_DELIVERIES) -> None:
        """Something may be due for these recipients: one of the gateways hears of it."""
        here = set()
        for recipient in recipients:
            ids = deliveries.get(recipient, ())
            if not self._is_carried(recipient, len(ids)):
                here.add(recipient)
                continue
            self._add(recipient, None, [(each, 0.0) for each in ids])
        if here or not recipients:
            self.ring(frozenset(here))

    def later(self, recipient: str, delivery: str, seconds: float) -> None:
        """The same after ``seconds``; what is due sooner than the shortest step is left to the tick."""
        step = step_within(seconds, self._steps)
        if step is not None and self._is_carried(recipient, 1):
            self._add(recipient, step, [(delivery, time.time() + seconds)])

    def ring(self, recipients: frozenset[str]) -> None:
        """Look at these recipients, here; an empty set just wakes whoever waits."""
        self._recipients |= recipients
        self._rung.set()

    async def wait(self, timeout: float) -> frozenset[str]:
        """Recipients to look at; what the last call answered is acknowledged to the broker now."""
        if self._acting is not None:
            session, tag = self._acting
            self._acting = None
            if session is self._session:
                session.take(tag)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        recipients = frozenset(self._recipients)
        self._recipients.clear()
        self._rung.clear()
        self._acting, self._heard = self._heard, None
        return recipients

    # ------------------------------------------------------------------------------------- telling

    def _is_carried(self, recipient: str, ids: int) -> bool:
        """Whether the broker is there to be told of it, and there is room."""
        return (
            self._session is not None
            and self._count + ids <= MOST_PENDING
            and len(self._pending) < MOST_PENDING
            and is_nameable(recipient)
            and self._session.reads(recipient)
        )

    def _add(self, recipient: str, step: Step | None, deliveries: list[tuple[str, float]]) -> None:
        self._pending.setdefault((recipient, step), []).extend(deliveries)
        self._count += len(deliveries)
        self._is_pending.set()
        self._is_told.clear()

    def _take(self) -> list[tuple[Notice, Step | None]]:
        """What one round tells, the oldest first: few messages with many ids each."""
        taken: list[tuple[Notice, Step | None]] = []
        for key in list(self._pending)[:TOGETHER]:
            recipient, step = key
            waiting = self._pending.pop(key)
            if waiting[MOST_IDS:]:
                self._pending[key] = waiting[MOST_IDS:]
            told = waiting[:MOST_IDS]
            self._count -= len(told)
            due = () if step is None else tuple(moment for _, moment in told)
            taken.append((Notice(recipient, tuple(each for each, _ in told), due), step))
        if not self._pending:
            self._is_pending.clear()
        return taken

    async def _tell(self, session: Session) -> None:
        """Publish what gathers, round by round; what the broker does not take rings here."""
        gather = GATHER
        while True:
            await self._is_pending.wait()
            await asyncio.sleep(gather)
            round_ = self._take()
            refused = {notice.recipient for notice, step in round_ if step is None}
            try:
                async with asyncio.TaskGroup() as tasks:
                    publishing = [
                        (notice, step, tasks.create_task(session.publish(notice, step))) for notice, step in round_
                    ]
                refused -= {notice.recipient for notice, step, task in publishing if task.result()}
            finally:
                if refused:
                    self.ring(frozenset(refused))
            gather = min(GATHER_MOST, GATHER + GATHER_EACH * len(round_))
            if not self._pending:
                self._is_told.set()

    # ------------------------------------------------------------------------------------- hearing

    def _on_heard(self, session: Session, heard: Heard) -> None:
        try:
            notice = read(heard.recipient, heard.body)
        except Unreadable:
            self._park(session, heard, "unreadable", ())
            return
        if heard.given >= MOST_GIVEN:
            self._park(session, heard, "redelivered", notice.deliveries)
            return
        now = time.time()
        early = [
            (delivery, due - now)
            for delivery, due in zip(notice.deliveries, notice.due, strict=False)
            if step_within(due - now, self._steps) is not None
        ]
        for delivery, seconds in early:
            self.later(heard.recipient, delivery, seconds)
        if early and len(early) == len(notice.deliveries):
            session.pass_on(heard.tag)
            return
        self._heard = (session, heard.tag)
        self.ring(frozenset({heard.recipient}))

    def _park(self, session: Session, heard: Heard, reason: str, deliveries: Sequence[str]) -> None:
        """For people: the deliveries are in the ledger, and if they are to blame they end among the failures there."""
        session.park(heard.tag)
        PARKINGS.labels(reason).inc()
        log.error("broker.parked", agency=heard.recipient, reason=reason, deliveries=list(deliveries[:20]))

    # ------------------------------------------------------------------------------------- connected

    async def _stay_connected(self) -> None:
        pause = PAUSE
        # A call that fails in the moment of being cancelled hides that it was: the flag does not.
        while not self._is_closing:
            began = time.monotonic()
            session = Session(self._node, self._steps, self._on_heard, self._known, self._doubted)
            try:
                await self._hold(session)
            except asyncio.CancelledError:
                # The library ends calls of a lost connection like this; only who cancels us means us.
                if (task := asyncio.current_task()) is None or task.cancelling():
                    raise
                self._tell_away(ConnectionError())
            except Exception as error:  # noqa: BLE001 - whatever it was, the next session is a new one
                self._tell_away(error)
            pause = PAUSE if time.monotonic() - began > OPEN else min(PAUSE_MOST, pause * 2)
            await asyncio.sleep(pause * (1 + random.random() / 2))  # noqa: S311 - gateways should not come all at once

    async def _hold(self, session: Session) -> None:
        """One session from its beginning to its end, which is an exception unless we are closing."""
        try:
            async with asyncio.timeout(OPEN):
                await session.open(self._url, self._tls)
            if self._is_closing:
                return
            self._session = session
            BROKER_AWAY.set(0)
            self._told_away_at = -1e9
            log.info("broker.connected", node=self._node, host=self._url.host)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(session.run())
                tasks.create_task(self._tell(session))
        finally:
            self._session = self._heard = self._acting = None
            BROKER_AWAY.set(0 if self._is_closing else 1)
            self._forget_pending()
            await session.close()

    def _forget_pending(self) -> None:
        left = frozenset(recipient for recipient, step in self._pending if step is None)
        self._pending.clear()
        self._count = 0
        self._is_pending.clear()
        self._is_told.set()
        if left:
            self.ring(left)

    def _tell_away(self, error: BaseException) -> None:
        """Once an outage, and again each minute: by the error's name alone, its text may quote the URL."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        now = time.monotonic()
        if now - self._told_away_at > 60:
            self._told_away_at = now
            log.warning("broker.away", node=self._node, host=self._url.host, reason=type(error).__name__)


def _tls_of(url: URL) -> ssl.SSLContext | None:
    """The broker's certificate is always checked: by the system's roots, or those in ``?cafile=``.

    ``?certfile=`` and ``?keyfile=`` are shown where it asks who we are.
    """
    if url.scheme != "amqps":
        return None
    try:
        context = ssl.create_default_context(cafile=url.query.get("cafile"))
        if "certfile" in url.query:
            context.load_cert_chain(url.query["certfile"], url.query.get("keyfile"))
    except (OSError, ValueError) as error:
        raise Misconfigured(
            "lgsp.toml: broker.url",
            Text(
                f"Không dùng được chứng thư TLS của RabbitMQ ({type(error).__name__})",
                f"The TLS certificates for RabbitMQ cannot be used ({type(error).__name__})",
            ),
            Text(
                "Quản trị viên kiểm tra các tệp PEM ghi ở cafile, certfile và keyfile.",
                "The administrator checks the PEM files named by cafile, certfile and keyfile.",
            ),
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
