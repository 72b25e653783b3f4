"""A running gateway: its steps at work over the ledger, beside others on the same ledger or alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.api.app import Doors, make_app
from gateway.api.door import port_taken
from gateway.api.doors import Limits
from gateway.api.listener import GuardedSite
from gateway.api.siblings import Siblings
from gateway.compose.asked import operate_on
from gateway.compose.choices import agency_lists_of, open_ledger, open_spool
from gateway.compose.lists import ListsInForce
from gateway.compose.picture import built_in_catalog, picture_of
from gateway.compose.wiring import Steps
from gateway.config.law import read_law, stamp_of
from gateway.config.settings import Settings
from gateway.core.contract import Catalog
from gateway.core.faults import Misconfigured
from gateway.ports import Clock, Ledger
from gateway.relay.clock import SystemClock
from gateway.relay.company import BEAT
from gateway.trust.keyring import Keyring

_REGISTRY_EVERY: Final = 1.0
_COLLECT_EVERY: Final = 1.0
_SWEEP_EVERY: Final = 1.0
_WATCH_EVERY: Final = 300.0
_UPLOADS_EVERY: Final = 60.0
_RETIRE_EVERY: Final = 3600.0
_REMIND_EVERY: Final = 60.0
#: How soon lists show what was said of a dossier, and how soon it is told that a deadline of one was passed.
_SETTLE_EVERY: Final = 1.0
_LOOK_EVERY: Final = 60.0
_LAW_EVERY: Final = 30.0
#: How often it is looked whether a system's list of agencies is due.
_DIRECTORY_EVERY: Final = 60.0
_UNMATCHED_EVERY: Final = 60.0
#: How often it is looked whether a day is over, or its manifests are to be compared.
_RECONCILE_EVERY: Final = 300.0
#: How often processes on one ledger look at what the others found out and granted.
_SHARE_EVERY: Final = 1.0
#: SIGTERM drains within this (seconds), see the interface: 15 in all.
_DRAIN: Final = 10.0
#: How long each thing that is told at the end may take (seconds): the ledger may be away.
_LAST_WORD: Final = 1.0
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

log = structlog.get_logger()


@dataclass(slots=True)
class Gateway(Steps):
    """A gateway of one process: ``start`` it, ``stop`` it."""

    built_in: Catalog = field(default_factory=built_in_catalog)
    lists: ListsInForce | None = None
    #: Where the processes that share this one's port meet; None where it has a port of its own.
    family: Path | None = None
    siblings: Siblings = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    #: The files behind the law in force, and what was told of younger ones that cannot be read.
    _law_stamp: tuple[tuple[str, int, int], ...] = ()
    _law_trouble: tuple[tuple[tuple[str, int, int], ...], str] | None = None

    def __post_init__(self) -> None:
        """Raises Misconfigured where the broker's URL cannot be used."""
        self._law_stamp = stamp_of(self.settings.law_folders)
        Steps.__post_init__(self)
        self.siblings = Siblings(self.settings.worker, self._is_ready, self.family)

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        ledger: Ledger | None = None,
        family: Path | None = None,
    ) -> Gateway:
        """A gateway over an opened ledger; raises Misconfigured where keys, database or registry cannot be used."""
        keyring = Keyring.read(settings)
        ledger = ledger or open_ledger(settings)
        await ledger.open()
        try:
            built_in = built_in_catalog()
            version, rows = await ledger.registry()
            lists = ListsInForce(agency_lists_of(ledger))
            picture = picture_of(settings, version, rows, built_in, await lists.now())
            opened = cls(
                settings, ledger, keyring, clock or SystemClock(), open_spool(settings), picture,
                built_in=built_in, lists=lists, family=family,
            )  # fmt: skip
        except BaseException:
            await ledger.close()
            raise
        return opened

    def doors(self) -> Doors:
        """What the HTTP doors need."""
        return Doors(
            accept=self.accept,
            pull=self.pull,
            uploads=self.uploads,
            inspect=self.inspect,
            failures=self.operations.failures,
            operations=self.operations,
            operate=operate_on(self.ledger, lambda: self.picture.directory, self.clock),
            requests=self.requests,
            proposals=self.proposals,
            registers=self.registers,
            documents=self.documents,
            dossiers=self.dossiers,
            queries=self.queries,
            reconcile=self.reconcile,
            missing=self.missing,
            pulling=self.tongues.pulling(),
            ledger=self.ledger,
            spool=self.spool,
            directory=lambda: self.picture.directory,
            catalog=lambda: self.picture.catalog,
            operators=lambda: self.picture.operators,
            signer=self.keyring.signer,
            jwks=self.keyring.jwks,
            gateway_certificates=self.keyring.certificates,
            clock=self.clock,
            readiness=self._readiness,
            figures=self.siblings.figures,
            public_url=self.settings.public_url,
            is_loopback=self.settings.host in _LOOPBACK,
            approval_above=self.settings.approval_above,
            reception=self.reception,
            limits=Limits(visit=self.settings.visit_limit),
        )

    async def start(self, door: socket.socket | None = None) -> None:
        """Listen and work; raises Misconfigured where the port is taken. ``door``: what others listen at, too."""
        self._runner = web.AppRunner(make_app(self.doors()), access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        await self.broker.open()
        await self.company.beat()
        await self.siblings.open()
        await self._listen(self._runner, door)
        if not self.keyring.remember():
            log.warning("keyring.unwritable", folder=str(self.settings.signing_key.parent))
        self._spawn(self.dispatch.run())
        for seconds, step in self._recurring():
            self._spawn(self._every(seconds, step))
        self._spawn(self.replay.run())
        self._spawn(self.backfill.run())
        log.info("gateway.started", listen=f"{self.settings.host}:{self.port}", system=self.settings.system)

    def _recurring(self) -> list[tuple[float, Callable[[], Awaitable[Any]]]]:
        """What is done again and again, and how often (seconds).

        Sweeping is everybody's, as a lease must end though its holder is dead; collecting, the alarm and retention are
        the leader's, who spares agencies and operators from being asked or told by each process.
        """
        steps: list[tuple[float, Callable[[], Awaitable[Any]]]] = [
            (_SWEEP_EVERY, self.sweep.once),
            (_WATCH_EVERY, self.watch.once),
            (_REGISTRY_EVERY, self._look_at_registry),
            (_UPLOADS_EVERY, self._leading(self.uploads.sweep)),
            (_COLLECT_EVERY, self.collect.rounds),
            (_UNMATCHED_EVERY, self._leading(self.unmatched.once)),
            (_RETIRE_EVERY, self.retire.once),
            (_REMIND_EVERY, self._leading(self.remind.once)),
            (_SETTLE_EVERY, self._leading(self.dossiers.settle_once)),
            (_LOOK_EVERY, self._leading(self.dossiers.look_once)),
            (_LAW_EVERY, self.look_at_law),
            (_DIRECTORY_EVERY, self._leading(self.sync.once)),
            (_RECONCILE_EVERY, self._leading(self.reconcile.once)),
        ]
        if (peers := self.company.peers) is not None:
            self.accept.paces.begin_sharing()
            steps += [
                (BEAT, self.company.beat),
                (_SHARE_EVERY, self.outages.refresh),
                (_SHARE_EVERY, lambda: self.accept.paces.share(peers, self.clock.now())),
            ]
        return steps

    def _leading(self, step: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        """The step where this process leads; nothing elsewhere."""

        async def led() -> None:
            if self.company.leads():
                await step()

        return led

    async def _listen(self, runner: web.AppRunner, door: socket.socket | None) -> None:
        site = GuardedSite(runner, self.settings.host, self.settings.port, door=door)
        try:
            await site.start()
        except OSError as error:
            await self.let_go()
            raise port_taken(self.settings.listen, error) from None
        sockets: Any = runner.addresses
        self.port = int(sockets[0][1])

    async def stop(self) -> None:
        """Take nothing new, let what runs end, let go; within 15 seconds."""
        log.info("gateway.stopping")
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
        for task in self._tasks[1:]:
            task.cancel()
        await self.dispatch.drain(_DRAIN)
        if self._tasks:
            await asyncio.wait(self._tasks[:1], timeout=2)
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.gather(*(task for task in self._tasks if task.done() or task.cancel()), return_exceptions=True)
        for last_word in (self.sweep.tell_refusals, self.company.leave):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_LAST_WORD):
                    await last_word()
        await self.let_go()
        log.info("gateway.stopped")

    async def let_go(self) -> None:
        """Close everything, whatever was begun."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.siblings.close()
        await self.broker.close()
        await self.tongues.close()
        await self.providers.close()
        await self.inspect.close()
        await self.ledger.close()

    async def refresh(self) -> None:
        """Take the registry as it is now."""
        version, rows = await self.ledger.registry()
        try:
            lists = () if self.lists is None else await self.lists.now()
            self.picture = picture_of(self.settings, version, rows, self.built_in, lists)
        except Misconfigured as error:
            log.error("registry.unreadable", version=version, detail=str(error))  # noqa: TRY400 - told by its words
            return
        self.tongues.forget_gone(self.picture.directory)
        log.info("registry.changed", version=version)

    async def look_at_law(self) -> None:
        """Take the province's own rules and holidays as they are now, where their files have changed."""
        folders = self.settings.law_folders
        stamp = await asyncio.to_thread(stamp_of, folders)
        if stamp == self._law_stamp:
            self._law_trouble = None
            return
        try:
            self.law = await asyncio.to_thread(read_law, folders, self.settings.folder)
        except Misconfigured as error:
            # Told once, and read again at each look: what cannot be opened now may be later, and looks as it did then.
            if (stamp, str(error)) != self._law_trouble:
                self._law_trouble = (stamp, str(error))
                log.error("law.unreadable", detail=str(error))  # noqa: TRY400 - told by its words
            return
        self._law_stamp, self._law_trouble = stamp, None
        log.info("law.changed", files=len(stamp))

    async def _look_at_registry(self) -> None:
        if await self.ledger.registry_version() != self.picture.directory.version:
            await self.refresh()

    async def _readiness(self) -> Mapping[str, bool]:
        """What /health/ready tells: of this process or, where it is not ready, of one that shares its port and is."""
        checks = {"ledger": await self.ledger.is_writable(), "dispatch": self.is_working()}
        if not all(checks.values()) and await self.siblings.is_any_ready():
            return dict.fromkeys(checks, True)
        return checks

    async def _is_ready(self) -> bool:
        return self.is_working() and await self.ledger.is_writable()

    def is_working(self) -> bool:
        """Whether the dispatcher runs; a ledger that cannot be written does not count, as a restart mends no disk."""
        return bool(self._tasks) and not self._tasks[0].done()

    async def _every(self, seconds: float, step: Any) -> None:
        while True:
            try:
                await step()
            except Exception:
                log.exception("step.failed", step=getattr(step, "__qualname__", "?"))
            await asyncio.sleep(seconds)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    door: socket.socket | None = None,
    family: Path | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway that listens and works for the length of a ``with`` block.

    ``door``, ``family``: the socket that processes share, and the folder where they meet.
    """
    opened = await Gateway.open(settings, clock=clock, family=family)
    try:
        await opened.start(door)
    except BaseException:
        await opened.let_go()
        raise
    try:
        yield opened
    finally:
        await opened.stop()
