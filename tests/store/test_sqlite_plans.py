"""However much is stored or waits, a question costs the same: each one goes through an index."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gateway.core.backfill import Phase
from gateway.core.delivery import Deferred, Delivered, Discarded, Refused, State
from gateway.ports import Change, Claim, Derived, HeldFile
from gateway.ports.backfills import Made, Request
from gateway.store.sqlite import accepting, backfills, claiming, filerights, finding, recording, registry
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.migrations import migrate, migrations
from tests.build import MORNING, RECIPIENT, SENDER, a_delivery, a_digest, a_key, a_message, an_attempt, an_audit_row

NOW = MORNING + 60
#: What grows with what is stored or waits, by name and by the letters that statements give it. ``registry``, ``holds``
#: and lists handed in (``q``, ``v``, json_each) are small or as long as the question.
LARGE = "deliveries|messages|bodies|attempts|proofs|derived|files|file_rights|message_files|journal|refusals|once"
LARGE += "|[dmbxfn]"
#: Indexes that hold nothing but the answer: what is leased, what is owed.
EXACT = "USING INDEX (deliveries_leased|deliveries_owing)"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        yield connection


def claim(connection: sqlite3.Connection, limit: int = 10, recipient: str = RECIPIENT) -> list[Claim]:
    (claims,) = claiming.CLAIM.run(connection, [claiming.Wish({recipient: limit}, "one", NOW, NOW + 30)])
    return list(claims)


def everything(connection: sqlite3.Connection) -> None:
    """Each question and each step of the ledger but listing what was delivered, with something to find."""
    file = HeldFile(a_digest("scan"), 1, "text/plain")
    filerights.GRANT.run(connection, [(file, SENDER, MORNING, lambda _: True)])
    sent = [a_message(number, subject="lane", expires=NOW + 900) for number in range(3)]
    sent += [a_message("files", files=(file.sha256,)), a_message("late", expires=MORNING + 1)]
    accepting.ACCEPT.run(connection, [sent, sent])
    accepting.known(connection, {sent[0].key: (sent[0].source, sent[0].repeat_digest)})
    finding.KEEP_DERIVED.run(connection, [Derived(a_key("other"), sent[0].key, "document.issued/2.0", b"x")])
    claiming.due(connection, NOW)
    claims = claim(connection)
    assert len(claims) == 2
    claiming.LAPSE.run(connection, [(NOW, None), (NOW, "one")])
    claims = claim(connection)
    taken, failed = (claims[0].delivery.after(Delivered()).but(owes_outcome=True), claims[1].delivery)
    changes = [
        Change(claims[0].delivery, taken, an_attempt(), b"leaf", b"proof"),
        Change(failed, failed.after(Deferred(NOW))),
    ]
    recording.RECORD.run(connection, [(changes, NOW)])
    assert [delivery.id for delivery in finding.owing(connection, 10)] == [taken.id]
    recording.TOLD.run(connection, [[taken]])
    recording.HOLD.run(connection, [(RECIPIENT, NOW, an_audit_row())])
    recording.RELEASE.run(connection, [(RECIPIENT, NOW, an_audit_row())])
    assert len(finding.expired(connection, NOW, 10)) == 1
    for key in (sent[0].key, sent[1].key, a_key("other"), a_key("never seen")):
        finding.find(connection, key)
        finding.envelope(connection, key)
    finding.derived(connection, sent[0].key, "document.issued/2.0")
    finding.delivery(connection, taken.id)
    for state in set(State) - {State.DELIVERED, State.LEASED, State.QUEUED}:
        finding.deliveries(connection, finding.Sought([state], None, 10))
        finding.deliveries(connection, finding.Sought([state], RECIPIENT, 10))
    filerights.missing(connection, SENDER, [file.sha256])
    filerights.may_read(connection, file.sha256, RECIPIENT)
    filerights.page(connection, NOW, None, 10)
    filerights.WITHDRAW.run(connection, [([file.sha256], NOW)])
    filerights.FORGET.run(connection, [([file.sha256], NOW, lambda _: None)])
    late_subscribers(connection)
    registry.USE_ONCE.run(connection, [("token", NOW, MORNING)])
    registry.COUNT.run(connection, [{("192.0.2.1", 1, "x"): 1}])
    registry.leaves(connection, 1, 10)
    registry.version(connection)


def late_subscribers(connection: sqlite3.Connection) -> None:
    """What is asked and done about the requests of late subscribers, with something to find."""
    asked = Request("r1", "H33.40/dms", "document.issued", MORNING, None, "mới", NOW)
    (request,) = backfills.ASK.run(connection, [(asked, an_audit_row())])
    for before, now in ((Phase.ASKED, Phase.APPROVED), (Phase.APPROVED, Phase.RUNNING)):
        assert backfills.CHANGE.run(connection, [(before, replace(request, phase=now), an_audit_row())]) == [True]
    assert backfills.is_any_open(connection)
    backfills.LEASE.run(connection, [("one", NOW, NOW + 5)])
    assert backfills.count(connection, request, 10) == 5
    piece = backfills.missed(connection, replace(request, until=NOW), 0, 3)
    assert len(piece.found) == 3
    due = a_delivery("files", recipient="H33.40/dms")
    made = backfills.Asked(request, Made(piece, [due], {}), "one", an_audit_row(), NOW)
    assert backfills.MAKE.run(connection, [made]) == [True]
    assert backfills.waiting(connection, "H33.40/dms", 10) == 1
    backfills.find(connection, "r1")
    for system, phase in ((None, None), ("H33.40/dms", None), (None, Phase.RUNNING)):
        assert len(backfills.listed(connection, system, phase, 10)) == 1


def statements_of(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], None]) -> list[str]:
    """The statements that ``work`` runs, as SQLite sees them."""
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    work(connection)
    connection.set_trace_callback(None)
    return [text for text in dict.fromkeys(seen) if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text)]


def scans(connection: sqlite3.Connection, statement: str) -> list[str]:
    """The steps of a statement's plan that read a large table from end to end."""
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    return [line for line in plan if re.match(rf"SCAN ({LARGE})\b", line) and not re.search(EXACT, line)]


