"""A ZIP with exactly one file in it, the wrapping that the axis' software puts around most attachments.

Read by hand rather than by a library, because the bytes are a stranger's: nothing is inflated past the limit,
no list of a million entries is built, no name in the archive is ever a path of ours.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, Final, Literal

from gateway.core.content import PIECE, Content, MemorySink, NewSink, pieces
from gateway.core.edxml.inflow import Arrived, Inflow

#: Why an archive was left closed.
Trouble = Literal["broken", "several", "unsafe-name", "encrypted", "too-large"]

MAGIC: Final = b"PK\x03\x04"
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL_MAGIC: Final = b"PK\x01\x02"
_END_MAGIC: Final = b"PK\x05\x06"
_STORED: Final = 0
_DEFLATED: Final = 8
#: Beyond this ratio a content of more than a mebibyte is a bomb, not a document.
_RATIO: Final = 200
_MEBIBYTE: Final = 1 << 20
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9]{1,10})\Z")
#: What an entry says of itself: version 2.0 of the format, the first of January 1980, a file of its owner.
_VERSION: Final = 20
_ZIP_EPOCH: Final = 1 << 5 | 1
_ATTRIBUTES: Final = 0o600 << 16


def unwrap(content: Content, limit: int, new_sink: NewSink = MemorySink) -> Arrived | Trouble:
    """The one file inside ``content``, at most ``limit`` bytes and checked against its CRC; or why it stays closed.

    Entries may be stored or deflated; ZIP64 counts as broken, since what fits our limits does not need it. What is
    inside goes into a sink of ``new_sink`` as it is inflated.
    """
    with content.open() as file:
        return _unwrapped(file, content.size, limit, new_sink)


def _unwrapped(file: BinaryIO, total: int, limit: int, new_sink: NewSink) -> Arrived | Trouble:
    tail = max(0, total - _END.size - 0xFFFF)
    end = _at(file, tail, total - tail)
    found = end.rfind(_END_MAGIC)
    if found < 0 or len(end) - found < _END.size:
        return "broken"
    at = tail + found
    _, _, _, _, entries, _, directory, _ = _END.unpack_from(end, found)
    if entries != 1:
        return "several" if entries else "broken"
    listed = _at(file, directory, _CENTRAL.size + 0xFFFF) if directory + _CENTRAL.size <= at else b""
    if not listed.startswith(_CENTRAL_MAGIC):
        return "broken"
    fields = _CENTRAL.unpack_from(listed)
    flags, method, crc, packed, size, name_length, start = (fields[n] for n in (3, 4, 7, 8, 9, 10, 16))
    name = listed[_CENTRAL.size : _CENTRAL.size + name_length]
    if flags & 1:
        return "encrypted"
    if not name or b"/" in name or b"\\" in name or b"\x00" in name or name in {b".", b".."}:
        return "unsafe-name"
    if size > limit or (size > _MEBIBYTE and size > packed * _RATIO):
        return "too-large"
    local = _at(file, start, _LOCAL.size) if start + _LOCAL.size <= directory else b""
    if not local.startswith(MAGIC):
        return "broken"
    fields = _LOCAL.unpack(local)
    start += _LOCAL.size + fields[9] + fields[10]
    if start + packed > directory:
        return "broken"
    file.seek(start)
    return _inflated(_upto(file, packed), method, size, crc, new_sink) or "broken"


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return b"".join(_upto(file, size))


def _upto(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The next ``size`` bytes, or what there is of them."""
    while size > 0 and (piece := file.read(min(size, PIECE))):
        yield piece
        size -= len(piece)


def _inflated(packed: Iterable[bytes], method: int, size: int, crc: int, new_sink: NewSink) -> Arrived | None:
    """The ``size`` bytes with this CRC that ``packed`` holds; None where it holds fewer, more, or is damaged."""
    if method not in {_STORED, _DEFLATED}:
        return None
    inside = Inflow(new_sink)
    actual = 0
    try:
        for piece in packed if method == _STORED else _inflate(packed, size):
            actual = zlib.crc32(piece, actual)
            inside.write(piece)
            if inside.size > size:
                return None
    except zlib.error:
        return None
    return inside.done() if inside.size == size and actual == crc else None


def _inflate(packed: Iterable[bytes], size: int) -> Iterator[bytes]:
    """What ``packed`` holds, a byte more than ``size`` at most; raises zlib.error where it does not end."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    left = size + 1
    for given in chain(packed, (b"",)):
        rest = given
        while left > 0 and not engine.eof:
            most = min(left, PIECE)
            inflated = engine.decompress(rest, most)
            rest = engine.unconsumed_tail
            left -= len(inflated)
            yield inflated
            if len(inflated) < most:
                break
    if not engine.eof:
        raise zlib.error("it does not end")


def wrap(name: str, content: Content, new_sink: NewSink = MemorySink) -> Content:
    """``content`` as a ZIP with one entry, in a sink of ``new_sink``: the same bytes for the same arguments.

    The entry is named after the content's digest with the extension of ``name``: the official software puts a
    random UUID there, and readers only look at the extension.
    """
    digest, match = content.sha256, _EXTENSION.search(name)
    entry = (
        f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
        f".{match[1].lower() if match else 'bin'}"
    ).encode()
    crc, size = 0, 0
    sink, engine = new_sink(), zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    for piece in pieces(content):
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        sink.write(engine.compress(piece))
    sink.write(engine.flush())
    deflated = sink.done()
    # A reader that guards against bombs, as ours does, must not take a blank scan for one.
    bulky = size > _MEBIBYTE and size > deflated.size * (_RATIO // 4)
    inside, method = (content, _STORED) if bulky else (deflated, _DEFLATED)
    common = (_VERSION, 0, method, 0, _ZIP_EPOCH, crc, inside.size, size, len(entry), 0)
    local = _LOCAL.pack(MAGIC, *common) + entry
    central = _CENTRAL.pack(_CENTRAL_MAGIC, _VERSION, *common, 0, 0, 0, _ATTRIBUTES, 0) + entry
    packed = new_sink()
    packed.write(local)
    for piece in pieces(inside):
        packed.write(piece)
    packed.write(central)
    packed.write(_END.pack(_END_MAGIC, 0, 0, 1, 1, len(central), len(local) + inside.size, 0))
    return packed.done()
