"""Agreements (thoả thuận chia sẻ dữ liệu) say who may send what to whom; subscriptions say who wants it how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from gateway.core.codes import is_contract_match, is_text_match
from gateway.core.retry import RetryPolicy

Format = Literal["jws", "cloudevents"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A system's standing wish: one contract in one version, filtered, in one format, with a retry policy."""

    contract: str
    version: str
    format: Format = "jws"
    #: Patterns over the sending agency's code; empty means everyone.
    sources: tuple[str, ...] = ()
    #: Patterns over ``subject`` in which ``*`` stands for any text; empty means all.
    subjects: tuple[str, ...] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def major(self) -> int:
        """The major version it wants to read."""
        return int(self.version.partition(".")[0])

    def wants_subject(self, subject: str) -> bool:
        """Whether the subject passes the filter."""
        return not self.subjects or any(is_text_match(pattern, subject) for pattern in self.subjects)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One agreement: sides as patterns over agency codes, contracts, purpose, legal basis, first and last day."""

    id: str
    title: str
    basis: str
    purpose: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    contracts: tuple[str, ...]
    valid_from: date
    valid_until: date
    #: Answer contract -> JSON pointers that may be given out; a contract not named here gives all.
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: For how many seconds an answer to a query may be given again out of memory; 0 for never.
    cache: float = 0.0

    def covers(self, contract: str, day: date) -> bool:
        """Whether it speaks of ``contract`` and is in force on ``day`` (first and last day included)."""
        return self.valid_from <= day <= self.valid_until and any(
            is_contract_match(pattern, contract) for pattern in self.contracts
        )
