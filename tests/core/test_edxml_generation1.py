"""Generation 1 of edXML: read as generation 2 is, told with a warning, and never handed on as it came."""

from __future__ import annotations

import base64
import random
import re
import time
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from gateway.core.content import InMemory, whole
from gateway.core.documents.inward import convert, to_document
from gateway.core.documents.item import Sender, collected
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import Attachment, DocumentMessage, Extra, StatusMessage, Unreadable
from gateway.core.handover import Collected
from gateway.store.scratch import Scratch
from tests.core.test_edxml_encodings import windows_1258
from tests.vendors.first import NAMESPACE, TOKEN
from tests.vendors.relay import relayed

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "edxml"
MIME = (VECTORS / "generation_1_mime.edxml").read_bytes()
BEHIND = (VECTORS / "generation_1_all_document.edxml").read_bytes()
SOAP = (VECTORS / "refused_generation_1_soap.edxml").read_bytes()
PDF = b"%PDF-1.4\nmau\n"
MANY_ATTRIBUTES = b"".join(b" a%d=''" % n for n in range(20_000))
BASE64 = base64.b64encode(PDF)


def document(raw: bytes) -> DocumentMessage:
    message = read(raw)
    assert isinstance(message, DocumentMessage)
    return message


def refused(raw: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Unreadable) as refusal:
        read(raw, limits or Limits())
    return refusal.value.name


def packed(encoding: str, body: bytes, *, part_headers: str = "Content-ID: <77>") -> bytes:
    """The MIME vector with another second part."""
    head, _, _ = MIME.partition(b"--mau\r\nContent-Type: application/pdf")
    part = f"--mau\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: {encoding}\r\n{part_headers}\r\n\r\n"
    return head + part.encode() + body + b"\r\n--mau--\r\n"


def test_every_field_finds_its_place() -> None:
    message = document(MIME)
    assert message.sender.organ_id == "000.00.05.H33"
    assert message.sender.address == "Số 1 đường Mẫu"
    assert [to.organ_id for to in message.recipients] == ["000.00.07.H33"]
    assert message.code.joined == "27/SNV-VP"
    assert (message.promulgation.place, message.promulgation.date) == ("Kiên Giang", "2014-09-15")
    assert (message.document_type.name, message.document_type.type) == ("Công văn", 2)
    assert message.subject == "V/v gửi, nhận văn bản điện tử"
    assert message.signer.full_name == "Nguyễn Văn Mẫu"
    assert message.other.priority == 0
    assert [(stop.organ_id, stop.timestamp) for stop in message.trace] == [
        ("000.00.05.H33", "2014-09-15T08:30:00+07:00")
    ]
    assert message.business.type == "new"
    (one,) = message.attachments
    assert (one.content_id, one.name, one.description) == ("77", "27-SNV-VP.pdf", "Văn bản")
    assert one.detected_type == "application/pdf"
    assert message.extra == ()


def test_both_ways_of_attaching_say_the_same() -> None:
    one, other = document(MIME), document(BEHIND)
    assert whole(one.attachments[0].content) == whole(other.attachments[0].content)
    assert replace(one, attachments=(), warnings=()) == replace(other, attachments=(), warnings=())


def test_nothing_that_authenticates_is_kept_in_what_is_read() -> None:
    for raw in (MIME, BEHIND):
        assert TOKEN.encode() in raw
        message = document(raw)
        assert "credentials-inside" in {warning.name for warning in message.warnings}
        assert TOKEN not in repr(message)
        assert TOKEN not in repr(convert(raw)) + repr(convert(raw).data)


@pytest.mark.parametrize("name", ["Token", "KeyInfo", "CheckPermission", "Password", "accessToken", "Secret-Key"])
def test_whatever_the_secret_is_called_and_wherever_it_stands(name: str) -> None:
    element = f"<edXML:{name}>bi-mat-123</edXML:{name}>".encode()
    for place in (b"<edXML:TraceHeaderList>", b"<edXML:From>", b"<edXML:Manifest>"):
        message = document(MIME.replace(place, place + element, 1))
        assert "bi-mat-123" not in repr(message)


