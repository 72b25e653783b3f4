"""Lines of the register of documents as rows of a database, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from gateway.core.documents.entry import DocumentEntry, Obligation
from gateway.core.documents.matching import Brought, Sent

#: The columns of an entry, in this order.
COLUMNS: Final = (
    "kind, key, issuer, reporter, recipients, concerned, code, said_at, issued_on, fingerprint, obligations, document,"
    " earlier, vouched"
)
WIDTH: Final = len(COLUMNS.split(", "))
#: Kinds of a document.issued, as a condition that an index by kind answers.
ISSUED: Final = "kind IN ('new', 'recall', 'update', 'replace')"
#: Of those, a line that counts.
KNOWN: Final = f"{ISSUED} AND vouched = 1"
#: Whether a status waits for its document, waited in vain, or neither.
MATCHED, WAITING, GIVEN_UP = 0, 1, 2

_EMPTY: Final = "[]"
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def row_of(entry: DocumentEntry) -> tuple[Any, ...]:
    """The values of the columns."""
    return (
        entry.kind, entry.key, entry.issuer, entry.reporter,
        _ENCODE(entry.recipients),
        _ENCODE(entry.concerned) if entry.concerned else _EMPTY,
        entry.code, entry.said_at, entry.issued_on, entry.fingerprint,
        _ENCODE([(o.agency, o.name, o.due, o.answered_by) for o in entry.obligations]) if entry.obligations else _EMPTY,
        entry.document,
        _ENCODE(entry.earlier) if entry.earlier else _EMPTY,
        int(entry.is_vouched),
    )  # fmt: skip


def entry_of(row: Sequence[Any]) -> DocumentEntry:
    """An entry from the columns, wherever more follow."""
    kind, key, issuer, reporter, recipients, concerned, code, said_at, issued_on, fingerprint = row[:10]
    obligations, document, earlier, vouched = row[10:WIDTH]
    return DocumentEntry(
        kind, key, issuer, reporter,
        tuple(json.loads(recipients)),
        tuple(json.loads(concerned)),
        code, said_at, issued_on, fingerprint,
        tuple([Obligation(agency, name, due, tuple(by)) for agency, name, due, by in json.loads(obligations)]),
        document,
        tuple([(told, at) for told, at in json.loads(earlier)]),
        bool(vouched),
    )  # fmt: skip


def codes_text(codes: Sequence[str]) -> str:
    """The codes that answer a duty, as a column has them."""
    return _ENCODE(codes)


def notes_text(notes: Sequence[Brought]) -> str:
    """The items that are noted with a line, as its column has them."""
    return _ENCODE(notes)


def sent_of(row: Sequence[Any], systems: Sequence[str]) -> Sent:
    """A line as a second way sees it, from the columns, its place, source, key and notes; it went to ``systems``."""
    place, source, message, notes = row[WIDTH : WIDTH + 4]
    entry = entry_of(row)
    again = [Brought(by, key, tuple(to), tuple(via)) for by, key, to, via in json.loads(notes)]
    return Sent(place, entry, Brought(source, message, entry.recipients, tuple(systems)), tuple(again))
