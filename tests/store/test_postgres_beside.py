"""Failures, operations and requests of several gateways on one PostgreSQL: each thing is done once, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.core.backfill import Phase as RequestPhase
from gateway.core.delivery import Delivered, Refused, Replayed
from gateway.core.replay import Phase, Plan
from gateway.ports import Change
from gateway.ports.backfills import Made, Request, Slice
from gateway.ports.failures import Sought
from gateway.ports.replays import Move, Operation
from gateway.store.postgres.backfills import backfills_of
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.replays import failures_and_replays
from tests.build import MORNING, RECIPIENT, a_delivery, a_message, an_attempt, an_audit_row
from tests.store.test_postgres_plans import rows_read

NOW = MORNING + 60
MANY = 60
#: How much was delivered before anything is asked.
STORED = 3000


@pytest.fixture
async def gateways(postgres_url: str) -> AsyncIterator[tuple[PostgresLedger, PostgresLedger]]:
    """Two gateways over one database."""
    one, two = PostgresLedger(postgres_url), PostgresLedger(postgres_url)
    await one.open()
    await two.open()
    yield one, two
    await two.close()
    await one.close()


Gateways = tuple[PostgresLedger, PostgresLedger]


async def many_dead(ledger: PostgresLedger) -> None:
    await ledger.accept_many([a_message(number) for number in range(MANY)])
    claims = await ledger.claim({RECIPIENT: MANY}, owner="one", now=NOW, until=NOW + 30)
    refused = an_attempt(outcome="refused", status=422, detail="no")
    changes = [Change(claim.delivery, claim.delivery.after(Refused()), refused) for claim in claims]
    assert all(await ledger.record_many(changes, now=NOW))


async def test_what_died_is_looked_at_once_whoever_looks(gateways: Gateways) -> None:
    one, two = gateways
    await many_dead(one)
    lookers = [failures_and_replays(ledger)[0] for ledger in (one, two, one, two)]

    counts = await asyncio.gather(*(looker.look(limit=MANY // 4) for looker in lookers))

    assert sum(counts) <= MANY
    while count := await lookers[0].look():
        counts.append(count)
    assert sum(counts) == MANY
    assert [group.count for group in await lookers[1].groups(Sought(), now=NOW)] == [MANY]


async def test_looking_and_leaving_at_once_neither_waits_for_ever_nor_keeps_what_left(gateways: Gateways) -> None:
    one, two = gateways
    await many_dead(one)
    dead = await two.deliveries(states=["dead"], limit=MANY)
    looker = failures_and_replays(one)[0]

    put_back = (two.record_many([Change(each, each.after(Replayed(NOW)))], now=NOW) for each in dead[: MANY // 2])
    await asyncio.gather(*(looker.look(limit=10) for _ in range(6)), *put_back)

    while await looker.look():
        pass
    assert [group.count for group in await looker.groups(Sought(), now=NOW)] == [MANY // 2]


async def test_one_gateway_drives_an_operation_and_the_other_one_moves_nothing(gateways: Gateways) -> None:
    one, two = gateways
    await many_dead(one)
    (failures, here), (_, there) = (failures_and_replays(ledger) for ledger in (one, two))
    await failures.look()
    candidates = await here.candidates(Sought(), None, now=NOW)
    made = Operation(
        "op-1", "replay", Phase.RUNNING, Sought(), 0, Plan(), "đã sửa", "operator:mau", MANY, NOW, next_at=NOW
    )
    await here.plan(made, [each.place for each in candidates], an_audit_row("replay.started"))

    leased = await asyncio.gather(
        *(side.lease(name, now=NOW, until=NOW + 5) for side, name in ((here, "one"), (there, "two")))
    )
    assert sorted(map(len, leased)) == [0, 1]
    driver = "one" if leased[0] else "two"

    turns = await here.turns("op-1", MANY)
    moves = [Move(turn.delivery.id, Change(turn.delivery, turn.delivery.after(Replayed(NOW)))) for turn in turns]
    asked = [(here, "one"), (there, "two"), (here, "one"), (there, "two")]
    done = await asyncio.gather(*(side.move("op-1", moves, owner=name, next_at=NOW, now=NOW) for side, name in asked))

    assert [answer is None for answer in done] == [name != driver for _, name in asked]
    moved = [sum(answer) for answer in done if answer is not None]
    assert sorted(moved) == [0, MANY], "each delivery once, however often it is asked"
    assert await there.counts("op-1") == {"sent": MANY}


async def test_an_operation_is_followed_beside_the_steps_of_other_gateways(gateways: Gateways) -> None:
    one, two = gateways
    await many_dead(one)
    failures, replays = failures_and_replays(one)
    await failures.look()
    candidates = await replays.candidates(Sought(), None, now=NOW)
    made = Operation(
        "op-1", "replay", Phase.RUNNING, Sought(), 0, Plan(), "đã sửa", "operator:mau", MANY, NOW, next_at=NOW
    )
    await replays.plan(made, [each.place for each in candidates], an_audit_row("replay.started"))
    await replays.lease("one", now=NOW, until=NOW + 5)

    async def put_back() -> None:
        while turns := await replays.turns("op-1", 7):
            moves = [
                Move(turn.delivery.id, Change(turn.delivery, turn.delivery.after(Replayed(NOW)))) for turn in turns
            ]
            assert all(await replays.move("op-1", moves, owner="one", next_at=NOW, now=NOW) or ())

    async def deliver() -> None:
        ended = 0
        while ended < MANY:
            claims = await two.claim({RECIPIENT: 5}, owner="two", now=NOW, until=NOW + 30)
            changes = [Change(claim.delivery, claim.delivery.after(Delivered())) for claim in claims]
            ended += sum(await two.record_many(changes, now=NOW))
            await asyncio.sleep(0.001)

    async with asyncio.timeout(20):
        await asyncio.gather(put_back(), deliver())
    assert await replays.counts("op-1") == {"delivered": MANY}


def a_request(id: str) -> Request:
    return Request(id, "H33.40/dms", "document.issued", MORNING, None, "mới kết nối", NOW)


async def test_two_gateways_asked_at_once_keep_one_request(gateways: Gateways) -> None:
    asked = [backfills_of(ledger).ask(a_request(f"r{n}"), an_audit_row("asked")) for n, ledger in enumerate(gateways)]
    first, second = await asyncio.gather(*asked)
    assert first == second
    assert len(await backfills_of(gateways[0]).listed()) == 1


async def test_no_message_up_to_the_youngest_one_comes_after_a_request_was_asked(gateways: Gateways) -> None:
    """Numbers are given before a commit: whoever asks meanwhile waits for those that have theirs."""
    one, two = gateways
    beside = backfills_of(two)
    accepted = [one.accept_many([a_message(f"{n}.{k}") for k in range(5)]) for n in range(20)]
    asked = asyncio.create_task(beside.ask(a_request("r1"), an_audit_row("asked")))
    await asyncio.gather(*accepted, asked)
    request = asked.result()

    now = await beside.missed(request, after=0, limit=1000)
    await asyncio.sleep(0.1)
    assert await beside.missed(request, after=0, limit=1000) == now


async def test_a_slice_is_made_once_whoever_makes_it(gateways: Gateways) -> None:
    one, two = gateways
    await one.accept_many([a_message(1)])
    beside = backfills_of(one)
    request = await beside.ask(a_request("r1"), an_audit_row("asked"))
    for phase in (RequestPhase.APPROVED, RequestPhase.RUNNING):
        after = replace(request, phase=phase)
        assert await beside.change(request.phase, after, an_audit_row("moved"))
        request = after
    (request,) = await beside.lease("one", now=NOW, until=NOW + 5)
    made = Made(Slice((), request.last), [a_delivery(1, recipient="H33.40/dms")], {})

    done = await asyncio.gather(
        *(
            backfills_of(ledger).make(request, made, owner="one", audit=an_audit_row("slice"), now=NOW)
            for ledger in (one, two, one, two)
        )
    )
    assert sorted(done) == [False, False, False, True]


# ------------------------------------------------------------------------------------- however much was delivered


async def test_only_what_is_told_is_read_however_much_was_delivered(postgres_url: str) -> None:
    ledger = PostgresLedger(postgres_url)
    await ledger.open()
    for start in range(0, STORED, 500):
        await ledger.accept_many([a_message(f"stored {n}", to=("H33.09/dms",)) for n in range(start, start + 500)])
    claims = await ledger.claim({"H33.09/dms": STORED}, owner="one", now=NOW, until=NOW + 30)
    changes = [Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt()) for claim in claims]
    assert all(await ledger.record_many(changes, now=NOW))
    await ledger.close()
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    tables, indexes = await rows_read(postgres_url)

    ledger = PostgresLedger(postgres_url, pool=1)
    await ledger.open()
    (failures, replays), backfills = failures_and_replays(ledger), backfills_of(ledger)
    await many_dead(ledger)
    while await failures.look():
        pass
    for turn in range(7):  # more often than PostgreSQL makes a plan for each call
        (group,) = await failures.groups(Sought(), now=NOW)
        assert len(await failures.members(Sought(group=group.fingerprint), now=NOW, limit=10)) == 10
        assert await failures.backlog() == {RECIPIENT: {"dead": MANY}}
        candidates = await replays.candidates(Sought(), None, now=NOW)
        assert len(await replays.candidates(Sought(), [candidates[0].delivery], now=NOW)) == 1
        id_, places = f"op-{turn}", [each.place for each in candidates]
        made = Operation(id_, "replay", Phase.RUNNING, Sought(), 0, Plan(), "x", "y", MANY, NOW, next_at=NOW)
        await replays.plan(made, places, an_audit_row())
        assert len(await replays.turns(id_, 10)) == len(await replays.items(id_, limit=10)) == 10
        assert await replays.counts(id_) == {"waiting": MANY}
        assert (await replays.progress(id_, judged=50)).waiting == MANY
        request = await backfills.ask(a_request(f"r{turn}"), an_audit_row())
        assert await backfills.count(request, most=20) == 20
        assert len((await backfills.missed(request, after=0, limit=20)).found) == 20
    await ledger.close()

    tables_then, indexes_then = await rows_read(postgres_url)
    large = ("messages", "bodies", "ids", "ended", "attempts", "deliveries")
    assert {name: n for name, n in (tables_then - tables).items() if name.startswith(large) and n > STORED // 3} == {}
    assert {name: n for name, n in (indexes_then - indexes).items() if name.startswith(large) and n > STORED} == {}
