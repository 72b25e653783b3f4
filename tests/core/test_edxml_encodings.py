"""Messages in other encodings than UTF-8: converted where they say which, refused where they do not, never guessed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.content import PIECE, InMemory, MemorySink, whole
from gateway.core.edxml.encodings import as_utf8
from gateway.core.edxml.fonts import legacy_font
from gateway.core.edxml.read import read, read_record
from gateway.core.edxml.values import DocumentMessage, Unreadable

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "edxml"
NEW = (VECTORS / "document_new.edxml").read_text()
TONES = "\u0300\u0301\u0303\u0309\u0323"


def windows_1258(text: str) -> bytes:
    """As Windows writes Vietnamese: a letter with its hook or roof, then the tone as a mark of its own."""
    written = b""
    for letter in text:
        parts = unicodedata.normalize("NFD", letter)
        base = unicodedata.normalize("NFC", "".join(part for part in parts if part not in TONES))
        written += (base + "".join(part for part in parts if part in TONES)).encode("cp1258")
    return written


def declaring(name: str, text: str = NEW) -> str:
    return text.replace('encoding="UTF-8"', f'encoding="{name}"', 1)


def document(raw: bytes) -> DocumentMessage:
    message = read(raw)
    assert isinstance(message, DocumentMessage)
    return message


def names(raw: bytes) -> list[str]:
    return [warning.name for warning in document(raw).warnings]


def refused(raw: bytes) -> str:
    with pytest.raises(Unreadable) as refusal:
        read(raw)
    return refusal.value.name


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe" + declaring("UTF-16").encode("utf-16-le"),
        b"\xfe\xff" + declaring("utf-16").encode("utf-16-be"),
        declaring("UTF-16").encode("utf-16-le"),
        declaring("UTF-16").encode("utf-16-be"),
        b"\xff\xfe" + NEW.encode("utf-16-le"),
        b"\xff\xfe" + NEW.partition("?>")[2].encode("utf-16-le"),
        windows_1258(declaring("windows-1258")),
        windows_1258(declaring("CP1258")),
    ],
)
def test_what_says_how_it_is_written_is_read_and_told(raw: bytes) -> None:
    found = document(raw)
    assert replace(found, warnings=()) == replace(document(NEW.encode()), warnings=())
    assert names(raw) == ["converted-encoding"]


@pytest.mark.parametrize("name", ["windows-1252", "ISO-8859-1", "iso-8859-15", "latin1"])
def test_western_encodings_are_read_as_declared(name: str) -> None:
    text = re.sub(r"(<edXML:Subject>)[^<]*", r"\g<1>Bản dịch", declaring(name))
    western = text.encode("ascii", "xmlcharrefreplace").replace(b"B&#7843;n d&#7883;ch", "Général".encode("latin-1"))
    assert document(western).subject == "Général"
    assert names(western) == ["converted-encoding"]


@pytest.mark.parametrize("name", ["windows-1258", "ISO-8859-1", "windows-1252", "us-ascii"])
def test_what_is_utf_8_after_all_stays_so_whatever_it_declares(name: str) -> None:
    assert names(declaring(name).encode()) == ["declared-encoding"]


def test_what_declares_nothing_or_utf_8_is_not_guessed_at() -> None:
    assert refused(windows_1258(NEW)) == "wrong-encoding"
    assert refused(windows_1258(NEW.partition("?>")[2].strip())) == "wrong-encoding"


@pytest.mark.parametrize("name", ["TCVN-5712", "x-unknown", "utf-7", "cp037", "big5", "hex", "rot13", "unicode_escape"])
def test_an_encoding_that_is_not_taken_is_refused_where_the_bytes_are_not_utf_8(name: str) -> None:
    assert refused(windows_1258(declaring(name))) == "wrong-encoding"


def test_bytes_that_the_declared_encoding_does_not_have_are_refused() -> None:
    assert refused(declaring("windows-1252").encode("ascii", "ignore").replace(b"V/v", b"V\x81v")) == "wrong-encoding"
    assert refused(b"\xff\xfe" + NEW.encode("utf-16-le")[:-1]) == "wrong-encoding"
    assert refused(b"\xff\xfe\x00\x00" + NEW.encode("utf-32-le")) == "wrong-encoding"
    assert refused(b"\xff\xfe" + "<edXML>\ud800".encode("utf-16-le", "surrogatepass")) == "wrong-encoding"


def test_what_was_converted_does_not_say_a_message_as_it_stands() -> None:
    for raw in (NEW.encode("utf-16"), windows_1258(declaring("windows-1258"))):
        with pytest.raises(Unreadable) as refusal:
            read_record(raw)
        assert refusal.value.name == "wrong-encoding"


def test_letters_come_composed_however_they_were_written() -> None:
    apart = unicodedata.normalize("NFD", NEW)
    assert apart != NEW
    assert document(apart.encode()) == document(NEW.encode())
    assert document(apart.encode("utf-16")).subject == document(NEW.encode()).subject


@given(st.text(st.sampled_from("aăâđeêioôơuưyạảấầẩẫậ ớợ<>&xyz"), max_size=60), st.integers(0, 8))
def test_a_letter_cut_in_two_between_pieces_comes_out_whole(text: str, shift: int) -> None:
    head = '<?xml version="1.0" encoding="windows-1258"?>'
    text = unicodedata.normalize("NFC", text) + "ợ"
    padding = "x" * (PIECE - len(head) - shift)
    recoded = as_utf8(InMemory((head + padding).encode() + windows_1258(text)), MemorySink)
    assert recoded.was == "cp1258"
    assert whole(recoded.content).decode() == padding + text


SUBJECTS = {
    "C«ng v¨n vÒ viÖc triÓn khai kÕ ho¹ch n¨m 2026": "TCVN3",
    "Céng hßa x· héi chñ nghÜa ViÖt Nam": "TCVN3",
    "Coâng vaên veà vieäc trieån khai keá hoaïch": "VNI",
    "Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam": "VNI",
    "CÃ´ng vÄƒn vá» viá»‡c triá»ƒn khai": "mojibake",
    "Công văn về việc triển khai kế hoạch": None,
    "Giấy mời họp": None,
    "hoà hoá hoã quý toà thuý": None,
    "Général de l'État français à Hà Nội": None,
    "«Cộng hòa» 50×20 m² §5": None,
    "Ke hoach nam 2026": None,
    "Phí © ®": None,
    "José và François": None,
    "": None,
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_typed_in_an_old_font_is_recognised_and_nothing_else_is(subject: str) -> None:
    assert legacy_font(subject) == SUBJECTS[subject]


def test_such_a_subject_is_kept_as_it_is_and_warned_of() -> None:
    for subject, kind in SUBJECTS.items():
        raw = re.sub(r"(<edXML:Subject>)[^<]*", rf"\g<1>{subject or 'x'}", NEW).encode()
        expected = {"mojibake": ["garbled-text"], None: []}.get(kind, ["legacy-font"])
        assert names(raw) == expected
        assert document(raw).subject == unicodedata.normalize("NFC", subject or "x")
