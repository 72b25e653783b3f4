"""`lgsp adapters try`: a sample shows what would be sent and what would come of it; nothing is sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import adapters.rest.stand_in as new
import adapters.soap.stand_in as old
from tests.cli.desk import lgsp
from tests.province import a_province
from tests.scenarios.test_county_database import a_member

EVENT = {"type": "procedure.catalogue", "version": "1.0", "data": {"code": "1.1", "name": "Cấp sổ", "isActive": True}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = a_province(tmp_path / "tinh")

    async def found() -> None:
        async with old.agency(made) as county, new.agency(made) as catalogue:
            a_member(made, "H33.40", "dat-dai", "soap", county.settings)
            a_member(made, "H33.41", "danh-muc", "rest", catalogue.settings)

    asyncio.run(found())
    return made


def sample(folder: Path, value: Any) -> Path:
    path = folder / "mau"
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def test_a_message_shows_the_request_with_its_secrets_masked(folder: Path) -> None:
    shown = lgsp("-C", folder, "adapters", "try", "H33.41/danh-muc", "--json", "--sample", sample(folder, EVENT))
    assert shown.status == 0, shown.err
    request = shown.json["request"]
    assert (request["method"], request["address"].rpartition("/api")[2]) == ("PUT", "/thu-tuc/1.1")
    assert json.loads(request["body"]) == {"ma": "1.1", "ten": "Cấp sổ", "hieuLuc": 1}
    assert "***" in request["fields"]["Authorization"]
    soap = lgsp("-C", folder, "adapters", "try", "H33.40/dat-dai", "--sample", sample(folder, EVENT))
    assert soap.status == 0
    assert soap.out.startswith("# ")
    assert "chưa gửi gì" in soap.out
    assert "UsernameToken" in soap.out
    for secret in ("khoa-mau-danh-muc-3", "mat-khau-mau-huyen-5"):
        assert secret not in shown.out + soap.out


def test_an_answer_shows_what_would_come_of_it_and_what_breaks_the_contract(folder: Path) -> None:
    rows = [{"ma": "1", "lan": 1, "ten": "Một", "hieuLuc": 1}, {"ma": "2", "lan": 1, "hieuLuc": 1}]
    path = sample(folder, {"ketQua": "1", "duLieu": rows})
    shown = lgsp("-C", folder, "adapters", "try", "H33.41/danh-muc", "--as", "thay-doi", "--json", "--sample", path)
    assert shown.status == 1
    (said,) = shown.json["said"]
    assert said["data"] == {"code": "1", "name": "Một", "isActive": True}
    assert said["violations"] == []
    assert "/name" in shown.json["troubles"][0]
    long = sample(folder, {"ketQua": "1", "duLieu": [{"ma": "x" * 150, "lan": 1, "ten": "Một", "hieuLuc": 1}]})
    shown = lgsp(
        "-C", folder, "--lang", "en", "adapters", "try", "H33.41/danh-muc", "--as", "thay-doi", "--sample", long
    )
    assert (shown.status, "✗ /code: Too long" in shown.out) == (1, True)


def test_a_message_that_breaks_its_contract_or_that_nobody_described_is_told(folder: Path) -> None:
    for event in ({**EVENT, "data": {"code": "1.1"}}, {**EVENT, "type": "dossier.withdrawn"}):
        shown = lgsp("-C", folder, "adapters", "try", "H33.40/dat-dai", "--json", "--sample", sample(folder, event))
        assert shown.status == 1
        assert shown.json["violations"]


BODIES = ["", "{", "null", "[1]", '{"ketQua":1,"duLieu":7}', "<a/>", "\x00", '{"type":1,"data":2}', "[" * 99999]


@pytest.mark.parametrize(
    ("system", "part"),
    [("H33.41/danh-muc", "thay-doi"), ("H33.41/danh-muc", "bao-ngay"), ("H33.40/dat-dai", "bao-ngay"),
     ("H33.40/dat-dai", "land.lookup"), ("H33.40/dat-dai", "procedure.catalogue")],
)  # fmt: skip
def test_no_sample_brings_it_down(folder: Path, system: str, part: str) -> None:
    options: list[str | Path] = []
    for number, body in enumerate(BODIES):
        (folder / f"mau-{number}").write_text(body, "utf-8")
        options += ["--sample", folder / f"mau-{number}"]
    shown = lgsp("-C", folder, "adapters", "try", system, "--as", part, "--json", *options)
    assert shown.status == 1
    results = [json.loads(line)["result"] for line in shown.out.splitlines()]
    assert results == ["failed"] * len(BODIES), shown.err


def test_what_cannot_be_tried_is_wrong_usage(folder: Path) -> None:
    path = sample(folder, "{}")
    for arguments in (("H33.99/x",), ("H33.05/dms",), ("H33.41/danh-muc",), ("H33.41/danh-muc", "--as", "khac")):
        shown = lgsp("-C", folder, "adapters", "try", *arguments, "--sample", path)
        assert shown.status == 2, shown
        assert shown.err.count("✗") == 2, "both languages"
