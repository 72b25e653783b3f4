"""Several processes on one ledger: one leads, a pace is one for all, an outage is known to all and probed once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest
from prometheus_client import generate_latest

from gateway.core.breaker import FULL_WIDTH, OPEN_AFTER, Breaker
from gateway.core.delivery import Deferred, Delivered, Delivery
from gateway.core.faults import TransientFailure
from gateway.core.judgement import Judged
from gateway.core.rate import Rate
from gateway.ports import Change, Claim
from gateway.relay.company import BEAT, LIFE, Company
from gateway.relay.dispatch import LEASE
from gateway.relay.outage import Outages
from gateway.relay.pace import Paces
from gateway.relay.watch import Watch
from gateway.store.memory import MemoryLedger
from gateway.store.memory_failures import MemoryFailures
from gateway.store.memory_peers import MemoryPeers
from gateway.telemetry import FAILURES, REGISTRY
from tests.build import MORNING, RECIPIENT, a_message
from tests.town import SetClock, Town, a_town, eventually

SENDER: Final = "H33.05/dms"


# ------------------------------------------------------------------------------------------------------ who leads


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def two(clock: SetClock) -> tuple[Company, Company]:
    peers = MemoryPeers()
    return Company("one", clock, peers), Company("two", clock, peers)


async def test_who_is_alone_by_its_settings_leads_and_tells_nobody(clock: SetClock) -> None:
    alone = Company("one", clock)
    await alone.beat()
    assert alone.leads()
    await alone.leave()


async def test_the_first_leads_and_goes_on_while_it_beats(clock: SetClock) -> None:
    one, other = two(clock)
    for _ in range(10):
        await one.beat()
        await other.beat()
        assert (one.leads(), other.leads()) == (True, False)
        clock.moment += BEAT


async def test_when_the_leader_is_gone_another_leads_within_its_life(clock: SetClock) -> None:
    one, other = two(clock)
    await one.beat()
    await other.beat()
    clock.moment += LIFE
    assert not one.leads()
    await other.beat()
    assert other.leads()


async def test_a_leader_that_leaves_is_followed_at_the_next_beat(clock: SetClock) -> None:
    one, other = two(clock)
    await one.beat()
    await one.leave()
    await other.beat()
    assert (one.leads(), other.leads()) == (False, True)


async def test_a_leader_that_was_stopped_for_long_does_not_lead_when_it_wakes(clock: SetClock) -> None:
    one, other = two(clock)
    await one.beat()
    clock.moment += LIFE + 1
    await other.beat()
    assert not one.leads()
    clock.moment += 0.1
    await one.beat()
    assert (one.leads(), other.leads()) == (False, True)


async def test_the_alarm_is_raised_by_the_leader_alone(clock: SetClock) -> None:
    one, other = two(clock)
    await one.beat()
    await other.beat()
    FAILURES.labels("H33.99/dms", "document.issued", "dead", "old").set(3)
    await Watch(MemoryFailures(MemoryLedger()), clock, other.leads).once()

    assert b"H33.99/dms" not in generate_latest(REGISTRY)


# ---------------------------------------------------------------------------------------------------------- paces


def judged(rate: Rate) -> Judged:
    return Judged(source=replace(a_town().system(SENDER), rate=rate))


def granted(paces: Paces, one: Judged, count: int, now: float) -> int:
    return sum(paces.kept(one, now).fault is None for _ in range(count))


async def test_a_sender_gets_its_pace_from_all_processes_together_and_pays_for_what_was_too_much() -> None:
    peers, one = MemoryPeers(), judged(Rate(per_minute=60, burst=5))
    here, there = Paces(), Paces()
    for paces in (here, there):
        paces.begin_sharing()
    passed = 0
    for second in range(60):
        now = MORNING + second
        passed += granted(here, one, 10, now) + granted(there, one, 10, now)
        for paces in (here, there):
            await paces.share(peers, now)

    assert 60 <= passed <= 60 + 2 * 5 + 1


async def test_what_is_granted_while_it_is_told_is_told_the_next_time() -> None:
    one = judged(Rate(per_minute=60, burst=5))
    paces = Paces()
    paces.begin_sharing()

    class Told(MemoryPeers):
        told = 0

        async def spend(self, party: str, rate: Rate, count: int, *, now: float) -> float:
            if not self.told:
                assert granted(paces, one, 1, now) == 1
            self.told += count
            return await super().spend(party, rate, count, now=now)

    peers = Told()
    granted(paces, one, 2, MORNING)
    await paces.share(peers, MORNING)
    assert peers.told == 2
    await paces.share(peers, MORNING)
    assert peers.told == 3
    assert granted(paces, one, 5, MORNING) == 2


# -------------------------------------------------------------------------------------------------------- outages


class Dispatchers:
    """A ledger with deliveries to one destination, and two dispatchers' knowledge of it."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.here, self.there = Outages(self.ledger), Outages(self.ledger)
        self.now = MORNING

    async def keep(self, count: int) -> None:
        await self.ledger.accept_many([a_message(number) for number in range(count)])

    async def claim(self, owner: str, *probers: str) -> list[Delivery]:
        wanted = {} if probers else {RECIPIENT: 1}
        found = await self.ledger.claim(wanted, owner=owner, now=self.now, until=self.now + 28, probers=probers)
        return [each.delivery for each in found]

    async def fail(self, outages: Outages, *, due: float = 60.0) -> Delivery:
        (leased,) = await self.claim("x", *outages.probers(self.now, {}).values())
        after = leased.after(Deferred(self.now + due))
        await self.ledger.record_many([Change(leased, after)], now=self.now)
        await outages.failed(after, self.now, is_error=False)
        return after

    async def down(self) -> str:
        """The destination is down, as one dispatcher found out; answers the prober."""
        failed = [await self.fail(self.here) for _ in range(OPEN_AFTER)]
        return failed[-1].id


