"""What people ask of a ledger that gateways may be using at the same time: steps without a gateway around them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable

from gateway.compose.choices import (
    agency_lists_of,
    backfills_of,
    dossiers_of,
    failures_and_replays,
    manifests_of,
    query_log_of,
    register_of,
)
from gateway.core.calendar import Calendar
from gateway.core.contract import Catalog
from gateway.core.directory import Directory, System
from gateway.core.query import mark_of
from gateway.ports import Adapter, Clock, Ledger
from gateway.relay.clock import SystemClock
from gateway.relay.differences import Differences
from gateway.relay.documents import Documents
from gateway.relay.dossiers import Dossiers
from gateway.relay.gather import Gather
from gateway.relay.lookups import Lookups
from gateway.relay.missing import ReplayMissing
from gateway.relay.operate import Operate
from gateway.relay.operations import Operations
from gateway.relay.proposals import Proposals
from gateway.relay.reconcile import Reconcile
from gateway.relay.registers import Registers
from gateway.relay.requests import Requests
from gateway.relay.settle import Settlement
from gateway.tongues import Tongues


def operate_on(ledger: Ledger, directory: Callable[[], Directory], clock: Clock | None = None) -> Operate:
    """What an operator does to one destination or delivery."""
    return Operate(ledger, directory, Settlement(directory), clock or SystemClock())


def operations_on(ledger: Ledger, directory: Callable[[], Directory], clock: Clock | None = None) -> Operations:
    """Operations on many deliveries."""
    failures, replays = failures_and_replays(ledger)
    return Operations(
        replays, failures, ledger, directory, clock or SystemClock(), lambda: f"op-{secrets.token_hex(5)}"
    )


def documents_on(ledger: Ledger, directory: Callable[[], Directory]) -> Documents:
    """What became of documents."""
    return Documents(register_of(ledger), ledger, directory)


def dossiers_on(ledger: Ledger, catalog: Callable[[], Catalog], calendar: Calendar) -> Dossiers:
    """Where dossiers stand."""
    return Dossiers(dossiers_of(ledger), ledger, catalog, lambda: calendar, SystemClock(), "dossiers")


def lookups_on(ledger: Ledger, mark_key: Callable[[], bytes]) -> Lookups:
    """Who asked what of whom."""
    return Lookups(query_log_of(ledger), ledger, SystemClock(), lambda subject: mark_of(subject, mark_key()))


def proposals_on(ledger: Ledger, directory: Callable[[], Directory], clock: Clock | None = None) -> Proposals:
    """Proposed lists of agencies."""
    return Proposals(agency_lists_of(ledger), directory, clock or SystemClock())


def registers_on(ledger: Ledger, directory: Callable[[], Directory], clock: Clock | None = None) -> Registers:
    """Who is trusted with which register."""
    return Registers(ledger, directory, clock or SystemClock())


def requests_on(
    ledger: Ledger, directory: Callable[[], Directory], catalog: Callable[[], Catalog], clock: Clock | None = None
) -> Requests:
    """What late subscribers ask for."""
    return Requests(backfills_of(ledger), directory, catalog, clock or SystemClock(), lambda: str(uuid.uuid4()))


def reconcile_on(
    ledger: Ledger,
    directory: Callable[[], Directory],
    catalog: Callable[[], Catalog],
    calendar: Callable[[], Calendar],
    clock: Clock | None = None,
    *,
    tongues: Tongues | None = None,
) -> Reconcile:
    """Daily manifests; without ``tongues`` no system is asked for its own."""
    clock = clock or SystemClock()
    manifests = manifests_of(ledger)
    gather = Gather(manifests, directory, catalog, calendar, clock)
    differences = Differences(manifests, ledger, gather, clock)
    if tongues is None:
        return Reconcile(manifests, gather, differences, directory, calendar, clock, _nobody, lambda _: False)
    return Reconcile(manifests, gather, differences, directory, calendar, clock, tongues.of, tongues.states_manifests)


def missing_on(ledger: Ledger, operations: Operations, clock: Clock | None = None) -> ReplayMissing:
    """Sending again what a receiver lost."""
    return ReplayMissing(manifests_of(ledger), operations, ledger, clock or SystemClock())


def _nobody(system: System) -> Adapter:
    raise LookupError(f"no adapter is open for {system.name} here")
