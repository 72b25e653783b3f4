"""What can happen to a message on its way, or be done to it on purpose: bytes in, other bytes out, by chance alone."""

from __future__ import annotations

import base64
import io
import random
import re
import zipfile
from collections.abc import Callable
from typing import Final

Mutation = Callable[[bytes, random.Random], bytes]

_TAG: Final = re.compile(rb"<[A-Za-z][^<>]*>")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]{16,}")
_ENTITIES: Final = (
    b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]>'
)
_OUTSIDE: Final = b'<!DOCTYPE a SYSTEM "file:///etc/hostname" [<!ENTITY d SYSTEM "http://192.0.2.1/x">]>'


def _place(raw: bytes, chance: random.Random) -> int:
    """Behind some start tag, or anywhere where there is none."""
    ends = [match.end() for match in _TAG.finditer(raw[:200_000])]
    return chance.choice(ends) if ends else chance.randrange(len(raw) + 1)


def _inserted(raw: bytes, chance: random.Random, piece: bytes) -> bytes:
    at = _place(raw, chance)
    return raw[:at] + piece + raw[at:]


def flips(raw: bytes, chance: random.Random) -> bytes:
    """Some bits turned."""
    changed = bytearray(raw)
    for _ in range(chance.randint(1, 12)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(raw: bytes, chance: random.Random) -> bytes:
    """Cut short at any place."""
    return raw[: chance.randrange(len(raw))]


def doubled(raw: bytes, chance: random.Random) -> bytes:
    """A stretch of it twice, or missing."""
    start = chance.randrange(len(raw))
    end = min(len(raw), start + chance.randrange(1, 400))
    return raw[:end] + raw[start:] if chance.random() < 0.5 else raw[:start] + raw[end:]


def tags(raw: bytes, chance: random.Random) -> bytes:
    """Thousands of elements."""
    return _inserted(
        raw, chance, chance.choice([b"<a/>", b"<a>x</a>", b"<!--x-->", b"<?x y?>"]) * chance.randint(1, 60_000)
    )


def attributes(raw: bytes, chance: random.Random) -> bytes:
    """Thousands of attributes, or namespaces."""
    form = chance.choice([b' a%d="1"', b' xmlns:a%d="urn:%d"', b" a%d = '&#1%d;'"])
    count = chance.randint(1, 20_000)
    many = b"".join(form % ((n,) * form.count(b"%d")) for n in range(count))
    return _inserted(raw, chance, b"<a" + many + b"/>")


def nested(raw: bytes, chance: random.Random) -> bytes:
    """Elements in elements."""
    depth = chance.choice([10, 30, 50, 5_000, 200_000])
    return _inserted(raw, chance, b"<a>" * depth + (b"</a>" * depth if chance.random() < 0.5 else b""))


def huge(raw: bytes, chance: random.Random) -> bytes:
    """One name, value, comment or text of megabytes."""
    long = b"x" * chance.choice([70_000, 300_000, 3 << 20])
    form = chance.choice(
        [b"<%s/>", b"<a b='%s'/>", b"<!--%s-->", b"<a>%s</a>", b"<?a %s?>", b"%s", b"<x:%s xmlns:x='u'/>"]
    )
    return _inserted(raw, chance, form % long)


def marks(raw: bytes, chance: random.Random) -> bytes:
    """A letter under thousands of marks, out of order: to sort them takes the square of their number."""
    piece = ("a" + "\u0301\u0323" * chance.choice([10, 1_000, 100_000])).encode()
    changed = _inserted(raw, chance, piece)
    return changed.decode("utf-8", "ignore").encode("utf-16") if chance.random() < 0.3 else changed


def entities(raw: bytes, chance: random.Random) -> bytes:
    """Entities: of the document, of our own disk, of nobody, of numbers that are no letters."""
    trick = chance.choice([_ENTITIES, _OUTSIDE, b""])
    head, mark, tail = raw.partition(b"?>")
    raw = head + mark + trick + tail if mark else trick + raw
    return _inserted(
        raw, chance, chance.choice([b"&d;", b"&#0;", b"&#xFFFE;", b"&#x110000;", b"&lt;&amp;", b"&;", b"<![CDATA[x]]>"])
    )


def damaged_base64(raw: bytes, chance: random.Random) -> bytes:
    """Signs that are no base64, blanks, padding in the middle, or nothing left of it."""
    found = list(_BASE64.finditer(raw))
    if not found:
        return raw
    one = chance.choice(found)
    wrong = chance.choice([b"*", b"====", b" \r\n\t", b"\xc3\xa9", b"<b/>", b"-_", b"A", b"&#65;", b"]]>"])
    at = chance.randrange(one.start(), one.end())
    return raw[:at] + wrong + raw[chance.choice([at, at, one.end()]) :]


def bombs(raw: bytes, chance: random.Random) -> bytes:
    """An archive that lies, or that is much larger inside."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(chance.choice([1, 1, 1, 3])):
            name = chance.choice(["a.pdf", "../a.pdf", "/etc/a", "a" * 300, ""]) or "b"
            archive.writestr(f"{number}{name}" if number else name, b"\x00" * chance.choice([10, 1 << 20, 40 << 20]))
    data = bytearray(packed.getvalue())
    if chance.random() < 0.5:
        at = chance.randrange(max(0, len(data) - 120), len(data))
        data[at] = chance.randrange(256)
    found = list(_BASE64.finditer(raw))
    if not found:
        return raw
    one = max(found, key=lambda match: match.end() - match.start())
    return raw[: one.start()] + base64.b64encode(bytes(data)) + raw[one.end() :]


def mixed_encodings(raw: bytes, chance: random.Random) -> bytes:
    """Another declaration, another mark, another encoding for all or for a stretch."""
    declared = chance.choice([b"utf-16", b"windows-1258", b"ISO-8859-1", b"x", b"utf-7", b"UTF-8"])
    raw = re.sub(rb"encoding=.[A-Za-z0-9-]+.", b'encoding="' + declared + b'"', raw, count=1)
    text = raw.decode("utf-8", "replace")
    at = chance.randrange(len(raw))
    return chance.choice(
        [
            raw,
            b"\xff\xfe" + raw,
            b"\xef\xbb\xbf" * 3 + raw,
            b"\x00" + raw,
            text.encode("utf-16"),
            text.encode("utf-16-be")[chance.randrange(2) :],
            text.encode("cp1258", "replace"),
            text.encode("utf-32"),
            raw[:at] + raw[at : at + 40].decode("utf-8", "ignore").encode("utf-16-le") + raw[at:],
            raw[:at] + bytes(chance.randrange(256) for _ in range(20)) + raw[at:],
        ]
    )


def packaging(raw: bytes, chance: random.Random) -> bytes:
    """A package around it, boundaries in the middle of it, headers without end."""
    boundary = chance.choice([b"--b", b"--b" + b"x" * 300, b"--" + b"b" * 60])
    headers = chance.choice([b"Content-Type: text/xml", b"Content-ID: <Start>", b"X: " + b"y" * 70_000, b": : :", b""])
    whole = boundary + b"\r\n" + headers + b"\r\n\r\n" + raw + b"\r\n" + boundary + b"--\r\n"
    at = chance.randrange(len(whole))
    return chance.choice(
        [
            whole,
            whole[:at] + b"\r\n" + boundary + b"\r\n" + whole[at:],
            (boundary + b"\r\nContent-Type: text/xml\r\n\r\n") * chance.choice([2, 3_000]) + raw,
            b'Content-Type: multipart/related; boundary="' + boundary[2:] + b'"\r\n\r\n' + whole,
            raw + raw,
        ]
    )


MUTATIONS: Final[dict[str, Mutation]] = {
    each.__name__: each
    for each in (
        flips,
        cut,
        doubled,
        tags,
        attributes,
        nested,
        huge,
        marks,
        entities,
        damaged_base64,
        bombs,
        mixed_encodings,
        packaging,
    )
}
