"""The promise of what speaks an agency's tongue, and what passes between it and the bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from gateway.core.directory import System
from gateway.core.faults import Text
from gateway.core.jws import Signer


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an adapter hands over: one attempt of one delivery.

    ``body`` is the envelope as the subscription wants it (the original, or a translation signed by the
    gateway); ``event`` its members, read when somebody looks inside (``dict(event)`` gives all); ``message`` the
    original's id. ``is_translated`` tells whether the data was changed on the way.
    """

    delivery: str
    message: str
    attempt: int
    recipient: System
    body: bytes
    event: Mapping[str, Any]
    format: Literal["jws", "cloudevents"]
    is_translated: bool


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The agency took it: its status code and, where it gave one, its own receipt (compact JWS)."""

    status: int | None = None
    receipt: bytes | None = None


@dataclass(frozen=True, slots=True)
class CollectedFile:
    """A file that came with a collected message, still in the adapter's hands."""

    sha256: str
    size: int
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Collected:
    """A message fetched from a system that cannot send: the bus seals it with the key it keeps for the system.

    ``event`` is the CloudEvent less ``source`` and ``sealedby``. ``origin`` are the bytes as the agency wrote
    them: the same bytes are the same message, for ever. ``token`` is the adapter's own name for the item.
    """

    token: str
    event: Mapping[str, Any]
    origin: bytes
    files: tuple[CollectedFile, ...] = ()
    warnings: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Uncollectable:
    """An item that can never become a message: a short kebab-case reason and a sentence for its author."""

    token: str
    reason: str
    detail: Text


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
    #: The bytes of a file that a message names.
    read_file: Callable[[str], bytes]
    #: (host, port) pairs on which this gateway itself listens: an adapter must not call them.
    own_addresses: frozenset[tuple[str, int]]
    now: Callable[[], float]
    #: The address of the bus's RabbitMQ, with its password: read at the moment of use, never logged; "local" without.
    broker_url: Callable[[], str] = lambda: "local"


class AdapterKind(Protocol):
    """What ``adapters/NAME/adapter.py`` offers as a module."""

    #: ``push``: the bus delivers; ``pull``: the recipient leases from the inbox.
    MODE: Literal["push", "pull"]
    #: Whether the bus must call ``collect``.
    COLLECTS: bool

    def open_adapter(self, context: AdapterContext) -> Adapter:
        """An adapter for one system; raises Misconfigured where its settings cannot work."""
