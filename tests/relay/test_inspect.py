"""What is in files: known before they are named, kept from whom it would harm, told to whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.content import Content, InMemory
from gateway.core.delivery import State
from gateway.core.faults import Busy, Rejected, Text
from gateway.core.findings import Findings, Looked
from gateway.ports import Accepted, Collected, CollectedFile, HeldFile
from gateway.relay.inspect import LATER, FileRules, Inspect
from gateway.relay.upload import UploadLimits, Uploads
from gateway.store.uploads import UploadFolder
from tests.build import MORNING, a_key
from tests.town import Shelf, Town, a_town, document
from tests.trust.looking import Lens, Nose, an_inspect

SENDER, PUSHED, PULLED = "H33.05/dms", "H33.16/dms", "H33.20/dms"
GOOD, BAD, PLAIN, MALWARE = b"%PDF good", b"%PDF bad", b"plain", b"%PDF X5O-MALWARE"


def sha(data: bytes) -> str:
    return InMemory(data).sha256


def looked(verdict: str, reason: str = "", kind: str = "pdf") -> Looked:
    return Looked(kind, verdict, reason, by="a test")  # type: ignore[arg-type]


@dataclass
class Bench:
    """A town whose steps look at files."""

    town: Town
    lens: Lens = field(default_factory=Lens)
    nose: Nose = field(default_factory=Nose)
    inspect: Inspect = field(init=False)

    def __post_init__(self) -> None:
        self.lens.verdicts = {sha(GOOD): looked("valid"), sha(BAD): looked("invalid", "changed")}
        self.rule()

    def rule(self, **rules: Any) -> None:
        """Wire the steps under these rules; nothing that was kept is lost."""
        town = self.town
        made = an_inspect(
            town.ledger, town.files, town.clock, town, lens=self.lens, nose=self.nose, rules=FileRules(**rules)
        )
        if hasattr(self, "inspect"):
            made = replace(made, book=self.inspect.book)
        self.inspect = town.pull.inspect = made
        town.dispatch = replace(town.dispatch, inspect=made)
        town.collect = replace(town.collect, inspect=made)

    def wants(self, code: str, policy: str | None) -> None:
        """An agency's own word."""
        self.town.enrol(replace(self.town.directory.agencies[code], signatures=policy))  # type: ignore[arg-type]

    async def put(self, *contents: bytes) -> None:
        """Files that the sender may name, as if they had been uploaded before anybody looked at files."""
        for content in contents:

            async def chunks(content: bytes = content) -> AsyncIterator[bytes]:
                yield content

            sha256, size = await self.town.files.put(chunks(), limit=10**6)
            held = HeldFile(sha256, size, "application/pdf")
            assert await self.town.ledger.grant_file(held, SENDER, at=MORNING, is_present=self.town.files.is_present)

    async def send(self, *named: bytes | tuple[str, bytes], to: str = "H33.16", **given: Any) -> Accepted:
        """A message that names these files."""
        pairs = [("a.pdf", each) if isinstance(each, bytes) else each for each in named]
        await self.put(*(content for _, content in pairs))
        files = [
            {"name": name, "mediaType": "application/pdf", "size": len(content), "sha256": sha(content)}
            for name, content in pairs
        ]
        return await self.town.sent(to=to, data=document(files=files), **given)


@pytest.fixture
def bench() -> Bench:
    return Bench(a_town())


# ----------------------------------------------------------------------------------------------------------- the policy


async def test_by_default_a_bad_signature_is_told_and_nothing_is_held_back(bench: Bench) -> None:
    message = await bench.send(BAD)
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DELIVERED
    assert bench.lens.asked == [], "who does not block costs no look"
    (found,) = await bench.inspect.of_message(message.id.lower())
    assert found.short() == {"sha256": sha(BAD), "verdict": "invalid", "scanned": "not-scanned"}


