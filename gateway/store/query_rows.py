"""Rows about queries that were asked: the same columns in every SQL store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from gateway.ports.queries import Asking, Logged

#: What is asked, in this order; then what came of it.
ASKED: Final = "key, source, contract, version, provider, purpose, asked_at, digest, mark, officer, dossier, agreements"
COLUMNS: Final = f"{ASKED}, outcome, ended_at, answer"


def row_of(asking: Asking) -> tuple[Any, ...]:
    """The values of ASKED."""
    return (
        asking.key, asking.source, asking.contract, asking.version, asking.provider, asking.purpose, asking.asked_at,
        asking.digest, asking.mark, asking.officer, asking.dossier, json.dumps(asking.agreements, ensure_ascii=False),
    )  # fmt: skip


def logged_of(row: Sequence[Any]) -> Logged:
    """What the values of COLUMNS tell."""
    key, source, contract, version, provider, purpose, asked_at, digest, mark, officer, dossier, *rest = row
    agreements, outcome, ended_at, answer = rest
    asking = Asking(
        key, source, contract, version, provider, purpose, asked_at, digest, mark, officer, dossier,
        tuple(json.loads(agreements)),
    )  # fmt: skip
    return Logged(asking, outcome, ended_at, answer)


def is_taken(outcome: str, until: float, asked_by: str, *, now: float, source: str | None) -> bool:
    """Whether an id is taken that ``asked_by`` used, for ``source`` (None: for that one itself)."""
    if source not in {None, asked_by}:
        return True
    return outcome not in {"asked", "failed"} or (outcome == "asked" and until > now)
