"""The business id of a document: ``<code of the issuer>,<yyyy/MM/dd>,<number>/<notation>`` in its official form."""

from __future__ import annotations

from typing import NamedTuple

from gateway.core.edxml.dates import looks_dated, read_date, write_date


class OfficialId(NamedTuple):
    """The three parts of an official id; ``date`` is ISO, or None where the day does not exist."""

    organ_id: str
    date: str | None
    code: str


def parse_official(document_id: str) -> OfficialId | None:
    """The parts of an id in the official form; None for any other text (a UUID, a free text), which is legal too.

    Only the first two commas part: numbers and notations may hold any character.
    """
    parts = [part.strip() for part in document_id.split(",", 2)]
    if len(parts) != 3 or not all(parts) or not looks_dated(parts[1]):
        return None
    day = read_date(parts[1])
    return OfficialId(parts[0], None if day is None else day.iso, parts[2])


def official_id(organ_id: str, date: str, code: str) -> str | None:
    """The official id of a document issued by ``organ_id`` on the ISO ``date`` as ``code`` (``7816/VPCP-TTĐT``).

    None where ``date`` is not a date.
    """
    day = write_date(date)
    return None if day is None else f"{organ_id},{day},{code}"
