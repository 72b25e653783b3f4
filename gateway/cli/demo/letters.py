"""The demo's chapter on one official letter: to two districts, a commune and a ministry, and all that is said of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.cli.demo.story import Story
from gateway.client.message import make_event, new_id
from gateway.core.content import InMemory
from gateway.core.edxml.identifiers import official_id
from gateway.core.edxml.values import (
    Attachment,
    Business,
    BusinessType,
    Code,
    DocumentMessage,
    DocumentType,
    Organization,
    Promulgation,
    Replaced,
    ResponseFor,
    Signer,
    Staff,
    StatusMessage,
)
from gateway.core.edxml.write import write
from gateway.core.envelope import seal
from gateway.core.moments import VIET_NAM

OFFICE: Final = "H33.05"
FIRST, SECOND, COMMUNE, MINISTRY = "H33.07", "H33.09", "H33.07.03", "G15"
_NOTATION: Final = "SNV-VP"
_PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


async def letters(story: Story) -> None:
    """A letter and its statuses, an update, a recall agreed by one and refused by the other, a replacement."""
    story.reports_before = _reports(story)
    await _sent_and_processed(story)
    await _updated(story)
    await _recalled(story)
    await _replaced(story)
    await _seen_by_the_sender(story)


async def _sent_and_processed(story: Story) -> None:
    story.chapter(
        "Một công văn: Sở Nội vụ → hai huyện, một xã tự lấy, Bộ Tư pháp qua trục quốc gia",
        "One letter: the home office → two districts, a commune that fetches, a ministry over the national axis",
    )
    everybody = (FIRST, SECOND, COMMUNE, MINISTRY)
    story.office.send(a_letter("101", to=everybody, subject="V/v rà soát thủ tục hành chính"), "101.edxml")
    await story.until(lambda: _holds(story.district, "101"), "the letter at the first district")
    await story.until(lambda: _holds(story.neighbour, "101"), "the letter at the second district")
    await story.until(lambda: _listed(story, "rà soát"), "the letter at the ministry")
    fetched = await story.commune.take_all()
    story.wakes += [each.delivery for each in fetched]
    story.check(len(fetched) == 1, "cả bốn nơi đã có công văn", "all four have the letter")
    for code in ("01", "03", "05", "06"):
        story.district.send(a_status(code, FIRST, "101"), f"101-{code}.edxml")
    # in no order, one of them twice, one left out: as the field does it
    for place, code, note in ((2, "03", None), (1, "01", None), (3, "06", None), (2, "03", "gửi lại")):
        story.neighbour.send(a_status(code, SECOND, "101", after=place, note=note), f"101-{code}-{note}.edxml")
    for code in ("01", "03"):
        await _publish_status(story, code, "101")
    for code in ("01", "03", "05"):
        story.axis.put(a_status(code, MINISTRY, "101"), MINISTRY)
    expected = {FIRST: "06", SECOND: "06", COMMUNE: "03", MINISTRY: "05"}
    await story.until_view(OFFICE, identity("101"), lambda view: _progress(view) == expected, "the statuses")
    story.say(
        "  huyện Mẫu 01 03 05 06 · huyện Mẫu Hai 03 01 06 03 (lộn xộn, lặp) · xã 01 03 · Bộ 01 03 05",
        "  first district 01 03 05 06 · second 03 01 06 03 (unordered, repeated) · commune 01 03 · ministry 01 03 05",
    )


async def _updated(story: Story) -> None:
    story.chapter("Cập nhật công văn; nơi nhận đồng ý (15)", "The letter is updated; its recipients agree (15)")
    story.office.send(
        a_letter("101", to=(FIRST, MINISTRY), subject="V/v rà soát thủ tục hành chính (sửa)", kind="update"),
        "101-update.edxml",
    )
    await story.until(lambda: _holds(story.district, "101", copies=2), "the update at the district")
    await story.until(lambda: _listed(story, "(sửa)"), "the update at the ministry")
    story.district.send(a_status("15", FIRST, "101"), "101-15.edxml")
    story.axis.put(a_status("15", MINISTRY, "101"), MINISTRY)
    await story.until_view(
        OFFICE,
        identity("101"),
        lambda view: _answers(view, "update") == {FIRST: "agreed", MINISTRY: "agreed"},
        "the answers",
    )


async def _recalled(story: Story) -> None:
    story.chapter(
        "Thu hồi một công văn khác: một huyện đồng ý, một huyện từ chối",
        "Another letter is recalled: one district agrees, the other refuses",
    )
    both = (FIRST, SECOND)
    story.office.send(a_letter("102", to=both, subject="V/v báo cáo tuần"), "102.edxml")
    await story.until(lambda: _holds(story.district, "102") and _holds(story.neighbour, "102"), "the second letter")
    reason = "Gửi nhầm bản dự thảo"
    story.office.send(a_letter("102", to=both, subject="V/v báo cáo tuần", kind="recall", reason=reason), "102-r.edxml")
    await story.until(
        lambda: _holds(story.district, "102", copies=2) and _holds(story.neighbour, "102", copies=2), "the recall"
    )
    story.district.send(a_status("15", FIRST, "102"), "102-15.edxml")
    story.neighbour.send(a_status("16", SECOND, "102", note="Đã xử lý xong"), "102-16.edxml")
    await story.until_view(
        OFFICE,
        identity("102"),
        lambda view: _answers(view, "recall") == {FIRST: "agreed", SECOND: "refused"},
        "the answers",
    )


async def _replaced(story: Story) -> None:
    story.chapter("Công văn mới thay thế công văn đầu", "A new letter replaces the first")
    story.office.send(
        a_letter(
            "103", to=(FIRST,), subject="V/v rà soát thủ tục hành chính (thay thế)", kind="replace", earlier="101"
        ),
        "103.edxml",
    )
    await story.until(lambda: _holds(story.district, "103"), "the replacement")
    story.district.send(a_status("15", FIRST, "103"), "103-15.edxml")
    await story.until_view(
        OFFICE, identity("101"), lambda view: _answers(view, "replace").get(FIRST) == "agreed", "the answer"
    )


async def _seen_by_the_sender(story: Story) -> None:
    story.chapter("Bên gửi nhìn lại", "What the sender sees in the end")
    for number in ("101", "102", "103"):
        view = await story.view(OFFICE, identity(number))
        story.say(f"  {view['document']}", "")
        for each in view["recipients"]:
            story.say(f"    {_line(each, 'vi')}", f"    {_line(each, 'en')}")
    first, second = await story.view(OFFICE, identity("101")), await story.view(OFFICE, identity("102"))
    standing = {each["agency"]: each["standing"] for each in first["recipients"]}
    story.check(
        standing == {FIRST: "replaced", SECOND: "in-force", COMMUNE: "in-force", MINISTRY: "updated"},
        "công văn đầu: huyện Mẫu giữ bản thay thế, Bộ giữ bản cập nhật, hai nơi kia giữ nguyên",
        "the first letter: replaced at one district, updated at the ministry, as sent at the other two",
    )
    standing = {each["agency"]: each["standing"] for each in second["recipients"]}
    story.check(
        standing == {FIRST: "recalled", SECOND: "in-force"},
        "công văn thứ hai: đã thu hồi ở nơi đồng ý, còn ở nơi từ chối",
        "the second letter: recalled where that was agreed, there still where it was refused",
    )
    since = _reports(story) - story.reports_before
    story.check(since == 18, f"{since} báo cáo trạng thái đã về thư mục của Sở", f"{since} status reports came back")


# ----------------------------------------------------------------------------------------------- what is written


def identity(number: str) -> str:
    """The official id of one of the office's letters of today."""
    return official_id(OFFICE, _today(), f"{number}/{_NOTATION}") or number


