"""What the edXML writer puts on paper: exact to the letter, the same for the same value, readable again."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.content import InMemory
from gateway.core.edxml.attachments import detect
from gateway.core.edxml.read import read
from gateway.core.edxml.values import (
    Attachment,
    Business,
    Code,
    DocumentMessage,
    DocumentType,
    Extra,
    Organization,
    OtherInfo,
    Promulgation,
    Receiver,
    Replaced,
    ResponseFor,
    Signer,
    Staff,
    StatusMessage,
    TraceStop,
    Unwritable,
)
from gateway.core.edxml.write import write

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "edxml"
MINIMAL = DocumentMessage(
    sender=Organization("H33.05"),
    recipients=(Organization("H33.07"),),
    subject="Thử",
    document_id="thu-1",
    attachments=(Attachment("1", "thu.pdf", InMemory(b"%PDF-1.4\n")),),
)


def is_clean(text: str) -> bool:
    return bool(text) and unicodedata.normalize("NFC", text.strip()) == text


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff", min_codepoint=0x20)
    | st.sampled_from("\t\n\r&<>\"']ấĐ"),
    min_size=1,
    max_size=12,
).filter(is_clean)
words = st.text("abcXYZ0189._-ĐƯ", min_size=1, max_size=8)
maybe = st.none() | texts
numbers = st.none() | st.integers(0, 999_999_999)
flags = st.none() | st.booleans()
days = st.none() | st.dates().map(str)
moments = st.none() | st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds") + "+07:00")
organizations = st.builds(Organization, texts, maybe, maybe, maybe, maybe, maybe, maybe, maybe)
staffs = st.builds(Staff, maybe, maybe, maybe, maybe, maybe, maybe)
answered = st.builds(ResponseFor, maybe, maybe, maybe, days).filter(lambda value: value != ResponseFor())
stops = st.builds(TraceStop, words.filter(lambda word: word != "null") | st.none(), moments).filter(
    lambda value: value != TraceStop()
)


def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=2).map(tuple)


businesses = st.builds(
    Business,
    type=st.sampled_from(["new", "recall", "update", "replace"]),
    document_id=maybe,
    reason=maybe,
    paper=flags,
    content_changed=flags,
    receivers_changed=flags,
    receivers=few(st.builds(Receiver, texts, st.sampled_from(["removed", "added", None]))),
    replaces=few(st.builds(Replaced, texts, few(texts))),
    staff=staffs,
)


def attachment(content_id: str, name: str, content: bytes, description: str | None) -> Attachment:
    return Attachment(content_id, name, InMemory(content), description, detected_type=detect(content, name))


names = st.tuples(texts, st.sampled_from(["", ".pdf", ".doc", ".docx", ".xlsx", ".txt"])).map("".join).filter(is_clean)
attached = st.lists(
    st.builds(attachment, words, names, st.binary(max_size=200), maybe),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.content_id,
).map(tuple)
extras = few(
    st.builds(
        Extra,
        st.sampled_from(
            ["MessageHeader", "MessageHeader/SignerInfo", "edXMLHeader", "TraceHeaderList/Bussiness/StaffInfo"]
        ),
        st.sampled_from(
            [
                "<Added>x</Added>",
                '<v:Note xmlns:v="urn:v" kind="1">ghi <b>chú</b></v:Note>',
                '<Other xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">&amp;<v:in xmlns:v="urn:v"></v:in></Other>',
            ]
        ),
    )
)
documents = st.builds(
    DocumentMessage,
    sender=organizations,
    recipients=st.lists(organizations, min_size=1, max_size=3).map(tuple),
    subject=texts,
    document_id=texts,
    code=st.builds(Code, maybe, maybe),
    promulgation=st.builds(Promulgation, maybe, days),
    document_type=st.builds(DocumentType, maybe, numbers, numbers),
    content=maybe,
    signer=st.builds(Signer, maybe, maybe, maybe),
    due_date=days,
    other=st.builds(
        OtherInfo, st.none() | st.integers(0, 4), maybe, maybe, numbers, numbers, flags, few(texts), maybe, maybe
    ),
    response_for=few(answered),
    steering_type=numbers,
    task_codes=few(texts),
    application_type=maybe,
    to_places=few(texts),
    business=businesses,
    trace=few(stops),
    attachments=attached,
    extra=extras,
)
reports = st.builds(
    StatusMessage,
    sender=organizations,
    response_for=st.builds(ResponseFor, texts, maybe, texts, days),
    code=st.sampled_from(["01", "02", "03", "04", "05", "06", "13", "15", "16"]),
    staff=staffs,
    description=maybe,
    timestamp=moments,
)


def comparable(message: DocumentMessage | StatusMessage) -> DocumentMessage | StatusMessage:
    """Without warnings and packaging, and with extras in no order: each keeps its place, not its turn."""
    if isinstance(message, StatusMessage):
        return replace(message, warnings=())
    attachments = tuple(replace(one, wrapped="none", declared_type=None) for one in message.attachments)
    return replace(message, warnings=(), attachments=attachments, extra=tuple(sorted(message.extra)))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents)
def test_a_document_written_is_read_as_the_same_document(message: DocumentMessage) -> None:
    assert comparable(read(write(message))) == comparable(message)


@given(reports)
def test_a_status_report_written_is_read_as_the_same_report(message: StatusMessage) -> None:
    assert comparable(read(write(message))) == comparable(message)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(documents)
def test_the_same_value_gives_the_same_bytes(message: DocumentMessage) -> None:
    assert write(message) == write(replace(message))


def test_the_paper_is_exact() -> None:
    assert write(MINIMAL).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">\n'
        '  <edXML:edXMLEnvelope xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016">\n'
        "    <edXML:edXMLHeader>\n"
        "      <edXML:MessageHeader>\n"
        "        <edXML:From>\n"
        "          <edXML:OrganId>H33.05</edXML:OrganId>\n"
        "        </edXML:From>\n"
        "        <edXML:To>\n"
        "          <edXML:OrganId>H33.07</edXML:OrganId>\n"
        "        </edXML:To>\n"
        "        <edXML:DocumentId>thu-1</edXML:DocumentId>\n"
        "        <edXML:Subject>Thử</edXML:Subject>\n"
        "      </edXML:MessageHeader>\n"
        "      <edXML:TraceHeaderList>\n"
        "        <edXML:Bussiness>\n"
        "          <edXML:BussinessDocType>0</edXML:BussinessDocType>\n"
        "        </edXML:Bussiness>\n"
        "      </edXML:TraceHeaderList>\n"
        "    </edXML:edXMLHeader>\n"
        "    <edXML:edXMLBody>\n"
        '      <edXML:edXMLManifest version="1.0">\n'
        "        <edXML:Reference>\n"
        "          <edXML:ContentId>cid:1</edXML:ContentId>\n"
        "          <edXML:ContentType>application/pdf</edXML:ContentType>\n"
        "          <edXML:AttachmentName>thu.pdf</edXML:AttachmentName>\n"
        "        </edXML:Reference>\n"
        "      </edXML:edXMLManifest>\n"
        "    </edXML:edXMLBody>\n"
        "  </edXML:edXMLEnvelope>\n"
        "  <AttachmentEncoded>\n"
        "    <Attachment>\n"
        "      <ContentId>cid:1</ContentId>\n"
        "      <AttachmentName>thu.pdf</AttachmentName>\n"
        "      <ContentType>application/pdf</ContentType>\n"
        '      <edXML:ContentTransferEncoded xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016">'
        "JVBERi0xLjQK</edXML:ContentTransferEncoded>\n"
        "    </Attachment>\n"
        "  </AttachmentEncoded>\n"
        "</edXML>\n"
    )


def test_the_header_keeps_the_order_of_the_official_software() -> None:
    written = (VECTORS / "document_replace.edxml").read_text()
    message = read(written.encode())
    order = re.findall(
        r"^ {8}<edXML:(\w+)>", write(message).decode().partition("<edXML:TraceHeaderList>")[0], re.MULTILINE
    )
    assert (
        order
        == (
            "From To To DocumentId Code PromulgationInfo DocumentType Subject Content SignerInfo DueDate OtherInfo"
            " ResponseFor SteeringType ToPlaces"
        ).split()
    )


def test_a_status_report_has_neither_trace_nor_body_nor_attachments() -> None:
    written = write(StatusMessage(Organization("H33.07"), ResponseFor("H33.05", document_id="1"), "03")).decode()
    assert "<edXML:StatusCode>03</edXML:StatusCode>" in written
    assert not re.search("TraceHeaderList|edXMLBody|AttachmentEncoded|<edXML:To>", written)


def test_an_extra_whose_place_is_gone_moves_to_the_nearest_one_above() -> None:
    message = replace(
        MINIMAL, extra=(Extra("MessageHeader/To[7]", "<Added>x</Added>"), Extra("nowhere", "<Lost>y</Lost>"))
    )
    again = read(write(message))
    assert set(again.extra) == {Extra("MessageHeader", "<Added>x</Added>"), Extra("edXMLHeader", "<Lost>y</Lost>")}


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (replace(MINIMAL, subject="a\x00b"), "not-xml-text"),
        (replace(MINIMAL, subject="a\ud800b"), "not-xml-text"),
        (replace(MINIMAL, due_date="2026-02-30"), "bad-date"),
        (replace(MINIMAL, due_date="15/09/2026"), "bad-date"),
        (replace(MINIMAL, trace=(TraceStop("H33.05", "hôm qua"),)), "bad-date"),
        (replace(MINIMAL, extra=(Extra("MessageHeader", "<a>"),)), "bad-extra"),
        (replace(MINIMAL, extra=(Extra("MessageHeader", "</edXML>"),)), "bad-extra"),
        (replace(MINIMAL, extra=(Extra("MessageHeader", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),)), "bad-extra"),
    ],
)
def test_what_edxml_cannot_say_is_refused_with_its_reason(message: DocumentMessage, name: str) -> None:
    with pytest.raises(Unwritable) as refusal:
        write(message)
    assert refusal.value.name == name
    assert refusal.value.detail.vi != refusal.value.detail.en


def test_a_moment_of_another_zone_is_written_in_the_time_of_viet_nam() -> None:
    written = write(replace(MINIMAL, trace=(TraceStop("H33.05", "2026-09-15T02:00:00Z"),))).decode()
    assert "<edXML:Timestamp>2026/09/15 09:00:00</edXML:Timestamp>" in written
