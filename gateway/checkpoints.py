"""Named points on the way of a message at which a test may stop the process: the places where a power cut hurts most.

Pure bookkeeping: a point does nothing unless armed, and what happens then is the armer's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: Every point by name, and the moment it stands for. ``store.*`` points are reached by durable ledgers only.
CHECKPOINTS: Final[dict[str, str]] = {
    "accept.judged": "Every envelope of the request is judged; nothing is kept yet.",
    "accept.kept": "Messages, deliveries and receipts are durable; nobody was told.",
    "accept.answered": "The answer is composed and dispatchers are woken; it has not left the process.",
    "dispatch.claimed": "Deliveries are leased to this process; no attempt has begun.",
    "dispatch.rendered": "The body to hand over is made; the agency has not seen it.",
    "dispatch.handed-over": "The agency took the message; the ledger does not know it.",
    "dispatch.recorded": "The end of the attempt is durable; the log line is not written.",
    "collect.files-kept": "The files of a collected or received item are in the spool; its message is not accepted.",
    "collect.accepted": "The message of a collected or received item is durable; the agency was not told.",
    "report.told": "Outcome messages are durable; what is owed is not cleared.",
    "sweep.expiring": "Expired deliveries are found; their end is not written.",
    "store.accept-asked": "Messages wait for the writer; no transaction has begun for them.",
    "store.accept-written": "Messages, deliveries and journal rows are inserted; the transaction is open.",
    "store.accept-committed": "The transaction of an accept is on disk; its caller does not know.",
    "store.claim-asked": "A claim waits for the writer; no transaction has begun for it.",
    "store.claim-written": "Deliveries are marked leased; the transaction is open.",
    "store.claim-committed": "Leases are on disk; the claimer does not know.",
    "store.record-asked": "Steps of deliveries wait for the writer; no transaction has begun for them.",
    "store.record-written": "Steps, attempts, journal rows and freed followers are written; the transaction is open.",
    "store.record-committed": "Steps of deliveries are on disk; the caller does not know.",
    "store.lapse-asked": "Ended leases are about to be given back; no transaction has begun.",
    "store.lapse-written": "Ended leases are given back; the transaction is open.",
    "store.lapse-committed": "Ended leases are given back on disk; the caller does not know.",
    "store.told-asked": "Outcome messages were accepted; what is owed is not cleared yet.",
    "store.told-written": "What was owed is cleared; the transaction is open.",
    "store.told-committed": "What was owed is cleared on disk; the caller does not know.",
}

#: Points of what a person begins: no message passes them by itself.
BY_HAND: Final[dict[str, str]] = {
    "backfill.judged": "What a late subscriber missed is judged for one slice; nothing of the slice is written.",
    "backfill.made": "The deliveries of a slice are durable; nobody was told, and the next slice is not looked at.",
    "relocate.page-written": "A page of a table is in its new place, and how far it is; the transaction is open.",
    "relocate.page-kept": "A page of a table is durable in its new place; the next one is not read.",
}


@dataclass(slots=True)
class _Armed:
    left: int
    action: Callable[[], None]


_armed: dict[str, _Armed] = {}


def arm(name: str, count: int, action: Callable[[], None]) -> None:
    """Call ``action`` the ``count``-th time (from 1) that ``name`` is reached; raises KeyError for an unknown name."""
    if name not in CHECKPOINTS and name not in BY_HAND:
        raise KeyError(name)
    if count < 1:
        raise ValueError("a point is reached once before it can be reached at all")
    _armed[name] = _Armed(count, action)


def disarm() -> None:
    """Forget what was armed."""
    _armed.clear()


def reach(name: str) -> None:
    """Say that ``name`` is reached; returns at once unless it is armed."""
    if _armed and (armed := _armed.get(name)) is not None:
        armed.left -= 1
        if armed.left == 0:
            armed.action()
