"""Several gateways on one PostgreSQL: what they do at the same moment ends as if one had done it after the other."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator
from itertools import count

import pytest

from gateway.core.delivery import Deferred, Delivered, Expired, State
from gateway.ports import Accepted, Change, Claim, Derived, HeldFile, NewMessage, RegistryRow
from gateway.store import removal
from gateway.store.postgres import filerights, locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one
from tests.build import MORNING, RECIPIENT, SENDER, a_digest, a_key, a_message, an_attempt, an_audit_row
from tests.conformance.ledger_tale import NOW, at, keep, lease, states, step
from tests.emptied import emptied

_Pair = tuple[PostgresLedger, PostgresLedger]


@pytest.fixture
async def pair(postgres_suite_url: str) -> AsyncIterator[_Pair]:
    """Two gateways' ledgers on one database."""
    one, two = await emptied(PostgresLedger(postgres_suite_url)), PostgresLedger(postgres_suite_url)
    await two.open()
    yield one, two
    await asyncio.gather(one.close(), two.close())


def delivered(claims: list[Claim]) -> list[Change]:
    return [Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt()) for claim in claims]


async def drained(ledger: PostgresLedger, owner: str, seen: list[str]) -> None:
    """Claim and deliver until nothing is left; ``seen`` takes the messages as they are handed out."""
    idle = 0
    while idle < 3:
        claims = await lease(ledger, limit=7, owner=owner)
        idle = 0 if claims else idle + 1
        seen += [claim.delivery.message for claim in claims]
        assert all(await ledger.record_many(delivered(claims), now=NOW))


# ------------------------------------------------------------------------------------------------------------- order


async def test_a_lane_fed_by_two_gateways_has_one_head_and_keeps_each_ones_order(pair: _Pair) -> None:
    sent = [[a_message(f"{gateway} {number}", subject="one lane") for number in range(15)] for gateway in range(2)]

    async def feed(ledger: PostgresLedger, messages: list[NewMessage]) -> None:
        for message in messages:
            await keep(ledger, message)

    await asyncio.gather(*map(feed, pair, sent))

    everything = [message for messages in sent for message in messages]
    assert sorted(await states(pair[0], *everything)) == ["blocked"] * 29 + ["queued"]
    seen: list[str] = []
    await asyncio.gather(*(drained(ledger, f"gateway {number}", seen) for number, ledger in enumerate(pair)))
    assert sorted(seen) == sorted(message.key for message in everything)
    for messages in sent:
        keys = [message.key for message in messages]
        assert [key for key in seen if key in keys] == keys


async def test_what_joins_a_lane_while_its_head_ends_is_never_left_behind(pair: _Pair) -> None:
    one, two = pair
    for number in range(12):
        head, next_one = (a_message(f"{place} {number}", subject=f"lane {number}") for place in ("head", "next"))
        await keep(one, head)
        claims = await lease(one)
        await asyncio.gather(one.record_many(delivered(claims), now=NOW), keep(two, next_one))

        assert (await at(one, next_one)).state is State.QUEUED
        assert all(await two.record_many(delivered(await lease(two)), now=NOW))


async def test_of_what_ends_at_once_in_one_lane_the_next_is_freed_all_the_same(pair: _Pair) -> None:
    """The head is delivered by one gateway while another one finds the next in line expired."""
    one, two = pair
    for number in range(8):
        head, expiring, last = (a_message(f"{place} {number}", subject=f"lane {number}") for place in range(3))
        await keep(one, head, expiring, last)
        claims = await lease(one)
        passed = await at(two, expiring)
        await asyncio.gather(
            one.record_many(delivered(claims), now=NOW),
            two.record_many([Change(passed, passed.after(Expired()))], now=NOW),
        )

        # The expired one may have been freed first: then its step came late, and comes again.
        if (left := await at(one, expiring)).state is State.QUEUED:
            assert await step(two, left, Expired())
        assert await states(one, head, expiring, last) == ["delivered", "expired", "queued"]
        assert await step(one, await at(one, last), Delivered())


async def test_more_lanes_at_once_than_are_locked_one_by_one_keep_their_order(pair: _Pair) -> None:
    many = locks.MOST_LANES + 50
    sent = [[a_message(f"{of} {number}", subject=str(number)) for number in range(many)] for of in range(2)]

    await asyncio.gather(*(keep(ledger, *messages) for ledger, messages in zip(pair, sent, strict=True)))

    deliveries = await pair[0].deliveries(limit=2 * many)
    assert len({delivery.lane for delivery in deliveries}) == many
    assert sum(delivery.state is State.QUEUED for delivery in deliveries) == many