@pytest.mark.parametrize("verdict", ["invalid", "revoked"])
async def test_an_agency_that_blocks_is_not_handed_a_bad_signature_and_the_sender_is_told_why(
    bench: Bench, verdict: str
) -> None:
    bench.wants("H33.16", "block")
    bench.lens.verdicts[sha(BAD)] = looked(verdict, "changed")
    message = await bench.send(GOOD, ("b.pdf", BAD))
    await bench.town.work()
    dead = await bench.town.delivery(message)
    assert (dead.state, dead.cause) == (State.DEAD, "refused")
    (attempt,) = await bench.town.attempts(message)
    assert (attempt.outcome, attempt.detail) == ("refused", f"signature: {verdict} (changed), file {sha(BAD)[:12]}")
    assert bench.town.desk(PUSHED).parcels == []

    (leaf,) = [leaf for leaf in await bench.town.journal("receipt") if leaf["receipt"] == "refused"]
    assert (leaf["cause"], leaf["reason"]) == ("refused", attempt.detail)
    await bench.town.sweep.once()
    await bench.town.work()
    (outcome,) = bench.town.desk(SENDER).parcels
    assert (outcome.event["type"], outcome.event["data"]["reason"]) == ("receipt.refused", attempt.detail)


@pytest.mark.parametrize("verdict", ["valid", "unsigned", "not-checked", "expired", "unknown-signer"])
async def test_no_other_verdict_blocks_unless_the_province_says_so(bench: Bench, verdict: str) -> None:
    bench.wants("H33.16", "block")
    bench.lens.verdicts[sha(BAD)] = looked(verdict)
    first = await bench.send(BAD, id=a_key("first"))
    await bench.town.work()
    assert (await bench.town.delivery(first)).state is State.DELIVERED

    bench.rule(blocking=frozenset({verdict}))
    second = await bench.send(BAD, id=a_key("second"))
    await bench.town.work()
    assert (await bench.town.delivery(second)).state is State.DEAD


async def test_what_the_province_says_holds_for_agencies_that_say_nothing(bench: Bench) -> None:
    bench.rule(policy="block")
    bench.wants("H33.30", "warn")
    message = await bench.send(BAD, to="H33.16 H33.30")
    await bench.town.work()
    assert (await bench.town.delivery(message, "H33.16/dms")).state is State.DEAD
    assert (await bench.town.delivery(message, "H33.30/dms")).state is State.DELIVERED


async def test_who_fetches_is_not_handed_it_either(bench: Bench) -> None:
    bench.wants("H33.20", "block")
    blocked = await bench.send(BAD, to="H33.20", id=a_key("bad"), subject="bad")
    good = await bench.send(GOOD, to="H33.20", id=a_key("good"), subject="good")
    leased = await bench.town.pull.lease(bench.town.system(PULLED), max=10, wait=0, visibility=30)
    assert len(leased) == 1
    assert (await bench.town.delivery(blocked, PULLED)).state is State.DEAD
    assert (await bench.town.delivery(good, PULLED)).state is State.LEASED
    (attempt,) = await bench.town.attempts(blocked, PULLED)
    assert attempt.detail == f"signature: invalid (changed), file {sha(BAD)[:12]}"


