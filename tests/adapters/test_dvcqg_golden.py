"""The portal's own words and the bus' say the same, case by case and both ways."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.dvcqg.bill import Bills
from adapters.dvcqg.filing import Filing
from adapters.dvcqg.item import Items, rules
from adapters.dvcqg.portal.shape import wrong_item, wrong_step
from gateway.core.brought import Bringer
from gateway.core.dossiers.dossier import Dossier
from gateway.core.moments import parse_moment
from gateway.core.wire_record import Shape, tidied
from tests.adapters.portal_desk import a_desk

FOLDER = Path(__file__).parents[1] / "vectors" / "onestop"
CASES: dict[str, Any] = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
ITEMS = sorted(name for name in CASES if name.startswith("dvcqg_item"))
FILING = Filing(Bringer("dvcqg", "H33.16/dvcqg"), rules("tax_in.json"))


def items(fields: str) -> Items:
    return Items(fields, lambda sha256, name: f"https://truc.example.vn/{sha256}/{name}")


def a_dossier(at: int, **override: Any) -> Dossier:
    made: dict[str, Any] = {
        "code": "H33.01-261123-0001", "written": "H33.01-261123-0001", "lead": "H33.01", "status": at,
        "status_at": parse_moment("2026-11-24T08:30:00+07:00"), "procedure": "", "received_at": None, "due": None,
        "finished_at": None, "steps": (), **override,
    }  # fmt: skip
    return Dossier(**made)


@pytest.mark.parametrize("name", ITEMS)
def test_a_dossier_that_the_portal_brings_is_read_as_the_case_says(name: str) -> None:
    case = CASES[name]
    message = FILING.message(FILING.dossier(case["wire"], None, 0.0), {}, 0.0)
    assert message.event["data"] == case["data"]


@pytest.mark.parametrize("name", ITEMS)
def test_a_dossier_is_written_for_the_portal_as_the_case_says(name: str) -> None:
    case = CASES[name]
    fields = "2022" if "2022" in name else "2019"
    written = items(fields).item(case["data"], None)
    assert written.record == case["wire"]
    assert written.notes == []
    assert wrong_item(written.record, fields) == []


def test_a_supplement_handed_in_at_the_portal_is_read_as_the_case_says() -> None:
    case = CASES["dvcqg_update_supplemented"]
    known = a_dossier(case["given"]["record"]["status"]["code"])
    message = FILING.message(FILING.dossier(case["wire"], known, 0.0), {}, 0.0)
    assert message.event["type"] == "dossier.supplemented"
    assert message.event["data"] == case["data"]


@pytest.mark.parametrize("name", sorted(name for name in CASES if name.startswith("dvcqg_update")))
async def test_what_was_said_since_is_written_into_the_dossier_as_the_case_says(name: str, tmp_path: Path) -> None:
    case = copy.deepcopy(CASES[name])
    wire, data = case["wire"], case["data"]
    async with a_desk(tmp_path) as desk:
        # The registration that the case's dossier began with: its own members, as they stood at the beginning.
        first = {**wire, "TrangThaiHoSo": "2", "NgayTra": "", "NgayKetThucXuLy": "", "DanhSachGiayToKetQua": []}
        if not name.endswith("supplemented"):
            first["DanhSachHoSoBoSung"] = []
        begun = FILING.message(FILING.dossier(first, None, 0.0), {}, 0.0).event["data"]
        if name.endswith("supplemented"):
            for entry in begun["supplements"]:
                for member in ("receivedBy", "receivedNote", "receivedAt", "newDueAt", "state"):
                    entry.pop(member)
        desk.say("dossier.registered", begun, agency="H33.01")
        if name.endswith("result_issued"):
            desk.say("dossier.progressed", _step(data["dossierCode"], 4), agency="H33.01")
        if name.endswith("supplemented"):
            asked = CASES["dvcqg_update_supplement_requested"]["data"]
            desk.say("dossier.supplement-requested", asked, agency="H33.01")
        desk.say(case["contract"].partition("/")[0], data, agency="H33.01")
        known = desk.known(data["dossierCode"])
        written = items("2022").item(known.record, known.status).record
        states = [entry.pop("TrangThaiBoSung") for entry in written["DanhSachHoSoBoSung"]]
        told = [entry.pop("TrangThaiBoSung") for entry in wire["DanhSachHoSoBoSung"]]
    if name.endswith("result_issued"):
        # Told with the handing over alone; which of the two moments ended the work is the register's to say.
        assert written.pop("NgayKetThucXuLy") in {wire.pop("NgayKetThucXuLy"), wire["NgayTra"]}
    assert {name: written[name] for name in wire} == wire
    # What the state of an open request is called is nobody's to make up: no list of such states is known.
    assert all(state in {"", said} for state, said in zip(states, told, strict=True))


def _step(code: str, at: int) -> dict[str, Any]:
    since = "2026-11-24T08:30:00+07:00"
    return {"dossierCode": code, "at": since, "status": {"code": at, "at": since}}


def test_a_step_is_written_as_the_case_says() -> None:
    case = CASES["dvcqg_step"]
    event = {"type": "dossier.progressed", "data": case["data"]}
    written = items("2022").step(event, 4, "Hệ thống một cửa")
    assert written is not None
    assert written.record == case["wire"]
    assert wrong_step(written.record) == []


def test_a_procedure_is_read_as_the_case_says() -> None:
    case = CASES["dvcqg_procedure"]
    reader = rules("procedure_in.json")
    assert reader.apply(tidied(case["wire"], Shape.of(reader)).record) == case["data"]


def test_a_bill_is_written_as_the_case_says() -> None:
    case = CASES["payment_bill"]
    wire, given, said = case["wire"], case["given"]["record"], case["data"]
    record = {**given, "dossierCode": said["dossierCode"], "status": said["status"], "charges": said["charges"]}
    bills = Bills({
        "beneficiary": {"account": wire["TKThuHuong"], "bank": wire["MaNHThuHuong"], "name": wire["TenTKThuHuong"]},
        "bill": {"content": wire["NoiDungThanhToan"]},
    })  # fmt: skip
    assert bills.bill(a_dossier(6, record=record)) == (1, wire)
