"""What a ledger promises about order: one delivery of a lane at a time, in order of acceptance, whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.delivery import Claimed, Deferred, Delivered, Discarded, Expired, Freed, Refused, Replayed, Signal
from gateway.ports import Change, Ledger
from tests.build import MORNING, RECIPIENT, a_message, an_audit_row
from tests.conformance.ledger_tale import NOW, LedgerTale, at, deliver, keep, lease, names, states, step

SAME: dict[str, Any] = {"subject": "one dossier"}


class Lanes(LedgerTale):
    async def test_only_the_head_of_a_lane_is_handed_out(self, ledger: Ledger) -> None:
        await keep(ledger, a_message(1, **SAME), a_message(2, **SAME), a_message("other lane"))

        assert await names(ledger) == [b"envelope.of.1", b"envelope.of.other lane"]

    async def test_a_follower_is_blocked_and_says_by_whom(self, ledger: Ledger) -> None:
        first, second, third = (a_message(number, **SAME) for number in (1, 2, 3))
        await keep(ledger, first, second)
        await keep(ledger, third)

        assert await states(ledger, first, second, third) == ["queued", "blocked", "blocked"]
        for follower in (second, third):
            record = await ledger.find(follower.key)
            assert record is not None
            assert record.deliveries[0].blocked_by == first.deliveries[0].id
            assert record.deliveries[0].delivery.deadline is None

    async def test_lanes_are_apart_by_source_subject_and_recipient(self, ledger: Ledger) -> None:
        await keep(
            ledger,
            a_message(1, to=(RECIPIENT, "H33.09/dms"), **SAME),
            a_message(2, source="H33.06/dms", **SAME),
            a_message(3, subject="another dossier"),
        )

        assert {delivery.state.value for delivery in await ledger.deliveries()} == {"queued"}

    async def test_a_contract_without_order_has_no_lanes(self, ledger: Ledger) -> None:
        await keep(ledger, *(a_message(number, ordered=False, **SAME) for number in (1, 2, 3)))

        assert len(await names(ledger)) == 3

    @pytest.mark.parametrize("signal", [Delivered(), Expired(), Discarded()])
    async def test_the_step_that_ends_the_head_frees_the_next_one(self, ledger: Ledger, signal: Signal) -> None:
        first, second, third = (a_message(number, **SAME) for number in (1, 2, 3))
        await keep(ledger, first, second, third)
        blocked = await at(ledger, second)

        assert await step(ledger, await at(ledger, first), signal, now=NOW)

        assert await at(ledger, second) == blocked.after(Freed(NOW))
        assert await states(ledger, second, third) == ["queued", "blocked"]

    async def test_a_dead_head_keeps_its_lane_waiting(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)

        assert await step(ledger, await at(ledger, first), Refused())

        assert await states(ledger, first, second) == ["dead", "blocked"]
        assert await names(ledger) == []

    async def test_what_comes_after_a_dead_one_waits_too(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first)
        await step(ledger, await at(ledger, first), Refused())

        await keep(ledger, second)

        assert await states(ledger, second) == ["blocked"]

    async def test_after_a_replay_the_followers_wait_until_the_replayed_one_ends(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)
        await step(ledger, await at(ledger, first), Refused())

        assert await step(ledger, await at(ledger, first), Replayed(NOW))

        assert await states(ledger, first, second) == ["queued", "blocked"]
        (claim,) = await lease(ledger)
        assert await step(ledger, claim.delivery, Delivered())
        assert await states(ledger, first, second) == ["delivered", "queued"]

    async def test_discarding_a_dead_one_frees_its_lane(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)
        await step(ledger, await at(ledger, first), Refused())

        assert await step(ledger, await at(ledger, first), Discarded())

        assert await states(ledger, first, second) == ["discarded", "queued"]

    @pytest.mark.parametrize("signal", [Expired(), Discarded()])
    async def test_one_that_ends_in_the_middle_frees_nobody(self, ledger: Ledger, signal: Signal) -> None:
        first, second, third = (a_message(number, **SAME) for number in (1, 2, 3))
        await keep(ledger, first, second, third)

        assert await step(ledger, await at(ledger, second), signal)

        assert await states(ledger, first, third) == ["queued", "blocked"]
        await deliver(ledger, first)
        assert await states(ledger, third) == ["queued"]

    async def test_a_follower_freed_for_a_destination_on_hold_is_held(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)
        (claim,) = await lease(ledger)
        await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())

        assert await step(ledger, claim.delivery, Delivered())

        assert await states(ledger, first, second) == ["delivered", "held"]

    async def test_a_held_head_keeps_its_lane_waiting_and_a_hold_leaves_the_blocked_alone(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)

        assert await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row()) == 1
        await keep(ledger, third := a_message(3, **SAME))
        assert await states(ledger, first, second, third) == ["held", "blocked", "blocked"]

        assert await ledger.release(RECIPIENT, at=NOW, audit=an_audit_row("destination.released")) == 1
        assert await states(ledger, first, second, third) == ["queued", "blocked", "blocked"]

    async def test_a_future_notbefore_holds_back_its_lane(self, ledger: Ledger) -> None:
        await keep(ledger, a_message(1, notbefore=NOW + 100, **SAME), a_message(2, **SAME))

        assert await names(ledger, now=NOW + 99) == []
        assert await names(ledger, now=NOW + 100) == [b"envelope.of.1"]

    async def test_a_freed_one_is_not_due_before_its_own_notbefore(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, notbefore=NOW + 100, **SAME)
        await keep(ledger, first, second)
        await deliver(ledger, first)

        assert await names(ledger, now=NOW + 99) == []
        assert await names(ledger, now=NOW + 100) == [b"envelope.of.2"]

    async def test_a_freed_one_that_expired_meanwhile_is_left_to_expire(self, ledger: Ledger) -> None:
        first, second, third = a_message(1, **SAME), a_message(2, expires=NOW, **SAME), a_message(3, **SAME)
        await keep(ledger, first, second, third)
        await deliver(ledger, first, now=NOW + 1)

        assert await names(ledger, now=NOW + 1) == []
        (passed,) = await ledger.expire(NOW + 1)
        assert passed.id == second.deliveries[0].id
        assert await step(ledger, passed, Expired(), now=NOW + 1)
        assert await names(ledger, now=NOW + 1) == [b"envelope.of.3"]

    async def test_order_is_kept_across_retries_and_lapsed_leases(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)
        (claim,) = await lease(ledger)
        assert await step(ledger, claim.delivery, Deferred(NOW + 5))
        assert await names(ledger, now=NOW + 4) == []
        await lease(ledger, now=NOW + 5)
        await ledger.lapse(NOW + 100)

        assert await names(ledger, now=NOW + 100) == [b"envelope.of.1"]
        assert await states(ledger, second) == ["blocked"]

    async def test_several_steps_of_one_lane_in_one_call_are_taken_in_their_order(self, ledger: Ledger) -> None:
        first, second, third = (a_message(number, expires=MORNING + 30, **SAME) for number in (1, 2, 3))
        await keep(ledger, first, second, third)
        passed = await ledger.expire(NOW)
        assert [delivery.message for delivery in passed] == [third.key, second.key, first.key]

        changes = [Change(delivery, delivery.after(Expired())) for delivery in passed]
        assert await ledger.record_many(changes, now=NOW) == [True, True, True]

        assert await states(ledger, first, second, third) == ["expired"] * 3

    async def test_a_step_that_was_overtaken_by_the_freeing_before_it_is_not_written(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)
        head, blocked = await at(ledger, first), await at(ledger, second)

        ends = Change(head, head.after(Discarded()))
        assert await ledger.record_many([ends, Change(blocked, blocked.after(Discarded()))], now=NOW) == [True, False]

        assert await states(ledger, first, second) == ["discarded", "queued"]

    async def test_steps_that_follow_from_each_other_may_come_in_one_call(self, ledger: Ledger) -> None:
        first, second = a_message(1, **SAME), a_message(2, **SAME)
        await keep(ledger, first, second)
        queued = await at(ledger, first)
        leased = queued.after(Claimed("one", NOW + 30))
        freed = (await at(ledger, second)).after(Freed(NOW))
        steps = [(queued, leased), (leased, leased.after(Delivered())), (freed, freed.after(Discarded()))]

        assert await ledger.record_many([Change(*one) for one in steps], now=NOW) == [True, True, True]

        assert await states(ledger, first, second) == ["delivered", "discarded"]
