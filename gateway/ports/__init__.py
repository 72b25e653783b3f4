"""The promises between the rooms of the house: what keeps, what wakes, what speaks an agency's tongue.

Every promise has one conformance suite in ``tests/conformance`` that each implementation inherits. Moments
are seconds since 1970 (UTC); ids of messages are UUIDs in lower case (the *key*), as ids compare without case.
"""

from gateway.ports.adapter import (
    Adapter,
    AdapterContext,
    AdapterKind,
    Answering,
    Call,
    Collected,
    CollectedFile,
    HandedOver,
    NotReceived,
    Parcel,
    Received,
    Reply,
    Take,
    Uncollectable,
)
from gateway.ports.ledger import (
    REFUSALS_KEPT,
    Ledger,
)
from gateway.ports.partials import (
    PartialFile,
    Partials,
    Sum,
    Upload,
)
from gateway.ports.records import (
    Acceptance,
    Accepted,
    Attempt,
    AttemptOutcome,
    AuditRow,
    Change,
    Claim,
    Derived,
    FilesMissing,
    HeldFile,
    NewMessage,
    Origin,
    Record,
    RecordedDelivery,
    RegistryRow,
    RowKind,
    Taken,
)
from gateway.ports.surroundings import (
    Broker,
    Clock,
    Spool,
)

__all__ = [
    "REFUSALS_KEPT",
    "Acceptance",
    "Accepted",
    "Adapter",
    "AdapterContext",
    "AdapterKind",
    "Answering",
    "Attempt",
    "AttemptOutcome",
    "AuditRow",
    "Broker",
    "Call",
    "Change",
    "Claim",
    "Clock",
    "Collected",
    "CollectedFile",
    "Derived",
    "FilesMissing",
    "HandedOver",
    "HeldFile",
    "Ledger",
    "NewMessage",
    "NotReceived",
    "Origin",
    "Parcel",
    "PartialFile",
    "Partials",
    "Received",
    "Record",
    "RecordedDelivery",
    "RegistryRow",
    "Reply",
    "RowKind",
    "Spool",
    "Sum",
    "Take",
    "Taken",
    "Uncollectable",
    "Upload",
]
