"""The promises between the rooms of the house: what keeps, what wakes, what speaks an agency's tongue.

Every promise has one conformance suite in ``tests/conformance`` that each implementation inherits. Moments
are seconds since 1970 (UTC); ids of messages are UUIDs in lower case (the *key*), as ids compare without case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from gateway.core.delivery import Delivery
from gateway.core.directory import Directory, System
from gateway.core.faults import Text
from gateway.core.jws import Signer

# ------------------------------------------------------------------ what the ledger is handed and hands out


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that passed every check, with its deliveries and its signed receipt, ready to be kept.

    ``digest`` is lower-case hex SHA-256 of the envelope; ``repeat_digest`` that of the payload bytes (of an
    unsigned event: of the bytes as posted). ``deliveries`` are all queued: the ledger blocks those whose lane
    is busy and holds those whose destination is on hold. ``files`` are the SHA-256 (hex) that ``data`` names.
    """

    key: str
    id: str
    source: str
    type: str
    version: str
    subject: str
    accepted_at: float
    digest: str
    repeat_digest: str
    envelope: bytes
    recipients: tuple[str, ...]
    receipt: str
    receipt_payload: bytes
    deliveries: tuple[Delivery, ...]
    files: tuple[str, ...] = ()
    #: The gateway itself is the sender (outcome messages): files need no right.
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """Kept now, or kept before with the same payload: the first answer, for ever the same."""

    id: str
    recipients: tuple[str, ...]
    receipt: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The id belongs to another payload or another source."""


@dataclass(frozen=True, slots=True)
class FilesMissing:
    """These files are not held, or the source has no right to name them. Nothing was kept."""

    digests: tuple[str, ...]


Acceptance = Accepted | Taken | FilesMissing

AttemptOutcome = Literal["taken", "refused", "failed", "timeout", "lapsed"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one delivery. ``detail`` never holds a message's data or a secret; at most 500 characters."""

    number: int
    started_at: float
    ended_at: float
    outcome: AttemptOutcome
    status: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased delivery with what is needed to hand it over: the original envelope and its descriptors.

    ``digest`` and ``recipients`` are the message's own (see NewMessage): what its receipts name.
    """

    delivery: Delivery
    envelope: bytes
    id: str
    type: str
    version: str
    digest: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A step of one delivery: written only where it still is exactly as ``before``, with its attempt if any.

    ``leaf`` is a receipt payload (an outcome of the delivery) kept in the journal by the same transaction;
    ``proof`` the recipient's own checked receipt (compact JWS), kept with the delivery.
    """

    before: Delivery
    after: Delivery
    attempt: Attempt | None = None
    leaf: bytes | None = None
    proof: bytes | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """A translation of a message into another major, made once: the envelope that the gateway signed."""

    key: str
    message: str
    target: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A message as the ledger keeps it, without its body, with its deliveries in order of recipients."""

    key: str
    id: str
    source: str
    type: str
    version: str
    subject: str
    accepted_at: float
    digest: str
    recipients: tuple[str, ...]
    receipt: str
    deliveries: tuple[RecordedDelivery, ...]


@dataclass(frozen=True, slots=True)
class RecordedDelivery:
    """A delivery with its attempts and, where it is blocked, the id of the delivery it waits for."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    blocked_by: str | None = None
    proof: bytes | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Something to remember: when, who, a fixed event name, details without any message's data or secret."""

    at: float
    actor: str
    event: str
    details: Mapping[str, Any] = field(default_factory=dict)


