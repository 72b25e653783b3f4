"""What time alone brings about: lapsed leases, expiry, outcomes owed, counted refusals, files that nobody names."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from gateway.core.delivery import State
from gateway.core.faults import Busy
from gateway.core.moments import format_moment
from gateway.ports import HeldFile
from gateway.relay.sweep import FILE_GRACE
from gateway.store.memory import MemoryLedger
from gateway.store.sqlite.connection import as_busy
from tests.build import MORNING, a_digest
from tests.town import Town, a_town, document

NAME = "H33.16/dms"
DAY = 86400.0


@pytest.fixture
def town() -> Town:
    return a_town()


async def put(town: Town, content: bytes, *systems: str) -> str:
    """A file in the spool that these systems may name."""

    async def once() -> AsyncIterator[bytes]:
        yield content

    sha256, size = await town.files.put(once(), limit=1024)
    for system in systems:
        held = HeldFile(sha256, size, "text/plain")
        at = town.clock.now()
        assert await town.ledger.grant_file(held, system, at=at, is_present=town.files.is_present)
    return sha256


async def test_a_lease_that_lapsed_is_given_back_and_its_recipient_told(town: Town) -> None:
    answer = await town.sent()
    await town.ledger.claim({NAME: 1}, owner="push:other", now=MORNING, until=MORNING + 28)
    await town.broker.wait(0)
    town.clock.moment += 27
    await town.sweep.once()
    assert (await town.delivery(answer)).state is State.LEASED
    town.clock.moment += 1
    await town.sweep.once()
    assert (await town.delivery(answer)).state is State.QUEUED
    assert NAME in await town.broker.wait(0)
    (attempt,) = await town.attempts(answer)
    assert (attempt.number, attempt.started_at, attempt.ended_at, attempt.outcome) == (
        1, MORNING, MORNING + 28, "lapsed",
    )  # fmt: skip


async def test_what_expired_has_its_receipt_and_frees_its_lane(town: Town) -> None:
    first = await town.sent(to="H33.20", expirytime=format_moment(MORNING + 5))
    second = await town.sent(to="H33.20")
    town.clock.moment += 6
    await town.sweep.once()
    assert (await town.delivery(first, "H33.20/dms")).state is State.EXPIRED
    assert (await town.delivery(second, "H33.20/dms")).state is State.QUEUED
    (receipt,) = [each for each in await town.journal("receipt") if each["receipt"] == "expired"]
    assert (receipt["id"], receipt["at"]) == (first.id, format_moment(MORNING + 6))
    assert "cause" not in receipt


async def test_a_whole_lane_that_expired_ends_at_once(town: Town) -> None:
    sent = [await town.sent(to="H33.20", expirytime=format_moment(MORNING + 5)) for _ in range(5)]
    town.clock.moment += 6
    assert len(await town.sweep.expire(town.clock.now())) == 5
    for each in sent:
        assert (await town.delivery(each, "H33.20/dms")).state is State.EXPIRED


async def test_what_has_no_expirytime_never_expires(town: Town) -> None:
    answer = await town.sent(to="H33.20")
    town.clock.moment += 400 * DAY
    await town.sweep.once()
    assert (await town.delivery(answer, "H33.20/dms")).state is State.QUEUED


async def test_refusals_of_strangers_are_written_down_in_time(town: Town) -> None:
    await town.accept.sealed_many([b"junk"] * 3, address="192.0.2.1")
    await town.sweep.once()
    await town.accept.sealed_many([b"junk"], address="192.0.2.1")
    town.clock.moment += 6
    await town.sweep.once()
    assert isinstance(town.ledger, MemoryLedger)
    assert town.ledger.refusals == Counter({("192.0.2.1", int(MORNING // 60), "malformed-envelope"): 4})
    assert town.accept.refusals == {}


async def test_refusals_that_a_busy_ledger_did_not_count_are_counted_the_next_time(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def turns_away(counts: object) -> None:
        await town.accept.sealed_many([b"junk"], address="192.0.2.1")
        raise as_busy()

    await town.accept.sealed_many([b"junk"] * 3, address="192.0.2.1")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(town.ledger, "count_refusals", turns_away)
        with pytest.raises(Busy):
            await town.sweep.once()
    town.clock.moment += 6
    await town.sweep.once()
    assert isinstance(town.ledger, MemoryLedger)
    assert town.ledger.refusals == Counter({("192.0.2.1", int(MORNING // 60), "malformed-envelope"): 4})
    assert town.accept.refusals == {}


async def test_refusals_are_kept_for_400_days(town: Town) -> None:
    for address, days in (("192.0.2.1", 0), ("192.0.2.2", 400), ("192.0.2.3", 1)):
        town.clock.moment += days * DAY
        await town.accept.sealed_many([b"junk"], address=address)
        await town.sweep.once()
    assert isinstance(town.ledger, MemoryLedger)
    assert [address for address, _, _ in town.ledger.refusals] == ["192.0.2.2", "192.0.2.3"]


async def test_a_file_that_nobody_names_is_forgotten_a_day_after_its_last_byte(town: Town) -> None:
    assert FILE_GRACE == DAY
    sha256 = await put(town, b"bytes", "H33.05/dms")
    await town.pass_time(DAY - 1, step=3600)
    assert town.files.is_present(sha256)
    await town.pass_time(1200, step=600)
    assert not town.files.is_present(sha256)
    refusal = await town.refused(data=document(files=[named(sha256)]))
    assert refusal.problem == "missing-file"


async def test_a_file_that_a_message_names_is_kept(town: Town) -> None:
    sha256 = await put(town, b"bytes", "H33.05/dms")
    await town.sent(data=document(files=[named(sha256)]))
    await town.pass_time(40 * DAY, step=DAY)
    assert town.files.is_present(sha256)


async def test_a_refused_message_keeps_no_file(town: Town) -> None:
    sha256 = await put(town, b"bytes", "H33.05/dms")
    await town.refused(to="H99", data=document(files=[named(sha256)]))
    await town.pass_time(2 * DAY, step=DAY / 2)
    assert not town.files.is_present(sha256)


async def test_a_quiet_round_changes_nothing(town: Town) -> None:
    answer = await town.sent(to="H33.20")
    before = (await town.record(answer), await town.ledger.journal())
    for _ in range(3):
        await town.sweep.once()
    assert (await town.record(answer), await town.ledger.journal()) == before


def named(sha256: str) -> dict[str, object]:
    assert sha256 == a_digest("bytes")
    return {"name": "a.txt", "mediaType": "text/plain", "size": 5, "sha256": sha256}
