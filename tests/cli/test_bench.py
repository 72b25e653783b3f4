"""``lgsp bench``: what it reports is what happened: every message counted came to its sink, signed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from gateway.cli.bench.mail import RECIPIENTS, SENDER, envelope, message_id, recipient_of
from gateway.cli.bench.usage import cal, cpu_seconds, family, resident_bytes
from gateway.core import jws
from gateway.core.strictjson import parse_strict
from tests.adapters.fitting import SENDER as SIGNER
from tests.cli.desk import lgsp

SPEED = {"messages", "accepted_per_s", "delivered_per_s", "accept_p50_ms", "accept_p99_ms", "cpu_us", "cal_us",
         "cpu_cal", "rss_mb"}  # fmt: skip
NOTHING_WRONG = {"missing": 0, "signatures_wrong": 0, "receipts_wrong": 0}


def measured(only: str, messages: int) -> dict[str, Any]:
    ended = lgsp("bench", "--only", only, "--messages", str(messages), "--json")
    assert ended.status == 0, ended.err
    report: dict[str, Any] = ended.json
    assert set(report) == {"machine", only, "checked"}
    assert report["checked"].items() >= NOTHING_WRONG.items()
    return report


@pytest.mark.parametrize(("only", "warm"), [("single", 200), ("batch", 200)])
def test_speed_is_told_of_messages_that_all_came_with_receipts_and_signatures(only: str, warm: int) -> None:
    report = measured(only, 250)
    told = report[only]
    assert set(told) == SPEED
    assert all(value > 0 for value in told.values())
    assert told["accept_p50_ms"] <= told["accept_p99_ms"]
    assert told["cpu_cal"] == pytest.approx(told["cpu_us"] / told["cal_us"], rel=0.5)
    assert (told["messages"], report["checked"]["sent"]) == (250, 250 + warm)
    assert report["checked"]["signatures_checked"] >= 5
    assert report["checked"]["receipts_checked"] >= 5


def test_latency_is_told_at_the_rate_that_was_asked_for() -> None:
    told = measured("latency", 150)["latency"]
    assert (told["rate_per_s"], told["messages"]) == (300, 150)
    assert 0 < told["accept_p50_ms"] <= told["accept_p99_ms"]


def test_a_start_is_timed_over_a_ledger_that_holds_something() -> None:
    told = measured("start", 500)["start"]
    assert (told["messages_held"], told["starts"]) == (500, 5)
    assert 0 < told["seconds_to_listening"] < 20


def test_memory_is_told_twice_and_its_growth_follows() -> None:
    told = measured("memory", 200)["memory"]
    assert told["growth_percent"] == pytest.approx(
        100 * (told["rss_mb_after_as_many_again"] / told["rss_mb"] - 1), abs=0.3
    )
    assert 20 < told["rss_mb"] < 1000


def test_a_message_of_the_bench_is_an_ordinary_one() -> None:
    made = envelope(1_800_000_000.0, 7, to=recipient_of(7), now=1_800_000_001.0, signer=SIGNER)
    opened = jws.split(made)
    event = parse_strict(opened.payload)
    assert 2500 < len(made) < 3500
    assert (event["source"], event["to"], event["id"]) == (SENDER, RECIPIENTS[7], message_id(1_800_000_000.0, 7))
    assert len({message_id(1_800_000_000.0, number) for number in range(1000)}) == 1000


_BUSY = """
import os, sys, time
while sum(os.times()[:2]) < 0.5:
    pass
print(sum(os.times()[:2]), flush=True)
sys.stdin.read()
"""


def test_what_a_process_uses_is_what_linux_says() -> None:
    with subprocess.Popen([sys.executable, "-c", _BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        used = float(busy.stdout.readline())
        assert busy.pid in family(os.getpid())
        assert cpu_seconds(busy.pid) == pytest.approx(used, abs=0.1)
        assert resident_bytes(busy.pid) > 5_000_000
        busy.kill()
    assert 1e-5 < cal() < 1e-1