def a_letter(
    number: str,
    *,
    to: Sequence[str],
    subject: str,
    kind: BusinessType = "new",
    reason: str | None = None,
    earlier: str | None = None,
) -> bytes:
    """A letter of the office as an .edxml file; ``earlier``: the number of the letter that it replaces."""
    business = Business(
        type=kind,
        document_id=None if kind in {"new", "replace"} else identity(number),
        reason=reason,
        content_changed=True if kind == "update" else None,
        replaces=() if earlier is None else (Replaced(identity(earlier), tuple(to)),),
    )
    return write(
        DocumentMessage(
            sender=Organization(OFFICE, "Sở Nội vụ"),
            recipients=tuple(Organization(code) for code in to),
            subject=subject,
            document_id=identity(number),
            code=Code(number, _NOTATION),
            promulgation=Promulgation("Rạch Giá", _today()),
            document_type=DocumentType("Công văn", 2, 18),
            content=subject,
            signer=Signer(None, "Giám đốc", "Nguyễn Văn Mẫu"),
            business=business,
            attachments=(Attachment("1", f"{number}.pdf", InMemory(_PDF), detected_type="application/pdf"),),
        )
    )


def a_status(code: str, sender: str, number: str, *, note: str | None = None, after: int = 0) -> bytes:
    """A report of ``sender`` on one of the office's letters."""
    about = ResponseFor(OFFICE, f"{number}/{_NOTATION}", identity(number), _today())
    staff = Staff("Văn thư", "Nguyễn Văn Mẫu")
    return write(StatusMessage(Organization(sender), about, code, staff, note, _moment(after)))


