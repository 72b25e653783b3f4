"""Three gateways over PostgreSQL and RabbitMQ: accept anywhere, deliver anywhere, replace any, lose nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fleet import Cluster, Fleet, logged, until
from tests.kill.life import Stage, round_of
from tests.kill.province import Province, Template
from tests.kill.seen import Started


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template.made(tmp_path_factory.mktemp("fleet") / "template")


@pytest.fixture
def cluster(template: Template, postgres_url: str, rabbit_url: str) -> Cluster:
    return Cluster(template, postgres_url, rabbit_url)


def fleet_of(stage: Stage) -> Fleet:
    assert isinstance(stage.province, Fleet)
    return stage.province


def ids(node: Province, event: str, **wanted: Any) -> set[str]:
    """Messages that a gateway logged under an event."""
    lines: Sequence[Mapping[str, Any]] = logged(node, event)
    return {str(line["message_id"]) for line in lines if "message_id" in line and wanted.items() <= line.items()}


def accepted(node: Province) -> set[str]:
    """Messages that a gateway took in one by one."""
    return ids(node, "request.answered", door="/v1/messages", status=202)


async def test_the_busiest_gateway_is_replaced_under_load_and_no_message_is_turned_away_or_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    places: list[tuple[set[str], set[str]]] = []

    async def replaced(stage: Stage, _: random.Random) -> None:
        fleet = fleet_of(stage)
        await stage.begin()
        await fleet.until_ready()
        fleet.balancer.refused = 0
        await until(lambda: any(map(accepted, fleet.nodes)))
        busiest = max(fleet.nodes, key=lambda node: len(accepted(node)))
        assert await busiest.stop() == 0
        await busiest.start()
        await fleet.until_ready(busiest)
        places.extend((accepted(node), ids(node, "delivery.attempted")) for node in fleet.nodes)
        assert fleet.balancer.refused == 0

    played = await round_of(cluster, tmp_path / "province", "replaced", replaced)

    assert not played.broken, str(played)
    assert played.unanswered == ()
    assert sum(bool(here) for here, _ in places) >= 2, "several gateways accept"
    assert any(here & there for here, _ in places for taken, there in places if taken is not here), (
        "what one gateway accepts, another delivers"
    )


async def test_a_gateway_that_is_killed_under_load_takes_back_what_it_held_when_it_starts_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    async def killed(stage: Stage, chance: random.Random) -> None:
        fleet = fleet_of(stage)
        await stage.begin()
        await fleet.until_ready()
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        fleet.nodes[0].kill()
        await fleet.nodes[0].ended(5)
        await asyncio.sleep(0.1)  # what it wrote into sockets is still to be read
        stage.history.add(Started())
        await fleet.nodes[0].start()
        await fleet.until_ready()

    played = await round_of(cluster, tmp_path / "province", "killed", killed)

    assert not played.broken, str(played)