async def test_what_was_held_back_goes_after_a_replay_when_the_policy_changed(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    message = await bench.send(BAD)
    await bench.town.work()
    bench.wants("H33.16", "warn")
    await bench.town.operate.replay((await bench.town.delivery(message)).id, "xin lỗi", "operator:x")
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DELIVERED


async def test_what_was_held_back_goes_after_another_look_that_tells_otherwise(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    message = await bench.send(BAD)
    await bench.town.work()
    bench.lens.verdicts[sha(BAD)] = looked("valid")
    await bench.town.operate.replay((await bench.town.delivery(message)).id, "CRL mới", "operator:x")
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DEAD, "what is known of a file stays"

    again = await bench.inspect.again(sha(BAD))
    assert again is not None
    assert again.looked.verdict == "valid"
    await bench.town.operate.replay((await bench.town.delivery(message)).id, "CRL mới", "operator:x")
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DELIVERED


async def test_a_message_without_files_is_not_held_up_and_nobody_is_asked(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    message = await bench.town.sent()
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DELIVERED
    assert bench.lens.asked == []


async def test_a_bad_one_is_found_among_however_many(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    many = [(f"{number}.pdf", b"%%PDF %d" % number) for number in range(600)]
    message = await bench.send(*many, ("bad.pdf", BAD))
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DEAD


@dataclass
class Slow(Lens):
    """A lens that tells nothing before it may."""

    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, file: Content, beside: Content | None = None, *, now: float) -> Looked:
        await self.may.wait()
        return await super().look(file, beside, now=now)


async def test_a_slow_look_puts_a_delivery_off_goes_on_and_uses_up_no_attempt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow({sha(BAD): looked("invalid", "changed")})
    bench.lens = slow
    bench.rule(policy="block")
    trial, refusal = bench.town.dispatch._trial, bench.inspect.refusal
    monkeypatch.setattr(Inspect, "refusal", lambda _, key, system: refusal(key, system, within=0.01))
    message = await bench.send(BAD)
    for attempt in range(2):
        bench.town.clock.moment += LATER * attempt
        now = bench.town.clock.now()
        (claim,) = await bench.town.ledger.claim({PUSHED: 1}, owner="x", now=now, until=now + 28)
        tried = await trial.of(claim)
        assert tried is not None
        assert (tried.change.after.state, tried.change.after.due) == (State.QUEUED, now + LATER)
        assert tried.is_unasked
        assert await bench.town.ledger.record_many([tried.change], now=now) == [True]
    delivery = await bench.town.delivery(message)
    assert (delivery.attempts, await bench.town.attempts(message)) == (0, ())

    slow.may.set()
    monkeypatch.undo()
    bench.town.clock.moment += LATER
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DEAD
    assert slow.asked == [sha(BAD)], "one look, whoever waited for it"
    await bench.inspect.close()


async def test_slow_looks_say_nothing_about_the_destination(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow({})
    bench.lens = slow
    bench.rule(policy="block")
    refusal = bench.inspect.refusal
    monkeypatch.setattr(Inspect, "refusal", lambda _, key, system: refusal(key, system, within=0.01))
    sent = [await bench.send(b"%%PDF %d" % number, id=a_key(number), subject=str(number)) for number in range(40)]
    await bench.town.pass_time(60, step=2)
    assert bench.town.outages.down() == frozenset()
    assert bench.town.desk(PUSHED).parcels == []

    slow.may.set()
    await bench.town.pass_time(10, step=1)
    assert {(await bench.town.delivery(each)).state for each in sent} == {State.DELIVERED}
    assert {len(await bench.town.attempts(each)) for each in sent} == {1}
    await bench.inspect.close()


async def test_slow_looks_put_off_what_is_fetched_and_take_a_third_of_its_lease_in_all(bench: Bench) -> None:
    slow = Slow({sha(GOOD): looked("valid")})
    bench.lens = slow
    bench.rule(policy="block")
    for number in range(5):
        await bench.send(b"%%PDF %d" % number, to="H33.20", id=a_key(number), subject=str(number))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await bench.town.pull.lease(bench.town.system(PULLED), max=10, wait=0, visibility=1) == []
    assert loop.time() - began < 0.9

    slow.may.set()
    bench.town.clock.moment += LATER
    leased = await bench.town.pull.lease(bench.town.system(PULLED), max=10, wait=0, visibility=30)
    assert [each.attempt for each in leased] == [1] * 5
    await bench.inspect.close()


async def test_while_the_ledger_is_away_nobody_is_refused_anything(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    message = await bench.send(BAD)

    class Away:
        async def named(self, key: str) -> None:
            raise Busy("overloaded", Text("", ""))

    trial = bench.town.dispatch._trial
    broken = replace(bench.inspect, book=Away())  # type: ignore[arg-type]
    bench.town.dispatch._trial = replace(trial, inspect=broken)
    (claim,) = await bench.town.ledger.claim({PUSHED: 1}, owner="x", now=MORNING, until=MORNING + 60)
    with pytest.raises(Busy):
        await bench.town.dispatch._trial.of(claim)
    assert (await bench.town.delivery(message)).state is State.LEASED


# ----------------------------------------------------------------------------------------------- what is looked at when


async def test_a_file_is_looked_into_once_whoever_asks_and_however_often(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    for number in range(3):
        await bench.send(GOOD, id=a_key(number))
    await bench.town.work()
    for _ in range(3):
        assert await bench.inspect.of(sha(GOOD)) is not None
    assert bench.lens.asked == [sha(GOOD)]


async def test_a_look_that_could_not_be_taken_is_taken_when_it_matters(bench: Bench) -> None:
    bench.wants("H33.16", "block")
    bench.lens.verdicts[sha(BAD)] = looked("not-checked", "busy")
    await bench.put(BAD)
    first = await bench.inspect.of(sha(BAD))
    assert first is not None
    assert first.looked.reason == "busy"
    bench.lens.verdicts[sha(BAD)] = looked("revoked", "certificate-revoked")
    message = await bench.send(BAD)
    await bench.town.work()
    assert (await bench.town.delivery(message)).state is State.DEAD


async def test_of_a_file_that_is_not_held_nothing_is_known(bench: Bench) -> None:
    assert await bench.inspect.of(sha(b"never seen")) is None
    assert await bench.inspect.again(sha(b"never seen")) is None


@pytest.mark.parametrize("name", ["a.pdf.p7s", "A.PDF.P7S", "a.pdf.sig", "a.pdf.p7b"])
async def test_a_detached_signature_is_held_to_the_file_of_its_name_in_the_same_message(
    bench: Bench, name: str
) -> None:
    signature = b"-----BEGIN CMS----- of plain"
    bench.wants("H33.16", "block")
    bench.lens.verdicts |= {
        sha(signature): looked("not-checked", "detached", "cms"),
        (sha(signature), sha(PLAIN)): looked("valid", kind="cms"),
        (sha(signature), sha(GOOD)): looked("invalid", "changed", "cms"),
    }
    right = await bench.send(("a.pdf", PLAIN), (name, signature), id=a_key("right"))
    wrong = await bench.send(("a.pdf", GOOD), (name, signature), id=a_key("wrong"), subject="other")
    alone = await bench.send(("b.pdf", GOOD), (name, signature), id=a_key("alone"), subject="third")
    await bench.town.work()

    assert [(await bench.town.delivery(each)).state for each in (right, wrong, alone)] == [
        State.DELIVERED,
        State.DEAD,
        State.DELIVERED,
    ]
    told = {each.sha256: each for each in await bench.inspect.of_message(right.id.lower())}
    assert (told[sha(signature)].looked.verdict, told[sha(signature)].about) == ("valid", sha(PLAIN))
    told = {each.sha256: each for each in await bench.inspect.of_message(alone.id.lower())}
    assert (told[sha(signature)].looked.reason, told[sha(signature)].about) == ("detached", "")
    asked = len(bench.lens.asked)
    await bench.inspect.of_message(right.id.lower())
    assert len(bench.lens.asked) == asked, "a pair is looked at once, too"


# ------------------------------------------------------------------------------------------------------------- uploads


@pytest.fixture
def uploads(bench: Bench, tmp_path: Path) -> Uploads:
    town = bench.town
    limits = UploadLimits(10**6)
    return Uploads(UploadFolder(tmp_path), town.files, town.ledger, town.clock, limits, bench.inspect)


async def uploaded(uploads: Uploads, bench: Bench, content: bytes) -> str:
    """Begin an upload and send all of it; answers its id."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    system = bench.town.system(SENDER)
    begun = await uploads.begin(system, len(content), sha256=sha(content), media_type="application/pdf", metadata="")
    try:
        await uploads.take(system, begun.id, 0, chunks())
    except (Rejected, Busy) as fault:
        fault.recipients = (begun.id,)
        raise
    return begun.id


async def test_an_uploaded_file_is_scanned_and_looked_into_before_it_may_be_named(
    uploads: Uploads, bench: Bench
) -> None:
    await uploaded(uploads, bench, GOOD)
    found = await bench.inspect.book.of(sha(GOOD))
    assert found == Findings(sha(GOOD), looked("valid"), MORNING, "clean", "a nose", MORNING)
    assert await bench.town.ledger.missing_files(SENDER, [sha(GOOD)]) == ()
    assert isinstance(bench.town.files, Shelf)
    assert bench.town.files.content[sha(GOOD)] == GOOD


async def test_what_comes_again_is_scanned_again_but_looked_into_once(uploads: Uploads, bench: Bench) -> None:
    await uploaded(uploads, bench, GOOD)
    bench.town.clock.moment += 60
    await uploaded(uploads, bench, GOOD)
    assert (bench.nose.scanned, bench.lens.asked) == (2, [sha(GOOD)])
    found = await bench.inspect.of(sha(GOOD))
    assert found is not None
    assert (found.looked_at, found.scanned_at) == (MORNING, MORNING + 60)


async def test_an_infected_upload_is_refused_and_nothing_of_it_is_kept(uploads: Uploads, bench: Bench) -> None:
    with pytest.raises(Rejected) as refused:
        await uploaded(uploads, bench, MALWARE)
    assert refused.value.problem == "infected-file"
    assert "Test.Malware" in refused.value.detail.vi
    assert isinstance(bench.town.files, Shelf)
    assert bench.town.files.content == {}
    assert await bench.inspect.book.of(sha(MALWARE)) is None
    with pytest.raises(Rejected, match="not-found"):
        await uploads.find(bench.town.system(SENDER), refused.value.recipients[0])


async def test_where_scanning_is_a_must_an_upload_waits_for_the_scanner_and_no_byte_is_lost(
    uploads: Uploads, bench: Bench, tmp_path: Path
) -> None:
    bench.rule(is_scan_required=True)
    town = bench.town
    uploads = Uploads(uploads.partials, town.files, town.ledger, town.clock, uploads.limits, bench.inspect)
    bench.nose.is_away = True
    with pytest.raises(Busy) as busy:
        await uploaded(uploads, bench, GOOD)
    assert (busy.value.problem, busy.value.retry_after) == ("overloaded", 60.0)
    assert await town.ledger.missing_files(SENDER, [sha(GOOD)]) == (sha(GOOD),)
    await uploads.sweep()

    bench.nose.is_away = False
    kept = await uploads.find(town.system(SENDER), busy.value.recipients[0])
    assert kept.is_kept
    assert await town.ledger.missing_files(SENDER, [sha(GOOD)]) == ()


async def test_where_it_is_none_a_file_is_taken_while_the_scanner_is_away_and_that_is_told(
    uploads: Uploads, bench: Bench
) -> None:
    bench.nose.is_away = True
    await uploaded(uploads, bench, GOOD)
    found = await bench.inspect.of(sha(GOOD))
    assert found is not None
    assert (found.scanned, found.scanner, found.scanned_at) == ("not-scanned", "away", None)


@pytest.mark.parametrize("required", [True, False])
async def test_a_file_too_large_for_the_scanner_is_refused_only_where_scanning_is_a_must(
    uploads: Uploads, bench: Bench, required: bool
) -> None:
    bench.rule(is_scan_required=required)
    town = bench.town
    uploads = Uploads(uploads.partials, town.files, town.ledger, town.clock, uploads.limits, bench.inspect)
    bench.nose.most = 3
    if required:
        with pytest.raises(Rejected, match="too-large"):
            await uploaded(uploads, bench, GOOD)
    else:
        await uploaded(uploads, bench, GOOD)
        found = await bench.inspect.of(sha(GOOD))
        assert found is not None
        assert (found.scanned, found.scanner) == ("not-scanned", "too-large")


# ----------------------------------------------------------------------------------------------------------- collecting


@pytest.fixture
def collecting() -> Bench:
    return Bench(a_town(H33_05={"adapter": "folder", "sealing": "gateway"}))


def an_item(bench: Bench, *contents: bytes) -> Collected:
    """An item as an adapter reads it."""
    files = tuple(CollectedFile("application/pdf", InMemory(content)) for content in contents)
    named = [
        {"name": f"{n}.pdf", "mediaType": each.media_type, "size": each.size, "sha256": each.sha256}
        for n, each in enumerate(files)
    ]
    members = bench.town.event(id=a_key("item"), data=document(files=named))
    del members["source"]
    return Collected("1.edxml", members, "a" * 64, files)


async def test_a_collected_file_is_scanned_and_looked_into_before_it_is_kept(collecting: Bench) -> None:
    collecting.town.desk(SENDER).outbox.append(an_item(collecting, GOOD))
    assert await collecting.town.collect.once() == 1
    found = await collecting.inspect.book.of(sha(GOOD))
    assert found is not None
    assert (found.looked.verdict, found.scanned) == ("valid", "clean")


async def test_an_item_with_an_infected_file_goes_back_in_words_and_nothing_of_it_is_kept(collecting: Bench) -> None:
    collecting.town.desk(SENDER).outbox.append(an_item(collecting, GOOD, MALWARE))
    assert await collecting.town.collect.once() == 1
    ((token, refusal),) = collecting.town.desk(SENDER).settled
    assert refusal is not None
    assert (token, refusal[0]) == ("1.edxml", "infected-file")
    assert isinstance(collecting.town.files, Shelf)
    assert collecting.town.files.content == {}
    (row,) = await collecting.town.journal("audit")
    assert (row["audit"], row["details"]["reason"]) == ("item.refused", "infected-file")


async def test_where_scanning_is_a_must_an_item_waits_with_its_agency_for_the_scanner(collecting: Bench) -> None:
    collecting.rule(is_scan_required=True)
    collecting.nose.is_away = True
    collecting.town.desk(SENDER).outbox.append(an_item(collecting, GOOD))
    assert await collecting.town.collect.once() == 0
    assert collecting.town.desk(SENDER).settled == []

    collecting.nose.is_away = False
    assert await collecting.town.collect.once() == 1
    assert collecting.town.desk(SENDER).settled == [("1.edxml", None)]
