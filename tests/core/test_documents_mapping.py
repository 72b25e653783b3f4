"""edXML values become the data of contracts and come back: nothing that edXML carries is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.content import Content, InMemory
from gateway.core.documents.inward import (
    Converted,
    convert,
    document_id_of,
    recipients,
    to_document,
    to_status,
    warnings_of,
)
from gateway.core.documents.item import Sender, collected
from gateway.core.documents.outward import from_document_1_0, from_document_2_0, from_status
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import (
    Attachment,
    Business,
    BusinessType,
    Code,
    DocumentMessage,
    Organization,
    Promulgation,
    ResponseFor,
    StatusMessage,
    Unreadable,
    Unwritable,
)
from gateway.core.edxml.write import write
from gateway.core.handover import Collected
from tests.core.generated import documents as data_of
from tests.core.test_edxml_write import documents, reports

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "tests" / "vectors" / "edxml"
THEIRS = ROOT / ".." / "shared" / "samples" / "edxml"
CATALOG = read_catalog([builtin_folder()])
WHOLE = b'<?xml version="1.0" encoding="UTF-8"?>\n<edXML '
RECEIVED = "2026-11-23T08:00:00+07:00"
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def schema_of(name: str, label: str) -> Mapping[str, Any]:
    version = CATALOG.find(name, label)
    assert version is not None
    return version.schema


def violations(name: str, label: str, data: Mapping[str, Any]) -> Any:
    version = CATALOG.find(name, label)
    assert version is not None
    return version.check(data)


def shelf(message: DocumentMessage) -> Mapping[str, Content]:
    return {one.content.sha256: one.content for one in message.attachments}


def carried(message: DocumentMessage) -> DocumentMessage:
    """The message less what is not carried by design: warnings, the dead signature; a made-up id is its id from now."""
    return replace(message, warnings=(), signature_present=False, document_id=document_id_of(message))


def written(message: DocumentMessage) -> bytes:
    """The file, or the name of the refusal."""
    try:
        return write(message)
    except Unwritable as refusal:
        return refusal.name.encode()


# ------------------------------------------------------------------------------------------ there and back again


@given(documents)
@quick
def test_a_document_comes_back_from_its_data_unchanged(document: DocumentMessage) -> None:
    files = shelf(document)
    back = from_document_2_0(to_document(document), files.__getitem__, addressee="H33.16")
    assert back == carried(document)


@given(reports)
@quick
def test_a_status_report_comes_back_from_its_data_unchanged(report: StatusMessage) -> None:
    back = from_status(to_status(report, received=RECEIVED))
    assert back == replace(report, warnings=(), timestamp=report.timestamp or RECEIVED)


@given(documents)
@quick
def test_the_data_is_json_and_says_nothing_empty(document: DocumentMessage) -> None:
    data = to_document(document)
    assert json.loads(json.dumps(data)) == data
    assert [name for name, value in data.items() if value in (None, "", [], {})] == []
    assert data["confidentiality"] == "none"


@given(data_of(schema_of("document.issued", "2.0")))
@quick
def test_whatever_a_contract_takes_is_written_as_edxml_or_refused_by_name(data: dict[str, Any]) -> None:
    outcome = written(from_document_2_0(data, lambda _: InMemory(b"%PDF-1.4"), addressee="H33.16"))
    assert outcome.startswith(WHOLE) or outcome in {b"not-xml-text", b"bad-date", b"bad-extra"}


@given(data_of(schema_of("document.issued", "1.0")))
@quick
def test_the_flat_record_is_written_as_edxml_or_refused_by_name(data: dict[str, Any]) -> None:
    outcome = written(from_document_1_0(data, lambda _: InMemory(b"%PDF-1.4"), addressee="H33.16"))
    assert outcome.startswith(WHOLE) or outcome in {b"not-xml-text", b"bad-date", b"bad-extra"}


@pytest.mark.parametrize("label", ["1.0", "2.0"])
def test_every_good_example_of_a_document_becomes_edxml_that_reads_back(label: str) -> None:
    version = CATALOG.find("document.issued", label)
    assert version is not None
    make = from_document_1_0 if label == "1.0" else from_document_2_0
    for example in version.examples:
        message = make(example.data, lambda _: InMemory(b"%PDF-1.4 x"), addressee="H33.16")
        if not message.attachments:
            message = replace(message, attachments=(Attachment("1", "a.pdf", InMemory(b"%PDF-1.4 x")),))
        again = read(write(message))
        assert isinstance(again, DocumentMessage)
        assert (again.document_id, again.subject) == (example.data["documentId"], example.data["subject"])
        assert again.business.type == message.business.type


# ----------------------------------------------------------------------------------------------- what the rules say


def a_document(**override: Any) -> DocumentMessage:
    made: dict[str, Any] = {
        "sender": Organization("H33.05"),
        "recipients": (Organization("H33.16"), Organization("H33.20"), Organization("H33.16")),
        "subject": "V/v thử nghiệm",
        "code": Code("12", "STC-VP"),
        "promulgation": Promulgation("Rạch Giá", "2026-11-23"),
        **override,
    }
    return DocumentMessage(**made)


def test_a_document_without_an_id_gets_the_official_one_and_a_warning() -> None:
    data = to_document(a_document())
    assert data["documentId"] == "H33.05,2026/11/23,12/STC-VP"
    (warning,) = data["warnings"]
    assert warning.startswith("made-document-id (MessageHeader/DocumentId): ")
    assert len(warnings_of(a_document())) == 1


def test_a_document_without_id_and_day_is_named_by_issuer_and_code() -> None:
    assert document_id_of(a_document(promulgation=Promulgation())) == "H33.05,12/STC-VP"


def test_recipients_are_named_once_in_order() -> None:
    assert recipients(a_document()) == ("H33.16", "H33.20")


@pytest.mark.parametrize("code", ["H33.16 H33.20", "H33\u00a016", "H33.16\tx"])
def test_a_recipients_code_with_blanks_is_refused_as_it_would_be_two_names(code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        recipients(a_document(recipients=(Organization(code),)))
    assert refused.value.name == "bad-organ-id"


def test_a_status_report_goes_to_the_agency_it_answers() -> None:
    report = StatusMessage(Organization("H33.16"), ResponseFor("H33.05", "12/STC-VP", "D1"), "01")
    assert recipients(report) == ("H33.05",)


def test_a_status_report_without_a_moment_carries_the_moment_of_its_arrival() -> None:
    report = StatusMessage(Organization("H33.16"), ResponseFor("H33.05", None, "D1"), "03")
    data = to_status(report, received=RECEIVED)
    assert data["timestamp"] == RECEIVED
    assert violations("document.status", "1.0", data) == ()


def test_a_status_code_that_the_contract_does_not_know_is_refused_by_name() -> None:
    report = StatusMessage(Organization("H33.16"), ResponseFor("H33.05", None, "D1"), "07")
    with pytest.raises(Unreadable) as refused:
        to_status(report, received=RECEIVED)
    assert refused.value.name == "unknown-status-code"


def test_the_flat_record_finds_the_number_of_its_kind_in_the_code_list() -> None:
    data = {
        "documentId": "D1",
        "symbol": "12/STC/VP",
        "issuingOrganId": "H33.05",
        "subject": "V/v",
        "confidentiality": "none",
        "kind": "công văn",
        "businessType": 1,
        "concerns": "D0",
    }
    message = from_document_1_0(data, lambda _: InMemory(b""), addressee="H33.16")
    assert message.code == Code("12", "STC/VP")
    assert (message.document_type.type, message.document_type.detail) == (2, 18)
    assert (message.business.type, message.concerned_id) == ("recall", "D0")
    assert message.recipients == (Organization("H33.16"),)


# ------------------------------------------------------------------------------------------------------- convert


#: The real samples that are not simply taken: refused by which name, or taken with which warnings.
REAL: dict[str, dict[str, Any]] = {
    "01": {"odd": True},
    "02": {"refused": "not-well-formed"},
    "03": {"odd": True},
    "04": {"odd": True},
    "05": {"odd": True},
    "06": {"refused": "not-well-formed"},
    "07": {"odd": True},
    "16": {"odd": True},
    "17": {"odd": True},
    "19": {"odd": True},
    "21": {"odd": True},
    "22": {"refused": "unknown-format"},
    "23": {"odd": True},
    "24": {"refused": "not-edxml"},
    "25": {"refused": "not-edxml"},
}


def cases() -> list[Any]:
    expected = json.loads((OURS / "expected.json").read_text())
    found = [
        (OURS / name, {"refused": what.get("name"), "odd": bool(what.get("warnings"))})
        for name, what in expected.items()
    ]
    real = sorted(THEIRS.glob("[0-9][0-9]_*")) if THEIRS.is_dir() else []
    found += [(path, {"refused": None, "odd": False, **REAL.get(path.name[:2], {})}) for path in real]
    return [pytest.param(path, what, id=path.name) for path, what in found]


@pytest.mark.parametrize(("path", "expected"), cases())
def test_each_sample_is_converted_or_refused_as_its_list_says(path: Path, expected: dict[str, Any]) -> None:
    raw = path.read_bytes()
    if expected["refused"]:
        with pytest.raises(Unreadable) as refused:
            convert(raw)
        assert refused.value.name == expected["refused"]
        return
    made = convert(raw)
    assert isinstance(made, Converted)
    assert made.contract in {"document.issued/2.0", "document.status/1.0"}
    assert made.id
    assert made.subject
    assert bool(made.warnings) == expected["odd"]
    name, _, label = made.contract.partition("/")
    assert violations(name, label, made.data) == ()


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
@quick
def test_junk_is_refused_by_name_and_never_crashes(junk: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        convert(junk)
    assert refused.value.detail.vi


@given(st.data())
@quick
def test_a_good_message_with_a_byte_changed_is_taken_or_refused_by_name(data: st.DataObject) -> None:
    raw = bytearray((OURS / "document_new.edxml").read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        outcome = convert(bytes(raw)).id
    except Unreadable as refusal:
        outcome = refusal.name
    assert outcome


@pytest.mark.parametrize(("kind", "subject"), [("recall", "D7"), ("update", "D7"), ("replace", "D8"), ("new", "D8")])
def test_a_change_never_overtakes_what_it_changes(kind: BusinessType, subject: str) -> None:
    message = DocumentMessage(
        sender=Organization("H33.05"),
        recipients=(Organization("H33.16"),),
        subject="V/v",
        document_id="D8",
        business=Business(type=kind, document_id=None if kind == "new" else "D7"),
        attachments=(Attachment("1", "a.pdf", InMemory(b"%PDF-1.4\n%%EOF\n")),),
    )
    sender = Sender("H33.05/dms", is_declared=True, limits=Limits())
    item = collected(InMemory(write(message)), name="8.edxml", token="8", sender=sender, now=1_795_395_600.0)
    assert isinstance(item, Collected)
    assert item.event["subject"] == subject
    assert item.event["data"]["documentId"] == "D8"
