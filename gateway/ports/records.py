"""What the ledger is handed and hands out: messages, claims, steps, records, audit and registry rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.core.delivery import Delivery
from gateway.core.documents.entry import DocumentEntry
from gateway.core.documents.matching import Served
from gateway.core.dossiers.event import DossierEvent


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that passed every check, with its deliveries and its signed receipt, ready to be kept.

    ``receipt_payload`` is empty for the gateway's own messages, which earn no receipt.
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
    #: Its line in the register of documents, where it speaks of one.
    entry: DocumentEntry | None = None
    #: Not to be kept where its document was sent to any of those it would go to, by another way.
    unless_served: bool = False
    #: Its line in the register of dossiers, where it speaks of one.
    dossier: DossierEvent | None = None
    #: The item of a register that it tells of, where nobody was known to be trusted with it when it was judged.
    unclaimed: str | None = None


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


Acceptance = Accepted | Taken | FilesMissing | Served

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
    ``proof`` the recipient's own checked receipt (compact JWS), kept with the delivery; ``audit`` who did it and
    why, where a person did.
    """

    before: Delivery
    after: Delivery
    attempt: Attempt | None = None
    leaf: bytes | None = None
    proof: bytes | None = None
    audit: AuditRow | None = None


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


RowKind = Literal["agency", "agreement", "contract", "operator", "item"]
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
