"""The demo's stage: the example province and its agencies in small, up for the length of a story."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator

from gateway.cli.applying import apply_folder
from gateway.cli.demo.example import AXIS_SECRET, AXIS_SYSTEM, OWN_KEYS, forget_example, make_example
from gateway.cli.demo.story import Story
from gateway.client.bus import Bus
from gateway.compose import open_ledger, running, stand_in
from gateway.config.settings import read_settings


@contextlib.asynccontextmanager
async def stage(story: Story) -> AsyncIterator[None]:
    """The province and its agencies, up for the length of a ``with`` block."""
    sinks = stand_in("webhook")
    story.finance, story.health = sinks.WebhookSink(), sinks.WebhookSink()
    await story.finance.start()
    await story.health.start()
    story.axis = stand_in("vdxp").Axis()
    await story.axis.start()
    urls = {"H33.08": story.finance.url, "H33.30": story.health.url, "H33.14": story.axis.url}
    make_example(story.folder, urls=urls)
    _connect(story)
    documents = stand_in("edxml_folder")
    story.office = documents.DocumentSystem(story.folder / "exchange" / "H33.05")
    story.district = documents.DocumentSystem(story.folder / "exchange" / "H33.07")
    story.neighbour = documents.DocumentSystem(story.folder / "exchange" / "H33.09")
    settings = read_settings(story.folder)
    ledger = open_ledger(settings)
    await ledger.open()
    await apply_folder(ledger, settings, actor="demo", now=time.time())
    await ledger.close()
    inbox = stand_in("inbox").InboxClient
    try:
        async with running(settings) as story.gateway, Bus.reach(settings.public_url) as story.bus:
            story.commune = inbox(settings.public_url, "H33.07.03/dms", signer=story.signer("H33.07.03-dms"))
            story.receiver = inbox(settings.public_url, "H33.05/app", signer=story.signer("H33.05-app"))
            _introduce(story, settings.public_url)
            try:
                yield
            finally:
                await story.commune.close()
                await story.receiver.close()
    finally:
        await story.finance.stop()
        await story.health.stop()
        await story.axis.stop()
        forget_example(story.folder)


def _connect(story: Story) -> None:
    """The national axis knows two systems: the province's, and that of a ministry."""
    listed = stand_in("vdxp").Listed
    codes = {"H33": "Uỷ ban nhân dân tỉnh", "H33.05": "Sở Nội vụ", "H33.07": "UBND huyện Mẫu"}
    own = [listed(code, name, f"000.00.{code[4:] or '00'}.H33", centre=AXIS_SYSTEM) for code, name in codes.items()]
    story.axis.join(AXIS_SYSTEM, (story.folder / AXIS_SECRET).read_text("utf-8").strip(), own)
    story.axis.join("00.15.W00", "made up for the ministry", [listed("G15", "Bộ Tư pháp", "000.00.00.G15")])


def _introduce(story: Story, url: str) -> None:
    story.say(f"Một tỉnh nhỏ, trục liên thông tại {url}", f"A small province, its bus at {url}")
    for agency in story.gateway.picture.directory.agencies.values():
        systems = ", ".join(f"{system.local_name} ({system.adapter})" for system in agency.systems)
        story.say(
            f"  {agency.code:<10} {agency.name:<16} {systems}", f"  {agency.code:<10} {agency.name:<16} {systems}"
        )
    story.check(len(OWN_KEYS) == 4, "khoá và chứng thư đã tạo", "keys and certificates are made")
