"""The steps of one process, wired over the chosen ledger and broker: who hands what to whom."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import gateway
from gateway.compose.asked import missing_on, operations_on, reconcile_on, requests_on
from gateway.compose.choices import (
    agency_lists_of,
    dossiers_of,
    open_broker,
    peers_of,
    query_log_of,
    register_of,
    retention_of,
)
from gateway.compose.handouts import handed_out, own_addresses
from gateway.compose.inspection import inspect_on
from gateway.compose.picture import Picture
from gateway.config.law import read_law
from gateway.config.settings import Settings
from gateway.core.contract import Catalog
from gateway.core.directory import Directory, System
from gateway.core.documents.entry import DocumentEntry, Obligation
from gateway.core.documents.registrar import Registrar
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import DossierEvent
from gateway.core.envelope import Event
from gateway.core.law.rules import Law, owed
from gateway.core.moments import day_of
from gateway.core.routing import Route
from gateway.ports import AdapterContext, Broker, Clock, Ledger, Spool
from gateway.ports.documents import Register
from gateway.relay.accept import Accept
from gateway.relay.backfill import Backfill
from gateway.relay.collect import Collect
from gateway.relay.company import Company
from gateway.relay.dispatch import Dispatch
from gateway.relay.documents import Documents
from gateway.relay.dossiers import Dossiers, said_of_dossier
from gateway.relay.inspect import Inspect
from gateway.relay.missing import ReplayMissing
from gateway.relay.operations import Operations
from gateway.relay.outage import Outages
from gateway.relay.proof import Proofs
from gateway.relay.proposals import Proposals
from gateway.relay.providers import Providers
from gateway.relay.pull import Pull
from gateway.relay.query import Queries
from gateway.relay.reception import Reception
from gateway.relay.reconcile import Reconcile
from gateway.relay.registers import Registers
from gateway.relay.remind import Remind
from gateway.relay.replay import Replay
from gateway.relay.report import Report
from gateway.relay.requests import Requests
from gateway.relay.retire import Retire
from gateway.relay.second_way import SecondWay
from gateway.relay.settle import Settlement
from gateway.relay.sweep import Sweep
from gateway.relay.sync import Sync
from gateway.relay.translate import Translate
from gateway.relay.unmatched import Unmatched
from gateway.relay.upload import UploadLimits, Uploads
from gateway.relay.vigil import Vigil
from gateway.relay.watch import Watch
from gateway.store.scratch import Scratch
from gateway.store.uploads import UploadFolder
from gateway.tongues import Tongues
from gateway.trust.keyring import Keyring


@dataclass(slots=True)
class Steps:
    """Every step, ready to be called; nothing runs by itself, and nothing in it is global."""

    settings: Settings
    ledger: Ledger
    keyring: Keyring
    clock: Clock
    spool: Spool
    picture: Picture
    #: The port on which it listens, once it does.
    port: int = 0
    broker: Broker = field(init=False)
    company: Company = field(init=False)
    outages: Outages = field(init=False)
    tongues: Tongues = field(init=False)
    accept: Accept = field(init=False)
    pull: Pull = field(init=False)
    dispatch: Dispatch = field(init=False)
    collect: Collect = field(init=False)
    reception: Reception = field(init=False)
    sweep: Sweep = field(init=False)
    watch: Watch = field(init=False)
    uploads: Uploads = field(init=False)
    inspect: Inspect = field(init=False)
    scratch: Scratch = field(init=False)
    operations: Operations = field(init=False)
    requests: Requests = field(init=False)
    backfill: Backfill = field(init=False)
    replay: Replay = field(init=False)
    retire: Retire = field(init=False)
    proposals: Proposals = field(init=False)
    registers: Registers = field(init=False)
    sync: Sync = field(init=False)
    register: Register = field(init=False)
    unmatched: Unmatched = field(init=False)
    documents: Documents = field(init=False)
    dossiers: Dossiers = field(init=False)
    queries: Queries = field(init=False)
    providers: Providers = field(init=False)
    reconcile: Reconcile = field(init=False)
    missing: ReplayMissing = field(init=False)
    law: Law = field(init=False)
    remind: Remind = field(init=False)

    def __post_init__(self) -> None:
        """Raises Misconfigured where the broker's URL or the law's files cannot be used."""

        def directory() -> Directory:
            return self.picture.directory

        def catalog() -> Catalog:
            return self.picture.catalog

        settings, ledger, clock, signer = self.settings, self.ledger, self.clock, self.keyring.signer
        process = settings.process
        self.law = read_law(settings.law_folders, settings.folder)
        self.broker = broker = open_broker(settings, self._pushed)
        self.company = Company(process, clock, peers_of(ledger) if settings.is_shared else None)
        settlement = Settlement(directory)
        proofs = Proofs(directory, clock.now)
        translate = Translate(ledger, catalog, signer, settings.system)
        self.outages = outages = Outages(ledger)
        self.tongues = Tongues(settings.adapter_folders, self._context)
        self.registers = Registers(ledger, directory, clock)
        self.accept = Accept(
            ledger, broker, directory, catalog, signer, self.keyring.signer_of, self.tongues.pulling(), clock,
            line_of=Registrar(self._owed).line, dossier_of=self._said_of_dossier, vigil=Vigil(ledger, lambda: self.law),
            registers=self.registers,
        )  # fmt: skip
        self.inspect = inspect_on(settings, ledger, self.spool, directory, clock)
        self.pull = Pull(ledger, translate, settlement, proofs, clock, broker.announce, self.inspect)
        self.dispatch = Dispatch(
            ledger=ledger, broker=broker, directory=directory, adapter_of=self.tongues.of,
            is_pushed=self.tongues.is_pushed, translate=translate, settlement=settlement, proofs=proofs,
            outages=outages, clock=clock, owner=f"push:{settings.system}:{process}", on_announced=self.pull.notify,
            inspect=self.inspect,
        )  # fmt: skip
        self.collect = Collect(
            ledger, self.spool, SecondWay(self.accept, directory), directory, self.tongues.of, self.tongues.collects,
            clock, settings.file_limit, self.inspect, self.company.leads,
        )  # fmt: skip
        report = Report(ledger, self.accept, directory, clock)
        self.sweep = Sweep(
            ledger, self.spool, settlement, report, clock, self.accept.refusals, broker.announce, outages.down,
            self.company.leads,
        )  # fmt: skip
        self.operations = operations_on(ledger, directory, clock)
        self.watch = Watch(self.operations.failures, clock, self.company.leads)
        self.replay = Replay(
            self.operations.replays, self.operations.failures, ledger, settlement, directory, clock,
            f"replay:{process}:{secrets.token_hex(4)}", broker.announce,
        )  # fmt: skip
        self.requests = requests_on(ledger, directory, catalog, clock)
        self.backfill = Backfill(
            self.requests.backfills, directory, catalog, self.tongues.pulling(), clock,
            f"backfill:{process}:{secrets.token_hex(4)}", broker.announce,
        )  # fmt: skip
        self.retire = Retire(
            ledger, retention_of(ledger), settings.ages, clock, f"retention:{process}", self.company.leads
        )
        self.scratch = Scratch(settings.data / "scratch")
        self.reception = Reception(
            self.collect.receive, directory, self.tongues.of, self.tongues.answers, self.scratch.sink
        )
        self.register = register_of(ledger)
        self.documents = Documents(self.register, ledger, directory)
        self.dossiers = Dossiers(
            dossiers_of(ledger), ledger, catalog, lambda: self.law.calendar, clock, f"dossiers:{process}"
        )
        self.remind = Remind(ledger, self.register, self.accept, directory, lambda: self.law, clock)
        self.unmatched = Unmatched(self.register, clock, settings.status_wait, f"register:{process}")
        self.proposals = Proposals(agency_lists_of(ledger), directory, clock)
        self.sync = Sync(
            self.proposals, directory, self.tongues.of, self.tongues.lists_agencies, clock, settings.directory_every
        )
        self.providers = Providers(
            self.tongues.of, f"lgsp/{gateway.__version__}", lambda: own_addresses(settings, self.port)
        )
        self.queries = Queries(
            query_log_of(ledger), ledger, directory, catalog, signer, self.keyring.mark_key, self.providers.ask, clock,
            self.accept.turnstile,
        )  # fmt: skip
        self.reconcile = reconcile_on(
            ledger, directory, catalog, lambda: self.law.calendar, clock, tongues=self.tongues
        )
        self.missing = missing_on(ledger, self.operations, clock)
        partials = UploadFolder(settings.files_folder / "uploads")
        self.uploads = Uploads(partials, self.spool, ledger, clock, UploadLimits(settings.file_limit), self.inspect)

    def _owed(self, entry: DocumentEntry, event: Event, now: float) -> tuple[Obligation, ...]:
        """What the recipients of a document owe by law."""
        return owed(self.law, self.picture.directory, entry, event, now)

    def _said_of_dossier(
        self, event: Event, routes: Sequence[Route], directory: Directory, now: float
    ) -> DossierEvent | None:
        """What a message says of a dossier."""
        return said_of_dossier(event, routes, directory, now, self.law.calendar)

    def _context(self, system: System) -> AdapterContext:
        return handed_out(
            system, self.settings, self.keyring, now=self.clock.now, open_file=self.spool.open,
            new_sink=self.scratch.sink, port=self.port,
            dossier=partial(self._dossier, system), course=partial(self._course, system), agency_name=self._called,
        )  # fmt: skip

    def _called(self, code: str) -> str:
        """What an agency is called; the code of one that the directory does not know."""
        agency = self.picture.directory.agency(code)
        return code if agency is None else agency.name

    async def _dossier(self, system: System, code: str) -> Dossier | None:
        """What a system's adapter may know of a dossier."""
        if self.tongues.reads_all(system):
            return await self.dossiers.view(code)
        return await self.dossiers.view_for(code, self._selves(system))

    async def _course(self, system: System, code: str) -> Dossier | None:
        """The same without its record."""
        if self.tongues.reads_all(system):
            return await self.dossiers.course(code)
        return await self.dossiers.course_for(code, self._selves(system))

    def _selves(self, system: System) -> frozenset[str]:
        """The codes for which its agency stands: its own, and closed ones in whose place it came."""
        return frozenset(self.picture.directory.naming.selves(system.agency, day_of(self.clock.now())))

    def _pushed(self) -> list[str]:
        """Systems to which the bus delivers by itself."""
        systems = self.picture.directory.systems.values()
        return [system.name for system in systems if self.tongues.is_pushed(system)]