@pytest.fixture
async def office() -> Dispatchers:
    made = Dispatchers()
    await made.keep(10)
    return made


async def test_an_outage_that_one_found_is_known_to_the_others_at_their_next_look(office: Dispatchers) -> None:
    prober = await office.down()
    await office.there.refresh()

    assert office.there.down() == {RECIPIENT}
    assert office.there.room(RECIPIENT, 0) == 0
    assert office.there.probers(office.now + 60, {}) == {RECIPIENT: prober}
    assert office.there.probers(office.now + 59, {}) == {}


async def test_a_prober_in_anothers_hands_is_left_there_and_nobody_else_probes(office: Dispatchers) -> None:
    prober = await office.down()
    await office.there.refresh()
    office.now += 60
    await office.claim("here", prober)

    assert await office.claim("there", *office.there.probers(office.now, {}).values()) == []
    await office.there.gone(RECIPIENT)

    assert office.there.room(RECIPIENT, 0) == 0
    assert office.there.probers(office.now + 27, {}) == {}
    assert office.there.probers(office.now + 28, {}) == {RECIPIENT: prober}


async def test_a_prober_that_another_tried_is_due_when_that_one_put_it_off_to(office: Dispatchers) -> None:
    prober = await office.down()
    await office.there.refresh()
    office.now += 60
    await office.fail(office.here, due=300)

    assert await office.claim("there", *office.there.probers(office.now, {}).values()) == []
    await office.there.gone(RECIPIENT)

    assert office.there.probers(office.now + 299, {}) == {}
    assert office.there.probers(office.now + 300, {}) == {RECIPIENT: prober}


async def test_a_prober_that_has_ended_makes_way_for_another(office: Dispatchers) -> None:
    prober = await office.down()
    await office.there.refresh()
    office.now += 60
    (leased,) = await office.claim("here", prober)
    await office.ledger.record_many([Change(leased, leased.after(Delivered()))], now=office.now)
    await office.there.gone(RECIPIENT)

    assert office.there.room(RECIPIENT, 0) == 1


async def test_an_answer_that_one_got_opens_the_slope_for_the_others(office: Dispatchers) -> None:
    await office.down()
    await office.there.refresh()
    await office.here.answered(RECIPIENT)
    await office.there.refresh()
    assert (office.there.down(), office.there.room(RECIPIENT, 0)) == (frozenset(), 1)
    for _ in range(3):
        await office.here.answered(RECIPIENT)
    await office.there.refresh()
    assert office.there.room(RECIPIENT, 0) == FULL_WIDTH


async def test_what_a_process_counts_by_itself_is_not_forgotten_by_looking(office: Dispatchers) -> None:
    for _ in range(OPEN_AFTER - 1):
        await office.fail(office.there)
        await office.there.refresh()
    await office.fail(office.there)

    assert office.there.down() == {RECIPIENT}


