"""The national axis is away for a day, in virtual time: nothing is lost or doubled, order is kept, others go on."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.vdxp import stand_in
from adapters.vdxp.adapter import Vdxp, open_adapter
from gateway.core.content import InMemory
from gateway.core.delivery import State
from gateway.core.directory import Agency, System
from gateway.ports import Accepted, HeldFile
from tests.adapters.fitting import Hands
from tests.town import Shelf, Town, a_pair, a_town, document, wishes_for

AXIS = "H33.14/axis"
MINISTRY = "G22"
HOUR = 3600.0
PDF = InMemory(b"%PDF-1.4\n%%EOF\n")


@dataclass(slots=True)
class Province:
    """A town with a line to the axis, which stands in for the whole country."""

    town: Town
    axis: stand_in.Axis
    adapter: Vdxp

    async def send(self, number: int, to: str) -> Accepted:
        """The document ``number``; ten of them follow one another in a lane."""
        own = f"H33.05,2026/11/23,{number}/STC-VP"
        named = {"name": "a.pdf", "mediaType": "application/pdf", "size": PDF.size, "sha256": PDF.sha256}
        data = document(documentId=own, issuingOrganId="H33.05", symbol=f"{number}/STC-VP", recipients=[to],
                        subject=f"V/v số {number}", files=[named])  # fmt: skip
        return await self.town.sent(subject=f"lane {number % 10}", to=to, data=data)

    def came(self) -> list[str]:
        """Subjects of what the axis has taken of the office's, in order."""
        return [kept.title for kept in self.axis.sent_by("H33.05") if kept.type == "edoc"]


@pytest.fixture
async def province(tmp_path: Path) -> AsyncIterator[Province]:
    town = a_town(Shelf({PDF.sha256: PDF.data}), H33_05={"subscriptions": wishes_for("document.status")})
    async with stand_in.agency(tmp_path) as axis:
        axis.now = town.clock.now
        pair, certificate = a_pair(AXIS)
        town.signers[AXIS] = pair
        wishes = wishes_for("document.issued", "document.status")
        line = System(name=AXIS, agency="H33.14", adapter="vdxp", sealing="gateway", certificates=(certificate,),
                      settings=axis.settings, subscriptions=wishes)  # fmt: skip
        town.enrol(Agency("H33.14", "Trung tâm", "province", (), "H33", (line,)))
        town.enrol(Agency(MINISTRY, "Văn phòng Chính phủ", "central", via=AXIS))
        hands = Hands(tmp_path)
        context = replace(
            hands.context("vdxp", axis.settings),
            system=line,
            now=town.clock.now,
            open_file=lambda sha256: io.BytesIO({PDF.sha256: PDF.data}[sha256]),
            read_secret=lambda path: (tmp_path / path).read_bytes(),
        )
        adapter = open_adapter(context)
        desks: dict[str, Any] = town.desks
        desks[AXIS] = adapter
        town.collect = replace(town.collect, collects=lambda system: system.name == AXIS)
        held = HeldFile(PDF.sha256, PDF.size, "application/pdf")
        await town.ledger.grant_file(held, "H33.05/dms", at=town.clock.now(), is_present=lambda _: True)
        try:
            yield Province(town, axis, adapter)
        finally:
            await adapter.close()


async def test_a_day_without_the_axis_loses_and_doubles_nothing_keeps_order_and_disturbs_nobody_else(
    province: Province,
) -> None:
    town = province.town
    await province.axis.go_down()
    for number in range(200):
        await province.send(number, MINISTRY)
    await province.send(1000, "H33.16")
    await town.work()
    assert len(town.taken_by("H33.16/dms")) == 1

    await town.pass_time(24 * HOUR, step=900)
    assert province.came() == []
    assert {each.state for each in await town.ledger.deliveries(recipient=AXIS, limit=1000)} <= {
        State.QUEUED,
        State.BLOCKED,
    }

    await province.axis.come_back()
    await town.pass_time(2 * HOUR, step=60)
    came = province.came()
    assert sorted(came) == sorted(f"V/v số {number}" for number in range(200))
    for lane in range(10):
        in_lane = [int(each.rpartition(" ")[2]) for each in came]
        numbers = [number for number in in_lane if number % 10 == lane]
        assert numbers == sorted(numbers)
    assert {each.state for each in await town.ledger.deliveries(recipient=AXIS, limit=1000)} == {State.DELIVERED}


async def test_what_the_ministry_reported_before_and_after_the_day_comes_back_once(province: Province) -> None:
    town, axis = province.town, province.axis
    await province.send(7, MINISTRY)
    await town.work()
    about = "H33.05,2026/11/23,7/STC-VP"
    report = {"sender": MINISTRY, "about": about, "of": "H33.05", "notation": "7/STC-VP"}
    axis.put(stand_in.a_report("01", **report), MINISTRY)
    await axis.go_down()
    for _ in range(24):
        assert await town.collect.once() == 0
        await town.pass_time(HOUR, step=HOUR)
    await axis.come_back()
    axis.put(stand_in.a_report("03", **report), MINISTRY)
    for _ in range(5):
        await town.collect.once()
        await town.pass_time(120, step=60)
    codes = [parcel.event["data"]["statusCode"] for parcel in town.desk("H33.05/dms").parcels]
    assert codes == ["01", "03"]
    assert await axis.waiting() == []
