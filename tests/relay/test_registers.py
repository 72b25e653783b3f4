"""An item of a register has one trusted provider; a second one is refused until an approver decides."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.picture import trust_of
from gateway.core.agreement import Subscription
from gateway.core.directory import Directory
from gateway.core.faults import IllegalStep, Rejected
from gateway.core.registers import SecondProvider
from gateway.ports import RegistryRow
from gateway.relay.registers import MOST_ITEMS, Registers
from gateway.store.memory import MemoryLedger
from tests.town import Town, a_town, an_agreement

ONE, TWO = "H33.05/dms", "H33.16/dms"


class _Clock:
    def now(self) -> float:
        return 1_795_000_000.0


def _step(ledger: MemoryLedger) -> Registers:
    directory = Directory([], [], gateway="H33.14/lgsp")
    return Registers(ledger, lambda: directory, _Clock())  # type: ignore[arg-type]


async def a_step() -> tuple[MemoryLedger, Registers]:
    ledger = MemoryLedger()
    await ledger.open()
    return ledger, _step(ledger)


async def test_the_first_that_tells_of_an_item_is_trusted_with_it_and_that_is_on_record() -> None:
    ledger, step = await a_step()
    assert await step.claim("land-parcel/H33.07", ONE, 0.0) is None
    row = await step.find("land-parcel/H33.07")
    assert (row.body["provider"], row.body["by"], row.origin) == (ONE, "first", "console")
    assert b"register.claimed" in (await ledger.journal())[-1][2]


async def test_of_two_at_the_same_moment_at_two_processes_one_is_the_second() -> None:
    ledger, step = await a_step()
    other = _step(ledger)
    assert await step.claim("land-parcel", ONE, 0.0) is None
    assert isinstance(await other.claim("land-parcel", TWO, 0.0), SecondProvider)
    assert await other.claim("land-parcel", ONE, 0.0) is None


async def test_a_second_provider_waits_once_however_often_it_comes() -> None:
    ledger, step = await a_step()
    await step.claim("cadre", ONE, 0.0)
    version = await ledger.registry_version()
    await step.note("cadre", TWO, 1.0)
    await step.note("cadre", TWO, 2.0)
    assert await ledger.registry_version() == version + 1
    assert list((await step.find("cadre")).body["waiting"]) == [TWO]


async def test_approved_it_takes_the_place_of_the_first_which_is_the_second_from_then_on() -> None:
    _, step = await a_step()
    await step.claim("cadre", ONE, 0.0)
    await step.note("cadre", TWO, 1.0)
    row = await step.decide("cadre", TWO, "approve", reason="QĐ giao nhiệm vụ", actor="operator:mau")
    assert (row.body["provider"], row.body["before"], row.body["waiting"]) == (TWO, ONE, {})
    trust = trust_of("cadre", row.body)
    assert trust.provider == TWO


async def test_rejected_it_is_told_so_and_does_not_wait_again_but_may_be_approved_later() -> None:
    _, step = await a_step()
    await step.claim("cadre", ONE, 0.0)
    await step.note("cadre", TWO, 1.0)
    row = await step.decide("cadre", TWO, "reject", reason="trái thẩm quyền", actor="operator:mau")
    assert row.body["provider"] == ONE
    await step.note("cadre", TWO, 2.0)
    row = await step.find("cadre")
    assert (row.body["waiting"], list(row.body["rejected"])) == ({}, [TWO])
    later = await step.decide("cadre", TWO, "approve", reason="đã đổi phân công", actor="operator:mau")
    assert (later.body["provider"], later.body["rejected"]) == (TWO, {})


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_a_decision_needs_a_reason(reason: str) -> None:
    _, step = await a_step()
    await step.claim("cadre", ONE, 0.0)
    await step.note("cadre", TWO, 1.0)
    with pytest.raises(Rejected, match="bad-request"):
        await step.decide("cadre", TWO, "approve", reason=reason, actor="operator:mau")


async def test_who_has_not_asked_cannot_be_decided_upon_and_an_item_unheard_of_is_not_found() -> None:
    _, step = await a_step()
    with pytest.raises(Rejected, match="not-found"):
        await step.decide("cadre", TWO, "approve", reason="đúng", actor="operator:mau")
    await step.claim("cadre", ONE, 0.0)
    for system in (ONE, TWO):
        with pytest.raises(IllegalStep):
            await step.decide("cadre", system, "approve", reason="đúng", actor="operator:mau")


async def test_a_sender_cannot_fill_the_registry_with_key_spaces() -> None:
    ledger, step = await a_step()
    body = {"provider": ONE, "since": "2026-11-23T00:00:00.000Z", "by": "first"}
    rows = [RegistryRow("item", f"r/{number}", "console", body) for number in range(MOST_ITEMS)]
    assert await ledger.change_registry(0, put=rows, delete=[], audit=[])
    fault = await step.claim("r/one-more", ONE, 0.0)
    assert fault is not None
    assert fault.problem == "no-agreement"
    assert await step.claim("r/one-more", TWO, 0.0) is None


# ------------------------------------------------------------------------------------------------ at the front door


def a_town_with_a_category() -> Town:
    made = a_town()
    made.change("H33.16/dms", subscriptions={"category.updated": Subscription("category.updated", "1.0")})
    made.agree(an_agreement(contracts=("category.*", "document.*")))
    return made


def told(**data: object) -> dict[str, Any]:
    """What the event of a category's change has beside the usual."""
    said = {"category": "madantoc", "items": [], **data}
    return {"type": "category.updated", "dataschema": "urn:lgsp:contract:category.updated:1.0", "data": said,
            "subject": "madantoc", "to": None}  # fmt: skip


async def picture_taken(town: Town) -> None:
    """The gateway takes the registry as it is now."""
    version, rows = await town.ledger.registry()
    old, trusts = town.directory, [trust_of(row.key, row.body) for row in rows if row.kind == "item"]
    town.directory = Directory(
        old.agencies.values(), old.agreements, gateway=old.gateway, version=version, trusts=trusts
    )


async def test_at_the_front_door_the_second_is_refused_before_and_after_the_picture_is_taken() -> None:
    town = a_town_with_a_category()
    await town.sent("H33.05/dms", **told())
    for _ in range(2):
        second = await town.refused("H33.20/dms", **told())
        assert second.problem == "no-agreement"
        assert "H33.05/dms" in second.detail.vi
        await picture_taken(town)
    assert list((await town.registers.find("madantoc")).body["waiting"]) == ["H33.20/dms"]
    await town.sent("H33.20/dms", **told(keySpace="H33.20"))


async def test_once_approved_the_second_sends_and_a_repeat_of_the_first_still_gets_its_first_answer() -> None:
    town = a_town_with_a_category()
    more = {**told(), "id": "00000000-0000-7000-8000-000000000001"}
    first = await town.sent("H33.05/dms", **more)
    await town.refused("H33.20/dms", **told())
    await town.registers.decide("madantoc", "H33.20/dms", "approve", reason="đúng", actor="operator:mau")
    await picture_taken(town)
    await town.sent("H33.20/dms", **told())
    again = await town.sent("H33.05/dms", **more)
    assert (again.receipt, again.repeated) == (first.receipt, True)
    assert (await town.refused("H33.05/dms", **told())).problem == "no-agreement"


async def test_what_is_of_no_register_asks_nobody_and_leaves_the_registry_alone() -> None:
    town = a_town()
    version = await town.ledger.registry_version()
    await town.sent()
    assert await town.ledger.registry_version() == version
