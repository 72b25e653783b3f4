"""What one message says that an applicant, or a mailbox of an office, may be told: nothing else of it. Pure.

Never a name, an address, an identity number, a file or an officer: the dossier's code, its procedure, its status in
words, its dates, what is asked for, and where to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.dossiers.dossier import Dossier, Step
from gateway.core.dossiers.history import is_heard
from gateway.core.dossiers.statuses import name_of
from gateway.core.faults import Text
from gateway.core.moments import parse_moment
from gateway.core.notices.words import moment_words, sum_words

#: What a text may name in braces; each is empty where nothing is known of it.
PLACEHOLDERS: Final = frozenset(
    {
        "code",  # the dossier's code
        "procedure",  # the procedure's name
        "status",  # in words
        "due",  # when the result is due
        "asked",  # what the applicant is asked to bring or to do
        "papers",  # the papers that are asked for, a line each
        "fees",  # what is to be paid in all
        "before",  # until when the applicant should answer or pay
        "office",  # the agency that answers for the dossier
        "department",  # the department or agency where it lies
        "told",  # a reminder's own sentence
    }
)  # fmt: skip
#: Statuses that have a message of their own: refused, a supplement, withdrawn, stopped, done, handed over.
_TOLD_ELSEWHERE: Final = frozenset({3, 5, 7, 8, 9, 10})
#: What names a due date.
_APPOINT: Final = frozenset({"registered", "supplemented"})
#: Of a text that people wrote this much is passed on (characters), and of a list so many entries.
_LONGEST: Final = 8000
_LONGEST_NAME: Final = 500
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Notice:
    """``values``: what is known of the placeholders. ``email`` and ``phone``: the applicant's as written, or empty.

    ``is_news``: False where the register does not take the message for true of the dossier (out of order, said before,
    by somebody who has no say), it is about one office's part alone and asks for nothing, or it is a step that leads to
    no new status, or to one that another message says more of. ``is_again``: its office registered the dossier before,
    so nothing was received now; that is news where the due date is another one, or the status.
    """

    contract: str
    code: str
    status: int | None
    values: Mapping[str, Text]
    email: str = ""
    phone: str = ""
    is_news: bool = True
    is_again: bool = False


def dossier_code(event: Mapping[str, Any]) -> str:
    """The code of the dossier that a message is about; empty where it is about none."""
    return _text(_object(event.get("data")).get("dossierCode"), _LONGEST_NAME)


def notice_of(
    event: Mapping[str, Any], dossier: Dossier | None, message: str = "", *, called: Callable[[str], str] = str
) -> Notice:
    """What ``event`` says, filled up from what is known of its dossier; ``message``: the key of its line there.

    ``called``: what an agency is called by its code, where the message does not say it.
    """
    data = _object(event.get("data"))
    record = _object(dossier.record) if dossier is not None else {}
    inner = _object(data.get("dossier"))  # dossier.forwarded says what the dossier is in a member of its own
    applicant = [_object(each.get("applicant")) for each in (data, inner, record)]
    status = _status(data, dossier)
    asked = _asked(data)
    found = {
        "code": _both(dossier_code(event)),
        "procedure": _both(_first(_object(each.get("procedure")).get("name") for each in (data, inner, record))),
        "status": name_of(status) if status is not None else _NOTHING,
        "due": _both(_due(data, inner, record, dossier)),
        "office": _both(_office(data, record, dossier, called)),
        "department": _both(_department(data, called)),
        "told": _told(data),
        **asked,
    }
    return Notice(
        contract=str(event.get("type")),
        code=dossier_code(event),
        status=status,
        values={name: text for name, text in found.items() if text.vi},
        email=_first(each.get("email") for each in applicant),
        phone=_first(each.get("phone") for each in applicant),
        is_news=_is_news(dossier, message, asks=any(asked[name].vi for name in ("asked", "fees"))),
        is_again=_is_again(dossier, message),
    )


_NOTHING: Final = Text("", "")


def _status(data: Mapping[str, Any], dossier: Dossier | None) -> int | None:
    code = _object(data.get("status")).get("code")
    if isinstance(code, int) and not isinstance(code, bool):
        return code
    return dossier.status if dossier is not None else None


def _due(data: Mapping[str, Any], inner: Mapping[str, Any], record: Mapping[str, Any], dossier: Dossier | None) -> str:
    """The latest word on when the result is due: a new due date of this message, the register's, the record's."""
    supplement = _object(data.get("supplement"))
    told = _first_moment(supplement.get("newDueAt"), data.get("dueAt") if _is_registration(data) else None)
    if told is not None:
        return moment_words(told)
    if dossier is not None and dossier.due is not None:
        return moment_words(dossier.due)
    known = _first_moment(inner.get("dueAt"), record.get("dueAt"))
    return moment_words(known) if known is not None else ""


def _is_registration(data: Mapping[str, Any]) -> bool:
    """Elsewhere ``dueAt`` is the deadline of a step within the offices."""
    return "procedure" in data


def _office(
    data: Mapping[str, Any], record: Mapping[str, Any], dossier: Dossier | None, called: Callable[[str], str]
) -> str:
    agencies = [_object(each.get("agency")) for each in (data, record)]
    codes = (each.get("code") for each in agencies)
    name = _first(each.get("name") for each in agencies)
    code = "" if name else _first(codes) or (dossier.lead if dossier else "")
    return called(code) if code else name


def _department(data: Mapping[str, Any], called: Callable[[str], str]) -> str:
    to = _object(_object(data.get("hop")).get("to"))
    code = _first((to.get("code"),))
    return _first((to.get("name"), data.get("department"), data.get("unit"))) or (called(code) if code else "")


def _told(data: Mapping[str, Any]) -> Text:
    text = _object(data.get("text"))
    vi, en = _text(text.get("vi"), _LONGEST), _text(text.get("en"), _LONGEST)
    return Text(vi, en or vi) if vi else _NOTHING


def _asked(data: Mapping[str, Any]) -> dict[str, Text]:
    """What is asked for: by a request for a supplement, or by a notice of what is to be paid."""
    supplement, charges = _object(data.get("supplement")), _object(data.get("charges"))
    if supplement.get("receivedAt") is not None:
        supplement = {}
    names = [_text(_object(each).get("name"), _LONGEST_NAME) for each in _list(supplement.get("papers"))]
    total = sum(_amounts(_list(supplement.get("fees"))), 0) + sum(_amounts(_list(charges.get("fees"))), 0)
    before = _first_moment(supplement.get("answerBefore"), charges.get("payBefore"))
    return {
        "asked": _both(_text(supplement.get("content"), _LONGEST)),
        "papers": _both("\n".join(f"- {name}" for name in names if name)),
        "fees": sum_words(total) if total else _NOTHING,
        "before": _both(moment_words(before) if before is not None else ""),
    }


def _amounts(fees: Iterable[Any]) -> Iterator[int]:
    for fee in fees:
        amount = _object(fee).get("amount")
        if isinstance(amount, int) and not isinstance(amount, bool) and amount > 0:
            yield amount


def _is_again(dossier: Dossier | None, message: str) -> bool:
    """Whether the message registers anew what its agency registered before."""
    place, steps = _place(dossier, message)
    if place is None or steps[place].told.event.kind != "registered":
        return False
    agency = steps[place].told.event.agency
    return any(
        each.told.event.kind == "registered" and each.told.event.agency == agency and is_heard(each)
        for each in steps[:place]
    )


def _is_due_new(steps: Sequence[Step], place: int) -> bool:
    """Whether the step at ``place`` names another due date than the one that was named last."""
    named = [each.told.event.due for each in steps[:place] if each.told.event.kind in _APPOINT and is_heard(each)]
    before = next((due for due in reversed(named) if due is not None), None)
    due = steps[place].told.event.due
    return due is not None and due != before


def _place(dossier: Dossier | None, message: str) -> tuple[int | None, Sequence[Step]]:
    """Where the message stands among the steps of its dossier; None where it does not."""
    key = message.lower()
    steps = () if dossier is None or not key else dossier.steps
    return next((at for at, each in enumerate(steps) if each.told.message.lower() == key), None), steps


def _is_news(dossier: Dossier | None, message: str, *, asks: bool) -> bool:
    place, steps = _place(dossier, message)
    if place is None:
        return True
    step = steps[place]
    is_late = "late" in step.flags  # what came after it was told already
    event = step.told.event
    if event.kind == "progressed" and not asks:
        # A citizen is told of a new status once, and of these by the message that says more of them.
        return is_heard(step) and step.counts and not is_late and event.status not in _TOLD_ELSEWHERE
    if event.kind == "registered" and (not step.counts or _is_again(dossier, message)):
        is_moved = step.counts and not is_late and event.status not in _TOLD_ELSEWHERE
        return is_heard(step) and (is_moved or (_is_due_new(steps, place) and event.status == step.status))
    is_of_part = event.status is not None and event.status != step.status
    return is_heard(step) and (asks or not is_of_part)


# ------------------------------------------------------------------------------------------------ reading


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value[:_MOST]) if isinstance(value, list | tuple) else []


def _text(value: Any, longest: int) -> str:
    """Printable text in lines, without anything that steers a terminal, a mail program or the direction of writing."""
    if not isinstance(value, str):
        return ""
    lines = value[:longest].splitlines()
    return "\n".join("".join(c if c.isprintable() else " " for c in line).strip() for line in lines).strip()


def _first(values: Iterable[Any]) -> str:
    """The first of them that says anything, on one line."""
    return next((found for each in values if (found := " ".join(_text(each, _LONGEST_NAME).split()))), "")


def _first_moment(*values: Any) -> float | None:
    return next((at for each in values if isinstance(each, str) and (at := parse_moment(each)) is not None), None)


def _both(text: str) -> Text:
    return Text(text, text)
