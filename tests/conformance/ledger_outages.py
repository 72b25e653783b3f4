"""What a ledger promises about outages: named probers, what runs out of time, what is remembered, what is owed."""

from __future__ import annotations

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivered, Held
from gateway.ports import Change, Ledger
from tests.build import RECIPIENT, a_message, an_attempt, an_audit_row
from tests.conformance.ledger_tale import NOW, LedgerTale, at, keep, lease

OTHER = "H33.09/dms"


class Outages(LedgerTale):
    async def test_a_prober_is_claimed_by_its_id_and_nobody_else_with_it(self, ledger: Ledger) -> None:
        first, second = a_message(1), a_message(2)
        await keep(ledger, first, second)

        prober = second.deliveries[0].id
        claims = await ledger.claim({}, owner="one", now=NOW, until=NOW + 30, probers=[prober])

        assert [claim.delivery.id for claim in claims] == [prober]
        assert (await at(ledger, first)).state == "queued"

    async def test_a_prober_that_is_not_due_not_queued_or_not_known_is_not_claimed(self, ledger: Ledger) -> None:
        later, leased = a_message("later", notbefore=NOW + 60), a_message("leased")
        await keep(ledger, leased)
        await lease(ledger)
        await keep(ledger, later)
        asked = [later.deliveries[0].id, leased.deliveries[0].id, "00000000-0000-4000-8000-000000000000"]

        assert await ledger.claim({}, owner="two", now=NOW, until=NOW + 30, probers=asked) == []

    async def test_a_prober_that_is_also_next_in_turn_is_claimed_once(self, ledger: Ledger) -> None:
        message = a_message()
        await keep(ledger, message)

        asked = [message.deliveries[0].id]
        claims = await ledger.claim({RECIPIENT: 5}, owner="one", now=NOW, until=NOW + 30, probers=asked)

        assert [claim.delivery.id for claim in claims] == asked

    async def test_what_ran_out_of_time_is_found_oldest_deadline_first_and_not_changed(self, ledger: Ledger) -> None:
        short, long, other = a_message(1, patience=10.0), a_message(2, patience=1e6), a_message(3, to=(OTHER,))
        shorter = a_message(4, patience=5.0)
        await keep(ledger, short, long, other, shorter)

        late = await ledger.overdue(RECIPIENT, NOW + 3600)

        assert [each.id for each in late] == [shorter.deliveries[0].id, short.deliveries[0].id]
        assert (await at(ledger, short)).state == "queued"
        assert len(await ledger.overdue(RECIPIENT, NOW + 3600, limit=1)) == 1

    async def test_what_is_held_does_not_run_out_of_time(self, ledger: Ledger) -> None:
        message = a_message(patience=10.0)
        await keep(ledger, message)
        await ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())

        assert await ledger.overdue(RECIPIENT, NOW + 3600) == []

    async def test_how_a_destination_is_doing_is_remembered_until_it_is_quiet(self, ledger: Ledger) -> None:
        down = Breaker(7, NOW, is_open=True, prober="a", width=1)
        await ledger.keep_breaker(RECIPIENT, down)
        await ledger.keep_breaker(OTHER, Breaker(width=2))
        assert await ledger.breakers() == {RECIPIENT: down, OTHER: Breaker(width=2)}

        await ledger.keep_breaker(RECIPIENT, Breaker())
        assert await ledger.breakers() == {OTHER: Breaker(width=2)}

    async def test_the_payload_that_is_owed_is_kept_until_it_is_told(self, ledger: Ledger) -> None:
        message = a_message()
        await keep(ledger, message)
        (claim,) = await lease(ledger)
        after = claim.delivery.after(Delivered()).but(owes_outcome=True)
        await ledger.record_many([Change(claim.delivery, after, an_attempt(), leaf=b"{payload}")], now=NOW)

        assert await ledger.owed(after.id) == b"{payload}"
        await ledger.outcome_told([after])
        assert await ledger.owed(after.id) is None

    async def test_who_did_it_and_why_is_written_with_the_step_or_not_at_all(self, ledger: Ledger) -> None:
        message = a_message()
        await keep(ledger, message)
        before = await at(ledger, message)
        change = Change(before, before.after(Held(NOW)), audit=an_audit_row())
        stale = Change(before.but(attempts=9), before.after(Held(NOW)), audit=an_audit_row())

        assert await ledger.record_many([stale], now=NOW) == [False]
        assert [kind for _, kind, _ in await ledger.journal()] == ["receipt"]
        assert await ledger.record_many([change], now=NOW) == [True]
        assert [kind for _, kind, _ in await ledger.journal()] == ["receipt", "audit"]

    async def test_what_earns_no_receipt_leaves_no_leaf(self, ledger: Ledger) -> None:
        await keep(ledger, a_message(is_own=True, receipt="", receipt_payload=b""))

        assert await ledger.journal() == []
