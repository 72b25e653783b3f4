"""A province on two lines at once, the national axis and a platform: what comes by both is delivered once."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.lgsp_rest import adapter as platform_adapter
from adapters.lgsp_rest import stand_in as platforms
from adapters.vdxp import adapter as axis_adapter
from adapters.vdxp import stand_in as axes
from gateway.core.content import InMemory
from gateway.core.directory import Agency, System
from gateway.ports import HeldFile
from tests.adapters.fitting import Hands
from tests.town import Shelf, Town, a_pair, a_town, document, wishes_for

AXIS, PLATFORM = "H33.14/axis", "H33.14/platform"
HOME, MINISTRY = "H33.16", "G22"
PDF = InMemory(b"%PDF-1.4\n%%EOF\n")


@dataclass(slots=True)
class Province:
    """A town with both lines."""

    town: Town
    axis: axes.Axis
    platform: platforms.Platform

    async def rounds(self) -> None:
        """Collect and deliver until nothing new comes."""
        for _ in range(6):
            await self.town.collect.once()
            await self.town.pass_time(120, step=60)

    async def known(self) -> list[str]:
        """By which line came what everybody had already."""
        return [row["actor"] for row in await self.town.journal("audit") if row["audit"] == "item.known"]


@pytest.fixture
async def province(tmp_path: Path) -> AsyncIterator[Province]:
    town = a_town(Shelf({PDF.sha256: PDF.data}))
    hands = Hands(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        axis = await stack.enter_async_context(axes.agency(tmp_path))
        platform = await stack.enter_async_context(platforms.agency(tmp_path))
        axis.now = town.clock.now
        systems = []
        lines: tuple[tuple[str, Any, Any], ...] = (
            (AXIS, axis.settings, axis_adapter.open_adapter),
            (PLATFORM, platform.settings, platform_adapter.open_adapter),
        )
        for name, settings, opened in lines:
            town.signers[name], certificate = a_pair(name)
            line = System(name=name, agency="H33.14", adapter="line", sealing="gateway", certificates=(certificate,),
                          settings=settings,
                          subscriptions=wishes_for("document.issued", "document.status"))  # fmt: skip
            systems.append(line)
            context = replace(
                hands.context("line", settings),
                system=line,
                now=town.clock.now,
                open_file=lambda sha256: io.BytesIO({PDF.sha256: PDF.data}[sha256]),
                read_secret=lambda path: (tmp_path / path).read_bytes(),
            )
            desks: dict[str, Any] = town.desks
            desks[name] = opened(context)
            stack.push_async_callback(desks[name].close)
        town.enrol(Agency("H33.14", "Trung tâm", "province", (), "H33", tuple(systems)))
        town.enrol(Agency(MINISTRY, "Văn phòng Chính phủ", "central", via=AXIS))
        town.enrol(Agency("G23", "Bộ mẫu", "central", via=PLATFORM))  # each line carries for somebody
        town.collect = replace(town.collect, collects=lambda system: system.adapter == "line", file_limit=1 << 20)
        held = HeldFile(PDF.sha256, PDF.size, "application/pdf")
        await town.ledger.grant_file(held, "H33.05/dms", at=town.clock.now(), is_present=lambda _: True)
        yield Province(town, axis, platform)


async def test_a_letter_that_comes_by_the_axis_and_by_the_platform_is_delivered_once_and_settled_at_both(
    province: Province,
) -> None:
    letter = axes.a_letter(7, to=[HOME], subject="V/v họp giao ban")
    province.axis.put(letter, MINISTRY)
    province.platform.put(letter, receiver=HOME)
    await province.rounds()
    (parcel,) = province.town.desk(f"{HOME}/dms").parcels
    assert parcel.event["data"]["subject"] == "V/v họp giao ban"
    assert await province.axis.waiting() == []
    assert province.platform.unsettled() == []
    assert len(await province.known()) == 1


async def test_a_letter_of_our_own_that_the_axis_brings_back_to_a_neighbour_is_not_delivered_again(
    province: Province,
) -> None:
    town = province.town
    own = "H33.05,2026/11/23,8/STC-VP"
    named = {"name": "8.pdf", "mediaType": "application/pdf", "size": PDF.size, "sha256": PDF.sha256}
    data = document(documentId=own, issuingOrganId="H33.05", symbol="8/STC-VP", recipients=[HOME, MINISTRY],
                    subject="V/v báo cáo quý", files=[named])  # fmt: skip
    await town.sent(to=f"{HOME} {MINISTRY}", subject=own, data=data)
    await town.work()
    (sent,) = province.axis.sent_by("H33.05")
    assert len(town.desk(f"{HOME}/dms").parcels) == 1

    # what the axis does with everybody that a letter names, whoever it was sent to
    province.axis.put(sent.relayed, "H33.05", [HOME])
    await province.rounds()
    assert len(town.desk(f"{HOME}/dms").parcels) == 1
    assert await province.axis.waiting() == []
    assert await province.known() == [AXIS]


async def test_a_correction_under_the_same_number_is_another_letter(province: Province) -> None:
    province.axis.put(axes.a_letter(9, to=[HOME], subject="V/v lịch họp"), MINISTRY)
    await province.rounds()
    province.platform.put(axes.a_letter(9, to=[HOME], subject="V/v lịch họp (đính chính)"), receiver=HOME)
    await province.rounds()
    subjects = [parcel.event["data"]["subject"] for parcel in province.town.desk(f"{HOME}/dms").parcels]
    assert subjects == ["V/v lịch họp", "V/v lịch họp (đính chính)"]


async def test_a_letter_that_is_sent_twice_on_the_axis_is_delivered_twice(province: Province) -> None:
    letter = axes.a_letter(10, to=[HOME], subject="V/v nhắc lại")
    for _ in range(2):
        province.axis.put(letter, MINISTRY)
        await province.rounds()
    assert len(province.town.desk(f"{HOME}/dms").parcels) == 2
    assert await province.known() == []

    # the other line is late with both
    for _ in range(2):
        province.platform.put(letter, receiver=HOME)
    await province.rounds()
    assert len(province.town.desk(f"{HOME}/dms").parcels) == 2
    assert await province.known() == [PLATFORM, PLATFORM]
    assert await province.axis.waiting() == []
    assert province.platform.unsettled() == []


async def test_the_second_sending_comes_though_the_first_came_by_the_other_line_before(province: Province) -> None:
    letter = axes.a_letter(11, to=[HOME], subject="V/v gửi lại")
    province.platform.put(letter, receiver=HOME)
    await province.rounds()
    province.axis.put(letter, MINISTRY)
    await province.rounds()
    assert await province.known() == [AXIS]
    province.axis.put(letter, MINISTRY)
    await province.rounds()
    assert len(province.town.desk(f"{HOME}/dms").parcels) == 2


@pytest.mark.parametrize("line", ["axis", "platform"])
async def test_a_recall_that_was_refused_and_comes_again_in_the_same_words_reaches_the_agency(
    province: Province, line: str
) -> None:
    town = province.town
    recalled = f"{MINISTRY},2026/11/23,12/VPCP-TTĐT"
    recall = axes.a_letter(13, to=[HOME], subject="V/v thu hồi", business=1, concerns=recalled)
    province.axis.put(axes.a_letter(12, to=[HOME], subject="V/v mời họp"), MINISTRY)
    province.axis.put(recall, MINISTRY)
    await province.rounds()
    if line == "axis":
        province.platform.put(recall, receiver=HOME)
        await province.rounds()
    assert len(town.desk(f"{HOME}/dms").parcels) == 2
    known = await province.known()
    assert known == ([PLATFORM] if line == "axis" else [])

    about = {"organId": MINISTRY, "code": "12/VPCP-TTĐT", "promulgationDate": "2026-11-23", "documentId": recalled}
    refusal = {
        "from": {"organId": HOME},
        "responseFor": about,
        "statusCode": "16",
        "timestamp": "2026-11-23T10:00:00+07:00",
    }
    schema = "urn:lgsp:contract:document.status:1.0"
    await town.sent(
        f"{HOME}/dms", type="document.status", dataschema=schema, to=MINISTRY, subject=recalled, data=refusal
    )
    if line == "axis":
        province.axis.put(recall, MINISTRY)
    else:
        province.platform.put(recall, receiver=HOME)
    await province.rounds()
    assert len(town.desk(f"{HOME}/dms").parcels) == 3
    assert await province.known() == known
