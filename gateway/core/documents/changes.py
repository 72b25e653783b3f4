"""What was asked of those who hold a document, to give it back, change or replace it, and what they answered. Pure.

A recall, an update or a replacement is a message of the issuer (document.issued of that business), a taking back is a
status 13. Each agency answers 15 (agreed) or 16 (refused), and the answer names no more than a document: that of the
change where it has an id of its own, or the one to be changed. Of several changes of one document the answer is to the
youngest that was there at its time, by the agency's clock (or when it came to us, where that clock is ahead); to the
oldest where the clock is behind them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from gateway.core.documents.entry import DocumentEntry

ChangeKind = Literal["recall", "update", "replace", "cancel"]
#: What an agency said to a change: agreed, refused, or nothing yet.
Answer = Literal["agreed", "refused", "open"]
#: What an agency holds: the document as it was sent, as it was changed, one that is replaced, or none any more.
Standing = Literal["in-force", "updated", "replaced", "recalled"]

_MEANS: Final[dict[str, Answer]] = {"15": "agreed", "16": "refused"}
_BECOMES: Final[dict[ChangeKind, Standing]] = {
    "update": "updated", "replace": "replaced", "recall": "recalled", "cancel": "recalled",
}  # fmt: skip
#: What cannot be taken back by an agreement to something milder.
_WEIGHT: Final[tuple[Standing, ...]] = ("in-force", "updated", "replaced", "recalled")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing asked: under which id, of whom, when; ``is_own_id``: the id is not that of the document changed."""

    kind: ChangeKind
    key: str
    document: str
    message: str
    asked_at: float
    agencies: tuple[str, ...]
    is_own_id: bool


class Kept(Protocol):
    """A line of the register, as far as it matters here."""

    @property
    def message(self) -> str:
        """The key of its message."""

    @property
    def accepted_at(self) -> float:
        """Our time."""

    @property
    def entry(self) -> DocumentEntry:
        """What it says."""


def changes_of(key: str, issued: Iterable[Kept], statuses: Iterable[Kept]) -> list[Change]:
    """Every change of the document ``key`` that was asked, in order of time; of repeated statuses 13 one each."""
    found: dict[tuple[object, ...], Change] = {}
    for line in issued:
        entry = line.entry
        if entry.kind in {"new", "status"} or key not in entry.concerned:
            continue
        kind: ChangeKind = "recall" if entry.kind == "recall" else "update" if entry.kind == "update" else "replace"
        found[line.message,] = Change(
            kind, entry.key, entry.document, line.message, line.accepted_at, entry.recipients, entry.key != key
        )
    for line in statuses:
        entry = line.entry
        if entry.key != key or entry.reporter != entry.issuer:
            continue
        for code, said_at in entry.told:
            if code == "13":
                id_ = ("13", said_at, entry.recipients)
                at = -math.inf if said_at is None else said_at
                made = Change("cancel", key, entry.document, line.message, at, entry.recipients, is_own_id=False)
                found[id_] = min(found.get(id_, made), made, key=lambda change: change.message)
    return sorted(found.values(), key=lambda change: (change.asked_at, change.message))


def answered(key: str, changes: Sequence[Change], told: Iterable[Kept]) -> list[tuple[Change, Answer]]:
    """What one agency said by these statuses to each of the changes of document ``key`` that it was asked for."""
    came: dict[tuple[str, str, float], float] = {}
    for line in told:
        for code, said_at in line.entry.told:
            if code in _MEANS:
                id_ = line.entry.key, code, line.accepted_at if said_at is None else said_at
                came[id_] = min(came.get(id_, line.accepted_at), line.accepted_at)
    last: dict[int, tuple[float, str]] = {}
    for (under, code, said_at), accepted_at in came.items():
        meant = _meant(key, changes, under, said_at, accepted_at)
        if meant is not None:
            last[meant] = max(last.get(meant, (said_at, code)), (said_at, code))
    return [(change, _MEANS[last[number][1]] if number in last else "open") for number, change in enumerate(changes)]


def _meant(key: str, changes: Sequence[Change], under: str, said_at: float, accepted_at: float) -> int | None:
    """The change to which an answer under this id is, by its number."""
    fitting = [number for number, change in enumerate(changes) if under in {key, change.key}]
    there = [number for number in fitting if _was_asked(changes[number], said_at, accepted_at)]
    return (there[-1] if there else fitting[0]) if fitting else None


def _was_asked(change: Change, said_at: float, accepted_at: float) -> bool:
    """Whether a change was there when an answer was given.

    What came before a change was asked does not answer it, however fast the agency's clock runs: that is known to the
    microsecond where our own clock says both. Moments in edXML are whole seconds.
    """
    if change.kind != "cancel" and change.asked_at > accepted_at:
        return False
    return math.floor(_finite(change.asked_at)) <= min(said_at, accepted_at)


def _finite(moment: float) -> float:
    return moment if math.isfinite(moment) else 0.0


def standing_of(answers: Iterable[tuple[Change, Answer]]) -> Standing:
    """What an agency holds after all that it agreed to."""
    agreed: list[Standing] = [_BECOMES[change.kind] for change, answer in answers if answer == "agreed"]
    return max(agreed, key=_WEIGHT.index, default="in-force")
