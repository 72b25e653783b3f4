"""The key of a document: its business id as it is compared, however its senders spell it. Pure.

The official form (domain notes on edXML, 1.5) has three parts, parted by the first two commas: the issuer's code, the
day, number and notation. It is told from any other text by its day. In it the issuer is replaced by its canonical
code, so that both code forms of one agency make one key, the day is written ``yyyy/mm/dd``, and blanks count for
nothing. Any other text (a UUID, 24 hex digits of an axis, a free text) is compared as a text: one blank is as good as
several. Letters of both kinds compare in NFC and without case: the field writes ``7816/VPCP-TTĐT`` and
``7816/vpcp-ttđt`` for one document, and no agency numbers two documents that differ by case alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from unicodedata import is_normalized

from gateway.core.edxml.dates import read_date
from gateway.core.edxml.identifiers import official_id, parse_official
from gateway.core.letters import composed

#: From a code as it is written to the canonical code of the agency; what is not known stands as written.
Canonical = Callable[[str], str]

_OFFICIAL: Final = re.compile(r"([^,\s]+),([0-9]{4}/(?:0[1-9]|1[0-2])/(?:[01][0-9]|2[0-8])),(\S+)\Z")


def document_key(written: str, canonical: Canonical) -> str:
    """The key of a business id as it was written."""
    usual = _OFFICIAL.match(written)
    if usual is not None:
        return f"{canonical(usual[1]).upper()},{usual[2]},{_folded(usual[3])}"
    parts = parse_official(written)
    if parts is None:
        return " ".join(_folded(written).split())
    day = written.split(",", 2)[1].strip() if parts.date is None else parts.date.replace("-", "/")
    return f"{canonical(_without_blanks(parts.organ_id)).upper()},{day},{_without_blanks(_folded(parts.code))}"


def made_key(organ: str | None, day: str | None, code: str | None, canonical: Canonical) -> str:
    """The key of a document of which only issuer, day (ISO) and number with notation are told; "" where none is.

    With all three it is the key of the official form; else of what is told, joined by commas as edXML ids are made.
    """
    if organ and day and code:
        known = read_date(day)
        official = None if known is None else official_id(organ, known.iso, code)
        if official is not None:
            return document_key(official, canonical)
    told = [part for part in (organ and canonical(organ).upper(), code and _without_blanks(_folded(code))) if part]
    return ",".join(told)


def issuer_in(written: str) -> str | None:
    """The issuer's code as an id in the official form says it; None for any other id."""
    parts = parse_official(written)
    return None if parts is None else parts.organ_id


def plain_text(text: str) -> str:
    """A text as two senders of the same document may both be taken to have meant it: NFC, one blank for several."""
    if not text.isascii() and not is_normalized("NFC", text):
        text = composed(text)
    # Most texts are as they should be, and looking is cheaper than mending.
    is_odd = "  " in text or "\n" in text or "\t" in text or "\u00a0" in text or text[:1] == " " or text[-1:] == " "
    return " ".join(text.split()) if is_odd else text


def _folded(text: str) -> str:
    return text.upper() if text.isascii() else composed(text.upper())


def _without_blanks(text: str) -> str:
    return "".join(text.split())
