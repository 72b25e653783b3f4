"""What is told of a dossier: to anybody its degree of completion, to who knows the secret its status and steps. Pure.

Anonymous look-up shows the code and the degree alone, the other one goes down to the department (Circular
01/2018/TT-VPCP, article 16). Names, addresses, files and officers are told to nobody.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.event import FILED
from gateway.core.dossiers.history import is_heard
from gateway.core.dossiers.statuses import FINISHED, REFUSED, STOPPED, WITHDRAWN, name_of
from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM
from gateway.core.phones import last_digits

#: The degree of completion -> what people read.
DEGREES: Final[Mapping[str, Text]] = {
    "filed": Text("Đã gửi, chờ tiếp nhận", "Filed, waiting to be received"),
    "in-progress": Text("Đang giải quyết", "Being dealt with"),
    "completed": Text("Đã giải quyết xong", "Completed"),
    "ended": Text("Đã dừng, không có kết quả", "Ended without a result"),
}
_STOPPED: Final = frozenset({REFUSED, WITHDRAWN, STOPPED})
#: The youngest steps are told, so many of them; and so much of a text that people wrote (characters).
_STEPS: Final = 50
_LONGEST: Final = 4000
#: What no digits are equal to.
_NO_DIGITS: Final = "-"


def degree_of(status: int) -> str:
    """How far a dossier is, as anybody may know."""
    if status == FILED:
        return "filed"
    if status in FINISHED:
        return "completed"
    return "ended" if status in _STOPPED else "in-progress"


def is_known_by(dossier: Dossier | None, given: str, kinds: frozenset[str], digits: int) -> bool:
    """Whether ``given`` ends as one of the applicant's numbers does; without a dossier it takes as long to say no.

    ``kinds``: of ``phone`` and ``identity``. Fewer digits than ``digits`` are never right.
    """
    guess = last_digits(given, digits) or _NO_DIGITS
    found = False
    for number in _secrets(dossier, kinds):
        tail = last_digits(number, digits)
        same = hmac.compare_digest(tail or f"{_NO_DIGITS}{_NO_DIGITS}", guess)
        found = found or (same and bool(tail))
    return found


def _secrets(dossier: Dossier | None, kinds: frozenset[str]) -> Iterator[str]:
    applicant = _object(dossier.record.get("applicant")) if dossier is not None else {}
    if "phone" in kinds:
        yield _text(applicant.get("phone"))
    if "identity" in kinds:
        identities = applicant.get("identities")
        for each in identities if isinstance(identities, list) else ():
            yield _text(_object(each).get("number"))
    yield ""


def anonymous(dossier: Dossier) -> dict[str, Any]:
    """What anybody may know: the code and the degree of completion."""
    degree = degree_of(dossier.status or 0)
    return {"code": dossier.written, "completion": {"degree": degree, "text": _both(DEGREES[degree])}}


def detailed(dossier: Dossier, called: Callable[[str], str] = str) -> dict[str, Any]:
    """What the applicant may know; members of which nothing is known are left out. ``called``: an agency's name."""
    record = dossier.record
    agency = _object(record.get("agency"))
    told = {
        **anonymous(dossier),
        "status": {"code": dossier.status, "text": _both(name_of(dossier.status or 0)),
                   "since": _moment(dossier.status_at)},
        "procedure": _text(_object(record.get("procedure")).get("name")),
        "agency": {"code": dossier.lead, "name": _text(agency.get("name")) or called(dossier.lead)},
        "department": _department(dossier, called),
        "receivedAt": _moment(dossier.received_at),
        "dueAt": _moment(dossier.due),
        "finishedAt": _moment(dossier.finished_at),
        "steps": _steps(dossier, called),
        "supplement": _open_supplement(record) if dossier.status not in {*FINISHED, *_STOPPED} else None,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def _department(dossier: Dossier, called: Callable[[str], str]) -> str:
    """Where it lies: with the agency to which it was handed on last and which is not done, else in the department."""
    with_others = [leg.hop.to_agency for leg in dossier.legs if leg.ended_at is None]
    return called(with_others[-1]) if with_others else _text(dossier.record.get("unit"))


def _steps(dossier: Dossier, called: Callable[[str], str]) -> list[dict[str, Any]]:
    agency = _object(dossier.record.get("agency"))
    names = {dossier.lead: _text(agency.get("name"))}
    told: list[dict[str, Any]] = []
    for step in dossier.steps:
        if not _is_told(step):
            continue
        event = step.told.event
        office = names.get(event.agency) or called(event.agency)
        text = _both(name_of(event.status or 0))
        one = {"at": _moment(event.said_at), "status": event.status, "text": text, "office": office}
        # The same office says the same again with every paper that moves: the first time counts.
        if told and (told[-1]["status"], told[-1]["office"]) == (one["status"], one["office"]):
            continue
        told.append(one)
    return told[-_STEPS:]


def _is_told(step: Step) -> bool:
    return is_heard(step) and step.told.event.status is not None


def _open_supplement(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is asked for and did not come yet: the youngest request."""
    supplements = record.get("supplements")
    entries = [_object(each) for each in supplements] if isinstance(supplements, list) else []
    waiting = [each for each in entries if not each.get("receivedAt") and each.get("content")]
    if not waiting:
        return None
    asked = waiting[-1]
    return {"content": _text(asked.get("content")), "requestedAt": _text(asked.get("requestedAt"))}


def _moment(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(round(moment), tz=VIET_NAM).isoformat()


def _both(text: Text) -> dict[str, str]:
    return {"vi": text.vi, "en": text.en}


def _text(value: Any) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
