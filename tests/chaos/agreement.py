"""Whether the ledger says the same as those who saw: every promise kept once, every receipt in the journal once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from gateway.store.postgres.ledger import PostgresLedger
from tests.kill.seen import History

_LEAVES: Final = 5_000
_DELIVERIES: Final = """
SELECT i.id, d.recipient, d.state
  FROM every_delivery d JOIN messages m ON m.seq = d.message_seq JOIN ids i ON i.key = m.key
"""


async def disagreements(url: str, history: History) -> list[str]:
    """Each contradiction between the ledger at ``url``, which nobody writes any more, and what was seen."""
    connection = await asyncpg.connect(url)
    try:
        rows = [tuple(row) for row in await connection.fetch(_DELIVERIES)]
        dead = await connection.fetchval("SELECT count(*) FROM failures")
        owed = await connection.fetchval("SELECT count(*) FROM outcomes")
    finally:
        await connection.close()
    found = [*_of_deliveries(rows, history)]
    if dead:
        found.append(f"ledger: {dead} deliveries are dead, although nobody refused one")
    if owed:
        found.append(f"ledger: {owed} outcomes are still owed")
    return [*found, *_of_the_journal(await _leaves(url), history)]


def _of_deliveries(rows: list[tuple[str, str, str]], history: History) -> Iterator[str]:
    kept: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for id_, recipient, state in rows:
        kept[id_][recipient].append(state)
        if state not in {"delivered", "expired"}:
            yield f"ledger: {id_} is still {state} at {recipient}"
    expired = history.expired()
    for id_, recipients in history.promised().items():
        if sorted(kept[id_]) != sorted(recipients):
            yield f"ledger: {id_} was promised to {sorted(recipients)} and is kept for {sorted(kept[id_])}"
        for name in recipients:
            wanted = ["expired" if (id_, name) in expired else "delivered"]
            if name in kept[id_] and kept[id_][name] != wanted:
                yield f"ledger: {id_} at {name} is {kept[id_][name]}, and was seen to be {wanted}"


async def _leaves(url: str) -> list[tuple[int, str, bytes]]:
    ledger = PostgresLedger(url)
    await ledger.open()
    try:
        leaves: list[tuple[int, str, bytes]] = []
        while more := await ledger.journal(after=leaves[-1][0] if leaves else 0, limit=_LEAVES):
            leaves += more
        return leaves
    finally:
        await ledger.close()


def _of_the_journal(leaves: list[tuple[int, str, bytes]], history: History) -> Iterator[str]:
    numbers = [number for number, _, _ in leaves]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"journal: {len(numbers)} leaves are not numbered from 1 without a gap"
    said: list[dict[str, Any]] = [json.loads(body) for _, kind, body in leaves if kind == "receipt"]
    accepted = Counter(each["id"] for each in said if each["receipt"] == "accepted")
    ends = Counter((each["id"], each["recipient"]) for each in said if each["receipt"] != "accepted")
    for id_, recipients in history.promised().items():
        if accepted[id_] != 1:
            yield f"journal: the receipt of {id_} is in it {accepted[id_]} times"
        for name in recipients:
            if ends[id_, name] != 1:
                yield f"journal: the end of {id_} at {name} is in it {ends[id_, name]} times"
