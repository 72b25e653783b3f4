"""A delivery, its states, the signals that move it, and the table that says which may follow which.

Everything that affects the life of a delivery stands in this file. The diagram in ARCHITECTURE.md is drawn
from :data:`TABLE`, so picture and code cannot drift apart.

* ``queued``: due at some moment, nobody works on it.
* ``leased``: one worker (push) or the recipient itself (pull) holds it until the lease ends.
* ``held``: its destination is on hold; nothing but ``expirytime`` or an operator ends it.
* ``blocked``: an earlier delivery of its lane has not ended.
* ``delivered``, ``expired``, ``discarded``: ended, and the lane goes on.
* ``dead``: refused for good, its deadline passed or its attempts used up; the lane waits for an operator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.core.faults import IllegalStep, Text


class State(StrEnum):
    """Where a delivery is; it is in exactly one state."""

    QUEUED = "queued"
    LEASED = "leased"
    HELD = "held"
    BLOCKED = "blocked"
    DELIVERED = "delivered"
    DEAD = "dead"
    EXPIRED = "expired"
    DISCARDED = "discarded"


#: States that end a delivery for its lane: the next one of the lane is freed.
ENDED: Final = frozenset({State.DELIVERED, State.EXPIRED, State.DISCARDED})


#: The cause of another try that is no failure of the destination.
LAPSED: Final = "lapsed"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker or recipient took it until ``until``."""

    owner: str
    until: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient took it."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not taken now; due again. ``counted`` says whether an attempt was used up."""

    due: float
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The recipient will never take it."""


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """Nobody settled it in time; due again at once, no attempt used up."""

    due: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The bus stops trying; ``cause`` is ``deadline`` or ``attempts``."""

    cause: str


@dataclass(frozen=True, slots=True)
class Held:
    """Its destination was put on hold."""

    at: float


@dataclass(frozen=True, slots=True)
class Released:
    """Its destination was released."""

    at: float


@dataclass(frozen=True, slots=True)
class Freed:
    """The delivery before it in the lane ended."""

    at: float


