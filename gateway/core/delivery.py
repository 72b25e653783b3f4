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
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Delivery:
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
                    f"Lượt chuyển {self.id} đang ở trạng thái {self.state.value},"
                    f" không thể áp dụng bước {type(signal).__name__}.",
                    f"Delivery {self.id} is {self.state.value}; the step {type(signal).__name__} is not possible.",
                ),
            )
        moved = replace(self, state=step, lease_owner=None, lease_until=None)
        return _settled(moved, signal, worked=self.state is State.LEASED)

    @property
    def is_over(self) -> bool:
        """Whether the lane goes on without it."""
        return self.state in ENDED


def _settled(moved: Delivery, signal: Signal, *, worked: bool) -> Delivery:
    """The fields that a signal changes beside the state; ``worked`` says whether somebody held it."""
    match signal:
        case Claimed(owner, until):
            return replace(moved, lease_owner=owner, lease_until=until)
        case Deferred(due, counted):
            return replace(moved, due=due, attempts=moved.attempts + (1 if counted else 0))
        case LeaseExpired(due):
            return replace(moved, due=due)
        case Delivered() | Refused():
            return replace(moved, attempts=moved.attempts + 1, cause="refused" if isinstance(signal, Refused) else None)
        case GaveUp(cause):
            return replace(moved, attempts=moved.attempts + (1 if worked else 0), cause=cause)
        case Held(at):
            # Patience begins at notbefore: what is held before that loses none of it.
            begun = max(at, moved.notbefore or 0.0)
            left = None if moved.deadline is None else max(0.0, moved.deadline - begun)
            return replace(moved, deadline=None, left=left)
        case Released(at):
            due = max(at, moved.notbefore or 0.0)
            return replace(moved, due=due, deadline=None if moved.left is None else due + moved.left, left=None)
        case Freed(at):
            return _running(moved, at)
        case Replayed(at):
            return _running(replace(moved, spent=moved.attempts, cause=None, replays=moved.replays + 1), at)
        case Discarded() | Expired():
            return replace(moved, cause=None)


def _running(delivery: Delivery, now: float) -> Delivery:
    """The clock of patience starts afresh: from now, or from ``notbefore`` where that is later."""
    start = max(now, delivery.notbefore or 0.0)
    deadline = None if delivery.patience is None else start + delivery.patience
    return replace(delivery, due=start, deadline=deadline, left=None)


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
    queued = Delivery(
        id=str(uuid.uuid5(uuid.UUID(message), recipient)),
        message=message,
        source=source,
        recipient=recipient,
        contract=contract,
        lane=lane_of(source, subject, recipient) if ordered else None,
        priority=priority,
        state=State.QUEUED,
        due=accepted_at,
        patience=patience,
        notbefore=notbefore,
        expires=expires,
    )
    return _running(queued, accepted_at)


def as_blocked(delivery: Delivery) -> Delivery:
    """A new delivery whose lane has an earlier one that has not ended."""
    return replace(delivery, state=State.BLOCKED, deadline=None, left=None)
