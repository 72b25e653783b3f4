"""Measures one and two gateway processes, embedded and as a cluster, in one run: ``python -m tests.measure_cluster``.

Prints messages a second and what a message costs in the gateway, in the database and in the broker, in cal (see
``lgsp bench``). The private servers of the tests serve the cluster, on the same cores. Not part of the suite.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.cli.bench.rounds import Offices, offices
from gateway.cli.bench.stage import EMBEDDED, Province, Shape
from gateway.cli.bench.usage import cpu_seconds
from gateway.telemetry import set_up
from tests.servers import PrivatePostgres, PrivateRabbit, PrivateServer
from tests.servers.databases import drop, make

_WARM = 400
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Paid:
    """One round: messages a second in and out, and CPU per message in cal of gateway, database and broker."""

    accepted_per_s: float
    delivered_per_s: float
    gateway: float
    database: float
    broker: float


def measured(
    offices: Offices, made: Province, servers: tuple[PrivateServer, PrivateServer], count: int, batch: int
) -> Paid:
    """One round of ``count`` messages, in requests of ``batch``."""
    before = [cpu_seconds(server.pid) for server in servers]
    done = offices.round(made, count, batch=batch)
    spent = [cpu_seconds(server.pid) - was for server, was in zip(servers, before, strict=True)]
    database, broker = (each / count / done.cal for each in spent)
    return Paid(done.accepted_per_s, done.delivered_per_s, done.cost, database, broker)


@contextmanager
def provinces(offices: Offices, postgres: PrivatePostgres, rabbit: PrivateRabbit) -> Iterator[dict[str, Province]]:
    """The four of them, serving side by side; only one is given work at a time."""
    names = ("bench_one", "bench_two")
    shapes = []
    for workers, name in enumerate(names, start=1):
        make(postgres.url, name)
        rabbit.api.make_vhost(name)
        shapes.append(Shape(workers, _within(postgres.url, name), _within(rabbit.url, name)))
    try:
        with (
            offices.province(shape=EMBEDDED) as one,
            offices.province(shape=Shape(2)) as two,
            offices.province(shape=shapes[0]) as cluster_one,
            offices.province(shape=shapes[1]) as cluster_two,
        ):
            yield {"embedded, 1": one, "embedded, 2": two, "cluster, 1": cluster_one, "cluster, 2": cluster_two}
    finally:
        for name in names:
            drop(postgres.url, name)
            rabbit.api.drop_vhost(name)


def _within(url: str, name: str) -> str:
    """The same server's database, or virtual host, of that name."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="messages of one round")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds of each")
    options = parser.parse_args()
    set_up(level="error")
    report: dict[str, Any] = {}
    with PrivatePostgres() as postgres, PrivateRabbit() as rabbit, offices() as sides:
        with provinces(sides, postgres, rabbit) as served:
            for made in served.values():
                sides.round(made, _WARM)
            for batch, kind in ((1, "single"), (_BATCH, "batch")):
                rounds: dict[str, list[Paid]] = {name: [] for name in served}
                for _ in range(options.rounds):
                    for name, made in served.items():
                        rounds[name].append(measured(sides, made, (postgres, rabbit), options.messages, batch))
                report[kind] = told(rounds)
                sys.stderr.write(f"{kind}\n")
                for name, figures in report[kind].items():
                    sys.stderr.write(f"  {name:<12} {figures}\n")
        report["checked"] = dict(sides.truths)
    sys.stdout.write(f"{json.dumps(report)}\n")


def told(rounds: dict[str, list[Paid]]) -> dict[str, dict[str, float]]:
    """Medians of each, and the gateway's CPU as a ratio to the embedded one process of the same round."""
    first = rounds["embedded, 1"]
    return {
        name: {
            "accepted_per_s": round(statistics.median(each.accepted_per_s for each in paid)),
            "delivered_per_s": round(statistics.median(each.delivered_per_s for each in paid)),
            "gateway_cal": round(statistics.median(each.gateway for each in paid), 2),
            "database_cal": round(statistics.median(each.database for each in paid), 2),
            "broker_cal": round(statistics.median(each.broker for each in paid), 2),
            "gateway_ratio": round(
                statistics.median(a.gateway / b.gateway for a, b in zip(paid, first, strict=True)), 2
            ),
        }
        for name, paid in rounds.items()
    }


if __name__ == "__main__":
    main()
