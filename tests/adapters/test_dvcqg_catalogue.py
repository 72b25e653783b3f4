"""The portal's dictionaries: procedures that changed become messages, at a walking pace, and agencies a proposal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.dvcqg.stand_in import Fault, a_procedure
from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.faults import Text, TransientFailure
from gateway.ports import Collected, Uncollectable
from tests.adapters.portal_desk import Desk, a_desk

PROCEDURE = read_catalog([builtin_folder()]).find("procedure.catalogue", "1.0")


async def settled(desk: Desk) -> list[str]:
    """Collect everything that waits, and settle it: the codes."""
    found: list[str] = []
    while items := await desk.adapter.collect(50):
        for item in items:
            assert isinstance(item, Collected)
            assert PROCEDURE is not None
            assert PROCEDURE.check(item.event["data"]) == ()
            found.append(str(item.event["subject"]))
            await desk.adapter.settle(item.token, None)
    return found


async def test_a_procedure_comes_once_and_again_only_when_it_has_changed(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        procedures = desk.portal.doors.procedures
        procedures |= {code: a_procedure(code) for code in ("2.000001", "2.000002", "2.000003")}
        assert await settled(desk) == ["2.000001", "2.000002", "2.000003"]
        assert await settled(desk) == []
        procedures["2.000002"]["TRANGTHAI"] = "0"
        assert await settled(desk) == ["2.000002"]


async def test_the_same_procedure_is_the_same_message_after_a_start(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.doors.procedures["2.000001"] = a_procedure("2.000001")
        (first,) = await desk.adapter.collect(10)
        other = type(desk.adapter)(replace(desk.context, now=lambda: desk.hands.moment + 5000))
        (again,) = await other.collect(10)
        await other.close()
        assert isinstance(first, Collected)
        assert isinstance(again, Collected)
        assert (first.origin, first.event["id"]) == (again.origin, again.event["id"])


async def test_the_list_is_asked_for_as_often_as_the_settings_say(tmp_path: Path) -> None:
    async with a_desk(tmp_path, catalogue_hours=24) as desk:
        await settled(desk)
        await settled(desk)
        assert desk.portal.doors.asked.count("LayDanhSachTTHC") == 1
        desk.hands.moment += 86_401
        await settled(desk)
        assert desk.portal.doors.asked.count("LayDanhSachTTHC") == 2


async def test_procedures_are_asked_for_at_a_walking_pace_without_making_others_wait(tmp_path: Path) -> None:
    async with a_desk(tmp_path, catalogue_pace=60) as desk:
        desk.portal.doors.procedures |= {f"2.00000{n}": a_procedure(f"2.00000{n}") for n in range(5)}
        for _ in range(3):
            await desk.adapter.collect(10)
        assert desk.portal.doors.asked.count("LayThuTuc") == 1


async def test_no_more_than_ten_wait_at_a_time(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.doors.procedures |= {f"2.0000{n:02}": a_procedure(f"2.0000{n:02}") for n in range(25)}
        assert len(await desk.adapter.collect(50)) == 10
        assert len(await settled(desk)) == 25


async def test_what_the_portal_cannot_show_is_refused_and_its_neighbours_come(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.doors.procedures |= {"9.1": {"MATTHC": "9.2"}, "2.000001": a_procedure("2.000001")}
        bad, good = await desk.adapter.collect(10)
        assert isinstance(bad, Uncollectable)
        assert isinstance(good, Collected)
        await desk.adapter.settle(bad.token, (bad.reason, bad.detail))
        await desk.adapter.settle(good.token, ("no-agreement", Text("Cần thoả thuận.", "An agreement is needed.")))
        lines = [json.loads(line) for line in await desk.portal.refusals()]
        assert [(line["procedure"], line["reason"]) for line in lines] == [
            ("", "not-a-procedure"),
            ("2.000001", "no-agreement"),
        ]


async def test_an_outage_in_the_middle_loses_no_procedure(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        codes = ["2.000001", "2.000002", "2.000003"]
        desk.portal.doors.procedures |= {code: a_procedure(code) for code in codes}
        desk.portal.faults.once("LayDanhSachTTHC", Fault("html"))
        with pytest.raises(TransientFailure):
            await desk.adapter.collect(10)
        desk.portal.faults.once("LayThuTuc", Fault("http", 500))
        with pytest.raises(TransientFailure):
            await desk.adapter.collect(10)
        desk.portal.doors.expire_sessions()
        assert await settled(desk) == codes


@pytest.mark.parametrize("odd", [{"casing": "lower"}, {"numbers": True}, {"doubles": True}, {"nulls": True}])
async def test_odd_manners_do_no_harm_to_procedures(tmp_path: Path, odd: dict[str, Any]) -> None:
    async with a_desk(tmp_path) as desk:
        for name, value in odd.items():
            setattr(desk.portal.manners, name, value)
        desk.portal.doors.procedures["2.000001"] = a_procedure("2.000001")
        (item,) = await desk.adapter.collect(10)
        assert isinstance(item, Collected)
        data = item.event["data"]
        assert PROCEDURE is not None
        assert PROCEDURE.check(data) == ()
        assert data["channels"][0]["times"][0]["fees"][0]["amount"] == 30000


async def test_where_the_settings_ask_for_none_nothing_is_read(tmp_path: Path) -> None:
    async with a_desk(tmp_path, catalogue=False) as desk:
        assert list(await desk.adapter.collect(10)) == []
        await desk.adapter.settle("x", None)
        assert desk.portal.doors.asked == []


async def test_the_agencies_that_the_portal_lists_can_be_proposed(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        desk.portal.doors.agencies += [
            {"MADONVI": "000.00.05.H33", "TENDONVI": "Sở Tài chính", "CAPDONVI": "2"},
            {"MADONVI": "", "TENDONVI": "Không mã"},
        ]
        assert [each async for each in desk.adapter.fetch_agencies()] == [
            {"code": "000.00.05.H33", "name": "Sở Tài chính", "parent": None, "aliases": [], "level": "2"}
        ]
