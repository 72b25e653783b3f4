"""Several gateways whose every line to PostgreSQL, RabbitMQ and the agencies can fail, and who starts them again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from gateway.client.link import FaultyLink
from tests.chaos.plan import Line
from tests.cluster.fleet import Cluster, Fleet, until
from tests.kill.province import Province, free_port
from tests.servers import PrivatePostgres, PrivateRabbit

HOST: Final = "127.0.0.1"
_LOOK: Final = 0.1
_ANSWER: Final = aiohttp.ClientTimeout(total=3)
#: Who cannot start because its ledger is away is started again after so long (seconds), as systemd does.
_AGAIN: Final = 0.5
#: How long a gateway may take from its start to where it listens (seconds), beside all else that this machine does.
_STARTS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Servers:
    """The PostgreSQL and the RabbitMQ of one round's or many rounds' gateways, theirs alone."""

    postgres: PrivatePostgres
    rabbit: PrivateRabbit


@dataclass(frozen=True, slots=True)
class ExposedCluster:
    """A province that is applied to a PostgreSQL, to be served by gateways that reach nothing but through lines."""

    cluster: Cluster
    servers: Servers

    def copied(self, folder: Path) -> Exposed:
        """A fleet of its own, not served yet."""
        fleet = self.cluster.copied(folder)
        return Exposed(
            folder, fleet.port, free_port(), size=self.cluster.size, servers=self.servers, told=fleet.sink_port
        )


@dataclass(slots=True)
class Exposed(Fleet):
    """A fleet with a line before everything that its gateways call; the agencies' is one for all of them.

    Gateways that end by themselves are started again while :meth:`guarded` runs.
    """

    servers: Servers = field(kw_only=True)
    #: The port at which the registry says that agencies listen.
    told: int = field(kw_only=True)
    lines: dict[tuple[int, Line], FaultyLink] = field(default_factory=dict)
    #: Gateways that are meant to be down.
    absent: set[int] = field(default_factory=set)
    #: Gateways that ended by themselves although they had been at work, and starts that failed.
    fallen: list[str] = field(default_factory=list)
    failed_starts: int = 0

    async def machine(self, number: int) -> Province:
        """A machine whose settings name the near ends of its own lines."""
        node = await Fleet.machine(self, number)
        settings = (node.folder / "lgsp.toml").read_text("utf-8")
        for name, port in self._targets():
            link = FaultyLink((HOST, port))
            await self._stand(number - 1, name, link)
            settings = settings.replace(f"{HOST}:{port}", f"{HOST}:{link.port}")
        (node.folder / "lgsp.toml").write_text(settings, "utf-8")
        if number == 1:
            await self._stand(0, "agencies", FaultyLink((HOST, self.sink_port), port=self.told))
        return node

    def _targets(self) -> Sequence[tuple[Line, int]]:
        return (("store", self.servers.postgres.port), ("broker", self.servers.rabbit.port))

    async def _stand(self, node: int, name: Line, link: FaultyLink) -> None:
        await link.start()
        self._stack.push_async_callback(link.stop)
        self.lines[node, name] = link

    def line(self, node: int, name: Line) -> FaultyLink:
        """A line of one gateway, or the one to the agencies."""
        return self.lines[0 if name == "agencies" else node, name]

    async def down(self, node: int) -> None:
        """Kill a gateway, which stays away until :meth:`up`."""
        self.absent.add(node)
        self.nodes[node].kill()
        await self.nodes[node].ended(10)

    async def up(self, node: int) -> None:
        """Let a gateway live again; returns once it listens, or else has to be started anew or takes too long."""
        await self.nodes[node].start()
        self.absent.discard(node)
        with contextlib.suppress(TimeoutError):
            await until(lambda: has_begun(self.nodes[node]), _STARTS)

    def signal(self, node: int, number: signal.Signals) -> None:
        """Send a gateway a signal."""
        os.kill(self.nodes[node].pid, number)

    async def guarded(self) -> None:
        """Start whoever ended by itself again, as the machine's own foreman does; for ever."""
        while True:
            for number, node in enumerate(self.nodes):
                if number in self.absent or (status := await node.ended(0.01)) is None:
                    continue
                if number in self.absent:
                    continue
                if has_begun(node):
                    self.fallen.append(f"fallen: gateway {number + 1} was at work and ended by itself with {status}")
                self.failed_starts += 1
                await asyncio.sleep(_AGAIN)
                if number not in self.absent:
                    await node.start()
            await asyncio.sleep(_LOOK)

    async def ready_after(self, within: float) -> float:
        """Seconds until every gateway said that it is ready; infinite where one does not within so many seconds."""
        began = time.monotonic()

        async def one(node: Province) -> float:
            while time.monotonic() - began < within:
                if await _is_ready(session, node.url):
                    return time.monotonic() - began
                await asyncio.sleep(_LOOK)
            return float("inf")

        async with aiohttp.ClientSession(timeout=_ANSWER) as session:
            return max(await asyncio.gather(*map(one, self.nodes)))


def has_begun(node: Province) -> bool:
    """Whether the gateway's last life came so far as to listen."""
    return '"gateway.started"' in (node.folder / f"var/life-{node.lives}.log").read_text("utf-8", "replace")


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
