"""Software that knows folders alone says its side of a day by a table in one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from adapters.edxml_folder.adapter import EdxmlFolder, open_adapter
from gateway.core.faults import Rejected
from gateway.core.reconciliation import Line
from tests.adapters.fitting import Hands

DAY = date(2026, 11, 23)


@pytest.fixture
async def adapter(tmp_path: Path) -> AsyncIterator[EdxmlFolder]:
    (tmp_path / "tables").mkdir()
    settings = {name: str(tmp_path / name) for name in ("outbox", "inbox")}
    opened = open_adapter(Hands(tmp_path).context("edxml_folder", {**settings, "manifests": str(tmp_path / "tables")}))
    yield opened
    await opened.close()


def write(tmp_path: Path, text: str) -> None:
    (tmp_path / "tables" / "2026-11-23.csv").write_text(text, encoding="utf-8")


async def test_the_table_of_a_day_is_what_the_system_says(adapter: EdxmlFolder, tmp_path: Path) -> None:
    write(tmp_path, "id;direction\nA1;received\nb2;sent\n")
    said = await adapter.fetch_manifest(DAY)
    assert said is not None
    assert [(each.direction, each.contract, each.form, list(each.lines or ())) for each in said] == [
        ("received", "", "ids", [Line("a1")]), ("sent", "", "ids", [Line("b2")]),
    ]  # fmt: skip


async def test_without_a_table_it_says_nothing_yet(adapter: EdxmlFolder) -> None:
    assert await adapter.fetch_manifest(DAY) is None


async def test_a_table_that_is_empty_says_that_nothing_came(adapter: EdxmlFolder, tmp_path: Path) -> None:
    write(tmp_path, "id\n")
    said = await adapter.fetch_manifest(DAY)
    assert said is not None
    assert [(each.direction, list(each.lines or ())) for each in said] == [("received", [])]


async def test_a_wrong_table_is_refused(adapter: EdxmlFolder, tmp_path: Path) -> None:
    write(tmp_path, "id,direction\na,upwards\n")
    with pytest.raises(Rejected):
        await adapter.fetch_manifest(DAY)


async def test_a_link_is_not_followed(adapter: EdxmlFolder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("id\nx\n")
    (tmp_path / "tables" / "2026-11-23.csv").symlink_to(tmp_path / "secret")
    assert await adapter.fetch_manifest(DAY) is None


async def test_who_names_no_folder_is_not_asked(tmp_path: Path) -> None:
    settings = {name: str(tmp_path / name) for name in ("outbox", "inbox")}
    opened = open_adapter(Hands(tmp_path).context("edxml_folder", settings))
    assert await opened.fetch_manifest(DAY) is None
    await opened.close()
