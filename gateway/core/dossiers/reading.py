"""The line that a message gets in the register of dossiers, read from its data. Pure, and quick: each message passes.

Data is read as the contracts have it: both majors name the same things by the same names here. A message of any other
contract, of a major that is not known, or that names no dossier gets no line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, Protocol

from gateway.core.calendar import Calendar
from gateway.core.dossiers.code import compared, read_code
from gateway.core.dossiers.deadline import Term, due_of
from gateway.core.dossiers.event import DossierEvent, EventKind, Hop
from gateway.core.dossiers.statuses import RECEIVED
from gateway.core.moments import parse_moment

#: An agency code as the directory writes it, from one as data do; a code that it does not know stands as written.
Canonical = Callable[[str], str]
_Data = Mapping[str, Any]
_NOTHING: Final[_Data] = {}


class Sent(Protocol):
    """What is asked of a message here: ``gateway.core.envelope.Event`` has it."""

    @property
    def type(self) -> str:
        """The contract's name."""

    @property
    def version(self) -> str:
        """Its version, ``MAJOR.MINOR``."""

    @property
    def time(self) -> float:
        """The envelope's time."""

    @property
    def data(self) -> Any:
        """The record, valid against that version."""


class _Told(NamedTuple):
    """What the data of one kind say beyond the code."""

    said_at: Any
    status: Any = None
    due: Any = None
    reference: str = ""
    has_result: bool = False
    content: str = ""
    officer: str = ""


def event_of(
    event: Sent,
    agency: str,
    recipients: tuple[str, ...],
    canonical: Canonical,
    calendar: Calendar | None = None,
    *,
    is_portal: bool = False,
) -> DossierEvent | None:
    """The line of an accepted message; None where it speaks of no dossier.

    ``agency``: whose system sent it, ``recipients``: the agencies it goes to; canonical codes. ``calendar``: where it
    is given, a deadline that data only give as a term is worked out by it. ``is_portal``: whether the system that sent
    it is registered as a portal.
    """
    known = _KINDS.get(event.type)
    if known is None:
        return None
    kind, majors, read = known
    data: _Data = event.data
    written = data.get("dossierCode")
    if event.version.partition(".")[0] not in majors or not isinstance(written, str) or not (code := compared(written)):
        return None
    told = read(data)
    said_at = _moment(told.said_at)
    parts = read_code(code)
    line = DossierEvent(
        kind=kind,
        code=code,
        written=written,
        agency=agency,
        recipients=recipients,
        said_at=event.time if said_at is None else said_at,
        sent_at=event.time,
        # A whole number may be written as 4.0.
        status=None if told.status is None else int(told.status),
        due=_moment(told.due),
        reference=told.reference,
        has_result=told.has_result,
        content=_digest(told.content),
        officer=_digest(told.officer),
        code_agency="" if parts is None else canonical(parts.agency),
        is_portal=is_portal,
    )
    if kind == "registered":
        return _registered(line, data, canonical, calendar)
    return _forwarded(line, data, canonical, calendar) if kind == "forwarded" else line


# ------------------------------------------------------------------------------------------ what each contract says


def _said_registered(data: _Data) -> _Told:
    status = data["status"]
    return _Told(status["at"], status["code"], data.get("dueAt"), has_result=bool(data.get("results")))


def _said_forwarded(data: _Data) -> _Told:
    return _Told(data["hop"]["forwardedAt"])


def _said_progressed(data: _Data) -> _Told:
    # Its dueAt is the deadline of the step within an office, not the dossier's.
    return _Told(
        data["at"],
        data["status"]["code"],
        reference=data.get("charges", _NOTHING).get("noticeNumber", ""),
        content=data.get("content", ""),
        officer=data.get("officer", _NOTHING).get("name", ""),
    )


def _said_supplement_requested(data: _Data) -> _Told:
    supplement = data["supplement"]
    return _Told(supplement["requestedAt"], data["status"]["code"], reference=supplement["id"])


def _said_supplemented(data: _Data) -> _Told:
    supplement = data["supplement"]
    return _Told(supplement["receivedAt"], data["status"]["code"], supplement.get("newDueAt"), supplement["id"])


def _said_result_issued(data: _Data) -> _Told:
    status = data["status"]
    return _Told(status["at"], status["code"], has_result=bool(data["results"]))


def _said_returned(data: _Data) -> _Told:
    return _Told(data["returnedAt"], data["status"]["code"])


def _said_withdrawn(data: _Data) -> _Told:
    return _Told(data["withdrawnAt"], data["status"]["code"])


def _said_signing_requested(data: _Data) -> _Told:
    return _Told(None, reference=data["requestId"])


