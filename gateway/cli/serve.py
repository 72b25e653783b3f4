"""``serve``: the gateway itself, until it is told to stop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from gateway.cli.frame import Place, examples, json_option
from gateway.cli.manager import heartbeat, messenger
from gateway.config.settings import Settings
from gateway.core.faults import Text


@click.command(epilog=examples("lgsp -C tinh serve", "lgsp -C tinh serve --workers 2"))
@click.option("--workers", type=click.IntRange(1, 64), default=None, metavar="N",
              help="Số tiến trình (mặc định: theo lgsp.toml). Processes (default: as lgsp.toml says).")  # fmt: skip
@click.option("--seat", type=(int, int, int, click.Path(path_type=Path)), default=None, hidden=True)
@json_option
@click.pass_obj
def serve(place: Place, workers: int | None, seat: tuple[int, int, int, Path] | None) -> int | None:
    """Chạy trục liên thông; dừng bằng Ctrl-C hoặc SIGTERM. Run the gateway until Ctrl-C or SIGTERM.

    Nhật ký ra stderr, mỗi dòng một đối tượng JSON. Logs go to stderr, one JSON object a line.
    Với nhiều tiến trình, SIGHUP thay lần lượt từng tiến trình mà không từ chối thông điệp nào.
    With several processes, SIGHUP renews them one by one and turns no message away.
    """
    settings = place.settings
    settings = replace(settings, workers=workers or settings.workers)
    if seat is not None:
        from gateway.cli.serving import Seat
        from gateway.cli.serving import serve as run

        asyncio.run(run(settings, heartbeat=heartbeat(), seat=Seat(*seat)))
        return None
    if not settings.is_founded:
        click.echo(
            place.both(
                Text(
                    "Danh mục còn trống; hãy chạy lgsp apply để khai báo các cơ quan (có thể làm khi trục đang chạy).",
                    "The registry is empty; lgsp apply fills it (also while the gateway runs).",
                )
            ),
            err=True,
        )
    if settings.workers == 1:
        from gateway.cli.serving import serve as run

        asyncio.run(run(settings, tell=messenger(), heartbeat=heartbeat()))
        return None
    return _keep(place, settings)


def _keep(place: Place, settings: Settings) -> int:
    """Be the foreman of several workers."""
    from gateway import telemetry
    from gateway.cli import foreman

    telemetry.set_up(level=settings.log_level, for_good=True)
    language = () if place.language is None else ("--lang", place.language)
    arguments = (*language, "-C", str(settings.folder), "serve", "--workers", str(settings.workers))
    return asyncio.run(foreman.keep(settings, arguments=arguments, tell=messenger()))
