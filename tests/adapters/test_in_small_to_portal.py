"""What one-stop software in small brings is whole enough for the portal in small: a mock province has no dead letters
of its own making.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from adapters.dvcqg.item import Items
from adapters.dvcqg.portal.shape import wrong_item
from adapters.onestop import adapter as onestop
from adapters.onestop import stand_in as office
from adapters.onestop_wso2 import adapter as onestop_wso2
from adapters.onestop_wso2 import stand_in as old_office
from gateway.core.dossiers.code import compared
from tests.adapters.fitting import Hands
from tests.adapters.one_stop_bus import Bus, context_of

EVENT = {"id": "018f2f64-5d2c-7d3a-9b1e-0242ac120002", "data": {"subject": "Việc mẫu"}}


@pytest.mark.parametrize("fields", ["2019", "2022"])
@pytest.mark.parametrize(
    ("name", "software", "adapter"),
    [("onestop", office, onestop), ("onestop_wso2", old_office, onestop_wso2)],
)
async def test_a_dossier_that_software_in_small_brings_is_one_that_the_portal_takes(
    tmp_path: Path, name: str, software: ModuleType, adapter: ModuleType, fields: str
) -> None:
    bus = Bus()
    async with software.agency(tmp_path) as it:
        door: Any = adapter.open_adapter(context_of(Hands(tmp_path), name, it.settings, bus))
        assert it.said_yes(await door.answer(it.visit(EVENT), bus.take))
        await door.close()

    [item] = bus.taken
    known = await bus.known(compared(item.event["data"]["dossierCode"]))
    assert known is not None
    written = Items(fields, lambda _, name: f"https://truc.example.vn/{name}").item(known.record, known.status)
    assert wrong_item(written.record, fields) == []
