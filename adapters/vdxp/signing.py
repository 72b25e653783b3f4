"""The frame of a call as the official kit makes it: parameters as header fields, signed with the system's secret.

Pure. What cannot stand in a header field is never sent as it is: codes and ids are refused, texts are encoded and cut.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote

from gateway.core.moments import VIET_NAM

USER_AGENT: Final = "JAVASDKAgent/1.0.0 XRoad/VPCP"
VERSION: Final = "3.0.201608"
PREFIX: Final = "XroadVnpt-"
#: How a text that is not ASCII travels in a header field: which of them the axis reads is not documented.
Wording = Literal["percent", "ascii", "utf-8"]

_PLAIN: Final = re.compile(r"[!-~]{1,200}\Z")
_SAFE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def is_plain(text: str) -> bool:
    """Whether a code or id can stand in a header field as it is: 1 to 200 visible ASCII characters."""
    return _PLAIN.match(text) is not None


def frame(
    parameters: Mapping[str, str], *, system: str, secret: bytes, at: float, content_type: str = "application/json"
) -> dict[str, str]:
    """The header fields of a call at ``at`` (seconds since 1970), signed. Values are printable, no line breaks.

    The signature covers the exact text of sign-header; the kit adds version and User-Agent after signing. Raises
    ValueError for a value that cannot stand in a header field.
    """
    pairs = {"Content-Type": content_type, "systemid": system, "timestamp": timestamp(at), **parameters}
    for name, value in pairs.items():
        if not value.isprintable():
            raise ValueError(f"{name} cannot stand in a header field")
    signed = json.dumps({f"{PREFIX}{name}": value for name, value in pairs.items()}, separators=(",", ":"))
    return {
        "Content-Type": content_type,
        **{f"{PREFIX}{name}": value for name, value in pairs.items()},
        f"{PREFIX}sign-header-key": ";".join(pairs),
        f"{PREFIX}sign-header": signed,
        f"{PREFIX}hash-header": hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest(),
        f"{PREFIX}version": VERSION,
        "User-Agent": USER_AGENT,
    }


def timestamp(at: float) -> str:
    """``23112026T080000+0456``: local time of Viet Nam, a plus sign, milliseconds in four digits."""
    moment = datetime.fromtimestamp(at, VIET_NAM)
    return f"{moment:%d%m%YT%H%M%S}+{moment.microsecond // 1000:04d}"


def file_hash(sha256: str) -> str:
    """The kit's hash-file of a SHA-256 in hex: byte by byte in hex without leading zeros (0x0a is ``a``)."""
    return "".join(f"{byte:x}" for byte in bytes.fromhex(sha256))


def worded(text: str, wording: Wording, most: int) -> str:
    """A text as the value of a header field of at most ``most`` bytes: whole characters, cut at the end if need be."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if wording == "ascii":
        plain = _without_marks(plain)
    made, size = [], 0
    for letter in unicodedata.normalize("NFC", plain):
        piece = quote(letter, safe=_SAFE) if wording == "percent" else letter
        size += len(piece.encode())
        if size > most:
            break
        made.append(piece)
    return "".join(made).strip()


def _without_marks(text: str) -> str:
    text = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter if letter.isascii() else "?" for letter in text if not unicodedata.combining(letter))
