"""One round of chaos: numbered messages through several gateways while all around them fails, and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.chaos.agreement import disagreements
from tests.chaos.exposed import Exposed, ExposedCluster, Servers
from tests.chaos.faults import befall
from tests.chaos.plan import Stroke
from tests.cluster.fleet import Cluster
from tests.kill.history import repeats_that_faults_excuse
from tests.kill.life import Round, Stage, round_of
from tests.kill.province import Template
from tests.kill.seen import Answered, Arrived, Calm, Struck
from tests.kill.traffic import Load
from tests.servers import PrivatePostgres, PrivateRabbit

#: Within so many seconds after the last fault of a stroke every gateway says that it is ready.
READY: Final = 5.0
#: How long is waited for it, so that the story can tell how long it took.
_PATIENCE: Final = 40.0
#: Within so many seconds after the last fault everything has come to its end: a lease, and what waited behind it.
DRAINED: Final = 60.0
GATEWAYS: Final = 3
DESKS: Final = 8

#: What a stroke takes beyond its faults (seconds): servers and gateways start, readiness is asked for.
_AROUND: Final = 2.5

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a round came to."""

    sent: int
    accepted: int
    #: Posts that were answered 503, and those that were not answered.
    refused: int
    unanswered: int
    #: Deliveries taken, and pushes that came again because of a fault, by the same id.
    delivered: int
    repeated: int
    #: Seconds in which nothing arrived anywhere, at most; until all gateways were ready after a fault, at most; and
    #: from the last fault to the last arrival.
    stall: float
    ready: float
    drained: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.sent} sent, {self.accepted} accepted, {self.refused} posts refused with 503,"
            f" {self.unanswered} unanswered, {self.delivered} delivered, {self.repeated} duplicates;"
            f" longest stall {self.stall:.1f} s, ready within {self.ready:.1f} s,"
            f" drained {self.drained:.1f} s after the last fault, {self.seconds:.0f} s in all"
        )


@dataclass(frozen=True, slots=True)
class Siege:
    """A province and the servers that chaos befalls, for one round after the other."""

    template: Template
    servers: Servers

    async def withstand(self, folder: Path, seed: str, plan: Sequence[Stroke], messages: int, tell: Tell) -> Round:
        """Play one round in ``folder``; ``tell`` hears its story line by line."""
        began = time.monotonic()
        readiness: list[float] = []
        calm = time.time()

        async def struck(stage: Stage, _: random.Random) -> None:
            nonlocal calm
            fleet = stage.province
            assert isinstance(fleet, Exposed)
            await stage.begin()
            await fleet.until_ready()
            async with _guarded(fleet):
                for stroke in plan:
                    await asyncio.sleep(stroke.pause)
                    readiness.append(await _strike(stage, fleet, stroke, began, tell))
            calm = time.time()
            stage.broken += fleet.fallen
            tell(f"{time.monotonic() - began:6.1f} s  calm; {fleet.failed_starts} starts failed meanwhile")

        cluster = Cluster(self.template, self.servers.postgres.url, self.servers.rabbit.url, GATEWAYS)
        load = _load(messages, plan)
        played = await round_of(ExposedCluster(cluster, self.servers), folder, seed, struck, load)
        played.broken.extend(await disagreements(self.servers.postgres.url, played.history))
        tell(f"          {_figures(played, readiness, calm, time.monotonic() - began)}")
        return played


async def _strike(stage: Stage, fleet: Exposed, stroke: Stroke, began: float, tell: Tell) -> float:
    """A stroke comes and goes, and the gateways are ready again; answers after how many seconds."""
    stage.history.add(Struck(str(stroke)))
    at = time.monotonic() - began
    async with asyncio.TaskGroup() as group:
        for fault in stroke.faults:
            group.create_task(befall(fleet, fault))
    ready = await fleet.ready_after(_PATIENCE)
    stage.history.add(Calm())
    tell(f"{at:6.1f} s  {stroke}; ready {ready:.1f} s after it")
    if ready > READY:
        stage.broken.append(f"not ready: {ready:.1f} s after {stroke}")
    return ready


@contextlib.asynccontextmanager
async def _guarded(fleet: Exposed) -> AsyncIterator[None]:
    guard = asyncio.create_task(fleet.guarded())
    try:
        yield
    finally:
        guard.cancel()
        await asyncio.wait([guard])


def _load(messages: int, plan: Sequence[Stroke]) -> Load:
    """So many messages, spread over the time that the plan takes."""
    each = messages // DESKS
    seconds = sum(stroke.seconds + _AROUND for stroke in plan)
    # A post holds almost two messages, the first ten are made at once; a pause is half of the longest one on average.
    easy = 2 * seconds / max(1.0, each / 1.75 - 10)
    return Load(DESKS, least=each, most=each, easy=easy, drained=DRAINED, is_kept_alive=False)


def _figures(played: Round, readiness: Sequence[float], calm: float, seconds: float) -> Figures:
    history = played.history
    refused = sum("busy" in each for each in played.unanswered)
    moments = sorted(each.at for each in history.all(Arrived))
    return Figures(
        sent=len(history.submitted()),
        accepted=len({each.id for each in history.all(Answered)}),
        refused=refused,
        unanswered=len(played.unanswered) - refused,
        delivered=len(history.taken()),
        repeated=len(repeats_that_faults_excuse(history)),
        stall=max((later - earlier for earlier, later in pairwise(moments)), default=0.0),
        ready=max(readiness, default=0.0),
        drained=max(0.0, moments[-1] - calm) if moments else 0.0,
        seconds=seconds,
    )


@contextlib.contextmanager
def besieged(folder: Path) -> Iterator[Siege]:
    """Servers and a province, made side by side, for the length of a ``with`` block."""
    postgres, rabbit = PrivatePostgres(), PrivateRabbit()
    try:
        with ThreadPoolExecutor() as together:
            made = together.submit(Template.made, folder / "template")
            list(together.map(lambda server: server.start(), (postgres, rabbit)))
            template = made.result()
        yield Siege(template, Servers(postgres, rabbit))
    finally:
        rabbit.close()
        postgres.close()
