"""Agencies that cannot send: what waits there is sealed for them, accepted, settled; twice is once, at any crash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import checkpoints
from gateway.core.content import InMemory
from gateway.core.delivery import State
from gateway.core.faults import Busy, Text, TransientFailure
from gateway.core.jws import split, verify
from gateway.ports import Acceptance, Collected, CollectedFile, NewMessage, Uncollectable
from gateway.relay.collect import BATCH
from gateway.store.memory import MemoryLedger
from tests.build import a_key
from tests.town import GATEWAY, Desk, Shelf, Town, a_town, document

NAME = "H33.05/dms"
FOLDER = {"adapter": "folder", "sealing": "gateway"}


@pytest.fixture
def town() -> Town:
    return a_town(H33_05=FOLDER)


def an_item(town: Town, token: str = "1.edxml", origin: bytes = b"as written", **override: Any) -> Collected:
    """An item as an adapter reads it: an event without source."""
    files = override.pop("files", ())
    members = town.event(id=a_key(origin.decode()), **override)
    del members["source"]
    return Collected(token, members, hashlib.sha256(origin).hexdigest(), files)


def a_file(content: bytes) -> CollectedFile:
    return CollectedFile("application/pdf", InMemory(content))


def naming(*contents: bytes) -> dict[str, Any]:
    files = [a_file(content) for content in contents]
    named = [
        {"name": "a.pdf", "mediaType": each.media_type, "size": each.size, "sha256": each.sha256} for each in files
    ]
    return {"data": document(files=named), "files": tuple(files)}


async def test_an_item_becomes_a_message_of_its_system_signed_with_its_key(town: Town) -> None:
    town.desk(NAME).outbox.append(an_item(town))
    assert await town.collect.once() == 1
    raw = await town.ledger.envelope(a_key("as written"))
    assert raw is not None
    sealed = split(raw)
    event = json.loads(sealed.payload)
    assert (event["source"], event["sealedby"]) == (NAME, GATEWAY)
    assert verify(town.signers[NAME].key.public_key(), sealed)
    await town.work()
    assert town.taken_by("H33.16/dms") == [a_key("as written")]
    assert town.desk(NAME).settled == [("1.edxml", None)]


async def test_its_files_are_kept_before_and_may_be_named(town: Town) -> None:
    town.desk(NAME).outbox.append(an_item(town, **naming(b"one", b"two")))
    assert await town.collect.once() == 1
    assert isinstance(town.files, Shelf)
    assert set(town.files.content.values()) == {b"one", b"two"}
    held = await town.ledger.may_read_file(a_file(b"one").sha256, "H33.16/dms")
    assert held is not None
    assert (held.size, held.media_type) == (3, "application/pdf")


async def test_an_item_without_its_files_is_refused(town: Town) -> None:
    members = naming(b"one")
    town.desk(NAME).outbox.append(an_item(town, data=members["data"]))
    assert await town.collect.once() == 1
    ((_, refusal),) = town.desk(NAME).settled
    assert refusal is not None
    assert refusal[0] == "missing-file"


async def test_the_same_bytes_collected_twice_are_one_message(town: Town) -> None:
    for token in ("1.edxml", "copy of 1.edxml"):
        town.desk(NAME).outbox.append(an_item(town, token))
    assert await town.collect.once() == 2
    assert town.desk(NAME).settled == [("1.edxml", None), ("copy of 1.edxml", None)]
    assert len(await town.ledger.deliveries()) == 1


async def test_an_item_whose_id_is_taken_by_other_bytes_is_a_conflict(town: Town) -> None:
    town.desk(NAME).outbox += [an_item(town), an_item(town, "2.edxml")]
    second = town.desk(NAME).outbox[1]
    assert isinstance(second, Collected)
    town.desk(NAME).outbox[1] = Collected(second.token, second.event, "0" * 64)
    await town.collect.once()
    (_, (token, refusal)) = town.desk(NAME).settled
    assert refusal is not None
    assert (token, refusal[0]) == ("2.edxml", "conflict")


async def test_a_refused_item_goes_back_in_words_and_is_remembered(town: Town) -> None:
    town.desk(NAME).outbox.append(an_item(town, data=document(pages=-1)))
    assert await town.collect.once() == 1
    ((token, refusal),) = town.desk(NAME).settled
    assert refusal is not None
    reason, detail = refusal
    assert (token, reason) == ("1.edxml", "contract-violation")
    assert "/pages" in detail.vi
    assert "/pages" in detail.en
    assert await town.ledger.deliveries() == []
    rows = [(row["audit"], row["actor"]) for row in await town.journal("audit")]
    assert rows == [("message.refused", NAME), ("item.refused", NAME)]


async def test_what_can_never_become_a_message_goes_back_with_its_reason(town: Town) -> None:
    told = Text("Không phải edXML.", "Not edXML.")
    town.desk(NAME).outbox.append(Uncollectable("junk.edxml", "not-xml", told))
    assert await town.collect.once() == 1
    assert town.desk(NAME).settled == [("junk.edxml", ("not-xml", told))]
    (row,) = await town.journal("audit")
    assert (row["audit"], row["details"]) == ("item.refused", {"item": "junk.edxml", "reason": "not-xml"})


async def test_a_system_that_signs_for_itself_is_not_sealed_for() -> None:
    town = a_town(H33_05={"adapter": "folder"})
    town.desk(NAME).outbox.append(an_item(town))
    await town.collect.once()
    ((_, refusal),) = town.desk(NAME).settled
    assert refusal is not None
    assert refusal[0] == "sealing-not-allowed"


async def test_one_agencys_trouble_does_not_stop_the_others() -> None:
    town = a_town(H33_05=FOLDER, H33_16=FOLDER)
    town.desk(NAME).script = [TransientFailure("the share is gone")]
    town.desk("H33.16/dms").outbox.append(an_item(town, to="H33.30"))
    town.desk(NAME).outbox.append(an_item(town, origin=b"waits"))
    assert await town.collect.once() == 1
    assert town.desk(NAME).settled == []
    assert await town.collect.once() == 0, "it is left alone for a while"
    town.clock.moment += 2.0
    assert await town.collect.once() == 1
    assert town.desk(NAME).settled == [("1.edxml", None)]


async def test_a_system_that_cannot_be_asked_is_asked_less_and_less_often_but_at_least_once_a_minute() -> None:
    town = a_town(H33_05=FOLDER)
    town.desk(NAME).script = [TransientFailure("the share is gone") for _ in range(1000)]
    for _ in range(600):
        await town.collect.once()
        town.clock.moment += 1.0

    asked = 1000 - len(town.desk(NAME).script)
    assert 10 < asked < 20


async def test_an_item_with_a_file_over_the_limit_is_refused_and_the_next_one_taken(town: Town) -> None:
    big = a_file(b"x" * 2000)  # over the limit of this town's files
    town.desk(NAME).outbox += [an_item(town, "big", b"big", files=(big,)), an_item(town, "small", b"small")]
    assert await town.collect.once() == 2
    (token, refusal), taken = town.desk(NAME).settled
    assert token == "big"
    assert refusal is not None
    assert refusal[0] == "too-large"
    assert taken == ("small", None)


async def test_a_refusal_that_cannot_be_told_waits_and_stops_neither_the_next_item_nor_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell = Desk.settle

    async def deaf(desk: Desk, token: str, refusal: tuple[str, Text] | None) -> None:
        if token == "big":
            raise TransientFailure("the share is gone")
        await tell(desk, token, refusal)

    monkeypatch.setattr(Desk, "settle", deaf)
    town = a_town(H33_05=FOLDER, H33_16=FOLDER)
    big = a_file(b"x" * 2000)  # over the limit of this town's files
    town.desk(NAME).outbox += [
        an_item(town, "big", b"big", files=(big,)),
        an_item(town, "small", b"small", subject="another lane"),
    ]
    town.desk("H33.16/dms").outbox.append(an_item(town, "other", b"other", to="H33.30"))
    assert await town.collect.once() == 2
    assert town.desk(NAME).settled == [("small", None)]
    assert town.desk("H33.16/dms").settled == [("other", None)]
    assert [item.token for item in town.desk(NAME).outbox] == ["big"]


async def test_only_systems_that_are_collected_from_are_asked(town: Town) -> None:
    town.desk("H33.16/dms").outbox.append(an_item(town))
    assert await town.collect.once() == 0
    assert town.desk("H33.16/dms").settled == []


async def test_items_arrive_in_the_order_in_which_they_waited(town: Town) -> None:
    town.desk(NAME).outbox += [an_item(town, str(number), str(number).encode()) for number in range(5)]
    await town.collect.once()
    await town.pass_time(5)
    assert town.taken_by("H33.16/dms") == [a_key(number) for number in range(5)]


async def test_what_follows_an_item_that_has_to_wait_waits_with_it_and_the_other_lanes_go_on(town: Town) -> None:
    class Narrow(Shelf):
        """A spool that cannot take one content at first."""

        is_full = True

        async def put(self, chunks: AsyncIterator[bytes], *, limit: int) -> tuple[str, int]:
            kept = b"".join([chunk async for chunk in chunks])
            if kept == b"stuck" and self.is_full:
                self.is_full = False
                raise Busy("overloaded", Text("Đĩa đầy.", "The disk is full."))

            async def again() -> AsyncIterator[bytes]:
                yield kept

            return await super().put(again(), limit=limit)

    town = a_town(Narrow(), H33_05=FOLDER)
    town.desk(NAME).outbox += [
        an_item(town, "letter", b"1", subject="lane 1", **naming(b"stuck")),
        an_item(town, "recall", b"2", subject="lane 1", **naming(b"free")),
        an_item(town, "other", b"3", subject="lane 2"),
    ]
    assert await town.collect.once() == 1
    assert town.desk(NAME).settled == [("other", None)]
    assert await town.collect.once() == 2
    assert [token for token, _ in town.desk(NAME).settled] == ["other", "letter", "recall"]


async def test_a_long_queue_is_collected_in_rounds_that_follow_each_other_at_once(town: Town) -> None:
    town.desk(NAME).outbox += [an_item(town, str(number), str(number).encode()) for number in range(2 * BATCH + 1)]
    await town.collect.rounds()
    assert len(town.desk(NAME).settled) == 2 * BATCH + 1


@pytest.mark.parametrize("point", ["collect.files-kept", "accept.judged", "accept.kept", "collect.accepted"])
async def test_after_a_crash_anywhere_the_item_is_collected_again_as_one_message(town: Town, point: str) -> None:
    town.desk(NAME).outbox.append(an_item(town, **naming(b"one")))
    checkpoints.arm(point, 1, _fall)
    with pytest.raises(PowerCut):
        await town.collect.once()
    checkpoints.disarm()
    assert town.desk(NAME).settled == []
    assert await town.collect.once() == 1
    assert town.desk(NAME).settled == [("1.edxml", None)]
    (delivery,) = await town.ledger.deliveries()
    assert delivery.state is State.QUEUED
    assert len(await town.journal("receipt")) == 1


class PowerCut(BaseException):
    """What no step can catch."""


def _fall() -> None:
    raise PowerCut


async def test_a_bus_that_is_busy_leaves_the_item_for_later() -> None:
    class Full(MemoryLedger):
        """A ledger that takes nothing while it is full."""

        full = True

        async def accept_many(self, messages: Any) -> list[Acceptance]:
            if self.full:
                raise Busy("overloaded", Text("Đầy.", "Full."))
            made: list[NewMessage] = list(messages)
            return await super().accept_many(made)

    ledger = Full()
    town = a_town(ledger=ledger, H33_05=FOLDER)
    town.desk(NAME).outbox.append(an_item(town))
    assert await town.collect.once() == 0
    assert town.desk(NAME).settled == []
    ledger.full = False
    assert await town.collect.once() == 1
