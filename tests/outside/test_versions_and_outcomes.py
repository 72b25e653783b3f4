"""Interfaces, section 4: translation between majors, and the outcomes that come back to the sender."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.outside.client import Record, Reply, Seat, Sink, document, key_of, moment, opened, sha256, spki, verified
from tests.outside.province import GATEWAY, NOTE, OUTCOMES, Province, wants

SENDER, MODERN = "H33.05/dms", "H33.05/modern"
CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
SOON = {"first": "1s", "factor": 2, "cap": "1s", "deadline": "1h"}
FORM_2: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string", "maxLength": 1000}},
}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as made:
        yield made


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[Province]:
    """Senders and receivers of either major, pulled and pushed; the province's own contract has two majors too."""
    with Province(tmp_path_factory.mktemp("versions") / "tinh") as made:
        made.contract(
            "form.sent",
            {
                "1.0": {},
                "1.1": {},
                "2.0": {
                    "schema.json": FORM_2,
                    "examples/good/plain.json": {"body": "Thông báo"},
                    "examples/bad/no-text.required.json": {},
                    "up.json": {"rules": [{"move": "/text", "to": "/body"}, {"remove": ["/count", "/day"]}]},
                    "down.json": {"rules": [{"move": "/body", "to": "/text"}]},
                },
            },
        )
        assert NOTE["required"] == ["text"]
        made.agency(
            "H33.05",
            made.system(SENDER, *OUTCOMES),
            made.system(MODERN, wants("receipt.delivered/1.0")),
            made.system("H33.05/deaf"),
        )
        made.one("H33.07/old", wants("document.issued/1.0"), wants("form.sent/1.0"))
        made.one("H33.08/new", wants("document.issued/2.0"), wants("form.sent/2.0"))
        made.one("H33.10/minor", wants("form.sent/1.1"))

        def hook(name: str) -> None:
            made.one(
                name,
                wants("document.issued/2.0", retry=SOON),
                wants("form.sent/1.0", retry={**SOON, "attempts": 1}),
                adapter="webhook",
                settings={"url": sink.url(f"/{name}")},
            )

        hook("H33.09/hook")
        made.agreement()
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


def gateway_key(province: Province, envelope: str) -> Any:
    """The key by which the gateway's own envelope verifies, found as the page says: by thumbprint and by ``kid``."""
    header = opened(envelope)[0]
    shown = province.bus.get(f"/v1/certificates/{header['x5t#S256']}")
    assert shown.json["system"] == GATEWAY
    from_set = province.bus.keys()[header["kid"]]
    assert spki(from_set) == spki(key_of(shown.json["pem"]))
    return from_set


def outcomes(seat: Seat, count: int, about: str, within: float = 10) -> list[Record]:
    """So many outcome messages about one message, in order of arrival; ``envelope`` as it came."""
    got: list[Record] = []
    until = time.monotonic() + within
    while len(got) < count and time.monotonic() < until:
        for one in seat.lease(50, wait=1):
            seat.settle(taken=[one["delivery"]])
            if one["event"]["subject"] == about:
                got.append(one)
    assert len(got) == count, got
    return got


def test_within_a_major_the_original_bytes_are_delivered(province: Province, sender: Seat) -> None:
    for version, receiver in (("1.1", "H33.07/old"), ("1.0", "H33.10/minor")):
        envelope = sender.who.seal(sender.event(receiver, f"form.sent/{version}"))
        assert sender.bus.send(envelope).status == 202

        assert province.seats[receiver].take()[0]["envelope"] == envelope


