"""Lines of the register of dossiers for tests: by hand, from a vector's words, and by chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import DossierEvent, Hop, Told
from gateway.core.moments import VIET_NAM

CODE = "H33.09-261123-0001"
HOUR = 3600.0
ONE_STOP, DISTRICT, LAND, PORTAL, BANK, STRANGER = "H33.09", "H33.07", "H33.07.03", "G22", "H33.14", "H33.30"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=VIET_NAM).timestamp()


def shown(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, VIET_NAM).strftime("%Y-%m-%dT%H:%M")


def an_event(kind: Any = "registered", by: str = ONE_STOP, when: float = 0.0, **override: Any) -> DossierEvent:
    usual: dict[str, Any] = {
        "kind": kind, "code": CODE, "written": CODE, "agency": by, "recipients": (), "said_at": when, "sent_at": when,
        "is_portal": by == PORTAL,
    }  # fmt: skip
    return DossierEvent(**{**usual, **override})


def told(events: Iterable[DossierEvent]) -> list[Told]:
    """Lines that arrived in this order, a minute apart."""
    return [
        Told(place, f"m{place:04}", f"{event.agency}/app", 60.0 * place, event)
        for place, event in enumerate(events, start=1)
    ]


def vector_event(words: Mapping[str, Any]) -> DossierEvent:
    """An event as a vector tells it: ``is`` the kind, ``by`` whom, ``at`` when, and what else it says."""
    rest = {name: value for name, value in words.items() if name not in {"is", "by", "at", "sent", "to", "hop"}}
    for name in ("due", "received_at", "finished_at"):
        if name in rest:
            rest[name] = at(rest[name])
    if "hop" in words:
        hop = words["hop"]
        due = at(hop["due"]) if "due" in hop else None
        rest["hop"] = Hop(hop["number"], hop.get("from", words["by"]), hop["to"], due, hop.get("child", ""))
    sent = at(words.get("sent", words["at"]))
    return an_event(
        words["is"], words["by"], at(words["at"]), sent_at=sent, recipients=tuple(words.get("to", ())), **rest
    )


def outcome(dossier: Dossier) -> dict[str, Any]:
    """What must not depend on the order in which things arrived, nor on how often."""
    steps = [
        (step.told.event, step.status, step.counts, tuple(flag for flag in step.flags if flag != "late"))
        for step in dossier.steps
        if "repeated" not in step.flags
    ]
    whole = {name: getattr(dossier, name) for name in Dossier.__slots__ if name not in {"steps", "record"}}
    return {**whole, "steps": steps}


# ------------------------------------------------------------------------------------------------------- by chance

_AGENCIES = st.sampled_from([ONE_STOP, ONE_STOP, ONE_STOP, DISTRICT, LAND, PORTAL, BANK, STRANGER])
_STATUS_OF: dict[str, Sequence[int | None]] = {
    "registered": (1, 2, 2, 4, 9),
    "progressed": (1, 2, 3, 4, 4, 5, 6, 8, 9, 10),
    "supplement-requested": (5,),
    "supplemented": (2, 4),
    "result-issued": (9, 10),
    "returned": (3, 8),
    "withdrawn": (7,),
    "payment-notified": (None, 4),
}
_KINDS = st.sampled_from([
    "registered", "registered", "forwarded", "progressed", "progressed", "progressed", "supplement-requested",
    "supplemented", "result-issued", "returned", "withdrawn", "signing-completed", "payment-notified", "post-tracked",
])  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> DossierEvent:
    """One event; moments are full hours of a few days, so that some fall together, but for clocks that differ."""
    kind, by = draw(_KINDS), draw(_AGENCIES)
    said_at = at("2026-02-12T07:00") + HOUR * draw(st.integers(0, 200))
    if kind in {"supplemented", "payment-notified"}:
        said_at += draw(st.sampled_from([0.0, 60.0, -60.0, -HOUR]))  # by another clock
    made: dict[str, Any] = {
        "status": draw(st.sampled_from(_STATUS_OF.get(kind, (None,)))),
        "sent_at": said_at + draw(st.sampled_from([0.0, 0.0, 60.0, -7200.0])),
        "recipients": draw(st.sampled_from([(), (ONE_STOP,), (ONE_STOP, DISTRICT)])),
        "code_agency": draw(st.sampled_from(["", ONE_STOP])),
    }
    if kind in {"registered", "supplemented"}:
        made["due"] = draw(st.none() | st.sampled_from([at("2026-02-13T17:00"), at("2026-02-24T10:00")]))
    if kind == "registered":
        made["channel"] = draw(st.sampled_from(["", "direct", "online", "post"]))
        made["received_at"] = draw(st.none() | st.just(said_at - HOUR))
    if kind in {"registered", "result-issued"}:
        made["has_result"] = draw(st.booleans())
        made["finished_at"] = draw(st.none() | st.just(said_at - HOUR))
    if kind in {"supplement-requested", "supplemented", "payment-notified"}:
        made["reference"] = draw(st.sampled_from(["1", "2"]))
    if kind == "progressed":
        made["content"], made["officer"] = draw(st.sampled_from(["", "a", "b"])), draw(st.sampled_from(["", "x"]))
    if kind == "forwarded":
        to = draw(st.sampled_from([DISTRICT, LAND, ONE_STOP]))
        due = draw(st.none() | st.just(at("2026-02-20T10:00")))
        made["hop"] = Hop(draw(st.integers(1, 2)), by, to, due, draw(st.sampled_from(["", "H33.07-261123-0009"])))
    return an_event(kind, by, said_at, **made)


HISTORIES = st.lists(events(), max_size=14)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    """The lines of one history in order, and the same in any order with any of them said again, later or under
    the same id.
    """
    lines = told(draw(HISTORIES))
    again = draw(st.lists(st.sampled_from(lines), max_size=6)) if lines else []
    repeats = [
        replace(
            line,
            message=f"r{number:04}" if draw(st.booleans()) else line.message,
            event=replace(line.event, sent_at=line.event.sent_at + 900.0 * draw(st.integers(0, 3))),
        )
        for number, line in enumerate(again)
    ]
    shuffled = draw(st.permutations([*lines, *repeats]))
    return lines, [replace(line, place=place) for place, line in enumerate(shuffled, start=1)]
