"""What the doors need from the rest of the house, in one frozen value, and the limits they keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aiohttp import web

from gateway.core.contract import Catalog
from gateway.core.directory import Certificate, Directory, System
from gateway.core.envelope import MAX_ENVELOPE
from gateway.core.faults import Fault
from gateway.core.jws import Signer
from gateway.ports import Accepted, Clock, Ledger, Spool
from gateway.ports.failures import Failures
from gateway.relay.documents import Documents
from gateway.relay.dossiers import Dossiers
from gateway.relay.inspect import Inspect
from gateway.relay.missing import ReplayMissing
from gateway.relay.operate import Operate
from gateway.relay.operations import Operations
from gateway.relay.proposals import Proposals
from gateway.relay.query import Queries
from gateway.relay.reception import Reception
from gateway.relay.reconcile import Reconcile
from gateway.relay.registers import Registers
from gateway.relay.requests import Requests
from gateway.relay.upload import Uploads


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who runs the bus: name and role (``viewer``, ``operator``, ``approver``, ``admin``)."""

    name: str
    role: str


class Accepting(Protocol):
    """The front door's step: one outcome per envelope, in the same order."""

    @property
    def pulling(self) -> frozenset[str]:
        """Adapters whose recipients fetch for themselves."""

    @property
    def refusals(self) -> Counter[tuple[str, int, str]]:
        """Refusals before the signer is known, by address, minute since 1970 and problem: to be added to."""

    async def sealed_many(self, bodies: Sequence[bytes], *, address: str) -> list[Accepted | Fault]:
        """Accept envelopes; ``address`` is the peer's."""

    async def unsigned(self, system: System, body: bytes) -> Accepted | Fault:
        """Accept an unsigned event of an authenticated system for which the bus signs."""


class Parcelled(Protocol):
    """A delivery in a recipient's hands."""

    @property
    def delivery(self) -> str:
        """The delivery's id."""

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""

    @property
    def envelope(self) -> str:
        """The envelope as the subscription wants it."""

    @property
    def carried(self) -> Sequence[str]:
        """Codes of the agencies that the recipient carries it for."""


class Pulling(Protocol):
    """The inbox: a recipient leases and settles its own deliveries. Moments and waits in seconds."""

    async def lease(self, system: System, *, max: int, wait: float, visibility: float) -> Sequence[Parcelled]:
        """At most ``max`` due deliveries, waiting up to ``wait`` for the first; leased for ``visibility``."""

    async def settle(
        self,
        system: System,
        *,
        taken: Sequence[tuple[str, bytes | None]],
        refused: Sequence[tuple[str, str]],
        later: Sequence[tuple[str, float]],
    ) -> tuple[int, list[str]]:
        """How many were settled, and the ids that are no delivery of this system."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    #: One envelope, without its line end.
    envelope: int = MAX_ENVELOPE
    batch: int = 32 * 1024 * 1024
    batch_lines: int = 1000
    #: A token request; an assertion may carry a chain of certificates.
    form: int = 64 * 1024
    #: A JSON body of any other door.
    json: int = 4 * 1024 * 1024
    #: All bodies of messages in memory at once; over it the bus answers ``overloaded``.
    intake: int = 256 * 1024 * 1024
    #: How long a body may take to arrive.
    body_seconds: float = 60.0
    batch_seconds: float = 300.0
    #: What an agency's software brings to its system's door, files in its own words among it; lines may be slow.
    visit: int = 64 * 1024 * 1024
    visit_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Doors:
    """The needs of every door. The callables answer with today's picture, cheaply: they are asked per request."""

    accept: Accepting
    pull: Pulling
    uploads: Uploads
    inspect: Inspect
    failures: Failures
    operations: Operations
    operate: Operate
    requests: Requests
    proposals: Proposals
    registers: Registers
    documents: Documents
    dossiers: Dossiers
    queries: Queries
    reconcile: Reconcile
    missing: ReplayMissing
    ledger: Ledger
    spool: Spool
    directory: Callable[[], Directory]
    catalog: Callable[[], Catalog]
    #: Operators by the SHA-256 (hex) of their bearer token; see :func:`gateway.api.identity.operators_of`.
    operators: Callable[[], Mapping[str, Operator]]
    #: The gateway's signing key; signs access tokens too, under a ``typ`` of their own.
    signer: Signer
    #: The JWK Set to publish: signing keys of today and before, then the webhook key.
    jwks: Callable[[], Mapping[str, Any]]
    #: Certificates of the gateway's own keys, present and past.
    gateway_certificates: Callable[[], Sequence[Certificate]]
    clock: Clock
    #: Named checks of whether it accepts and delivers; asked by /health/ready.
    readiness: Callable[[], Awaitable[Mapping[str, bool]]]
    #: The figures of this gateway in Prometheus' text form.
    figures: Callable[[], Awaitable[bytes]]
    #: Without a slash at the end.
    public_url: str
    #: Whether every listener is bound to a loopback address.
    is_loopback: bool = False
    #: An operation on more deliveries than this is begun by an approver.
    approval_above: int = 10_000
    limits: Limits = field(default_factory=Limits)
    #: Adapters whose recipients fetch for themselves.
    pulling: frozenset[str] = frozenset({"inbox"})
    #: Answers agencies' software at the doors of its systems; None where no system has one.
    reception: Reception | None = None


DOORS: Final = web.AppKey("DOORS", Doors)
