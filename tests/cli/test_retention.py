"""``[retention]`` of lgsp.toml: a gateway that runs takes out what is old, by itself, and says so."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import a_message
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province, edit

DAY: Final = 86400.0


async def kept(path: Path, *days: float) -> list[str]:
    """Messages for nobody, accepted so many days ago, in a ledger that is closed again; their keys."""
    ledger = SqliteLedger(path)
    await ledger.open()
    messages = [a_message(str(each), to=(), accepted_at=time.time() - each * DAY) for each in days]
    await ledger.accept_many(messages)
    await ledger.close()
    return [message.key for message in messages]


async def left(path: Path, keys: list[str]) -> tuple[list[bool], list[Any]]:
    """Which envelopes are there still, and what the journal says of retention."""
    ledger = SqliteLedger(path)
    await ledger.open()
    found = [await ledger.envelope(key) is not None for key in keys]
    rows = [json.loads(body) for _, kind, body in await ledger.journal(limit=1000) if kind == "audit"]
    await ledger.close()
    return found, [row["details"] for row in rows if row["audit"] == "retention.applied"]


def test_a_gateway_removes_what_is_older_than_its_settings_say(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    assert lgsp("-C", folder, "apply").status == 0
    edit(folder, "lgsp.toml", "[gateway]", '[retention]\ndata = "365d"\n\n[gateway]')
    ledger = folder / "var/lgsp.db"
    keys = asyncio.run(kept(ledger, 400, 300))

    with living(folder, at_a_free_port(folder)) as gateway:
        end = time.monotonic() + 10
        while not any("retention.applied" in line for line in gateway.log):
            assert time.monotonic() < end, "".join(gateway.log)
            time.sleep(0.05)

    found, told = asyncio.run(left(ledger, keys))
    assert found == [False, True]
    assert [(row["bodies"], row["messages"], row["days"]["data"]) for row in told] == [(1, 0, 365.0)]