async def test_lanes_in_any_order_never_bring_two_gateways_to_a_stand(pair: _Pair) -> None:
    chance = random.Random(20261122)
    subjects = [str(number) for number in range(20)]

    async def feed(gateway: int, ledger: PostgresLedger) -> None:
        for number in range(10):
            chance.shuffle(subjects)
            await keep(ledger, *(a_message(f"{gateway} {number} {each}", subject=each) for each in subjects))
            await drained_once(ledger)

    async def drained_once(ledger: PostgresLedger) -> None:
        claims = await lease(ledger, limit=20)
        chance.shuffle(claims)
        await ledger.record_many(delivered(claims), now=NOW)

    async with asyncio.timeout(20):
        await asyncio.gather(*(feed(number, ledger) for number, ledger in enumerate(pair)))


# -------------------------------------------------------------------------------------------------------------- claims


async def test_two_claimers_never_get_the_same_delivery_or_two_of_one_lane(pair: _Pair) -> None:
    sent = [a_message(number, subject=f"lane {number % 10}") for number in range(60)]
    await keep(pair[0], *sent)
    under_way: dict[str, str] = {}
    seen: list[str] = []

    async def work(owner: str, ledger: PostgresLedger) -> None:
        while len(seen) < len(sent):
            claims = await lease(ledger, limit=4, owner=owner)
            for claim in claims:
                assert claim.delivery.lane is not None
                assert under_way.setdefault(claim.delivery.lane, owner) == owner
                seen.append(claim.delivery.id)
            await asyncio.sleep(0)
            for claim in claims:
                del under_way[claim.delivery.lane or ""]
            assert all(await ledger.record_many(delivered(claims), now=NOW))

    async with asyncio.timeout(20):
        await asyncio.gather(*(work(f"{number} {worker}", pair[number]) for number in range(2) for worker in range(3)))

    assert len(seen) == len(set(seen)) == len(sent)


async def test_a_claimer_that_slept_past_its_lease_cannot_record(pair: _Pair) -> None:
    sleeper, other = pair
    message = a_message()
    await keep(sleeper, message)
    (slept,) = await lease(sleeper, owner="sleeper")
    later = NOW + 60

    assert [each.state for each in await other.lapse(later)] == [State.QUEUED]
    (claim,) = await lease(other, owner="other", now=later)

    assert await sleeper.record_many(delivered([slept]), now=later) == [False]
    assert (await at(other, message)).lease_owner == "other"
    assert await other.record_many(delivered([claim]), now=later) == [True]
    record = await other.find(message.key)
    assert record is not None
    assert [attempt.outcome for attempt in record.deliveries[0].attempts] == ["lapsed", "taken"]


async def test_leases_of_a_gateway_that_died_are_given_back_once(pair: _Pair) -> None:
    await keep(pair[0], *(a_message(number) for number in range(20)))
    await lease(pair[0], limit=20)

    given_back = await asyncio.gather(*(ledger.lapse(NOW + 60) for ledger in pair))

    assert sum(map(len, given_back)) == 20
    record = await pair[0].find(a_key(0))
    assert record is not None
    assert len(record.deliveries[0].attempts) == 1


async def test_a_prober_goes_to_one_gateway(pair: _Pair) -> None:
    for number in range(6):
        message = a_message(number)
        await keep(pair[0], message)
        asked = [message.deliveries[0].id]

        found = await asyncio.gather(
            *(ledger.claim({}, owner="one", now=NOW, until=NOW + 30, probers=asked) for ledger in pair)
        )

        assert sum(map(len, found)) == 1


# ---------------------------------------------------------------------------------------------------------------- once


async def test_a_message_sent_to_two_gateways_at_once_is_one_message(pair: _Pair) -> None:
    for number in range(10):
        sent = a_message(number, ordered=False)

        answers = await asyncio.gather(*(ledger.accept_many([a_message("x"), sent]) for ledger in pair))

        first = Accepted(sent.id, sent.recipients, sent.receipt)
        assert sorted((answer[1] for answer in answers), key=str) == sorted(
            [first, Accepted(sent.id, sent.recipients, sent.receipt, repeated=True)], key=str
        )
    assert len(await pair[0].deliveries(limit=100)) == 11
    assert len(await pair[0].journal()) == 11


