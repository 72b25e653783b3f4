"""Interfaces, section 4: how long the bus tries, and what order it keeps; what operators may do about either."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.outside.client import Reply, Seat, Sink, eventually, moment, opened
from tests.outside.province import OUTCOMES, Province, wants

SENDER, PULLER = "H33.05/dms", "H33.08/dms"
SOON = {"first": "1s", "factor": 2, "cap": "1s", "deadline": "1h"}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as made:
        yield made


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Province]:
    """A sender, an inbox, and webhooks with policies of a few seconds."""
    with Province(tmp_path_factory.mktemp("retry") / "tinh") as made:
        made.contract("note.made")
        made.contract("note.free", ordering="none")
        made.one(SENDER, *OUTCOMES)

        def hook(name: str, retry: dict[str, Any]) -> dict[str, Any]:
            both = [wants("note.made/1.0", retry=retry), wants("note.free/1.0", retry=retry)]
            return made.system(f"H33.07/{name}", *both, adapter="webhook", settings={"url": sink.url(f"/{name}")})

        made.agency(
            "H33.07",
            hook("patient", SOON),
            hook("growing", {"first": "1s", "factor": 2, "cap": "1h", "deadline": "1h"}),
            hook("twice", {**SOON, "attempts": 2}),
            *(hook(name, {**SOON, "deadline": "3s"}) for name in ("brief", "revived", "rested")),
            *(hook(f"lane{n}", SOON) for n in range(10)),
        )
        made.one(PULLER, wants("note.made/1.0", retry={**SOON, "deadline": "1s"}))
        made.agreement()
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


@dataclass(frozen=True)
class Begun:
    """What was sent first, so that its seconds pass while other tests run, and when."""

    at: float
    growing: str
    twice: str
    brief: str
    revived: str
    rested: str
    later: str
    pulled: str


@pytest.fixture(scope="module", autouse=True)
def begun(province: Province, sender: Seat, sink: Sink) -> Begun:
    """Messages to destinations that fail, that are held, and to one that does not fetch."""
    sink.answer("/growing", Reply(503), Reply(503), Reply(503), Reply(204))
    for name in ("twice", "brief", "revived"):
        sink.answer(f"/{name}", 503)
    province.run("hold", "H33.07/rested", "--reason", "bảo trì")
    names = ("growing", "twice", "brief", "revived", "rested")
    sent = {name: sender.send(f"H33.07/{name}") for name in names}
    later, pulled = sender.send("H33.07/rested", notbefore=moment(6)), sender.send(PULLER)
    return Begun(at=time.time(), later=later, pulled=pulled, **sent)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(10))


@pytest.fixture
def lane(numbers: Iterator[int]) -> str:
    """The name of a webhook that no other test has used."""
    return f"lane{next(numbers)}"


Outcomes = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def outcome(sender: Seat) -> Outcomes:
    """The next outcome message about a message, from the sender's own inbox."""
    came: list[dict[str, Any]] = []

    def taken(identifier: str) -> list[dict[str, Any]]:
        for one in sender.lease(50):
            sender.settle(taken=[one["delivery"]])
            came.append(one["event"])
        return [one for one in came if one["subject"] == identifier]

    def next_one(identifier: str) -> dict[str, Any]:
        (found, *_) = eventually(lambda: taken(identifier))
        came.remove(found)
        return found

    return next_one


def test_order_within_a_lane_is_kept_across_retries(sender: Seat, sink: Sink, lane: str) -> None:
    sink.answer(f"/{lane}", Reply(503), Reply(204), Reply(503), Reply(204))
    sent = [sender.send(f"H33.07/{lane}", subject="HS-1") for _ in range(4)]

    for identifier in sent:
        sender.until(identifier, "delivered", within=15)
    order = [one.headers["lgsp-message"] for one in sink.pushes(f"/{lane}")]
    assert order == [sent[0], sent[0], sent[1], sent[1], sent[2], sent[3]]


def test_a_dead_one_blocks_its_lane_until_it_is_replayed(
    province: Province, sender: Seat, sink: Sink, lane: str
) -> None:
    sink.answer(f"/{lane}", Reply(400), Reply(204))
    first, second, third = (sender.send(f"H33.07/{lane}", subject="HS-1") for _ in range(3))
    dead = sender.until(first, "dead")
    assert sender.delivery(second)["state"] == sender.delivery(third)["state"] == "blocked"
    assert sender.delivery(second)["blocked_by"] == dead["delivery"]
    assert sender.delivery(third)["blocked_by"] in {dead["delivery"], sender.delivery(second)["delivery"]}
    province.run("replay", dead["delivery"], "--reason", "đã sửa phần mềm")

    for identifier in (first, second, third):
        sender.until(identifier, "delivered")
    assert [one.headers["lgsp-message"] for one in sink.pushes(f"/{lane}")] == [first, first, second, third]