def test_no_statement_reads_a_large_table_from_end_to_end(connection: sqlite3.Connection) -> None:
    statements = statements_of(connection, everything)

    assert len(statements) > 40
    assert {text: found for text in statements if (found := scans(connection, text))} == {}


def test_a_scan_would_be_noticed(connection: sqlite3.Connection) -> None:
    assert scans(connection, "SELECT * FROM deliveries WHERE cause = 'refused'")
    assert scans(connection, "SELECT * FROM messages m WHERE subject = 'x'")
    assert not scans(connection, "SELECT * FROM messages m WHERE key = 'x'")


@contextmanager
def counting(connection: sqlite3.Connection) -> Iterator[list[int]]:
    """Counts the steps of SQLite's own machine, in hundreds: the cost of statements without the noise of clocks."""
    steps = [0]

    def tick() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(tick, 100)
    try:
        yield steps
    finally:
        connection.set_progress_handler(None, 0)


def costs(connection: sqlite3.Connection, number: int) -> dict[str, int]:
    """What one round of the gateway's work costs on what is there now."""
    found: dict[str, int] = {}

    def cost(name: str, work: Callable[[], object]) -> None:
        with counting(connection) as steps:
            work()
        found[name] = steps[0]

    fresh = [a_message(f"fresh {number} {n}", to=("H33.99/probe",), expires=NOW + 900) for n in range(20)]
    cost("accept", lambda: accepting.ACCEPT.run(connection, [fresh]))
    cost("due", lambda: claiming.due(connection, NOW))
    claims: list[Claim] = []
    cost("claim", lambda: claims.extend(claim(connection, 20, "H33.99/probe")))
    assert len(claims) == 20
    changes = [Change(one.delivery, one.delivery.after(Delivered()), an_attempt()) for one in claims]
    cost("record", lambda: recording.RECORD.run(connection, [(changes, NOW)]))
    cost("lapse", lambda: claiming.LAPSE.run(connection, [(NOW, None)]))
    cost("expire", lambda: finding.expired(connection, NOW, 500))
    cost("owing", lambda: finding.owing(connection, 200))
    cost("dead", lambda: finding.deliveries(connection, finding.Sought(["dead"], None, 100)))
    return found


def test_a_backlog_of_20000_costs_the_flow_next_to_nothing(connection: sqlite3.Connection) -> None:
    """Queued and blocked, in many and in few lanes, for recipients that do not take anything."""
    to = [f"H33.{number:02}/dms" for number in range(30)]
    accepting.ACCEPT.run(connection, [[a_message(f"first {n}", to=(to[n],)) for n in range(30)]])
    before = costs(connection, 0)

    began = time.perf_counter()
    for batch in range(20):
        backlog = [
            a_message(n, to=(to[n % 30],), subject=f"subject {n}" if n % 2 else "one dossier", expires=NOW + 9e5)
            for n in range(batch * 1000, batch * 1000 + 1000)
        ]
        accepting.ACCEPT.run(connection, [backlog])
    took = time.perf_counter() - began
    after = costs(connection, 1)

    assert connection.execute("SELECT count(*) FROM deliveries WHERE state = 'blocked'").fetchone()[0] > 9000
    assert took < 30, "20,000 accepts, some seconds on a slow machine"
    assert {name: (before[name], after[name]) for name in after if after[name] > 1.2 * before[name] + 3} == {}


