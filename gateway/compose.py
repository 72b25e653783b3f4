"""The one place where parts meet and choices are made: settings become a running gateway."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import structlog
from aiohttp import web

import gateway
from gateway.api.app import Doors, make_app
from gateway.api.identity import operators_of
from gateway.api.listener import GuardedSite
from gateway.broker.local import LocalBroker
from gateway.config.catalog import builtin_folder, contract_from_documents, read_catalog
from gateway.config.picture import directory_of
from gateway.config.settings import Settings
from gateway.core.contract import Catalog
from gateway.core.directory import Directory, System
from gateway.core.faults import Misconfigured, Text
from gateway.ports import AdapterContext, Clock, Ledger, RegistryRow
from gateway.relay.accept import Accept
from gateway.relay.backfill import Backfill
from gateway.relay.clock import SystemClock
from gateway.relay.collect import Collect
from gateway.relay.dispatch import Dispatch
from gateway.relay.operate import Operate
from gateway.relay.operations import Operations
from gateway.relay.outage import Outages
from gateway.relay.proof import Proofs
from gateway.relay.pull import Pull
from gateway.relay.replay import Replay
from gateway.relay.report import Report
from gateway.relay.requests import Requests
from gateway.relay.settle import Settlement
from gateway.relay.sweep import Sweep
from gateway.relay.translate import Translate
from gateway.relay.upload import UploadLimits, Uploads
from gateway.relay.watch import Watch
from gateway.store.files import Files
from gateway.store.sqlite import examination
from gateway.store.sqlite.backfills import backfills_of
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.replays import failures_and_replays
from gateway.store.uploads import UploadFolder
from gateway.tongues import Tongues
from gateway.trust.keyring import Keyring

_REGISTRY_EVERY: Final = 1.0
_COLLECT_EVERY: Final = 1.0
_SWEEP_EVERY: Final = 1.0
_WATCH_EVERY: Final = 300.0
_UPLOADS_EVERY: Final = 60.0
#: SIGTERM drains within this (seconds), see the interface: 15 in all.
_DRAIN: Final = 10.0
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

log = structlog.get_logger()


def open_ledger(settings: Settings) -> Ledger:
    """The ledger that the settings name, not opened yet."""
    return SqliteLedger(settings.store_path)


#: Looking at the settings' store from outside any gateway: what doctor, backup and restore ask.
looking = examination


def built_in_catalog() -> Catalog:
    """The contracts that come with the product."""
    return read_catalog([builtin_folder()])


@dataclass(frozen=True, slots=True)
class Picture:
    """What the registry says at one version, in the forms in which the steps ask for it."""

    directory: Directory
    catalog: Catalog
    operators: Mapping[str, Any]


def picture_of(settings: Settings, version: int, rows: list[RegistryRow], built_in: Catalog) -> Picture:
    """The registry's rows as directory, catalog and operators; raises Misconfigured where a row cannot be used."""
    directory = directory_of(rows, gateway=settings.system, version=version)
    own = [
        contract_from_documents(row.key, {path: text.encode() for path, text in row.body["files"].items()})
        for row in rows
        if row.kind == "contract"
    ]
    return Picture(directory, built_in.merged(Catalog.of(own)), operators_of(rows))


def operate_on(ledger: Ledger, directory: Callable[[], Directory], clock: Clock | None = None) -> Operate:
    """What an operator does, over a ledger that a gateway may be using at the same time."""
    return Operate(ledger, directory, Settlement(directory), clock or SystemClock())


def operations_on(ledger: Ledger, directory: Callable[[], Directory], clock: Clock | None = None) -> Operations:
    """Operations on many deliveries, over a ledger that a gateway may be using at the same time."""
    failures, replays = failures_and_replays(ledger)
    return Operations(
        replays, failures, ledger, directory, clock or SystemClock(), lambda: f"op-{secrets.token_hex(5)}"
    )


