"""The ten statuses of a dossier as one table: their names, their groups in reports, which may follow which.

The codes and the groups are those of the national portal and of the reports of provinces. The moves follow Decree
61/2018; what is told out of them is kept and shown, and does not move a dossier. Beside it stand the vocabularies of
other systems as far as it is known what their words mean here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from gateway.core.dossiers.event import FILED
from gateway.core.faults import Text

#: How reports count a dossier.
Group = Literal["processing", "done", "returned", "supplement", "stopped", "not-received"]

RECEIVED: Final = 2
REFUSED: Final = 3
PROCESSING: Final = 4
SUPPLEMENT: Final = 5
TO_PAY: Final = 6
WITHDRAWN: Final = 7
STOPPED: Final = 8
DONE: Final = 9
HANDED_OVER: Final = 10


@dataclass(frozen=True, slots=True)
class Status:
    """One status: its code, its names, how reports count it, and which statuses may follow it."""

    code: int
    name: Text
    group: Group
    moves: tuple[int, ...]


STATUSES: Final[Mapping[int, Status]] = {
    each.code: each
    for each in (
        Status(FILED, Text("Mới đăng ký", "Filed, not yet received"), "not-received", (2, 3, 5, 7)),
        Status(RECEIVED, Text("Được tiếp nhận", "Received"), "processing", (4, 5, 7)),
        Status(REFUSED, Text("Không được tiếp nhận", "Not received"), "not-received", ()),
        Status(PROCESSING, Text("Đang xử lý", "Being processed"), "processing", (5, 6, 7, 8, 9)),
        Status(SUPPLEMENT, Text("Yêu cầu bổ sung giấy tờ", "Supplement requested"), "supplement", (1, 2, 3, 4, 7, 8)),
        Status(TO_PAY, Text("Yêu cầu thực hiện nghĩa vụ tài chính", "Waiting for payment"), "stopped", (4, 8)),
        Status(WITHDRAWN, Text("Công dân yêu cầu rút hồ sơ", "Withdrawn by the applicant"), "returned", ()),
        Status(STOPPED, Text("Dừng xử lý", "Processing stopped"), "stopped", (4, 7)),
        Status(DONE, Text("Đã xử lý xong", "Done, the result is ready"), "done", (10,)),
        Status(HANDED_OVER, Text("Đã trả kết quả", "Result handed over"), "done", ()),
    )
}
#: A dossier in one of these waits, for the applicant or for a reason told: a mere word does not finish it.
WAITING: Final = frozenset({SUPPLEMENT, TO_PAY, STOPPED})
#: Nothing follows these.
ENDS: Final = frozenset({REFUSED, WITHDRAWN, HANDED_OVER})
#: In these its result is there.
FINISHED: Final = frozenset({DONE, HANDED_OVER})
#: Steps back: nobody goes there by a jump, but from where it waits.
_BACK: Final = frozenset({FILED, RECEIVED})


def name_of(status: int) -> Text:
    """What people call it; the bare number for a code that is none of ours."""
    known = STATUSES.get(status)
    return Text(str(status), str(status)) if known is None else known.name


def is_allowed(before: int, after: int) -> bool:
    """Whether ``after`` may follow ``before`` at once."""
    return after in STATUSES[before].moves


@cache
def is_reachable(before: int, after: int) -> bool:
    """Whether ``after`` may follow when steps between were not told: by allowed moves, none of them a step back.

    A step back to 2 is one that a dossier may take where it waits (5, 6, 8); one to 1 only from 5, at once.
    """
    if is_allowed(before, after) or (after == RECEIVED and before in WAITING):
        return True
    seen, waiting = {before}, [before]
    while waiting:
        for each in STATUSES[waiting.pop()].moves:
            if each not in seen and (each not in _BACK or each > before):
                seen.add(each)
                waiting.append(each)
    return after in seen - {before} and (after not in _BACK or before == FILED)


# ------------------------------------------------------------------------------------- what other systems call them

#: vocabulary -> its code -> ours; None where the code says nothing that we have a word for, or nobody knows what.
VOCABULARIES: Final[Mapping[str, Mapping[str, int | None]]] = {
    # The national portal; "0" stands for steps inside an office that it has no word for.
    "dvcqg": {"0": None, **{str(code): code for code in STATUSES}},
    # The older dossier interface of provincial buses: being processed, released.
    "wso2": {"1": PROCESSING, "2": DONE},
    # What "3" (returned) gives back, the papers or the result, is not known.
    "emc": {"0": None, "1": RECEIVED, "2": PROCESSING, "3": None, "4": PROCESSING},
    # A much used one-stop system, by name.
    "ocps": {
        "receiving": FILED, "new": RECEIVED, "denied": REFUSED, "processing": PROCESSING, "waiting": SUPPLEMENT,
        "paying": TO_PAY, "cancelled": WITHDRAWN, "unresolved": STOPPED, "releasing": DONE, "done": HANDED_OVER,
        "interoperating": None, "posting": None,
    },
    # Civil status: received, to be supplemented, eligible, done; 0 is an error.
    "civil-status": {"0": None, "1": RECEIVED, "2": SUPPLEMENT, "3": PROCESSING, "4": DONE},
    # Linked birth and death procedures: as before, and refused; 7 says that it was sent.
    "linked-civil-status": {
        "1": RECEIVED, "2": SUPPLEMENT, "3": PROCESSING, "4": DONE, "6": REFUSED, "7": None,
    },
    # Criminal records: received, being processed, the slip is ready.
    "criminal-record": {"3": RECEIVED, "4": PROCESSING, "5": DONE},
}  # fmt: skip
#: The other way, for systems that know fewer statuses than we do: ours -> theirs.
OUTWARD: Final[Mapping[str, Mapping[int, str]]] = {
    "wso2": {code: "2" if code in FINISHED else "1" for code in STATUSES},
    "dvcqg": {code: str(code) for code in STATUSES},
}


def ours(vocabulary: str, code: str) -> int | None:
    """What a far system's code means here; None where that is not known.

    Numbers in text compare as numbers ("09" is "9"), names without case.
    """
    words = VOCABULARIES.get(vocabulary, {})
    plain = code.strip().lower()
    if plain.isascii() and plain.isdigit() and len(plain) <= 9:
        plain = str(int(plain))
    return words.get(plain)


def theirs(vocabulary: str, status: int) -> str | None:
    """What our status is called in a far system's vocabulary; None where it has no word, or we know none."""
    return OUTWARD.get(vocabulary, {}).get(status)
