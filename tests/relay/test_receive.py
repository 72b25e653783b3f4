"""An item that comes by a call takes the same path as one that is fetched, and is taken before anybody is told so."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.content import InMemory
from gateway.core.directory import Agency, System
from gateway.core.faults import Busy, Rejected, Text
from gateway.core.visit import NotReceived, Received
from gateway.ports import Collected, CollectedFile
from tests.build import a_key
from tests.town import Town, a_pair, a_town, document
from tests.trust.looking import an_inspect

NAME = "H33.05/dms"


@pytest.fixture
def town() -> Town:
    return a_town(H33_05={"adapter": "folder", "sealing": "gateway"})


def an_item(town: Town, origin: bytes = b"as it came", files: tuple[CollectedFile, ...] = (), **more: Any) -> Collected:
    members = town.event(id=a_key(origin.decode()), **more)
    del members["source"]
    return Collected("call", members, hashlib.sha256(origin).hexdigest(), files)


def a_file(content: bytes) -> CollectedFile:
    return CollectedFile("application/pdf", InMemory(content))


async def take(town: Town, item: Collected) -> Received | NotReceived:
    return await town.collect.receive.take(town.system(NAME), item)


async def audited(town: Town) -> list[str]:
    return [row["audit"] for row in await town.journal("audit")]


async def test_what_is_received_is_a_message_of_its_system_and_goes_on(town: Town) -> None:
    assert await take(town, an_item(town)) == Received(a_key("as it came"))
    await town.work()
    assert town.taken_by("H33.16/dms") == [a_key("as it came")]


async def test_the_same_again_is_said_to_be_a_repeat_also_at_the_same_moment(town: Town) -> None:
    found = await asyncio.gather(*(take(town, an_item(town)) for _ in range(5)))
    assert {each.id for each in found if isinstance(each, Received)} == {a_key("as it came")}
    assert sorted(each.repeated for each in found if isinstance(each, Received)) == [False, True, True, True, True]
    assert len(await town.ledger.deliveries()) == 1


async def test_the_same_id_with_other_bytes_is_refused(town: Town) -> None:
    await take(town, an_item(town))
    other = replace(an_item(town), origin="0" * 64)
    said = await take(town, other)
    assert isinstance(said, NotReceived)
    assert said.problem == "conflict"


async def test_what_breaks_its_contract_is_refused_with_the_places_and_noted(town: Town) -> None:
    said = await take(town, an_item(town, data=document(pages=-1)))
    assert isinstance(said, NotReceived)
    assert said.problem == "contract-violation"
    assert "/pages" in said.detail.vi
    assert "/pages" in said.detail.en
    assert await audited(town) == ["message.refused", "item.refused"]


async def test_all_files_are_kept_or_the_item_is_refused(town: Town) -> None:
    files = (a_file(b"small"), a_file(b"x" * 2000))
    said = await take(town, an_item(town, files=files))
    assert isinstance(said, NotReceived)
    assert said.problem == "too-large"
    assert await audited(town) == ["item.refused"]


async def test_a_document_that_everybody_has_is_taken_and_becomes_no_message() -> None:
    town, axis = a_town(), "H33.40/axis"
    town.signers[axis], certificate = a_pair(axis)
    line = System(axis, "H33.40", "folder", "gateway", certificates=(certificate,))
    town.enrol(Agency("H33.40", "Nơi nối trục", "province", parent="H33", systems=(line,)))
    await town.sent()

    said = await town.collect.receive.take(town.system(axis), an_item(town))

    assert said == Received(a_key("as it came"), repeated=True)
    assert await town.ledger.envelope(a_key("as it came")) is None
    assert await audited(town) == ["item.known"]


async def test_a_file_that_cannot_be_looked_at_now_makes_the_caller_come_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = an_inspect(town.ledger, town.files, town.clock, town)

    async def away(*_: Any) -> None:
        raise Busy("overloaded", Text("Chưa quét được.", "It cannot be scanned now."))

    monkeypatch.setattr(type(looking), "arriving", away)
    receive = replace(town.collect.receive, inspect=looking)
    with pytest.raises(Busy):
        await receive.take(town.system(NAME), an_item(town, files=(a_file(b"scan"),)))
    assert await town.ledger.envelope(a_key("as it came")) is None


async def test_an_infected_file_is_refused_in_words(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = an_inspect(town.ledger, town.files, town.clock, town)

    async def infected(*_: Any) -> None:
        raise Rejected("infected-file", Text("Tệp có mã độc.", "The file holds malware."))

    monkeypatch.setattr(type(looking), "arriving", infected)
    receive = replace(town.collect.receive, inspect=looking)
    said = await receive.take(town.system(NAME), an_item(town, files=(a_file(b"scan"),)))
    assert said == NotReceived("infected-file", Text("Tệp có mã độc.", "The file holds malware."))


async def test_a_system_that_signs_for_itself_brings_nothing_by_calls() -> None:
    town = a_town()
    said = await town.collect.receive.take(town.system(NAME), an_item(town))
    assert isinstance(said, NotReceived)
    assert said.problem == "sealing-not-allowed"
