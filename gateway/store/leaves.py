"""The exact bytes of an audit row as a leaf of the journal, the same in every ledger."""

from __future__ import annotations

import json

from gateway.core.moments import format_moment
from gateway.ports import AuditRow


def audit_leaf(row: AuditRow) -> bytes:
    """UTF-8 JSON with the members ``audit``, ``at``, ``actor``, ``details`` in this order, no blanks between."""
    members = {"audit": row.event, "at": format_moment(row.at), "actor": row.actor, "details": dict(row.details)}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
