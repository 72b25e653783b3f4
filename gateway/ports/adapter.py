"""The promise of what speaks an agency's tongue, and what passes between it and the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

from gateway.core.content import MemorySink, NewSink
from gateway.core.directory import System
from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import Text
from gateway.core.handover import Collected, CollectedFile, HandedOver, Parcel, Uncollectable
from gateway.core.jws import Signer
from gateway.core.sketch import Sketch
from gateway.core.visit import Call, NotReceived, Received, Reply

__all__ = [
    "Adapter",
    "AdapterContext",
    "AdapterKind",
    "Answering",
    "Call",
    "Collected",
    "CollectedFile",
    "HandedOver",
    "NotReceived",
    "Parcel",
    "Received",
    "Reply",
    "Sketch",
    "Take",
    "Trying",
    "Uncollectable",
]

#: Accepts one item for the system whose door was called, as if it had been collected: what answers ``Received`` is
#: durable. Raises Busy where the bus cannot take it now: the caller is told to come again.
Take = Callable[[Collected], Awaitable[Received | NotReceived]]


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


class Answering(Adapter, Protocol):
    """An adapter whose agency calls the bus (``ANSWERS = True`` in its module): it has a door of its own.

    The door is ``{public_url}/in/AGENCY/SYSTEM/`` and whatever follows it, any method. Who calls is the adapter's to
    prove, by what that software can do (``gateway.calls.gate``).
    """

    async def answer(self, call: Call, take: Take) -> Reply:
        """Answer one call in the caller's own words; what it brings is taken before it is told that it was.

        A Fault that it raises, and whatever is unforeseen, becomes a problem of the bus's own.
        """


def _no_link(sha256: str, name: str) -> str:
    raise FileNotFoundError(f"nobody gives out files here: {sha256} {name}")


async def _no_dossier(_: str) -> Dossier | None:
    return None


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
    #: An address under which whoever has it may fetch a file of the spool for a while: (SHA-256, file name) -> URL.
    link: Callable[[str, str], str] = _no_link
    #: A dossier by its code as anybody writes it, with its record: what is known of it now; None of an unknown one.
    #: An adapter is given what its system's agency may see: nothing of a dossier with which that has nothing to do, and
    #: a record of what was sent by it or to it. One that says ``READS = "all"`` is given everything.
    dossier: Callable[[str], Awaitable[Dossier | None]] = _no_dossier
    #: The same without its record, which costs nothing to make.
    course: Callable[[str], Awaitable[Dossier | None]] = _no_dossier
    #: The address at which the system's software calls the bus (see :class:`Answering`); empty outside a gateway.
    door: str = ""
    #: What an agency is called by its code or another one: its name in the directory; the code of an unknown one.
    agency_name: Callable[[str], str] = str


class Trying(Protocol):
    """An adapter tried on samples, without its far side: what ``dry(context)`` of its module gives, where it has one.

    Neither method sends anything or raises for any sample. ``parts``: what can be told in the far side's words.
    """

    @property
    def parts(self) -> Sequence[str]:
        """Their names."""

    async def outgoing(self, event: Mapping[str, Any]) -> Sketch:
        """What would be asked of the far side for a message or a query."""

    async def incoming(self, part: str, sample: bytes) -> Sketch:
        """What would come of an answer, an item or a call in the far side's words."""


class AdapterKind(Protocol):
    """What ``adapters/NAME/adapter.py`` offers as a module."""

    #: ``push``: the bus delivers; ``pull``: the recipient leases from the inbox.
    MODE: Literal["push", "pull"]
    #: Whether the bus must call ``collect``.
    COLLECTS: bool
    #: Whether its agency calls the bus: the adapter is an :class:`Answering`. Absent means no.
    ANSWERS: bool
    #: Which dossiers ``AdapterContext.dossier`` gives it: what its system's agency may see (``own``, also where it is
    #: absent), or ``all``, for one that speaks for the province to a portal or to applicants. Whoever registers a
    #: system chooses the kind, and with it this: no setting and no message does.
    READS: Literal["own", "all"]

    def open_adapter(self, context: AdapterContext) -> Adapter:
        """An adapter for one system; raises Misconfigured where its settings cannot work."""
