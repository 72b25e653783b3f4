"""An operation costs what it moves, not what it holds, and failures are grouped without reading what did not fail."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.core.delivery import Delivered, Refused, Replayed
from gateway.core.replay import Phase, Plan
from gateway.ports import Change
from gateway.ports.failures import Sought
from gateway.ports.replays import Move, Operation
from gateway.store.sqlite import accepting, claiming, failures, recording, replays
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.migrations import migrate, migrations
from tests.build import MORNING, RECIPIENT, a_message, an_attempt, an_audit_row

NOW = MORNING + 60


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        yield connection


def end(connection: sqlite3.Connection, numbers: range, signal: Refused | Delivered) -> None:
    """Accept messages, lease them, and end them so."""
    accepting.ACCEPT.run(connection, [[a_message(number) for number in numbers]])
    (claims,) = claiming.CLAIM.run(connection, [claiming.Wish({RECIPIENT: len(numbers)}, "one", NOW, NOW + 30)])
    changes = [
        Change(one.delivery, one.delivery.after(signal), an_attempt(outcome="refused", status=422, detail="no"))
        for one in claims
    ]
    recording.RECORD.run(connection, [(changes, NOW)])
    while failures._LOOK.run(connection, [500]) != [0]:
        pass


def plan(connection: sqlite3.Connection, name: str) -> None:
    """A running operation on all that is dead, driven by one gateway."""
    found = replays._candidates(connection, Sought(), None, NOW)
    operation = Operation(name, "replay", Phase.RUNNING, Sought(), 0, Plan(), "x", "x", len(found), NOW)
    replays._PLAN.run(connection, [(operation, [each.place for each in found], an_audit_row())])
    replays._LEASE.run(connection, [("one", NOW, NOW + 5)])


def turn(connection: sqlite3.Connection, name: str) -> None:
    """One round: look, take ten turns, move them."""
    replays._progress(connection, name, 50)
    turns = replays._turns(connection, name, 10)
    assert len(turns) == 10
    moves = [Move(one.delivery.id, Change(one.delivery, one.delivery.after(Replayed(NOW)))) for one in turns]
    assert replays._MOVE.run(connection, [replays._Asked(name, moves, "one", NOW, NOW)]) == [[True] * 10]


def cost(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Hundreds of steps of SQLite's own machine."""
    steps = [0]

    def tick() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(tick, 100)
    try:
        work()
    finally:
        connection.set_progress_handler(None, 0)
    return steps[0]


def test_a_turn_of_a_large_operation_costs_what_one_of_a_small_one_does(connection: sqlite3.Connection) -> None:
    end(connection, range(20), Refused())
    plan(connection, "small")
    small = cost(connection, lambda: turn(connection, "small"))
    end(connection, range(100, 5100), Refused())
    plan(connection, "large")
    large = cost(connection, lambda: turn(connection, "large"))

    # progress counts to a thousand and no further
    assert large <= small + 250


def test_groups_of_what_failed_cost_nothing_for_what_was_delivered(connection: sqlite3.Connection) -> None:
    end(connection, range(20), Refused())
    before = cost(connection, lambda: failures.groups(connection, Sought(), NOW, 200))
    end(connection, range(100, 3100), Delivered())
    after = cost(connection, lambda: failures.groups(connection, Sought(), NOW, 200))

    assert after <= before + 2


def test_what_died_before_the_database_knew_of_failures_is_grouped_too(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(connect(path, "writer")) as connection:
        migrate(connection, path, migrations())
        end(connection, range(3), Refused())
        # as it was: no table, no triggers, and the step that makes them not done
        for name in ("delivery_died", "delivery_left", "delivery_replayed"):
            connection.execute(f"DROP TRIGGER {name}")
        step = next(each for each in migrations() if each.name == "replays")
        for table in ("failures", "replays", "replay_items"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM schema_versions WHERE number = ?", (step.number,))

        migrate(connection, path, migrations())
        failures._LOOK.run(connection, [500])
        (group,) = failures.groups(connection, Sought(), NOW, 200)
        assert (group.count, group.error) == (3, "refused")


def test_an_operation_is_kept_as_plain_json(connection: sqlite3.Connection) -> None:
    end(connection, range(3), Refused())
    plan(connection, "op")
    (body,) = connection.execute("SELECT body FROM replays").fetchone()
    assert json.loads(body)["reason"] == "x"
