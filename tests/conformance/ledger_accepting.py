"""What a ledger promises about accepting: once, for ever, each message for itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.core.delivery import Delivered, State
from gateway.ports import Accepted, Derived, FilesMissing, HeldFile, Ledger, Taken
from tests.build import MORNING, RECIPIENT, SENDER, a_digest, a_key, a_message, an_attempt, an_audit_row
from tests.conformance.ledger_tale import LedgerTale, at, keep, step


class Accepting(LedgerTale):
    async def test_a_message_is_kept_with_its_receipt_and_its_deliveries(self, ledger: Ledger) -> None:
        sent = a_message(to=("H33.16/dms", "H33.09/dms"))

        assert await ledger.accept_many([sent]) == [Accepted(sent.id, sent.recipients, sent.receipt)]

        record = await ledger.find(sent.key)
        assert record is not None
        assert (record.key, record.id, record.source, record.type, record.version, record.subject) == (
            sent.key, sent.id, sent.source, sent.type, sent.version, sent.subject,
        )  # fmt: skip
        assert (record.accepted_at, record.digest, record.recipients, record.receipt) == (
            sent.accepted_at, sent.digest, sent.recipients, sent.receipt,
        )  # fmt: skip
        assert [kept.delivery for kept in record.deliveries] == list(sent.deliveries)
        assert all(kept.attempts == () and kept.blocked_by is None and kept.proof is None for kept in record.deliveries)
        assert await ledger.envelope(sent.key) == sent.envelope

    async def test_a_delivery_is_kept_to_the_last_digit(self, ledger: Ledger) -> None:
        moments: dict[str, Any] = {
            "accepted_at": 1795395600.1234567,
            "notbefore": 1795395601.7654321,
            "expires": 1795999999.3333333,
        }
        sent = a_message(**moments, patience=1209600.1, priority=3, ordered=False, contract="document.issued/2.0")
        owed = sent.deliveries[0].but(owes_outcome=True, attempts=2, spent=1, replays=1, cause="refused")

        await keep(ledger, replace(sent, deliveries=(owed,)))

        assert await ledger.delivery(owed.id) == owed

    async def test_a_repeat_gets_the_first_answer_and_nothing_happens_twice(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        again = replace(sent, envelope=b"signed anew", digest=a_digest("anew"), receipt="another", receipt_payload=b"x")

        first = Accepted(sent.id, sent.recipients, sent.receipt, repeated=True)
        assert await ledger.accept_many([again, again]) == [first, first]

        assert await ledger.envelope(sent.key) == sent.envelope
        assert await ledger.journal() == [(1, "receipt", sent.receipt_payload)]
        assert len(await ledger.deliveries()) == 1

    async def test_an_id_with_another_payload_or_from_another_source_is_taken(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)

        other_payload = replace(sent, repeat_digest=a_digest("other"))
        other_source = replace(sent, source="H33.99/dms")
        assert await ledger.accept_many([other_payload, other_source]) == [Taken(), Taken()]

    async def test_the_id_of_a_translation_is_taken(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await ledger.keep_derived(Derived(a_key("translated"), sent.key, "document.issued/2.0", b"derived"))

        assert await ledger.accept_many([a_message("translated")]) == [Taken()]

    async def test_ids_doubled_within_one_batch_are_judged_like_any_repeat(self, ledger: Ledger) -> None:
        sent, other = a_message(), replace(a_message(), repeat_digest=a_digest("other"))

        answers = await ledger.accept_many([sent, sent, other])

        first = Accepted(sent.id, sent.recipients, sent.receipt)
        assert answers == [first, replace(first, repeated=True), Taken()]
        assert len(await ledger.deliveries()) == 1

    async def test_one_message_that_is_not_kept_spoils_no_other(self, ledger: Ledger) -> None:
        known = a_message("known")
        await keep(ledger, known)
        batch = [a_message(1), replace(known, source="H33.99/dms"), a_message(2, files=(a_digest("no"),)), a_message(3)]

        answers = await ledger.accept_many(batch)

        assert [type(answer) for answer in answers] == [Accepted, Taken, FilesMissing, Accepted]
        assert [await ledger.find(message.key) is not None for message in batch] == [True, True, False, True]
        assert await ledger.accept_many([]) == []

    async def test_a_message_for_nobody_is_kept_like_any_other(self, ledger: Ledger) -> None:
        sent = a_message(to=())

        assert await ledger.accept_many([sent]) == [Accepted(sent.id, (), sent.receipt)]

        record = await ledger.find(sent.key)
        assert record is not None
        assert (record.recipients, record.deliveries) == ((), ())

    async def test_known_says_what_accept_would_answer_and_is_silent_about_the_rest(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await ledger.keep_derived(Derived(a_key("translated"), sent.key, "document.issued/2.0", b"derived"))

        first = Accepted(sent.id, sent.recipients, sent.receipt, repeated=True)
        assert await ledger.known({sent.key: (sent.source, sent.repeat_digest)}) == {sent.key: first}
        asked = {
            sent.key: (sent.source, a_digest("other")),
            a_key("translated"): (SENDER, "any"),
            a_key("never seen"): (SENDER, "any"),
        }
        assert await ledger.known(asked) == {sent.key: Taken(), a_key("translated"): Taken()}
        assert await ledger.known({}) == {}

    async def test_many_messages_are_kept_in_their_order(self, ledger: Ledger) -> None:
        sent = [a_message(number) for number in range(150)]

        await keep(ledger, *sent)

        assert [kept.message for kept in await ledger.deliveries(limit=1000)] == [message.key for message in sent]
        assert [body for _, _, body in await ledger.journal(limit=1000)] == [one.receipt_payload for one in sent]

    async def test_a_message_is_found_by_the_id_of_its_translation(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        await ledger.keep_derived(Derived(a_key("translated"), sent.key, "document.issued/2.0", b"derived"))

        assert await ledger.find(a_key("translated")) == await ledger.find(sent.key)
        assert await ledger.find(a_key("never seen")) is None
        assert await ledger.envelope(a_key("never seen")) is None
        assert await ledger.delivery(a_key("never seen")) is None

    async def test_a_translation_is_kept_once_and_the_first_one_counts(self, ledger: Ledger) -> None:
        sent = a_message()
        await keep(ledger, sent)
        first = Derived(a_key("first"), sent.key, "document.issued/2.0", b"first")
        second = Derived(a_key("second"), sent.key, "document.issued/2.0", b"second")

        assert await ledger.derived(sent.key, "document.issued/2.0") is None
        assert await ledger.keep_derived(first) == first
        assert await ledger.keep_derived(second) == first
        assert await ledger.derived(sent.key, "document.issued/2.0") == first
        assert await ledger.derived(sent.key, "document.issued/3.0") is None


class Files(LedgerTale):
    FILE = HeldFile(a_digest("a scan"), 3, "application/pdf")

    async def upload(self, ledger: Ledger, system: str = SENDER, at: float = MORNING) -> None:
        assert await ledger.grant_file(self.FILE, system, at=at, is_present=lambda sha256: sha256 == self.FILE.sha256)

    async def test_a_message_may_name_what_its_source_uploaded(self, ledger: Ledger) -> None:
        await self.upload(ledger)

        await keep(ledger, a_message(files=(self.FILE.sha256,)))

    async def test_what_is_not_held_or_is_another_ones_is_missing_and_nothing_is_kept(self, ledger: Ledger) -> None:
        await self.upload(ledger, "H33.99/dms")
        sent = a_message(files=(a_digest("never uploaded"), self.FILE.sha256, a_digest("never uploaded")))

        missing = (a_digest("never uploaded"), self.FILE.sha256)
        assert await ledger.missing_files(SENDER, sent.files) == missing
        assert await ledger.accept_many([sent]) == [FilesMissing(missing)]

        assert await ledger.find(sent.key) is None
        assert await ledger.journal() == []
        assert await ledger.missing_files("H33.99/dms", [self.FILE.sha256]) == ()

    async def test_a_message_refused_for_its_files_is_a_first_one_when_they_are_there(self, ledger: Ledger) -> None:
        sent = a_message(files=(self.FILE.sha256,))
        await ledger.accept_many([sent])
        await self.upload(ledger)

        assert await ledger.accept_many([sent]) == [Accepted(sent.id, sent.recipients, sent.receipt)]

    async def test_the_gateway_itself_needs_no_right_but_the_bytes(self, ledger: Ledger) -> None:
        own = a_message(files=(self.FILE.sha256,), is_own=True)
        assert await ledger.accept_many([own]) == [FilesMissing((self.FILE.sha256,))]

        await self.upload(ledger, "H33.99/dms")

        await keep(ledger, own)

    async def test_bytes_that_are_gone_give_no_right(self, ledger: Ledger) -> None:
        assert not await ledger.grant_file(self.FILE, SENDER, at=MORNING, is_present=lambda _: False)
        assert await ledger.missing_files(SENDER, [self.FILE.sha256]) == (self.FILE.sha256,)

    async def test_a_recipient_may_name_a_file_once_it_took_a_delivery_with_it(self, ledger: Ledger) -> None:
        await self.upload(ledger)
        sent = a_message(files=(self.FILE.sha256,))
        await keep(ledger, sent)
        onward = a_message("onward", source=RECIPIENT, files=(self.FILE.sha256,))
        assert await ledger.accept_many([onward]) == [FilesMissing((self.FILE.sha256,))]

        (claim,) = await ledger.claim({RECIPIENT: 1}, owner="one", now=MORNING, until=MORNING + 30)
        assert await step(ledger, claim.delivery, Delivered(), attempt=an_attempt())

        await keep(ledger, onward)

    async def test_uploader_sender_and_recipients_may_read_a_file_and_nobody_else(self, ledger: Ledger) -> None:
        await self.upload(ledger, "H33.01/upload")
        await self.upload(ledger)
        assert await ledger.may_read_file(self.FILE.sha256, RECIPIENT) is None
        await keep(ledger, a_message(files=(self.FILE.sha256,)))

        for system in ("H33.01/upload", SENDER, RECIPIENT):
            assert await ledger.may_read_file(self.FILE.sha256, system) == self.FILE
        assert await ledger.may_read_file(self.FILE.sha256, "H33.99/dms") is None
        assert await ledger.may_read_file(a_digest("never uploaded"), SENDER) is None

    async def test_what_no_message_names_is_swept_a_while_after_its_last_grant(self, ledger: Ledger) -> None:
        await self.upload(ledger, at=MORNING)
        await self.upload(ledger, "H33.99/dms", at=MORNING + 10)
        removed: list[str] = []

        assert await ledger.sweep_files(MORNING + 10, remove=removed.append) == 0
        assert await ledger.sweep_files(MORNING + 11, remove=removed.append) == 1

        assert removed == [self.FILE.sha256]
        assert await ledger.may_read_file(self.FILE.sha256, SENDER) is None
        assert await ledger.missing_files(SENDER, [self.FILE.sha256]) == (self.FILE.sha256,)
        assert await ledger.sweep_files(MORNING + 11, remove=removed.append) == 0

    async def test_what_a_message_names_is_never_swept(self, ledger: Ledger) -> None:
        await self.upload(ledger)
        await keep(ledger, a_message(files=(self.FILE.sha256,)))
        removed: list[str] = []

        assert await ledger.sweep_files(MORNING + 86400, remove=removed.append) == 0
        assert removed == []

    async def test_a_swept_file_may_be_put_again(self, ledger: Ledger) -> None:
        await self.upload(ledger)
        await ledger.sweep_files(MORNING + 1, remove=lambda _: None)

        await self.upload(ledger, at=MORNING + 2)

        await keep(ledger, a_message(files=(self.FILE.sha256,)))

    async def test_a_sweep_takes_many_although_few_go_at_a_time(self, ledger: Ledger) -> None:
        digests = sorted(a_digest(number) for number in range(40))
        for sha256 in digests:
            await ledger.grant_file(HeldFile(sha256, 1, "text/plain"), SENDER, at=MORNING, is_present=lambda _: True)
        removed: list[str] = []

        assert await ledger.sweep_files(MORNING + 60, remove=removed.append) == 40
        assert sorted(removed) == digests

    async def test_a_sweep_takes_no_more_than_it_is_told(self, ledger: Ledger) -> None:
        for number in range(5):
            await ledger.grant_file(
                HeldFile(a_digest(number), 1, "text/plain"), SENDER, at=MORNING + number, is_present=lambda _: True
            )

        assert await ledger.sweep_files(MORNING + 60, remove=lambda _: None, limit=3) == 3
        assert await ledger.sweep_files(MORNING + 60, remove=lambda _: None, limit=3) == 2


class Keeping(LedgerTale):
    async def test_a_delivery_of_a_destination_on_hold_is_kept_held(self, ledger: Ledger) -> None:
        await ledger.hold(RECIPIENT, at=MORNING - 60, audit=an_audit_row())
        sent = a_message(to=(RECIPIENT, "H33.09/dms"))
        await keep(ledger, sent)

        held = await at(ledger, sent)
        assert (held.state, held.deadline, held.left) == (State.HELD, None, sent.deliveries[0].patience)
        assert await at(ledger, sent, 1) == sent.deliveries[1]