def test_followers_wait_until_the_replayed_one_ends(province: Province, sender: Seat, sink: Sink, lane: str) -> None:
    sink.answer(f"/{lane}", Reply(400), Reply(503), Reply(204))
    first, second = (sender.send(f"H33.07/{lane}", subject="HS-1") for _ in range(2))
    dead = sender.until(first, "dead")
    province.run("replay", dead["delivery"], "--reason", "thử lại")
    sender.until(second, "delivered")

    assert [one.headers["lgsp-message"] for one in sink.pushes(f"/{lane}")] == [first, first, first, second]


def test_a_discarded_one_frees_its_lane_and_tells_the_sender(
    province: Province, sender: Seat, sink: Sink, lane: str, outcome: Outcomes
) -> None:
    sink.answer(f"/{lane}", Reply(400), Reply(204))
    first, second = (sender.send(f"H33.07/{lane}", subject="HS-1") for _ in range(2))
    dead = sender.until(first, "dead")
    assert outcome(first)["type"] == "receipt.refused"
    province.run("discard", dead["delivery"], "--reason", "gửi nhầm")

    assert sender.delivery(first)["state"] == "discarded"
    sender.until(second, "delivered")
    told = outcome(first)
    assert told["type"] == "receipt.discarded"
    assert told["data"]["delivery"] == dead["delivery"]


def test_a_contract_without_order_is_not_blocked_by_a_dead_one(sender: Seat, sink: Sink, lane: str) -> None:
    sink.answer(f"/{lane}", Reply(400), Reply(204))
    first = sender.send(f"H33.07/{lane}", "note.free/1.0", subject="HS-1")
    sender.until(first, "dead")
    second = sender.send(f"H33.07/{lane}", "note.free/1.0", subject="HS-1")

    sender.until(second, "delivered")


def test_held_ones_stay_in_order_and_hold_back_their_lane(
    province: Province, sender: Seat, sink: Sink, lane: str
) -> None:
    province.run("hold", f"H33.07/{lane}", "--reason", "bảo trì")
    first, second = (sender.send(f"H33.07/{lane}", subject="HS-1") for _ in range(2))
    assert sender.delivery(first)["state"] == "held"
    assert sender.delivery(second)["state"] == "blocked"
    other = sender.send(f"H33.07/{lane}", subject="HS-2", expirytime=moment(1))
    sender.until(other, "expired", within=8)
    assert sink.pushes(f"/{lane}") == []
    province.run("release", f"H33.07/{lane}", "--reason", "xong")

    sender.until(second, "delivered")
    assert [one.headers["lgsp-message"] for one in sink.pushes(f"/{lane}")] == [first, second]


def test_a_dead_one_past_its_expiry_cannot_be_replayed(province: Province, sender: Seat, sink: Sink, lane: str) -> None:
    sink.answer(f"/{lane}", 400)
    identifier = sender.send(f"H33.07/{lane}", expirytime=moment(1.5))
    dead = sender.until(identifier, "dead")
    time.sleep(1.6)
    done = province.run("replay", dead["delivery"], "--reason", "thử", "--json", status=None)

    assert done.returncode == 1
    assert sender.delivery(identifier)["state"] == "dead"


def test_only_what_the_state_allows_can_be_done(province: Province, sender: Seat, sink: Sink, lane: str) -> None:
    sink.answer(f"/{lane}", 204)
    identifier = sender.send(f"H33.07/{lane}")
    done = sender.until(identifier, "delivered")

    for command in ("replay", "discard"):
        refused = province.run(command, done["delivery"], "--reason", "thử", status=1)
        assert refused.stderr.strip()
        assert "Traceback" not in refused.stderr
    for command, name in (("replay", str(uuid.uuid4())), ("hold", "H33.99/none")):
        unknown = province.run(command, name, "--reason", "thử", status=1)
        assert name in unknown.stderr
    assert sender.delivery(identifier)["state"] == "delivered"


