"""A message read or written in pieces of any size is the message read or written whole."""

from __future__ import annotations

import base64
import binascii
import io
import random
import tracemalloc
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import content
from gateway.core.content import InMemory, MemorySink, NewSink, Scales, Weighed, pieces, whole
from gateway.core.edxml import archive
from gateway.core.edxml.inflow import Arrived, Base64Inflow, Inflow
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, StatusMessage, Unreadable
from gateway.core.edxml.write import written

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "edxml"
ALL = [path.read_bytes() for path in sorted(VECTORS.glob("*.edxml"))]


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


#: Whatever is in another encoding is made UTF-8 before, and its declaration looked for in what is one piece as a rule.
SEEDS = [raw for raw in ALL if is_utf8(raw)]
NEW = (VECTORS / "document_new.edxml").read_bytes()
#: What stands around and inside messages, and where a cut between two pieces would be felt.
INSERTS = [
    *(
        b"\x00",
        b" ",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"&#13;",
        b"<a/>",
        b"<!-- x -->",
        b"<![CDATA[QUI=]]>",
        b"=",
        b"==",
        b"?>",
    ),
    *(b" a='1'", "ấ".encode(), b"\xff", b"</edXML:ContentTransferEncoded>", b"<b>QUJD</b>", b"&what;", b"\xc2\xa0"),
]


def verdict(raw: bytes, size: int) -> DocumentMessage | StatusMessage | tuple[str, str]:
    """What comes of ``raw`` in pieces of so many bytes: the message, or the refusal's name and sentence."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (content, archive):
            patch.setattr(module, "PIECE", size)
        try:
            return read(raw)
        except Unreadable as refusal:
            return refusal.name, refusal.detail.en


@given(st.sampled_from(ALL), st.integers(512, 3000))
def test_every_message_in_pieces_is_the_message_whole(raw: bytes, size: int) -> None:
    assert verdict(raw, size) == verdict(raw, content.PIECE)


@given(st.data())
def test_so_is_every_message_that_something_happened_to(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        raw = raw[:at] + data.draw(st.sampled_from(INSERTS)) + raw[at + data.draw(st.integers(0, 3)) :]
    # The very first bytes tell the encoding: no piece is as small as that.
    assert verdict(raw, data.draw(st.integers(16, 400))) == verdict(raw, content.PIECE)


@dataclass(frozen=True)
class Trickling:
    """A content whose reader gives less than it is asked for, as pipes and networks do."""

    inner: InMemory

    @property
    def size(self) -> int:
        return self.inner.size

    @property
    def sha256(self) -> str:
        return self.inner.sha256

    def open(self) -> BinaryIO:
        class Trickle(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(min(size or 0, 7) if size and size > 0 else size)

        return Trickle(self.inner.data)


def test_how_much_a_reader_gives_at_a_time_does_not_matter() -> None:
    assert read(Trickling(InMemory(NEW))) == read(NEW)
    assert list(pieces(Trickling(InMemory(NEW)))) == list(pieces(InMemory(NEW)))


@given(
    st.binary(max_size=40).map(base64.b64encode) | st.text("QUJD=+/ \n-$ấ", max_size=14).map(str.encode),
    st.data(),
)
def test_base64_in_pieces_is_base64_whole(encoded: bytes, data: st.DataObject) -> None:
    text = encoded.decode()
    try:
        expected = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        expected = None
    inflow = Base64Inflow(MemorySink)
    while text:
        count = data.draw(st.integers(1, len(text)))
        inflow.write(text[:count])
        text = text[count:]
    arrived = inflow.done()
    assert (None if arrived is None else whole(arrived.content)) == expected


@given(st.lists(st.sampled_from([b"\xef", b"\xbf", b"\xbd", b"\xef\xbf", b"\xbf\xbd", b"x", b"\xef\xbf\xbd" * 3])))
def test_what_is_counted_as_it_passes_is_what_is_there(parts: list[bytes]) -> None:
    inflow = Inflow(MemorySink)
    for part in parts:
        inflow.write(part)
    data = b"".join(parts)
    assert inflow.done() == Arrived(InMemory(data), data[:4096], data.count(b"\xef\xbf\xbd"))


@given(
    st.binary(max_size=300) | st.integers(0, 5000).map(bytes),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.integers(1, 700),
    st.integers(0, 400),
    st.integers(0, 6000),
)
def test_an_archive_in_pieces_is_opened_as_whole(inside: bytes, method: int, size: int, cut: int, limit: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        file.writestr(zipfile.ZipInfo("a.bin"), inside, method)
    data = InMemory(packed.getvalue()[: len(packed.getvalue()) - cut])
    expected = archive.unwrap(data, limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "PIECE", size)
        assert archive.unwrap(data, limit) == expected
    assert cut or (isinstance(expected, Arrived) and whole(expected.content) == inside) == (len(inside) <= limit)


def test_no_more_is_ever_inflated_than_the_archive_says_it_holds() -> None:
    weighed: list[int] = []

    class Watched(Scales):
        def write(self, piece: bytes) -> None:
            super().write(piece)
            weighed.append(len(piece))

    inside = random.Random(1).randbytes(600_000).hex().encode()
    honest = whole(archive.wrap("a.csv", InMemory(inside)))
    size = len(inside).to_bytes(4, "little")
    assert honest.count(size) == 2
    liar = InMemory(honest.replace(size, (1000).to_bytes(4, "little")))
    assert archive.unwrap(liar, 1 << 20, Watched) == "broken"
    assert sum(weighed) <= 1001


@given(st.binary(max_size=2000), st.integers(1, 300))
def test_what_is_wrapped_and_written_in_pieces_is_the_same_file(data: bytes, size: int) -> None:
    document = read(NEW)
    assert isinstance(document, DocumentMessage)
    packed = archive.wrap("a.csv", InMemory(data))
    expected = written(document)
    with pytest.MonkeyPatch.context() as patch:
        for module in (content, archive):
            patch.setattr(module, "PIECE", size)
        assert archive.wrap("a.csv", InMemory(data)) == packed
        assert written(document) == expected


def test_an_archive_of_ours_is_what_the_common_library_would_write() -> None:
    inside = b"ma,ten\n" * 50
    ours = whole(archive.wrap("a.csv", InMemory(inside)))
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(ours)) as opened, zipfile.ZipFile(packed, "w") as file:
        (entry,) = opened.infolist()
        again = zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
        again.compress_type, again.create_system = zipfile.ZIP_DEFLATED, 0
        file.writestr(again, inside)
    assert ours == packed.getvalue()


def test_what_is_attached_never_stands_in_memory_as_a_whole() -> None:
    largest = 0

    class Watched(Scales):
        def write(self, piece: bytes) -> None:
            nonlocal largest
            super().write(piece)
            largest = max(largest, len(piece))

    def watched() -> Watched:
        return Watched()

    new_sink: NewSink = watched
    start, end = NEW.index(b"JVBERi0"), NEW.index(b"</edXML:ContentTransferEncoded>")
    data = b"%PDF-1.7\n" + bytes(20_000_000)
    raw = InMemory(NEW[:start] + base64.encodebytes(data) + NEW[end:])
    tracemalloc.start()
    try:
        message = read(raw, Limits(), new_sink)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(message, DocumentMessage)
    assert message.attachments[0].content == Weighed(len(data), InMemory(data).sha256)
    assert largest <= content.PIECE
    assert peak < 16 * content.PIECE
