"""Whatever bytes arrive in place of an edXML message, the reader takes them or says why not, quickly and in bounds."""

from __future__ import annotations

import base64
import contextlib
import gc
import random
import time
import tracemalloc
import weakref
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.content import InMemory, MemorySink, whole
from gateway.core.edxml.archive import wrap
from gateway.core.edxml.parse import EDXML, Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, Unreadable
from gateway.core.edxml.write import write

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "tests" / "vectors" / "edxml"
THEIRS = ROOT / ".." / "shared" / "samples" / "edxml"
SEEDS = [path.read_bytes() for folder in (OURS, THEIRS) if folder.is_dir() for path in sorted(folder.glob("*.edxml"))]
NEW = (OURS / "document_new.edxml").read_bytes()
OPEN = f'<edXML xmlns="{EDXML}">'.encode()
MEBIBYTE = 1 << 20


def verdict(raw: bytes) -> str:
    """``taken``, or the name of the refusal; anything else that is raised fails the test."""
    try:
        message = read(raw)
    except Unreadable as refusal:
        return refusal.name if refusal.detail.vi and refusal.detail.en else "refused without a word"
    if isinstance(message, DocumentMessage):
        assert len(write(message)) > 0
    return "taken"


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(raw: bytes) -> None:
    assert verdict(raw) != "taken"
    assert verdict(b"<" + raw) != "taken"


@pytest.mark.parametrize("seed", range(5))
def test_flipped_cut_and_spliced_messages_are_taken_or_refused_and_never_more(seed: int) -> None:
    chance = random.Random(seed)
    seen: dict[str, int] = {}
    for _ in range(120):
        raw = bytearray(chance.choice(SEEDS))
        kind = chance.randrange(4)
        if kind == 0:
            for _ in range(chance.randint(1, 8)):
                raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del raw[chance.randrange(len(raw)) :]
        elif kind == 2:
            other = chance.choice(SEEDS)
            at, start = chance.randrange(len(raw)), chance.randrange(len(other))
            raw[at : at + chance.randrange(200)] = other[start : start + chance.randrange(400)]
        else:
            lines = bytes(raw).split(b"\n")
            chance.shuffle(lines) if chance.random() < 0.1 else lines.pop(chance.randrange(len(lines)))
            raw = bytearray(b"\n".join(lines))
        name = verdict(bytes(raw))
        seen[name] = seen.get(name, 0) + 1
    assert seen["taken"] > 0
    assert seen["not-well-formed"] > 0


@given(st.data())
def test_any_text_of_a_message_may_be_any_text(data: st.DataObject) -> None:
    pieces = NEW.decode().split("<edXML:")
    at = data.draw(st.integers(1, len(pieces) - 1))
    tag, closing, rest = pieces[at].partition(">")
    text = data.draw(
        st.text(st.characters(exclude_characters="<&\ufffe\uffff", exclude_categories=["Cs", "Cc"]), max_size=20)
    )
    pieces[at] = f"{tag}{closing}{text}{rest}"
    verdict("<edXML:".join(pieces).encode())


