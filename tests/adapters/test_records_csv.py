"""Records by CSV files: any text survives, oddities are told by their line, and memory does not grow with the file."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.records.adapter import Records, open_adapter
from adapters.records.cells import bare, encoded, guarded, opening
from adapters.records.inbox import line_of
from adapters.records.rows import rows_of
from adapters.records.stand_in import Department, agency
from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.ports import Collected, Uncollectable
from tests.adapters.fitting import Hands, a_parcel

ANY = st.text(st.characters(codec="utf-8"), max_size=40)
ODD = st.text(st.sampled_from("=+-@'\"\t\r\n,; ＝\x00ếệA1"), max_size=12)


class Desk:
    """The department with the adapter that serves it."""

    def __init__(self, folder: Path, department: Department) -> None:
        self.folder, self.department = folder, department
        self.hands = Hands(folder)

    def opened(self, **more: Any) -> Records:
        settings_ = {**department_settings(self.department), **more}
        return open_adapter(self.hands.context("records", settings_))


def department_settings(department: Department) -> dict[str, Any]:
    return json.loads(json.dumps(dict(department.settings)))  # type: ignore[no-any-return]


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with agency(tmp_path) as department:
        yield Desk(tmp_path, department)


def names(items: Sequence[Collected | Uncollectable]) -> list[str]:
    return [str(item.event["data"]["record"]["ten"]) for item in items if isinstance(item, Collected)]


async def all_settled(adapter: Records, limit: int = 100) -> list[Collected | Uncollectable]:
    """Everything that comes, each settled: what cannot become a message is refused."""
    found: list[Collected | Uncollectable] = []
    while items := list(await adapter.collect(limit)):
        for item in items:
            wrong = (item.reason, item.detail) if isinstance(item, Uncollectable) else None
            await adapter.settle(item.token, wrong)
        found += items
    return found


# ---------------------------------------------------------------------------------------------------------- cells


@given(st.one_of(ANY, ODD))
def test_any_text_in_a_cell_is_guarded_and_comes_back(text: str) -> None:
    assert bare(guarded(text)) == text
    assert guarded(text)[:1] not in set("=@\t\r\n＝＋－＠")


@pytest.mark.parametrize("text", ["-5", "+84", "1.5", "-1,5"])
def test_plain_numbers_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text


@settings(deadline=None, max_examples=60)
@given(
    cells=st.lists(st.one_of(ANY, ODD), min_size=2, max_size=4),
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-16-be"]),
)
def test_any_text_in_any_cell_survives_the_way_there_and_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], separator: str, encoding: str
) -> None:
    header = [f"Cột {number}" for number in range(len(cells))]
    path = tmp_path_factory.mktemp("there") / "a.csv"
    lines = [line_of(header, separator, encoding), line_of(cells, separator, encoding)]
    path.write_bytes(opening(encoding) + b"".join(lines))
    found = [dict(row.cells) for row in rows_of(path, "utf-8", separator)]
    wanted = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    assert found == ([wanted] if wanted else [])


def test_vietnamese_survives_in_an_encoding_of_one_byte_a_letter(tmp_path: Path) -> None:
    text = "Ủy ban nhân dân xã Mẫu; Nguyễn Thị Đặng Ốc Ẫm ở đường số 1"
    raw = encoded(f'Tên;Mã\r\n"{text}";1\r\n', "cp1258")
    (tmp_path / "a.csv").write_bytes(raw)
    (row,) = rows_of(tmp_path / "a.csv", "cp1258", "auto")
    assert row.cells == {"Tên": text, "Mã": "1"}


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_the_first_bytes_say_and_what_the_header_has_most_is_believed(
    tmp_path: Path, mark: str, separator: str
) -> None:
    text = separator.join(["Mã", '"Tên, ; có phẩy"']) + "\n1" + separator + "Mẫu\n"
    (tmp_path / "a.csv").write_bytes(text.encode(mark))
    (row,) = rows_of(tmp_path / "a.csv", "cp1258", "auto")
    assert list(row.cells.values()) == ["1", "Mẫu"]


# ----------------------------------------------------------------------------------------------------------- rows


def told(path: Path, text: str) -> list[tuple[int, str]]:
    path.write_bytes(text.encode())
    return [(row.line, row.reason) for row in rows_of(path, "utf-8", ",")]


def test_each_row_is_told_by_the_number_of_its_first_line(tmp_path: Path) -> None:
    found = told(tmp_path / "a.csv", 'a,b\n1,"hai\ndòng"\n\n3,4\r\n5\n6,7,8\n9,10,\n')
    assert found == [(2, ""), (5, ""), (6, "wrong-count"), (7, "wrong-count"), (8, "")]


@pytest.mark.parametrize("header", ["", ",", "a,a", "a,,b", ",".join(f"c{n}" for n in range(501))])
def test_a_header_without_names_or_with_the_same_twice_is_refused_as_a_whole(tmp_path: Path, header: str) -> None:
    ((line, reason),) = told(tmp_path / "a.csv", f"{header}\n1,2\n" if header else "")
    assert (line, reason in {"wrong-header", "unreadable-file"}) == (1, True)


def test_a_quote_that_is_never_closed_does_not_swallow_the_memory(tmp_path: Path) -> None:
    found = told(tmp_path / "a.csv", 'a,b\n1,2\n3,"mở\n' + "x,y\n" * 600_000)
    assert found[:2] == [(2, ""), (3, "unreadable-row")]
    assert found[-1][1] == ""


def test_bytes_of_another_encoding_are_told_from_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 20_000 + b"\xff\xfe,3\n")
    rows = list(rows_of(path, "utf-8", ","))
    assert rows[-1].reason == "wrong-encoding"
    assert len(rows) > 1000


def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    peaks = []
    for count in (10_000, 100_000):
        path.write_bytes(b"a,b\n" + b"1,22222222\n" * count)
        tracemalloc.start()
        assert sum(1 for _ in rows_of(path, "utf-8", ",")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 65_536


# ------------------------------------------------------------------------------------------------------- the folder


async def test_a_file_that_is_half_written_is_read_once_it_is_whole(desk: Desk) -> None:
    moment = [1_795_000_000.0]
    context = replace(desk.hands.context("records", department_settings(desk.department)), now=lambda: moment[0])
    read = {**context.settings["read"], "settle_seconds": 2}
    adapter = open_adapter(replace(context, settings={**context.settings, "read": read}))
    desk.department.half_written = True
    desk.department.export("a.csv", [["1", "Một", ""], ["2", "Hai", ""]])
    assert list(await adapter.collect(10)) == []
    moment[0] += 1.5
    desk.department.finish()
    assert list(await adapter.collect(10)) == []
    moment[0] += 2.5
    assert names(await adapter.collect(10)) == ["Một", "Hai"]
    await adapter.close()


async def test_a_writer_that_goes_on_after_all_makes_another_file_of_it(desk: Desk) -> None:
    adapter = desk.opened()
    desk.department.export("a.csv", [["1", "Một", ""]])
    assert names(await adapter.collect(10)) == ["Một"]
    (taken,) = (desk.department.exports / ".working").glob("*.csv")
    with taken.open("ab") as file:
        file.write(b"2,Hai,\r\n")
    assert names(await adapter.collect(10)) == ["Một", "Hai"]
    await adapter.close()


async def test_the_same_row_twice_or_the_same_file_again_is_one_message_but_not_another_file(desk: Desk) -> None:
    adapter = desk.opened()
    desk.department.export("a.csv", [["1", "Một", ""], ["1", "Một", ""]])
    desk.department.export("b.csv", [["1", "Một", ""], ["1", "Một", ""]])
    desk.department.export("c.csv", [["1", "Một", "khác"]])
    desk.department.export("d.csv", [["1", "Một", ""]])
    found = [item for item in await all_settled(adapter) if isinstance(item, Collected)]
    assert len(found) == 6
    assert len({item.event["id"] for item in found}) == 3
    once = desk.opened(read={**desk.department.settings["read"], "repeats": "once"})
    desk.department.export("e.csv", [["1", "Một", ""]])
    desk.department.export("f.csv", [["1", "Một", ""], ["2", "Hai", ""]])
    again = [item for item in await all_settled(once) if isinstance(item, Collected)]
    assert len({item.event["id"] for item in again}) == 2
    await adapter.close()
    await once.close()


async def test_after_a_crash_only_what_was_not_settled_comes_again(desk: Desk) -> None:
    adapter = desk.opened()
    desk.department.export("a.csv", [[str(n), f"Số {n}", ""] for n in range(10)])
    for item in list(await adapter.collect(4))[:3]:
        await adapter.settle(item.token, None)
    await adapter.close()
    later = desk.opened()
    assert names(await later.collect(100)) == [f"Số {n}" for n in range(3, 10)]
    await all_settled(later)
    assert await desk.department.waiting() == []
    await later.close()


async def test_refused_rows_stand_beside_with_their_line_and_the_reason_twice_and_the_rest_passes(desk: Desk) -> None:
    adapter = desk.opened()
    desk.department.export("a.csv", [["1", "Một", ""], ["hỏng"], ["3", "=Ba()", ""], ["", "không khoá", ""]])
    found = await all_settled(adapter)
    assert names(found) == ["Một", "=Ba()"]
    rows = desk.department.refused()
    assert [(row[0], row[1]) for row in rows] == [("3", "wrong-count"), ("5", "no-key")]
    assert all("Cơ quan" in row[2] and "agency" in row[3] for row in rows)
    assert rows[0][4:] == ["hỏng"]
    await adapter.close()


async def test_what_the_bus_refuses_stands_there_with_its_words(desk: Desk) -> None:
    adapter = desk.opened()
    desk.department.export("a.csv", [["1", "=1+1", ""]])
    (item,) = await adapter.collect(1)
    await adapter.settle(item.token, ("no-agreement", Text("Chưa được duyệt.", "Not approved.")))
    ((line, reason, vi, en, *row),) = desk.department.refused()
    assert (line, reason, row) == ("2", "no-agreement", ["1", "'=1+1", ""])
    assert "Chưa được duyệt." in vi
    assert "Not approved." in en
    await adapter.close()


async def test_columns_that_no_rule_reads_are_kept_beside_the_data(desk: Desk) -> None:
    adapter = desk.opened()
    desk.department.export("a.csv", [["1", "Một", "ghi riêng"]])
    (item,) = await adapter.collect(1)
    assert isinstance(item, Collected)
    assert item.event["data"]["ext"] == {"records": {"Ghi chú": "ghi riêng"}}
    await adapter.close()


# -------------------------------------------------------------------------------------------------------- the way out


async def test_one_file_an_hour_is_shown_when_the_hour_is_over_and_holds_each_delivery_once(desk: Desk) -> None:
    moment = [1_795_000_000.0]
    out = {**desk.department.settings["out"], "batch": "hour"}
    context = desk.hands.context("records", {**department_settings(desk.department), "out": out})
    context = replace(context, now=lambda: moment[0])
    adapter = open_adapter(context)
    parcels = [desk.department.fits(a_parcel(context, number)) for number in (1, 2)]
    for parcel in (*parcels, parcels[0]):
        await adapter.deliver(parcel)
    assert desk.department.imported() == []
    # A crash in the middle of a row leaves half of it behind.
    (growing,) = (desk.department.imports / ".growing").glob("*.csv")
    with growing.open("ab") as file:
        file.write(b'"half')
    moment[0] += 3600
    await adapter.collect(1)
    await adapter.deliver(replace(parcels[1], attempt=2))
    assert await desk.department.arrivals() == [each.delivery for each in parcels]
    await adapter.close()


async def test_a_formula_that_an_agency_sends_runs_at_nobody(desk: Desk) -> None:
    context = desk.hands.context("records", department_settings(desk.department))
    adapter = open_adapter(context)
    parcel = desk.department.fits(a_parcel(context, 1))
    event = dict(parcel.event)
    event["data"] = {**event["data"], "record": {"ten": '=HYPERLINK("http://127.0.0.1")'}}
    await adapter.deliver(replace(parcel, event=event))
    (row,) = desk.department.imported()
    assert row["Tên"].startswith("'=HYPERLINK")
    await adapter.close()


async def test_a_letter_that_the_encoding_does_not_have_is_refused_without_saying_it(desk: Desk) -> None:
    out = {**desk.department.settings["out"], "encoding": "iso-8859-1"}
    context = desk.hands.context("records", {**department_settings(desk.department), "out": out})
    adapter = open_adapter(context)
    with pytest.raises(PermanentFailure, match="encoding") as refused:
        await adapter.deliver(desk.department.fits(a_parcel(context, 1)))
    assert "ườ" not in str(refused.value)
    await adapter.close()


@pytest.mark.parametrize(
    "broken",
    [
        {"incoming": None},
        {"outgoing": None},
        {"out": {"folder": "department/exports"}},
        {"read": {"folder": "department/exports", "encoding": "utf-7"}},
        {"incoming": {"contract": "record.changed/1.0", "rules": "missing.json"}},
    ],
)
async def test_settings_that_cannot_work_are_told_at_the_start(desk: Desk, broken: dict[str, Any]) -> None:
    merged = {**department_settings(desk.department), **broken}
    with pytest.raises(Misconfigured):
        open_adapter(desk.hands.context("records", {n: each for n, each in merged.items() if each is not None}))


def test_a_row_is_written_as_the_standard_library_reads_it() -> None:
    line = line_of(["a", 'b"c', "d\ne"], ";", "utf-8").decode()
    assert list(csv.reader(io.StringIO(line, newline=""), delimiter=";")) == [["a", 'b"c', "d\ne"]]
