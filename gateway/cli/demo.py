"""``demo``: a small province on this machine, and a story that ends by itself with the count of lost messages."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from gateway.cli.frame import FAILED, Place, examples, json_option


@click.command(epilog=examples("lgsp demo", "lgsp demo --keep"))
@click.option("--keep", is_flag=True, help="Kể xong vẫn chạy tiếp tới khi Ctrl-C. Keep running afterwards.")
@json_option
@click.pass_obj
def demo(place: Place, *, keep: bool) -> None:
    """Một tỉnh nhỏ trên máy này, kể một câu chuyện rồi tự kết thúc. A small province; a story that ends by itself."""
    from gateway import telemetry
    from gateway.cli.story import Story, told

    telemetry.set_up(level="error")
    folder = Path(tempfile.mkdtemp(prefix="lgsp-demo-"))
    story = Story(folder, language=place.language, silent=place.as_json)
    asyncio.run(told(story, keep=keep))
    place.give(story.counts())
    if not story.is_well:
        raise click.exceptions.Exit(FAILED)
