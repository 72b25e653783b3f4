"""What is answered is on disk: killed at any point, a ledger holds a step whole or not at all, never half."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.checkpoints import CHECKPOINTS, arm, disarm, reach
from gateway.core.delivery import Delivered, State
from gateway.ports import Accepted, Change, FilesMissing, HeldFile, Ledger
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, RECIPIENT, a_message, an_attempt

ROOT = Path(__file__).resolve().parents[2]
NOW = MORNING + 60

#: One life of two messages of one lane: each point of the store is reached once.
LIFE = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway.checkpoints import arm
from tests.store.test_sqlite_durability import life

if len(sys.argv) > 2:
    arm(sys.argv[2], 1, lambda: os.kill(os.getpid(), signal.SIGKILL))
asyncio.run(life(Path(sys.argv[1])))
"""


def live(path: Path, *point: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIFE, str(path), *point]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def say(word: str) -> None:
    """Aloud at once: what was said before the kill was answered before the kill."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def life(path: Path) -> None:
    """Accept, lease, let lapse, lease again, deliver, tell; says aloud what was answered."""
    ledger: Ledger = SqliteLedger(path)
    await ledger.open()
    await ledger.accept_many([a_message(1, subject="lane"), a_message(2, subject="lane")])
    say("accepted")
    await ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 1)
    say("claimed")
    await ledger.lapse(NOW + 1)
    say("lapsed")
    (claim,) = await ledger.claim({RECIPIENT: 1}, owner="one", now=NOW + 1, until=NOW + 31)
    after = claim.delivery.after(Delivered()).but(owes_outcome=True)
    await ledger.record_many([Change(claim.delivery, after, an_attempt(), b"leaf", b"proof")], now=NOW + 2)
    say("recorded")
    await ledger.outcome_told(await ledger.owing())
    say("told")
    await ledger.close()


async def picture(path: Path) -> dict[str, object]:
    """Everything the life leaves behind."""
    ledger = SqliteLedger(path)
    await ledger.open()
    records = [await ledger.find(a_message(number).key) for number in (1, 2)]
    deliveries = [kept for record in records if record is not None for kept in record.deliveries]
    seen = {
        "messages": sum(record is not None for record in records),
        "states": [kept.delivery.state.value for kept in deliveries],
        "attempts": [tried.outcome for kept in deliveries for tried in kept.attempts],
        "proofs": [kept.proof for kept in deliveries if kept.proof is not None],
        "journal": [body for _, _, body in await ledger.journal()],
        "owing": len(await ledger.owing()),
    }
    (answer, _) = await ledger.accept_many([a_message(1, subject="lane"), a_message(2, subject="lane")])
    assert isinstance(answer, Accepted)
    seen["known"] = answer.repeated
    await ledger.close()
    return seen


RECEIPTS = [a_message(number).receipt_payload for number in (1, 2)]
NOTHING: dict[str, object] = {
    "messages": 0, "states": [], "attempts": [], "proofs": [], "journal": [], "owing": 0, "known": False,
}  # fmt: skip
ACCEPTED = {**NOTHING, "messages": 2, "states": ["queued", "blocked"], "journal": RECEIPTS, "known": True}
CLAIMED = {**ACCEPTED, "states": ["leased", "blocked"]}
LAPSED = {**ACCEPTED, "attempts": ["lapsed"]}
CLAIMED_AGAIN = {**LAPSED, "states": ["leased", "blocked"]}
RECORDED = {
    **LAPSED, "states": ["delivered", "queued"], "attempts": ["lapsed", "taken"], "proofs": [b"proof"],
    "journal": [*RECEIPTS, b"leaf"], "owing": 1,
}  # fmt: skip
TOLD = {**RECORDED, "owing": 0}

STEPS = [
    ("accept", NOTHING, ACCEPTED), ("claim", ACCEPTED, CLAIMED), ("lapse", CLAIMED, LAPSED),
    ("record", CLAIMED_AGAIN, RECORDED), ("told", RECORDED, TOLD),
]  # fmt: skip


def test_a_life_that_nobody_ends_is_told_to_its_end(tmp_path: Path) -> None:
    lived = live(tmp_path / "ledger.db")

    assert (lived.returncode, lived.stderr) == (0, "")
    assert lived.stdout.split() == ["accepted", "claimed", "lapsed", "recorded", "told"]
    assert asyncio.run(picture(tmp_path / "ledger.db")) == TOLD


@pytest.mark.parametrize(
    ("point", "left"),
    [
        (f"store.{step}-{moment}", left)
        for step, before, after in STEPS
        for moment, left in (("asked", before), ("written", before), ("committed", after))
    ],
)
def test_killed_at_any_point_each_step_is_there_whole_or_not_at_all(
    tmp_path: Path, point: str, left: dict[str, object]
) -> None:
    lived = live(tmp_path / "ledger.db", point)

    assert lived.returncode == -signal.SIGKILL, lived.stderr
    step = point.removeprefix("store.").partition("-")[0]
    said = ["accepted", "claimed", "lapsed", "recorded", "told"]
    assert lived.stdout.split() == said[: [name for name, _, _ in STEPS].index(step)]
    assert asyncio.run(picture(tmp_path / "ledger.db")) == left


def test_every_point_of_the_store_is_visited_here() -> None:
    visited = {f"store.{step}-{moment}" for step, _, _ in STEPS for moment in ("asked", "written", "committed")}
    assert visited == {name for name in CHECKPOINTS if name.startswith("store.")}


def test_a_point_acts_once_when_its_count_is_reached() -> None:
    happened: list[str] = []
    arm("store.accept-asked", 2, lambda: happened.append("acted"))
    try:
        for name in ("store.accept-asked", "store.claim-asked", "store.accept-asked", "store.accept-asked"):
            reach(name)
            happened.append(name.removeprefix("store."))
    finally:
        disarm()
    reach("store.accept-asked")

    assert happened == ["accept-asked", "claim-asked", "acted", "accept-asked", "accept-asked"]
    with pytest.raises(KeyError):
        arm("store.no-such-point", 1, happened.clear)
    with pytest.raises(ValueError, match="reached once"):
        arm("store.accept-asked", 0, happened.clear)


async def test_right_after_the_answer_any_other_connection_reads_it(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        for number in range(1, 11):
            await ledger.accept_many([a_message(number)])
            assert other.execute("SELECT count(*) FROM bodies").fetchone() == (number,)
    await ledger.close()


async def test_several_processes_share_one_file(tmp_path: Path) -> None:
    """Accepted anywhere, claimed anywhere: nothing twice, and the order of a lane is one order."""
    ledgers = [SqliteLedger(tmp_path / "ledger.db") for _ in range(3)]
    await asyncio.gather(*(ledger.open() for ledger in ledgers))

    await asyncio.gather(
        *(ledgers[number % 3].accept_many([a_message(number, subject=f"lane {number % 4}")]) for number in range(60))
    )
    taken = []
    while True:
        found = await asyncio.gather(
            *(ledger.claim({RECIPIENT: 2}, owner=str(ledger), now=NOW, until=NOW + 30) for ledger in ledgers)
        )
        claims = [claim for one in found for claim in one]
        if not claims:
            break
        assert len({claim.delivery.lane for claim in claims}) == len(claims), "one delivery a lane at a time"
        taken += [claim.delivery for claim in claims]
        written = await asyncio.gather(
            *(
                ledgers[place % 3].record_many([Change(claim.delivery, claim.delivery.after(Delivered()))], now=NOW)
                for place, claim in enumerate(claims)
            )
        )
        assert written == [[True]] * len(claims)

    accepted = await ledgers[0].deliveries(limit=100)
    assert len(taken) == len({delivery.id for delivery in taken}) == 60
    assert {delivery.state for delivery in accepted} == {State.DELIVERED}
    for lane in {delivery.lane for delivery in accepted}:
        in_order = [delivery.id for delivery in accepted if delivery.lane == lane]
        assert [delivery.id for delivery in taken if delivery.lane == lane] == in_order
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


async def test_a_killed_process_leaves_a_ledger_that_others_go_on_using(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    killed = await asyncio.to_thread(live, tmp_path / "ledger.db", "store.claim-written")

    assert killed.returncode == -signal.SIGKILL
    (claim,) = await ledger.claim({RECIPIENT: 9}, owner="survivor", now=NOW, until=NOW + 30)
    assert claim.envelope == a_message(1).envelope
    assert await ledger.is_writable()
    await ledger.close()


async def test_a_crash_in_the_middle_of_a_sweep_leaves_nobody_a_right_to_bytes_that_are_gone(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    sent = a_message(files=("ab" * 32,))
    await ledger.grant_file(HeldFile("ab" * 32, 3, "text/plain"), sent.source, at=MORNING, is_present=lambda _: True)
    gone: list[str] = []

    def remove_and_crash(sha256: str) -> None:
        gone.append(sha256)
        raise OSError("the power went off")

    with pytest.raises(OSError, match="power"):
        await ledger.sweep_files(NOW, remove=remove_and_crash)

    assert gone == ["ab" * 32]
    assert await ledger.accept_many([sent]) == [FilesMissing(("ab" * 32,))]
    assert await ledger.sweep_files(NOW, remove=gone.append) == 1
    await ledger.close()
