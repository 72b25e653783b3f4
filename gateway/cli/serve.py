"""``serve``: the gateway itself, until it is told to stop."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.frame import Place, examples, json_option
from gateway.cli.manager import heartbeat, messenger
from gateway.core.faults import Misconfigured, Text


@click.command(epilog=examples("lgsp -C tinh serve"))
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
              help="Số tiến trình. Processes.")  # fmt: skip
@json_option
@click.pass_obj
def serve(place: Place, workers: int) -> None:
    """Chạy trục liên thông; dừng bằng Ctrl-C hoặc SIGTERM. Run the gateway until Ctrl-C or SIGTERM.

    Nhật ký ra stderr, mỗi dòng một đối tượng JSON. Logs go to stderr, one JSON object a line.
    """
    from gateway.cli.serving import serve as run

    settings = place.settings
    if workers != 1:
        raise Misconfigured(
            "--workers",
            Text("Kho SQLite chỉ phục vụ một tiến trình", "A SQLite store serves one process"),
            Text("Hãy bỏ --workers.", "Leave --workers out."),
        )
    if not settings.store_path.exists():
        click.echo(
            place.both(
                Text(
                    "Danh mục còn trống; hãy chạy lgsp apply để khai báo các cơ quan (có thể làm khi trục đang chạy).",
                    "The registry is empty; lgsp apply fills it (also while the gateway runs).",
                )
            ),
            err=True,
        )
    asyncio.run(run(settings, tell=messenger(), heartbeat=heartbeat()))
