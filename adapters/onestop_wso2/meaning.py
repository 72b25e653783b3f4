"""What a document of the older interface says: its status by two numbers and three marks, and which event it is.

Status 1 is being processed, 2 released. IsSuccess says that there is a result, IsReturned that the applicant has got
something back: with success the result (10), without it the dossier (3 or 8). HasSupplementary with an entry that is
not received waits for the applicant (5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.statuses import DONE, HANDED_OVER, PROCESSING, REFUSED, STOPPED, SUPPLEMENT, ours
from gateway.core.faults import Text
from gateway.core.wire_record import name_in

#: What is read besides the rules.
_MARKS: Final = frozenset({"issuccess", "isreturned", "hassupplementary", "status"})


class Senseless(Exception):
    """The item says something that cannot be passed on; for its sender."""

    def __init__(self, detail: Text) -> None:
        super().__init__(detail.en)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one document as they came, and the status told by them."""

    is_success: bool
    is_returned: bool
    is_waiting: bool
    told: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Marks:
        """Raises Senseless for a Status that is neither 1 nor 2."""
        told = str(name_in(said, "Status") or "").strip()
        if ours("wso2", told) is None:
            raise Senseless(_NO_STATUS)
        entries = name_in(said, "Supplementaries")
        is_open = any(
            isinstance(each, dict) and not _is(name_in(each, "IsReceived")) and not name_in(each, "ReceivedDate")
            for each in (entries if isinstance(entries, list) else ())
        )
        return cls(
            _is(name_in(said, "IsSuccess")),
            _is(name_in(said, "IsReturned")),
            _is(name_in(said, "HasSupplementary")) and is_open,
            told,
        )

    @property
    def words(self) -> list[str]:
        """The marks as they compare, however they were typed."""
        return [str(each) for each in (self.is_success, self.is_returned, self.is_waiting, self.told)]

    def status(self, *, is_known: bool) -> int:
        """Of the national list. What is given back without success was refused, or stopped once it was under way."""
        if self.is_success:
            return HANDED_OVER if self.is_returned else DONE
        if self.is_returned:
            return STOPPED if is_known else REFUSED
        if self.is_waiting:
            return SUPPLEMENT
        return ours("wso2", self.told) or PROCESSING


@dataclass(frozen=True, slots=True)
class Meaning:
    """``kind``: the rules to apply; ``status`` of the national list; ``since``: the member that says since when."""

    kind: str
    version: str
    status: int
    since: tuple[str, ...]
    extra: Mapping[str, Any]


_SINCE: Final[Mapping[int, tuple[str, ...]]] = {
    REFUSED: ("ReturnedDate",),
    SUPPLEMENT: ("RequireSupplementaryDate",),
    STOPPED: ("ReturnedDate",),
    DONE: ("SuccessDate",),
    HANDED_OVER: ("ReturnedDate", "SuccessDate"),
}


@dataclass(frozen=True, slots=True)
class Telling:
    """Who tells a document, and how: ``agency`` whose software it is; ``restates``: it says of the dossier itself what
    is not known yet; ``is_here``: whether this very document told of a supplement (by its id) before.
    """

    agency: str
    restates: bool
    is_here: Callable[[str], bool]


def meanings_of(item: Mapping[str, Any], marks: Marks, known: Dossier | None, telling: Telling) -> tuple[Meaning, ...]:
    """What a tidy document says, in order; ``known`` is the dossier as the bus knows it.

    What a step cannot say of the dossier itself is told by registering it anew, as of now.
    """
    is_known = known is not None and known.status is not None
    status = marks.status(is_known=is_known)
    since = _SINCE.get(status, ())
    if known is None or not is_known or _is_first_word(known, telling.agency):
        return (Meaning("registered", "2.0", status, (*since, "DateReceived"), {}),)
    if status == HANDED_OVER:
        return (Meaning("result-issued", "2.0", status, since, {}),)
    if status in {REFUSED, STOPPED}:
        reason = item.get("ReturnNote") or item.get("Note")
        if reason is None:
            raise Senseless(_NO_REASON)
        return (Meaning("returned", "1.0", status, since, {"@reason": reason}),)
    supplements = _supplements(item, known, status, telling)
    if telling.restates:
        return (*supplements, Meaning("registered", "2.0", status, (), {}))
    return supplements or (Meaning("progressed", "1.0", status, since, {}),)


def without_marks(more: Mapping[str, Any]) -> dict[str, Any]:
    """What no rule reads, less the marks: those are compared by what they say."""
    return {name: value for name, value in more.items() if name.casefold() not in _MARKS}


def _supplements(item: Mapping[str, Any], known: Dossier, status: int, telling: Telling) -> tuple[Meaning, ...]:
    """The requests, or the answers, of which this agency did not tell yet; the same document says the same again."""
    wanted, version, at = (
        ("supplement-requested", "1.0", "SendDate") if status == SUPPLEMENT else ("supplemented", "2.0", "ReceivedDate")
    )
    lines = [step.told.event for step in known.steps]
    said = {line.reference for line in lines if line.kind == wanted and line.agency == telling.agency}
    found: dict[str, Meaning] = {}
    for entry in item.get("Supplementaries", ()):
        reference, is_answered = str(entry["SupplementaryId"]), "ReceivedDate" in entry
        if is_answered != (wanted == "supplemented") or (reference in said and not telling.is_here(reference)):
            continue
        found[reference] = Meaning(wanted, version, status, (), {"@supplement": dict(entry), "@since": entry[at]})
    return tuple(found.values())


def _is_first_word(known: Dossier, agency: str) -> bool:
    return known.lead == agency and not any(
        step.told.event.kind == "registered" and step.told.event.agency == agency for step in known.steps
    )


def _is(value: Any) -> bool:
    return str(value).strip().casefold() in {"true", "1"}


_NO_STATUS: Final = Text(
    "Status phải là 1 (đang xử lý) hoặc 2 (đã phát hành). Phần mềm một cửa cần sửa rồi gửi lại.",
    "Status must be 1 (processing) or 2 (released). The one-stop software must mend it and send again.",
)
_NO_REASON: Final = Text(
    "Hồ sơ bị trả lại mà không ghi lý do. Cán bộ một cửa cần ghi ReturnNote rồi gửi lại.",
    "The dossier is given back without a reason. The officer must write ReturnNote and send again.",
)
