"""One-stop software, by cases written by hand: what stands on the wire, and what it means in the words of the bus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.onestop.adapter import open_adapter
from adapters.onestop.stand_in import HEADER, KEY
from gateway.core.content import InMemory
from gateway.ports import Call
from tests.adapters.fitting import Hands
from tests.adapters.one_stop_bus import Bus, an_event_of, context_of, violations

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "onestop"
NAMES = sorted(path.stem for path in VECTORS.glob("dvcqg_*.json"))
ITEMS = [name for name in NAMES if "procedure" not in name and "question" not in name]
SETTINGS = {"caller_header": HEADER, "caller_secret_file": "keys/key", "url": "http://127.0.0.1:9"}


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return found


def bare(value: Any) -> Any:
    """``value`` without what is empty: a portal's client writes "" and [] where there is nothing."""
    if isinstance(value, dict):
        return {name: bare(each) for name, each in value.items() if each not in ("", [], None)}
    return [bare(each) for each in value] if isinstance(value, list) else value


def an_adapter(folder: Path, bus: Bus) -> Any:
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys/key").write_text(KEY)
    return open_adapter(context_of(Hands(folder), "onestop", SETTINGS, bus))


def call_of(case: dict[str, Any]) -> Call:
    body = {**case["given"]["request"], "data": [case["wire"]]}
    return Call("POST", "", {}, {HEADER.lower(): KEY}, InMemory(json.dumps(body).encode()), "127.0.0.1")


def known_of(case: dict[str, Any], bus: Bus) -> None:
    """The dossier stands as the case says, registered by this office itself."""
    status = case["given"].get("record", {}).get("status", {}).get("code")
    if status is not None:
        item = case["wire"]
        data = {
            "dossierCode": item["MaHoSo"], "procedure": {"code": item["MaTTHC"]}, "agency": {"code": "H33.01"},
            "applicant": {"name": item["ChuHoSo"], "kind": "citizen"},
            "status": {"code": status, "at": "2026-11-23T08:30:00+07:00"},
        }  # fmt: skip
        bus.tell(an_event_of("dossier.registered", "2.0", data), bus.agency)


@pytest.mark.parametrize("name", ITEMS)
async def test_what_stands_on_the_wire_means_what_the_case_says(name: str, tmp_path: Path) -> None:
    case, bus = read(name), Bus()
    known_of(case, bus)
    adapter = an_adapter(tmp_path, bus)
    reply = await adapter.answer(call_of(case), bus.take)
    assert json.loads(reply.body)["error_code"] == 0, reply.body.decode()
    (item,) = bus.taken
    assert item.event["data"] == case["data"]
    contract, _, label = case["contract"].partition("/")
    assert item.event["type"] == contract
    # New dossiers are told in the field set of 2022, which has all of 2019.
    assert item.event["dataschema"].endswith(":2.0" if contract == "dossier.registered" else f":{label}")
    assert item.event["subject"] == case["data"]["dossierCode"]
    assert violations(dict(item.event)) == []
    await adapter.close()


@pytest.mark.parametrize("name", [name for name in ITEMS if read(name)["direction"] == "both" and "step" not in name])
async def test_what_the_bus_has_to_say_is_written_as_the_case_has_it(name: str, tmp_path: Path) -> None:
    case, bus = read(name), Bus()
    if "record" in case["given"]:
        # An update is told on top of all that is known: here what the same item said when it was new.
        first = {**case, "given": {"request": {**case["given"]["request"], "isUpdating": "False"}}}
        adapter = an_adapter(tmp_path, bus)
        await adapter.answer(call_of(first), bus.take)
        await adapter.close()
    adapter = an_adapter(tmp_path, bus)
    contract, _, label = case["contract"].partition("/")
    written = await adapter._writer.write(an_event_of(contract, label, case["data"]))
    assert bare(written) == bare(case["wire"])
    assert {name for name, value in written.items() if not isinstance(value, str | list)} == set()
    assert set(case["wire"]) <= set(written)
    await adapter.close()
