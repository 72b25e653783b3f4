"""What a ledger promises about leases and steps: nobody writes over another, nothing is handed out twice at a time."""

from __future__ import annotations

from gateway.core.delivery import Claimed, Deferred, Delivered, GaveUp, Held, Refused, Released, Replayed, State
from gateway.ports import Attempt, Change, Claim, Ledger
from tests.build import MORNING, RECIPIENT, SENDER, a_key, a_message, an_attempt, an_audit_row
from tests.conformance.ledger_tale import LEASE, NOW, LedgerTale, at, deliver, keep, lease, names, states, step

OTHER = "H33.09/dms"


class Leases(LedgerTale):
    async def test_a_claim_brings_what_is_needed_to_hand_the_message_over(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)

        leased = sent.deliveries[0].after(Claimed("one", NOW + LEASE))
        assert await lease(ledger) == [
            Claim(leased, sent.envelope, sent.id, sent.type, sent.version, sent.digest, sent.recipients)
        ]
        assert await at(ledger, sent) == leased

    async def test_what_is_leased_is_not_handed_out_again(self, ledger: Ledger) -> None:
        await keep(ledger, a_message())
        await lease(ledger)

        assert await lease(ledger, owner="two") == []
        assert await ledger.due(NOW) == (frozenset(), None)

    async def test_urgent_goes_first_then_what_is_due_longer_then_what_is_older(self, ledger: Ledger) -> None:
        await keep(
            ledger,
            a_message("normal"),
            a_message("later", accepted_at=MORNING + 5, priority=1),
            a_message("urgent", priority=1),
            a_message("express", priority=3, accepted_at=MORNING + 9),
            a_message("urgent too", priority=1),
            a_message("very urgent", priority=2),
        )

        order = ["express", "very urgent", "urgent", "urgent too", "later", "normal"]
        assert await names(ledger) == [f"envelope.of.{name}".encode() for name in order]

    async def test_each_recipient_gets_no_more_than_is_asked_for_it(self, ledger: Ledger) -> None:
        await keep(ledger, *(a_message(number, to=(RECIPIENT, OTHER)) for number in range(5)))

        claims = await ledger.claim({RECIPIENT: 2, OTHER: 3, "H33.77/none": 9}, owner="one", now=NOW, until=NOW + 30)

        assert [claim.delivery.recipient for claim in claims] == [RECIPIENT, RECIPIENT, OTHER, OTHER, OTHER]
        assert await ledger.claim({}, owner="one", now=NOW, until=NOW + 30) == []

    async def test_what_is_not_due_held_or_expired_is_not_claimed(self, ledger: Ledger) -> None:
        await ledger.hold(OTHER, at=MORNING, audit=an_audit_row())
        await keep(
            ledger,
            a_message("later", notbefore=NOW + 1),
            a_message("held", to=(OTHER,)),
            a_message("expired", expires=NOW),
        )

        assert await ledger.claim({RECIPIENT: 9, OTHER: 9}, owner="one", now=NOW, until=NOW + 30) == []

    async def test_due_names_recipients_and_the_next_moment(self, ledger: Ledger) -> None:
        assert await ledger.due(NOW) == (frozenset(), None)
        await keep(
            ledger,
            a_message(1),
            a_message(2, to=(OTHER,), priority=2),
            a_message(3, to=("H33.01/dms",), notbefore=NOW + 50),
            a_message(4, notbefore=NOW + 20, priority=3),
            a_message(5, to=("H33.02/dms",), expires=NOW),
        )

        assert await ledger.due(NOW) == (frozenset({RECIPIENT, OTHER}), NOW + 20)
        assert await ledger.due(NOW + 20) == (frozenset({RECIPIENT, OTHER}), NOW + 50)
        assert await ledger.due(NOW + 50) == (frozenset({RECIPIENT, OTHER, "H33.01/dms"}), None)

    async def test_a_lease_that_ended_is_given_back_and_uses_up_no_attempt(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await lease(ledger)

        assert await ledger.lapse(NOW + LEASE - 1) == []
        assert await ledger.lapse(NOW + LEASE + 2) == [await at(ledger, sent)]

        (claim,) = await lease(ledger, now=NOW + LEASE + 2)
        assert claim.delivery.attempts == 0
        record = await ledger.find(sent.key)
        assert record is not None
        assert record.deliveries[0].attempts == (Attempt(1, NOW, NOW + LEASE, "lapsed"),)

    async def test_the_lease_after_a_lapse_carries_the_same_number(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        (claim,) = await lease(ledger)
        failed = an_attempt(1, outcome="failed", status=503)
        await step(ledger, claim.delivery, Deferred(NOW), attempt=failed)
        await lease(ledger)
        await ledger.lapse(NOW + LEASE)
        (claim,) = await lease(ledger, now=NOW + LEASE)
        await step(ledger, claim.delivery, Delivered(), attempt=an_attempt(claim.delivery.attempts + 1))

        record = await ledger.find(sent.key)
        assert record is not None
        assert [(tried.number, tried.outcome) for tried in record.deliveries[0].attempts] == [
            (1, "failed"), (2, "lapsed"), (2, "taken"),
        ]  # fmt: skip

    async def test_the_next_lease_tells_that_the_last_one_lapsed_until_somebody_answers(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await lease(ledger)
        await ledger.lapse(NOW + LEASE)

        (again,) = await lease(ledger, now=NOW + LEASE)
        assert again.delivery.cause == "lapsed"
        await step(ledger, again.delivery, Deferred(NOW), attempt=an_attempt(1, outcome="failed"))
        (answered,) = await lease(ledger, now=NOW + LEASE)
        assert answered.delivery.cause is None

    async def test_a_process_that_starts_takes_back_its_own_leases_and_no_other(self, ledger: Ledger) -> None:
        mine, others = a_message(1), a_message(2)
        await keep(ledger, mine)
        await lease(ledger, owner="mine")
        await keep(ledger, others)
        await lease(ledger, owner="other's")

        assert [delivery.message for delivery in await ledger.lapse(NOW + 1, owner="mine")] == [mine.key]
        assert await states(ledger, mine, others) == ["queued", "leased"]
        record = await ledger.find(mine.key)
        assert record is not None
        assert record.deliveries[0].attempts == (Attempt(1, NOW, NOW + 1, "lapsed"),)

    async def test_a_lease_that_ends_during_a_hold_leaves_the_delivery_held(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await lease(ledger)
        await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())

        (given_back,) = await ledger.lapse(NOW + LEASE)

        assert given_back == await at(ledger, sent)
        assert given_back.state is State.HELD


class Steps(LedgerTale):
    async def test_a_step_is_written_with_its_attempt_its_leaf_and_its_proof(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        (claim,) = await lease(ledger)
        after = claim.delivery.after(Delivered()).but(owes_outcome=True)
        tried = an_attempt(detail="đã nhận")

        change = Change(claim.delivery, after, tried, leaf=b'{"receipt":"delivered"}', proof=b"their.own.receipt")
        assert await ledger.record_many([change], now=NOW) == [True]

        assert await at(ledger, sent) == after
        record = await ledger.find(sent.key)
        assert record is not None
        (kept,) = record.deliveries
        assert (kept.attempts, kept.proof) == ((tried,), b"their.own.receipt")
        leaves = [(1, "receipt", sent.receipt_payload), (2, "receipt", b'{"receipt":"delivered"}')]
        assert await ledger.journal() == leaves

    async def test_a_worker_whose_lease_ended_cannot_write_over_the_next_one(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        (late,) = await lease(ledger, owner="late")
        await ledger.lapse(NOW + LEASE)
        (claim,) = await lease(ledger, now=NOW + LEASE, owner="next")

        change = Change(late.delivery, late.delivery.after(Refused()), an_attempt(outcome="refused"), b"leaf", b"proof")
        assert await ledger.record_many([change], now=NOW + LEASE) == [False]

        assert await at(ledger, sent) == claim.delivery
        record = await ledger.find(sent.key)
        assert record is not None
        assert [tried.outcome for tried in record.deliveries[0].attempts] == ["lapsed"]
        assert record.deliveries[0].proof is None
        assert len(await ledger.journal()) == 1

    async def test_a_step_of_a_delivery_nobody_knows_is_not_written(self, ledger: Ledger) -> None:
        (unknown,) = a_message("never kept").deliveries

        assert not await step(ledger, unknown, Delivered())
        assert await ledger.record_many([], now=NOW) == []

    async def test_of_many_steps_each_stands_for_itself(self, ledger: Ledger) -> None:
        sent = [a_message(number) for number in range(140)]
        await keep(ledger, *sent)
        claims = await lease(ledger, limit=140)
        assert len(claims) == 140
        lost = {3, 64, 139}
        for place in lost:
            assert await step(ledger, claims[place].delivery, Deferred(NOW))

        changes = [Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt()) for claim in claims]
        written = await ledger.record_many(changes, now=NOW)

        assert [place for place, is_written in enumerate(written) if not is_written] == sorted(lost)
        assert len(await ledger.deliveries(states=["delivered"], limit=200)) == 137

    async def test_a_deferred_delivery_comes_again_when_it_is_due(self, ledger: Ledger) -> None:
        await keep(ledger, a_message())
        (claim,) = await lease(ledger)
        assert await step(ledger, claim.delivery, Deferred(NOW + 7.5), attempt=an_attempt(outcome="failed"))

        assert await ledger.due(NOW) == (frozenset(), NOW + 7.5)
        assert await lease(ledger, now=NOW + 7) == []
        (again,) = await lease(ledger, now=NOW + 7.5)
        assert again.delivery.attempts == 1

    async def test_expire_finds_what_nobody_took_in_time_and_changes_nothing(self, ledger: Ledger) -> None:
        await ledger.hold(OTHER, at=MORNING, audit=an_audit_row())
        sent = [
            a_message("leased", expires=NOW + 5, priority=3),
            a_message("queued", expires=NOW + 5, subject="lane"),
            a_message("blocked", expires=NOW + 4, subject="lane"),
            a_message("held", expires=NOW + 3, to=(OTHER,)),
            a_message("not yet", expires=NOW + 6),
            a_message("never"),
        ]
        await keep(ledger, *sent)
        await lease(ledger, limit=1)

        passed = await ledger.expire(NOW + 5)

        assert [delivery.message for delivery in passed] == [sent[3].key, sent[2].key, sent[1].key]
        assert passed == [await at(ledger, sent[3]), await at(ledger, sent[2]), await at(ledger, sent[1])]
        assert [delivery.message for delivery in await ledger.expire(NOW + 5, limit=1)] == [sent[3].key]

    async def test_outcomes_owed_are_told_once(self, ledger: Ledger) -> None:
        sent = [a_message(number) for number in (1, 2)]
        await keep(ledger, *sent)
        for claim in await lease(ledger):
            after = claim.delivery.after(Delivered()).but(owes_outcome=True)
            await ledger.record_many([Change(claim.delivery, after)], now=NOW)

        owing = await ledger.owing()
        assert [delivery.message for delivery in owing] == [message.key for message in sent]
        assert await ledger.owing(limit=1) == owing[:1]
        await ledger.outcome_told(owing)

        assert await ledger.owing() == []
        assert await at(ledger, sent[0]) == owing[0].but(owes_outcome=False)

    async def test_an_outcome_told_late_does_not_clear_a_newer_debt(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        (claim,) = await lease(ledger)
        dead = claim.delivery.after(Refused()).but(owes_outcome=True)
        replayed = dead.after(Replayed(NOW))
        again = replayed.after(GaveUp("deadline")).but(owes_outcome=True)
        steps = [Change(claim.delivery, dead), Change(dead, replayed), Change(replayed, again)]
        assert await ledger.record_many(steps, now=NOW) == [True, True, True]

        await ledger.outcome_told([dead])
        assert await ledger.owing() == [again]
        await ledger.outcome_told([again])
        assert await ledger.owing() == []


class Holds(LedgerTale):
    async def test_a_hold_stops_what_is_queued_and_what_comes_and_is_remembered(self, ledger: Ledger) -> None:
        sent, elsewhere = a_message(1), a_message(2, to=(OTHER,))
        await keep(ledger, sent, elsewhere)

        assert await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row()) == 1

        assert await at(ledger, sent) == sent.deliveries[0].after(Held(NOW))
        await keep(ledger, a_message(3))
        assert await names(ledger) == []
        assert await names(ledger, OTHER) == [b"envelope.of.2"]
        assert await ledger.holds() == {RECIPIENT: NOW}
        (leaf,) = [body for _, kind, body in await ledger.journal() if kind == "audit"]
        assert (
            leaf
            == (
                '{"audit":"destination.held","at":"2026-11-23T01:00:00.000Z","actor":"Nguyễn Văn Mẫu",'
                '"details":{"reason":"thử nghiệm"}}'
            ).encode()
        )

    async def test_a_second_hold_changes_nothing_but_the_journal(self, ledger: Ledger) -> None:
        await keep(ledger, a_message())
        await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())

        assert await ledger.hold(RECIPIENT, at=NOW + 9, audit=an_audit_row()) == 0

        assert await ledger.holds() == {RECIPIENT: NOW}
        assert len(await ledger.journal()) == 3

    async def test_a_release_queues_what_was_held_with_the_patience_it_had_left(self, ledger: Ledger) -> None:
        sent = a_message(patience=1000.0)
        await keep(ledger, sent)
        await ledger.hold(RECIPIENT, at=MORNING + 400, audit=an_audit_row())
        held = await at(ledger, sent)

        assert await ledger.release(RECIPIENT, at=MORNING + 90000, audit=an_audit_row("destination.released")) == 1

        released = await at(ledger, sent)
        assert released == held.after(Released(MORNING + 90000))
        assert released.deadline == MORNING + 90600
        assert await ledger.holds() == {}
        assert await ledger.release(RECIPIENT, at=NOW, audit=an_audit_row()) == 0

    async def test_what_is_leased_stays_so_and_is_held_when_it_comes_back(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        (claim,) = await lease(ledger)
        assert await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row()) == 0
        assert await at(ledger, sent) == claim.delivery

        assert await step(ledger, claim.delivery, Deferred(NOW + 5), now=NOW + 1)

        assert await at(ledger, sent) == claim.delivery.after(Deferred(NOW + 5)).after(Held(NOW + 1))

    async def test_a_replay_for_a_destination_on_hold_is_held(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await step(ledger, await at(ledger, sent), Refused())
        await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())

        assert await step(ledger, await at(ledger, sent), Replayed(NOW))

        assert await states(ledger, sent) == ["held"]

    async def test_many_held_deliveries_are_held_and_released_all(self, ledger: Ledger) -> None:
        await keep(ledger, *(a_message(number) for number in range(130)))

        assert await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row()) == 130
        assert await ledger.release(RECIPIENT, at=NOW, audit=an_audit_row()) == 130
        assert len(await lease(ledger, limit=500)) == 130


class Looking(LedgerTale):
    async def test_deliveries_are_listed_by_state_and_recipient_oldest_first(self, ledger: Ledger) -> None:
        sent = [a_message(number, to=(RECIPIENT, OTHER)) for number in range(4)]
        await keep(ledger, *sent)
        await step(ledger, await at(ledger, sent[2]), Refused())
        await step(ledger, await at(ledger, sent[0]), Refused())
        await deliver(ledger, sent[1])

        dead = await ledger.deliveries(states=["dead"])
        assert [delivery.message for delivery in dead] == [sent[0].key, sent[2].key]
        assert dead == await ledger.deliveries(states=["dead"], recipient=RECIPIENT)
        assert await ledger.deliveries(states=["dead"], recipient=OTHER) == []
        assert await ledger.deliveries(states=["dead"], limit=1) == dead[:1]
        both = await ledger.deliveries(states=["dead", "delivered"], recipient=RECIPIENT)
        assert [delivery.message for delivery in both] == [message.key for message in sent[:3]]
        assert len(await ledger.deliveries()) == 8
        assert len(await ledger.deliveries(recipient=OTHER, limit=3)) == 3

    async def test_every_state_can_be_asked_for(self, ledger: Ledger) -> None:
        await keep(ledger, a_message())

        assert {state: len(await ledger.deliveries(states=[state])) for state in State} == {
            state: int(state is State.QUEUED) for state in State
        }

    async def test_deliveries_of_a_message_are_told_in_the_order_of_its_recipients(self, ledger: Ledger) -> None:
        sent = a_message(to=("H33.30/a", "H33.10/b", "H33.20/c"), key=a_key("many"), source=SENDER)
        await keep(ledger, sent)

        record = await ledger.find(sent.key)
        assert record is not None
        assert tuple(kept.delivery.recipient for kept in record.deliveries) == sent.recipients
