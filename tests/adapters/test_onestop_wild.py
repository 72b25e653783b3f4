"""Whatever one-stop software writes: it is answered in its own words, and what is taken is sound by its contract."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.onestop.adapter import open_adapter
from adapters.onestop.stand_in import HEADER, KEY
from adapters.onestop_wso2.adapter import open_adapter as open_older
from adapters.onestop_wso2.stand_in import CLIENT, DATES, SECRET
from gateway.core.content import InMemory
from gateway.ports import Call
from tests.adapters.fitting import Hands
from tests.adapters.one_stop_bus import Bus, context_of, violations
from tests.adapters.test_onestop_golden import OLD, read

CODE = "H33.16-261123-0001"
#: Values that real software was seen to write where something else was meant, and such as nobody should.
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, "", " ", "0", 0, 1, -1, 1.5, True, [], {}, [None], [{}], "[]", "{}", "<a/>", "<a><b><c>1</c></b></a>",
        "null", "20261123083000", "20269923083000", "23/11/2026 08:30:00", "x" * 5000, "\x00lifted:0", "#0", "#x",
        "000000001", [["a"]], {"a": {"b": [1]}}, "JVBERi0xLjQ=", 10**30, "٣", "²", "ſ", "http://[::1", "https://x/y z",
    ]
)  # fmt: skip
_NAME = st.sampled_from(["", "a", "MaHoSo", "mahoso", "Base64", "@file", "Tên"])
_JSON = st.recursive(
    _ODD,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAME, inner, max_size=2),
    max_leaves=4,
)


def leaves(wire: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a message."""
    found = [path] if path else []
    parts = wire.items() if isinstance(wire, dict) else enumerate(wire) if isinstance(wire, list) else ()
    for name, value in parts:
        found += leaves(value, (*path, name))
    return found


def changed(wire: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = json.loads(json.dumps(wire))
    place = made
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return made


WIRE = read("dvcqg_item_2022")["wire"] | {"MaHoSo": CODE}
UPDATED = read("dvcqg_update_supplemented")["wire"] | {"MaHoSo": CODE}
RUNS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@RUNS
@given(st.data())
def test_any_member_of_an_item_may_be_anything(data: st.DataObject) -> None:
    wire = data.draw(st.sampled_from([WIRE, UPDATED]))
    path, value = data.draw(st.sampled_from(leaves(wire))), data.draw(_JSON)
    updating = data.draw(st.booleans())

    async def tell() -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "keys").mkdir()
            (Path(folder) / "keys/key").write_text(KEY)
            made, bus = {"caller_header": HEADER, "caller_secret_file": "keys/key"}, Bus()
            adapter = open_adapter(context_of(Hands(Path(folder)), "onestop", made, bus))
            for item, is_update in ((WIRE, False), (changed(wire, path, value), updating)):
                body = InMemory(
                    json.dumps({"service": "DongBoHoSoMC", "isUpdating": is_update, "data": [item]}).encode()
                )
                reply = await adapter.answer(Call("POST", "", {}, {HEADER.lower(): KEY}, body, "127.0.0.1"), bus.take)
                said = json.loads(reply.body)
                assert len(said["result"]) == 1
                assert (said["error_code"] == 0) is (said["result"][0]["error_code"] == 0)
            assert all(violations(dict(each.event)) == [] for each in bus.taken)
            await adapter.close()

    asyncio.run(tell())


@RUNS
@given(st.data())
def test_any_member_of_an_older_message_may_be_anything(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(OLD))
    wire = read(name)["wire"]
    path, value = data.draw(st.sampled_from(leaves(wire))), data.draw(_JSON)
    calls = {"statistic": "Statistic/UpdateStatistic", "traces": "Document/UpdateDocumentTraces"}
    asked = next((found for word, found in calls.items() if word in name), "Document/SyncDocument")
    account = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()

    async def tell() -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "secret").write_text(SECRET)
            made, bus = {"client_id": CLIENT, "client_secret_file": "secret", "dates": DATES}, Bus()
            adapter = open_older(context_of(Hands(Path(folder)), "onestop_wso2", made, bus))
            for item in (wire, changed(wire, path, value)):
                body = InMemory(json.dumps(item).encode())
                fields = {"authorization": f"Basic {account}"}
                reply = await adapter.answer(Call("POST", asked, {}, fields, body, "127.0.0.1"), bus.take)
                assert set(json.loads(reply.body)) == {"Status", "Message"}
            assert all(violations(dict(each.event)) == [] for each in bus.taken)

    asyncio.run(tell())