def test_between_majors_the_bus_translates_and_says_so(province: Province, sender: Seat) -> None:
    sent = sender.event(
        "H33.07 H33.08",
        "document.issued/1.0",
        subject="H33.05-2026-1",
        time=moment(-60),
        correlationid="cuoc-1",
        purpose="van-ban",
        priority="urgent",
        data=document(symbol="7816/STC-NS", files=[]),
    )
    envelope = sender.who.seal(sent)
    assert sorted(sender.bus.send(envelope).json["recipients"]) == ["H33.07/old", "H33.08/new"]

    assert province.seats["H33.07/old"].take()[0]["envelope"] == envelope
    (one,) = province.seats["H33.08/new"].take()
    header, got = opened(one["envelope"])
    assert verified(one["envelope"], gateway_key(province, one["envelope"])) == got
    assert header["typ"] == "ce+jws"
    rules = (CONTRACTS / "document.issued/2.0/up.json").read_bytes()
    expected = {name: sent[name] for name in ("subject", "time", "correlationid", "purpose", "priority")} | {
        "specversion": "1.0",
        "source": GATEWAY,
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:2.0",
        "datacontenttype": "application/json",
        "originsource": SENDER,
        "originid": sent["id"],
        "origindigest": sha256(envelope.encode()),
        "rulesdigest": "sha-256:" + hashlib.sha256(rules).hexdigest(),
    }
    assert {name: got.get(name) for name in expected} == expected
    assert uuid.UUID(got["id"]) != uuid.UUID(sent["id"])
    assert got["data"]["from"]["organId"] == "H33.05"
    assert got["data"]["code"] == {"number": "7816", "notation": "STC-NS"}


def test_a_derived_id_answers_as_the_original(province: Province, sender: Seat) -> None:
    identifier = sender.send("H33.08", "document.issued/1.0", data=document())
    (one,) = province.seats["H33.08/new"].take()
    derived = one["event"]["id"]

    assert sender.message(derived) == sender.message(identifier)
    assert sender.message(derived.upper())["id"] == identifier
    seen = province.seats["H33.08/new"].message(derived)
    assert (seen["id"], seen["deliveries"][0]["state"]) == (identifier, "delivered")


def test_a_translation_is_made_once_and_stays_the_same(sender: Seat, sink: Sink) -> None:
    sink.answer("/H33.09/hook", Reply(503), Reply(204))
    identifier = sender.send("H33.09", "document.issued/1.0", data=document())
    first, second = sink.wait("/H33.09/hook", 2)

    assert first.body == second.body
    assert opened(first.body.decode())[1]["originid"] == identifier
    assert {push.headers["lgsp-message"] for push in (first, second)} == {identifier}


def test_the_lane_of_the_original_is_kept(province: Province, sender: Seat) -> None:
    old = sender.send("H33.08", "document.issued/1.0", subject="HS-lane", data=document())
    new = sender.event(
        "H33.08",
        "document.issued/2.0",
        subject="HS-lane",
        data={"documentId": "x", "from": {"organId": "H33.05"}, "subject": "x", "confidentiality": "none"}
        | {"business": {"type": "new"}},
    )
    assert sender.bus.send(sender.who.seal(new)).status == 202
    receiver = province.seats["H33.08/new"]
    (one,) = receiver.lease()
    assert one["event"]["originid"] == old
    assert sender.delivery(new["id"])["state"] == "blocked"
    receiver.settle(taken=[one["delivery"]])

    assert receiver.take()[0]["event"]["id"] == new["id"]


def test_an_answer_to_a_translation_names_the_original(province: Province, sender: Seat) -> None:
    identifier = sender.send("H33.08", "form.sent/1.0")
    receiver = province.seats["H33.08/new"]
    (one,) = receiver.take()
    assert one["event"]["data"] == {"body": "Thông báo lịch họp"}
    back = receiver.event("H33.07", "form.sent/2.0", causationid=identifier, data={"body": "Đã nhận"})
    assert receiver.bus.send(receiver.who.seal(back)).status == 202

    (got,) = province.seats["H33.07/old"].take()
    assert got["event"]["data"] == {"text": "Đã nhận"}
    assert got["event"]["originid"] == back["id"]


def test_a_receipt_of_a_translated_delivery_names_what_was_handed_over(province: Province, sender: Seat) -> None:
    envelope = sender.who.seal(sent := sender.event("H33.08", "form.sent/1.0"))
    sender.bus.send(envelope)
    (one,) = province.seats["H33.08/new"].take()
    (told,) = outcomes(sender, 1, sent["id"])

    assert told["event"]["data"]["digest"] == sha256(envelope.encode())
    assert told["event"]["data"]["delivered_digest"] == sha256(one["envelope"].encode())


