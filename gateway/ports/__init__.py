"""The promises between the rooms of the house: what keeps, what wakes, what speaks an agency's tongue.

Every promise has one conformance suite in ``tests/conformance`` that each implementation inherits. Moments
are seconds since 1970 (UTC); ids of messages are UUIDs in lower case (the *key*), as ids compare without case.
"""

from gateway.ports.adapter import (
    Adapter,
    AdapterContext,
    AdapterKind,
    Collected,
    CollectedFile,
    HandedOver,
    Parcel,
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
    "Attempt",
    "AttemptOutcome",
    "AuditRow",
    "Broker",
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
    "Origin",
    "Parcel",
    "PartialFile",
    "Partials",
    "Record",
    "RecordedDelivery",
    "RegistryRow",
    "RowKind",
    "Spool",
    "Sum",
    "Taken",
    "Uncollectable",
    "Upload",
]
