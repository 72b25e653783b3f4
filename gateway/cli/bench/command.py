"""``bench``: the figures of this machine, each by one command."""

from __future__ import annotations

import os
import platform
import sqlite3
from typing import Any, Final

import click

from gateway.cli.frame import FAILED, Place, examples, json_option

_ONLY: Final = ("single", "batch", "latency", "start", "memory", "backlog", "stored")
_MOST: Final = 2_000_000


@click.command(epilog=examples("lgsp bench", "lgsp bench --only latency", "lgsp bench --only stored --messages 200000"))
@click.option("--only", type=click.Choice(_ONLY), default=None,
              help="Chỉ đo một chỉ số. Measure one figure (otherwise: single and batch).")  # fmt: skip
@click.option("--messages", type=click.IntRange(min=100, max=_MOST), default=None, metavar="N",
              help="Số thông điệp của mỗi chỉ số. Messages of each figure.")  # fmt: skip
@json_option
@click.pass_obj
def bench(place: Place, only: str | None, messages: int | None) -> None:
    """Đo tốc độ của trục trên máy này. Measure the speed of the bus on this machine.

    Tạo một tỉnh tạm, chạy lgsp serve thật, gửi và nhận qua 64 kết nối, rồi xoá hết. Mọi kiểm tra đều bật.
    A temporary province, the real lgsp serve, 64 connections; everything is checked, everything is removed.
    """
    from gateway import telemetry
    from gateway.cli.bench.figures import FIGURES
    from gateway.cli.bench.rounds import offices
    from gateway.cli.bench.usage import need_proc

    need_proc()
    telemetry.set_up(level="error")
    report: dict[str, Any] = {"machine": _machine()}
    with offices() as sides:
        for name in ("single", "batch") if only is None else (only,):
            measure, usual = FIGURES[name]
            report[name] = measure(sides, messages or usual)
            _tell(place, name, report[name])
        report["checked"] = dict(sides.truths)
    _tell(place, "checked", report["checked"])
    place.give(report)
    if any(report["checked"].get(name) for name in ("missing", "signatures_wrong", "receipts_wrong")):
        raise click.exceptions.Exit(FAILED)


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def _tell(place: Place, name: str, figures: dict[str, Any]) -> None:
    """One figure as lines for people."""
    vi, en = _TITLES[name]
    place.say(f"▌ {vi}", f"▌ {en}")
    for key, value in figures.items():
        label = _LABELS.get(key, (key.replace("_", " "), key.replace("_", " ")))
        place.say(f"  {label[0]:<58} {value:>12}", f"  {label[1]:<58} {value:>12}")


_TITLES: Final = {
    "single": ("Gửi từng thông điệp, 64 kết nối", "Single messages, 64 connections"),
    "batch": ("Gửi từng lô 50 thông điệp, 64 kết nối", "Batches of 50, 64 connections"),
    "latency": ("Độ trễ tiếp nhận ở nhịp đều", "Accept latency at a steady rate"),
    "start": ("Khởi động", "Start"),
    "memory": ("Bộ nhớ", "Memory"),
    "backlog": ("Khi có hàng tồn chưa chuyển", "Beside a backlog"),
    "stored": ("Khi kho đã có nhiều thông điệp", "Over a long past"),
    "checked": ("Đã kiểm chứng", "Checked"),
}
_LABELS: Final = {
    "messages": ("Số thông điệp", "messages"),
    "accepted_per_s": ("Tiếp nhận, thông điệp/giây", "accepted/s"),
    "delivered_per_s": ("Chuyển đến nơi nhận, thông điệp/giây", "delivered/s"),
    "accept_p50_ms": ("Độ trễ tiếp nhận p50, ms", "accept latency p50, ms"),
    "accept_p99_ms": ("Độ trễ tiếp nhận p99, ms", "accept latency p99, ms"),
    "cpu_us": ("CPU của trục cho một thông điệp, µs", "gateway CPU per message, µs"),
    "cal_us": ("1 cal trên máy này lúc đo, µs", "1 cal on this machine at the time, µs"),
    "cpu_cal": ("CPU của trục cho một thông điệp, cal", "gateway CPU per message, cal"),
    "rss_mb": ("Bộ nhớ thường trú, MB", "resident memory, MB"),
    "rss_mb_after_as_many_again": ("… sau chừng ấy thông điệp nữa, MB", "… after as many again, MB"),
    "growth_percent": ("Tăng, %", "growth, %"),
    "rate_per_s": ("Nhịp gửi, thông điệp/giây", "rate, messages/s"),
    "seconds_to_listening": ("Từ lúc chạy đến lúc nhận kết nối, giây", "seconds to listening"),
    "messages_held": ("Thông điệp sẵn có trong kho", "messages in the ledger"),
    "starts": ("Số lần khởi động", "starts"),
    "backlog": ("Thông điệp tồn", "messages waiting"),
    "accepted_per_s_empty": ("Tiếp nhận/giây khi không tồn", "accepted/s without"),
    "accepted_per_s_beside_backlog": ("Tiếp nhận/giây khi tồn", "accepted/s beside it"),
    "lowered_percent": ("Giảm, %", "lowered by, %"),
    "drained_meanwhile": ("Hàng tồn chuyển được trong lúc đo tiếp", "drained during what follows"),
    "accepted_per_s_while_draining": ("Tiếp nhận/giây trong lúc xả hàng tồn", "accepted/s while it drains"),
    "lowered_percent_while_draining": ("Giảm trong lúc xả, %", "lowered while it drains by, %"),
    "stored": ("Thông điệp đã chuyển sẵn có", "delivered messages held"),
    "cpu_cal_empty": ("CPU một thông điệp, kho trống, cal", "CPU per message over an empty ledger, cal"),
    "cpu_cal_stored": ("CPU một thông điệp, kho đầy, cal", "CPU per message over a full one, cal"),
    "ratio": ("Tỷ lệ", "ratio"),
    "sent": ("Đã gửi và được tiếp nhận", "sent and accepted"),
    "missing": ("Không đến nơi", "never came"),
    "repeated": ("Đến thêm lần nữa", "came again"),
    "signatures_checked": ("Chữ ký webhook đã kiểm tra", "webhook signatures checked"),
    "signatures_wrong": ("Chữ ký webhook sai", "webhook signatures wrong"),
    "receipts_checked": ("Biên nhận đã kiểm tra", "receipts checked"),
    "receipts_wrong": ("Biên nhận sai", "receipts wrong"),
}
