"""The choices: which store and broker the settings mean. What was not chosen is not imported."""

# ruff: noqa: PLC0415 - as the sentence above says

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gateway.config.settings import Settings
from gateway.config.whereabouts import LOCAL
from gateway.core.faults import Misconfigured, Text
from gateway.ports import Broker, Ledger, Spool
from gateway.ports.agency_lists import AgencyLists
from gateway.ports.backfills import Backfills
from gateway.ports.copies import Copies, Server
from gateway.ports.documents import Register
from gateway.ports.dossiers import DossierRegister
from gateway.ports.failures import Failures
from gateway.ports.findings import FindingsBook
from gateway.ports.manifests import Manifests
from gateway.ports.peers import Peers
from gateway.ports.queries import QueryLog
from gateway.ports.replays import Replays
from gateway.ports.retention import Retention
from gateway.tongues import BUILT_IN

if TYPE_CHECKING:
    from gateway.store.sqlite import examination as looking


__all__ = [
    "agency_lists_of",
    "backfills_of",
    "copies_of",
    "dossiers_of",
    "failures_and_replays",
    "findings_book_of",
    "known_steps",
    "looking",
    "manifests_of",
    "open_broker",
    "open_ledger",
    "open_spool",
    "peers_of",
    "query_log_of",
    "register_of",
    "retention_of",
    "server_of",
    "stand_in",
    "stand_ins",
]


def open_ledger(settings: Settings) -> Ledger:
    """The ledger that the settings name, not opened yet; raises Misconfigured where its password cannot be read."""
    if settings.is_embedded:
        from gateway.store.sqlite.ledger import SqliteLedger

        return SqliteLedger(settings.store_path)
    from gateway.store.postgres.ledger import PostgresLedger

    return PostgresLedger(settings.store_whereabouts(), pgbouncer=settings.pgbouncer, pool=settings.pool)


def copies_of(settings: Settings) -> Copies:
    """What makes copies of the ledger that the settings name, for backup; raises Misconfigured as above."""
    if settings.is_embedded:
        from gateway.store.sqlite.copies import SqliteCopies

        return SqliteCopies(settings.store_path, settings.shown(settings.store_path))
    return server_of(settings)


def server_of(settings: Settings) -> Server:
    """The same where the ledger lies on a server, for restore."""
    from gateway.store.postgres.copies import PostgresCopies

    return PostgresCopies(settings.store_whereabouts())


def known_steps(copy: str) -> int | None:
    """The last step that this program knows of the store whose copies are called ``copy``; None for no such store."""
    from gateway.store.postgres.copies import PostgresCopies
    from gateway.store.sqlite.copies import SqliteCopies

    makers: tuple[Copies, ...] = (SqliteCopies(Path(), ""), PostgresCopies(""))
    return next((each.known for each in makers if each.name == copy), None)


def open_broker(settings: Settings, known: Callable[[], Iterable[str]]) -> Broker:
    """The broker that the settings name, not opened yet; raises Misconfigured where its password cannot be read.

    ``known``: today's systems to which this gateway delivers.
    """
    if settings.broker_url == LOCAL:
        from gateway.broker.local import LocalBroker

        return LocalBroker()
    from gateway.broker.rabbitmq import RabbitBroker

    return RabbitBroker(settings.broker_whereabouts(), settings.process, known=known)


def open_spool(settings: Settings) -> Spool:
    """Where the settings keep files; raises Misconfigured where they cannot be kept there."""
    if settings.storage is None:
        from gateway.store.files import Files

        return Files(settings.files_folder)
    try:
        from gateway.store.bucket import Bucket, Place
    except ModuleNotFoundError:
        raise Misconfigured(
            "lgsp.toml [files] url",
            Text("Chưa cài phần kho tệp S3", "What speaks to S3-compatible storage is not installed"),
            Text("Quản trị viên cài lienthong[s3].", "The administrator installs lienthong[s3]."),
        ) from None
    kept = settings.storage
    key, secret = kept.keys()
    place = Place(kept.bucket, kept.prefix, kept.endpoint, kept.region, key, secret)
    return Bucket(place, settings.files_folder / "incoming")


def failures_and_replays(ledger: Ledger) -> tuple[Failures, Replays]:
    """What knows about failures and operations, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import replays as embedded

        return embedded.failures_and_replays(ledger)
    from gateway.store.postgres import replays

    return replays.failures_and_replays(ledger)


def backfills_of(ledger: Ledger) -> Backfills:
    """What keeps late subscribers' requests, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import backfills as embedded

        return embedded.backfills_of(ledger)
    from gateway.store.postgres import backfills

    return backfills.backfills_of(ledger)


def agency_lists_of(ledger: Ledger) -> AgencyLists:
    """What keeps lists of agencies, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import agency_lists as embedded

        return embedded.agency_lists_of(ledger)
    from gateway.store.postgres import agency_lists

    return agency_lists.agency_lists_of(ledger)


def register_of(ledger: Ledger) -> Register:
    """The register of documents, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import documents as embedded

        return embedded.register_of(ledger)
    from gateway.store.postgres import documents

    return documents.register_of(ledger)


def dossiers_of(ledger: Ledger) -> DossierRegister:
    """The register of dossiers, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import dossiers as embedded

        return embedded.dossiers_of(ledger)
    from gateway.store.postgres import dossiers

    return dossiers.dossiers_of(ledger)


def findings_book_of(ledger: Ledger) -> FindingsBook:
    """What keeps what was found in files, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import findings as embedded

        return embedded.findings_book_of(ledger)
    from gateway.store.postgres import findings

    return findings.findings_book_of(ledger)


def query_log_of(ledger: Ledger) -> QueryLog:
    """The log of queries, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import queries as embedded

        return embedded.query_log_of(ledger)
    from gateway.store.postgres import queries

    return queries.query_log_of(ledger)


def manifests_of(ledger: Ledger) -> Manifests:
    """What keeps daily manifests, in the ledger's own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import manifests as embedded

        return embedded.manifests_of(ledger)
    from gateway.store.postgres import manifests

    return manifests.manifests_of(ledger)


def peers_of(ledger: Ledger) -> Peers:
    """What the processes on a ledger know of each other, in its own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import peers as embedded

        return embedded.peers_of(ledger)
    from gateway.store.postgres import peers

    return peers.peers_of(ledger)


def retention_of(ledger: Ledger) -> Retention:
    """What takes old things out of a ledger, in its own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import retention as embedded

        return embedded.retention_of(ledger)
    from gateway.store.postgres import retention

    return retention.retention_of(ledger)


def _is_embedded(ledger: Ledger) -> bool:
    from gateway.store.sqlite.ledger import SqliteLedger

    return isinstance(ledger, SqliteLedger)


def stand_in(adapter: str) -> ModuleType:
    """The agency in small that comes with an adapter (``adapters/NAME/stand_in.py``): for demo, mocks and tests."""
    return importlib.import_module(f"adapters.{adapter}.stand_in")


def stand_ins() -> list[str]:
    """Names of the adapters with which an agency in small comes, by what is there."""
    return sorted(file.parent.name for file in BUILT_IN.glob("*/stand_in.py"))


def __getattr__(name: str) -> ModuleType:
    """``looking``: at the settings' SQLite file from outside any gateway, as doctor, backup and restore do."""
    if name != "looking":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("gateway.store.sqlite.examination")
