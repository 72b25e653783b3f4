"""What senders and recipients saw while the bus was killed and came back, in the order in which they saw it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Submitted:
    """A message left its sender for the first time; ``lane`` is its source and subject, one sender a lane.

    ``digest`` is the envelope's; None where the bus seals it.
    """

    id: str
    lane: str
    digest: str | None
    expires: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The bus acknowledged it: from now on it is durable."""

    id: str
    recipients: tuple[str, ...]
    receipt: str


@dataclass(frozen=True, slots=True)
class Collected:
    """The bus fetched it from a sender that cannot ask: acknowledged without a receipt in the sender's hand."""

    id: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The bus refused it for good."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivery reached its recipient; ``until`` is the end of its lease, None where it was pushed."""

    recipient: str
    delivery: str
    message: str
    attempt: int
    digest: str
    at: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """The recipient's word on a delivery in its hands; whether the bus heard it is another matter."""

    recipient: str
    delivery: str
    word: Literal["taken", "later"]


@dataclass(frozen=True, slots=True)
class Heard:
    """The bus answered ``taken`` of a recipient that pulls; unless ``is_known``, it claims to have no such delivery."""

    recipient: str
    delivery: str
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome message reached the sender; the fields are those of the receipt in it, ``id`` is its own."""

    id: str
    kind: str
    message: str
    recipient: str
    delivery: str
    digest: str


@dataclass(frozen=True, slots=True)
class Started:
    """The process began a life; the one before, if any, was killed."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault of the world around the bus began: a server, a line or a gateway fails, is slow or stands still."""

    what: str


@dataclass(frozen=True, slots=True)
class Calm:
    """All faults are over, and every gateway has said that it is ready."""


Seen = Submitted | Answered | Collected | Denied | Arrived | Said | Heard | Told | Started | Struck | Calm


@dataclass(slots=True)
class History:
    """What was seen, in the order in which it was seen."""

    seen: list[Seen] = field(default_factory=list)

    def add(self, *seen: Seen) -> None:
        """Note what was just seen."""
        self.seen += seen

    def all(self, kind: type[Any]) -> Iterator[Any]:
        """Everything of one kind, in order."""
        return (each for each in self.seen if type(each) is kind)

    def submitted(self) -> dict[str, Submitted]:
        """Messages by id."""
        return {each.id: each for each in self.all(Submitted)}

    def promised(self) -> dict[str, tuple[str, ...]]:
        """Id -> recipients of every message that the bus acknowledged."""
        return {each.id: each.recipients for each in self.seen if isinstance(each, Answered | Collected)}

    def taken(self) -> set[tuple[str, str]]:
        """(message, recipient) of everything that some recipient said it took."""
        message = {each.delivery: each.message for each in self.all(Arrived)}
        return {
            (message[each.delivery], each.recipient)
            for each in self.all(Said)
            if each.word == "taken" and each.delivery in message
        }

    def expired(self) -> set[tuple[str, str]]:
        """(message, recipient) of everything whose sender was told that it expired."""
        return {(each.message, each.recipient) for each in self.all(Told) if each.kind == "expired"}

    def unfinished(self) -> list[str]:
        """What is still to come: answers, deliveries, outcomes. Empty when the bus has drained."""
        answered = self.promised().keys() | {each.id for each in self.all(Denied)}
        waiting = [f"an answer on {id_}" for id_ in self.submitted() if id_ not in answered]
        ended = self.taken() | self.expired()
        told = {(each.message, each.recipient) for each in self.all(Told)}
        for id_, recipients in self.promised().items():
            waiting += [f"{id_} at {name}" for name in recipients if (id_, name) not in ended]
            waiting += [f"the outcome of {id_} for {name}" for name in recipients if (id_, name) not in told]
        return waiting
