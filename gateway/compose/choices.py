"""The choices: which store and broker the settings mean. What was not chosen is not imported."""

# ruff: noqa: PLC0415 - as the sentence above says

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from gateway.config.settings import Settings
from gateway.config.whereabouts import LOCAL
from gateway.ports import Broker, Ledger
from gateway.ports.backfills import Backfills
from gateway.ports.failures import Failures
from gateway.ports.peers import Peers
from gateway.ports.replays import Replays

if TYPE_CHECKING:
    from gateway.store.sqlite import examination as looking


__all__ = ["backfills_of", "failures_and_replays", "looking", "open_broker", "open_ledger", "peers_of", "stand_in"]


def open_ledger(settings: Settings) -> Ledger:
    """The ledger that the settings name, not opened yet; raises Misconfigured where its password cannot be read."""
    if settings.is_embedded:
        from gateway.store.sqlite.ledger import SqliteLedger

        return SqliteLedger(settings.store_path)
    from gateway.store.postgres.ledger import PostgresLedger

    return PostgresLedger(settings.store_whereabouts(), pgbouncer=settings.pgbouncer, pool=settings.pool)


def open_broker(settings: Settings, known: Callable[[], Iterable[str]]) -> Broker:
    """The broker that the settings name, not opened yet; raises Misconfigured where its password cannot be read.

    ``known``: today's systems to which this gateway delivers.
    """
    if settings.broker_url == LOCAL:
        from gateway.broker.local import LocalBroker

        return LocalBroker()
    from gateway.broker.rabbitmq import RabbitBroker

    return RabbitBroker(settings.broker_whereabouts(), settings.process, known=known)


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


def peers_of(ledger: Ledger) -> Peers:
    """What the processes on a ledger know of each other, in its own database."""
    if _is_embedded(ledger):
        from gateway.store.sqlite import peers as embedded

        return embedded.peers_of(ledger)
    from gateway.store.postgres import peers

    return peers.peers_of(ledger)


def _is_embedded(ledger: Ledger) -> bool:
    from gateway.store.sqlite.ledger import SqliteLedger

    return isinstance(ledger, SqliteLedger)


def stand_in(adapter: str) -> ModuleType:
    """The agency in small that comes with an adapter (``adapters/NAME/stand_in.py``): for demo, mocks and tests."""
    return importlib.import_module(f"adapters.{adapter}.stand_in")


def __getattr__(name: str) -> ModuleType:
    """``looking``: at the settings' SQLite file from outside any gateway, as doctor, backup and restore do."""
    if name != "looking":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("gateway.store.sqlite.examination")
