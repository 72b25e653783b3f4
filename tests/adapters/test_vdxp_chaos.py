"""An axis that does everything wrong in any order, and processes that die: nothing is lost, nothing comes twice."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.vdxp import adapter as tongue
from adapters.vdxp.stand_in import a_letter
from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.ports import Collected
from tests.adapters.axis_desk import Desk, Fault, a_desk, issued, reported

LETTERS = 8
ITEMS = 8
_ANYWHERE = [
    Fault("html"),
    Fault("text"),
    Fault("null"),
    Fault("cut"),
    Fault("reset"),
    Fault("lost-reply"),
    Fault("code", "20"),
    Fault("http", 503),
]
_OPERATIONS = ["sendEdoc", "getSentEdocList", "getReceivedEdocList", "getEdoc", "updateStatus"]


def events() -> list[dict[str, Any]]:
    """New documents, updates of them under the same number, and statuses of one document."""
    documents = [issued(number=str(number)) for number in range(LETTERS)]
    updates = [
        issued(number=str(number), business={"type": "recall"}, subject=f"thu hồi {number}") for number in (0, 1)
    ]
    statuses = [reported(code, f"2026-11-23T08:0{place}:00+07:00") for place, code in enumerate(["01", "03", "05"])]
    return [*documents, *updates, *statuses]


async def sent(desk: Desk, chance: random.Random) -> None:
    """Deliver everything, each until it is taken, as the relay does: attempts with numbers, processes that change."""
    adapter: tongue.Vdxp = desk.adapter
    waiting = {f"{place}": (event, 1) for place, event in enumerate(events())}
    while waiting:
        name = chance.choice(sorted(waiting))
        event, attempt = waiting[name]
        if chance.random() < 0.2:
            adapter = desk.anew()
        try:
            await adapter.deliver(desk.parcel(name, event=event, attempt=attempt))
        except PermanentFailure:
            raise
        except TransientFailure as failure:
            desk.hands.moment += failure.retry_after or 1
            waiting[name] = event, attempt + 1
        else:
            del waiting[name]


async def collected(desk: Desk, chance: random.Random) -> dict[str, set[str]]:
    """Collect and settle until nothing waits; the ids of messages that were accepted, by document."""
    adapter: tongue.Vdxp = desk.adapter
    accepted: dict[str, set[str]] = {}
    for _ in range(400):
        if chance.random() < 0.2:
            adapter = desk.anew()
        desk.hands.moment += 5
        try:
            for item in await adapter.collect(3):
                assert isinstance(item, Collected)
                accepted.setdefault(item.token, set()).add(item.event["id"])
                if chance.random() < 0.2:
                    break  # a crash between accepting and settling
                await adapter.settle(item.token, None)
        except TransientFailure:
            continue
        if all(item.status == "done" for item in desk.axis.keeper.items if item.document.sender == "G22"):
            return accepted
    raise AssertionError("something was never settled")


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_goes_wrong_each_message_arrives_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with a_desk(tmp_path) as desk:
        for operation in _OPERATIONS:
            # A copy that cannot be had five times is no longer waited for, and a status rather said twice.
            many = 4 if operation == "getEdoc" else 12
            faults = [*chance.choices(_ANYWHERE, k=many), *[Fault("slow", 0)] * 6]
            chance.shuffle(faults)
            desk.faults.once(operation, *faults)
        desk.faults.doubles = chance.random() < 0.5
        desk.faults.disorder = chance.random() < 0.5
        await sent(desk, chance)
        told = Counter((kept.type, kept.title, kept.notation, kept.raw) for kept in desk.axis.sent_by("H33.05"))
        assert len(told) == len(events())
        assert set(told.values()) == {1}

        for number in range(ITEMS):
            to = ["H33.16", "H33.05"] if number % 3 == 0 else ["H33.16"]
            desk.axis.put(a_letter(100 + number, to=to), "G22")
        accepted = await collected(desk, chance)
        items = [item for item in desk.axis.keeper.items if item.document.sender == "G22"]
        assert set(accepted) == {f"edoc#{item.receiver_doc_id}#{item.receiver}" for item in items}
        assert {len(ids) for ids in accepted.values()} == {1}
        assert {item.status for item in items} == {"done"}