async def test_what_it_finds_out_while_it_reads_is_newer_than_what_it_reads(office: Dispatchers) -> None:
    await office.down()

    class Slow(MemoryLedger):
        async def breakers(self) -> dict[str, Breaker]:
            read = await office.ledger.breakers()
            await office.here.answered(RECIPIENT)
            return read

    office.here.ledger = Slow()
    await office.here.refresh()

    assert office.here.down() == frozenset()


# ------------------------------------------------------------------------------------------- two gateways at work


@pytest.fixture
def gateways() -> tuple[Town, Town]:
    """Two on one ledger, with the same agencies before them."""
    one = a_town()
    other = Town(one.ledger, one.clock, one.files, one.signers, one.directory, desks=one.desks)
    other.dispatch = replace(other.dispatch, owner="push:other")
    return one, other


async def pass_time(gateways: tuple[Town, Town], seconds: int, step: int = 1) -> None:
    """Time passes for both; each second they look at what the other found out, as gateways do."""
    for _ in range(0, seconds, step):
        gateways[0].clock.moment += step
        for each in gateways:
            await each.outages.refresh()
            await each.sweep.once()
            await each.work()


async def test_what_a_gateway_held_when_it_died_another_delivers_within_thirty_seconds(
    gateways: tuple[Town, Town],
) -> None:
    one, other = gateways
    message = await one.sent(to="H33.16")
    now = one.clock.now()
    wanted = {RECIPIENT: 8}
    assert await one.ledger.claim(wanted, owner=one.dispatch.owner, now=now, until=now + LEASE)
    await pass_time(gateways, 30)

    assert other.taken_by(RECIPIENT) == [message.id]
    assert [each.outcome for each in await one.attempts(message)] == ["lapsed", "taken"]


async def test_who_starts_takes_back_its_own_and_leaves_the_others_alone(gateways: tuple[Town, Town]) -> None:
    one, other = gateways
    await one.sent(subject="one")
    await one.sent(subject="two")
    now = one.clock.now()
    for each in gateways:
        assert await each.ledger.claim({RECIPIENT: 1}, owner=each.dispatch.owner, now=now, until=now + LEASE)
    starting = asyncio.create_task(other.dispatch.run())

    async def taken() -> bool:
        return bool(other.taken_by(RECIPIENT))

    await eventually(taken)
    await other.dispatch.drain()
    await starting

    leased = await one.ledger.deliveries(states=["leased"])
    assert [each.lease_owner for each in leased] == [one.dispatch.owner]


async def test_an_outage_of_hours_is_probed_by_one_of_them_at_a_time_and_ends_without_a_loss(
    gateways: tuple[Town, Town],
) -> None:
    one, other = gateways
    one.desk(RECIPIENT).script = [TransientFailure("connection refused")] * 10_000
    for number in range(100):
        await gateways[number % 2].sent(subject=f"lane {number % 10}", correlationid=f"{number}")
    await pass_time(gateways, 3 * 3600, step=30)
    deliveries = await one.ledger.deliveries(recipient=RECIPIENT, limit=1000)
    used = sorted(each.attempts for each in deliveries)
    assert one.outages.down() == other.outages.down() == {RECIPIENT}
    assert used[: 100 - 2 * FULL_WIDTH] == [0] * (100 - 2 * FULL_WIDTH)
    assert used[-3] <= 2, "but for one, and one that was on its way, none was tried again"

    one.desk(RECIPIENT).script.clear()
    await pass_time(gateways, 3600, step=30)

    came = [(parcel.event["subject"], int(parcel.event["correlationid"])) for parcel in one.desk(RECIPIENT).parcels]
    assert len(came) == 100
    for lane in range(10):
        order = [number for subject, number in came if subject == f"lane {lane}"]
        assert order == sorted(order)


async def test_what_is_being_claimed_when_a_gateway_is_told_to_stop_is_delivered_by_it_and_by_nobody_else(
    gateways: tuple[Town, Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = gateways
    message = await one.sent(to="H33.16")
    claim, is_asked = one.ledger.claim, asyncio.Event()

    async def slowly(*args: Any, **kwargs: Any) -> list[Claim]:
        claims = await claim(*args, **kwargs)
        is_asked.set()
        await asyncio.sleep(0.05)
        return claims

    monkeypatch.setattr(one.ledger, "claim", slowly)
    running = asyncio.create_task(one.dispatch.run())
    await is_asked.wait()
    await one.dispatch.drain()
    await running
    await other.work()

    assert one.taken_by(RECIPIENT) == [message.id]
    assert [each.outcome for each in await one.attempts(message)] == ["taken"]
