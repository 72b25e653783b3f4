"""A document that comes by a second way is delivered to nobody twice, and to everybody who has not got it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from gateway import checkpoints
from gateway.core.directory import Agency, System
from gateway.core.faults import Busy
from gateway.ports import Collected
from gateway.relay.second_way import AlreadyServed
from gateway.store.memory_documents import MemoryRegister
from tests.build import a_key
from tests.town import Town, a_pair, a_town, document, wishes_for

AXIS, FOLDER = "H33.40/axis", "H33.40/folder"


class Crashed(BaseException):
    """The process ends here."""


@pytest.fixture
def town() -> Town:
    """H33.05 sends by itself; two lines of H33.40 bring what others wrote; H33.16 and H33.30 take documents."""
    made = a_town()
    lines = []
    for name in (AXIS, FOLDER):
        made.signers[name], certificate = a_pair(name)
        lines.append(System(name, "H33.40", "folder", "gateway", certificates=(certificate,)))
    made.enrol(Agency("H33.40", "Nơi nối trục", "province", parent="H33", systems=tuple(lines)))
    return made


def an_item(town: Town, token: str = "1.edxml", to: str = "H33.16", **override: Any) -> Collected:
    origin = f"{token} {to}".encode()
    members = town.event(id=a_key(origin.decode()), to=to, **override)
    del members["source"]
    return Collected(token, members, hashlib.sha256(origin).hexdigest())


async def stories(town: Town) -> int:
    """How many lines the register has of the document of the town."""
    register = MemoryRegister(town.ledger)  # type: ignore[arg-type]
    data = document()
    return len(await register.story(data["documentId"], data["issuingOrganId"]))


async def known(town: Town) -> list[list[str]]:
    return [row["details"]["agencies"] for row in await town.journal("audit") if row["audit"] == "item.known"]


async def test_what_everybody_has_is_taken_and_becomes_no_message(town: Town) -> None:
    sent = await town.sent()
    town.desk(AXIS).outbox.append(an_item(town))

    assert await town.collect.once() == 1
    await town.work()

    assert town.desk(AXIS).settled == [("1.edxml", None)]
    assert await known(town) == [["H33.16"]]
    assert town.taken_by("H33.16/dms") == [sent.id]
    assert await stories(town) == 1
    assert await town.ledger.envelope(a_key("1.edxml H33.16")) is None


async def test_who_has_not_got_it_gets_it_by_the_second_way(town: Town) -> None:
    sent = await town.sent()
    town.desk(AXIS).outbox.append(an_item(town, to="H33.30 H33.16"))

    await town.collect.once()
    await town.work()

    (second,) = town.taken_by("H33.30/dms")
    assert town.taken_by("H33.16/dms") == [sent.id]
    assert (await town.record(second)).recipients == ("H33.30/dms",)
    assert town.desk(AXIS).settled == [("1.edxml", None)]
    assert await known(town) == []


async def test_what_was_cut_is_one_message_however_often_it_is_collected(town: Town) -> None:
    await town.sent()
    item = an_item(town, to="H33.30 H33.16")
    town.desk(AXIS).outbox.append(item)
    for point in ("accept.kept", "collect.accepted"):
        checkpoints.arm(point, 1, crash)
        with pytest.raises(Crashed):
            await town.collect.once()
        checkpoints.disarm()

    await town.collect.once()
    await town.work()

    assert len(town.taken_by("H33.30/dms")) == 1
    assert len(town.taken_by("H33.16/dms")) == 1
    assert town.desk(AXIS).settled == [("1.edxml", None)]


def crash() -> None:
    raise Crashed


async def test_of_two_ways_at_the_same_moment_one_is_the_second(town: Town) -> None:
    town.desk(AXIS).outbox.append(an_item(town))
    town.desk(FOLDER).outbox.append(an_item(town, "2.edxml"))

    sent, _ = await asyncio.gather(town.sent(), town.collect.once())
    await town.work()

    assert await stories(town) <= 2  # who sends by himself is never held back
    assert len(town.taken_by("H33.16/dms")) == await stories(town)
    assert sent.id in town.taken_by("H33.16/dms")
    assert len(await known(town)) >= 1


async def test_a_status_and_another_document_are_never_taken_for_known(town: Town) -> None:
    await town.sent()
    corrected = document(subject="V/v đính chính")
    town.desk(AXIS).outbox.append(an_item(town, data=corrected))

    await town.collect.once()
    await town.work()

    assert len(town.taken_by("H33.16/dms")) == 2
    assert await known(town) == []


async def test_a_refusal_is_a_refusal_by_any_way(town: Town) -> None:
    town.desk(AXIS).outbox.append(an_item(town, data={"documentId": "x"}))

    await town.collect.once()

    ((_, refusal),) = town.desk(AXIS).settled
    assert refusal is not None
    assert refusal[0] == "contract-violation"


async def test_each_system_of_an_agency_gets_what_it_subscribes_to(town: Town) -> None:
    archive = "H33.16/archive"
    _, certificate = a_pair(archive)
    await town.sent()
    agency = town.directory.agencies["H33.16"]
    other = System(
        archive, "H33.16", "webhook", certificates=(certificate,), subscriptions=wishes_for("document.issued")
    )
    town.enrol(replace(agency, systems=(*agency.systems, other)))
    town.desk(AXIS).outbox.append(an_item(town))

    await town.collect.once()
    await town.work()

    assert (len(town.taken_by("H33.16/dms")), len(town.taken_by(archive))) == (1, 1)


async def test_where_others_go_on_being_served_the_item_comes_again(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.sent()
    way = town.collect.second_way
    monkeypatch.setattr(type(way), "_left", lambda *_: ("H33.16",))

    item = an_item(town)
    answer = await way.take(town.system(AXIS), {**item.event, "source": AXIS}, item.origin)

    assert isinstance(answer, Busy)


async def test_who_was_served_is_told(town: Town) -> None:
    await town.sent()
    item = an_item(town)

    answer = await town.collect.second_way.take(town.system(AXIS), {**item.event, "source": AXIS}, item.origin)

    assert answer == AlreadyServed(document()["documentId"].upper(), ("H33.16",))