BOMB = b"".join(b'<!ENTITY %c "%s">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(12))
HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not-edxml"),
    "blanks": (b" \r\n\xef\xbb\xbf\n", "not-edxml"),
    "an entity bomb": (b'<!DOCTYPE edXML [<!ENTITY a "a">' + BOMB + b"]>" + OPEN + b"&m;</edXML>", "doctype-forbidden"),
    "an entity of our own disk": (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + OPEN + b"&b;</edXML>",
        "doctype-forbidden",
    ),
    "a foreign DTD": (b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd">' + OPEN + b"</edXML>", "doctype-forbidden"),
    "an undeclared entity": (OPEN + b"&what;</edXML>", "not-well-formed"),
    "a deep nest": (OPEN + b"<a>" * 1_000_000, "too-deep"),
    "a deep nest inside": (NEW.replace(b"<edXML:Subject>", b"<edXML:Subject>" + b"<a>" * 500), "too-deep"),
    "200,000 attributes": (OPEN[:-1] + b"".join(b' a%d="1"' % n for n in range(200_000)) + b"/>", "too-many"),
    "200,000 namespaces": (
        OPEN[:-1] + b"".join(b' xmlns:a%d="u:%d"' % (n, n) for n in range(200_000)) + b"/>",
        "too-many",
    ),
    "a million elements": (OPEN + b"<a/>" * 1_000_000 + b"</edXML>", "too-many"),
    "a million comments": (OPEN + b"<!---->" * 1_000_000 + b"</edXML>", "too-many"),
    "a million instructions": (OPEN + b"<?a?>" * 1_000_000 + b"</edXML>", "too-many"),
    "a doubled attribute": (OPEN[:-1] + b' a="1" a="2"/>', "not-well-formed"),
    "one huge attribute": (OPEN[:-1] + b' a="' + b"x" * 8 * MEBIBYTE + b'"/>', "too-large"),
    "one huge comment": (OPEN + b"<!--" + b"x" * 8 * MEBIBYTE + b"--></edXML>", "too-large"),
    "one huge name": (b"<" + b"x" * 8 * MEBIBYTE + b"/>", "too-large"),
    "a huge subject": (NEW.replace(b"<edXML:Subject>", b"<edXML:Subject>" + b"x" * 4 * MEBIBYTE), "too-large"),
    "too many bytes": (NEW + b" " * 65 * MEBIBYTE, "too-large"),
    "two roots": (NEW + OPEN + b"</edXML>", "not-well-formed"),
    "an empty root": (OPEN + b"</edXML>", "unknown-format"),
    "a page of HTML": (b"<html><body>502 Bad Gateway</body></html>", "not-edxml"),
    "a PDF": (b"%PDF-1.4\n" + b"\x00" * 100, "not-edxml"),
    "UTF-16 that says nothing": (b"\xff\xfe" + "<edXML/>".encode("utf-16-le"), "unknown-format"),
    "UTF-16 cut in half a letter": (b"\xff\xfe" + "<edXML/>".encode("utf-16-le")[:-1], "wrong-encoding"),
    "UTF-32": (b"\xff\xfe\x00\x00" + "<edXML/>".encode("utf-32-le"), "wrong-encoding"),
    "nul bytes inside": (NEW.replace(b"<edXML:Subject>", b"<edXML:Subject>\x00"), "not-well-formed"),
    "a prefix bound to nothing": (OPEN + b"<edXML:edXMLEnvelope/></edXML>", "not-well-formed"),
    "the prefix xml rebound": (OPEN[:-1] + b' xmlns:xml="urn:x"/>', "not-well-formed"),
    "10,000 unknown elements": (
        NEW.replace(b"<edXML:Subject>", b"<edXML:New>x</edXML:New>" * 10_000 + b"<edXML:Subject>"),
        "too-many",
    ),
    "a record of many megabytes": (
        NEW.replace(b"<edXML:Subject>", b"<edXML:New>%s</edXML:New>" % (b"x" * 10_000) * 900 + b"<edXML:Subject>"),
        "too-large",
    ),
    "10,000 attachments": (
        NEW.replace(
            b"<AttachmentEncoded>",
            b"<AttachmentEncoded>" + b"<Attachment><ContentId>1</ContentId></Attachment>" * 10_000,
        ),
        "too-many",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_bytes_are_refused_by_name_in_bounded_time_and_memory(case: str) -> None:
    raw, name = HOSTILE[case]
    tracemalloc.start()
    started = time.process_time()
    try:
        assert verdict(raw) == name
        spent, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent < 10
    assert peak < 3 * len(raw) + 64 * MEBIBYTE


def test_an_attachment_of_many_megabytes_is_taken_whole() -> None:
    content = b"%PDF-1.7\n" + random.Random(1).randbytes(12 * MEBIBYTE)
    start, end = NEW.index(b"JVBERi0"), NEW.index(b"</edXML:ContentTransferEncoded>")
    message = read(NEW[:start] + base64.encodebytes(content) + NEW[end:])
    assert isinstance(message, DocumentMessage)
    assert message.attachments[0].content == InMemory(content)
    assert message.warnings == ()


def test_archives_cannot_be_unpacked_past_what_the_whole_message_may_hold() -> None:
    packed = base64.b64encode(whole(wrap("a.csv", InMemory(bytes(range(256)) * 400)))).decode()
    one = (
        "<Attachment><ContentId>%d</ContentId><AttachmentName>a.csv</AttachmentName>"
        f"<c:ContentTransferEncoded xmlns:c='{EDXML}'>{packed}</c:ContentTransferEncoded></Attachment>"
    )
    raw = NEW.replace(b"<AttachmentEncoded>", ("<AttachmentEncoded>" + "".join(one % n for n in range(50))).encode())
    message = read(raw, Limits(unpacked=MEBIBYTE))
    assert isinstance(message, DocumentMessage)
    assert sum(attachment.content.size for attachment in message.attachments if attachment.wrapped == "zip") <= MEBIBYTE
    assert "unopened-archive" in {warning.name for warning in message.warnings}


def test_a_message_with_thousands_of_oddities_gets_a_list_of_readable_length() -> None:
    stop = b"<edXML:TraceHeader><edXML:OrganId>null</edXML:OrganId></edXML:TraceHeader>"
    message = read(NEW.replace(b"<edXML:TraceHeader>", stop * 5_000 + b"<edXML:TraceHeader>"))
    assert len(message.warnings) == 101
    assert message.warnings[-1].name == "more-oddities"


@pytest.mark.parametrize("wrong", [None, "text", 7, [], {}, NEW.decode()])
def test_what_is_not_bytes_is_refused_too(wrong: object) -> None:
    assert verdict(wrong) == "not-edxml"  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [0, 30])
def test_what_was_attached_is_let_go_as_soon_as_nobody_has_the_message(cut: int) -> None:
    class Watched(InMemory):
        """A content that can be watched."""

    made: list[weakref.ref[Watched]] = []

    class Sink(MemorySink):
        def done(self) -> InMemory:
            watched = Watched(super().done().data)
            made.append(weakref.ref(watched))
            return watched

    gc.disable()
    try:
        for raw in (NEW, (OURS / "generation_1_all_document.edxml").read_bytes()):
            with contextlib.suppress(Unreadable):
                read(raw[: len(raw) - cut], new_sink=Sink)
        assert made
        assert [each for each in made if each() is not None] == []
    finally:
        gc.enable()
