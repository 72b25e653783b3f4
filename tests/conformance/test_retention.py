"""The promises of ``ports.retention``: one suite, inherited by every backend."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from gateway.core.backfill import Phase
from gateway.core.delivery import Claimed, Delivered, Discarded, Expired, Refused, Replayed
from gateway.core.retention import Ages
from gateway.ports import Accepted, Change, Derived, HeldFile, Ledger, NewMessage, Record, Taken
from gateway.ports.backfills import Backfills
from gateway.ports.retention import Retention, Retired
from gateway.store.memory import MemoryLedger
from gateway.store.memory_backfills import MemoryBackfills
from gateway.store.memory_retention import MemoryRetention
from gateway.store.postgres.backfills import PostgresBackfills
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.retention import PostgresRetention
from gateway.store.sqlite.backfills import SqliteBackfills
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.retention import SqliteRetention
from tests.build import MORNING, SENDER, a_delivery, a_digest, a_key, a_message, an_attempt
from tests.conformance.ledger_tale import NOW, at, keep, lease, step
from tests.conformance.test_backfills import Office

DAY: Final = 86400.0
#: When all that the tests kept is old, by the tests' clock and by that of a server: months ago.
LATER: Final = max(MORNING, time.time()) + 100 * DAY
DATA: Final = Ages(data=30 * DAY)
ATTEMPTS: Final = Ages(attempts=30 * DAY)
ALL: Final = Ages(data=30 * DAY, attempts=30 * DAY, metadata=30 * DAY)
TARGET: Final = "document.issued/2.0"
FILE: Final = a_digest("a file")


@dataclass(slots=True)
class Archive:
    """A ledger, what makes late deliveries on it, and what takes old things out of it."""

    ledger: Ledger
    backfills: Backfills
    retention: Retention

    async def come(self, moment: float) -> None:
        """Let the store know that so much time has passed, as its own clock would."""
        if isinstance(self.ledger, PostgresLedger):
            await self.ledger.ensure_partitions(moment)

    async def retire(self, ages: Ages, *, now: float = LATER, limit: int = 100) -> Retired:
        """Everything that is old, in as many calls as it takes."""
        await self.come(now)
        bodies = attempts = messages = calls = 0
        months: list[str] = []
        found = Retired()
        while calls == 0 or found.mark is not None:
            found = await self.retention.retire(ages, now=now, limit=limit, after=found.mark)
            bodies, attempts, messages = (
                bodies + found.bodies, attempts + found.attempts, messages + found.messages,
            )  # fmt: skip
            months += found.months
            calls += 1
            assert calls < 1000, "it never ends"
        return Retired(bodies, attempts, messages, tuple(months))

    async def taken(self, message: NewMessage) -> None:
        """Keep a message and bring it to its recipient, who proves it."""
        await keep(self.ledger, message)
        for claim in await lease(self.ledger):
            done = Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt(), proof=b"proof")
            assert await self.ledger.record_many([done], now=NOW) == [True]

    async def dead(self, message: NewMessage) -> None:
        """Keep a message that its recipient refuses."""
        await keep(self.ledger, message)
        assert await step(self.ledger, await at(self.ledger, message), Refused(), attempt=an_attempt(outcome="refused"))

    async def named(self, message: NewMessage) -> None:
        """Keep a message that names FILE, which its sender uploaded, and bring it to its recipient."""
        held = HeldFile(FILE, 5, "text/plain")
        assert await self.ledger.grant_file(held, SENDER, at=MORNING, is_present=lambda _: True)
        await self.taken(message)

    async def found(self, message: NewMessage) -> Record:
        record = await self.ledger.find(message.key)
        assert record is not None
        return record

    async def swept(self) -> list[str]:
        removed: list[str] = []
        await self.ledger.sweep_files(LATER, remove=removed.append)
        return removed


def again(message: NewMessage) -> Accepted:
    return Accepted(message.id, message.recipients, message.receipt, repeated=True)


class RetentionSuite:
    """Every promise; a backend adds how to make all three, in an empty folder or database."""

    def new(self, folder: Path) -> Archive:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def archive(self, tmp_path: Path) -> AsyncIterator[Archive]:
        made = self.new(tmp_path)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    # ------------------------------------------------------------------------------------------------------- what goes

    async def test_without_ages_nothing_goes(self, archive: Archive) -> None:
        message = a_message()
        await archive.taken(message)

        assert not (await archive.retire(Ages())).is_any
        assert await archive.ledger.envelope(message.key) == message.envelope

    async def test_what_is_younger_than_its_age_stays(self, archive: Archive) -> None:
        message = a_message()
        await archive.taken(message)
        before = await archive.found(message)

        ages = Ages(data=300 * DAY, attempts=300 * DAY, metadata=300 * DAY)
        assert not (await archive.retire(ages)).is_any
        assert await archive.found(message) == before
        assert await archive.ledger.envelope(message.key) == message.envelope

    async def test_old_data_goes_and_all_that_was_told_stays(self, archive: Archive) -> None:
        message = a_message()
        await archive.taken(message)
        before = await archive.found(message)

        assert (await archive.retire(DATA)).is_any
        assert await archive.ledger.envelope(message.key) is None
        assert await archive.found(message) == before
        assert not (await archive.retire(DATA)).is_any

    async def test_old_attempts_go_and_their_deliveries_stay(self, archive: Archive) -> None:
        message = a_message()
        await archive.taken(message)

        assert (await archive.retire(ATTEMPTS)).is_any
        (told,) = (await archive.found(message)).deliveries
        assert (told.delivery.state, told.delivery.attempts, told.attempts) == ("delivered", 1, ())
        assert told.proof == b"proof"
        assert await archive.ledger.envelope(message.key) == message.envelope

    async def test_old_metadata_goes_and_nothing_is_known_of_the_message(self, archive: Archive) -> None:
        message = a_message()
        await archive.taken(message)

        assert (await archive.retire(ALL)).is_any
        assert await archive.ledger.find(message.key) is None
        assert await archive.ledger.envelope(message.key) is None
        assert await archive.ledger.delivery(message.deliveries[0].id) is None
        assert await archive.ledger.deliveries() == []
        assert not (await archive.retire(ALL)).is_any

    @pytest.mark.parametrize("end", [Delivered(), Expired(), Discarded()], ids=["delivered", "expired", "discarded"])
    async def test_however_a_delivery_ended_its_message_goes(
        self, archive: Archive, end: Delivered | Expired | Discarded
    ) -> None:
        message = a_message()
        await keep(archive.ledger, message)
        assert await step(archive.ledger, await at(archive.ledger, message), end)

        await archive.retire(ALL)
        assert await archive.ledger.find(message.key) is None

    async def test_a_message_for_nobody_goes(self, archive: Archive) -> None:
        message = a_message(to=())
        await keep(archive.ledger, message)

        await archive.retire(ALL)
        assert await archive.ledger.find(message.key) is None

    async def test_all_goes_in_small_steps_too(self, archive: Archive) -> None:
        messages = [a_message(each, type=f"type-{each % 3}") for each in range(10)]
        for message in messages:
            await archive.taken(message)
        stuck = a_message("stuck")
        await archive.dead(stuck)

        await archive.retire(ALL, limit=1)
        assert [await archive.ledger.find(message.key) for message in messages] == [None] * 10
        assert await archive.ledger.envelope(stuck.key) == stuck.envelope

    # ------------------------------------------------------------------------------------------------------ what stays

    async def test_a_message_that_is_not_done_stays_whole_though_others_of_its_age_go(self, archive: Archive) -> None:
        other = a_message("other", to=("H33.16/dms",))
        await archive.taken(other)
        stuck, waiting = a_message("stuck"), a_message("waiting")
        await archive.dead(stuck)
        await keep(archive.ledger, waiting)

        assert (await archive.retire(ALL)).is_any
        assert await archive.ledger.find(other.key) is None
        for message in (stuck, waiting):
            assert await archive.ledger.envelope(message.key) == message.envelope
            assert len((await archive.found(message)).deliveries) == 1
        ((tried,),) = [told.attempts for told in (await archive.found(stuck)).deliveries]
        assert tried.outcome == "refused"

    async def test_one_recipient_who_waits_keeps_the_message_for_all(self, archive: Archive) -> None:
        message = a_message(to=("H33.16/dms", "H33.09/dms"))
        await archive.taken(message)

        await archive.retire(ALL)
        record = await archive.found(message)
        assert [told.delivery.state.value for told in record.deliveries] == ["delivered", "queued"]
        assert record.deliveries[0].proof == b"proof"
        assert [claim.envelope for claim in await lease(archive.ledger, "H33.09/dms")] == [message.envelope]

    async def test_what_was_kept_for_a_dead_delivery_goes_once_it_has_ended(self, archive: Archive) -> None:
        message = a_message()
        await archive.dead(message)
        await archive.retire(ALL)
        assert await step(archive.ledger, await at(archive.ledger, message), Replayed(LATER), now=LATER)
        (claim,) = await lease(archive.ledger, now=LATER)
        assert claim.envelope == message.envelope
        assert await step(archive.ledger, claim.delivery, Delivered(), now=LATER)

        await archive.retire(ALL, now=LATER + 100 * DAY)
        assert await archive.ledger.find(message.key) is None

    async def test_what_is_leased_stays(self, archive: Archive) -> None:
        message = a_message()
        await keep(archive.ledger, message)
        assert await step(archive.ledger, await at(archive.ledger, message), Claimed("one", NOW + 30))

        await archive.retire(ALL)
        assert await archive.ledger.envelope(message.key) == message.envelope

    async def test_a_message_whose_sender_is_owed_an_outcome_stays_until_it_is_told(self, archive: Archive) -> None:
        message = a_message()
        await keep(archive.ledger, message)
        before = await at(archive.ledger, message)
        after = before.after(Discarded()).but(owes_outcome=True)
        assert await archive.ledger.record_many([Change(before, after, leaf=b"{}")], now=NOW) == [True]

        await archive.retire(ALL)
        assert await archive.ledger.owed(before.id) == b"{}"
        assert (await archive.found(message)).deliveries[0].delivery.owes_outcome

        await archive.ledger.outcome_told([after])
        await archive.retire(ALL)
        assert await archive.ledger.find(message.key) is None

    async def test_the_journal_is_never_touched(self, archive: Archive) -> None:
        await archive.taken(a_message())
        before = await archive.ledger.journal()

        await archive.retire(ALL)
        assert await archive.ledger.journal() == before
        assert before

    # ------------------------------------------------------------------------------------------------ ids, translations

    async def test_a_repeat_gets_the_first_answer_after_everything_went(self, archive: Archive) -> None:
        message, other = a_message(), a_message(repeat_digest=a_digest("other"))
        await archive.taken(message)
        await archive.retire(ALL)

        assert await archive.ledger.accept_many([message, other]) == [again(message), Taken()]
        asked = {message.key: (message.source, message.repeat_digest)}
        assert await archive.ledger.known(asked) == {message.key: again(message)}
        assert await archive.ledger.find(message.key) is None

    async def test_a_translation_goes_with_the_data_and_its_id_stays_taken(self, archive: Archive) -> None:
        message = a_message()
        made = Derived(a_key("translated"), message.key, TARGET, b"translated")
        await keep(archive.ledger, message)
        await archive.ledger.keep_derived(made)
        assert await step(archive.ledger, await at(archive.ledger, message), Delivered())

        await archive.retire(DATA)
        assert await archive.ledger.derived(message.key, TARGET) is None
        assert await archive.ledger.find(made.key) == await archive.found(message)
        await archive.retire(ALL)
        assert await archive.ledger.find(made.key) is None
        assert await archive.ledger.accept_many([a_message("new", key=made.key)]) == [Taken()]

    async def test_work_goes_on_as_before_after_everything_went(self, archive: Archive) -> None:
        await archive.taken(a_message(1))
        await archive.retire(ALL)

        await archive.dead(a_message(2))
        await archive.taken(a_message(3))
        (told,) = (await archive.found(a_message(3))).deliveries
        assert (told.delivery.state, len(told.attempts), told.proof) == ("delivered", 1, b"proof")
        assert len(await archive.ledger.deliveries()) == 2

    # ------------------------------------------------------------------------------------------ files, late subscribers

    async def test_a_file_is_swept_once_the_data_that_named_it_went(self, archive: Archive) -> None:
        message = a_message(files=(FILE,))
        await archive.named(message)
        assert await archive.swept() == []

        await archive.retire(DATA)
        assert await archive.swept() == [FILE]
        assert await archive.ledger.may_read_file(FILE, SENDER) is None

    async def test_a_file_that_a_younger_or_unfinished_message_names_stays(self, archive: Archive) -> None:
        await archive.named(a_message(1, files=(FILE,)))
        await keep(archive.ledger, a_message(2, files=(FILE,)))

        await archive.retire(DATA)
        assert await archive.swept() == []

    async def test_a_late_subscriber_is_told_that_the_data_is_gone(self, archive: Archive) -> None:
        await archive.taken(a_message(1))
        await archive.taken(a_message(2))
        office = Office(archive.ledger, archive.backfills)
        request = await office.asked()
        await archive.retire(DATA)

        piece = await office.missed(request)
        assert [(found.envelope, found.is_recipient) for found in piece.found] == [(None, False)] * 2

    async def test_a_late_delivery_is_not_made_of_data_that_went_meanwhile(self, archive: Archive) -> None:
        await archive.taken(a_message(1))
        office = Office(archive.ledger, archive.backfills)
        request = await office.running()
        piece = await office.missed(request)
        await archive.retire(DATA)

        late = a_delivery(1, recipient="H33.40/dms")
        assert not await office.make(request, piece.end, [late])
        assert await archive.ledger.delivery(late.id) is None
        assert (await office.now()).phase is Phase.RUNNING

    async def test_a_late_delivery_keeps_its_message(self, archive: Archive) -> None:
        message = a_message(1)
        await archive.taken(message)
        office = Office(archive.ledger, archive.backfills)
        request = await office.running()
        piece = await office.missed(request)
        assert await office.make(request, piece.end, [a_delivery(1, recipient="H33.40/dms")])

        await archive.retire(ALL)
        assert [claim.envelope for claim in await lease(archive.ledger, "H33.40/dms", now=LATER)] == [message.envelope]
        assert [told.delivery.state for told in (await archive.found(message)).deliveries] == ["delivered", "leased"]


class TestMemoryRetention(RetentionSuite):
    def new(self, folder: Path) -> Archive:
        ledger = MemoryLedger()
        return Archive(ledger, MemoryBackfills(ledger), MemoryRetention(ledger))


class TestSqliteRetention(RetentionSuite):
    def new(self, folder: Path) -> Archive:
        ledger = SqliteLedger(folder / "ledger.db")
        return Archive(ledger, SqliteBackfills(ledger), SqliteRetention(ledger))


class TestPostgresRetention(RetentionSuite):
    @pytest.fixture
    async def archive(self, postgres_url: str) -> AsyncIterator[Archive]:
        ledger = PostgresLedger(postgres_url)
        await ledger.open()
        yield Archive(ledger, PostgresBackfills(ledger), PostgresRetention(ledger))
        await ledger.close()
