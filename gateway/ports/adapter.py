"""The promise of what speaks an agency's tongue, and what passes between it and the bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from gateway.core.content import MemorySink, NewSink
from gateway.core.directory import System
from gateway.core.faults import Text
from gateway.core.handover import Collected, CollectedFile, HandedOver, Parcel, Uncollectable
from gateway.core.jws import Signer

__all__ = [
    "Adapter",
    "AdapterContext",
    "AdapterKind",
    "Collected",
    "CollectedFile",
    "HandedOver",
    "Parcel",
    "Uncollectable",
]


class Adapter(Protocol):
    """Speaks one agency system's tongue. One instance per system; no retry, no queue of its own.

    ``deliver`` raises TransientFailure, TimedOut, PermanentFailure or DestinationGone; anything else it
    raises counts as transient. It passes the delivery id on, so that the agency can drop repeats.
    """

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Hand one message over; returns only when the agency took it."""

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:
        """Items waiting at the agency, oldest first; the same again until settled. Empty where it only takes."""

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Tell the agency that an item was accepted (None), or why it was refused. Safe to repeat."""

    async def close(self) -> None:
        """Let go within 5 seconds."""


@dataclass(frozen=True, slots=True)
class AdapterContext:
    """What an adapter may use: its system, checked settings, the province folder, and the gateway's hand-outs."""

    system: System
    settings: Mapping[str, Any]
    folder: Path
    user_agent: str
    #: Signs ``webhook-signature`` v1a; the gateway's webhook key.
    webhook_signer: Signer
    #: The agency's shared secrets by file path, read at the moment of use; never logged.
    read_secret: Callable[[str], bytes]
    #: A file that a message names, to read and seek in; the adapter closes it. FileNotFoundError where it is not held.
    open_file: Callable[[str], BinaryIO]
    #: (host, port) pairs on which this gateway itself listens: an adapter must not call them.
    own_addresses: frozenset[tuple[str, int]]
    now: Callable[[], float]
    #: The address of the bus's RabbitMQ, with its password: read at the moment of use, never logged; "local" without.
    broker_url: Callable[[], str] = lambda: "local"
    #: Takes what an adapter fetches, on the gateway's disk: nothing large has to fit into memory.
    new_sink: NewSink = MemorySink


class AdapterKind(Protocol):
    """What ``adapters/NAME/adapter.py`` offers as a module."""

    #: ``push``: the bus delivers; ``pull``: the recipient leases from the inbox.
    MODE: Literal["push", "pull"]
    #: Whether the bus must call ``collect``.
    COLLECTS: bool

    def open_adapter(self, context: AdapterContext) -> Adapter:
        """An adapter for one system; raises Misconfigured where its settings cannot work."""
