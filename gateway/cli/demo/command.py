"""``demo``: a small province on this machine, and a story that ends by itself with the count of lost messages."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.frame import FAILED, Place, examples, json_option

if TYPE_CHECKING:
    from gateway.cli.demo.story import Story


@click.command(epilog=examples("lgsp demo", "lgsp demo --keep"))
@click.option("--keep", is_flag=True, help="Kể xong vẫn chạy tiếp tới khi Ctrl-C. Keep running afterwards.")
@json_option
@click.pass_obj
def demo(place: Place, *, keep: bool) -> None:
    """Một tỉnh nhỏ trên máy này, kể một câu chuyện rồi tự kết thúc. A small province; a story that ends by itself."""
    from gateway import telemetry
    from gateway.cli.demo.story import Story

    telemetry.set_up(level="error")
    folder = Path(tempfile.mkdtemp(prefix="lgsp-demo-"))
    story = Story(folder, language=place.language, silent=place.as_json)
    asyncio.run(_told(story, keep=keep))
    place.give(story.counts())
    if not story.is_well:
        raise click.exceptions.Exit(FAILED)


async def _told(story: Story, *, keep: bool) -> None:
    """Tell the whole story; with ``keep`` go on running until interrupted."""
    from gateway.cli.demo import folder, letters, relaying
    from gateway.cli.demo.stage import stage

    async with stage(story):
        await folder.documents(story)
        await relaying.outage(story)
        await relaying.translation(story)
        await relaying.commune(story)
        await letters.letters(story)
        await relaying.count(story)
        if keep:
            url = story.bus.url
            story.say(f"Trục vẫn chạy tại {url} (Ctrl-C để dừng).", f"The bus goes on at {url} (Ctrl-C ends it).")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
