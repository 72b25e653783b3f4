"""Lines of the register of dossiers, and heads, as rows of a database, and back.

What questions ask for has columns of its own; all else lies beside it as one JSON object without what is as usual.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Final

from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import DossierEvent, Hop, Told
from gateway.ports.records import NewMessage

#: The columns of a line behind its place, and of a head, in this order.
LINE: Final = "code, kind, parent, child, message, source, accepted_at, said"
HEAD: Final = "code, lead, status, next_look, received_at, finished_at, place, told"

_OF_EVENT: Final = frozenset({"code", "kind", "parent"})
_OF_HEAD: Final = frozenset({"code", "lead", "status", "next_look", "received_at", "finished_at", "place"})
_EVENT_REST: Final = tuple(each for each in fields(DossierEvent) if each.name not in _OF_EVENT)
_HEAD_REST: Final = tuple(each for each in fields(Head) if each.name not in _OF_HEAD)
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def line_row(new: NewMessage, event: DossierEvent) -> tuple[Any, ...]:
    """The values of the columns LINE."""
    child = "" if event.hop is None else event.hop.child
    said = _rest(event, _EVENT_REST)
    if event.hop is not None:
        hop = event.hop
        said["hop"] = (hop.number, hop.from_agency, hop.to_agency, hop.due)
    return (event.code, event.kind, event.parent, child, new.key, new.source, new.accepted_at, _ENCODE(said))


def told_of(row: Sequence[Any]) -> Told:
    """A line from its place and the columns LINE."""
    place, code, kind, parent, child, message, source, accepted_at, said = row
    rest = _members(said)
    hop = rest.pop("hop", None)
    if hop is not None:
        number, from_agency, to_agency, due = hop
        rest["hop"] = Hop(number, from_agency, to_agency, due, child)
    return Told(place, message, source, accepted_at, DossierEvent(code=code, kind=kind, parent=parent, **rest))


def head_row(head: Head) -> tuple[Any, ...]:
    """The values of the columns HEAD."""
    return (
        head.code, head.lead, head.status, head.next_look, head.received_at, head.finished_at, head.place,
        _ENCODE(_rest(head, _HEAD_REST)),
    )  # fmt: skip


def head_of(row: Sequence[Any]) -> Head:
    """A head from the columns HEAD."""
    code, lead, status, next_look, received_at, finished_at, place, told = row
    return Head(
        code=code, lead=lead, status=status, next_look=next_look, received_at=received_at, finished_at=finished_at,
        place=place, **_members(told),
    )  # fmt: skip


def unsettled(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, int, int]]:
    """Of new lines (place first, then LINE): each code with its oldest and its youngest place, in order of codes."""
    found: dict[str, tuple[int, int]] = {}
    for place, code, *_ in rows:
        first, last = found.get(code, (place, place))
        found[code] = min(first, place), max(last, place)
    return [(code, *found[code]) for code in sorted(found)]


def _rest(value: DossierEvent | Head, names: Sequence[Any]) -> dict[str, Any]:
    every = ((each.name, getattr(value, each.name), each.default) for each in names)
    return {name: said for name, said, usual in every if usual is MISSING or said != usual}


def _members(text: str) -> dict[str, Any]:
    told: Mapping[str, Any] = json.loads(text)
    return {name: _as_tuples(value) for name, value in told.items()}


def _as_tuples(value: Any) -> Any:
    return tuple([_as_tuples(each) for each in value]) if isinstance(value, list) else value
