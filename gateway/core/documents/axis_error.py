"""The error codes by which an axis and the provincial platforms behind it say no, and what each asks of whom.

From the Lạng Sơn guide v2.2, whose platform relays the axis' codes; the axis has published no list of its own. What is
not in the table is taken as temporary. The far side's own words are not passed on: they may quote the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.faults import DeliveryFailure, DestinationGone, PermanentFailure, Text, TransientFailure

#: ``final``: this message will never be taken; ``credentials``: nothing will be until an operator acts; ``unsure``:
#: a few tries, then final; ``later``: the far side's own trouble.
Verdict = Literal["final", "credentials", "unsure", "later"]

SUCCESS: Final = "0"
#: Tries of a message whose file the far side fails to process, before it is given up.
PARK_AFTER: Final = 5


@dataclass(frozen=True, slots=True)
class AxisError:
    """What a code means to the bus, and to people."""

    verdict: Verdict
    meaning: Text


ERRORS: Final[dict[str, AxisError]] = {
    "10": AxisError("final", Text("tệp gửi không hợp lệ", "the file is invalid")),
    "15": AxisError("credentials", Text("sai SystemId hoặc SecretKey", "wrong SystemId or SecretKey")),
    "18": AxisError("final", Text("đơn vị nhận không tồn tại trên trục", "the receiver does not exist there")),
    "19": AxisError("final", Text("đơn vị gửi chưa đăng ký trên trục", "the sender is not registered there")),
    "20": AxisError("later", Text("lỗi hệ thống của trục", "a system error over there")),
    "21": AxisError("unsure", Text("trục xử lý tệp bị lỗi", "the file could not be processed there")),
    "22": AxisError("final", Text("edXML sai định dạng", "the edXML format is wrong")),
    "23": AxisError("final", Text("đơn vị nhận đã bị khoá", "the receiver is locked")),
}
_UNKNOWN: Final = AxisError("later", Text("mã lỗi không có trong tài liệu", "a code that no document explains"))
_ACTS: Final[dict[Verdict, Text]] = {
    "final": Text("văn thư nơi gửi cần sửa rồi gửi lại", "the sender's clerk must mend it and send it anew"),
    "credentials": Text(
        "đơn vị vận hành trục cần sửa tài khoản rồi mở lại hàng chờ",
        "the operator of the bus must mend the account and release the queue",
    ),
    "unsure": Text("trục sẽ thử lại vài lần", "it is tried a few times more"),
    "later": Text("trục sẽ thử lại", "it is tried again"),
}


def failure_of(code: str, *, attempt: int, status: int | None = None) -> DeliveryFailure:
    """The failure that an error code is, at this attempt of the message; ``status`` is the HTTP status it came with."""
    known = ERRORS.get(code, _UNKNOWN)
    verdict: Verdict = known.verdict
    if verdict == "unsure" and attempt >= PARK_AFTER:
        verdict = "final"
    shown = code if code.isascii() and code.isalnum() and len(code) <= 12 else "?"
    act = _ACTS[verdict]
    said = f"[{shown}] {known.meaning.vi}: {act.vi} - {known.meaning.en}: {act.en}"
    if verdict == "final":
        return PermanentFailure(said, status)
    if verdict == "credentials":
        return DestinationGone(said, status)
    return TransientFailure(said, status)
