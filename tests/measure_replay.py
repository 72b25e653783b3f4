"""Measures a large replay beside live traffic: ``python -m tests.measure_replay`` prints what the live one felt.

Live messages go to the very destination that is replayed, which is the worst place to be. Not part of the suite.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from gateway.client.message import make_event
from gateway.core.envelope import seal
from gateway.core.replay import Phase, Plan
from gateway.ports import AuditRow
from gateway.ports.failures import Sought
from gateway.ports.replays import Operation
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.replays import failures_and_replays
from tests.kill.province import SENDER, Province, Template
from tests.kill.test_replay import TO, many_dead
from tests.kill.traffic import example


@dataclass(slots=True)
class Felt:
    """What live traffic felt: seconds until accepted, seconds until it arrived, by message."""

    sent: dict[str, float] = field(default_factory=dict)
    accepted: list[float] = field(default_factory=list)
    arrived: dict[str, float] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)

    async def take(self, request: web.Request) -> web.Response:
        """The recipient's end."""
        await request.read()
        message = request.headers["lgsp-message"]
        if message in self.sent:
            self.arrived.setdefault(message, time.perf_counter() - self.sent[message])
        else:
            self.others[message] += 1
        return web.Response()

    def told(self) -> dict[str, Any]:
        """Median and 99th percentile in milliseconds; what was sent starts anew."""
        found = {
            "live": len(self.sent),
            "accept_p50_ms": _share(self.accepted, 50),
            "accept_p99_ms": _share(self.accepted, 99),
            "arrive_p50_ms": _share(list(self.arrived.values()), 50),
            "arrive_p99_ms": _share(list(self.arrived.values()), 99),
            "not_arrived": len(self.sent.keys() - self.arrived.keys()),
            "replayed": len(self.others),
        }
        self.sent, self.accepted, self.arrived = {}, [], {}
        return found


def _share(values: Sequence[float], percent: int) -> float | None:
    return round(statistics.quantiles(values, n=100)[percent - 1] * 1000, 1) if len(values) > 1 else None


async def live(province: Province, felt: Felt, rate: float, seconds: float) -> None:
    """Send at an even pace, whatever the answers take."""
    signer, data = province.signer(SENDER), example()
    waiting: set[asyncio.Task[None]] = set()

    async def one(session: aiohttp.ClientSession) -> None:
        key = str(uuid.uuid4())
        event = make_event(
            id=key, source=SENDER, contract="document.issued", version="1.0", subject=key, now=time.time(), data=data,
            extensions={"to": TO},
        )  # fmt: skip
        body = seal(event, signer)
        felt.sent[key] = began = time.perf_counter()
        headers = {"Content-Type": "application/jose"}
        async with session.post(f"{province.url}/v1/messages", data=body, headers=headers) as answer:
            await answer.read()
            if answer.status != 202:
                raise RuntimeError(f"a live message was refused: {answer.status}")
            felt.accepted.append(time.perf_counter() - began)

    async with aiohttp.ClientSession() as session:
        for _ in range(int(rate * seconds)):
            task = asyncio.create_task(one(session))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
            await asyncio.sleep(1 / rate)
        await asyncio.gather(*waiting)
    await asyncio.sleep(2)


async def begin(folder: Path, rate: float) -> tuple[int, float]:
    """Begin to replay all that is dead; answers how many that is, and how long it took to begin."""
    ledger = SqliteLedger(folder / "var/lgsp.db")
    await ledger.open()
    failures, replays = failures_and_replays(ledger)
    began = time.perf_counter()
    while await failures.look():
        pass
    now = time.time()
    found = await replays.candidates(Sought(), None, now=now)
    plan = Plan(rate=rate, canary=())
    operation = Operation("op-measured", "replay", Phase.RUNNING, Sought(), 0, plan, "đo", "measure", len(found), now)
    await replays.plan(operation, [each.place for each in found], AuditRow(now, "measure", "replay.started"))
    took = time.perf_counter() - began
    groups = time.perf_counter()
    await failures.groups(Sought(), now=now)
    sys.stdout.write(json.dumps({"grouped_s": round(time.perf_counter() - groups, 3)}) + "\n")
    await ledger.close()
    return len(found), took


async def measure(folder: Path, *, count: int, rate: float, live_rate: float, seconds: float) -> None:
    """Live traffic alone, then the same beside a replay."""
    province = (await asyncio.to_thread(Template.made, folder / "template")).copied(folder / "province")
    await many_dead(province.folder, count)
    felt = Felt()
    app = web.Application()
    app.router.add_post("/{code}/{system}", felt.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", province.sink_port).start()
    await province.start()
    await asyncio.sleep(3)
    await live(province, felt, live_rate, seconds)
    sys.stdout.write(json.dumps({"beside": "nothing", **felt.told()}) + "\n")
    total, took = await begin(province.folder, rate)
    sys.stdout.write(json.dumps({"snapshot": total, "begun_in_s": round(took, 2)}) + "\n")
    began = time.perf_counter()
    await live(province, felt, live_rate, seconds)
    told = felt.told()
    speed = round(told["replayed"] / (time.perf_counter() - began), 1)
    sys.stdout.write(json.dumps({"beside": f"a replay at {rate:g}/s", "replayed_per_s": speed, **told}) + "\n")
    await province.stop()
    await runner.cleanup()


def main() -> None:
    """Read the options, measure in a folder that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="dead deliveries to replay")
    parser.add_argument("--rate", type=float, default=100.0, help="of the replay, a second")
    parser.add_argument("--live", type=float, default=20.0, help="live messages a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each measurement takes")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(
            measure(Path(folder), count=asked.count, rate=asked.rate, live_rate=asked.live, seconds=asked.seconds)
        )


if __name__ == "__main__":
    main()
