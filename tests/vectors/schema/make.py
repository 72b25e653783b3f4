"""Freezes today's database as ``step-NNN.sql`` beside it: made at each release, never changed afterwards.

Messages in every state that an upgrade must carry over, written by the program of that day through its own ledger.
Run it from the repository's root: ``python -m tests.vectors.schema.make``. A step that is frozen already stays.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from gateway.core.delivery import Delivered, Refused, Signal
from gateway.ports import Change, HeldFile, RegistryRow
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.migrations import migrations
from tests.build import MORNING, RECIPIENT, SENDER, a_digest, a_message, an_attempt, an_audit_row

HERE = Path(__file__).resolve().parent
HELD = "H33.20/dms"
FILE = HeldFile(a_digest("file"), 4, "application/pdf")


async def fill(path: Path) -> None:
    """Message 1 delivered, 2 dead and 3 blocked behind it, 4 leased, 5 queued and naming a file, 6 held."""
    ledger = SqliteLedger(path)
    await ledger.open()
    await ledger.change_registry(
        0,
        put=[RegistryRow("operator", "mau", "console", {"role": "operator", "token_hash": "x"})],
        delete=[],
        audit=[an_audit_row("operator.added")],
    )
    await ledger.hold(HELD, at=MORNING, audit=an_audit_row())
    await ledger.grant_file(FILE, SENDER, at=MORNING, is_present=lambda _: True)
    await ledger.accept_many([a_message(1), a_message(2, subject="lane"), a_message(3, subject="lane")])
    claims = await ledger.claim({RECIPIENT: 9}, owner="push", now=MORNING, until=MORNING + 28)
    ends: dict[str, Signal] = {a_message(1).key: Delivered(), a_message(2).key: Refused()}
    for claim in claims:
        after = claim.delivery.after(ends[claim.delivery.message])
        change = Change(claim.delivery, after, an_attempt(), leaf=b'{"receipt":"ended"}', proof=b"proof")
        assert await ledger.record_many([change], now=MORNING + 2) == [True]
    await ledger.accept_many([a_message(4)])
    await ledger.claim({RECIPIENT: 9}, owner="push", now=MORNING, until=MORNING + 28)
    await ledger.accept_many([a_message(5, files=(FILE.sha256,)), a_message(6, to=(HELD,))])
    await ledger.close()


def freeze() -> Path | None:
    """Write the newest step's file; None where it is frozen already."""
    target = HERE / f"step-{len(migrations()):03}.sql"
    if target.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lgsp.db"
        asyncio.run(fill(path))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE schema_versions SET applied_at = ?", (MORNING,))
            connection.execute("UPDATE meta SET value = 0 WHERE name = 'pulse'")
            target.write_text("\n".join(connection.iterdump()) + "\n", "utf-8")
    return target


if __name__ == "__main__":
    made = freeze()
    sys.stdout.write(f"{made or 'frozen already'}\n")
