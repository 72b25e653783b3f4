"""One round of a bench: so many messages in, the same out, and what that cost; counted, and checked to be true."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.cli.bench.filling import apply, fill
from gateway.cli.bench.stage import EMBEDDED, Province, Shape, free_port, province
from gateway.cli.bench.usage import cal
from gateway.cli.bench.worker import Worker
from gateway.core.faults import Misconfigured, Text

#: A round waits so long for its last delivery (seconds).
_PATIENCE: Final = 600.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one round showed. Times in seconds, CPU per message in seconds and in ``cal`` (see ``usage.cal``)."""

    messages: int
    accepted_per_s: float
    delivered_per_s: float
    p50: float
    p99: float
    cpu: float
    cal: float

    @property
    def cost(self) -> float:
        """CPU of the gateway per message, in cal."""
        return self.cpu / self.cal


@dataclass(slots=True)
class Offices:
    """The sending and the receiving side, shared by the provinces of one bench."""

    sink: Worker
    generator: Worker
    port: int
    asleep_port: int
    #: Told apart from other runs by this moment (seconds since 1970), from one another by their numbers.
    began: float = field(default_factory=time.time)
    used: int = 0
    taken: int = 0
    truths: Counter[str] = field(default_factory=Counter)

    def numbers(self, count: int) -> int:
        """The first of ``count`` message numbers that nobody has used."""
        self.used += count
        return self.used - count

    @contextlib.contextmanager
    def province(self, *, filled: int = 0, shape: Shape = EMBEDDED) -> Iterator[Province]:
        """An applied province, its gateway running, over a ledger that holds ``filled`` messages of long ago."""
        with province(self.port, self.asleep_port, shape) as made:
            asyncio.run(apply(made))
            if filled:
                asyncio.run(fill(made, began=self.began, first=self.numbers(filled), count=filled, delivered=True))
            made.start()
            yield made

    def round(self, made: Province, count: int, *, batch: int = 1, rate: float | None = None) -> Round:
        """``count`` messages through the gateway, in requests of ``batch``; raises Misconfigured if one is lost."""
        first = self.numbers(count)
        self.generator.ask("make", folder=str(made.folder), began=self.began, first=first, count=count, batch=batch)
        before, used = cal(), made.cpu()
        sent = self.generator.ask("send", port=made.port, rate=rate)
        self.taken += sent["accepted"]
        came = self.sink.ask("wait", count=self.taken, seconds=_PATIENCE)
        is_settled = made.settled(_PATIENCE)
        used = made.cpu() - used
        after = cal()
        self._check(made, first, count)
        if sent["accepted"] != count or not is_settled:
            raise _lost(count, sent)
        return Round(
            messages=count,
            accepted_per_s=count / sent["seconds"],
            delivered_per_s=count / (came["last"] - sent["began"]),
            p50=sent["p50"],
            p99=sent["p99"],
            cpu=used / count,
            cal=(before + after) / 2,
        )

    def _check(self, made: Province, first: int, count: int) -> None:
        """Every number must have come; receipts and signatures are checked on a sample."""
        came = self.sink.ask("check", began=self.began, first=first, count=count, key=made.webhook_key)
        receipts = self.generator.ask("check", folder=str(made.folder))
        self.truths.update({"sent": count, **came, **receipts})


@contextlib.contextmanager
def offices() -> Iterator[Offices]:
    """The two sides as processes, for the length of a ``with`` block."""
    with Worker("sink") as sink, Worker("generator") as generator:
        yield Offices(sink, generator, int(sink.ask("open")["port"]), free_port())


def middle(rounds: list[Round]) -> dict[str, Any]:
    """The medians of some rounds, as the report tells them: latencies in ms, CPU in µs."""

    def of(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in rounds))

    return {
        "messages": sum(each.messages for each in rounds),
        "accepted_per_s": round(of("accepted_per_s")),
        "delivered_per_s": round(of("delivered_per_s")),
        "accept_p50_ms": round(of("p50") * 1000, 1),
        "accept_p99_ms": round(of("p99") * 1000, 1),
        "cpu_us": round(of("cpu") * 1e6),
        "cal_us": round(of("cal") * 1e6),
        "cpu_cal": round(of("cost"), 2),
    }


def _lost(count: int, sent: dict[str, Any]) -> Misconfigured:
    return Misconfigured(
        "lgsp bench",
        Text(
            f"Gửi {count} thông điệp, trục nhận {sent['accepted']} ({sent['answers']}) hoặc chưa chuyển hết",
            f"Of {count} messages {sent['accepted']} were accepted ({sent['answers']}), or not all were delivered",
        ),
        Text(
            "Xem nhật ký của trục; giảm số thông điệp nếu máy yếu.",
            "See the gateway's log; send less on a weak machine.",
        ),
    )
