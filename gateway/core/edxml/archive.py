"""A ZIP with exactly one file in it, the wrapping that the axis' software puts around most attachments.

Read by hand rather than by a library, because the bytes are a stranger's: nothing is inflated past the limit,
no list of a million entries is built, no name in the archive is ever a path of ours.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from typing import Final, Literal

#: Why an archive was left closed.
Trouble = Literal["broken", "several", "unsafe-name", "encrypted", "too-large"]

MAGIC: Final = b"PK\x03\x04"
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END: Final = struct.Struct("<4s4H2LH")
_END_MAGIC: Final = b"PK\x05\x06"
#: Beyond this ratio a content of more than a mebibyte is a bomb, not a document.
_RATIO: Final = 200
_MEBIBYTE: Final = 1 << 20
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9]{1,10})\Z")
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def unwrap(data: bytes, limit: int) -> bytes | Trouble:
    """The one file inside ``data``, at most ``limit`` bytes and checked against its CRC; or why it stays closed.

    Entries may be stored or deflated; ZIP64 counts as broken, since what fits our limits does not need it.
    """
    at = data.rfind(_END_MAGIC, max(0, len(data) - _END.size - 0xFFFF))
    if at < 0 or len(data) - at < _END.size:
        return "broken"
    _, _, _, _, entries, _, directory, _ = _END.unpack_from(data, at)
    if entries != 1:
        return "several" if entries else "broken"
    if directory + _CENTRAL.size > at or not data.startswith(b"PK\x01\x02", directory):
        return "broken"
    fields = _CENTRAL.unpack_from(data, directory)
    flags, method, crc, packed, size, name_length, start = (fields[n] for n in (3, 4, 7, 8, 9, 10, 16))
    name = data[directory + _CENTRAL.size : directory + _CENTRAL.size + name_length]
    if flags & 1:
        return "encrypted"
    if not name or b"/" in name or b"\\" in name or b"\x00" in name or name in {b".", b".."}:
        return "unsafe-name"
    if size > limit or (size > _MEBIBYTE and size > packed * _RATIO):
        return "too-large"
    if start + _LOCAL.size > directory or not data.startswith(MAGIC, start):
        return "broken"
    local = _LOCAL.unpack_from(data, start)
    start += _LOCAL.size + local[9] + local[10]
    if start + packed > directory:
        return "broken"
    content = _inflate(data[start : start + packed], method, size)
    return "broken" if content is None or zlib.crc32(content) != crc else content


def _inflate(packed: bytes, method: int, size: int) -> bytes | None:
    """The ``size`` bytes that ``packed`` holds; None where it holds fewer, more, or is damaged."""
    if method == zipfile.ZIP_STORED:
        return packed if len(packed) == size else None
    if method != zipfile.ZIP_DEFLATED:
        return None
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = engine.decompress(packed, size + 1)
    except zlib.error:
        return None
    return content if engine.eof and len(content) == size else None


def wrap(name: str, content: bytes) -> bytes:
    """``content`` as a ZIP with one entry, the same bytes for the same arguments.

    The entry is named after the content's digest with the extension of ``name``: the official software puts a
    random UUID there, and readers only look at the extension.
    """
    digest = hashlib.sha256(content).hexdigest()
    match = _EXTENSION.search(name)
    entry = zipfile.ZipInfo(
        f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
        f".{match[1].lower() if match else 'bin'}",
        _ZIP_EPOCH,
    )
    # A reader that guards against bombs, as ours does, must not take a blank scan for one.
    bulky = len(content) > _MEBIBYTE and len(content) > len(zlib.compress(content, 6)) * (_RATIO // 4)
    entry.compress_type = zipfile.ZIP_STORED if bulky else zipfile.ZIP_DEFLATED
    entry.create_system = 0
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, content)
    return packed.getvalue()
