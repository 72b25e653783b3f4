"""Lines of the register of documents, sensible by default: a document, what is said of it, what is owed."""

from __future__ import annotations

from typing import Any

from gateway.core.documents.entry import DocumentEntry, Obligation
from gateway.ports import NewMessage
from tests.build import MORNING, a_digest, a_message

ISSUER, ONE, OTHER = "H33.05", "H33.16", "H33.21"
KEY = "H33.05,2026/10/12,1284/STC-NS"
DUE = MORNING + 8 * 3600


def a_document(name: str | int = "document", *, to: tuple[str, ...] = (ONE, OTHER), **override: Any) -> NewMessage:
    """A document that ISSUER sent to the systems ``dms`` of these agencies; fields of the message or of its entry."""
    key = override.pop("document", KEY)
    made: dict[str, Any] = {
        "kind": "new",
        "key": key,
        "issuer": ISSUER,
        "reporter": ISSUER,
        "recipients": to,
        "issued_on": "2026-10-12",
        "fingerprint": a_digest(key),
        "document": key,
    }
    entry = DocumentEntry(**{**made, **{name: override.pop(name) for name in list(override) if name in _FIELDS}})
    return a_message(name, to=tuple(f"{agency}/dms" for agency in to), entry=entry, **override)


_FIELDS = frozenset(DocumentEntry.__dataclass_fields__) - {"document"}


def a_status(code: str, *, by: str = ONE, name: str | None = None, **override: Any) -> NewMessage:
    """A report of ``by`` on the document, sent to its issuer."""
    key = override.pop("document", KEY)
    made: dict[str, Any] = {"said_at": MORNING + 60.5, "issuer": ISSUER}
    made |= {field: override.pop(field) for field in list(override) if field in _FIELDS}
    entry = DocumentEntry("status", key, recipients=(ISSUER,), reporter=by, code=code, document=key, **made)
    told = f"{code} by {by}" if name is None else name
    override.setdefault("source", f"{by}/dms")
    return a_message(told, to=("H33.05/dms",), type="document.status", entry=entry, **override)


def owed(agency: str = ONE, name: str = "receipt", *, by: tuple[str, ...] = ("02", "03")) -> Obligation:
    """What an agency owes, due the same afternoon."""
    return Obligation(agency, name, DUE, by)