@dataclass(frozen=True, slots=True)
class Expired:
    """Its ``expirytime`` passed before it was taken."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """An operator put a dead delivery back."""

    at: float


@dataclass(frozen=True, slots=True)
class Discarded:
    """An operator took it out for good."""


Signal = (
    Claimed | Delivered | Deferred | Refused | LeaseExpired | GaveUp
    | Held | Released | Freed | Expired | Replayed | Discarded
)  # fmt: skip

#: The whole life of a delivery: (state, signal) -> next state. What is not here is an illegal step.
TABLE: Final[dict[tuple[State, type[Signal]], State]] = {
    (State.QUEUED, Claimed): State.LEASED,
    (State.QUEUED, Delivered): State.DELIVERED,  # a late answer counts
    (State.QUEUED, Refused): State.DEAD,  # a late answer counts
    (State.QUEUED, GaveUp): State.DEAD,
    (State.QUEUED, Held): State.HELD,
    (State.QUEUED, Expired): State.EXPIRED,
    (State.QUEUED, Discarded): State.DISCARDED,
    (State.LEASED, Delivered): State.DELIVERED,
    (State.LEASED, Deferred): State.QUEUED,
    (State.LEASED, Refused): State.DEAD,
    (State.LEASED, LeaseExpired): State.QUEUED,
    (State.LEASED, GaveUp): State.DEAD,
    (State.HELD, Delivered): State.DELIVERED,  # taken under a lease that lapsed before the hold
    (State.HELD, Refused): State.DEAD,
    (State.HELD, Released): State.QUEUED,
    (State.HELD, Expired): State.EXPIRED,
    (State.HELD, Discarded): State.DISCARDED,
    (State.BLOCKED, Freed): State.QUEUED,
    (State.BLOCKED, Expired): State.EXPIRED,
    (State.BLOCKED, Discarded): State.DISCARDED,
    (State.DEAD, Replayed): State.QUEUED,
    (State.DEAD, Discarded): State.DISCARDED,
}


class Delivery(NamedTuple):
    """One message on its way to one recipient system. Moments are seconds since 1970.

    ``patience`` is how long the bus tries, not counting held or blocked time; None where it waits for ever
    (pull). ``deadline`` is the moment at which patience ends while the clock runs; ``left`` what remains of
    it while the clock stands still (held, blocked).
    """

    id: str
    message: str
    source: str
    recipient: str
    contract: str
    lane: str | None
    priority: int
    state: State
    due: float
    patience: float | None = None
    deadline: float | None = None
    left: float | None = None
    notbefore: float | None = None
    expires: float | None = None
    #: Attempts used up in all; the next one has the number ``attempts + 1``.
    attempts: int = 0
    #: How many of them were used up before the last replay.
    spent: int = 0
    lease_owner: str | None = None
    lease_until: float | None = None
    #: Why it is dead; :data:`LAPSED` while it waits again because the last lease ended without an answer.
    cause: str | None = None
    replays: int = 0
    #: An outcome message is owed to the sender for the state it is in.
    owes_outcome: bool = False

    def after(self, signal: Signal) -> Delivery:
        """The delivery after ``signal``; raises IllegalStep where the table has no such step."""
        step = TABLE.get((self.state, type(signal)))
        if step is None:
            raise IllegalStep(
                "illegal-state",
                Text(
                    f"Lượt chuyển {self.id} đang ở trạng thái {self.state.value} nên không làm được việc này"
                    f" ({type(signal).__name__}). Người vận hành hãy xem hành trình của nó rồi chọn việc phù hợp.",
                    f"Delivery {self.id} is {self.state.value}; the step {type(signal).__name__} is not possible."
                    " The operator looks at its timeline and chooses what fits.",
                ),
            )
        return self._replace(**{"state": step, "lease_owner": None, "lease_until": None, **_changed(self, signal)})

    def but(self, **changes: Any) -> Delivery:
        """The same delivery but for these fields; no step of its life."""
        return self._replace(**changes)

    @property
    def is_over(self) -> bool:
        """Whether the lane goes on without it."""
        return self.state in ENDED


def _changed(before: Delivery, signal: Signal) -> Mapping[str, Any]:
    """The fields that a signal changes beside the state and the lease."""
    match signal:
        case Claimed(owner, until):
            return {"lease_owner": owner, "lease_until": until}
        case Deferred(due, counted):
            return {"due": due, "attempts": before.attempts + (1 if counted else 0), "cause": None}
        case LeaseExpired(due):
            return {"due": due, "cause": LAPSED}
        case Delivered() | Refused():
            return {"attempts": before.attempts + 1, "cause": "refused" if isinstance(signal, Refused) else None}
        case GaveUp(cause):
            # Somebody held it: that was an attempt, too.
            return {"attempts": before.attempts + (1 if before.state is State.LEASED else 0), "cause": cause}
        case Held(at):
            # Patience begins at notbefore: what is held before that loses none of it.
            begun = max(at, before.notbefore or 0.0)
            return {"deadline": None, "left": None if before.deadline is None else max(0.0, before.deadline - begun)}
        case Released(at):
            due = max(at, before.notbefore or 0.0)
            return {"due": due, "deadline": None if before.left is None else due + before.left, "left": None}
        case Freed(at):
            return _running(before, at)
        case Replayed(at):
            return {**_running(before, at), "spent": before.attempts, "cause": None, "replays": before.replays + 1}
        case Discarded() | Expired():
            return {"cause": None}


def _running(before: Delivery, now: float) -> Mapping[str, Any]:
    """The clock of patience starts afresh: from now, or from ``notbefore`` where that is later."""
    start = max(now, before.notbefore or 0.0)
    return {"due": start, "deadline": None if before.patience is None else start + before.patience, "left": None}


def lane_of(source: str, subject: str, recipient: str) -> str:
    """The unit of order as a short key: source, subject and recipient system."""
    return hashlib.sha256(f"{source}\n{subject}\n{recipient}".encode()).hexdigest()[:32]


def new_delivery(
    *,
    message: str,
    source: str,
    subject: str,
    recipient: str,
    contract: str,
    ordered: bool,
    priority: int,
    accepted_at: float,
    notbefore: float | None,
    expires: float | None,
    patience: float | None,
) -> Delivery:
    """A queued delivery as it is right after acceptance, before the ledger looks at its lane.

    Its id follows from the message's id and the recipient, so the same acceptance makes the same deliveries.
    """
    start = max(accepted_at, notbefore or 0.0)
    return Delivery(
        id=_named_after(message, recipient),
        message=message,
        source=source,
        recipient=recipient,
        contract=contract,
        lane=lane_of(source, subject, recipient) if ordered else None,
        priority=priority,
        state=State.QUEUED,
        due=start,
        patience=patience,
        deadline=None if patience is None else start + patience,
        notbefore=notbefore,
        expires=expires,
    )


def second(lost: Delivery, now: float) -> Delivery:
    """What brings a message again to a recipient that had it and lost it: dead until an operation puts it back.

    Its id follows from the first one's, so that asking twice brings it once. It is of no lane: those behind the first
    one have passed long ago.
    """
    return Delivery(
        id=_named_after(lost.id, lost.recipient), message=lost.message, source=lost.source, recipient=lost.recipient,
        contract=lost.contract, lane=None, priority=lost.priority, state=State.DEAD, due=now, patience=lost.patience,
        expires=lost.expires, cause="lost",
    )  # fmt: skip


def _named_after(message: str, recipient: str) -> str:
    """A UUID of version 8 (RFC 9562, 5.8): the first 48 bits of ``message``, then a hash of it and ``recipient``.

    Ids of version 7 begin with their moment, so deliveries of one time lie side by side in every index.
    """
    key = message.replace("-", "")
    digest = hashlib.sha1(bytes.fromhex(key) + recipient.encode(), usedforsecurity=False).hexdigest()
    return f"{message[:13]}-8{digest[:3]}-{_VARIANT[digest[3]]}{digest[4:7]}-{digest[7:19]}"


#: A hex digit -> the one with its lower two bits that says "RFC 9562".
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def as_blocked(delivery: Delivery) -> Delivery:
    """A new delivery whose lane has an earlier one that has not ended."""
    return delivery.but(state=State.BLOCKED, deadline=None, left=None)
