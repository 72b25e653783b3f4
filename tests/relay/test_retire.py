"""What is old leaves the ledger every hour, by the one process that leads, and the journal says what went."""

from __future__ import annotations

from typing import Any, Final

import pytest

from gateway.core.faults import Busy, Text
from gateway.core.retention import Ages
from gateway.ports.retention import Mark, Retired
from gateway.relay.retire import Retire
from gateway.store.memory import MemoryLedger
from gateway.store.memory_retention import MemoryRetention
from tests.town import Town, a_town

DAY: Final = 86400.0
AGES: Final = Ages(data=30 * DAY, attempts=30 * DAY, metadata=365 * DAY)


class Scripted:
    """Answers as the script says, and remembers with which marks it was asked."""

    def __init__(self, *script: Retired | Busy) -> None:
        self.script = list(script)
        self.marks: list[Mark | None] = []

    async def retire(self, ages: Ages, *, now: float, limit: int, after: Mark | None = None) -> Retired:
        self.marks.append(after)
        answer = self.script.pop(0)
        if isinstance(answer, Busy):
            raise answer
        return answer


@pytest.fixture
def town() -> Town:
    return a_town()


def retiring(town: Town, ages: Ages = AGES, retention: Any = None, **override: Any) -> Retire:
    assert isinstance(town.ledger, MemoryLedger)
    return Retire(town.ledger, retention or MemoryRetention(town.ledger), ages, town.clock, "retention:one", **override)


async def applied(town: Town) -> list[Any]:
    return [row["details"] for row in await town.journal("audit") if row["audit"] == "retention.applied"]


async def test_what_is_old_goes_and_the_journal_says_how_much_and_by_which_ages(town: Town) -> None:
    answer = await town.sent()
    await town.pass_time(31 * DAY, step=DAY)
    before = await town.record(answer)

    await retiring(town).once()
    assert await town.ledger.envelope(answer.id.lower()) is None
    assert (await town.record(answer)).recipients == before.recipients
    assert await applied(town) == [
        {"bodies": 1, "attempts": 1, "messages": 0, "months": [],
         "days": {"data": 30.0, "attempts": 30.0, "metadata": 365.0}},
    ]  # fmt: skip


async def test_where_nothing_is_old_nothing_is_written(town: Town) -> None:
    await town.sent()
    await retiring(town).once()

    assert await applied(town) == []


async def test_without_ages_nobody_is_asked(town: Town) -> None:
    never = Scripted()
    await retiring(town, Ages(), never).once()

    assert never.marks == []


async def test_only_the_process_that_leads_removes_anything(town: Town) -> None:
    never = Scripted()
    await retiring(town, retention=never, leads=lambda: False).once()

    assert never.marks == []


async def test_it_goes_on_from_mark_to_mark_with_pauses_until_all_was_looked_at(town: Town) -> None:
    asked = Scripted(Retired(bodies=3, mark=(1,)), Retired(mark=(2,)), Retired(attempts=2, months=("bodies_2026_01",)))
    begun = town.clock.now()
    await retiring(town, retention=asked).once()

    assert asked.marks == [None, (1,), (2,)]
    assert town.clock.now() > begun
    (row,) = await applied(town)
    assert (row["bodies"], row["attempts"], row["months"]) == (3, 2, ["bodies_2026_01"])


async def test_who_leads_no_more_stops_and_tells_what_it_removed(town: Town) -> None:
    leading = iter([True, True, False])
    asked = Scripted(*[Retired(bodies=1, mark=(1,))] * 5)
    await retiring(town, retention=asked, leads=lambda: next(leading)).once()

    assert len(asked.marks) == 2
    assert [row["bodies"] for row in await applied(town)] == [2]


async def test_what_was_removed_is_told_though_the_ledger_fails_halfway(town: Town) -> None:
    asked = Scripted(Retired(bodies=1, mark=(1,)), Busy("overloaded", Text("bận", "busy")))
    with pytest.raises(Busy):
        await retiring(town, retention=asked).once()

    assert [row["bodies"] for row in await applied(town)] == [1]