def _said_signing_completed(data: _Data) -> _Told:
    has_result = data["outcome"] in {"issued", "signed"} and bool(data.get("document", _NOTHING).get("attachments"))
    return _Told(data["at"], reference=data.get("requestId", ""), has_result=has_result)


def _said_paid(data: _Data) -> _Told:
    status = data.get("status") if data["outcome"] == "paid" else None
    return _Told(data["paidAt"], None if status is None else status["code"], reference=data["noticeId"])


def _said_refunded(data: _Data) -> _Told:
    return _Told(data["refundedAt"], reference=data["noticeId"])


def _said_ordered(data: _Data) -> _Told:
    return _Told(None, reference=data["orderNumber"])


def _said_tracked(data: _Data) -> _Told:
    return _Told(data["event"]["at"], reference=f"{data['orderNumber']}/{data['event']['code']}")


_ONE: Final = frozenset({"1"})
_BOTH: Final = frozenset({"1", "2"})
_KINDS: Final[Mapping[str, tuple[EventKind, frozenset[str], Callable[[_Data], _Told]]]] = {
    "dossier.registered": ("registered", _BOTH, _said_registered),
    "dossier.forwarded": ("forwarded", _ONE, _said_forwarded),
    "dossier.progressed": ("progressed", _ONE, _said_progressed),
    "dossier.supplement-requested": ("supplement-requested", _ONE, _said_supplement_requested),
    "dossier.supplemented": ("supplemented", _BOTH, _said_supplemented),
    "dossier.result-issued": ("result-issued", _BOTH, _said_result_issued),
    "dossier.returned": ("returned", _ONE, _said_returned),
    "dossier.withdrawn": ("withdrawn", _ONE, _said_withdrawn),
    "signing.requested": ("signing-requested", _ONE, _said_signing_requested),
    "signing.completed": ("signing-completed", _ONE, _said_signing_completed),
    "payment.notified": ("payment-notified", _ONE, _said_paid),
    "payment.refunded": ("payment-refunded", _ONE, _said_refunded),
    "post.ordered": ("post-ordered", _ONE, _said_ordered),
    "post.tracked": ("post-tracked", _ONE, _said_tracked),
}


# ----------------------------------------------------------------------------------------------------- two of them more


def _registered(line: DossierEvent, data: _Data, canonical: Canonical, calendar: Calendar | None) -> DossierEvent:
    received = _moment(data.get("receivedAt"))
    # Status 2 is the receipt itself.
    since = line.said_at if received is None and line.status == RECEIVED else received
    due = line.due
    if due is None and since is not None:
        due = _due(data, since, calendar)
    return replace(
        line,
        due=due,
        procedure=data["procedure"]["code"],
        parent=_other_code(data, "parent"),
        channel=data.get("submission", _NOTHING).get("channel", ""),
        received_at=received,
        finished_at=_moment(data.get("finishedAt")),
        addressee=_unit(data["agency"], canonical),
    )


def _forwarded(line: DossierEvent, data: _Data, canonical: Canonical, calendar: Calendar | None) -> DossierEvent:
    hop = data["hop"]
    number = int(hop["number"])
    to = _unit(hop["to"], canonical)
    if not to and len(line.recipients) == 1:
        to = line.recipients[0]
    due = _moment(hop.get("dueAt"))
    return replace(
        line,
        reference=f"{number}/{to}",
        procedure=data["dossier"]["procedure"]["code"],
        parent=_other_code(data, "parent"),
        hop=Hop(
            number=number,
            from_agency=_unit(hop["from"], canonical) or line.agency,
            to_agency=to,
            due=_due(hop, line.said_at, calendar) if due is None else due,
            child=_other_code(data, "child"),
        ),
    )


def _due(data: _Data, since: float, calendar: Calendar | None) -> float | None:
    term = data.get("term")
    if term is None or calendar is None:
        return None
    return due_of(since, Term(int(term["number"]), term["unit"]), calendar)


def _unit(unit: _Data, canonical: Canonical) -> str:
    """The agency that a unit is; empty where it is told by its name alone."""
    code = unit.get("code")
    return canonical(code) if code else ""


def _other_code(data: _Data, name: str) -> str:
    return compared(data.get(name, _NOTHING).get("dossierCode", ""))


def _digest(text: str) -> str:
    """Enough to tell two texts of one second apart; the words themselves stay in the message."""
    return hashlib.blake2b(text.strip().encode("utf-8", "replace"), digest_size=6).hexdigest() if text.strip() else ""


def _moment(text: Any) -> float | None:
    """A moment of valid data; None where nothing is said, or none that can be written in UTC."""
    return parse_moment(text) if isinstance(text, str) else None
