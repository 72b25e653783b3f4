"""Disks that fill up or die, a database locked by another, a clock set back: nothing acknowledged is lost, no answer
is a lie, and the gateway goes on by itself."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import resource
import signal
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event
from gateway.core.delivery import State
from gateway.core.envelope import seal
from gateway.core.faults import Busy, Rejected
from gateway.core.jws import Signer
from gateway.core.moments import format_moment
from gateway.store.files import Files
from gateway.store.sqlite.ledger import SqliteLedger
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.cli.test_story import DOCUMENT
from tests.province import a_province
from tests.town import Town, a_town

FAILING = ("-m", "tests.store.failing_syncs", "-C", "{folder}", "serve")


class Sender:
    """An agency that posts documents and remembers which of them the bus acknowledged."""

    def __init__(self, folder: Path) -> None:
        self._signer: Signer = read_signer(*find_files(folder / "keys", "H33.05/dms"))
        self.folder = folder
        self.acknowledged: set[str] = set()

    def envelope(self) -> bytes:
        event = make_event(
            id=str(uuid.uuid4()), source="H33.05/dms", contract="document.issued", version="1.0", subject="một hồ sơ",
            now=time.time(), data=DOCUMENT, extensions={"to": "H33.16"},
        )  # fmt: skip
        return seal(event, self._signer)

    def post(self, alive: Living, envelope: bytes | None = None) -> tuple[int, Any]:
        status, told = alive.ask("/v1/messages", envelope or self.envelope())
        if status == 202:
            self.acknowledged.add(told["id"])
        return status, told

    def taken(self, *, at_most: int = 500) -> list[str]:
        """What H33.16 fetches, until nothing is left for it now; every lane gives one at a time."""
        found: list[str] = []
        while True:
            shown = lgsp("-C", self.folder, "inbox", "--as", "H33.16/dms", "--take", "--max", str(at_most), "--json")
            assert shown.status == 0, shown.err
            if not shown.out:
                return found
            found += [json.loads(line)["event"]["id"] for line in shown.out.splitlines()]


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(a_province(tmp_path / "tinh"))


def address(sender: Sender) -> str:
    url = at_a_free_port(sender.folder)
    assert lgsp("-C", sender.folder, "apply").status == 0
    return url


def is_honest(alive: Living, answer: tuple[int, Any]) -> None:
    """The answer of a gateway that cannot write: try again, and when; and within five seconds it says not ready."""
    status, told = answer
    assert (status, told["type"]) == (503, "urn:lgsp:problem:overloaded")
    assert int(told["Retry-After"]) >= 1
    assert "chưa có gì được lưu" in told["detail"]
    begun = time.monotonic()
    ready, checks = alive.ask("/health/ready")
    assert time.monotonic() - begun < 5
    assert (ready, checks["checks"]["ledger"]) == (503, False)
    assert alive.ask("/health/live")[0] == 200


def until_accepted(sender: Sender, alive: Living, envelope: bytes, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while sender.post(alive, envelope)[0] != 202:
        assert time.monotonic() < end, "it did not recover by itself"
        time.sleep(0.2)


@contextlib.contextmanager
def no_file_grows(pid: int, over: int) -> Iterator[None]:
    """As a full disk: no file of the process grows over so many bytes."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (over, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_it_refuses_honestly_loses_nothing_and_goes_on_once_there_is_room(sender: Sender) -> None:
    with living(sender.folder, address(sender)) as alive:
        for _ in range(5):
            assert sender.post(alive)[0] == 202
        before = len(sender.acknowledged)
        denied = sender.envelope()
        with no_file_grows(alive.pid, 4096):
            is_honest(alive, sender.post(alive, denied))
            batch = b"\n".join(sender.envelope() for _ in range(3))
            status, told = alive.ask("/v1/messages", batch, "application/x-ndjson")
            assert status == 503, told
            assert len(sender.acknowledged) == before
        until_accepted(sender, alive, denied)
        alive.until_ready(10)
        taken = sender.taken()
        assert alive.process.poll() is None

    assert sorted(taken) == sorted(sender.acknowledged)
    assert len(taken) == before + 1


def test_what_a_recipient_could_not_settle_on_a_full_disk_comes_again(sender: Sender) -> None:
    with living(sender.folder, address(sender)) as alive:
        assert sender.post(alive)[0] == 202
        with no_file_grows(alive.pid, 4096):
            shown = lgsp("-C", sender.folder, "inbox", "--as", "H33.16/dms", "--take", "--json")
            assert shown.status == 1, "neither a token nor a lease nor a settlement was promised"
        alive.until_ready(10)
        assert sender.taken() == list(sender.acknowledged)


