"""Records by a view: read only, by a cursor with an overlap, each row once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import pytest_asyncio

from adapters.records.adapter import Records, open_adapter
from adapters.records.view import _less
from gateway.core.faults import Text, TransientFailure
from gateway.ports import Collected
from tests.adapters.fitting import Hands

RULES = {
    "rules": [
        {"constant": "truong-hoc", "to": "/register"},
        {"constant": "updated", "to": "/change"},
        {"move": "/ma", "to": "/key"},
        {"move": "", "to": "/record"},
    ]
}
SCHEMA = Path(__file__).parents[2] / "adapters/records/settings.schema.json"


class School:
    """A database with a view, and the adapter that reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.moment = folder, 1_795_000_000.0
        self.write("CREATE TABLE t (ma TEXT, ten TEXT, sua INTEGER)")
        self.write("CREATE VIEW v AS SELECT * FROM t")
        (folder / "rules.json").write_text(json.dumps(RULES))

    def write(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.folder / "school.db")) as opened, opened:
            opened.execute(statement, values)

    def row(self, ma: str, sua: int, ten: str = "Trường mẫu") -> None:
        self.write("INSERT INTO t VALUES (?, ?, ?)", ma, ten, sua)

    def opened(self, **view: Any) -> Records:
        settings = {
            "incoming": {"contract": "record.changed/1.0", "rules": "rules.json"},
            "view": {"file": "school.db", "view": "v", "cursor": "sua", "poll_seconds": 10, **view},
        }
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(settings)
        context = Hands(self.folder).context("records", settings)
        return open_adapter(replace(context, now=lambda: self.moment))

    async def keys(self, adapter: Records, limit: int = 100) -> list[str]:
        """What comes now, settled."""
        self.moment += 11
        found: list[str] = []
        while items := list(await adapter.collect(limit)):
            for item in items:
                assert isinstance(item, Collected)
                found.append(str(item.event["subject"]))
                await adapter.settle(item.token, None)
        return found


@pytest_asyncio.fixture
async def school(tmp_path: Path) -> AsyncIterator[School]:
    yield School(tmp_path)


async def test_rows_come_by_the_cursor_each_once_and_again_when_they_change(school: School) -> None:
    for number in range(5):
        school.row(f"T{number}", number)
    adapter = school.opened()
    assert await school.keys(adapter, 2) == [f"T{n}" for n in range(5)]
    assert await school.keys(adapter) == []
    school.write("UPDATE t SET ten = 'Tên mới', sua = 9 WHERE ma = 'T1'")
    assert await school.keys(adapter) == ["T1"]
    assert await school.keys(school.opened()) == []


async def test_a_row_that_was_committed_late_is_found_by_the_overlap(school: School) -> None:
    school.row("T1", 100)
    adapter = school.opened(overlap=20)
    assert await school.keys(adapter) == ["T1"]
    school.row("late", 90)
    school.row("too late", 70)
    assert await school.keys(adapter) == ["late"]


async def test_many_rows_of_one_moment_are_all_read(school: School) -> None:
    with closing(sqlite3.connect(school.folder / "school.db")) as opened, opened:
        opened.executemany("INSERT INTO t VALUES (?, 'x', 7)", [(f"T{n}",) for n in range(1234)])
    assert len(set(await school.keys(school.opened(), 50))) == 1234


async def test_what_is_not_settled_comes_again_and_the_cursor_waits_for_it(school: School) -> None:
    school.row("T1", 1)
    school.row("T2", 2)
    adapter = school.opened()
    first, second = await adapter.collect(10)
    await adapter.settle(second.token, ("contract-violation", Text("Sai.", "Wrong.")))
    assert [item.token for item in await adapter.collect(10)] == [first.token]
    assert [item.token for item in await school.opened().collect(10)] == [first.token]


async def test_the_file_is_only_read_and_a_missing_one_is_a_temporary_failure(school: School) -> None:
    school.row("T1", 1)
    before = (school.folder / "school.db").read_bytes()
    await school.keys(school.opened())
    assert (school.folder / "school.db").read_bytes() == before
    with pytest.raises(TransientFailure):
        await school.opened(file="nowhere.db").collect(1)
    assert not (school.folder / "nowhere.db").exists()


async def test_a_view_that_takes_too_long_is_left(school: School) -> None:
    school.write(
        "CREATE VIEW slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000000)"
        " SELECT count(*) AS sua, 'T' AS ma FROM n"
    )
    with pytest.raises(TransientFailure):
        await school.opened(view="slow", statement_seconds=0.1).collect(1)


@pytest.mark.parametrize(
    "wrong",
    [{"view": "v; DROP TABLE t"}, {"view": 'v" --'}, {"cursor": "sua DESC"}, {"url": "postgresql://a:mat-khau@h/d"}],
)
def test_names_that_are_no_names_and_passwords_in_addresses_do_not_pass_the_schema(wrong: dict[str, str]) -> None:
    view = {"file": "school.db", "view": "v", "cursor": "sua", **wrong}
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert not validator.is_valid({"view": view})


@pytest.mark.parametrize(
    ("mark", "overlap", "wanted"),
    [
        (None, 5, None), (10, 3, 7), (10, 0, 10), ("2026-11-23", 60, "2026-11-22"),
        ("2026-11-23 08:00:00", 60, "2026-11-23 07:59:00"),
        ("2026-11-23T08:00:00+07:00", 60, "2026-11-23T07:59:00+07:00"), ("chữ", 5, "chữ"),
    ],
)  # fmt: skip
def test_the_overlap_keeps_the_form_of_the_cursor(mark: Any, overlap: float, wanted: Any) -> None:
    assert _less(mark, overlap) == wanted