def test_a_message_without_secrets_is_not_warned_of() -> None:
    raw = (VECTORS / "generation_1_status.edxml").read_bytes()
    assert "credentials-inside" not in {warning.name for warning in read(raw).warnings}


def test_a_report_stands_in_the_body() -> None:
    message = read((VECTORS / "generation_1_status.edxml").read_bytes())
    assert isinstance(message, StatusMessage)
    assert (message.sender.organ_id, message.code, message.timestamp) == (
        "000.00.07.H33",
        "01",
        "2014-09-15T09:00:00+07:00",
    )
    assert (message.response_for.code, message.response_for.promulgation_date) == ("27/SNV-VP", "2014-09-15")


def test_an_error_list_and_elements_nobody_knows_are_carried_through() -> None:
    raw = MIME.replace(
        b"<edXML:Signature>",
        b"<edXML:ErrorList><edXML:Error><edXML:ErrorCode>9</edXML:ErrorCode></edXML:Error></edXML:ErrorList>"
        b'<v:Note xmlns:v="urn:v" v:kind="1">x</v:Note><edXML:Signature>',
    )
    kept = {extra.place: extra.xml for extra in document(raw).extra if "Note" in extra.xml}
    assert set(kept) == {"edXMLHeader"}
    assert 'xmlns:v="urn:v"' in kept["edXMLHeader"]
    assert any("<edXML:ErrorCode>9</edXML:ErrorCode>" in extra.xml for extra in document(raw).extra)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("binary", BASE64),
        ("8bit", base64.encodebytes(PDF)),
        ("8bit", PDF),
        ("binary", b"%PDF-1.4\n" + random.Random(1).randbytes(100_000)),
        ("base64", BASE64),
        ("base64", base64.encodebytes(BASE64)),
        ("quoted-printable", PDF.replace(b"\n", b"=0A")),
        ("7BIT", BASE64),
    ],
)
def test_a_part_is_decoded_whatever_it_says_of_itself(encoding: str, body: bytes) -> None:
    (one,) = document(packed(encoding, body)).attachments
    expected = body if body.startswith(b"%PDF-1.4\n") else PDF
    assert whole(one.content) == expected
    assert not one.broken


def test_a_short_text_that_only_begins_like_base64_of_a_file_stays_a_text() -> None:
    for text in (b"TU0AK", b"JVBERi0x\nxin ch\xc3\xa0o"):
        (one,) = document(packed("base64", base64.b64encode(text))).attachments
        assert whole(one.content) == text


@pytest.mark.parametrize("encoding", ["base64", "binary"])
def test_a_part_with_damaged_base64_is_told_and_not_guessed_at(encoding: str) -> None:
    raw = packed(encoding, BASE64[:-3] + b"*==")
    raw = raw.replace(b"<edXML:Subject>", b"<edXML:DocumentId>1</edXML:DocumentId><edXML:Subject>")
    if encoding == "base64":
        # Its only file is lost, so there is no new document in it.
        assert refused(raw) == "missing-element"
        return
    (one,) = document(raw).attachments
    assert one.detected_type == "text/plain"
    assert "untrue-type" in {warning.name for warning in document(raw).warnings}


def test_a_part_that_nothing_refers_to_comes_under_its_own_name() -> None:
    raw = packed("binary", BASE64, part_headers='Content-ID: <78>\r\nContent-Disposition: attachment; filename="b.pdf"')
    message = document(raw)
    assert [(one.name, one.broken) for one in message.attachments] == [("b.pdf", False), ("27-SNV-VP.pdf", True)]
    assert "unlisted-attachment" in {warning.name for warning in message.warnings}