def requests_on(
    ledger: Ledger, directory: Callable[[], Directory], catalog: Callable[[], Catalog], clock: Clock | None = None
) -> Requests:
    """What late subscribers ask for, over a ledger that a gateway may be using at the same time."""
    return Requests(backfills_of(ledger), directory, catalog, clock or SystemClock(), lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class Gateway:
    """A wired gateway: ``start`` it, ``stop`` it; nothing in it is global."""

    settings: Settings
    ledger: Ledger
    keyring: Keyring
    clock: Clock
    spool: Files
    picture: Picture
    built_in: Catalog
    broker: LocalBroker = field(default_factory=LocalBroker)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _is_collecting: bool = False
    port: int = 0
    tongues: Tongues = field(init=False)
    accept: Accept = field(init=False)
    pull: Pull = field(init=False)
    dispatch: Dispatch = field(init=False)
    collect: Collect = field(init=False)
    sweep: Sweep = field(init=False)
    uploads: Uploads = field(init=False)
    operations: Operations = field(init=False)
    requests: Requests = field(init=False)
    backfill: Backfill = field(init=False)
    replay: Replay = field(init=False)

    @classmethod
    async def open(cls, settings: Settings, *, clock: Clock | None = None, ledger: Ledger | None = None) -> Gateway:
        """A gateway over an opened ledger; raises Misconfigured where keys, database or registry cannot be used."""
        keyring = Keyring.read(settings)
        ledger = ledger or open_ledger(settings)
        await ledger.open()
        try:
            built_in = built_in_catalog()
            version, rows = await ledger.registry()
            picture = picture_of(settings, version, rows, built_in)
            opened = cls(
                settings, ledger, keyring, clock or SystemClock(), Files(settings.files_folder), picture, built_in
            )
        except BaseException:
            await ledger.close()
            raise
        opened._wire()
        return opened

    def _wire(self) -> None:
        def directory() -> Directory:
            return self.picture.directory

        def catalog() -> Catalog:
            return self.picture.catalog

        ledger, broker, clock, signer = self.ledger, self.broker, self.clock, self.keyring.signer
        settlement = Settlement(directory)
        proofs = Proofs(directory, clock.now)
        translate = Translate(ledger, catalog, signer, self.settings.system)
        outages = Outages(ledger)
        self.tongues = Tongues(self.settings.adapter_folders, self._context)
        self.accept = Accept(
            ledger, broker, directory, catalog, signer, self.keyring.signer_of, self.tongues.pulling(), clock
        )
        self.pull = Pull(ledger, translate, settlement, proofs, clock, broker.announce)
        self.dispatch = Dispatch(
            ledger=ledger, broker=broker, directory=directory, adapter_of=self.tongues.of,
            is_pushed=self.tongues.is_pushed, translate=translate, settlement=settlement, proofs=proofs,
            outages=outages, clock=clock, owner=f"push:{self.settings.system}", on_announced=self.pull.notify,
        )  # fmt: skip
        self.collect = Collect(
            ledger, self.spool, self.accept, directory, self.tongues.of, self.tongues.collects, clock,
            self.settings.file_limit,
        )  # fmt: skip
        report = Report(ledger, self.accept, directory, clock)
        self.sweep = Sweep(
            ledger, self.spool, settlement, report, clock, self.accept.refusals, broker.announce, outages.down
        )

        self.operations = operations_on(ledger, directory, clock)
        self.replay = Replay(
            self.operations.replays, self.operations.failures, ledger, settlement, directory, clock,
            f"replay:{self.settings.system}:{secrets.token_hex(4)}", broker.announce,
        )  # fmt: skip
        self.requests = requests_on(ledger, directory, catalog, clock)
        self.backfill = Backfill(
            self.requests.backfills, directory, catalog, self.tongues.pulling(), clock,
            f"backfill:{self.settings.system}:{secrets.token_hex(4)}", broker.announce,
        )  # fmt: skip
        partials = UploadFolder(self.settings.files_folder / "uploads")
        self.uploads = Uploads(partials, self.spool, ledger, clock, UploadLimits(self.settings.file_limit))

    def _context(self, system: System) -> AdapterContext:
        folder = self.settings.folder
        return AdapterContext(
            system=system,
            settings=system.settings,
            folder=folder,
            user_agent=f"lgsp/{gateway.__version__}",
            webhook_signer=self.keyring.webhook,
            read_secret=lambda path: (folder / path).read_bytes(),
            read_file=lambda sha256: self.spool.path(sha256).read_bytes(),
            own_addresses=frozenset({(_as_address(self.settings.host), self.port or self.settings.port)}),
            now=self.clock.now,
        )

    def doors(self) -> Doors:
        """What the HTTP doors need."""
        return Doors(
            accept=self.accept,
            pull=self.pull,
            uploads=self.uploads,
            failures=self.operations.failures,
            operations=self.operations,
            operate=operate_on(self.ledger, lambda: self.picture.directory, self.clock),
            requests=self.requests,
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
            public_url=self.settings.public_url,
            is_loopback=self.settings.host in _LOOPBACK,
            approval_above=self.settings.approval_above,
        )

    async def start(self) -> None:
        """Listen and work; raises Misconfigured where the port is taken."""
        self._runner = web.AppRunner(make_app(self.doors()), access_log=None, shutdown_timeout=5.0)
        await self._runner.setup()
        await self._listen(self._runner)
        if not self.keyring.remember():
            log.warning("keyring.unwritable", folder=str(self.settings.signing_key.parent))
        self._spawn(self.dispatch.run())
        self._spawn(self._every(_SWEEP_EVERY, self.sweep.once))
        self._spawn(self._every(_UPLOADS_EVERY, self.uploads.sweep))
        self._spawn(self._every(_WATCH_EVERY, Watch(self.operations.failures, self.clock).once))
        self._spawn(self._every(_COLLECT_EVERY, self.collect.once))
        self._spawn(self._every(_REGISTRY_EVERY, self._look_at_registry))
        self._spawn(self.replay.run())
        self._spawn(self.backfill.run())
        log.info("gateway.started", listen=f"{self.settings.host}:{self.port}", system=self.settings.system)

    async def _listen(self, runner: web.AppRunner) -> None:
        site = GuardedSite(runner, self.settings.host, self.settings.port)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise Misconfigured(
                "lgsp.toml: gateway.listen",
                Text(
                    f"Không mở được cổng {self.settings.listen} ({os.strerror(error.errno or 0)})",
                    f"The port {self.settings.listen} cannot be opened ({os.strerror(error.errno or 0)})",
                ),
                Text(
                    "Có thể một trục khác đang chạy: hãy tắt nó, hoặc ghi cổng khác vào listen.",
                    "Another gateway may be running: stop it, or write another port in listen.",
                ),
            ) from None
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
        with contextlib.suppress(Exception):
            await self.sweep.tell_refusals()
        await self.tongues.close()
        await self.ledger.close()
        log.info("gateway.stopped")

    async def refresh(self) -> None:
        """Take the registry as it is now."""
        version, rows = await self.ledger.registry()
        try:
            self.picture = picture_of(self.settings, version, rows, self.built_in)
        except Misconfigured as error:
            log.error("registry.unreadable", version=version, detail=str(error))  # noqa: TRY400 - told by its words
            return
        self.tongues.forget_gone(self.picture.directory)
        log.info("registry.changed", version=version)

    async def _look_at_registry(self) -> None:
        if await self.ledger.registry_version() != self.picture.directory.version:
            await self.refresh()

    async def _readiness(self) -> Mapping[str, bool]:
        return {"ledger": await self.ledger.is_writable(), "dispatch": self.is_working()}

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


def _as_address(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host or "0.0.0.0"  # noqa: S104 - names what was bound


@contextlib.asynccontextmanager
async def running(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Gateway]:
    """A gateway that listens and works for the length of a ``with`` block."""
    opened = await Gateway.open(settings, clock=clock)
    try:
        await opened.start()
    except BaseException:
        await opened.ledger.close()
        raise
    try:
        yield opened
    finally:
        await opened.stop()


def stand_in(adapter: str) -> ModuleType:
    """The agency in small that comes with an adapter (``adapters/NAME/stand_in.py``): for demo, mocks and tests."""
    return importlib.import_module(f"adapters.{adapter}.stand_in")
