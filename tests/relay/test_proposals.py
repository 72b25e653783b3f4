"""Lists of agencies come in as proposals, by file or from systems, and count once somebody approved them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.compose.lists import ListsInForce
from gateway.core.agency_list import AgencyList, Entry
from gateway.core.agency_reading import Reading, read_csv
from gateway.core.directory import Agency, Directory, System
from gateway.core.faults import IllegalStep, Misconfigured, Rejected, TransientFailure
from gateway.ports.agency_lists import Proposal
from gateway.relay.sync import REST, Sync
from gateway.store.memory import MemoryLedger
from gateway.store.memory_agency_lists import MemoryAgencyLists
from tests.town import Town, a_town, wishes_for

DAY = 86400.0
AXIS = "H33.14/axis"
FEW = [{"code": "G12", "name": "Bộ Tài chính"}, {"code": "H53", "name": "Tây Ninh"}]


def a_reading(*codes: str) -> Reading:
    return read_csv(("code,name\n" + "".join(f"{code},Cơ quan {code}\n" for code in codes)).encode())


async def approved(town: Town, source: str, *codes: str) -> Proposal:
    made = await town.proposals.propose(source, a_reading(*codes), by="cli:mau")
    assert made is not None
    return await town.proposals.decide(made.number, "approve", reason="đúng", actor="operator:mau")


async def test_a_proposal_says_what_it_would_change_and_is_on_record() -> None:
    town = a_town()
    await approved(town, "own", "H01", "H02")
    made = await town.proposals.propose("own", a_reading("H01", "H03"), by="cli:mau")

    assert made is not None
    assert (made.summary["counts"], made.summary["suspicious"], made.phase) == (
        {"gone": 1, "added": 1},
        True,
        "waiting",
    )
    assert [leaf["audit"] for leaf in await town.journal("audit")] == [
        "directory.proposed", "directory.approved", "directory.proposed",
    ]  # fmt: skip


async def test_what_is_in_force_already_is_no_proposal() -> None:
    town = a_town()
    await approved(town, "own", "H01", "H02")
    assert await town.proposals.propose("own", a_reading("H02", "H01"), by="cli:mau") is None


async def test_a_name_that_means_another_agency_here_is_told() -> None:
    town = a_town()
    read = read_csv("code,name,aliases\nH99,Lạ,H33.05\nH33.16,Y tế theo trục,\n".encode())
    made = await town.proposals.propose("own", read, by="cli:mau")
    assert made is not None
    assert [each["en"] for each in made.summary["clashes"]] == [
        "H33.05 is H33.05's as registered here, and H99's by the list"
    ]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_a_decision_needs_a_reason(reason: str) -> None:
    town = a_town()
    made = await town.proposals.propose("own", a_reading("H01"), by="cli:mau")
    assert made is not None
    with pytest.raises(Rejected, match="bad-request"):
        await town.proposals.decide(made.number, "approve", reason=reason, actor="operator:mau")
    assert (await town.proposals.find(made.number)).phase == "waiting"


async def test_what_is_not_there_or_was_decided_is_told_so() -> None:
    town = a_town()
    with pytest.raises(Rejected, match="not-found"):
        await town.proposals.decide(7, "reject", reason="x", actor="operator:mau")
    decided = await approved(town, "own", "H01")
    with pytest.raises(IllegalStep, match="illegal-state"):
        await town.proposals.decide(decided.number, "reject", reason="x", actor="operator:mau")


# --------------------------------------------------------------------------------------------------- from systems


@dataclass
class Line:
    """An adapter that tells agencies, or fails."""

    tells: list[Mapping[str, Any]] = field(default_factory=lambda: list(FEW))
    fails: Exception | None = None
    asked: int = 0

    async def fetch_agencies(self) -> AsyncIterator[Mapping[str, Any]]:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        for each in self.tells:
            yield each


def a_sync(town: Town, line: Any, every: float = DAY) -> Sync:
    axis = System(AXIS, "H33.14", "vdxp", subscriptions=wishes_for("document.issued"))
    centre = Agency("H33.14", "Trung tâm", "province", systems=(axis,))
    directory = Directory([*town.directory.agencies.values(), centre], [], gateway="H33.14/lgsp")
    return Sync(
        town.proposals, lambda: directory, lambda _: line, lambda system: system.name == AXIS, town.clock, every
    )


async def test_a_system_is_asked_once_a_day_and_what_it_tells_waits() -> None:
    town, line = a_town(), Line()
    sync = a_sync(town, line)

    assert await sync.once() == 1
    (waiting,) = await town.proposals.lists.proposals(phase="waiting")
    assert (waiting.source, waiting.made_by, waiting.summary["counts"]) == (AXIS, "gateway", {"added": 2})
    town.clock.moment += DAY - 1
    assert await sync.once() == 0
    assert line.asked == 1
    town.clock.moment += 1
    assert await sync.once() == 1
    assert line.asked == 2
    assert len(await town.proposals.lists.proposals()) == 1, "the same list is the same proposal"


async def test_all_that_it_tells_goes_by_way_of_it() -> None:
    town = a_town()
    made = await a_sync(town, Line()).of(System(AXIS, "H33.14", "vdxp"), by="cli:mau")
    assert made is not None
    packed = await town.proposals.lists.proposed(made.number)
    assert packed is not None
    assert AgencyList.unpack(AXIS, packed).carriers == {AXIS}


async def test_a_system_that_cannot_be_asked_is_left_alone_for_an_hour() -> None:
    town, line = a_town(), Line(fails=TransientFailure("away"))
    sync = a_sync(town, line)
    for moment, asked in ((0.0, 1), (REST - 1, 1), (1.0, 2)):
        town.clock.moment += moment
        assert await sync.once() == 0
        assert line.asked == asked


async def test_an_empty_list_is_taken_for_a_mistake() -> None:
    town = a_town()
    with pytest.raises(TransientFailure):
        await a_sync(town, Line([])).of(System(AXIS, "H33.14", "vdxp"), by="cli:mau")
    assert list(await town.proposals.lists.proposals()) == []


async def test_an_adapter_that_knows_no_agencies_says_what_to_do_instead() -> None:
    with pytest.raises(Rejected, match="bad-request"):
        await a_sync(a_town(), object()).of(System(AXIS, "H33.14", "inbox"), by="cli:mau")


async def test_nobody_is_asked_where_the_province_wants_it_so() -> None:
    town, line = a_town(), Line()
    assert await a_sync(town, line, every=0.0).once() == 0
    assert line.asked == 0


# --------------------------------------------------------------------------------------------------- what is in force


async def test_lists_in_force_are_read_once_and_again_when_they_change() -> None:
    town = a_town()
    await approved(town, AXIS, "H01")
    await approved(town, "own", "H02")
    lists = ListsInForce(town.proposals.lists)

    first = await lists.now()
    assert [each.source for each in first] == ["own", AXIS], "what people imported counts before what systems tell"
    await approved(town, "own", "H02", "H03")
    second = await lists.now()
    assert second[0].count == 2
    assert second[1] is first[1]


async def test_a_damaged_list_is_not_used() -> None:
    class Damaged(MemoryAgencyLists):
        async def body(self, source: str, digest: str) -> bytes | None:
            return AgencyList.of(source, [Entry("H99", "x")]).pack()

    town = a_town()
    town.proposals = type(town.proposals)(Damaged(MemoryLedger()), lambda: town.directory, town.clock)
    await approved(town, "own", "H01")
    with pytest.raises(Misconfigured):
        await ListsInForce(town.proposals.lists).now()