def test_files_in_a_part_of_their_own_and_fields_right_under_attach_are_found() -> None:
    envelope = BEHIND[: BEHIND.index(b"<edXML:AllDocument")].strip()
    own = (
        f'<edXML:edXMLDocument xmlns:edXML="{NAMESPACE}"><edXML:Attach><ContentID>5</ContentID>'
        "<ContentType>application/pdf</ContentType><ContentTransferEncoding>base64</ContentTransferEncoding>"
        f"<Name>27-SNV-VP.pdf</Name><Value>{BASE64.decode()}</Value></edXML:Attach></edXML:edXMLDocument>"
    ).encode()
    part = b"--b\r\nContent-Type: text/xml\r\n\r\n"
    (one,) = document(part + envelope + b"\r\n" + part + own + b"\r\n--b--\r\n").attachments
    assert (one.content_id, one.name, one.declared_type) == ("5", "27-SNV-VP.pdf", "application/pdf")
    assert whole(one.content) == PDF


def test_an_envelope_in_another_encoding_is_read_as_it_or_its_part_says() -> None:
    envelope = BEHIND[: BEHIND.index(b"<edXML:AllDocument")].strip().decode()
    own = BEHIND[BEHIND.index(b"<edXML:AllDocument") :].strip()
    bare = envelope.partition("?>")[2]
    for kind, text in (
        ("text/xml", envelope.encode("utf-16")),
        ("text/xml; charset=utf-16", bare.encode("utf-16")),
        ("text/xml; charset=windows-1258", windows_1258(bare)),
        ("text/xml", windows_1258(envelope.replace("UTF-8", "windows-1258"))),
    ):
        parts = (
            f"--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
            + base64.encodebytes(text)
            + b"\r\n--b\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(own)
            + b"\r\n--b--\r\n"
        )
        message = document(parts)
        assert message.subject == "V/v gửi, nhận văn bản điện tử"
        assert [one.name for one in message.attachments] == ["27-SNV-VP.pdf"]
        assert {"generation-1", "converted-encoding"} <= {warning.name for warning in message.warnings}


def test_a_package_without_its_last_boundary_is_refused_as_nobody_knows_what_it_lost() -> None:
    assert refused(packed("binary", BASE64).removesuffix(b"\r\n--mau--\r\n")) == "not-well-formed"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (SOAP, "missing-element"),
        (SOAP.replace(b"<SOAP-ENV:Body/>", b"<SOAP-ENV:Body><a/>x</SOAP-ENV:Body>"), "missing-element"),
        (MIME.replace(b"<edXML:Manifest>", b"<edXML:Other>x</edXML:Other><edXML:Manifest>"), "unknown-format"),
        (MIME.replace(b"</SOAP-ENV:Body>", b"<Status><A>1</A></Status></SOAP-ENV:Body>"), "unknown-format"),
        (SOAP.replace(b"SOAP-ENV:Header", b"SOAP-ENV:Kopf"), "unknown-format"),
        (b"<!DOCTYPE a>" + SOAP.partition(b"?>")[2].strip(), "doctype-forbidden"),
        (SOAP.replace(b"<SOAP-ENV:Body/>", b"&x;"), "not-well-formed"),
        (SOAP[:-30], "not-well-formed"),
        (SOAP + b"<a>", "unknown-format"),
        (SOAP + b"rac phia sau", "not-well-formed"),
        (SOAP + SOAP.partition(b"?>")[2].strip() * 5, "too-many"),
        (b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>', "unknown-format"),
        (b"--b\r\nContent-Type: text/xml\r\n\r\n\r\n--b--\r\n", "not-well-formed"),
        (b"--b\r\nContent-Type: text/xml\r\n\r\nxin chao\r\n--b--\r\n", "not-well-formed"),
        (b"Content-Type: multipart/related\r\n\r\n--b\r\n", "unknown-format"),
        (b"--b\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n--b", "not-well-formed"),
        (b'Content-Type: multipart/related; boundary="b"\r\n\r\nno part', "unknown-format"),
        (b"--b\r\nContent-Type: text/xml\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n<a/>\r\n--b--", "too-large"),
        (b"--b\r\nContent-Type: text/xml\r\n\r\n<a/>\r\n" * 2_000 + b"--b--", "too-many"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(raw: bytes, name: str) -> None:
    assert refused(raw) == name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (SOAP.replace(b"<SOAP-ENV:Body/>", b"<SOAP-ENV:Body>" + b"<a>" * 100), "too-deep"),
        (SOAP.replace(b"<SOAP-ENV:Body/>", b"<SOAP-ENV:Body>" + b"<a/>" * 60_000 + b"</SOAP-ENV:Body>"), "too-many"),
        (SOAP.replace(b"<edXML:From>", b"<edXML:From" + MANY_ATTRIBUTES + b">"), "too-many"),
        (SOAP.replace(b"<SOAP-ENV:Body/>", b"<!--" + b"x" * (9 << 20) + b"--><SOAP-ENV:Body/>"), "too-large"),
        (MIME.replace(b"27-SNV-VP.pdf</", b"x" * (3 << 20) + b"</"), "too-large"),
        (MIME + b" " * (65 << 20), "too-large"),
    ],
)
def test_every_limit_of_generation_2_holds(raw: bytes, name: str) -> None:
    assert refused(raw) == name


