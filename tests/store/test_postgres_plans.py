"""However much is stored or waits, a question costs the same: PostgreSQL itself counts what is read from end to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import asyncpg  # type: ignore[import-untyped]

from gateway.core.delivery import Deferred, Delivered, Refused, State
from gateway.ports import Change, Claim, Derived, HeldFile
from gateway.store.postgres.ledger import PostgresLedger
from tests.build import MORNING, RECIPIENT, SENDER, a_digest, a_key, a_message, an_attempt, an_audit_row
from tests.conformance.ledger_tale import NOW, keep, lease

#: How much is stored and waits before anything is asked.
MANY = 3000
#: What stays small, or is read whole on purpose.
SMALL = {"holds", "breakers", "registry", "meta", "outcomes", "schema_versions", "processes", "paces", "once"}


def steps(claims: Sequence[Claim]) -> list[Change]:
    """Some delivered (with an outcome owed and a proof), some put off, some dead."""
    changes = []
    for place, claim in enumerate(claims):
        signal = (Delivered(), Deferred(NOW + 60), Refused())[place % 3]
        after = claim.delivery.after(signal)._replace(owes_outcome=place == 0)
        changes.append(Change(claim.delivery, after, an_attempt(), b"leaf", b"proof" if place == 0 else None))
    return changes


async def everything(ledger: PostgresLedger, turn: int) -> None:
    """Each question and each step of the ledger but listing what was delivered, with something to find."""
    file = HeldFile(a_digest(f"scan {turn}"), 1, "text/plain")
    await ledger.grant_file(file, SENDER, at=MORNING, is_present=lambda _: True)
    sent = [a_message(f"{turn} {number}", subject="lane", expires=NOW + 900) for number in range(3)]
    sent += [a_message(f"{turn} files", files=(file.sha256,)), a_message(f"{turn} late", expires=MORNING + 1)]
    await keep(ledger, *sent)
    assert len(await ledger.known({one.key: (one.source, one.repeat_digest) for one in sent})) == len(sent)
    await ledger.accept_many(sent)
    await ledger.keep_derived(Derived(a_key(f"{turn} other"), sent[0].key, "document.issued/2.0", b"x"))
    assert (await ledger.due(NOW))[0]
    claims = await lease(ledger, limit=6)
    assert await ledger.claim({}, owner="one", now=NOW, until=NOW + 30, probers=[sent[3].deliveries[0].id])
    await ledger.record_many(steps(claims), now=NOW)
    owing = await ledger.owing()
    assert owing
    assert await ledger.owed(owing[0].id) == b"leaf"
    await ledger.outcome_told(owing)
    await ledger.lapse(NOW, owner="one")
    await ledger.lapse(NOW)
    await ledger.overdue(RECIPIENT, NOW)
    assert await ledger.expire(NOW)
    for key in (sent[0].key, a_key(f"{turn} other"), a_key("never seen")):
        await ledger.find(key)
        await ledger.envelope(key)
    assert await ledger.derived(sent[0].key, "document.issued/2.0")
    assert await ledger.delivery(owing[0].id)
    for state in set(State) - {State.DELIVERED, State.LEASED, State.QUEUED}:
        await ledger.deliveries(states=[state.value], recipient=RECIPIENT)
    assert await ledger.missing_files(SENDER, [file.sha256]) == ()
    assert await ledger.may_read_file(file.sha256, RECIPIENT)
    await ledger.sweep_files(NOW, remove=lambda _: None)
    await ledger.audit([an_audit_row()])
    assert await ledger.journal(after=10, limit=5)
    await ledger.count_refusals({("192.0.2.1", turn, "x"): 1})
    assert await ledger.is_writable()


async def rows_read(url: str) -> tuple[Counter[str], Counter[str]]:
    """Table -> rows read by reading it from end to end, index -> entries read, so far."""
    connection = await asyncpg.connect(url)
    tables = await connection.fetch("SELECT relname, seq_tup_read FROM pg_stat_user_tables")
    indexes = await connection.fetch("SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes")
    await connection.close()
    return Counter({name: count for name, count in tables if name not in SMALL}), Counter(dict(indexes))


async def test_no_statement_reads_a_large_table_from_end_to_end(postgres_url: str) -> None:
    ledger = PostgresLedger(postgres_url)
    await ledger.open()
    recipients = [f"H33.{number}/dms" for number in range(30)]
    for start in range(0, MANY, 500):
        numbers = range(start, start + 500)
        await keep(ledger, *(a_message(f"stored {number}", to=(recipients[number % 30],)) for number in numbers))
    claims = await ledger.claim(dict.fromkeys(recipients, MANY // 60), owner="all", now=NOW, until=NOW + 1)
    delivered = [Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt()) for claim in claims]
    assert all(await ledger.record_many(delivered, now=NOW))
    await ledger.close()
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    tables, indexes = await rows_read(postgres_url)

    # More often than PostgreSQL makes a plan for each call: then it keeps one for all of them.
    ledger = PostgresLedger(postgres_url, pool=1)
    await ledger.open()
    for turn in range(8):
        await everything(ledger, turn)
    await ledger.close()

    tables_then, indexes_then = await rows_read(postgres_url)
    assert +(tables_then - tables) == {}
    assert {name: count for name, count in (indexes_then - indexes).items() if count > MANY // 3} == {}
