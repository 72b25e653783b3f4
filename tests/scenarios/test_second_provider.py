"""Two systems tell of the same item of a register at a real gateway: the second is refused until somebody decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.outside.client import Answer, Seat, eventually
from tests.outside.province import Province, wants

LAND, FINANCE, READER = "H33.07/land", "H33.05/dms", "H33.16/dms"
DOOR = "/v1/operator/registers"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """Two departments that both keep houses, and one that wants to hear of them."""
    with Province(tmp_path_factory.mktemp("registers") / "tinh") as made:
        made.one(LAND)
        made.one(FINANCE)
        made.one(READER, wants("record.changed/1.0"), wants("land-parcel.updated/1.0"), wants("document.issued/1.0"))
        made.agreement()
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def approver(province: Province) -> str:
    return province.operator("approver")


def tell(seat: Seat, *, register: str = "nha-o", **more: Any) -> Answer:
    data = {"register": register, "key": "NO-1", "change": "updated", "record": {"soTang": 2}, **more}
    event = seat.event(READER.split("/", maxsplit=1)[0], "record.changed/1.0", data=data, purpose="van-ban")
    return seat.bus.send(seat.who.seal(event))


def item(province: Province, token: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = province.bus.get(f"{DOOR}/{name.replace('/', '%2F')}", token).json
    return found


def decide(province: Province, token: str, name: str, *, act: str = "approve", reason: str = "QĐ phân công") -> Answer:
    body = json.dumps({"act": act, "system": FINANCE, "reason": reason}).encode()
    path = f"{DOOR}/{name.replace('/', '%2F')}"
    return province.bus.call("POST", path, body, token=token, kind="application/json")


def test_the_second_is_refused_approved_by_an_approver_and_takes_the_place_of_the_first(
    province: Province, approver: str
) -> None:
    land, finance = province.seats[LAND], province.seats[FINANCE]
    assert tell(land).status == 202
    refused = tell(finance)
    assert refused.is_problem("no-agreement", 403)
    assert LAND in refused.json["detail"]
    assert tell(land).status == 202

    shown = item(province, approver, "nha-o")
    assert (shown["provider"], shown["by"]) == (LAND, "first")
    assert [each["system"] for each in shown["waiting"]] == [FINANCE]

    assert decide(province, province.operator("operator"), "nha-o").is_problem("forbidden", 403)
    assert decide(province, approver, "nha-o", reason=" ").is_problem("bad-request", 400)
    assert decide(province, approver, "nha-o").status == 200
    eventually(lambda: tell(finance).status == 202, within=5)
    eventually(lambda: tell(land).is_problem("no-agreement", 403), within=5)

    # What was decided outlives the process.
    province.stop()
    province.serve()
    assert tell(land).is_problem("no-agreement", 403)
    assert tell(finance).status == 202


def test_another_key_space_and_another_register_are_other_items(province: Province) -> None:
    land, finance = province.seats[LAND], province.seats[FINANCE]
    assert tell(land, register="cau-duong", keySpace="H33.07").status == 202
    assert tell(finance, register="cau-duong", keySpace="H33.05").status == 202
    assert tell(finance, register="cau-duong", keySpace="H33.07").is_problem("no-agreement", 403)


def test_one_register_is_one_item_whichever_contract_tells_of_it(province: Province) -> None:
    land, finance = province.seats[LAND], province.seats[FINANCE]
    data = {"key": "1", "change": "created", "parcel": {"mapSheet": "12"}}
    land.send("H33.16", "land-parcel.updated/1.0", data=data, purpose="van-ban")
    assert tell(finance, register="land-parcel").is_problem("no-agreement", 403)


def test_at_the_command_line_it_is_rejected_with_a_reason_and_may_be_approved_later(province: Province) -> None:
    land, finance = province.seats[LAND], province.seats[FINANCE]
    assert tell(land, register="truong-hoc").status == 202
    assert tell(finance, register="truong-hoc").is_problem("no-agreement", 403)
    waiting = json.loads(province.run("registers", "list", "--waiting", "--json").stdout)["registers"]
    assert "truong-hoc" in [each["item"] for each in waiting]

    done = province.run("registers", "reject", "truong-hoc", FINANCE, "--reason", "trái thẩm quyền", "--json")
    assert json.loads(done.stdout)["waiting"] == []
    eventually(lambda: "đã từ chối" in tell(finance, register="truong-hoc").json["detail"], within=5)
    assert "trái thẩm quyền" in province.run("registers", "show", "truong-hoc").stdout

    province.run("registers", "approve", "truong-hoc", FINANCE, "--reason", "đã đổi phân công")
    eventually(lambda: tell(finance, register="truong-hoc").status == 202, within=5)
    province.run("registers", "approve", "truong-hoc", "H33.99/x", "--reason", "thử", status=1)
    province.run("registers", "show", "khong-co", status=1)


def test_every_decision_is_in_the_audit_with_who_and_why(province: Province) -> None:
    folder: Path = province.folder
    data = (folder / "var/lgsp.db").read_bytes() + (folder / "var/lgsp.db-wal").read_bytes()
    for said in ("register.claimed", "register.asked", "register.approved", "register.rejected", "trái thẩm quyền"):
        assert said.encode() in data
    assert "apply" in province.run("apply", "--help").stdout
    # The folder's apply leaves the decisions alone.
    province.apply()
    assert json.loads(province.run("registers", "show", "truong-hoc", "--json").stdout)["provider"] == FINANCE