def test_a_delivered_outcome_comes_back_as_a_message(province: Province, sender: Seat) -> None:
    envelope = sender.who.seal(sent := sender.event("H33.07", "form.sent/1.0", correlationid="cuoc-2"))
    sender.bus.send(envelope)
    (one,) = province.seats["H33.07/old"].take()
    (told,) = outcomes(sender, 1, sent["id"])

    event = told["event"]
    assert verified(told["envelope"], gateway_key(province, told["envelope"])) == event
    expected = {
        "specversion": "1.0",
        "source": GATEWAY,
        "type": "receipt.delivered",
        "dataschema": "urn:lgsp:contract:receipt.delivered:1.0",
        "subject": sent["id"],
        "causationid": sent["id"],
        "datacontenttype": "application/json",
    }
    assert {name: event.get(name) for name in expected} == expected
    assert event.get("correlationid") in {None, "cuoc-2"}
    data = event["data"]
    assert data.pop("at").endswith("Z")
    assert data == {
        "receipt": "delivered",
        "id": sent["id"],
        "digest": sha256(envelope.encode()),
        "source": SENDER,
        "type": "form.sent",
        "to": ["H33.07/old"],
        "recipient": "H33.07/old",
        "delivery": one["delivery"],
        "gateway": GATEWAY,
    }


def test_outcomes_go_to_the_sender_only_and_never_earn_one_themselves(province: Province, sender: Seat) -> None:
    identifier = sender.send("H33.07", "form.sent/1.0")
    province.seats["H33.07/old"].take()
    (told,) = outcomes(sender, 1, identifier)

    assert province.seats[MODERN].lease() == []
    time.sleep(1.5)
    assert sender.lease() == []
    assert sender.message(told["event"]["id"])["deliveries"][0]["state"] == "delivered"


def test_a_refused_outcome_names_its_cause_and_a_replay_may_still_bring_a_delivered_one(
    province: Province, sender: Seat, sink: Sink
) -> None:
    sink.answer("/H33.09/hook", Reply(422), Reply(204))
    identifier = sender.send("H33.09", "form.sent/1.0")
    dead = sender.until(identifier, "dead")
    (told,) = outcomes(sender, 1, identifier)
    assert (told["event"]["type"], told["event"]["data"]["receipt"]) == ("receipt.refused", "refused")
    assert (told["event"]["data"]["cause"], told["event"]["data"]["delivery"]) == ("refused", dead["delivery"])
    province.run("replay", dead["delivery"], "--reason", "đã sửa")

    (told,) = outcomes(sender, 1, identifier)
    assert told["event"]["type"] == "receipt.delivered"


def test_an_expired_outcome_is_told(sender: Seat) -> None:
    identifier = sender.send("H33.07", "form.sent/1.0", expirytime=moment(1))
    (told,) = outcomes(sender, 1, identifier)

    assert (told["event"]["type"], told["event"]["data"]["receipt"]) == ("receipt.expired", "expired")
    assert sender.delivery(identifier)["state"] == "expired"


def test_who_does_not_subscribe_is_told_nothing(province: Province) -> None:
    deaf = province.seats["H33.05/deaf"]
    identifier = deaf.send("H33.07", "form.sent/1.0")
    province.seats["H33.07/old"].take()
    deaf.until(identifier, "delivered")

    assert deaf.lease(wait=1) == []


def test_subscribing_to_one_outcome_brings_that_one_only(province: Province) -> None:
    modern = province.seats[MODERN]
    expired = modern.send("H33.07", "form.sent/1.0", expirytime=moment(1))
    modern.until(expired, "expired", within=8)
    taken = modern.send("H33.07", "form.sent/1.0")
    province.seats["H33.07/old"].take()

    assert modern.take()[0]["event"]["subject"] == taken
    assert modern.lease() == []
