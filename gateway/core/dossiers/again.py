"""What software says of a dossier again: whether it says the same once more, and whether it says anything new. Pure.

Software that tells the whole dossier with each step tells it in the same words when a dossier comes back to where it
was. Such an item is new where the dossier has moved since it was told, and else a repeat: that follows from the lines
of the register alone, so it holds for two calls at the same moment and after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.history import is_heard
from gateway.core.dossiers.statuses import WAITING
from gateway.core.moments import parse_moment

_Data = Mapping[str, Any]
#: What is compared of a record: all but its status, and what other messages say of it.
_PLAIN: Final = ("procedure", "applicant", "receiptNumber", "abstract", "resultDelivery", "field", "submission", "term")
_LISTS: Final = ("papers", "fees", "otherPapers", "databases")
#: A file that was fetched has no address any more, and one that comes again has no file yet.
_WHEREABOUTS: Final = frozenset({"file", "link"})


def origin_again(
    origin: str, known: Dossier | None, agency: str, message_of: Callable[[str], str], *, heeds_others: bool
) -> str:
    """The origin of an item without a moment of its own, which ``agency`` brings: ``origin`` the first time, and
    another one (with the message that moved the dossier last) where the dossier has moved since it was told.

    ``message_of``: the id of the message that an origin makes. What counts is what the agency itself told since, and,
    where ``heeds_others``, what others made the dossier wait for; that a bank or an applicant moved it on does not make
    the item that came before anything new.
    """
    if known is None:
        return origin
    moves = [
        (place, step) for place, step in enumerate(known.steps) if _changes(step, agency, heeds_others=heeds_others)
    ]
    family = {origin, *(_after(origin, step) for _, step in moves)}
    made = {message_of(each).lower(): each for each in family}
    told = [(step.told.place, at) for at, step in enumerate(known.steps) if step.told.message.lower() in made]
    if not told:
        return origin
    place, at = max(told)
    since = [step for where, step in moves if where > at and step.told.place > place]
    return _after(origin, since[-1]) if since else made[known.steps[at].told.message.lower()]


def _changes(step: Step, agency: str, *, heeds_others: bool) -> bool:
    event = step.told.event
    if event.agency == agency:
        return is_heard(step) and (step.counts or event.kind == "registered")
    return heeds_others and step.counts and step.status in WAITING


def _after(origin: str, step: Step) -> str:
    return hashlib.sha256(f"{origin} {step.told.message.lower()}".encode()).hexdigest()


def is_restated(said: _Data, known: Dossier, agency: str) -> bool:
    """Whether ``said``, in the shape of dossier.registered, says of the dossier itself what its record does not.

    What it leaves out says nothing. Files are compared by the names of their papers. A due date is compared with the
    one that holds and with the one that ``agency`` named last: that a dossier waited moves the first alone.
    """
    record = known.record
    if not record:
        return False
    due = _moment(said.get("dueAt"))
    if due is not None and due not in {known.due, *_named_by(known, agency)}:
        return True
    received = _moment(said.get("receivedAt"))
    if received is not None and received != _moment(record.get("receivedAt")):
        return True
    if any(not _is_in(said[name], record.get(name)) for name in _PLAIN if name in said):
        return True
    return any(
        not any(_is_in(_told_of(each), _told_of(other)) for other in record.get(name, ()))
        for name in _LISTS
        for each in said.get(name, ())
    )


def _named_by(known: Dossier, agency: str) -> list[float]:
    """The due dates that an agency named last: in a registration, and with an answered request."""
    own = [step.told.event for step in known.steps if step.told.event.agency == agency and is_heard(step)]
    named = []
    for kind in ("registered", "supplemented"):
        dates = [event.due for event in own if event.kind == kind and event.due is not None]
        named += dates[-1:]
    return named


def _told_of(each: _Data) -> _Data:
    return {name: value for name, value in each.items() if name not in _WHEREABOUTS}


def _is_in(said: Any, known: Any) -> bool:
    if isinstance(said, Mapping):
        return isinstance(known, Mapping) and all(_is_in(value, known.get(name)) for name, value in said.items())
    if isinstance(said, list):
        return isinstance(known, list) and all(any(_is_in(each, other) for other in known) for each in said)
    return bool(said == known)


def _moment(text: Any) -> float | None:
    return parse_moment(text) if isinstance(text, str) else None