async def _publish_status(story: Story, code: str, number: str) -> None:
    """The commune's own software speaks JSON and signs for itself."""
    now = time.time()
    data = {
        "from": {"organId": COMMUNE},
        "responseFor": {
            "organId": OFFICE,
            "code": f"{number}/{_NOTATION}",
            "documentId": identity(number),
            "promulgationDate": _today(),
        },
        "statusCode": code,
        "timestamp": _moment(),
    }
    event = make_event(
        id=new_id(now, os.urandom(10)),
        source=f"{COMMUNE}/dms",
        contract="document.status",
        version="1.0",
        subject=identity(number),
        now=now,
        data=data,
        extensions={"to": OFFICE},
    )
    await story.bus.send(seal(event, story.signer("H33.07.03-dms")))


def _today() -> str:
    return datetime.now(VIET_NAM).date().isoformat()


def _moment(after: int = 0) -> str:
    """Now, in whole seconds as edXML has them; or so many seconds of today's first minute, to write one again."""
    now = datetime.now(VIET_NAM)
    at = now.replace(hour=0, minute=0, second=after) if after else now
    return at.isoformat(timespec="seconds")


# -------------------------------------------------------------------------------------------------- what is seen


def _holds(system: Any, number: str, *, copies: int = 1) -> bool:
    """Whether a document system was brought so many files about a letter (statuses are no letters)."""
    mark = f"<edXML:CodeNumber>{number}</edXML:CodeNumber>".encode()
    return sum(mark in path.read_bytes() for path in system.inbox.glob("*.edxml")) >= copies


def _reports(story: Story) -> int:
    """How many status reports the office's own system was brought."""
    return sum(b"<edXML:StatusCode>" in path.read_bytes() for path in story.office.inbox.glob("*.edxml"))


def _listed(story: Story, words: str) -> bool:
    return any(words in title for title, _ in story.axis.items_of(MINISTRY))


def _progress(view: Mapping[str, Any]) -> dict[str, str]:
    return {each["agency"]: each.get("progress", {}).get("code", "") for each in view["recipients"]}


def _answers(view: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {
        each["agency"]: change["answer"]
        for each in view["recipients"]
        for change in each["changes"]
        if change["kind"] == kind
    }


def _line(recipient: Mapping[str, Any], language: str) -> str:
    """One recipient's line: how far it is, what it holds, what it said to each change."""
    progress = recipient.get("progress")
    said = f"{progress['code']} {progress['meaning'][language]}" if progress else "—"
    standing = _STANDING[recipient["standing"]][language == "en"]
    is_english = language == "en"
    changes = ", ".join(
        f"{_WORDS[change['kind']][is_english]}: {_WORDS[change['answer']][is_english]}"
        for change in recipient["changes"]
    )
    codes = " ".join(each["status"]["code"] for each in recipient["history"])
    return f"{recipient['agency']:<10} {said} · {standing} · [{codes}]" + (f" · {changes}" if changes else "")


_WORDS: Final = {
    "update": ("cập nhật", "update"),
    "recall": ("thu hồi", "recall"),
    "replace": ("thay thế", "replacement"),
    "cancel": ("lấy lại", "taking back"),
    "agreed": ("đồng ý", "agreed"),
    "refused": ("từ chối", "refused"),
    "open": ("chưa trả lời", "no answer yet"),
}
_STANDING: Final = {
    "in-force": ("còn nguyên", "as it was sent"),
    "updated": ("đã cập nhật", "updated"),
    "replaced": ("đã được thay thế", "replaced"),
    "recalled": ("đã thu hồi", "recalled"),
}
