"""The demo's first chapter: a folder of real documents, relayed or refused with reasons, arriving byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gateway.cli.convert import converted, mapping_of
from gateway.cli.demo.example import samples
from gateway.cli.demo.story import Story, settled
from gateway.cli.frame import Place


async def documents(story: Story) -> None:
    """The home office drops its folder of documents; every verdict is told, every byte compared."""
    folder, files = samples()
    story.dropped = len(files)
    story.chapter(
        f"Sở Nội vụ thả {len(files)} tệp vào thư mục gửi ({folder.name})",
        f"The office of home affairs drops {len(files)} files ({folder.name})",
    )
    raws = {path.name: path.read_bytes() for path in files}
    for name, raw in raws.items():
        story.office.send(raw, name)
    await story.until(lambda: len(story.office.sent()) + len(story.office.refused()) == len(files), "the files")
    notes = story.office.refused()
    story.relayed, story.refused = len(story.office.sent()), len(notes)
    for path in files:
        _verdict(story, path, notes.get(path.name))
    story.check(
        story.relayed + story.refused == len(files),
        f"{story.relayed} tệp được chuyển, {story.refused} tệp bị từ chối kèm lý do",
        f"{story.relayed} files relayed, {story.refused} refused with their reasons",
    )
    await settled(story)
    digests = {hashlib.sha256(raw).hexdigest() for raw in raws.values()}
    arrived = [path.read_bytes() for path in story.district.inbox.glob("*.edxml")]
    arrived += [path.read_bytes() for path in story.office.inbox.glob("*.edxml")]
    story.identical = sum(hashlib.sha256(raw).hexdigest() in digests for raw in arrived)
    story.check(
        bool(arrived) and story.identical == len(arrived),
        f"{story.identical} tệp tới nơi giống bản gốc từng byte (SHA-256)",
        f"{story.identical} files arrived, each byte as it was sent (SHA-256)",
    )


def _verdict(story: Story, path: Path, note: str | None) -> None:
    """One file's line: relayed, with what is odd about it, or refused, with the reason left beside it."""
    members = converted(Place(story.folder, story.language), mapping_of("edxml"), path)
    if (note is None) != (members["result"] == "relayed"):
        story.failures.append(f"{path.name}: the relay and the dry run disagree")
    if note is not None:
        lines = iter(note.splitlines())
        reason = next(line for line in lines if line.startswith("Lý do"))
        story.say(f"    ✗ {path.name}: {members.get('reason', reason)}: {members.get('detail', next(lines))}", "")
        return
    story.say(f"    → {path.name} ({members['contract']})", "")
    for warning in members["warnings"]:
        story.say(f"        ! {warning}", "")
