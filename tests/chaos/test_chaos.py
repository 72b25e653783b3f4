"""The short form of ``make chaos``: each server restarted once, and the bus keeps its word through all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.client.link import BOTH
from tests.chaos.plan import Fault, Stroke
from tests.chaos.siege import Siege, besieged
from tests.servers import Unavailable

SEED: Final = "short"
MESSAGES: Final = 240
PLAN: Final = (
    Stroke(0.5, (Fault("gateway-killed", 0.3, node=0), Fault("line-silent", 1.5, node=1, line="store", ways=BOTH))),
    Stroke(
        0.3,
        (
            Fault("rabbit-killed", 0.0),
            Fault("postgres-backends-ended", 1.0),
            Fault("line-cut", 0.5, line="agencies"),
            Fault("gateway-paused", 2.0, node=2),
        ),
    ),
    Stroke(0.3, (Fault("postgres-stopped-at-once", 0.3), Fault("rabbit-queues-deleted", 0.8))),
    Stroke(
        0.3,
        (
            Fault("rabbit-connections-closed", 0.8),
            Fault("line-swallows", 1.5, node=2, line="store"),
            Fault("line-silent", 1.5, line="agencies", ways=frozenset({"down"})),
        ),
    ),
)


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    try:
        with besieged(tmp_path_factory.mktemp("chaos")) as made:
            yield made
    except Unavailable as why:
        pytest.skip(str(why))


async def test_three_gateways_keep_their_word_while_everything_around_them_fails(siege: Siege, tmp_path: Path) -> None:
    story: list[str] = []
    played = await siege.withstand(tmp_path / "province", SEED, PLAN, MESSAGES, story.append)
    assert not played.broken, "\n".join([*story, str(played)])
    assert len(played.history.submitted()) >= MESSAGES
