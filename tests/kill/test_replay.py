"""A replay of ten thousand messages, killed in the middle: it goes on, each message once, and its counts are true."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aiohttp import web

from gateway.core.delivery import Refused, State, new_delivery
from gateway.ports import Attempt, Change, NewMessage
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.replays import failures_and_replays
from tests.cli.desk import lgsp
from tests.kill.province import PUSHED, Province, Template

SOURCE: Final = "H33.20/dms"
TO: Final = PUSHED[0]
MANY: Final = 10_000
#: The gateway is killed when so many arrived.
KILLED_AT: Final = 3_000
_BATCH: Final = 1_000


def a_message(number: int, at: float) -> NewMessage:
    """A small message to TO, as the ledger keeps it; its signature is nobody's, as it was judged long ago."""
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:test:replay:{number}"))
    event = {"specversion": "1.0", "id": key, "source": SOURCE, "type": "document.issued", "data": {"number": number}}
    parts = (b'{"typ":"ce+jws","alg":"EdDSA"}', json.dumps(event).encode(), b"0" * 64)
    envelope = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = hashlib.sha256(envelope).hexdigest()
    delivery = new_delivery(
        message=key, source=SOURCE, subject=f"subject {number % 5000}", recipient=TO, contract="document.issued/1.0",
        ordered=False, priority=0, accepted_at=at, notbefore=None, expires=None, patience=14 * 86400.0,
    )  # fmt: skip
    return NewMessage(
        key=key, id=key, source=SOURCE, type="document.issued", version="1.0", subject=f"subject {number}",
        accepted_at=at, digest=digest, repeat_digest=digest, envelope=envelope, recipients=(TO,), receipt="r",
        receipt_payload=b"{}", deliveries=(delivery,),
    )  # fmt: skip


async def many_dead(folder: Path, count: int = MANY) -> None:
    """Messages that their recipient refused an hour ago."""
    ledger = SqliteLedger(folder / "var/lgsp.db")
    await ledger.open()
    now = time.time() - 3600
    for start in range(0, count, _BATCH):
        await ledger.accept_many([a_message(number, now) for number in range(start, start + _BATCH)])
        claims = await ledger.claim({TO: _BATCH}, owner="morning", now=now, until=now + 30)
        refused = Attempt(1, now, now + 1, "refused", 422, "the recipient refused the message with status 422")
        await ledger.record_many(
            [Change(one.delivery, one.delivery.after(Refused()), refused) for one in claims], now=now
        )
    await ledger.close()


@dataclass(slots=True)
class Sink:
    """A recipient that takes everything, and remembers each delivery that came."""

    came: Counter[str] = field(default_factory=Counter)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[None]:
        """Take POSTs for the length of a ``with`` block."""
        app = web.Application()
        app.router.add_post("/{code}/{system}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        await request.read()
        self.came[request.headers["webhook-id"]] += 1
        if len(self.came) >= KILLED_AT:
            self.enough.set()
        return web.Response()


async def done(folder: Path, operation: str, within: float) -> dict[str, int]:
    """The counts of an operation when all of it was delivered, or when time is up."""
    ledger = SqliteLedger(folder / "var/lgsp.db")
    await ledger.open()
    _, replays = failures_and_replays(ledger)
    end = time.monotonic() + within
    while True:
        counts = {str(outcome): count for outcome, count in (await replays.counts(operation)).items()}
        found = await replays.find(operation)
        is_done = found is not None and found.phase.value == "done" and counts.get("delivered") == MANY
        if is_done or time.monotonic() > end:
            break
        await asyncio.sleep(0.25)
    await ledger.close()
    return counts


async def test_a_replay_of_ten_thousand_goes_on_after_a_kill_with_each_message_once(tmp_path: Path) -> None:
    province: Province = (await asyncio.to_thread(Template.made, tmp_path / "template")).copied(tmp_path / "province")
    await many_dead(province.folder)
    sink = Sink()
    async with sink.listening(province.sink_port):
        begun = await asyncio.to_thread(
            lgsp, "-C", province.folder, "replay", "--cause", "refused", "--rate", "2000", "--reason", "x", "--json"
        )
        assert begun.status == 0, begun.err
        operation = begun.json["id"]
        assert begun.json["total"] == MANY

        await province.start()
        async with asyncio.timeout(60):
            await sink.enough.wait()
        province.kill()
        assert await province.ended(10) == -9
        assert len(sink.came) < MANY, "killed too late to prove anything"

        await province.start()
        counts = await done(province.folder, operation, 90)
        assert await province.stop() == 0

    assert counts == {"delivered": MANY}, province.last_words()
    assert len(sink.came) == MANY
    # what was in the recipient's hands when the bus was killed came twice, under the same id; nothing else did
    assert sum(sink.came.values()) - MANY <= 16
    await everything_moved_once(province.folder, operation)


async def everything_moved_once(folder: Path, operation: str) -> None:
    """Each delivery was put back once and is delivered; the audit has one entry for each, and one for the operation."""
    ledger = SqliteLedger(folder / "var/lgsp.db")
    await ledger.open()
    deliveries = await ledger.deliveries(states=["delivered"], recipient=TO, limit=2 * MANY)
    events: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    after = 0
    while leaves := await ledger.journal(after=after, limit=5_000):
        after = leaves[-1][0]
        for row in (json.loads(body) for _, kind, body in leaves if kind == "audit"):
            events[row["audit"]] += 1
            if row["audit"] == "delivery.replayed":
                assert row["details"]["operation"] == operation
                moved[row["details"]["delivery"]] += 1
    await ledger.close()
    assert {(one.state, one.replays) for one in deliveries} == {(State.DELIVERED, 1)}
    assert len(deliveries) == MANY
    assert len(moved) == MANY
    assert (events["delivery.replayed"], events["replay.started"], events["replay.done"]) == (MANY, 1, 1)
