"""Carriers, days of closing and successors in the province folder: checked before anything changes."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.config.documents import each
from gateway.config.picture import directory_of
from gateway.config.province import read_province
from gateway.config.rows import FolderRow, Row
from gateway.core.faults import Misconfigured
from tests.province import GATEWAY, a_province, settings_of, write

MERGED = 'code = "H39"\nname = "Long An"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_province(tmp_path / "tinh")


def mistakes(folder: Path, *registered: Row) -> list[str]:
    try:
        read_province(settings_of(folder), registered)
    except Misconfigured as fault:
        return [one.where for one in each(fault)]
    return []


def test_what_the_folder_says_of_an_agency_is_in_the_directory(folder: Path) -> None:
    write(folder, "agencies/a.toml", 'code = "G12"\nname = "Bộ"\nvia = "000.00.05.H33/dms"\n')
    write(folder, "agencies/b.toml", MERGED + 'closed = 2025-07-01\nsuccessor = "G12"\n')
    town = directory_of(read_province(settings_of(folder)).rows, gateway=GATEWAY, version=1)

    ministry, closed = town.agency("G12"), town.agency("H39")
    assert ministry is not None
    assert closed is not None
    assert town.carrier(ministry) is town.system("H33.05/dms")
    assert town.carriers == {"H33.05/dms"}
    assert (closed.closed, closed.successor) == (date(2025, 7, 1), "G12")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('via = "H33.05"\n', "agencies/a.toml:3: via"),
        ('via = "H33.99/dms"\n', "agencies/a.toml:3: via"),
        ('successor = "G12"\n', "agencies/a.toml:3: successor"),
        ('closed = "soon"\n', "agencies/a.toml:3: closed"),
        ('closed = 2025-07-01\nsuccessor = "G 12"\n', "agencies/a.toml:4: successor"),
        ('closed = 2025-07-01\nsuccessor = "H39"\n', "agencies/a.toml:4: successor"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(folder: Path, text: str, where: str) -> None:
    write(folder, "agencies/a.toml", MERGED + text)
    assert mistakes(folder) == [where]


def test_successors_that_lead_in_a_circle_are_refused_by_whatever_code_they_are_named(folder: Path) -> None:
    closed = "closed = 2025-07-01\n"
    write(folder, "agencies/a.toml", f'{MERGED}aliases = ["000.39"]\n{closed}successor = "H40"\n')
    write(folder, "agencies/b.toml", f'code = "H40"\nname = "x"\n{closed}successor = "000.39"\n')
    write(folder, "agencies/c.toml", f'code = "H41"\nname = "leads into it"\n{closed}successor = "H40"\n')
    write(folder, "agencies/d.toml", f'code = "H42"\nname = "leads away"\n{closed}successor = "X99"\n')
    assert mistakes(folder) == ["agencies/a.toml:5: successor", "agencies/b.toml:4: successor"]


def test_a_carrier_may_be_registered_from_elsewhere(folder: Path) -> None:
    write(folder, "agencies/a.toml", MERGED + 'via = "H33.90/line"\n')
    body = {"code": "H33.90", "name": "x", "systems": [{"name": "line", "adapter": "inbox"}]}
    assert mistakes(folder, FolderRow("agency", "H33.90", body, "enrolment")) == []
    assert mistakes(folder, FolderRow("agency", "H33.90", body)) == ["agencies/a.toml:3: via"]
