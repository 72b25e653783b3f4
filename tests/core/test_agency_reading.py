"""Lists as others write them: what is right is taken, and every mistake is told with its place."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import agency_reading
from gateway.core.agency_changes import changes
from gateway.core.agency_list import AgencyList, Entry
from gateway.core.agency_reading import read_csv, read_told

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / ".." / "shared" / "data"
MERGED = date(2025, 7, 1)
DAY = date(2026, 11, 23)


def entries(text: str, **more: str) -> list[Entry]:
    read = read_csv(text.encode(), **more)
    assert read.mistakes == ()
    return list(read.entries)


def mistakes(text: str | bytes) -> list[int]:
    read = read_csv(text if isinstance(text, bytes) else text.encode())
    assert len(read.mistakes) == read.wrong
    assert all(each.what.vi and each.what.en for each in read.mistakes)
    return [each.place for each in read.mistakes]


# ----------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_spreadsheet_writes_it_well_enough(separator: str, start: str, end: str) -> None:
    rows = [
        ["code", "Name", "parent", "LEVEL", "aliases", "closed", "successor", "ghi chú"],
        ["H33.05", '"Sở  Tài chính"', "H33", "province", "000.00.05.H33 05.33.H33", "", "", "x"],
        ["", "", "", "", "", "", "", ""],
        ["H39", "Long An", "", "", "", "01/07/2025", "H53", ""],
    ]
    text = start + end.join(separator.join(row) for row in rows) + end
    assert entries(text, via="H33.14/axis") == [
        Entry("H33.05", "Sở Tài chính", "province", "H33", ("000.00.05.H33", "05.33.H33"), "H33.14/axis"),
        Entry("H39", "Long An", via="H33.14/axis", closed=MERGED, successor="H53"),
    ]


def test_a_column_says_who_carries_where_not_all_go_one_way() -> None:
    found = entries("code,name,via\nG12,Bộ,\nH53,Tỉnh,H33.14/other\n", via="H33.14/axis")
    assert [each.via for each in found] == ["H33.14/axis", "H33.14/other"]


def test_names_are_kept_in_composed_letters() -> None:
    assert entries("code,name\nH01,So\u031b\u0309 Y te\u0302\u0301\n")[0].name == "Sở Y tế"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", [1]),
        ("name,parent\nx,y\n", [1]),
        ("code,name\nH 1,a\n,b\nH01,\nH02,c,d\nH03,e\n", [2, 3, 4, 5]),
        ("code,name\nH01,a\nH02,b\nH01,c\n", [4]),
        ("code,name,level\nH01,a,ward\n", [2]),
        ("code,name,aliases\nH01,a,x/y\n", [2]),
        ("code,name,aliases\nH01,a,old\nH02,b,old\nH03,c,H01\n", [3, 4]),
        ("code,name,closed\nH01,a,2025-02-30\nH02,b,31/02/2025\nH03,c,hôm qua\n", [2, 3, 4]),
        ("code,name,closed,successor\nH01,a,,H02\nH02,b,2025-07-01,H02\n", [2, 3]),
        ("code,name,closed,successor\nH01,a,2025-07-01,H02\nH02,b,2025-07-01,H03\nH03,c,2025-07-01,H01\n", [2]),
        ("code,name\nH01,a\x07b\n", [2]),
        (f"code,name\nH01,{'a' * 513}\n", [2]),
        ('code,name\nH01,"a\nb"\nH02,"c\n', [4]),
        ("code,name\nH01,Sở\n".encode("utf-16"), [1]),
        ("code,name\nH00,a\nH01,S\xf4n\n".encode("latin-1"), [3]),
    ],
)
def test_each_mistake_is_told_with_its_line(text: str | bytes, places: list[int]) -> None:
    assert mistakes(text) == places


def test_of_a_file_that_is_wrong_everywhere_all_mistakes_are_counted_and_the_first_are_told() -> None:
    read = read_csv(("code,name\n" + "H 1,x\n" * 1000).encode())
    assert (read.wrong, len(read.mistakes)) == (1000, agency_reading.MAX_TOLD)


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agency_reading, "MAX_CSV", 20)
    assert mistakes("code,name\nH01,An Giang\n") == [0]
    monkeypatch.undo()
    monkeypatch.setattr(agency_reading, "MAX_ENTRIES", 2)
    assert mistakes("code,name\nH01,a\nH02,b\nH03,c\n") == [4]


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_file_makes_it_fail(content: bytes) -> None:
    read_csv(content)
    read_csv(b"code,name,aliases,closed,successor\n" + content)


def test_the_merged_provinces_that_come_along_are_twenty_nine_and_lead_to_living_ones() -> None:
    found = entries((ROOT / "deploy" / "directory" / "successions-2025-07-01.csv").read_text())
    assert (len(found), {each.closed for each in found}) == (29, {MERGED})
    closed = {each.code for each in found}
    assert not closed & {each.successor for each in found}
    # the three that a source confirms
    heirs = {each.code: each.successor for each in found}
    assert (heirs["H33"], heirs["H39"], heirs["H22"]) == ("H01", "H53", "H60")


# -------------------------------------------------------------------------------------------------------- systems


def test_what_a_system_tells_is_taken_with_itself_as_the_carrier() -> None:
    told: list[dict[str, Any]] = [
        {"code": "G12", "name": "Bộ Tài chính", "parent": None, "aliases": ["000.00.00.G12"], "level": "1", "mail": 7},
        {"code": "H53", "name": "Tây Ninh", "level": "province"},
    ]
    assert read_told(told, via="H33.14/axis", old=None, day=DAY).entries == (
        Entry("G12", "Bộ Tài chính", aliases=("000.00.00.G12",), via="H33.14/axis"),
        Entry("H53", "Tây Ninh", via="H33.14/axis"),
    )


def test_what_cannot_be_used_is_left_out_and_told() -> None:
    told: list[dict[str, Any]] = [
        {"code": 7, "name": "x"},
        {"code": "H 1", "name": "x"},
        {"name": "x"},
        {"code": "H01", "name": ["x"]},
        {"code": "H02", "name": True},
        {"code": "H03", "name": "x", "aliases": [7]},
    ]
    read = read_told(told, via="H33.14/axis", old=None, day=DAY)
    assert [each.code for each in read.entries] == ["7"]
    assert [each.place for each in read.mistakes] == [2, 3, 4, 5, 6]


def test_what_is_told_to_be_closed_without_a_day_is_closed_since_it_was_first_told() -> None:
    told: list[dict[str, Any]] = [
        {"code": "H39", "name": "Long An", "is_closed": True},
        {"code": "H53", "name": "Tây Ninh"},
    ]
    first = read_told(told, via="H33.14/axis", old=None, day=MERGED)
    assert [each.closed for each in first.entries] == [MERGED, None]
    later = read_told(told, via="H33.14/axis", old=AgencyList.of("axis", first.entries), day=DAY)
    assert later.entries == first.entries
    told[0] = {"code": "H39", "name": "Long An", "closed": DAY.isoformat()}
    dated = read_told(told, via="H33.14/axis", old=AgencyList.of("axis", first.entries), day=DAY)
    assert dated.entries == first.entries


# ---------------------------------------------------------------------------------------------------- differences

OLD = AgencyList.of("axis", [Entry(f"H{n:02}", f"Tỉnh {n}", parent="VN") for n in range(20)])


def test_each_thing_that_differs_is_told_and_counted() -> None:
    new = [
        *(each for each in OLD.entries() if each.code not in {"H01", "H05", "H19"}),
        Entry("H01", "Tên mới", "district", "H02", ("001",), "H33.14/axis", MERGED, "H02"),
        Entry("H77", "Mới"),
    ]
    found = changes(OLD, AgencyList.of("axis", new))
    assert found.counts == {
        "gone": 2, "added": 1, "renamed": 1, "moved": 1, "aliases": 1, "closed": 1, "carrier": 1, "level": 1,
    }  # fmt: skip
    told = {(each.kind, each.code): (each.before, each.after) for each in found.shown}
    assert told["closed", "H01"] == ("", "2025-07-01 → H02")
    assert told["moved", "H01"] == ("VN", "H02")
    assert (found.before, found.after, found.is_empty) == (20, 19, False)


def test_the_same_list_differs_in_nothing() -> None:
    assert changes(OLD, AgencyList.of("axis", OLD.entries())).is_empty


@pytest.mark.parametrize(("gone", "is_suspicious"), [(0, False), (2, False), (3, True), (20, True)])
def test_a_list_of_which_more_than_a_tenth_is_gone_is_suspicious(gone: int, is_suspicious: bool) -> None:
    found = changes(OLD, AgencyList.of("axis", list(OLD.entries())[gone:]))
    assert found.is_suspicious is is_suspicious
    assert found.as_json()["suspicious"] is is_suspicious


def test_a_first_list_is_all_new_and_a_few_of_it_are_told() -> None:
    found = changes(None, AgencyList.of("axis", [Entry(f"H{n:04}", "x") for n in range(1200)]))
    assert (found.counts, len(found.shown), found.is_suspicious) == ({"added": 1200}, 500, False)


# ------------------------------------------------------------------------------------------------------- real names


@pytest.mark.skipif(not UNITS.is_dir(), reason="the data folder is not on this machine")
def test_the_communes_of_four_provinces_come_in_and_their_mergers_are_told() -> None:
    def a_list(day: str) -> AgencyList:
        with (UNITS / "vn_communes_4_provinces.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row[f"name_{day}"]]
        made = io.StringIO()
        writer = csv.writer(made)
        writer.writerow(["code", "name", "parent", "level"])
        for row in rows:
            place = f"H.{row['province_code']}.{row['district_code']}"
            writer.writerow([f"{place}.{row['commune_code']}", row[f"name_{day}"], place, "commune"])
        read = read_csv(made.getvalue().encode())
        assert (read.wrong, len(read.entries)) == (0, len(rows))
        return AgencyList.of("communes", read.entries)

    old, new = a_list("2019_09_11"), a_list("2020_02_02")
    found = changes(old, new)
    # what the data's own page says of these days
    assert (old.count, new.count) == (794, 742)
    assert (found.counts["gone"], found.counts.get("added", 0)) == (52, 0)
    assert found.counts["renamed"] >= 30
    (town,) = old.search(["dong", "loc", "thi", "tran"], "")
    entry = old.entry(town)
    assert entry is not None
    assert entry.name == "Thị trấn Đồng Lộc"