def test_attachments_in_many_parts_are_counted_together_before_they_are_looked_for_by_name() -> None:
    envelope = BEHIND[: BEHIND.index(b"<edXML:AllDocument")].strip()
    listed = b"".join(
        b"<edXML:Reference><edXML:AttachmentName>%d.pdf</edXML:AttachmentName></edXML:Reference>" % number
        for number in range(999)
    )
    envelope = envelope.replace(b"<edXML:Manifest>", b"<edXML:Manifest>" + listed, 1)
    one = b"<edXML:Attach><Name>x</Name></edXML:Attach>"
    own = b'<edXML:edXMLDocument xmlns:edXML="%s">%s</edXML:edXMLDocument>' % (NAMESPACE.encode(), one * 900)
    part = b"--b\r\nContent-Type: text/xml\r\n\r\n"
    raw = part + envelope + b"\r\n" + (part + own + b"\r\n") * 100 + b"--b--\r\n"
    began = time.process_time()
    assert refused(raw) == "too-many"
    assert time.process_time() - began < 5, "it took time by their number squared"


@pytest.mark.parametrize("name", ["generation_1_mime", "generation_1_all_document", "generation_1_namespace"])
def test_it_is_relayed_as_generation_2_and_without_its_token(name: str) -> None:
    raw = (VECTORS / f"{name}.edxml").read_bytes()
    out = relayed(raw)
    assert out != raw
    assert b"http://www.mic.gov.vn/TBT/QCVN_102_2016" in out
    assert TOKEN.encode() not in out
    found, meant = document(out), document(raw)
    assert {warning.name for warning in found.warnings} == set()
    assert found.subject == meant.subject
    assert [whole(one.content) for one in found.attachments] == [whole(one.content) for one in meant.attachments]


@pytest.mark.parametrize("name", ["utf16", "windows_1258"])
def test_what_came_in_another_encoding_is_relayed_in_utf_8(name: str) -> None:
    out = relayed((VECTORS / f"{name}.edxml").read_bytes())
    assert "tình hình thực hiện" in out.decode()
    assert document(out).warnings == ()


@pytest.mark.parametrize(
    "name", ["document_new", "relayed_by_axis", "other_vendor", "day_first_dates_and_empty_elements"]
)
def test_generation_2_is_relayed_byte_for_byte(name: str) -> None:
    raw = (VECTORS / f"{name}.edxml").read_bytes()
    assert relayed(raw) == raw


def test_a_reference_may_name_its_content_in_an_attribute_alone() -> None:
    new = (VECTORS / "document_new.edxml").read_text()
    named = 'Reference xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="cid:so-lieu">'
    text = re.sub(r"Reference>\s*<edXML:ContentId>cid:so-lieu</edXML:ContentId>", named, new)
    assert "xlink:href" in text
    message = document(text.encode())
    assert message.warnings == ()
    assert [one.content_id for one in message.attachments] == ["van-ban-118", "so-lieu"]


