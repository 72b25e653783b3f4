"""Interfaces, section 4: the inbox, from lease to settlement."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.outside.client import Seat, moment, sha256
from tests.outside.province import OUTCOMES, Province, wants

SENDER = "H33.05/dms"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """One sender and inboxes enough for each test to have its own."""
    with Province(tmp_path_factory.mktemp("pull") / "tinh") as made:
        made.contract("note.made")
        made.contract("note.free", ordering="none")
        made.one(SENDER, *OUTCOMES)
        made.one("H33.06/hook", wants("note.made/1.0"), adapter="webhook", settings={"url": "http://127.0.0.1:9/"})
        boxes = [made.system(f"H33.07/b{n}", wants("note.made/1.0"), wants("note.free/1.0")) for n in range(24)]
        made.agency("H33.07", *boxes)
        made.agreement()
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(24))


@pytest.fixture
def box(province: Province, numbers: Iterator[int]) -> Seat:
    """An inbox that no other test has used."""
    return province.seats[f"H33.07/b{next(numbers)}"]


def test_what_waits_is_leased_with_its_original_envelope(sender: Seat, box: Seat) -> None:
    envelope = sender.who.seal(sent := sender.event(box.system))
    sender.bus.send(envelope)
    answer = box.post("/v1/inbox/lease", {})

    assert answer.status == 200
    (one,) = answer.json["deliveries"]
    assert (one["envelope"], one["attempt"]) == (envelope, 1)
    assert one["delivery"] == sender.delivery(sent["id"])["delivery"]
    assert sender.delivery(sent["id"])["state"] == "leased"
    assert box.lease() == []
    assert box.settle(taken=[one["delivery"]]) == {"settled": 1, "unknown": []}
    seen = sender.delivery(sent["id"])
    assert seen["state"] == "delivered"
    assert [(a["number"], a["outcome"]) for a in seen["attempts"]] == [(1, "taken")]


def test_an_empty_inbox_answers_at_once_unless_it_should_wait(sender: Seat, box: Seat) -> None:
    begin = time.monotonic()
    assert box.lease() == []
    assert time.monotonic() - begin < 0.5
    begin = time.monotonic()
    assert box.lease(wait=1) == []
    assert 0.9 <= time.monotonic() - begin < 2
    threading.Timer(0.5, lambda: sender.send(box.system)).start()
    begin = time.monotonic()

    assert len(box.lease(wait=20)) == 1
    assert 0.4 <= time.monotonic() - begin < 2


def test_ten_are_leased_unless_more_are_asked_for(sender: Seat, box: Seat) -> None:
    sender.bus.send_lines(sender.who.seal(sender.event(box.system)) for _ in range(25))

    assert len(box.post("/v1/inbox/lease", {}).json["deliveries"]) == 10
    assert len(box.lease(500)) == 15


def test_one_lease_hands_out_at_most_one_of_a_lane(sender: Seat, box: Seat) -> None:
    first, second = (sender.send(box.system, subject="HS-1") for _ in range(2))
    other = sender.send(box.system, subject="HS-2")
    got = box.lease()

    assert {one["event"]["id"] for one in got} == {first, other}
    blocked = sender.delivery(second)
    assert (blocked["state"], blocked["blocked_by"]) == ("blocked", sender.delivery(first)["delivery"])
    assert box.lease() == []
    box.settle(taken=[one["delivery"] for one in got])
    assert "blocked_by" not in sender.delivery(second)
    assert [one["event"]["id"] for one in box.lease()] == [second]


def test_a_contract_without_order_has_no_lanes(sender: Seat, box: Seat) -> None:
    sent = {sender.send(box.system, "note.free/1.0", subject="HS-1") for _ in range(3)}
    dead = box.lease(1)[0]
    box.settle(refused=[{"delivery": dead["delivery"], "reason": "hỏng"}])

    assert {one["event"]["id"] for one in box.lease()} | {dead["event"]["id"]} == sent


def test_a_lease_hands_out_at_most_8_mib(sender: Seat, box: Seat) -> None:
    for _ in range(10):
        sender.send(box.system, data={"text": "x" * 750_000})
    got = box.lease(500)

    assert 7 <= len(got) <= 8
    assert sum(len(one["envelope"]) for one in got) <= 8 * 1024 * 1024
    assert len(got) + len(box.lease(500)) == 10


def test_more_urgent_ones_are_handed_out_first(sender: Seat, box: Seat) -> None:
    order = ["normal", None, "urgent", "very-urgent", "express"]
    sent = [sender.send(box.system, priority=priority) for priority in order]

    got = [one["event"]["id"] for _ in range(5) for one in box.lease(1)]
    assert got == [sent[4], sent[3], sent[2], sent[0], sent[1]]


def test_priority_never_overtakes_within_a_lane(sender: Seat, box: Seat) -> None:
    sent = [sender.send(box.system, subject="HS-1", priority=priority) for priority in ("normal", "express")]

    assert [one["event"]["id"] for one in box.take(2)] == sent


def test_a_lapsed_lease_uses_up_no_attempt(sender: Seat, box: Seat) -> None:
    identifier = sender.send(box.system)
    (first,) = box.lease(visibility=1)
    assert box.lease() == []
    (again,) = box.lease(wait=5)

    assert again == first
    assert again["attempt"] == 1
    box.settle(taken=[again["delivery"]])
    outcomes = [(one["number"], one["outcome"]) for one in sender.delivery(identifier)["attempts"]]
    assert outcomes[-1] == (1, "taken")
    assert outcomes[:-1] == [(1, "lapsed")]


def test_later_gives_it_back_for_so_many_seconds(sender: Seat, box: Seat) -> None:
    identifier = sender.send(box.system)
    (first,) = box.lease()
    begin = time.monotonic()
    assert box.settle(later=[{"delivery": first["delivery"], "seconds": 1}]) == {"settled": 1, "unknown": []}
    seen = sender.delivery(identifier)
    assert seen["state"] == "queued"
    assert seen["next_attempt_at"] > moment(0)
    assert box.lease() == []
    (again,) = box.lease(wait=5)

    assert time.monotonic() - begin >= 0.9
    assert again["attempt"] == 1


def test_a_late_taken_counts(sender: Seat, box: Seat) -> None:
    identifier = sender.send(box.system)
    (first,) = box.lease(visibility=1)
    sender.until(identifier, "queued", within=4)

    assert box.settle(taken=[first["delivery"]]) == {"settled": 1, "unknown": []}
    assert sender.delivery(identifier)["state"] == "delivered"
    assert box.lease() == []


def test_a_late_taken_counts_even_while_it_is_leased_again(sender: Seat, box: Seat) -> None:
    identifier = sender.send(box.system)
    (first,) = box.lease(visibility=1)
    (again,) = box.lease(wait=5)

    assert box.settle(taken=[first["delivery"]])["settled"] == 1
    assert sender.delivery(identifier)["state"] == "delivered"
    assert box.settle(taken=[again["delivery"]])["settled"] in {0, 1}
    assert sender.delivery(identifier)["state"] == "delivered"


def test_a_refused_one_is_dead_with_its_reason_and_blocks_its_lane(sender: Seat, box: Seat) -> None:
    first, second = (sender.send(box.system, subject="HS-1") for _ in range(2))
    (one,) = box.lease()
    assert box.settle(refused=[{"delivery": one["delivery"], "reason": "sai mẫu"}]) == {"settled": 1, "unknown": []}
    seen = sender.delivery(first)

    assert seen["state"] == "dead"
    assert seen["attempts"][-1]["outcome"] == "refused"
    assert "sai mẫu" in seen["attempts"][-1]["detail"]
    assert sender.delivery(second)["state"] == "blocked"
    assert sender.delivery(second)["blocked_by"] == one["delivery"]


def test_settling_many_at_once_says_which_it_does_not_know(province: Province, sender: Seat, box: Seat) -> None:
    for _ in range(3):
        sender.send(box.system)
    one, two, three = (each["delivery"] for each in box.lease())
    foreign = sender.send("H33.07/b23")
    theirs = sender.delivery(foreign)["delivery"]
    nothing = str(uuid.uuid4())
    answer = box.settle(
        taken=[one, nothing],
        refused=[{"delivery": two, "reason": "x"}, {"delivery": theirs, "reason": "x"}],
        later=[{"delivery": three, "seconds": 60}, {"delivery": "nonsense", "seconds": 1}],
    )

    assert answer["settled"] == 3
    assert sorted(answer["unknown"]) == sorted([nothing, theirs, "nonsense"])
    assert sender.delivery(foreign)["state"] == "queued"


def test_taking_twice_is_taking_once(sender: Seat, box: Seat) -> None:
    identifier = sender.send(box.system)
    (one,) = box.lease()
    box.settle(taken=[one["delivery"], one["delivery"]])
    box.settle(taken=[one["delivery"]])

    seen = sender.delivery(identifier)
    assert seen["state"] == "delivered"
    assert len(seen["attempts"]) == 1


def test_a_taken_one_may_carry_the_recipients_own_receipt_and_a_wrong_one_loses_nothing(
    sender: Seat, box: Seat
) -> None:
    right, wrong, junk = (sender.send(box.system) for _ in range(3))
    settled = []
    for one in box.lease():
        said = {"receipt": "taken", "id": one["event"]["id"], "digest": sha256(one["envelope"].encode())}
        said |= {"recipient": box.system, "at": moment()}
        if one["event"]["id"] == wrong:
            said["digest"] = sha256(b"other")
        signed = box.who.seal(said, box.who.header(typ="receipt+jws"))
        settled.append({"delivery": one["delivery"], "receipt": "x" if one["event"]["id"] == junk else signed})

    assert box.settle(taken=settled) == {"settled": 3, "unknown": []}
    assert {sender.delivery(one)["state"] for one in (right, wrong, junk)} == {"delivered"}


def test_what_expires_in_the_queue_is_not_handed_out_but_a_leased_ones_answer_counts(sender: Seat, box: Seat) -> None:
    leased = sender.send(box.system, subject="HS-1", expirytime=moment(2.5))
    (one,) = box.lease()
    waiting = sender.send(box.system, subject="HS-2", expirytime=moment(1.5))
    behind = sender.send(box.system, subject="HS-1", expirytime=moment(1.5))

    sender.until(waiting, "expired", within=8)
    sender.until(behind, "expired", within=8)
    assert box.lease() == []
    time.sleep(1.2)
    assert box.settle(taken=[one["delivery"]])["settled"] == 1
    assert sender.delivery(leased)["state"] == "delivered"


def test_a_future_notbefore_holds_back_its_lane_and_no_other(sender: Seat, box: Seat) -> None:
    due = moment(2)
    first = sender.send(box.system, subject="HS-1", notbefore=due)
    second = sender.send(box.system, subject="HS-1")
    other = sender.send(box.system, subject="HS-2")

    assert [one["event"]["id"] for one in box.take(1)] == [other]
    seen = sender.delivery(first)
    assert (seen["state"], seen["next_attempt_at"][:19]) == ("queued", due[:19])
    assert sender.delivery(second)["state"] == "blocked"
    assert [one["event"]["id"] for one in box.take(2)] == [first, second]
    assert moment() >= due


@pytest.mark.parametrize(
    "wrong",
    [
        {"max": 0},
        {"max": 501},
        {"max": "10"},
        {"max": 1.5},
        {"max": True},
        {"wait": -1},
        {"wait": 61},
        {"wait": "1"},
        {"visibility": 0},
        {"visibility": 3601},
        {"visibility": None},
    ],
    ids=str,
)
def test_a_lease_that_is_not_as_described_is_a_bad_request(province: Province, wrong: dict[str, Any]) -> None:
    answer = province.seats["H33.07/b0"].post("/v1/inbox/lease", wrong)

    assert answer.is_problem("bad-request", 400)
    (name,) = wrong
    assert answer.json["violations"][0]["pointer"] == f"/{name}"
    assert {"pointer", "rule", "message"} <= set(answer.json["violations"][0])


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"taken": "x"}, "/taken"),
        ({"taken": [7]}, "/taken/0"),
        ({"taken": [{"receipt": "x"}]}, "/taken/0"),
        ({"refused": ["x"]}, "/refused/0"),
        ({"refused": [{"delivery": "x"}]}, "/refused/0"),
        ({"later": [{"delivery": "x"}]}, "/later/0"),
        ({"later": [{"delivery": "x", "seconds": "1"}]}, "/later/0"),
        ({"later": [{"delivery": "x", "seconds": -1}]}, "/later/0"),
    ],
    ids=str,
)
def test_a_settlement_that_is_not_as_described_is_a_bad_request(
    province: Province, wrong: dict[str, Any], pointer: str
) -> None:
    answer = province.seats["H33.07/b0"].post("/v1/inbox/settle", wrong)

    assert answer.is_problem("bad-request", 400)
    assert answer.json["violations"][0]["pointer"].startswith(pointer)


def test_what_is_no_json_object_is_a_bad_request(province: Province) -> None:
    seat = province.seats["H33.07/b0"]
    for path in ("/v1/inbox/lease", "/v1/inbox/settle"):
        for body in ("", "x", "[]", '{"max": 1, "max": 2}', "null"):
            answer = seat.bus.call("POST", path, body, kind="application/json", token=seat.token)
            if body:
                assert answer.is_problem("bad-request", 400)
            else:
                assert answer.status in {200, 400}


def test_members_that_nobody_knows_are_ignored(province: Province) -> None:
    assert province.seats["H33.07/b0"].post("/v1/inbox/lease", {"new": 1}).status == 200


def test_the_inbox_is_for_systems_that_pull(province: Province, sender: Seat) -> None:
    hook = province.seats["H33.06/hook"]
    for path in ("/v1/inbox/lease", "/v1/inbox/settle"):
        assert hook.post(path, {}).is_problem("forbidden", 403)
        assert province.bus.call("POST", path, "{}", kind="application/json").is_problem("unauthenticated", 401)


def test_two_that_pull_at_once_never_get_the_same(sender: Seat, box: Seat) -> None:
    sender.bus.send_lines(sender.who.seal(sender.event(box.system)) for _ in range(60))
    box.lease(1)
    got: list[str] = []

    def pull() -> None:
        while more := box.lease(5):
            got.extend(one["delivery"] for one in more)

    threads = [threading.Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == len(set(got)) == 59


def test_the_envelope_is_handed_over_byte_for_byte(sender: Seat, box: Seat) -> None:
    envelope = sender.who.seal(json.dumps(sender.event(box.system), indent=3, separators=(" ,", " : ")))

    assert sender.bus.send(envelope).status == 202
    assert box.lease()[0]["envelope"] == envelope
