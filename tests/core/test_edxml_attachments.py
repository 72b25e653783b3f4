"""Attached files in edXML: told by their bytes, freed of their ZIP, never trusted, never lost."""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.content import InMemory, MemorySink
from gateway.core.content import whole as bytes_of
from gateway.core.edxml import archive
from gateway.core.edxml.attachments import Declared, absent, detect, pack, take
from gateway.core.edxml.inflow import Arrived, Base64Inflow
from gateway.core.edxml.values import Attachment

PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
MEBIBYTE = 1 << 20


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(name), content, method)
    return packed.getvalue()


def taken(
    name: str, media: str | None, data: bytes | str | None, limit: int = 8 * MEBIBYTE
) -> tuple[Attachment, list[str]]:
    """The attachment and the names of the warnings."""
    warnings: list[str] = []

    def warn(oddity: str, **_: Any) -> None:
        warnings.append(oddity)

    declared = Declared("1", name, None, media)
    if data is None:
        return absent(declared, warn), warnings
    inflow = Base64Inflow(MemorySink)
    inflow.write(base64.b64encode(data).decode() if isinstance(data, bytes) else data)
    return take(declared, inflow.done(), limit, warn), warnings


@pytest.mark.parametrize(
    ("content", "name", "media"),
    [
        (PDF, "a.doc", "application/pdf"),
        (b"PK\x03\x04rest", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"PK\x03\x04rest", "a.bin", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.XLS", "application/vnd.ms-excel"),
        (b"\x89PNG\r\n\x1a\n", "a", "image/png"),
        (b"<?xml version='1.0'?><a/>", "a.edxml", "application/xml"),
        ("Kính gửi".encode(), "a.pdf", "text/plain"),
        (b"x" * 4095 + "ấ".encode(), "a.txt", "text/plain"),
        (b"\xff\xfe\x00", "a.txt", "application/octet-stream"),
        (b"a\x00b", "a.txt", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_bytes_say(content: bytes, name: str, media: str) -> None:
    assert detect(content, name) == media


def test_the_usual_wrapping_is_taken_off_without_a_word() -> None:
    attachment, warnings = taken("số liệu.xlsx", "application/zip", zipped({"uuid.xlsx": b"PK\x03\x04 a workbook"}))
    assert (bytes_of(attachment.content), attachment.wrapped, warnings) == (b"PK\x03\x04 a workbook", "zip", [])


def test_a_zip_that_is_called_a_zip_stays_one() -> None:
    data = zipped({"a.txt": b"one"})
    attachment, warnings = taken("gói.ZIP", "application/zip", data)
    assert (bytes_of(attachment.content), attachment.wrapped, warnings) == (data, "none", [])


def test_a_docx_is_a_zip_of_many_parts_and_stays_whole() -> None:
    data = zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"})
    attachment, warnings = taken("a.docx", "application/docx", data)
    assert (bytes_of(attachment.content), warnings) == (data, [])


@pytest.mark.parametrize(
    ("name", "media", "data", "warnings"),
    [
        ("a.pdf", "application/pdf", zipped({"a.pdf": PDF}), ["untrue-type"]),
        ("a.txt", "text/plain", zipped({"a.txt": b"a"}), ["untrue-type"]),
        ("a.pdf", "application/pdf", b"plain text", ["untrue-type"]),
        ("a.txt", "text/plain", PDF, ["untrue-type"]),
        ("a.txt", "application/zip", b"not a zip", ["untrue-type"]),
        ("a.pdf", "application/octet-stream", PDF, []),
        ("a.pdf", None, PDF, []),
        ("a.txt", "text/plain; charset=utf-8", b"a", []),
        ("a.doc", "application/doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", []),
    ],
)
def test_a_declared_type_that_is_untrue_is_named(
    name: str, media: str | None, data: bytes, warnings: list[str]
) -> None:
    assert taken(name, media, data)[1] == warnings


def test_a_zip_cut_short_is_kept_as_it_came() -> None:
    whole = zipped({"a.txt": b"some text, some more text"})
    for length in range(4, len(whole)):
        attachment, warnings = taken("a.txt", "application/zip", whole[:length])
        assert (bytes_of(attachment.content), attachment.broken, warnings) == (whole[:length], True, ["broken-archive"])


def test_a_zip_with_a_flipped_byte_never_yields_other_content() -> None:
    whole = zipped({"a.txt": b"some text, some more text"})
    for at in range(4, len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :]
        attachment, _ = taken("a.txt", "application/zip", damaged)
        assert bytes_of(attachment.content) in {damaged, b"some text, some more text"}


@pytest.mark.parametrize(
    "entries",
    [
        {"../a.txt": b"a"},
        {"/etc/a.txt": b"a"},
        {"a\\b.txt": b"a"},
        {"..": b"a"},
        {"a.txt": b"a", "b.txt": b"b"},
        {"a.txt": b"0" * (2 * MEBIBYTE)},
    ],
    ids=["parent", "absolute", "backslash", "dots", "several", "ratio"],
)
def test_a_zip_that_is_not_safe_to_open_stays_closed(entries: dict[str, bytes]) -> None:
    data = zipped(entries)
    attachment, warnings = taken("a.txt", "application/zip", data)
    assert (bytes_of(attachment.content), attachment.broken, warnings) == (data, False, ["unopened-archive"])


def test_nothing_is_unpacked_past_the_limit_whatever_size_the_archive_claims() -> None:
    honest = zipped({"a.txt": bytes(range(256)) * 40})
    assert archive.unwrap(InMemory(honest), 10_000) == "too-large"
    claimed = (10_240).to_bytes(4, "little")
    assert honest.count(claimed) == 2
    assert archive.unwrap(InMemory(honest.replace(claimed, (100).to_bytes(4, "little"))), 10_000) == "broken"


def test_a_locked_zip_stays_closed() -> None:
    data = bytearray(zipped({"a.txt": b"a"}))
    directory = data.find(b"PK\x01\x02")
    data[directory + 8] |= 1
    assert archive.unwrap(InMemory(bytes(data)), 100) == "encrypted"


def test_content_that_is_no_base64_leaves_a_name_without_bytes() -> None:
    for encoded, warning in (
        ("${template}", "undecodable-attachment"),
        ("Ấ", "undecodable-attachment"),
        ("", "empty-attachment"),
    ):
        attachment, warnings = taken("a.pdf", "application/pdf", encoded)
        assert (bytes_of(attachment.content), attachment.broken, warnings) == (b"", True, [warning])


def test_base64_may_be_broken_into_lines() -> None:
    encoded = "\r\n ".join(base64.b64encode(PDF).decode())
    assert taken("a.pdf", "application/pdf", encoded)[0].content == InMemory(PDF)


def test_a_binary_file_that_went_through_a_text_decoder_is_named() -> None:
    assert taken("a.pdf", "application/pdf", PDF + "�".encode() * 9)[1] == ["mangled-attachment"]
    assert taken("a.txt", "text/plain", "�".encode() * 9)[1] == []


def test_wrapping_gives_the_same_bytes_for_the_same_file() -> None:
    table = InMemory(b"a,b\n")
    assert archive.wrap("Số liệu.CSV", table) == archive.wrap("x.csv", table)
    (entry,) = zipfile.ZipFile(archive.wrap("a.csv", table).open()).infolist()
    assert entry.filename.endswith(".csv")
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_a_blank_scan_of_many_megabytes_is_not_taken_for_a_bomb_when_it_is_ours() -> None:
    content = InMemory(bytes(3 * MEBIBYTE))
    inside = archive.unwrap(archive.wrap("scan.bmp", content), 4 * MEBIBYTE)
    assert isinstance(inside, Arrived)
    assert inside.content == content


@pytest.mark.parametrize(
    ("name", "content", "media"),
    [
        ("a.pdf", PDF, "application/pdf"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/doc"),
        ("a.docx", zipped({"x": b"1", "y": b"2"}), "application/docx"),
        ("a.zip", zipped({"x": b"1"}), "application/zip"),
        ("a.xlsx", zipped({"x": b"1", "y": b"2"}), "application/zip"),
        ("a.txt", b"text", "application/zip"),
        ("a.pdf", b"no pdf at all", "application/octet-stream"),
    ],
)
def test_files_are_packed_as_the_official_software_packs_them(name: str, content: bytes, media: str) -> None:
    packed = pack(Attachment("1", name, InMemory(content)), MEBIBYTE)
    assert packed.type == media
    assert (bytes_of(packed.content) == content) == (name.rpartition(".")[2] in {"pdf", "doc", "docx", "zip"})


contents = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=60).map(lambda rest: PDF + rest),
    st.binary(max_size=60).map(lambda rest: b"PK\x03\x04" + rest),
    st.binary(max_size=60).map(lambda inner: zipped({"a.txt": inner})),
    st.binary(max_size=60).map(lambda inner: zipped({"a.txt": zipped({"b.doc": inner})})),
    st.just(zipped({"a": b"1", "b": b"2"})),
)


@given(name=st.sampled_from(["a.pdf", "a.doc", "a.docx", "A.XLSX", "a.csv", "không đuôi"]), content=contents)
def test_whatever_is_packed_comes_out_again_and_never_as_a_lie(name: str, content: bytes) -> None:
    packed = pack(Attachment("1", name, InMemory(content)), MEBIBYTE)
    attachment, warnings = taken(name, packed.type, bytes_of(packed.content))
    assert (bytes_of(attachment.content), attachment.broken) == (content, False)
    assert set(warnings) <= {"unopened-archive", "mangled-attachment"}