def test_what_was_delivered_long_ago_costs_the_flow_nothing(connection: sqlite3.Connection) -> None:
    before = costs(connection, 0)
    for batch in range(5):
        accepting.ACCEPT.run(connection, [[a_message(n) for n in range(batch * 1000, batch * 1000 + 1000)]])
        claims = claim(connection, 1000)
        assert len(claims) == 1000
        changes = [Change(one.delivery, one.delivery.after(Delivered()), an_attempt()) for one in claims]
        recording.RECORD.run(connection, [(changes, NOW)])

    after = costs(connection, 1)
    assert {name: (before[name], after[name]) for name in after if after[name] > 1.2 * before[name] + 3} == {}


async def test_the_loop_stays_free_while_a_large_destination_is_held_and_released(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    for batch in range(5):
        await ledger.accept_many([a_message(n) for n in range(batch * 1000, batch * 1000 + 1000)])

    holding = asyncio.create_task(ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row()))
    answers = 0
    while not holding.done():
        assert (await ledger.registry_version()) == 0
        answers += 1

    assert await holding == 5000
    assert answers > 1
    assert await ledger.release(RECIPIENT, at=NOW, audit=an_audit_row()) == 5000
    await ledger.close()


def grant(connection: sqlite3.Connection, digests: Sequence[str]) -> None:
    """Let SENDER name files, one granted a second after the other."""
    grants = [
        (HeldFile(sha256, 3, "text/plain"), SENDER, MORNING + place, lambda _: True)
        for place, sha256 in enumerate(digests)
    ]
    connection.execute("BEGIN")
    filerights.GRANT.run(connection, grants)
    connection.execute("COMMIT")


def test_files_that_messages_name_cost_who_writes_nothing_when_others_are_swept(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filerights, "PAGE", 300)

    def swept(digest: str) -> int:
        with counting(connection) as steps:
            filerights.WITHDRAW.run(connection, [([digest], MORNING + 900)])
            assert filerights.FORGET.run(connection, [([digest], MORNING + 900, lambda _: None)]) == [1]
        return steps[0]

    named = [a_digest(f"named {number}") for number in range(400)]
    grant(connection, [a_digest("first"), *named, a_digest("last")])
    accepting.ACCEPT.run(connection, [[a_message(n, files=tuple(named[n::40])) for n in range(40)]])

    pages = [filerights.page(connection, MORNING + 900, None, 1), filerights.page(connection, MORNING + 900, None, 9)]
    pages.append(filerights.page(connection, MORNING + 900, pages[1].last, 9))
    assert [list(page.unnamed) for page in pages] == [[a_digest("first")], [a_digest("first")], [a_digest("last")]]
    assert (pages[1].last, pages[2].last) == ((MORNING + filerights.PAGE - 1, named[filerights.PAGE - 2]), None)
    assert max(swept(a_digest("first")), swept(a_digest("last"))) < 10


async def test_a_sweep_goes_on_where_the_last_one_ended_and_then_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filerights, "PAGE", 2)
    monkeypatch.setattr(filerights, "WALK", 4)
    digests = [a_digest(number) for number in range(9)]
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        grant(connection, digests)
        accepting.ACCEPT.run(connection, [[a_message("names most", files=tuple(digests[1:8]))]])
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    removed: list[str] = []

    counts = [await ledger.sweep_files(MORNING + 60, remove=removed.append) for _ in range(4)]

    assert (counts, removed) == ([1, 0, 1, 0], [digests[0], digests[8]])
    await ledger.close()


def test_a_dead_lane_of_thousands_is_freed_one_by_one(connection: sqlite3.Connection) -> None:
    sent = [a_message(n, subject="one dossier") for n in range(3000)]
    accepting.ACCEPT.run(connection, [sent])
    record = partial(recording.RECORD.run, connection)
    (first,) = claim(connection)
    record([([Change(first.delivery, first.delivery.after(Refused()))], NOW)])
    assert claim(connection) == []

    dead = finding.deliveries(connection, finding.Sought(["dead"], None, 10))
    with counting(connection) as steps:
        record([([Change(dead[0], dead[0].after(Discarded()))], NOW)])

    assert steps[0] < 10
    assert [one.envelope for one in claim(connection)] == [sent[1].envelope]
