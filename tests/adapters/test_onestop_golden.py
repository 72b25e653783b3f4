"""One-stop software, by cases written by hand: what stands on the wire, and what it means in the words of the bus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.onestop.adapter import open_adapter
from adapters.onestop.stand_in import HEADER, KEY
from adapters.onestop_wso2 import stand_in as old
from adapters.onestop_wso2.adapter import open_adapter as open_old
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


async def known_of(case: dict[str, Any], adapter: Any, bus: Bus) -> None:
    """The dossier stands as the case says, registered by this office itself in the words of the case."""
    status = case["given"].get("record", {}).get("status", {}).get("code")
    if status is None:
        return
    later = {"DanhSachHoSoBoSung", "DanhSachGiayToKetQua", "NgayTra", "NgayKetThucXuLy", "NgayTuChoi"}
    wire = {name: value for name, value in case["wire"].items() if name not in later}
    request = {**case["given"]["request"], "isUpdating": "False"}
    await adapter.answer(
        call_of({"given": {"request": request}, "wire": {**wire, "TrangThaiHoSo": str(status)}}), bus.take
    )
    assert [status for _, status in bus.events()] == [status]
    bus.taken.clear()


@pytest.mark.parametrize("name", ITEMS)
async def test_what_stands_on_the_wire_means_what_the_case_says(name: str, tmp_path: Path) -> None:
    case, bus = read(name), Bus()
    adapter = an_adapter(tmp_path, bus)
    await known_of(case, adapter, bus)
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


# ------------------------------------------------------------------------------------------ the older interface

OLD = sorted(path.stem for path in VECTORS.glob("wso2_*.json"))


@pytest.mark.parametrize("name", OLD)
async def test_what_stands_on_the_older_wire_means_what_the_case_says(name: str, tmp_path: Path) -> None:
    case, bus = read(name), Bus()
    kind = "statistic" if "statistic" in name else "traces" if "traces" in name else "document"
    path = {
        "statistic": "Statistic/UpdateStatistic", "traces": "Document/UpdateDocumentTraces",
        "document": "Document/SyncDocument",
    }[kind]  # fmt: skip
    async with old.agency(tmp_path) as office:
        settings = {**office.settings, **case.get("given", {}).get("settings", {})}
        adapter = open_old(context_of(Hands(tmp_path), "onestop_wso2", settings, bus))
        call = office._called(path, case["wire"], f"{old.CLIENT}:{old.SECRET}")
        reply = await adapter.answer(call, bus.take)
    assert json.loads(reply.body)["Status"] == 1, reply.body.decode()
    (item,) = bus.taken
    data = dict(item.event["data"])
    kept = data.pop("ext", {}).get("onestop_wso2", {})
    assert data == case["data"]
    assert item.event["type"] == case["contract"].partition("/")[0]
    assert violations(dict(item.event)) == []
    assert kept_paths(kept) == set(case.get("kept", []))
    assert all(same_where_kept(value, case["wire"][name]) for name, value in kept.items())


def kept_paths(kept: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for name, value in kept.items():
        nested = value if isinstance(value, list) and value and isinstance(value[0], dict) else None
        found |= {name} if nested is None else {f"{name}/{inner}" for each in nested for inner in each}
    return found


def same_where_kept(value: Any, wire: Any) -> bool:
    if isinstance(value, list):
        return all({**whole, **part} == whole for part, whole in zip(value, wire, strict=True))
    return bool(value == wire)
