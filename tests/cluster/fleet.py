"""Several gateways on one ledger and one broker, behind one address: each the real program as its own process."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.cluster.balancer import Balancer
from tests.kill.province import Province, Template, free_port, lgsp

#: What the machines of a province have of their own; all else is one folder for all.
_OWN: Final = frozenset({"lgsp.toml", "var"})


@dataclass(frozen=True, slots=True)
class Cluster:
    """A province that was applied to a PostgreSQL, to be served by ``size`` gateways."""

    template: Template
    store: str
    broker: str
    size: int = 3

    def copied(self, folder: Path) -> Fleet:
        """A fleet of its own, not served yet."""
        province = self.template.copied(folder)
        settings = (folder / "lgsp.toml").read_text("utf-8")
        settings = re.sub(r'(\[store\]\s*\nurl = )"[^"]*"', rf'\1"{self.store}"', settings)
        settings = re.sub(r'(\[broker\]\s*\nurl = )"[^"]*"', rf'\1"{self.broker}"', settings)
        settings = re.sub(r'(\[files\]\s*\nfolder = )"[^"]*"', rf'\1"{folder}/var/files"', settings)
        (folder / "lgsp.toml").write_text(settings, "utf-8")
        lgsp("-C", str(folder), "apply")
        return Fleet(folder, province.port, province.sink_port, size=self.size)


@dataclass(slots=True)
class Fleet(Province):
    """A province whose gateways are known by one address; what is asked of all is asked of each."""

    size: int = 3
    nodes: list[Province] = field(default_factory=list)
    balancer: Balancer = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start(self, kill_at: str | None = None) -> None:
        """Start every gateway; ``kill_at`` is for the first."""
        if not self.nodes:
            self.nodes = [await self.machine(number) for number in range(1, self.size + 1)]
            self.balancer = Balancer(self.port, lambda: [node.port for node in self.nodes])
            await self._stack.enter_async_context(self.balancer.standing())
        self.lives += 1
        for node in self.nodes:
            await node.start(kill_at if node is self.nodes[0] else None)

    async def machine(self, number: int) -> Province:
        """A machine of its own, not served yet."""
        return _machine(self, number)

    async def until_ready(self, *nodes: Province, within: float = 20.0) -> None:
        """Wait until these gateways, or all, say that they are ready; raises TimeoutError."""
        async with aiohttp.ClientSession() as session:
            for node in nodes or self.nodes:
                await until(lambda node=node: _is_ready(session, node.url), within)  # type: ignore[misc]

    async def ended(self, within: float) -> int | None:
        """How they ended: the first end that was not in good order, or 0; None where one goes on."""
        ends = await asyncio.gather(*(node.ended(within) for node in self.nodes))
        return None if None in ends else next((end for end in ends if end), 0)

    def kill(self) -> None:
        """End all at once."""
        for node in self.nodes:
            node.kill()

    async def stop(self) -> int | None:
        """Ask all to end in good order; answers as :meth:`ended`."""
        ends = await asyncio.gather(*(node.stop() for node in self.nodes))
        await self._stack.aclose()
        return None if None in ends else next((end for end in ends if end), 0)

    def last_words(self) -> str:
        """The end of what each logged."""
        return "\n".join(f"=== {node.folder.name}\n{node.last_words()}" for node in self.nodes)


async def until(condition: Callable[[], Awaitable[bool] | bool], within: float = 20.0) -> None:
    """Wait until a condition holds; raises TimeoutError."""
    async with asyncio.timeout(within):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)


def _machine(fleet: Fleet, number: int) -> Province:
    """A machine's own folder: its settings, and everything else by links to the folder of all."""
    folder = fleet.folder.with_name(f"{fleet.folder.name}-{number}")
    (folder / "var").mkdir(parents=True)
    for each in fleet.folder.iterdir():
        if each.name not in _OWN:
            (folder / each.name).symlink_to(each)
    port = free_port()
    settings = (fleet.folder / "lgsp.toml").read_text("utf-8")
    listen = f'listen = "127.0.0.1:{port}"\nnode = "machine-{number}"'
    (folder / "lgsp.toml").write_text(settings.replace(f'listen = "127.0.0.1:{fleet.port}"', listen), "utf-8")
    return Province(folder, port, fleet.sink_port)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def logged(province: Province, *events: str) -> list[Mapping[str, Any]]:
    """What the lives of one gateway logged under these events, in order."""
    lines: list[Mapping[str, Any]] = []
    for life in range(1, province.lives + 1):
        for line in (province.folder / f"var/life-{life}.log").read_text("utf-8").splitlines():
            told = json.loads(line) if line.startswith("{") else {}
            if told.get("event") in events:
                lines.append(told)
    return lines


def workers_of(pid: int) -> Sequence[int]:
    """The processes that a foreman started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that nobody has waited for yet does not)."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
