"""A dossier's course in words: where it stands, every step with what is odd about it, its parts and their deadlines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from gateway.api.courses import FLAGS
from gateway.core.dossiers.dossier import Dossier, Flag
from gateway.core.dossiers.heads import deadlines_of
from gateway.core.dossiers.statuses import name_of
from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM

KINDS: Final[Mapping[str, Text]] = {
    "registered": Text("đăng ký, cập nhật", "registered, updated"),
    "forwarded": Text("chuyển hồ sơ", "handed on"),
    "progressed": Text("tiến độ", "progress"),
    "supplement-requested": Text("yêu cầu bổ sung", "supplement asked for"),
    "supplemented": Text("đã bổ sung", "supplemented"),
    "result-issued": Text("kết quả", "result"),
    "returned": Text("trả hồ sơ", "given back"),
    "withdrawn": Text("rút hồ sơ", "withdrawn"),
    "signing-requested": Text("trình ký", "asked to sign"),
    "signing-completed": Text("kết quả trình ký", "outcome of signing"),
    "payment-notified": Text("báo thanh toán", "payment told"),
    "payment-refunded": Text("hoàn tiền", "paid back"),
    "post-ordered": Text("đặt bưu chính", "post ordered"),
    "post-tracked": Text("hành trình bưu gửi", "post tracked"),
}


def course_words(found: Dossier, now: float) -> Iterator[Text]:
    """A line each; ``now`` is seconds since 1970."""
    status = Text("chưa rõ", "not known") if found.status is None else name_of(found.status)
    due = Text("không có hạn", "no due date")
    if found.due is not None:
        due = Text(f"hạn {day_words(found.due)}", f"due {day_words(found.due)}")
    whose = f"{found.code}  {found.lead}"
    yield Text(f"{whose}: {status.vi}; {due.vi}", f"{whose}: {status.en}; {due.en}")
    if found.parent:
        yield Text(f"  thuộc hồ sơ {found.parent}", f"  belongs to {found.parent}")
    for child in found.children:
        yield Text(f"  hồ sơ con {child}", f"  its part {child}")
    for step in found.steps:
        event = step.told.event
        kind = KINDS[event.kind]
        said = "" if event.status is None else f" → {event.status}"
        odd = odd_words(step.flags)
        yield Text(
            f"  {moment_words(event.said_at)}  {event.agency}  {kind.vi}{said}{odd.vi}",
            f"  {moment_words(event.said_at)}  {event.agency}  {kind.en}{said}{odd.en}",
        )
    for leg in found.legs:
        hop = leg.hop
        by = Text("không hạn", "no deadline")
        if leg.due is not None:
            by = Text(f"hạn {moment_words(leg.due)}", f"due {moment_words(leg.due)}")
        ended = Text("chưa xong", "not done")
        if leg.ended_at is not None:
            ended = Text(f"xong {moment_words(leg.ended_at)}", f"done {moment_words(leg.ended_at)}")
        late = Text("; QUÁ HẠN", "; LATE") if leg.is_late(now) else Text("", "")
        yield Text(
            f"  chặng {hop.number}: {hop.from_agency} → {hop.to_agency}: {by.vi}; {ended.vi}{late.vi}",
            f"  hop {hop.number}: {hop.from_agency} → {hop.to_agency}: {by.en}; {ended.en}{late.en}",
        )
    for missed in deadlines_of(found):
        if missed.passed_at <= now:
            told = missed_words(missed.agency, 0 if missed.hop is None else missed.hop.number, missed.due)
            yield Text(f"  {told.vi}", f"  {told.en}")


def missed_words(agency: str, hop: int, due: float) -> Text:
    """Whose deadline was missed (``hop`` 0: that of the whole), and who must act."""
    if hop:
        return Text(
            f"! {agency} lỡ hạn chặng {hop} ({moment_words(due)}): nhắc cơ quan này báo tiến độ",
            f"! {agency} missed the deadline of hop {hop} ({moment_words(due)}): ask it how far it is",
        )
    return Text(
        f"! {agency} lỡ hạn trả kết quả ({day_words(due)}): cơ quan này phải xin lỗi và hẹn lại",
        f"! {agency} missed the due date ({day_words(due)}): it owes an apology with a new date",
    )


def odd_words(flags: tuple[Flag, ...]) -> Text:
    """What is odd, in brackets; empty where nothing is."""
    if not flags:
        return Text("", "")
    vi, en = "; ".join(FLAGS[flag].vi for flag in flags), "; ".join(FLAGS[flag].en for flag in flags)
    return Text(f"  ({vi})", f"  ({en})")


def day_words(moment: float) -> str:
    """The day in Viet Nam."""
    return datetime.fromtimestamp(moment, tz=VIET_NAM).strftime("%Y-%m-%d")


def moment_words(moment: float) -> str:
    """Viet Nam's time, to the minute."""
    return datetime.fromtimestamp(moment, tz=VIET_NAM).strftime("%Y-%m-%d %H:%M")