def test_the_ids_of_a_clerk_and_a_paper_that_is_said_twice() -> None:
    new = (VECTORS / "document_new.edxml").read_text()
    ids = "<edXML:StaffId>7</edXML:StaffId><edXML:DepartmentId>VT</edXML:DepartmentId></edXML:StaffInfo>"
    text = new.replace("</edXML:StaffInfo>", ids)
    message = document(text.encode())
    assert (message.business.staff.staff_id, message.business.staff.department_id) == ("7", "VT")
    assert message.extra == ()
    assert to_document(message)["business"]["staff"]["staffId"] == "7"
    twice = text.replace("<edXML:Bussiness>", "<edXML:Paper>1</edXML:Paper><edXML:Bussiness>")
    message = document(twice.encode())
    assert message.business.paper is False
    assert [warning.name for warning in message.warnings] == ["repeated-element"]


def test_what_the_official_kit_knows_and_nobody_sends_is_carried_as_it_is() -> None:
    new = (VECTORS / "document_new.edxml").read_text()
    agency = (
        "<edXML:Agency><edXML:OrganId>H33.05</edXML:OrganId><edXML:ExecuteRole>1</edXML:ExecuteRole></edXML:Agency>"
    )
    text = new.replace("</edXML:MessageHeader>", f"{agency}<edXML:Feedback>x</edXML:Feedback></edXML:MessageHeader>")
    text = text.replace("    </Attachment>", "<FieldName>f</FieldName><Format>pdf</Format></Attachment>", 1)
    found = {extra.place: extra for extra in document(text.encode()).extra}
    assert set(found) == {"MessageHeader", "AttachmentEncoded/Attachment[1]"}
    assert isinstance(found["MessageHeader"], Extra)


def test_an_attachment_value_has_a_place_for_everything_a_message_says_of_it() -> None:
    assert {"content_id", "name", "content", "description", "declared_type"} <= set(Attachment.__dataclass_fields__)


def a_large_file(kind: str, folder: Path) -> Path:
    """A message with a PDF of 12 MiB in it, on disk."""
    content = b"%PDF-1.4\n" + random.Random(1).randbytes(12 << 20)
    lines = base64.encodebytes(content)
    if kind == "mime":
        raw = packed("base64", lines)
    elif kind == "behind":
        head, _, rest = BEHIND.partition(b"<value>")
        raw = head + b"<value>" + lines + b"</value>" + rest.partition(b"</value>")[2]
    else:
        new = (VECTORS / "document_new.edxml").read_text()
        raw = re.sub(r">JVBERi0[^<]*", lambda _: f">{lines.decode()}", new).encode("utf-16")
    (folder / kind).write_bytes(raw)
    return folder / kind


@dataclass(frozen=True)
class OnDisk:
    """A file that is never in memory as a whole."""

    path: Path
    sha256: str = ""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Its bytes."""
        return self.path.open("rb")


@pytest.mark.parametrize("kind", ["mime", "behind", "utf16"])
def test_a_large_file_passes_through_sinks_and_not_through_memory(kind: str, tmp_path: Path) -> None:
    raw = OnDisk(a_large_file(kind, tmp_path))
    scratch = Scratch(tmp_path / "scratch")
    tracemalloc.start()
    try:
        message = read(raw, Limits(size=128 << 20), scratch.sink)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(message, DocumentMessage)
    assert message.attachments[0].content.size == (12 << 20) + 9
    assert not message.attachments[0].broken
    assert peak < 8 << 20


def test_the_file_itself_is_handed_to_nobody_while_an_access_token_is_in_it() -> None:
    sender = Sender("H33.05/dms", is_declared=True, limits=Limits())
    plain = (VECTORS / "generation_1_status.edxml").read_bytes()
    for raw, is_named in ((MIME, False), (BEHIND, False), (plain, True)):
        content = InMemory(raw)
        item = collected(content, name="a.edxml", token="1", sender=sender, now=1_795_395_600.0)
        assert isinstance(item, Collected)
        assert ("raw" in item.event["data"]) is is_named
        assert (content.sha256 in {file.sha256 for file in item.files}) is is_named