async def test_a_translation_made_by_two_gateways_at_once_is_kept_once(pair: _Pair) -> None:
    message = a_message()
    await keep(pair[0], message)
    made = [Derived(a_key(f"by {place}"), message.key, "document.issued/2.0", b"%d" % place) for place in range(2)]

    kept = await asyncio.gather(*(ledger.keep_derived(each) for ledger, each in zip(pair, made, strict=True)))

    assert kept[0] == kept[1]
    assert kept[0] in made


async def test_a_token_is_good_at_one_gateway_only(pair: _Pair) -> None:
    for number in range(10):
        used = await asyncio.gather(
            *(ledger.use_once(str(number), until=MORNING + 300, now=MORNING) for ledger in pair)
        )
        assert sorted(used) == [False, True]


async def test_of_two_changes_of_one_version_of_the_registry_one_is_written(pair: _Pair) -> None:
    rows = [RegistryRow("agency", f"H33.0{place}", "console", {"name": "Sở"}) for place in range(2)]

    written = await asyncio.gather(
        *(
            ledger.change_registry(0, put=[row], delete=[], audit=[an_audit_row()])
            for ledger, row in zip(pair, rows, strict=True)
        )
    )

    assert sorted(written) == [False, True]
    version, kept = await pair[0].registry()
    assert (version, kept) == (1, [rows[written.index(True)]])
    assert len(await pair[0].journal()) == 1


# ------------------------------------------------------------------------------------------------- holds and files


async def test_a_hold_catches_what_is_accepted_and_given_back_at_that_moment(pair: _Pair) -> None:
    one, two = pair
    sent = [[a_message(f"{turn} {number}") for number in range(5)] for turn in range(6)]
    await keep(one, *(a_message(f"early {number}") for number in range(5)))
    claims = await lease(one, limit=5)
    back = [Change(claim.delivery, claim.delivery.after(Deferred(NOW)), an_attempt()) for claim in claims]

    async def feed() -> None:
        for messages in sent:
            await keep(two, *messages)

    await asyncio.gather(feed(), two.record_many(back, now=NOW), one.hold(RECIPIENT, at=NOW, audit=an_audit_row()))

    assert {each.state for each in await one.deliveries(limit=100)} == {State.HELD}
    assert await lease(two) == []


async def test_a_file_is_named_or_swept_never_both(pair: _Pair) -> None:
    one, two = pair
    for number in range(8):
        file = HeldFile(a_digest(number), 3, "text/plain")
        await one.grant_file(file, SENDER, at=MORNING, is_present=lambda _: True)
        removed: list[str] = []

        (answer,), _ = await asyncio.gather(
            one.accept_many([a_message(number, files=(file.sha256,))]),
            two.sweep_files(MORNING + 1, remove=removed.append),
        )

        assert isinstance(answer, Accepted) == (removed == [])


