"""The alarm about what waits for a person."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from gateway.relay.watch import AGAIN, Watch
from gateway.store.memory import MemoryLedger
from gateway.store.memory_failures import MemoryFailures
from gateway.telemetry import FAILURES
from tests.town import a_town


@pytest.mark.parametrize("hours", [2, 24 * 30])
async def test_what_nobody_fetches_raises_an_alarm_once_a_day_until_it_is_fetched(hours: int) -> None:
    town = a_town()
    assert isinstance(town.ledger, MemoryLedger)
    watch = Watch(MemoryFailures(town.ledger), town.clock)
    await town.accept.sealed_many([town.envelope(to="H33.20")], address="192.0.2.1")
    with capture_logs() as early:
        await watch.once()
    assert early == []

    town.clock.moment += hours * 3600.0
    with capture_logs() as lines:
        await watch.once()
        await watch.once()
        town.clock.moment += AGAIN
        await watch.once()

    assert [(line["event"], line["agency"], line["error"], line["count"]) for line in lines] == [
        ("failures.waiting", "H33.20/dms", "unfetched", 1)
    ] * 2
    (sample,) = next(iter(FAILURES.collect())).samples
    assert (sample.labels["kind"], sample.labels["error"], sample.value) == ("stuck", "unfetched", 1)

    (leased,) = await town.pull.lease(town.system("H33.20/dms"), max=1, wait=0, visibility=30)
    await town.pull.settle(town.system("H33.20/dms"), taken=[(leased.delivery, None)], refused=[], later=[])
    with capture_logs() as after:
        await watch.once()
    assert after == []
    assert next(iter(FAILURES.collect())).samples == []
