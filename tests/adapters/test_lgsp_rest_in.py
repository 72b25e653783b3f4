"""The platform of the Lạng Sơn kind, inwards: what waits is taken once, refused in words, and stops nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.lgsp_rest.stand_in import Platform
from gateway.core.content import Content, whole
from gateway.core.documents.item import collected
from gateway.core.documents.sample import glance, sample_letter, sample_status
from gateway.core.faults import (
    Text,
    TransientFailure,
)
from gateway.ports import Collected, Uncollectable
from tests.adapters.platforms import Facing, facing

TOLD = Text("Cơ quan cần ký thoả thuận.", "The agency must sign an agreement.")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Facing]:
    async with facing("lgsp_rest", tmp_path) as made:
        yield made


def platform_of(desk: Facing) -> Platform:
    assert isinstance(desk.platform, Platform)
    return desk.platform


async def the_one(desk: Facing) -> Collected:
    (item,) = await desk.adapter.collect(50)
    assert isinstance(item, Collected)
    return item


# --------------------------------------------------------------------------------------------------------- in


async def test_a_document_and_a_status_come_in_and_are_settled(desk: Facing) -> None:
    raw = sample_letter("12")
    document = desk.platform.put(raw)
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert (one.event["type"], one.event["to"]) == ("document.issued", "H33.16")
    assert (two.event["type"], two.event["to"]) == ("document.status", "H33.16")
    assert raw in [whole(file.content) for file in one.files]
    await desk.adapter.settle(one.token, None)
    await desk.adapter.settle(two.token, None)
    assert desk.platform.state(document) == "done"
    assert await desk.adapter.collect(50) == []


async def test_what_is_listed_twice_is_one_item(desk: Facing) -> None:
    desk.platform.faults.twice = True
    await desk.platform.drop(_event())
    await the_one(desk)


async def test_the_same_bytes_for_two_receivers_are_two_messages(desk: Facing) -> None:
    raw = sample_letter("12", receivers=("H33.16", "H33.20"))
    for receiver in ("H33.16", "H33.20"):
        desk.platform.put(raw, receiver=receiver)
    one, two = await desk.adapter.collect(50)
    assert isinstance(one, Collected)
    assert isinstance(two, Collected)
    assert one.event["id"] != two.event["id"]
    assert {one.event["to"], two.event["to"]} == {"H33.16", "H33.20"}


@pytest.mark.parametrize("receiver", ["00.33.W00", "H33.W00", ""])
async def test_where_the_list_names_a_centre_the_item_is_for_ours_among_those_it_names(
    desk: Facing, receiver: str
) -> None:
    desk.platform.put(sample_letter("12", receivers=("H01.01", "H33.20", "H33.05")), receiver=receiver)
    adapter = desk.anew(receivers=["H33.05", "H33.16", "H33.20"])
    (item,) = await adapter.collect(50)
    assert isinstance(item, Collected)
    assert item.event["to"] == "H33.05 H33.20"


async def test_where_none_of_ours_is_named_as_we_write_it_whoever_is_named_gets_it(desk: Facing) -> None:
    desk.platform.put(sample_letter("12", receivers=("000.00.05.H33",)), receiver="00.33.W00")
    (item,) = await desk.anew(receivers=["H33.05", "H33.16"]).collect(50)
    assert isinstance(item, Collected)
    assert item.event["to"] == "000.00.05.H33"


async def test_an_item_whose_content_is_absent_stops_no_other_and_is_given_up_in_the_end(desk: Facing) -> None:
    bad = desk.platform.put(sample_letter("1"))
    desk.platform.faults.spoiled.add(bad)
    desk.platform.put(sample_letter("2"))
    (good,) = await desk.adapter.collect(50)
    assert isinstance(good, Collected)
    await desk.adapter.settle(good.token, None)
    for _ in range(2):
        with pytest.raises(TransientFailure) as failure:
            await desk.adapter.collect(50)
        assert bad in failure.value.detail
    (given_up,) = await desk.adapter.collect(50)
    assert isinstance(given_up, Uncollectable)
    await desk.adapter.settle(given_up.token, (given_up.reason, given_up.detail))
    assert desk.platform.state(bad) == "fail"


async def test_an_item_that_fails_as_nobody_foresaw_stops_no_other(
    desk: Facing, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (desk.platform.put(sample_letter(str(number))) for number in range(1, 4))

    def stumbling(raw: Content, *, name: str, **more: Any) -> Collected | Uncollectable:
        if second in name:
            raise OSError("what lay on the disk is gone")
        return collected(raw, name=name, **more)

    monkeypatch.setattr("gateway.calls.exchange.collected", stumbling)
    found = await desk.adapter.collect(50)
    assert [each.token.split("|")[1] for each in found] == [first, third]
    with pytest.raises(TransientFailure, match="unforeseen OSError"):
        await desk.adapter.collect(50)


async def test_one_list_that_is_broken_does_not_hold_up_the_other(desk: Facing) -> None:
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    await desk.adapter.collect(50)  # the login is done
    await desk.platform.drop(_event())
    desk.platform.faults.words = 1
    (item,) = await desk.adapter.collect(50)
    assert isinstance(item, Collected)
    assert item.event["type"] == "document.status"
    with pytest.raises(TransientFailure):
        await desk.adapter.collect(50)
    assert len(await desk.adapter.collect(50)) == 2


async def test_a_refused_documents_sender_is_told_in_words_by_a_status(desk: Facing) -> None:
    item_id = desk.platform.put(sample_letter("12"))
    item = await the_one(desk)
    await desk.anew().settle(item.token, ("no-agreement", TOLD))
    (mail,) = platform_of(desk).mail
    seen = glance(mail.raw)
    assert seen is not None
    assert (seen.status, seen.sender, seen.receivers) == ("02", "H33.16", ("H37.01",))
    assert (seen.code, seen.document_id) == ("12/UBND-VP", "H37.01,2026/11/23,12/UBND-VP")
    assert TOLD.vi in seen.description
    assert desk.platform.state(item_id) == "fail"


async def test_a_refused_status_earns_no_status(desk: Facing) -> None:
    await desk.platform.drop_status("H33.16,2026/11/20,7/STC", "03", "7/STC")
    item = await the_one(desk)
    await desk.adapter.settle(item.token, ("no-agreement", TOLD))
    assert platform_of(desk).mail == []
    assert await desk.platform.waiting() == []


async def test_a_settling_that_fails_is_repeated_without_harm(desk: Facing) -> None:
    await desk.platform.drop(_event())
    item = await the_one(desk)
    desk.platform.faults.pages = 1
    with pytest.raises(TransientFailure):
        await desk.adapter.settle(item.token, None)
    again = await the_one(desk)
    assert again.event["id"] == item.event["id"]
    await desk.adapter.settle(again.token, None)
    assert await desk.platform.waiting() == []


async def test_the_list_is_asked_no_more_often_than_agreed(desk: Facing) -> None:
    adapter = desk.anew(poll_seconds=300)
    await adapter.collect(50)
    before = len(platform_of(desk).counter.asked)
    await desk.platform.drop(_event())
    for _ in range(10):
        desk.hands.moment += 29
        assert await adapter.collect(50) == []
    assert len(platform_of(desk).counter.asked) == before
    desk.hands.moment += 29
    assert len(await adapter.collect(50)) == 1


async def test_the_first_look_reaches_further_back_than_the_later_ones(desk: Facing) -> None:
    desk.platform.put(sample_letter("1"), age=20 * 86400)
    assert len(await desk.adapter.collect(50)) == 1
    assert len(await desk.adapter.collect(50)) == 0
    assert len(await desk.anew(first_window_days=7).collect(50)) == 0


async def test_after_an_absence_the_list_is_asked_for_as_long_as_it_lasted(desk: Facing) -> None:
    await desk.adapter.collect(50)
    desk.platform.put(sample_letter("1"))
    desk.hands.moment += 20 * 86400
    assert len(await desk.adapter.collect(50)) == 1


async def test_a_large_document_comes_and_goes_byte_for_byte(desk: Facing) -> None:
    raw = sample_letter("12", content=b"%PDF-1.4\n" + bytes(range(256)) * 20_000)
    desk.platform.put(raw)
    item = await the_one(desk)
    assert raw in [whole(file.content) for file in item.files]
    out, sent = desk.letter(raw=sample_letter("13", sender="H33.05", content=b"%PDF-1.4\n" + b"z" * 5_000_000))
    await desk.adapter.deliver(out)
    assert [mail.raw for mail in platform_of(desk).mail] == [sent]


async def test_an_item_over_the_limit_is_refused_without_being_read_to_its_end(desk: Facing) -> None:
    desk.platform.put(sample_letter("12", content=b"%PDF-1.4\n" + b"z" * 5_000_000))
    (item,) = await desk.anew(max_mebibytes=1).collect(50)
    assert isinstance(item, Uncollectable)
    assert item.reason == "too-large"
    await desk.adapter.settle(item.token, (item.reason, item.detail))
    assert await desk.platform.waiting() == []


# ------------------------------------------------------------------------------------- business codes, agencies


async def test_business_codes_go_by_update_status_only_where_the_setting_says_so(desk: Facing) -> None:
    platform_of(desk).takes_business_codes = True
    adapter = desk.anew(business_status="update-status")
    item_id = desk.platform.put(sample_letter("12"))
    (item,) = await adapter.collect(50)
    await adapter.settle(item.token, None)
    await adapter.deliver(desk.status("03", 3))
    assert desk.platform.state(item_id) == "03"
    assert platform_of(desk).mail == []
    await adapter.deliver(desk.status("01", 4))  # no business code of theirs
    await desk.adapter.deliver(desk.status("04", 5))  # the setting's default
    await desk.anew(business_status="update-status").deliver(desk.status("05", 6))  # a document it does not know
    assert [mail.kind for mail in platform_of(desk).mail] == ["status"] * 3
    assert desk.platform.state(item_id) == "03"


async def test_the_agencies_of_all_pages_are_told_with_their_parents_codes(desk: Facing) -> None:
    platform_of(desk).agencies = [
        {"id": "c", "code": "H37.01.02", "oldCode": "000.02.01.H37", "name": "Phòng", "parentId": "b", "level": 3},
        {"id": "b", "code": "H37.01", "oldCode": "H37.01", "name": "Sở", "parentId": "a", "level": 2},
        {"id": "a", "code": "H37", "oldCode": None, "name": "Uỷ ban", "parentId": None, "level": 1},
        {"id": "w", "code": "", "oldCode": None, "name": "", "parentId": None, "level": 1},
        {"id": "x", "code": "00.37.W00", "oldCode": "", "name": "Trung tâm", "parentId": "gone", "level": None},
    ]
    found = [dict(each) async for each in desk.adapter.fetch_agencies()]
    assert found == [
        {"code": "H37.01.02", "name": "Phòng", "parent": "H37.01", "aliases": ["000.02.01.H37"], "level": 3},
        {"code": "H37.01", "name": "Sở", "parent": "H37", "aliases": [], "level": 2},
        {"code": "H37", "name": "Uỷ ban", "parent": None, "aliases": [], "level": 1},
        {"code": "00.37.W00", "name": "Trung tâm", "parent": None, "aliases": [], "level": None},
    ]


async def test_a_list_that_does_not_end_is_given_up(desk: Facing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.lgsp_rest.platform.MAX_ENTRIES", 4)
    platform_of(desk).agencies = [{"id": str(n), "code": f"H37.{n:02}", "name": ""} for n in range(9)]
    with pytest.raises(TransientFailure, match="over 4 entries"):
        [each async for each in desk.adapter.fetch_agencies()]


async def test_a_platform_that_does_not_turn_pages_is_not_asked_for_ever(desk: Facing) -> None:
    platform_of(desk).agencies = [{"id": str(n), "code": f"H37.{n:02}", "name": ""} for n in range(9)]
    adapter = desk.anew(page_parameter="page")
    assert len([each async for each in adapter.fetch_agencies()]) == 2


def _event() -> dict[str, Any]:
    return {"to": "H33.16", "data": {"subject": "V/v họp"}}


def test_what_a_status_says_is_independent_of_the_product() -> None:
    seen = glance(sample_status("a,b,c", "06", symbol="1/A"))
    assert seen is not None
    assert (seen.status, seen.code, seen.document_id) == ("06", "1/A", "a,b,c")
