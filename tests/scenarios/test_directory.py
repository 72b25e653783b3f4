"""Agencies of the whole country: a list is taken in, looked at and approved, and what is sent finds its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.outside.client import Seat, eventually
from tests.outside.province import Province, wants

#: A province's own adapter: it writes down for whom each parcel is, and tells the agencies of a file.
ADAPTER = """
import json
from gateway.core.faults import TransientFailure
from gateway.ports import HandedOver

MODE, COLLECTS = "push", False


class Line:
    def __init__(self, context):
        self._folder = context.folder / "line"

    async def deliver(self, parcel):
        told = {"message": parcel.message, "carried": list(parcel.carried)}
        (self._folder / f"{parcel.delivery}.json").write_text(json.dumps(told))
        return HandedOver()

    async def fetch_agencies(self):
        for each in json.loads((self._folder / "agencies.list").read_text()):
            yield each

    async def collect(self, limit):
        return []

    async def settle(self, token, refusal):
        pass

    async def close(self):
        pass


def open_adapter(context):
    return Line(context)
"""
SETTINGS = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": False}
#: As the axis tells them: the code of today, the code of before.
AXIS = [
    {"code": "G12", "name": "Bộ Tài chính", "parent": "", "aliases": ["000.00.00.G12"], "level": "1"},
    {"code": "H53", "name": "UBND tỉnh Tây Ninh", "aliases": ["000.00.00.H53"]},
    {"code": "H39", "name": "UBND tỉnh Long An", "aliases": ["000.00.00.H39"]},
    {"code": "00.53.W00", "name": "Trung tâm kết nối Tây Ninh", "aliases": []},
    {"code": "H12 3", "name": "mã sai", "aliases": []},
]
CSV = "\ufeffcode;name;closed;successor;căn cứ\nH39;UBND tỉnh Long An;01/07/2025;H53;QĐ 09/2025/QĐ-TTg\n"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """One department, and a line to the axis that carries for whoever is on its list."""
    with Province(tmp_path_factory.mktemp("country") / "tinh") as made:
        made.write("adapters/line/adapter.py", ADAPTER)
        made.write("adapters/line/settings.schema.json", json.dumps(SETTINGS))
        made.write("line/agencies.list", json.dumps(AXIS))
        made.contract("note.made")
        made.one("H33.05/dms", wants("receipt.delivered/1.0"))
        made.one("H33.14/axis", wants("note.made/1.0"), adapter="line")
        made.agreement()
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def approver(province: Province) -> str:
    return province.operator("approver")


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats["H33.05/dms"]


def waiting(province: Province, token: str, source: str) -> dict[str, Any]:
    """The proposal of a source that waits, as the door tells it."""
    found = province.bus.get("/v1/operator/directory", token).json["waiting"]
    (number,) = [each["proposal"] for each in found if each["source"] == source]
    whole: dict[str, Any] = province.bus.get(f"/v1/operator/directory/proposals/{number}", token).json
    return whole


def decide(province: Province, token: str, number: int, act: str) -> Any:
    body = json.dumps({"act": act, "reason": "đã đối chiếu"}).encode()
    path = f"/v1/operator/directory/proposals/{number}"
    return province.bus.call("POST", path, body, token=token, kind="application/json")


def handed(province: Province, message: str) -> list[str]:
    """The agencies for which the line got a message, once it has it."""

    def told() -> list[list[str]]:
        letters = [json.loads(path.read_text() or "{}") for path in (province.folder / "line").glob("*.json")]
        return [each["carried"] for each in letters if each.get("message") == message]

    eventually(lambda: len(told()) == 1)
    return told()[0]


def test_a_country_comes_in_is_approved_and_is_reached(province: Province, approver: str, sender: Seat) -> None:
    # The line is asked by the running gateway itself; nothing it says counts before an approver says so.
    eventually(lambda: bool(province.bus.get("/v1/operator/directory", approver).json["waiting"]), within=15)
    proposal = waiting(province, approver, "H33.14/axis")
    assert (proposal["counts"], proposal["left_out"]) == ({"added": 4}, 1)
    assert [each["code"] for each in proposal["changes"]] == ["00.53.W00", "G12", "H39", "H53"]
    assert "H12 3" in proposal["notes"][0]["vi"]
    refused = sender.bus.send(sender.who.seal(sender.event("G12")))
    assert refused.is_problem("unknown-recipient", 422)

    viewer = province.operator("viewer")
    assert decide(province, viewer, proposal["proposal"], "approve").is_problem("forbidden", 403)
    assert decide(province, approver, proposal["proposal"], "approve").json["state"] == "approved"
    assert decide(province, approver, proposal["proposal"], "reject").is_problem("illegal-state", 409)

    # Within two seconds it is in force: two names in either form, one carrier, one delivery.
    eventually(lambda: "G12" in json.dumps(sender.get("/v1/agencies?q=bo+tai+chinh").json), within=3)
    answer = sender.bus.send(sender.who.seal(sender.event("G12 000.00.00.G12 000.00.00.H53")))
    assert answer.json["recipients"] == ["H33.14/axis"]
    assert handed(province, answer.json["id"]) == ["G12", "H53"]
    assert sender.bus.send(sender.who.seal(sender.event("00.53.W00"))).is_problem("unknown-recipient", 422)


@pytest.fixture(scope="module")
def country(province: Province, approver: str, sender: Seat) -> str:
    """The digest of the axis's list, which is in force."""

    def listed() -> list[dict[str, Any]]:
        found = province.bus.get("/v1/operator/directory", approver).json["lists"]
        return [each for each in found if each["source"] == "H33.14/axis"]

    eventually(lambda: bool(listed()), within=15)
    if "digest" not in listed()[0]:
        decide(province, approver, waiting(province, approver, "H33.14/axis")["proposal"], "approve")
    eventually(lambda: sender.get("/v1/agencies?q=g12").json["agencies"] != [], within=3)
    return str(listed()[0]["digest"])


