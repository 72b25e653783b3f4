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
    from gateway.cli.demo.onestop.telling import OneStop
    from gateway.cli.demo.story import Story
    from gateway.cli.demo.telling import Telling


@click.command(epilog=examples("lgsp demo", "lgsp demo onestop", "lgsp demo --keep"))
@click.argument("tale", required=False, type=click.Choice(["onestop"]), metavar="[onestop]")
@click.option("--keep", is_flag=True, help="Kể xong vẫn chạy tiếp tới khi Ctrl-C. Keep running afterwards.")
@json_option
@click.pass_obj
def demo(place: Place, *, tale: str | None, keep: bool) -> None:
    """Một tỉnh nhỏ trên máy này, kể một câu chuyện rồi tự kết thúc. A small province; a story that ends by itself.

    onestop: một hồ sơ một cửa qua bốn cấp, tới Cổng quốc gia. One dossier through four levels, and the portal.
    """
    from gateway import telemetry
    from gateway.cli.demo.onestop.telling import OneStop
    from gateway.cli.demo.story import Story

    telemetry.set_up(level="error")
    folder = Path(tempfile.mkdtemp(prefix="lgsp-demo-"))
    story: Story | OneStop
    if tale == "onestop":
        story = OneStop(folder, language=place.language, silent=place.as_json)
        asyncio.run(_of_a_dossier(story, keep=keep))
    else:
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
            await _go_on(story, story.bus.url)


async def _of_a_dossier(story: OneStop, *, keep: bool) -> None:
    """Tell what becomes of one dossier."""
    from gateway.cli.demo.example import forget_example
    from gateway.cli.demo.onestop import ending, working
    from gateway.cli.demo.onestop.stage import stage

    try:
        async with stage(story):
            for chapter in (
                working.filed, working.handed_on, working.missed, working.supplemented, ending.paid, ending.signed,
                ending.issued, ending.looked_up, ending.counted,
            ):  # fmt: skip
                await chapter(story)
            if keep:
                await _go_on(story, story.bus.url)
    finally:
        forget_example(story.folder)


async def _go_on(story: Telling, url: str) -> None:
    story.say(f"Trục vẫn chạy tại {url} (Ctrl-C để dừng).", f"The bus goes on at {url} (Ctrl-C ends it).")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