def test_a_dead_one_replayed_by_its_messages_id_goes_again(
    province: Province, sender: Seat, sink: Sink, lane: str, outcome: Outcomes
) -> None:
    sink.answer(f"/{lane}", Reply(422), Reply(204))
    identifier = sender.send(f"H33.07/{lane}")
    sender.until(identifier, "dead")
    told = json.loads(province.run("replay", identifier, "--reason", "đã sửa", "--json").stdout)

    assert told
    sender.until(identifier, "delivered")
    assert outcome(identifier)["type"] in {"receipt.refused", "receipt.delivered"}


def test_failed_deliveries_are_grouped_by_destination_and_cause(province: Province, sender: Seat, sink: Sink) -> None:
    sink.answer("/patient", 400)
    ids = {sender.send("H33.07/patient") for _ in range(2)}
    for identifier in ids:
        sender.until(identifier, "dead")
    listed = json.loads(province.run("failed", "--json").stdout)

    assert "H33.07/patient" in json.dumps(listed)


def test_waits_grow_but_are_never_shorter_than_the_first(sender: Seat, sink: Sink, begun: Begun) -> None:
    sender.until(begun.growing, "delivered", within=20)

    waits = [later.at - sooner.at for sooner, later in itertools.pairwise(sink.wait("/growing", 4))]
    assert all(wait >= 0.99 for wait in waits)
    assert waits[0] < 1.9
    assert waits[1] < 2.9
    assert waits[2] < 4.9


def test_used_up_attempts_make_it_dead_with_that_cause(sender: Seat, begun: Begun, outcome: Outcomes) -> None:
    seen = sender.until(begun.twice, "dead")

    assert [one["number"] for one in seen["attempts"]] == [1, 2]
    told = outcome(begun.twice)
    assert (told["type"], told["data"]["cause"]) == ("receipt.refused", "attempts")


def test_a_passed_deadline_makes_it_dead_with_that_cause(
    sender: Seat, sink: Sink, begun: Begun, outcome: Outcomes
) -> None:
    sender.until(begun.brief, "dead")

    assert 1.9 <= sink.pushes("/brief")[-1].at - begun.at <= 6
    told = outcome(begun.brief)
    assert (told["type"], told["data"]["cause"]) == ("receipt.refused", "deadline")


def test_a_deadline_counts_from_the_last_replay(province: Province, sender: Seat, sink: Sink, begun: Begun) -> None:
    dead = sender.until(begun.revived, "dead")
    sink.answer("/revived", Reply(503), Reply(204))
    province.run("replay", dead["delivery"], "--reason", "đã sửa")

    seen = sender.until(begun.revived, "delivered")
    assert [one["number"] for one in seen["attempts"]] == list(range(1, len(dead["attempts"]) + 3))


def test_a_deadline_counts_without_held_time_and_from_notbefore(province: Province, sender: Seat, begun: Begun) -> None:
    assert time.time() - begun.at > 4
    assert sender.delivery(begun.rested)["state"] == "held"
    province.run("release", "H33.07/rested", "--reason", "xong")

    sender.until(begun.rested, "delivered")
    sender.until(begun.later, "delivered")


def test_a_deadline_is_for_push_what_is_pulled_waits(province: Province, sender: Seat, begun: Begun) -> None:
    assert time.time() - begun.at > 4

    assert sender.delivery(begun.pulled)["state"] == "queued"
    assert province.seats[PULLER].take()[0]["event"]["id"] == begun.pulled


def test_order_is_kept_over_a_power_cut_and_pushes_go_on_within_thirty_seconds(tmp_path: Any, sink: Sink) -> None:
    with Province(tmp_path / "tinh") as made:
        made.contract("note.made")
        sender = made.one(SENDER)
        made.one(
            "H33.07/hook",
            wants("note.made/1.0", retry=SOON),
            adapter="webhook",
            settings={"url": sink.url("/cut")},
        )
        made.agreement()
        made.apply()
        made.serve()
        sink.answer("/cut", Reply(204, after=3))
        sent = [sender.send("H33.07/hook", subject="HS-1") for _ in range(3)]
        sink.wait("/cut")
        made.kill()
        sink.answer("/cut", 204)
        made.serve()
        begin = time.monotonic()

        for identifier in sent:
            sender.until(identifier, "delivered", within=30)
        assert time.monotonic() - begin < 30
        order = [opened(one.body.decode())[1]["id"] for one in sink.pushes("/cut")]
        assert list(dict.fromkeys(order)) == sent
        assert order == sorted(order, key=sent.index)