@pytest.mark.usefixtures("country")
def test_a_succession_redirects_what_is_sent(province: Province, sender: Seat, tmp_path: Path) -> None:
    before = sender.bus.send(sender.who.seal(sender.event("H39")))
    assert handed(province, before.json["id"]) == ["H39"]

    file = tmp_path / "sap-nhap.csv"
    file.write_text(CSV, encoding="utf-8")
    made = json.loads(province.run("directory", "import", file, "--source", "sap-nhap", "--json").stdout)
    assert (made["result"], made["counts"]) == ("proposed", {"added": 1})
    shown = province.run("directory", "show", made["proposal"]).stdout
    assert "H39 UBND tỉnh Long An: ∅ → 2025-07-01 → H53" in shown
    province.run("directory", "approve", made["proposal"], "--reason", "theo QĐ 09/2025")

    def entry() -> Any:
        (found,) = sender.get("/v1/agencies?q=h39").json["agencies"]
        return found

    eventually(lambda: entry().get("successor") == "H53", within=3)
    assert entry()["closed"] == "2025-07-01"
    assert entry()["may_send"][0]["systems"] == ["H33.14/axis"]
    after = sender.bus.send(sender.who.seal(sender.event("H39 000.00.00.H39 H53")))
    assert after.json["recipients"] == ["H33.14/axis"]
    assert handed(province, after.json["id"]) == ["H53"]
    again = province.run("directory", "import", file, "--source", "sap-nhap", "--json").stdout
    assert json.loads(again)["result"] == "unchanged"


def test_a_list_that_was_cut_is_marked_and_may_be_rejected(
    province: Province, approver: str, sender: Seat, country: str
) -> None:
    province.write("line/agencies.list", json.dumps(AXIS[:1]))
    made = json.loads(province.run("directory", "sync", "H33.14/axis", "--json").stdout)
    assert (made["suspicious"], made["counts"]) == (True, {"gone": 3})
    assert "10 %" in province.run("doctor", "--passive", status=None).stdout

    assert decide(province, approver, made["proposal"], "reject").json["state"] == "rejected"
    lists = province.bus.get("/v1/operator/directory", approver).json["lists"]
    assert country in [each.get("digest") for each in lists]
    answer = sender.bus.send(sender.who.seal(sender.event("H53")))
    assert answer.json["recipients"] == ["H33.14/axis"]


def test_a_file_with_mistakes_is_refused_line_by_line_and_proposes_nothing(province: Province, tmp_path: Path) -> None:
    file = tmp_path / "sai.csv"
    file.write_text("code,name\nH01,An Giang\nH 2,x\nH03,\nH01,hai\n", encoding="utf-8")
    refused = province.run("directory", "import", file, "--source", "sai", "--json", status=1)
    assert [each["line"] for each in json.loads(refused.stdout)["mistakes"]] == [3, 4, 5]
    assert "sai" not in province.run("directory", "proposals", "--all").stdout
