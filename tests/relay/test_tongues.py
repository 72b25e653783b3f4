"""Adapters are found by their place; one that is gone, or broken, stops its own system and no other."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from gateway.core.content import InMemory
from gateway.core.faults import Busy, TransientFailure
from gateway.ports import Call, Collected, NotReceived, Received
from gateway.relay.reception import Reception
from gateway.relay.sync import Sync
from gateway.tongues import BUILT_IN, Tongues
from tests.adapters.fitting import Hands
from tests.town import Town, a_town

GOOD = """
from gateway.core.faults import Text
from gateway.ports import Uncollectable

MODE, COLLECTS = "push", True

class Line:
    def __init__(self):
        self.settled = []

    async def collect(self, limit):
        return [Uncollectable("1", "empty", Text("rỗng", "empty"))]

    async def settle(self, token, refusal):
        self.settled.append(token)

    async def fetch_agencies(self):
        yield {"code": "G12", "name": "Bộ Tài chính"}

    async def close(self):
        pass

def open_adapter(context):
    return Line()
"""
BROKEN = "COLLECTS = False\nimport a_module_that_nobody_has\n"


LINE, OTHER = "H33.16/dms", "H33.05/dms"


@pytest.fixture(params=["gone", "broken"])
def town(request: pytest.FixtureRequest) -> Town:
    """The first system's adapter cannot be loaded; the second one's can, and collects."""
    return a_town(H33_05={"adapter": request.param}, H33_16={"adapter": "line"})


@pytest.fixture
def tongues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tongues:
    for name, text in (("line", GOOD), ("broken", BROKEN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter.py").write_text(text, "utf-8")
        monkeypatch.delitem(sys.modules, f"lgsp_province_adapters.{name}", raising=False)
    return Tongues((tmp_path,), lambda system: Hands(tmp_path).context(system.adapter, {}))


def test_an_adapter_knows_what_its_agency_may_unless_its_kind_speaks_for_the_province(
    town: Town, tongues: Tongues
) -> None:
    """One that cannot be loaded counts as one that does everything, but nobody tells it everything."""
    assert not tongues.reads_all(town.system(OTHER))
    assert not tongues.reads_all(town.system(LINE))
    kinds = sorted(each.parent.name for each in BUILT_IN.glob("*/adapter.py"))
    told_all = [kind for kind in kinds if tongues.reads_all(replace(town.system(LINE), adapter=kind))]
    assert told_all == ["dvcqg", "mail_notice", "payment_gateway", "sms_gateway", "status_lookup", "vnpost"]


async def test_what_cannot_be_loaded_does_not_keep_the_others_from_being_collected_from(
    town: Town, tongues: Tongues
) -> None:
    collect = replace(town.collect, collects=tongues.collects, adapter_of=tongues.of)
    with structlog.testing.capture_logs() as logs:
        assert await collect.once() == 1
        assert await collect.once() == 1
    told = [each["agency"] for each in logs if each["event"] == "collect.failed"]
    assert told == [OTHER], "it is told, and then left alone for a while"


async def test_what_cannot_be_loaded_does_not_keep_the_others_lists_of_agencies_from_being_fetched(
    town: Town, tongues: Tongues
) -> None:
    sync = Sync(town.proposals, lambda: town.directory, tongues.of, tongues.lists_agencies, town.clock, 86400.0)
    with structlog.testing.capture_logs() as logs:
        assert await sync.once() == 1
    assert [each["agency"] for each in logs if each["event"] == "directory.not-fetched"] == [OTHER]


async def test_what_cannot_be_loaded_does_not_keep_the_others_from_being_delivered_to(
    town: Town, tongues: Tongues
) -> None:
    assert [tongues.is_pushed(town.system(name)) for name in (OTHER, LINE)] == [True, True]


async def test_an_adapter_that_broke_while_it_was_loaded_is_loaded_anew_once_it_is_mended(
    tongues: Tongues,
) -> None:
    system = a_town(H33_05={"adapter": "broken"}).system(OTHER)
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            tongues.of(system)
    (tongues.folders[0] / "broken" / "adapter.py").write_text(GOOD, "utf-8")
    assert hasattr(tongues.of(system), "collect")


async def test_an_adapter_that_is_gone_is_a_passing_failure_of_its_system(tongues: Tongues) -> None:
    with pytest.raises(TransientFailure, match="gone"):
        tongues.of(a_town(H33_05={"adapter": "gone"}).system(OTHER))


async def test_who_calls_a_system_whose_adapter_is_gone_is_told_to_come_again(town: Town, tongues: Tongues) -> None:
    assert not tongues.answers(town.system(LINE))
    assert tongues.answers(town.system(OTHER))
    reception = Reception(town.collect.receive, lambda: town.directory, tongues.of, tongues.answers)
    assert reception.system("H33.16", "dms") is None
    system = reception.system("H33.05", "dms")
    assert system is not None

    async def take(_: Collected) -> Received | NotReceived:
        raise AssertionError("nothing is taken here")

    with pytest.raises((Busy, ModuleNotFoundError)):
        await reception.answer(system, Call("POST", "", {}, {}, InMemory(b""), "127.0.0.1"), take)
