"""The axis' lists of agencies as one: each agency once, under both its codes, and never two agencies as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from adapters.vdxp.agencies import Merging
from adapters.vdxp.stand_in import Listed
from gateway.core.faults import TransientFailure
from tests.adapters.axis_desk import Desk, Fault, a_desk


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as made:
        yield made


def merged(
    older: list[dict[str, Any]] | None = None,
    units: list[dict[str, Any]] | None = None,
    newer: list[dict[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    merging = Merging(date(2026, 11, 23))
    for row in older or []:
        merging.older(row)
    for row in units or []:
        merging.unit(row)
    for row in newer or []:
        merging.newer(row, "1")
    return {row["code"]: row for row in merging.rows()}


async def test_an_agency_stands_once_with_its_other_code_as_an_alias(desk: Desk) -> None:
    rows = {row["code"]: row async for row in desk.anew(kit="2.0.1").fetch_agencies(["1"])}
    assert set(rows) == {"G12", "G22", "H27.01", "H27.02", "H27.03", "H33", "H33.05", "H33.16", "H33.20"}
    assert rows["H33.05"] == {
        "code": "H33.05",
        "name": "Sở Tài chính",
        "parent": "H33",
        "aliases": ["000.00.05.H33"],
        "level": "1",
        "centre": "00.33.W00",
        "mail": None,
        "closed": None,
    }
    assert rows["H27.03"]["closed"] == "2025-07-01"


async def test_the_older_kit_has_two_lists(desk: Desk) -> None:
    rows = [row async for row in desk.adapter.fetch_agencies()]
    assert desk.calls("getAgenciesListQD20") == []
    assert {"G22", "000.00.00.G22"} <= {row["code"] for row in rows}


async def test_a_list_that_fails_gives_nothing_rather_than_half(desk: Desk) -> None:
    desk.faults.once("getSynchronizeUnit", Fault("cut"))
    with pytest.raises(TransientFailure):
        [row async for row in desk.adapter.fetch_agencies()]


async def test_a_whole_country_is_read(desk: Desk) -> None:
    desk.axis.join("00.98.W00", "x", [Listed(f"H98.{n}", f"Xã {n}", parent="H98.0") for n in range(20_000)])
    rows = [row async for row in desk.adapter.fetch_agencies()]
    assert len(rows) > 20_000


async def test_more_rows_than_any_country_has_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.vdxp.kit._MOST_ROWS", 5)
    with pytest.raises(TransientFailure):
        [row async for row in desk.adapter.fetch_agencies()]


def test_old_codes_are_followed_to_the_newest() -> None:
    rows = merged(
        older=[{"id": 1, "code": "H27.01", "oldCode": "01.27.H27"}],
        newer=[{"id": 1, "code": "H27.1", "code102": "H27.01"}],
    )
    assert list(rows) == ["H27.1"]
    assert sorted(rows["H27.1"]["aliases"]) == ["01.27.H27", "H27.01"]


def test_an_old_code_that_two_claim_is_nobodys() -> None:
    rows = merged(older=[{"code": "H33.1", "oldCode": "X"}, {"code": "H33.2", "oldCode": "X"}, {"code": "X"}])
    assert set(rows) == {"H33.1", "H33.2", "X"}
    assert [row["aliases"] for row in rows.values()] == [[], [], []]


def test_codes_that_claim_each_other_stay_two() -> None:
    assert set(merged(older=[{"code": "A", "oldCode": "B"}, {"code": "B", "oldCode": "A"}])) == {"A", "B"}


def test_a_connection_centre_is_no_agency() -> None:
    assert set(merged(units=[{"code": "00.33.W00"}, {"code": "H33"}])) == {"H33"}


def test_what_was_deleted_on_no_day_is_closed_today() -> None:
    rows = merged(units=[{"code": "H33", "deleted": "true"}, {"code": "H39", "deleted": False}])
    assert [rows[code]["closed"] for code in ("H33", "H39")] == ["2026-11-23", None]


def test_parents_are_found_by_the_list_they_stand_in() -> None:
    rows = merged(
        older=[{"id": 1, "code": "000.00.00.H33"}, {"id": 2, "pid": 1, "code": "000.00.05.H33"}],
        units=[{"id": 1, "code": "G22"}],
        newer=[{"id": 7, "code": "H33", "code102": "000.00.00.H33"}, {"code": "H33.05", "code102": "000.00.05.H33"}],
    )
    assert rows["H33.05"]["parent"] == "H33"


@pytest.mark.parametrize(
    "row", [{}, {"code": ""}, {"code": None}, {"code": "a b"}, {"code": ["x"]}, {"code": "x" * 99}]
)
def test_a_row_without_a_code_is_nothing(row: dict[str, Any]) -> None:
    assert merged(older=[row], units=[row], newer=[row]) == {}


CODES = st.sampled_from(["A", "B", "C", "D", "E"])
ROWS = st.lists(st.fixed_dictionaries({"id": CODES, "pid": CODES, "code": CODES, "oldCode": CODES, "code102": CODES}))


@given(ROWS, ROWS, ROWS)
def test_whatever_the_lists_say_a_code_names_one_agency(older: Any, units: Any, newer: Any) -> None:
    rows = merged(older, units, newer)
    aliases = [alias for row in rows.values() for alias in row["aliases"]]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(rows)
    assert {row["code"] for row in [*older, *units, *newer]} <= set(rows) | set(aliases)
    assert all(row["parent"] != code for code, row in rows.items())