async def test_files_whose_removal_takes_long_are_swept_a_few_at_a_time_and_nobody_waits(
    pair: _Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    monkeypatch.setattr(removal, "PATIENCE", 0.05)
    for number in range(5):
        await one.grant_file(HeldFile(a_digest(number), 3, "text/plain"), SENDER, at=MORNING, is_present=lambda _: True)
    removed: list[str] = []
    loop = asyncio.get_running_loop()
    is_begun, has_gone_on = asyncio.Event(), threading.Event()

    def slowly(sha256: str) -> None:
        loop.call_soon_threadsafe(is_begun.set)
        assert has_gone_on.wait(3), "the loop goes on beside it"
        time.sleep(0.03)
        removed.append(sha256)

    sweeping = asyncio.create_task(one.sweep_files(MORNING + 1, remove=slowly))
    await asyncio.wait_for(is_begun.wait(), 5)
    await keep(one, a_message("meanwhile"))
    has_gone_on.set()
    counts = [await sweeping]
    while counts[-1]:
        counts.append(await two.sweep_files(MORNING + 1, remove=slowly))

    assert sorted(removed) == sorted(map(a_digest, range(5)))
    assert max(counts) < 5 == sum(counts)


async def test_a_sweep_goes_on_where_the_last_one_ended_and_then_begins_again(
    pair: _Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    monkeypatch.setattr(filerights, "PAGE", 2)
    monkeypatch.setattr(filerights, "WALK", 4)
    digests = [a_digest(number) for number in range(9)]
    for place, sha256 in enumerate(digests):
        file = HeldFile(sha256, 3, "text/plain")
        await one.grant_file(file, SENDER, at=MORNING + place, is_present=lambda _: True)
    await keep(one, a_message("names most", files=tuple(digests[1:8])))
    removed: list[str] = []

    counts = [await one.sweep_files(MORNING + 60, remove=removed.append) for _ in range(4)]

    assert (counts, removed) == ([1, 0, 1, 0], [digests[0], digests[8]])


# ------------------------------------------------------------------------------------------------------------- journal


async def test_leaves_are_numbered_without_gaps_and_a_number_once_told_stays(pair: _Pair) -> None:
    """Two gateways write, some transactions fail; who reads meanwhile sees a beginning of what he sees at the end."""
    pictures: list[list[tuple[int, str, bytes]]] = []
    is_over = asyncio.Event()

    async def write(gateway: int, ledger: PostgresLedger) -> None:
        for number in range(25):
            await keep(ledger, a_message(f"{gateway} {number}", to=()))
            await ledger.audit([an_audit_row(f"{gateway} {number} {place}") for place in range(3)])
            with pytest.raises(ZeroDivisionError):
                await ledger.write(_FAIL, None)

    async def read(ledger: PostgresLedger) -> None:
        while not is_over.is_set():
            pictures.append(await ledger.journal(limit=1000))

    reading = asyncio.gather(*map(read, pair))
    await asyncio.gather(*(write(number, ledger) for number, ledger in enumerate(pair)))
    is_over.set()
    await reading

    last = await pair[1].journal(limit=1000)
    assert [number for number, _, _ in last] == list(range(1, 2 * 25 * 4 + 1))
    assert all(picture == last[: len(picture)] for picture in pictures)
    assert len({len(picture) for picture in pictures}) > 2
    for gateway in range(2):
        mine = [body for _, kind, body in last if kind == "audit" and f'"audit":"{gateway} '.encode() in body]
        assert mine == sorted(mine, key=lambda body: tuple(map(int, body.split(b'"')[3].split())))


async def _audit_and_fail(connection: Connection, _: None) -> None:
    await connection.execute(
        "INSERT INTO journal (seq, size, kind, bodies) VALUES (nextval('seq'), 1, 'audit', ARRAY['lost'::bytea])"
    )
    raise ZeroDivisionError


_FAIL = one_by_one(_audit_and_fail)


async def test_a_transaction_that_is_not_over_holds_up_no_number(pair: _Pair) -> None:
    one, two = pair
    is_written, may_end = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection, _: None) -> None:
        await connection.execute(
            "INSERT INTO journal (seq, size, kind, bodies) VALUES (nextval('seq'), 1, 'audit', ARRAY['slow'::bytea])"
        )
        is_written.set()
        await may_end.wait()

    writing = asyncio.create_task(one.write(one_by_one(slow), None))
    await is_written.wait()
    await keep(two, a_message(to=()))
    early = await two.journal()
    may_end.set()
    await writing

    assert [(number, kind) for number, kind, _ in early] == [(1, "receipt")]
    assert await two.journal() == [*early, (2, "audit", b"slow")]


async def test_what_nobody_reads_is_numbered_in_time(pair: _Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.postgres.ledger._NUMBER_EVERY", 0.0)

    async def unnumbered(connection: Connection) -> int:
        return int(await connection.fetchval("SELECT count(*) FROM journal WHERE first IS NULL"))

    await keep(pair[0], *(a_message(f"early {number}", to=()) for number in range(5)))
    async with asyncio.timeout(10):
        for number in count():
            await keep(pair[0], a_message(number, to=()))
            if number > 2 and await pair[1].read(unnumbered) <= 1:
                break


def test_lanes_are_locked_in_one_order_whatever_order_they_come_in() -> None:
    names = [a_digest(number)[:32] for number in range(50)]

    asked = locks.lanes(names)

    numbers = [int(number) for number in asked.partition("{")[2].partition("}")[0].split(",")]
    assert numbers == sorted(int(name[:15], 16) for name in names)
    assert locks.lanes([*reversed(names), None, *names]) == asked


def test_beyond_many_lanes_all_are_locked_as_one() -> None:
    names = [a_digest(number)[:32] for number in range(locks.MOST_LANES + 1)]

    assert locks.lanes(names) == locks.ALONE
    assert locks.lanes(names[1:]) != locks.ALONE
