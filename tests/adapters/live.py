"""A real gateway between a document system at two folders and a platform in small that misbehaves all the while."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from adapters.edxml_folder.stand_in import DocumentSystem
from gateway.core.documents.sample import glance, sample_letter, sample_status
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_province, write

#: Letters each way, and statuses.
LETTERS = 12
STATUSES = 4
OURS = """\
code = "H33.05"
aliases = ["000.00.05.H33"]
name = "Sở Tài chính"
parent = "H33"

[[systems]]
name = "dms"
adapter = "edxml_folder"
sealing = "gateway"
key = "keys/H33.05-dms.pem"

[systems.settings]
outbox = "exchange/outbox"
inbox = "exchange/inbox"
confidentiality = "none"
settle_seconds = 0
{subscriptions}
"""
THEIRS = """\
code = "H33.16"
name = "Trục tỉnh bạn"
parent = "H33"

[[systems]]
name = "dms"
adapter = "{adapter}"
sealing = "gateway"
key = "keys/H33.16-dms.pem"

[systems.settings]
{settings}
{subscriptions}
"""
SUBSCRIPTIONS = """
[[systems.subscriptions]]
contract = "document.issued"
version = "2.0"
retry = { first = "200ms", factor = 1.5, cap = "1s", deadline = "1d" }

[[systems.subscriptions]]
contract = "document.status"
version = "1.0"
retry = { first = "200ms", factor = 1.5, cap = "1s", deadline = "1d" }
"""


async def nothing_lost_nothing_twice(name: str, folder: Path, misbehave: Callable[[Any], Awaitable[None]]) -> str:
    """Letters and statuses both ways, the platform misbehaving, gone for a while, and the gateway killed once.

    Fails unless each arrives exactly once; answers the gateway's log.
    """
    made = a_province(folder / "tinh")
    system = DocumentSystem(made / "exchange")
    stand_in = importlib.import_module(f"adapters.{name}.stand_in")
    log: list[str] = []
    async with stand_in.agency(made) as platform:
        settings = "\n".join(
            f"{key} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in {**platform.settings, "poll_seconds": 0.2, "receivers": ["H33.05"]}.items()
        )
        write(made, "agencies/H33.05.toml", OURS.format(subscriptions=SUBSCRIPTIONS))
        write(
            made,
            "agencies/H33.16.toml",
            THEIRS.format(adapter=name, settings=settings, subscriptions=SUBSCRIPTIONS),
        )
        applied = await asyncio.to_thread(lgsp, "-C", made, "apply")
        assert applied.status == 0, applied.err

        out = {f"{n}" for n in range(1, LETTERS + 1)}
        await misbehave(platform)
        url = at_a_free_port(made)
        await _run(made, url, log, lambda gateway: _first_half(gateway, system, platform, out))
        if hasattr(platform, "expire_tokens"):
            # A token can be renewed; where there is only a fixed one, a 401 stops the queue until an operator acts.
            platform.faults.unauthorized += 1
        await _run(made, url, log, lambda gateway: _second_half(gateway, system, platform))
        _check(system, platform, out)
    return "".join(log)


async def _run(made: Path, url: str, log: list[str], work: Callable[[Living], Awaitable[None]]) -> None:
    async with AsyncExitStack() as stack:
        running = living(made, url)
        gateway = await asyncio.to_thread(running.__enter__)
        stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
        stack.callback(lambda: log.extend(gateway.log))
        await work(gateway)


async def _first_half(gateway: Living, system: DocumentSystem, platform: Any, out: set[str]) -> None:
    for name in sorted(out):
        raw = sample_letter(name, sender="H33.05", receivers=("H33.16",), date="2026/11/20")
        system.send(raw, f"{name}.edxml")
    for number in range(LETTERS):
        platform.put(sample_letter(f"{100 + number}", sender="H33.16", receivers=("H33.05",)))
    await _until(lambda: len(_sent(platform)) >= LETTERS // 3, gateway)
    await platform.go_down()
    await asyncio.sleep(1.5)
    await platform.come_back()
    await _until(lambda: len(_sent(platform)) >= LETTERS // 2, gateway)
    # As a power cut would, between whatever it is doing.
    await asyncio.to_thread(gateway.kill)


async def _second_half(gateway: Living, system: DocumentSystem, platform: Any) -> None:
    for number in range(STATUSES):
        about = f"H33.16,2026/11/23,{100 + number}/UBND-VP"
        raw = sample_status(about, "03", sender="H33.05", receiver="H33.16", symbol=f"{100 + number}/UBND-VP")
        system.send(raw, f"s{number}.edxml")
        await platform.drop_status(f"H33.05,2026/11/20,{number + 1}/UBND-VP", "01", f"{number + 1}/UBND-VP")
    await _until(
        lambda: (
            len(_sent(platform)) >= LETTERS + STATUSES
            and not platform.unsettled()
            and len(_received(system)) >= LETTERS + STATUSES
        ),
        gateway,
    )
    await asyncio.sleep(1.0)  # what would come a second time has its chance


def _sent(platform: Any) -> list[tuple[str, str]]:
    """What the platform took: document and status code, repeats among them."""
    seen = [glance(raw) for raw in platform.posted()]
    return [(each.document_id, each.status) for each in seen if each is not None]


def _received(system: DocumentSystem) -> list[tuple[str, str]]:
    """What lies in the document system's folder."""
    files = [path.read_bytes() for path in system.inbox.glob("*.edxml")]
    seen = [glance(raw) for raw in files]
    return [(each.document_id, each.status) for each in seen if each is not None]


def _check(system: DocumentSystem, platform: Any, out: set[str]) -> None:
    sent, received = Counter(_sent(platform)), Counter(_received(system))
    documents = {(f"H33.05,2026/11/20,{number}/UBND-VP", "") for number in out}
    # A status may be said twice after a lost answer: whoever keeps statuses keeps it once.
    assert {what for what in sent if not what[1]} == documents
    assert [what for what, count in sent.items() if count > 1 and not what[1]] == []
    told = {(f"H33.16,2026/11/23,{100 + number}/UBND-VP", "03") for number in range(STATUSES)}
    assert {what for what in sent if what[1]} == told
    expected = {(f"H33.16,2026/11/23,{100 + number}/UBND-VP", "") for number in range(LETTERS)}
    expected |= {(f"H33.05,2026/11/20,{number + 1}/UBND-VP", "01") for number in range(STATUSES)}
    assert dict(received) == dict.fromkeys(expected, 1)


async def _until(is_so: Callable[[], bool], gateway: Living, seconds: float = 60) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not is_so():
        assert gateway.process.poll() is None, "".join(gateway.log[-20:])
        assert asyncio.get_running_loop().time() < end, "".join(gateway.log[-20:])
        await asyncio.sleep(0.05)
