"""A dossier as one record: its registration with all that was said since, in the shape of dossier.registered/2.0. Pure.

What is passed on as a whole (to a portal that asks, to a page, to an agency that joins late) is this record. Only what
is taken for true of the dossier goes in; its status and its dates are those that its history gives.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.history import is_of_record
from gateway.core.dossiers.statuses import FINISHED, HANDED_OVER, REFUSED
from gateway.core.moments import VIET_NAM, parse_moment

_Data = Mapping[str, Any]
#: So many a list of the contract holds; of more the youngest are kept.
_MOST: Final = {"papers": 500, "fees": 200, "supplements": 100, "results": 200}
_OF_REQUEST: Final = ("id", "requestedBy", "content", "requestedAt", "papers", "fees", "previousDueAt")
_OF_ANSWER: Final = ("receivedBy", "receivedNote", "receivedAt", "state", "newDueAt")
_NEEDED: Final = ("procedure", "agency", "applicant")


def composed(dossier: Dossier, data: Mapping[str, _Data]) -> dict[str, Any]:
    """The record by the data of its messages (by key, in the newest major); messages that are gone are left out.

    Empty where no registration of it is there any more, or its status is not known. ``data`` is left as it is.
    """
    record: dict[str, Any] = {}
    for step in dossier.steps:
        said = data.get(step.told.message)
        # Agencies that have a part in hand speak of that alone.
        if said is not None and is_of_record(step) and _is_of_the_whole(dossier, step):
            merge = _MERGES.get(step.told.event.kind)
            if merge is not None:
                merge(record, copy.deepcopy(dict(said)))
    if dossier.status is None or any(name not in record for name in _NEEDED):
        return {}
    _stamped(record, dossier, data)
    for name, most in _MOST.items():
        if len(record.get(name, ())) > most:
            record[name] = record[name][-most:]
    return record


def _is_of_the_whole(dossier: Dossier, step: Step) -> bool:
    event = step.told.event
    if event.kind == "payment-notified":
        # Money that does not fit what was charged moves nothing: it is kept, and the dossier is not paid by it.
        return step.has_paid
    if event.kind == "forwarded" or event.agency == dossier.lead or step.counts:
        return True
    # What the portal says that moves nothing: a registration that came after the lead's own, a second answer, a notice
    # of what is to be paid that the office knew of.
    return event.kind in {"registered", "supplemented", "progressed"} and event.agency not in {
        leg.hop.to_agency for leg in dossier.legs
    }


def _stamped(record: dict[str, Any], dossier: Dossier, data: Mapping[str, _Data]) -> None:
    """What the history says in place of what single messages did."""
    record["dossierCode"] = dossier.written
    mover = next((step.told.message for step in reversed(dossier.steps) if step.counts), "")
    status = data.get(mover, {}).get("status")
    if status is not None and status["code"] == dossier.status:
        record["status"] = copy.deepcopy(dict(status))
    else:
        record["status"] = {"code": dossier.status, "at": _written(dossier.status_at or 0.0)}
    _dated(record, "dueAt", dossier.due)
    if dossier.received_at is not None and "receivedAt" not in record:
        record["receivedAt"] = _written(dossier.received_at)
    if dossier.status in FINISHED:
        _dated(record, "finishedAt", dossier.finished_at)
    if dossier.parent and "parent" not in record:
        record["parent"] = {"dossierCode": dossier.parent}


def _dated(record: dict[str, Any], name: str, moment: float | None) -> None:
    """The moment of the history, in the words in which it was said where it was."""
    if moment is not None and parse_moment(record.get(name, "")) != moment:
        record[name] = _written(moment)


def _written(moment: float) -> str:
    return datetime.fromtimestamp(round(moment), VIET_NAM).isoformat()


# ------------------------------------------------------------------------------------------------ what each kind adds


def _registered(record: dict[str, Any], said: dict[str, Any]) -> None:
    """A later registration says everything anew, but for what it leaves out; what was added meanwhile stays."""
    for name in ("supplements", "results", "fees"):
        if name in record and name in said:
            said[name] = _joined(record[name], said[name], _same_supplement if name == "supplements" else _same_thing)
    if "ext" in record and "ext" in said:
        said["ext"] = {**record["ext"], **said["ext"]}
    record.update(said)


def _forwarded(record: dict[str, Any], said: dict[str, Any]) -> None:
    if "parent" in said:
        record.setdefault("parent", said["parent"])


def _progressed(record: dict[str, Any], said: dict[str, Any]) -> None:
    charges = said.get("charges", {})
    if charges.get("fees"):
        record["fees"] = _joined(record.get("fees", []), charges["fees"], _same_thing)
        record["charges"] = charges


def _supplement_requested(record: dict[str, Any], said: dict[str, Any]) -> None:
    asked = {name: said["supplement"][name] for name in _OF_REQUEST if name in said["supplement"]}
    record["supplements"] = _joined(record.get("supplements", []), [asked], _same_supplement)


def _supplemented(record: dict[str, Any], said: dict[str, Any]) -> None:
    answer = {name: said["supplement"][name] for name in _OF_ANSWER if name in said["supplement"]}
    brought = {name: said[name] for name in ("papers", "fees") if said.get(name)}
    entry = next((each for each in record.get("supplements", []) if each["id"] == said["supplement"]["id"]), None)
    if entry is not None:
        entry.update(answer)
    # Where the request is not known, what was brought is the dossier's all the same.
    held = record if entry is None else entry
    for name, things in brought.items():
        held[name] = _joined(held.get(name, []), things, _same_thing)


def _result_issued(record: dict[str, Any], said: dict[str, Any]) -> None:
    if said["results"]:
        record["results"] = _joined(record.get("results", []), said["results"], _same_thing)
    if "finishedAt" in said:
        record["finishedAt"] = said["finishedAt"]
    if "handedOverAt" in said or said["status"]["code"] == HANDED_OVER:
        record["returnedAt"] = said.get("handedOverAt", said["status"]["at"])
    if "note" in said:
        record["returnNote"] = said["note"]


def _returned(record: dict[str, Any], said: dict[str, Any]) -> None:
    record["returnedAt"], record["returnNote"] = said["returnedAt"], said["reason"]
    if said["status"]["code"] == REFUSED:
        record["refusedAt"] = said["returnedAt"]


def _withdrawn(record: dict[str, Any], said: dict[str, Any]) -> None:
    record["returnedAt"] = said["withdrawnAt"]
    if "reason" in said:
        record["returnNote"] = said["reason"]


def _paid(record: dict[str, Any], said: dict[str, Any]) -> None:
    if said["outcome"] == "paid":
        record["onlinePayment"] = "paid"


_MERGES: Final[Mapping[str, Callable[[dict[str, Any], dict[str, Any]], None]]] = {
    "registered": _registered,
    "forwarded": _forwarded,
    "progressed": _progressed,
    "supplement-requested": _supplement_requested,
    "supplemented": _supplemented,
    "result-issued": _result_issued,
    "returned": _returned,
    "withdrawn": _withdrawn,
    "payment-notified": _paid,
}


# --------------------------------------------------------------------------------------------------- lists become one


def _joined(known: list[Any], more: list[Any], same: Callable[[_Data], object]) -> list[Any]:
    """``known`` and ``more``: what says the same thing again adds to it, in its place."""
    found = {same(each): dict(each) for each in known}
    for each in more:
        found[same(each)] = {**found.get(same(each), {}), **each}
    return list(found.values())


def _same_supplement(each: _Data) -> object:
    return each["id"]


def _same_thing(each: _Data) -> object:
    """A paper, a fee or a result by its id and name, else by all that tells it apart.

    The id alone does not: a much used system writes the same made-up one everywhere.
    """
    if each.get("id"):
        return each["id"], each["name"]
    return (each["name"], each.get("component"), each.get("code"), each.get("kind"), each.get("link"), _digest(each))


def _digest(each: _Data) -> object:
    return each.get("file", {}).get("sha256")
