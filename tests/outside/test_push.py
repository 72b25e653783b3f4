"""Interfaces, section 4: push to a webhook, its headers and signatures, and what each answer means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from tests.outside.client import Bus, Push, Reply, Seat, Sink, eventually, identity, jws, moment, opened, sha256
from tests.outside.province import OUTCOMES, Province, free_port, wants

SENDER = "H33.05/dms"
QUICK = {"first": "1s", "factor": 2, "cap": "2s", "deadline": "1h"}
HOOK = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
REFUSING, FAILING = (400, 413, 415, 422), (301, 302, 304, 307, 401, 403, 404, 405, 408, 425, 429, 500, 502, 503, 504)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as made:
        yield made


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Province]:
    """One sender and an agency with a system for each way of being pushed to."""
    with Province(tmp_path_factory.mktemp("push") / "tinh") as made:
        made.contract("note.made")
        made.one(SENDER, *OUTCOMES)
        made.write("keys/H33.07-shared.hook", HOOK)

        def hook(name: str, settings: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
            about = {"adapter": "webhook", "settings": {"url": sink.url(f"/{name}")} | (settings or {})}
            keys = {key: members.pop(key) for key in ("webhook_secret_file",) if key in members}
            return made.system(f"H33.07/{name}", wants("note.made/1.0", retry=QUICK, **members), **about, **keys)

        made.agency(
            "H33.07",
            hook("plain"),
            hook("bare", format="cloudevents"),
            hook("shared", webhook_secret_file="keys/H33.07-shared.hook"),
            hook("unsigned", {"signature": "none"}),
            hook("local", {"url": "http://169.254.10.20:9/inbox"}),
            hook("loop", {"url": f"{made.url}/v1/messages"}),
            hook("loop-by-name", {"url": f"http://localhost:{made.port}/v1/messages"}),
            hook("closed", {"url": f"http://127.0.0.1:{free_port()}/"}),
            *(hook(f"s{status}") for status in (*REFUSING, *FAILING, 200, 201, 202, 204, 226, 410)),
        )
        made.agreement()
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def bus(province: Province) -> Bus:
    return province.bus


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


def standard_webhook_signed(push: Push) -> bytes:
    """The bytes that Standard Webhooks signs."""
    return f"{push.headers['webhook-id']}.{push.headers['webhook-timestamp']}.".encode() + push.body


def signatures(push: Push) -> dict[str, bytes]:
    """The signatures of a push by their version."""
    parts = [one.split(",", 1) for one in push.headers["webhook-signature"].split(" ")]
    return {version: base64.b64decode(text) for version, text in parts}


def webhook_keys(bus: Bus) -> list[ed25519.Ed25519PublicKey]:
    return [key for key in bus.keys().values() if isinstance(key, ed25519.Ed25519PublicKey)]


def verifies(key: ed25519.Ed25519PublicKey, push: Push) -> bool:
    try:
        key.verify(signatures(push)["v1a"], standard_webhook_signed(push))
    except InvalidSignature:
        return False
    return True


def test_the_original_envelope_is_pushed_with_every_header(bus: Bus, sender: Seat, sink: Sink) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    envelope = sender.who.seal(sent := sender.event("H33.07/plain", traceparent=trace))
    assert bus.send(envelope).status == 202
    push = next(one for one in sink.wait("/plain") if one.body.decode() == envelope)

    assert push.headers["content-type"] == "application/jose"
    assert push.headers["lgsp-message"] == sent["id"]
    assert push.headers["lgsp-attempt"] == "1"
    assert push.headers["traceparent"].split("-")[1] == trace.split("-")[1]
    assert abs(int(push.headers["webhook-timestamp"]) - time.time()) < 60
    seen = sender.until(sent["id"], "delivered")
    assert push.headers["webhook-id"] == seen["delivery"]
    assert [one["number"] for one in seen["attempts"]] == [1]
    assert (seen["attempts"][0]["outcome"], seen["attempts"][0]["status"]) == ("taken", 204)
    assert seen["attempts"][0]["started_at"] <= seen["attempts"][0]["ended_at"]


def test_a_push_is_signed_with_the_webhook_key_of_the_published_set(bus: Bus, sender: Seat, sink: Sink) -> None:
    sender.send("H33.07/plain")
    push = sink.wait("/plain")[-1]
    receipts = {opened(bus.send(sender.who.seal(sender.event("H33.07/plain"))).json["receipt"])[0]["kid"]}
    good = {kid for kid, key in bus.keys().items() if isinstance(key, ed25519.Ed25519PublicKey) and verifies(key, push)}

    assert set(signatures(push)) == {"v1a"}
    assert len(good) == 1
    assert not good & receipts


def test_a_shared_secret_adds_the_symmetric_signature(bus: Bus, sender: Seat, sink: Sink) -> None:
    sender.send("H33.07/shared")
    push = sink.wait("/shared")[-1]
    key = base64.b64decode(HOOK.removeprefix("whsec_"))

    expected = hmac.new(key, standard_webhook_signed(push), hashlib.sha256).digest()
    assert signatures(push)["v1"] == expected
    assert any(verifies(each, push) for each in webhook_keys(bus))


def test_signatures_can_be_turned_off(sender: Seat, sink: Sink) -> None:
    sender.send("H33.07/unsigned")

    assert "webhook-signature" not in sink.wait("/unsigned")[-1].headers


def test_a_bare_event_is_pushed_where_that_is_wanted(bus: Bus, sender: Seat, sink: Sink) -> None:
    payload = json.dumps(sent := sender.event("H33.07/bare"), indent=2, ensure_ascii=False)
    assert bus.send(sender.who.seal(payload)).status == 202
    push = sink.wait("/bare")[-1]

    assert push.headers["content-type"].split(";")[0] == "application/cloudevents+json"
    assert push.body.decode() == payload
    assert push.headers["lgsp-message"] == sent["id"]
    assert any(verifies(key, push) for key in webhook_keys(bus))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226])
def test_any_2xx_means_taken(sender: Seat, sink: Sink, status: int) -> None:
    sink.answer(f"/s{status}", Reply(status, body=b"" if status == 204 else b"<html>xin chao</html>"))
    identifier = sender.send(f"H33.07/s{status}")

    seen = sender.until(identifier, "delivered")
    assert [(one["outcome"], one["status"]) for one in seen["attempts"]] == [("taken", status)]


@pytest.mark.parametrize("status", REFUSING)
def test_some_answers_refuse_this_message_for_good(sender: Seat, sink: Sink, status: int) -> None:
    sink.answer(f"/s{status}", Reply(status, body=b"khong dung mau"))
    identifier = sender.send(f"H33.07/s{status}")

    seen = sender.until(identifier, "dead")
    assert [(one["outcome"], one["status"]) for one in seen["attempts"]] == [("refused", status)]
    assert len(sink.pushes(f"/s{status}")) == 1


def test_every_other_answer_is_the_destinations_fault_and_tried_again(sender: Seat, sink: Sink) -> None:
    sent = {}
    for status in FAILING:
        sink.answer(f"/s{status}", Reply(status, {"Location": sink.url("/elsewhere")}), Reply(204))
        sent[status] = sender.send(f"H33.07/s{status}")

    for status, identifier in sent.items():
        seen = sender.until(identifier, "delivered", within=15)
        attempts = [(one["number"], one["outcome"], one["status"]) for one in seen["attempts"]]
        assert attempts == [(1, "failed", status), (2, "taken", 204)]
        first, second = sink.pushes(f"/s{status}")
        assert second.at - first.at >= 0.99
        assert (first.headers["lgsp-attempt"], second.headers["lgsp-attempt"]) == ("1", "2")
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
    assert sink.pushes("/elsewhere") == []


def test_a_retry_is_announced_while_it_is_waited_for(sender: Seat, sink: Sink) -> None:
    sink.answer("/plain", Reply(503, {"Retry-After": "3"}), Reply(204))
    identifier = sender.send("H33.07/plain")
    sink.wait("/plain")
    waiting = eventually(lambda: sender.delivery(identifier), lambda one: bool(one["attempts"]))

    assert waiting["state"] == "queued"
    assert waiting["next_attempt_at"] > moment(1)
    first, second = sink.wait("/plain", 2)
    assert 2.9 <= second.at - first.at <= 6
    sender.until(identifier, "delivered")


def test_a_connection_that_breaks_or_is_refused_is_tried_again(sender: Seat, sink: Sink) -> None:
    sink.answer("/plain", Reply(break_off=True), Reply(204))
    broken = sender.send("H33.07/plain")
    closed = sender.send("H33.07/closed")

    seen = sender.until(broken, "delivered")
    assert [one["outcome"] for one in seen["attempts"]] == ["failed", "taken"]
    # Between two tries it waits; while it is tried again it is leased.
    seen = eventually(lambda: sender.delivery(closed), lambda one: bool(one["attempts"]) and one["state"] != "leased")
    assert (seen["state"], seen["attempts"][0]["outcome"]) == ("queued", "failed")
    assert "status" not in seen["attempts"][0]


@pytest.mark.parametrize("name", ["local", "loop", "loop-by-name"])
def test_addresses_that_no_destination_may_have_are_never_called(sender: Seat, name: str) -> None:
    identifier = sender.send(f"H33.07/{name}")
    seen = eventually(lambda: sender.delivery(identifier), lambda one: bool(one["attempts"]))

    # were it called, link-local would run into a time-out and the bus's own door would answer 400 and kill it
    assert (seen["state"], seen["attempts"][0]["outcome"]) == ("queued", "failed")
    assert "status" not in seen["attempts"][0]


def test_410_holds_the_destination_until_it_is_released(province: Province, sender: Seat, sink: Sink) -> None:
    sink.answer("/s410", Reply(410), Reply(204))
    first = sender.send("H33.07/s410")
    sender.until(first, "held")
    second = sender.send("H33.07/s410")

    assert sender.delivery(second)["state"] == "held"
    assert len(sink.pushes("/s410")) == 1
    province.run("release", "H33.07/s410", "--reason", "đã dựng lại máy chủ")
    for identifier in (first, second):
        sender.until(identifier, "delivered")


def test_a_recipients_own_receipt_may_come_in_the_answer_and_a_wrong_one_loses_nothing(
    province: Province, sender: Seat, sink: Sink
) -> None:
    who = province.seats["H33.07/plain"].who

    def receipt(push: Push, **wrong: Any) -> bytes:
        said = {"receipt": "taken", "id": push.headers["lgsp-message"], "digest": sha256(push.body)}
        said |= {"recipient": "H33.07/plain", "at": moment()} | wrong
        return who.seal(said, who.header(typ="receipt+jws")).encode()

    def reply(body: bytes) -> Reply:
        return Reply(200, {"Content-Type": "application/jose"}, body)

    for tell in (
        lambda push: reply(receipt(push)),
        lambda push: reply(receipt(push, digest=sha256(b"other"))),
        lambda push: reply(receipt(push)[:-9]),
        lambda push: reply(identity("H33.07/plain").seal({"receipt": "taken"}).encode()),
        lambda push: reply(jws(who.key, {"alg": "EdDSA", "typ": "receipt+jws"}, {"receipt": "taken"}).encode()),
        lambda push: reply(b"\xff" * 100_000),
    ):
        sink.answer("/plain", tell)
        sender.until(sender.send("H33.07/plain"), "delivered")


def test_a_destination_that_does_not_answer_holds_up_no_other(sender: Seat, sink: Sink) -> None:
    sink.answer("/s200", Reply(204, after=4))
    slow = sender.send("H33.07/s200")
    sink.wait("/s200")
    quick = sender.send("H33.07/s201")

    sender.until(quick, "delivered", within=2)
    assert sender.delivery(slow)["state"] == "leased"
    sender.until(slow, "delivered")


def test_different_lanes_to_one_destination_are_pushed_side_by_side(sender: Seat, sink: Sink) -> None:
    sink.answer("/plain", Reply(204, after=1))
    for _ in range(4):
        sender.send("H33.07/plain")

    pushes = sink.wait("/plain", 4)
    assert pushes[-1].at - pushes[0].at < 2.5


def test_more_urgent_lanes_overtake_while_a_destination_is_held(province: Province, sender: Seat, sink: Sink) -> None:
    sink.answer("/plain", Reply(204))
    province.run("hold", "H33.07/plain", "--reason", "bảo trì")
    normal = [sender.send("H33.07/plain", subject="một lane") for _ in range(2)]
    assert [sender.delivery(one)["state"] for one in normal] == ["held", "blocked"]
    sender.send("H33.07/plain", priority="express")
    time.sleep(0.3)
    assert sink.pushes("/plain") == []
    province.run("release", "H33.07/plain", "--reason", "xong")

    assert len(sink.wait("/plain", 3)) == 3
    for one in normal:
        sender.until(one, "delivered")


def test_attempts_are_numbered_on(sink: Sink, sender: Seat) -> None:
    sink.answer("/s502", Reply(502), Reply(502), Reply(204))
    identifier = sender.send("H33.07/s502")

    seen = sender.until(identifier, "delivered", within=15)
    assert [one["number"] for one in seen["attempts"]] == [1, 2, 3]
