"""What was written by hand of document systems and of the post is what their adapters say and understand."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.qlvb_signing import adapter as qlvb
from adapters.qlvb_signing import stand_in as qlvb_in_small
from adapters.vnpost import adapter as vnpost
from adapters.vnpost import stand_in as post_in_small
from gateway.core.content import InMemory
from gateway.core.dossiers.dossier import Dossier
from gateway.ports import Call, Collected, NotReceived, Received
from tests.adapters.fitting import Hands, a_parcel

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "onestop"
#: 15:00 on the day of the cases.
NOW = 1_795_593_600.0


def a_case(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return case


def without_unknown(wire: dict[str, Any], unknown: list[str]) -> dict[str, Any]:
    """``wire`` less the members whose content nobody could tell."""
    made: dict[str, Any] = json.loads(json.dumps(wire))
    for path in unknown:
        *above, last = path.split("/")
        place = made
        for name in above:
            place = place[name]
        del place[last]
    return made


async def test_a_draft_is_said_as_it_was_written_by_hand(tmp_path: Path) -> None:
    case = a_case("qlvb_gui_ho_so")
    hands = Hands(tmp_path, files={name: base64.b64decode(raw) for name, raw in case["given"]["files"].items()})
    async with qlvb_in_small.agency(tmp_path) as system:
        settings = {**system.settings, "callback_url": case["wire"]["HccLinkAPI"]}
        adapter = qlvb.open_adapter(hands.context("qlvb_signing", settings))
        parcel = system.fits(a_parcel(hands.context("qlvb_signing", settings)))
        await adapter.deliver(replace(parcel, event={**parcel.event, "data": case["data"]}))
        await adapter.close()
    body = system.drafts[case["data"]["requestId"]].body
    assert json.loads(body.pop("ThamSoAn")) == json.loads(case["wire"].pop("ThamSoAn"))
    assert body == case["wire"]


@pytest.mark.parametrize("kind", ["issued", "signed", "trace"])
async def test_what_came_of_a_draft_is_understood_as_it_was_written_by_hand(tmp_path: Path, kind: str) -> None:
    case = a_case(f"qlvb_van_ban_di_{kind}")
    hands = Hands(tmp_path, moment=NOW)
    taken: list[Collected] = []

    async def take(item: Collected) -> Received | NotReceived:
        taken.append(item)
        return Received(str(item.event["id"]))

    settings = {"url": "http://127.0.0.1:9", "callers": ["127.0.0.1"]}
    adapter = qlvb.open_adapter(hands.context("qlvb_signing", settings))
    body = InMemory(json.dumps(case["wire"]).encode())
    await adapter.answer(Call("POST", "", {}, {}, body, "127.0.0.1"), take)
    await adapter.close()
    (item,) = taken
    assert item.event["data"] == case["data"]
    assert item.event["dataschema"].endswith(case["contract"].replace("/", ":"))


@pytest.mark.parametrize("name", ["vnpost_order", "vnpost_document_order"])
async def test_an_order_is_said_as_it_was_written_by_hand(tmp_path: Path, name: str) -> None:
    case = a_case(name)
    given = case.get("given", {})
    hands = Hands(tmp_path)
    code = case["data"]["dossierCode"]
    dossier = Dossier(code, code, "H33.01", 2, None, "", None, None, None, (), record=given.get("record", {}))

    async def known(_: str) -> Dossier | None:
        return dossier

    async with post_in_small.agency(tmp_path) as post:
        context = replace(hands.context("vnpost", post.settings), dossier=known)
        adapter = vnpost.open_adapter(context)
        asked: list[dict[str, Any]] = []

        async def ask(*_: Any, body: bytes, **__: Any) -> Any:
            asked.append(json.loads(body))
            raise ConnectionError

        adapter._ask = ask  # type: ignore[method-assign, assignment]
        parcel = post.fits(a_parcel(context))
        with pytest.raises(ConnectionError):
            await adapter.deliver(replace(parcel, event={**parcel.event, "data": case["data"]}))
        await adapter.close()
    assert asked == [without_unknown(case["wire"], given.get("unknown", []))]


async def test_a_page_of_the_tracking_list_is_understood_as_it_was_written_by_hand(tmp_path: Path) -> None:
    case = a_case("vnpost_tracking")
    hands = Hands(tmp_path, moment=NOW)
    async with post_in_small.agency(tmp_path) as post:
        post.events = case["wire"]["_embedded"]["rh:doc"]
        adapter = vnpost.open_adapter(hands.context("vnpost", post.settings))
        (item,) = await adapter.collect(10)
        await adapter.close()
    assert isinstance(item, Collected)
    assert item.event["data"] == case["data"]
