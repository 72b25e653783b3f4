"""What the edXML reader makes of a message: the fields, the tolerances, the words for what is odd."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.core.content import whole
from gateway.core.edxml.parse import EDXML, Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, Extra, Oddity, StatusMessage, TraceStop, Unreadable
from gateway.core.edxml.wording import ODDITIES, REFUSALS

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "edxml"
NEW = (VECTORS / "document_new.edxml").read_text()
STATUS = (VECTORS / "status_arrived.edxml").read_text()


def document(text: str) -> DocumentMessage:
    message = read(text.encode())
    assert isinstance(message, DocumentMessage)
    return message


def status(text: str) -> StatusMessage:
    message = read(text.encode())
    assert isinstance(message, StatusMessage)
    return message


def with_field(element: str, value: str) -> str:
    """The new document with another text in one element."""
    changed = re.sub(rf"(<edXML:{element}>)[^<]*(</edXML:{element}>)", rf"\g<1>{value}\g<2>", NEW)
    assert f">{value}<" in changed
    return changed


def names(message: DocumentMessage | StatusMessage) -> list[str]:
    return [warning.name for warning in message.warnings]


def refused(text: str | bytes) -> str:
    with pytest.raises(Unreadable) as refusal:
        read(text if isinstance(text, bytes) else text.encode())
    return refusal.value.name


def test_every_field_of_a_document_finds_its_place() -> None:
    message = document(NEW)
    assert message.sender.organ_id == "H33.05"
    assert message.sender.address == "Số 1 đường Mẫu"
    assert [to.organ_id for to in message.recipients] == ["H33.07", "000.00.08.H33"]
    assert message.document_id == "H33.05,2026/09/15,118/SNV-VP"
    assert message.code.joined == "118/SNV-VP"
    assert (message.promulgation.place, message.promulgation.date) == ("Kiên Giang", "2026-09-15")
    assert (message.document_type.name, message.document_type.type, message.document_type.detail) == ("Công văn", 2, 18)
    assert message.signer.full_name == "Nguyễn Văn Mẫu"
    assert message.due_date == "2026-09-30"
    assert (message.other.priority, message.other.copies, message.other.pages) == (1, 2, 3)
    assert message.other.direction is False
    assert message.other.appendixes == ("Phụ lục số liệu",)
    assert message.steering_type == 0
    assert message.to_places == ("Như trên", "Lưu: VT")
    assert (message.business.type, message.business.paper) == ("new", False)
    assert message.business.staff.name == "Nguyễn Văn Mẫu"
    assert message.trace == (TraceStop("H33.05", "2026-09-15T08:30:00+07:00"),)
    assert not message.signature_present


def test_every_field_of_a_status_report_finds_its_place() -> None:
    message = status(STATUS)
    assert message.sender.organ_id == "H33.07"
    assert message.response_for.organ_id == "H33.05"
    assert message.response_for.code == "118/SNV-VP"
    assert message.response_for.document_id == "H33.05,2026/09/15,118/SNV-VP"
    assert message.code == "01"
    assert message.timestamp == "2026-09-15T09:00:00+07:00"
    assert message.staff.department == "Văn thư"


def test_an_update_names_who_is_removed_and_who_is_added() -> None:
    business = document((VECTORS / "document_update.edxml").read_text()).business
    assert [(receiver.organ_id, receiver.change) for receiver in business.receivers] == [
        ("H33.07", "removed"),
        ("H33.09", "added"),
    ]
    assert (business.content_changed, business.receivers_changed) == (False, True)


def test_a_recall_is_about_the_document_its_business_block_names_or_else_its_own_id() -> None:
    recall = (VECTORS / "document_recall.edxml").read_text()
    block = re.compile(r"(<edXML:Bussiness>\s*)<edXML:DocumentId>[^<]*</edXML:DocumentId>")
    elsewhere = block.sub(r"\1<edXML:DocumentId>H33.05,2026/08/01,99/SNV-VP</edXML:DocumentId>", recall)
    assert document(elsewhere).concerned_id == "H33.05,2026/08/01,99/SNV-VP"
    assert document(block.sub(r"\1", recall)).concerned_id == "H33.05,2026/09/15,118/SNV-VP"


def test_a_vendor_with_his_own_order_prefix_and_spelling_says_the_same() -> None:
    theirs = document((VECTORS / "other_vendor.edxml").read_bytes().decode("utf-8"))
    ours = document(NEW)
    for field in ("sender", "recipients", "document_id", "code", "subject", "business", "trace", "other", "signer"):
        assert getattr(theirs, field) == getattr(ours, field), field
    assert [one.content_id for one in theirs.attachments] == [one.content_id for one in ours.attachments]


def test_unknown_elements_are_kept_with_their_place_and_nothing_is_said() -> None:
    theirs = document((VECTORS / "other_vendor.edxml").read_bytes().decode("utf-8"))
    assert Extra("MessageHeader", '<v:Note xmlns:v="urn:vendor:note">ghi chú</v:Note>') in theirs.extra
    assert (
        Extra("MessageHeader/SignerInfo", f'<q:Extension xmlns:q="{EDXML}" kind="a">giữ nguyên</q:Extension>')
        in theirs.extra
    )
    assert theirs.warnings == ()


def test_byte_order_marks_and_blanks_in_front_are_dropped() -> None:
    assert read(b"\r\n \xef\xbb\xbf\xef\xbb\xbf\n" + NEW.encode() + b"\r\n\x00") == read(NEW.encode())


def test_empty_and_blank_elements_count_as_absent() -> None:
    message = document(with_field("Competence", " \n ").replace("<edXML:SteeringType>0", "<edXML:SteeringType>"))
    assert message.signer.competence is None
    assert message.steering_type is None
    assert names(message) == []


def test_decomposed_letters_are_composed() -> None:
    assert document(with_field("FullName", "Nguyê\u0303n Văn Mâ\u0303u")).signer.full_name == "Nguyễn Văn Mẫu"


def test_a_text_may_stand_in_a_cdata_section_or_around_a_comment() -> None:
    message = document(
        with_field("Place", "Kiên<!-- x --> Giang").replace("Phó Giám đốc", "<![CDATA[Phó & Giám đốc]]>")
    )
    assert message.promulgation.place == "Kiên Giang"
    assert message.signer.position == "Phó & Giám đốc"


@pytest.mark.parametrize(
    ("written", "taken", "odd"),
    [
        ("2026/09/05", "2026-09-05", []),
        ("05/09/2026", "2026-09-05", ["date-form"]),
        ("5/9/2026", "2026-09-05", ["date-form"]),
        ("2026-09-05", "2026-09-05", ["date-form"]),
        ("2026/09/05 17:19:16", "2026-09-05", ["date-form"]),
        ("2026-09-05T17:19:16.123+07:00", "2026-09-05", ["date-form"]),
        ("2026-09-05T20:00:00Z", "2026-09-06", ["date-form"]),
        ("2026/02/30", None, ["impossible-date"]),
        ("hôm nay", None, ["impossible-date"]),
        ("9999-12-31T23:00:00-23:00", None, ["impossible-date"]),
    ],
)
def test_dates_come_out_in_one_form_and_every_other_form_is_named(
    written: str, taken: str | None, odd: list[str]
) -> None:
    message = document(with_field("PromulgationDate", written))
    assert message.promulgation.date == taken
    assert names(message) == odd


@pytest.mark.parametrize(
    ("written", "taken", "odd"),
    [
        ("2026/09/15 09:00:05", "2026-09-15T09:00:05+07:00", []),
        ("15/09/2026 09:00", "2026-09-15T09:00:00+07:00", ["timestamp-form"]),
        ("2026-09-15T02:00:05Z", "2026-09-15T09:00:05+07:00", ["timestamp-form"]),
        ("2026/09/15 25:00:00", None, ["impossible-date"]),
    ],
)
def test_moments_are_in_the_time_of_viet_nam(written: str, taken: str | None, odd: list[str]) -> None:
    message = status(STATUS.replace("2026/09/15 09:00:00", written))
    assert message.timestamp == taken
    assert names(message) == odd


def test_an_earlier_documents_id_is_a_key_and_is_not_judged() -> None:
    update = (VECTORS / "document_update.edxml").read_text()
    block = re.compile(r"(<edXML:Bussiness>\s*<edXML:DocumentId>)[^<]*")
    message = document(block.sub(r"\g<1>H33.05,2014/02/30,7806/SNV", update))
    assert message.business.document_id == "H33.05,2014/02/30,7806/SNV"
    assert names(message) == []
    fresh = block.sub(r"\g<1>H33.05,2014/02/30,7806/SNV", update).replace("DocType>2<", "DocType>0<")
    assert names(document(fresh)) == ["impossible-date-in-identifier"]


@pytest.mark.parametrize(
    ("element", "value", "odd"),
    [
        ("Priority", "7", "unknown-priority"),
        ("Priority", "khẩn", "odd-number"),
        ("PageAmount", "-1", "odd-number"),
        ("Type", "²", "odd-number"),
        ("Direction", "có", "odd-flag"),
        ("Subject", "V/v " + "x" * 500, "long-subject"),
        ("Place", "<edXML:b>Kiên</edXML:b> Giang", "unexpected-markup"),
    ],
)
def test_values_that_make_no_sense_are_named(element: str, value: str, odd: str) -> None:
    assert names(document(re.sub(rf"(<edXML:{element}>)[^<]*(</)", rf"\g<1>{value}\g<2>", NEW, count=1))) == [odd]


def test_the_second_of_what_may_stand_once_is_kept_aside_and_named() -> None:
    message = document(NEW.replace("<edXML:DueDate>", "<edXML:Subject>Khác</edXML:Subject><edXML:DueDate>"))
    assert message.subject.startswith("V/v báo cáo")
    assert names(message) == ["repeated-element"]
    assert [extra.place for extra in message.extra] == ["MessageHeader"]


def test_two_attachment_blocks_are_refused_rather_than_one_of_them_lost() -> None:
    block = re.search(r"<AttachmentEncoded>.*</AttachmentEncoded>", NEW, re.DOTALL)
    assert block
    assert refused(NEW.replace(block[0], block[0] * 2)) == "unknown-format"


def test_a_signature_block_in_either_namespace_is_noted_and_not_judged() -> None:
    for namespace in (EDXML, "http://www.w3.org/2000/09/xmldsig#"):
        signed = NEW.replace(
            "</edXML:edXMLHeader>", f'<Signature xmlns="{namespace}"><A>x</A></Signature></edXML:edXMLHeader>'
        )
        message = document(signed)
        assert message.signature_present
        assert (message.warnings, message.extra) == ((), ())


@pytest.mark.parametrize("code", ["07", "99"])
def test_a_status_code_outside_the_list_is_taken_with_a_warning(code: str) -> None:
    message = status(STATUS.replace(">01<", f">{code}<"))
    assert (message.code, names(message)) == (code, ["unknown-status-code"])


def test_a_status_report_must_name_the_document_and_its_other_side() -> None:
    assert (
        refused(re.sub(r"<edXML:ResponseFor>.*</edXML:ResponseFor>", "", STATUS, flags=re.DOTALL)) == "missing-element"
    )
    no_document = re.sub(r"<edXML:(Code|DocumentId)>[^<]*</edXML:\1>", "", STATUS)
    assert refused(no_document) == "missing-element"
    assert status(re.sub(r"<edXML:DocumentId>[^<]*</edXML:DocumentId>", "", STATUS)).response_for.code == "118/SNV-VP"


def test_only_a_new_document_must_bring_a_file() -> None:
    bare = re.sub(r"\s*<AttachmentEncoded>.*</AttachmentEncoded>", "", NEW, flags=re.DOTALL)
    assert refused(bare) == "missing-element"
    recall = document(bare.replace("DocType>0<", "DocType>1<"))
    assert [(one.name, one.broken, whole(one.content)) for one in recall.attachments] == [
        ("118-SNV-VP.pdf", True, b""),
        ("Số liệu (mẫu).csv", True, b""),
    ]
    assert names(recall) == ["empty-attachment", "empty-attachment"]


def test_limits_are_the_callers_to_set() -> None:
    raw = NEW.encode()
    read(raw, Limits(size=len(raw)))
    for limits, name in (
        (Limits(size=len(raw) - 1), "too-large"),
        (Limits(depth=5), "too-deep"),
        (Limits(elements=50), "too-many"),
        (Limits(attributes=2), "too-many"),
        (Limits(attachments=1), "too-many"),
        (Limits(text=20), "too-large"),
    ):
        with pytest.raises(Unreadable) as refusal:
            read(raw, limits)
        assert refusal.value.name == name, limits


def test_every_reason_is_told_in_both_languages_with_the_same_facts() -> None:
    for text in (*REFUSALS.values(), *ODDITIES.values()):
        assert text.vi != text.en
        assert set(re.findall(r"{(\w+)}", text.vi)) == set(re.findall(r"{(\w+)}", text.en))


def test_what_the_sender_wrote_cannot_blow_up_or_break_a_sentence() -> None:
    warning = document(with_field("PromulgationDate", "{0.x}\n" + "9" * 5000)).warnings[0]
    assert isinstance(warning, Oddity)
    assert "\n" not in warning.text.vi
    assert len(warning.text.vi) < 300
