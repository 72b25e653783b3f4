"""Offices behind lines that are away half the time, narrow and cut: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from gateway.cli.mocked import plan
from gateway.cli.mocked.cast import Cast
from gateway.cli.mocked.commune import Commune
from gateway.cli.mocked.desk import AWAY, Desk
from gateway.cli.mocked.fate import fates
from gateway.cli.mocked.lives import Lives
from gateway.cli.mocked.standing import Standing, standing
from gateway.client.bus import Bus, Refused
from gateway.client.identity import find_files, read_signer
from gateway.client.link import FaultyLink
from gateway.client.weather import Profile, a_bad_line
from gateway.compose import Gateway, running, stand_in
from gateway.config.settings import read_settings
from gateway.relay.reception import door_at
from tests.deploy.reading import DEPLOY

SEED: Final = 7
DOSSIERS: Final = 2
SIZE: Final = 300_000
#: Lines of offices are narrow; those that carry 300 kB are away longer and cut more often, but a little wider.
OFFICE: Final = Profile.read("offline:0.3,rate:128kbit,latency:5ms,cut:80k,window:2500ms")
SCHOOL: Final = Profile.read("offline:0.4,rate:1Mbit,latency:20ms,cut:70k,window:2s")
PLACES: Final = {"dvcqg": OFFICE, "onestop": OFFICE, "onestop_wso2": OFFICE, "inbox": SCHOOL}
#: A test has no time for the waits of a province.
RETRY: Final = {"first": "200ms", "factor": 1.5, "cap": "1s", "deadline": "1d"}
WITHIN: Final = 90


@dataclass
class Province:
    """What stands, and the near ends of the lines to the bus."""

    gateway: Gateway
    lives: Lives
    communes: dict[str, Commune]
    stood: list[Standing]
    near: list[FaultyLink] = field(default_factory=list)

    @property
    def tally(self) -> dict[str, dict[str, int]]:
        return self.lives.cast.tally.count()

    async def fetch_for_ever(self, commune: Commune) -> None:
        while True:
            try:
                await commune.desk.fetch()
            except (*AWAY, Refused, ValueError):
                await asyncio.sleep(0.2)


@pytest.fixture
async def province(tmp_path: Path) -> AsyncIterator[Province]:
    folder = tmp_path / "tinh"
    plan.found(folder, 0)
    async with contextlib.AsyncExitStack() as stack:
        stood: list[Standing] = []
        systems: list[tuple[plan.Placed, dict[str, Any]]] = []
        for placed in (each for each in plan.read_plan(DEPLOY / "mock-province") if each.adapter in PLACES):
            settings: dict[str, Any] = {}
            if placed.adapter != "inbox":
                kind = stand_in(placed.adapter)
                software = await stack.enter_async_context(standing(placed, folder, kind, PLACES[placed.adapter], SEED))
                stood.append(software)
                settings = software.settings
                settings |= {"timeout": 4} if "timeout" in settings else {}
                settings |= {"catalogue": False} if "catalogue" in settings else {}
            wishes = [{**each, "retry": RETRY} for each in placed.members.get("subscriptions", [])]
            systems.append((plan.Placed(placed.agency, {**placed.members, "subscriptions": wishes}), settings))
        url = await plan.write(folder, DEPLOY / "mock-province", systems)
        made = Province(
            await stack.enter_async_context(running(read_settings(folder))), Lives(Cast(), 0.1, str(SEED)), {}, stood
        )
        made.lives.number = DOSSIERS
        port = urlsplit(url).port or 0
        for number, (placed, _) in enumerate(systems):
            line = await stack.enter_async_context(a_bad_line("127.0.0.1", port, PLACES[placed.adapter], SEED + number))
            made.near.append(line)
            if placed.adapter == "inbox":
                bus = await stack.enter_async_context(Bus.reach(line.url, public_url=url, within=4))
                desk = Desk(placed.system, read_signer(*find_files(folder / "keys", placed.system)), bus)
                made.lives.fetches(desk)
                made.communes[placed.system] = Commune(desk, made.lives.cast, lambda *_, **__: None, 1, str(SEED))
                continue
            software = next(each for each in stood if each.placed.system == placed.system).software
            for name, value in (("door", door_at(line.url, placed.system)), ("agency", placed.agency["code"])):
                if hasattr(software, name):
                    setattr(software, name, value)
            made.lives.join(placed.adapter, software, door_at(line.url, placed.system))
        yield made


async def test_dossiers_and_files_are_whole_and_single_whatever_the_lines_do(province: Province) -> None:
    lives, chance = province.lives, random.Random(SEED)
    commune, department = province.communes["H33.07.03/dms"], province.communes["H33.16/dms"]
    commune.to, department.to = "H33.16", "H33.07.03"
    up, down = chance.randbytes(SIZE), chance.randbytes(SIZE)

    fetching = [asyncio.create_task(province.fetch_for_ever(each)) for each in (commune, department)]
    try:
        async with asyncio.timeout(WITHIN):
            await asyncio.gather(lives.go_on(), commune.send(1, up), department.send(1, down))
            while lives.cast.tally.missing():  # noqa: ASYNC110 - software in small rings no bell
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"lost: {lives.cast.tally.missing()} of {province.tally}")
    finally:
        for each in fetching:
            each.cancel()

    table = lives.cast.portal.table
    expected = [fate for fate, _ in zip(fates(lives.seed, lives.cast.origins), range(DOSSIERS), strict=False)]
    assert {code: kept.status for code, kept in table.dossiers.items()} == {
        fate.code: fate.last_status for fate in expected
    }
    for fate in expected:
        steps = [each["NoiDungXuLy"] for each in table.dossiers[fate.code].steps]
        assert [steps.count(deed) for deed in fate.deeds] == [1] * len(fate.deeds), fate.code
    figures = province.tally
    assert {kind: (line["missing"], line["doubled"]) for kind, line in figures.items()} == dict.fromkeys(
        figures, (0, 0)
    )
    assert figures["file"] == {"brought": 2, "taken": 2, "seen": 2, "missing": 0, "doubled": 0}
    assert {"dossier", "status", "step", "supplement", "result", "document"} <= set(figures)
    assert table.violations == []
    # The lines were as bad as they were to be.
    lines = [*province.near, *(line for each in province.stood for line in each.lines)]
    assert sum(line.cuts for line in lines) > 5
