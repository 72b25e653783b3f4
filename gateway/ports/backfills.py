"""The promise of what keeps late subscribers' requests and makes their deliveries: each once, whatever crashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.backfill import Found, Phase
from gateway.core.delivery import Delivery
from gateway.ports.records import AuditRow


@dataclass(frozen=True, slots=True)
class Request:
    """A system's request for what it missed of a contract: messages accepted from ``since`` to before ``until``.

    ``last`` is the place of the youngest message there was when it was asked: no younger one is meant, also where
    ``until`` is None. ``decided_by``,
    ``decision``: who approved, refused or cancelled it, and why in words. ``reached``: messages up to this place were
    looked at, ``made`` of them made a delivery, the others (``left_out``) did not, by reason.
    """

    id: str
    system: str
    contract: str
    since: float
    until: float | None
    reason: str
    asked_at: float
    phase: Phase = Phase.ASKED
    last: int = 0
    decided_by: str | None = None
    decision: str | None = None
    decided_at: float | None = None
    ended_at: float | None = None
    reached: int = 0
    made: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """Messages that a request means, in order of acceptance; with them all up to the place ``end`` are known."""

    found: tuple[Found, ...]
    end: int


@dataclass(frozen=True, slots=True)
class Made:
    """What a slice comes to: deliveries of kept messages, and how many messages make none, by reason."""

    slice: Slice
    deliveries: Sequence[Delivery]
    left_out: Mapping[str, int]


class Backfills(Protocol):
    """Keeps requests. Each call is one transaction; what it did survives a power cut."""

    async def ask(self, request: Request, audit: AuditRow) -> Request:
        """Keep a new request, with its audit row; answers it with ``last``.

        Where that system has an open one for that contract (asked, approved, running), that one is answered and
        nothing is kept.
        """

    async def find(self, id: str) -> Request | None:
        """One request."""

    async def listed(self, *, system: str | None = None, phase: Phase | None = None, limit: int = 100) -> list[Request]:
        """Requests, of one system and in one phase where these are given, the youngest first."""

    async def change(self, before: Phase, request: Request, audit: AuditRow) -> bool:
        """Write phase, decision and end of a request where its phase still is ``before``; says whether it was."""

    async def lease(self, owner: str, *, now: float, until: float) -> list[Request]:
        """Approved and running requests that nobody else drives at ``now``, driven by ``owner`` until ``until``."""

    async def count(self, request: Request, *, most: int) -> int:
        """How many messages a request means, counted to ``most``."""

    async def missed(self, request: Request, *, after: int, limit: int) -> Slice:
        """The next messages that a request means, after the place ``after``: ``limit`` and 8 MiB of them at most."""

    async def waiting(self, recipient: str, *, most: int) -> int:
        """How many deliveries to a recipient are queued, counted to ``most``."""

    async def make(self, request: Request, made: Made, *, owner: str, audit: AuditRow, now: float) -> bool:
        """Make the deliveries of a slice and remember how far the request is, with the audit row.

        Each delivery goes behind what is open in its lane, as at acceptance; recipients and receipt of its message
        stay as they are. False, and nothing is done, where the request is not running, ``owner`` does not drive it,
        it is no longer where ``request.reached`` says, one of the deliveries is there already, or a message of theirs
        has lost its body meanwhile.
        """
