"""Rows about what was found in files: the same columns in every SQL store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from gateway.core.findings import Findings, looked_from

COLUMNS: Final = "sha256, about, looked, looked_at, scanned, scanner, scanned_at"


def row_of(found: Findings) -> tuple[Any, ...]:
    """The values of COLUMNS."""
    looked = json.dumps(asdict(found.looked), ensure_ascii=False)
    return found.sha256, found.about, looked, found.looked_at, found.scanned, found.scanner, found.scanned_at


def findings_of(row: Sequence[Any]) -> Findings:
    """What the values of COLUMNS tell."""
    sha256, about, looked, looked_at, scanned, scanner, scanned_at = row
    return Findings(sha256, looked_from(json.loads(looked)), looked_at, scanned, scanner, scanned_at, about)
