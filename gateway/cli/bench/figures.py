"""The figures of a bench, each measured by itself: speed, latency, start, memory, a backlog, a long past."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from typing import Any, Final

from gateway.cli.bench.filling import fill
from gateway.cli.bench.mail import ASLEEP
from gateway.cli.bench.rounds import Offices, middle
from gateway.cli.bench.stage import Province

#: Messages in one request of the batch figure (interfaces, section 1).
BATCH: Final = 50
#: Messages that warm caches and connections up, uncounted.
_WARM: Final = 200
_ROUNDS: Final = 5
_STARTS: Final = 5
#: Of the latency figure: requests a second, whatever the answers do.
RATE: Final = 300.0
#: A figure of memory sends so many at a time, so that the generator does not hold them all.
_BLOCK: Final = 5000

Figure = Callable[[Offices, int], dict[str, Any]]


def single(offices: Offices, messages: int) -> dict[str, Any]:
    """One message a request."""
    return _speed(offices, messages, batch=1)


def batch(offices: Offices, messages: int) -> dict[str, Any]:
    """Fifty messages a request, still one delivery each."""
    return _speed(offices, messages, batch=BATCH)


def _speed(offices: Offices, messages: int, *, batch: int) -> dict[str, Any]:
    with offices.province() as made:
        offices.round(made, _WARM, batch=batch)
        rounds = [offices.round(made, _share(messages, batch), batch=batch) for _ in range(_ROUNDS)]
        return {**middle(rounds), "rss_mb": _megabytes(made.resident())}


def latency(offices: Offices, messages: int) -> dict[str, Any]:
    """Single messages at a steady rate, each timed from the moment at which it was due."""
    with offices.province() as made:
        offices.round(made, _WARM)
        one = offices.round(made, messages, rate=RATE)
        found = middle([one])
        return {"rate_per_s": RATE, **{name: found[name] for name in ("messages", "accept_p50_ms", "accept_p99_ms")}}


def start(offices: Offices, messages: int) -> dict[str, Any]:
    """From the start of the program to the first connection it takes, over a ledger with ``messages`` in it."""
    seconds: list[float] = []
    with offices.province(filled=messages) as made:
        for _ in range(_STARTS):
            made.stop()
            seconds.append(made.start())
        offices.round(made, _WARM)
    return {"messages_held": messages, "starts": _STARTS, "seconds_to_listening": round(statistics.median(seconds), 2)}


def memory(offices: Offices, messages: int) -> dict[str, Any]:
    """Resident memory after ``messages``, and by how much it grows over as many again."""
    with offices.province() as made:
        held: list[int] = []
        for _ in range(2):
            for start in range(0, messages, _BLOCK):
                offices.round(made, min(_BLOCK, messages - start))
            held.append(made.resident())
    return {
        "messages": messages,
        "rss_mb": _megabytes(held[0]),
        "rss_mb_after_as_many_again": _megabytes(held[1]),
        "growth_percent": round(100 * (held[1] / held[0] - 1), 1),
    }


def backlog(offices: Offices, messages: int) -> dict[str, Any]:
    """Accepted/s beside ``messages`` that wait for a recipient that is down, and while they drain, against none."""
    share = 1000
    with offices.province() as empty, offices.province() as full:
        asyncio.run(fill(full, began=offices.began, first=offices.numbers(messages), count=messages, delivered=False))
        rates = _side_by_side(offices, empty, full, share, "accepted_per_s")
        offices.sink.ask("open", port=offices.asleep_port)
        held = full.undelivered(ASLEEP)
        draining = [offices.round(full, share).accepted_per_s for _ in range(_ROUNDS)]
        drained = held - full.undelivered(ASLEEP)
        offices.taken += messages
        alone = [offices.round(empty, share).accepted_per_s for _ in range(_ROUNDS)]
        full.settled(600.0, ASLEEP)
        return {
            "backlog": messages,
            "accepted_per_s_empty": round(rates[0]),
            "accepted_per_s_beside_backlog": round(rates[1]),
            "lowered_percent": round(100 * (1 - rates[2]), 1),
            "drained_meanwhile": drained,
            "accepted_per_s_while_draining": round(statistics.median(draining)),
            "lowered_percent_while_draining": round(
                100 * (1 - statistics.median(draining) / statistics.median(alone)), 1
            ),
        }


def stored(offices: Offices, messages: int) -> dict[str, Any]:
    """The cost of a message over a ledger with ``messages`` delivered ones, against an empty one, in turns."""
    with offices.province() as empty, offices.province(filled=messages) as full:
        rates = _side_by_side(offices, empty, full, 1000, "cost")
        return {
            "stored": messages,
            "cpu_cal_empty": round(rates[0], 2),
            "cpu_cal_stored": round(rates[1], 2),
            "ratio": round(rates[2], 2),
        }


def _side_by_side(
    offices: Offices, one: Province, other: Province, share: int, what: str
) -> tuple[float, float, float]:
    """The medians of both in interleaved rounds, and the median of the rounds' ratios, other to one."""
    for made in (one, other):
        offices.round(made, _WARM)
    pairs = [
        (getattr(offices.round(one, share), what), getattr(offices.round(other, share), what)) for _ in range(_ROUNDS)
    ]
    ratio = statistics.median(second / first for first, second in pairs)
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs), ratio


def _share(messages: int, batch: int) -> int:
    """The messages of one round: whole batches."""
    return max(1, messages // _ROUNDS // batch) * batch


def _megabytes(count: int) -> float:
    return round(count / 1e6, 1)


#: Every figure by name, with how many messages it takes unless told otherwise.
FIGURES: Final[dict[str, tuple[Figure, int]]] = {
    "single": (single, 5000),
    "batch": (batch, 20_000),
    "latency": (latency, 6000),
    "start": (start, 10_000),
    "memory": (memory, 100_000),
    "backlog": (backlog, 100_000),
    "stored": (stored, 1_000_000),
}