def test_a_database_locked_by_another_program_is_waited_for_then_told_and_used_again(sender: Sender) -> None:
    with living(sender.folder, address(sender)) as alive:
        assert sender.post(alive)[0] == 202
        denied = sender.envelope()
        with contextlib.closing(sqlite3.connect(sender.folder / "var/lgsp.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            is_honest(alive, sender.post(alive, denied))
            other.execute("ROLLBACK")
        until_accepted(sender, alive, denied)
        alive.until_ready(10)
        assert sorted(sender.taken()) == sorted(sender.acknowledged)


def test_a_short_lock_is_only_a_wait(sender: Sender) -> None:
    with living(sender.folder, address(sender)) as alive:
        with contextlib.closing(sqlite3.connect(sender.folder / "var/lgsp.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            signal.signal(signal.SIGALRM, lambda *_: other.execute("ROLLBACK"))
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            status, _ = sender.post(alive)
        assert status == 202


def test_a_disk_that_does_not_sync_gets_nothing_acknowledged_and_what_was_is_there_after_it(sender: Sender) -> None:
    url = address(sender)
    with living(sender.folder, url, command=FAILING) as dying:
        for _ in range(5):
            assert sender.post(dying)[0] == 202
        before = set(sender.acknowledged)
        denied = sender.envelope()
        os.kill(dying.pid, signal.SIGUSR1)
        end = time.monotonic() + 10
        while (answer := sender.post(dying, denied))[0] == 202:  # until the signal has come through
            denied, before = sender.envelope(), set(sender.acknowledged)
            assert time.monotonic() < end
        is_honest(dying, answer)
        is_honest(dying, sender.post(dying))
        assert sender.acknowledged == before
        dying.kill()

    with living(sender.folder, url) as alive:
        assert sender.post(alive, denied)[0] == 202
        taken = sender.taken()
    assert before < set(taken)
    assert sender.acknowledged <= set(taken)
    assert len(taken) == len(set(taken)), "nothing twice"


async def bytes_of(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.mark.parametrize("code", ["EIO", "ENOSPC", "EDQUOT", "EROFS"])
@pytest.mark.parametrize("call", ["fsync", "open", "mkdir"])
async def test_a_file_is_kept_whole_or_not_at_all_whatever_the_disk_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, call: str
) -> None:
    spool = Files(tmp_path / "files")
    sha256 = hashlib.sha256(b"x" * 300_000).hexdigest()

    def fail(*_: object, **__: object) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    with monkeypatch.context() as failing:
        failing.setattr(os, call, fail)
        with pytest.raises(Busy) as told:
            await spool.put(bytes_of(b"x" * 300_000), limit=10**6)

    assert told.value.retry_after is not None
    assert (await spool.put(bytes_of(b"x" * 300_000), limit=10**6))[0] == sha256
    assert spool.path(sha256).read_bytes() == b"x" * 300_000


async def test_a_spool_on_a_full_disk_keeps_nothing_half(tmp_path: Path) -> None:
    spool = Files(tmp_path / "files")
    with no_file_grows(os.getpid(), 100_000), pytest.raises(Busy):
        await spool.put(bytes_of(b"y" * 500_000), limit=10**6)

    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []
    assert (await spool.put(bytes_of(b"y" * 500_000), limit=10**6))[1] == 500_000


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    yield a_town(ledger=ledger)
    await ledger.close()


@pytest.mark.parametrize("back", [2.0, 600.0, 86400.0, 400 * 86400.0], ids=["2 s", "10 min", "1 day", "400 days"])
async def test_a_clock_set_back_delays_what_was_accepted_and_loses_none_of_it(town: Town, back: float) -> None:
    first = await town.sent(subject="lane")
    second = await town.sent(subject="lane")
    town.clock.moment -= back
    await town.pass_time(60)
    for sent in (first, second):
        assert (await town.delivery(sent)).state in {State.QUEUED, State.BLOCKED, State.DELIVERED}, (
            "nothing is given up"
        )

    town.clock.moment += back
    await town.pass_time(60)

    assert town.taken_by("H33.16/dms") == [first.id, second.id], "once each, in order"


async def test_after_a_clock_was_set_back_new_messages_go_their_way(town: Town) -> None:
    await town.sent(subject="before")
    town.clock.moment -= 3600
    after = await town.sent(subject="after")
    await town.work()
    assert town.taken_by("H33.16/dms") == [after.id]


async def test_a_sender_whose_clock_is_right_is_told_that_the_bus_finds_its_time_wrong(town: Town) -> None:
    real = town.clock.now()
    town.clock.moment -= 3600
    refused = await town.refused(time=format_moment(real))
    assert isinstance(refused, Rejected)
    assert refused.problem == "stale"


async def test_a_lease_taken_before_the_clock_was_set_back_ends_with_the_process_that_held_it(town: Town) -> None:
    sent = await town.sent()
    now = town.clock.now()
    assert await town.ledger.claim({"H33.16/dms": 1}, owner=town.dispatch.owner, now=now, until=now + 28)
    town.clock.moment -= 86400
    await town.ledger.lapse(town.clock.now(), owner=town.dispatch.owner)  # what a process does when it starts
    await town.work()
    assert town.taken_by("H33.16/dms") == [sent.id]