RowKind = Literal["agency", "agreement", "contract", "operator"]
Origin = Literal["folder", "directory", "enrolment", "console"]


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """One row of the registry: what it is, its key, where it came from, its document."""

    kind: RowKind
    key: str
    origin: Origin
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file in the spool as the ledger knows it."""

    sha256: str
    size: int
    media_type: str


# ------------------------------------------------------------------------------------------------- ledger


class Ledger(Protocol):
    """Moves messages. Each call is one transaction; when it returns, what it did survives a power cut."""

    async def open(self) -> None:
        """Make ready: create or migrate; raises Misconfigured where the database is newer than this program."""

    async def close(self) -> None:
        """Finish what was begun and let go."""

    async def accept_many(self, messages: Sequence[NewMessage]) -> list[Acceptance]:
        """Keep messages with deliveries and receipts, in this order; one answer each, none spoils another.

        A known id answers Accepted(repeated) where source and ``repeat_digest`` are the same, else Taken.
        A first delivery of a busy lane (any earlier one not ended) is kept blocked; one whose destination is
        on hold, held. ``owes_outcome`` and the rest are kept as given.
        """

    async def known(self, keys: Mapping[str, tuple[str, str]]) -> dict[str, Accepted | Taken]:
        """For key -> (source, repeat_digest): what accept_many would answer for those already known; others absent.

        The id of a translation counts as Taken.
        """

    async def due(self, now: float) -> tuple[frozenset[str], float | None]:
        """Recipients with deliveries claimable at ``now``, and the next moment at which another queued one is due."""

    async def claim(self, wanted: Mapping[str, int], *, owner: str, now: float, until: float) -> list[Claim]:
        """Lease up to ``wanted[recipient]`` due deliveries of each recipient: urgent first, then by due, then by age.

        At most one delivery a lane is claimable at any time. One whose ``expires`` has passed is not claimed.
        The deliveries come as they are after the step: leased by ``owner`` until ``until``.
        """

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        """Write each step where the delivery still is as ``before``, in this order; says which were written.

        A step that ends a delivery frees the next one of its lane at ``now`` (queued, or held where the
        destination is on hold), unless an earlier one is still open. A step to ``queued`` of a delivery whose
        destination is on hold makes it held. A Delivered step gives the recipient the right to name the
        message's files. Of a step that was not written, neither attempt nor leaf nor proof is kept.
        """

    async def lapse(self, now: float, *, owner: str | None = None) -> list[Delivery]:
        """Give back leases that ended by ``now``, or (``owner``) every lease of that owner and no other's.

        An attempt ``lapsed``, from the claim to the end of the lease, is kept for each; the next lease carries
        the same number. Returns the deliveries as they are after it: queued, or held where the destination is
        on hold.
        """

    async def expire(self, now: float, *, limit: int = 500) -> list[Delivery]:
        """Deliveries that are queued, held or blocked and whose ``expires`` has passed, as they are now (not changed).

        The youngest come first: recorded in this order, none frees another that is to expire as well.
        """

    async def missing_files(self, source: str, digests: Sequence[str]) -> tuple[str, ...]:
        """Which of these files ``source`` may not name: not held, or no right to them; each once, in this order."""

    async def find(self, key: str) -> Record | None:
        """A message by its key or by the id of one of its translations."""

    async def envelope(self, key: str) -> bytes | None:
        """The original envelope of a message; None where unknown or no longer kept."""

    async def delivery(self, id: str) -> Delivery | None:
        """One delivery by id, as it is now."""

    async def deliveries(
        self, *, states: Sequence[str] = (), recipient: str | None = None, limit: int = 100
    ) -> list[Delivery]:
        """Deliveries by state and recipient, oldest first."""

    async def derived(self, message: str, target: str) -> Derived | None:
        """The kept translation of a message into ``target`` (``NAME/MAJOR.MINOR``)."""

    async def keep_derived(self, made: Derived) -> Derived:
        """Keep a translation; answers the one that is kept, the first where two were made."""

    async def owing(self, limit: int = 200) -> list[Delivery]:
        """Deliveries that owe their sender an outcome message, oldest first."""

    async def outcome_told(self, deliveries: Sequence[Delivery]) -> None:
        """Clear ``owes_outcome`` where state and replays are still those."""

    async def hold(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        """Put a destination on hold: its queued deliveries become held, new ones too. Answers how many.

        What is leased stays so until it is settled. A second hold keeps the moment of the first.
        """

    async def release(self, recipient: str, *, at: float, audit: AuditRow) -> int:
        """Lift the hold: held deliveries are queued again. Answers how many."""

    async def holds(self) -> dict[str, float]:
        """Destinations on hold, and since when."""

    async def grant_file(self, held: HeldFile, system: str, *, at: float, is_present: Callable[[str], bool]) -> bool:
        """Let ``system`` name a file. False where ``is_present`` says the bytes are gone (put them again)."""

    async def may_read_file(self, sha256: str, system: str) -> HeldFile | None:
        """The file where ``system`` uploaded it, sent or was sent a message that names it; else None."""

    async def sweep_files(self, before: float, *, remove: Callable[[str], None], limit: int = 500) -> int:
        """Forget files that no message names and whose last grant is older than ``before``; answers how many.

        Every right to them is withdrawn before, and ``remove`` is called inside a transaction, so that accept
        and sweep exclude each other, and a crash between leaves nobody a right to bytes that are gone.
        """

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        """Keep audit rows in the journal."""

    async def count_refusals(self, counts: Mapping[tuple[str, int, str], int]) -> None:
        """Add to the counts of refusals by (address, minute since 1970, problem)."""

    async def journal(self, *, after: int = 0, limit: int = 100) -> list[tuple[int, str, bytes]]:
        """Leaves of the journal from number ``after`` on: (number, ``receipt`` or ``audit``, exact bytes)."""

    async def use_once(self, token: str, *, until: float, now: float) -> bool:
        """True the first time a one-time token is seen, False ever after until ``until`` has passed."""

    async def registry(self) -> tuple[int, list[RegistryRow]]:
        """The version of the registry and all its rows."""

    async def registry_version(self) -> int:
        """The version alone: cheap, asked every second."""

    async def change_registry(
        self,
        expected_version: int,
        *,
        put: Sequence[RegistryRow],
        delete: Sequence[tuple[RowKind, str]],
        audit: Sequence[AuditRow],
    ) -> bool:
        """Write the difference, with its audit rows, where the version is still the expected one; it goes up by one.

        The version of an empty registry is 0. A row both deleted and put is put.
        """

    async def is_writable(self) -> bool:
        """Whether a transaction can be committed now (for readiness); answers within 3 seconds."""


# ------------------------------------------------------------------------------- spool, broker, clock, bus


class Spool(Protocol):
    """Bytes by SHA-256, outside the database; kept once; durable when ``put`` returns."""

    async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
        """Keep a stream; answers (sha256 hex, size). Raises Rejected ``too-large`` over ``limit`` bytes."""

    def path(self, sha256: str) -> Path:
        """Where the bytes are, whether or not they exist."""

    def is_present(self, sha256: str) -> bool:
        """Whether the bytes are held."""

    def remove(self, sha256: str) -> None:
        """Forget the bytes; nothing happens where they are not held."""


class Broker(Protocol):
    """Wakes dispatchers. May lose or repeat anything: the ledger is the truth."""

    def announce(self, recipients: frozenset[str]) -> None:
        """Something may be due for these recipients."""

    async def wait(self, timeout: float) -> frozenset[str]:
        """Recipients announced since the last call; returns empty after ``timeout`` seconds."""


class Clock(Protocol):
    """Time and chance, handed in so that tests can set both."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""

    def chance(self) -> float:
        """A random number in [0, 1)."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Bus(Protocol):
    """What a running gateway shares: the picture of the registry of this moment."""

    @property
    def directory(self) -> Directory:
        """Agencies, systems, certificates, agreements as of the last registry version noticed."""


# ------------------------------------------------------------------------------------------------ adapters


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an adapter hands over: one attempt of one delivery.

    ``body`` is the envelope as the subscription wants it (the original, or a translation signed by the
    gateway); ``event`` the same parsed; ``message`` the original's id. ``is_translated`` tells whether the
    data was changed on the way.
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


class AdapterKind(Protocol):
    """What ``adapters/NAME/adapter.py`` offers as a module."""

    #: ``push``: the bus delivers; ``pull``: the recipient leases from the inbox.
    MODE: Literal["push", "pull"]
    #: Whether the bus must call ``collect``.
    COLLECTS: bool

    def open_adapter(self, context: AdapterContext) -> Adapter:
        """An adapter for one system; raises Misconfigured where its settings cannot work."""
