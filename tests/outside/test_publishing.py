"""Interfaces, section 3: the publishing door, its answers, its problems and their order, what became of a message."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.outside.client import (
    Answer,
    Bus,
    Record,
    Seat,
    b64,
    encode,
    event,
    identity,
    key_of,
    moment,
    opened,
    sha256,
    verified,
)
from tests.outside.province import GATEWAY, Province, wants

SENDER, RECEIVER, STRANGER = "H33.05/dms", "H33.07/dms", "H33.08/dms"
DAY = 86400


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A sender, two receivers, a stranger, a system for which the bus signs, and contracts of every kind."""
    with Province(tmp_path_factory.mktemp("publishing") / "tinh") as made:
        made.contract("note.made")
        made.contract("ask.put", kind="query", answer="ask.told")
        made.contract("ask.told", kind="answer")
        made.contract("other.made")
        made.contract("note.quiet")
        made.write("keys/H33.06-old.secret", "mat-khau-mau-rat-dai-va-kho-doan-1")
        made.one(SENDER)
        made.agency(
            "H33.07",
            made.system(RECEIVER, wants("note.made/1.0")),
            made.system("H33.07/copy", wants("note.made/1.0")),
        )
        made.one(STRANGER, wants("other.made/1.0"))
        sealed = {"name": "old", "adapter": "inbox", "sealing": "gateway", "key": "keys/H33.06-old.pem"}
        twin = sealed | {"name": "twin", "key": "keys/H33.06-twin.pem"}
        made.agency("H33.06", {**sealed, "secret_file": "keys/H33.06-old.secret"}, twin)
        parties = {"from": ["H33.05", "H33.06"], "to": ["H33.07"]}
        made.agreement("TT-01", contracts=["note.made", "note.quiet", "ask.*", "receipt.*"], **parties)
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def bus(province: Province) -> Bus:
    return province.bus


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats[SENDER]


@pytest.fixture(scope="module")
def operator(province: Province) -> str:
    return province.operator()


def post(seat: Seat, **members: Any) -> Answer:
    return seat.bus.send(seat.who.seal(seat.event(members.pop("to", RECEIVER), **members)))


# one envelope


def test_an_accepted_message_is_answered_with_its_place_its_recipients_and_a_receipt(sender: Seat) -> None:
    envelope = sender.who.seal(sent := sender.event("H33.07"))
    answer = sender.bus.send(envelope)

    assert answer.status == 202
    assert answer.headers["location"] == f"/v1/messages/{sent['id']}"
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    body = answer.json
    assert (body["id"], body["state"]) == (sent["id"], "accepted")
    assert sorted(body["recipients"]) == ["H33.07/copy", "H33.07/dms"]
    header = opened(body["receipt"])[0]
    receipt = verified(body["receipt"], sender.bus.keys()[header["kid"]])
    assert header["typ"] == "receipt+jws"
    assert header["alg"] in {"ES256", "EdDSA"}
    assert sorted(receipt.pop("to")) == ["H33.07/copy", "H33.07/dms"]
    assert receipt.pop("at").endswith("Z")
    assert receipt == {
        "receipt": "accepted",
        "id": sent["id"],
        "digest": sha256(envelope.encode()),
        "source": SENDER,
        "type": "note.made",
        "gateway": GATEWAY,
    }


def test_a_repeat_gets_the_first_answer_even_under_a_new_signature(province: Province) -> None:
    # P-256 signatures differ each time, and a header may differ too
    seat = province.seats[SENDER]
    sent = encode(seat.event("H33.07"))
    first = seat.bus.send(seat.who.seal(sent))
    again = seat.bus.send(seat.who.seal(sent, seat.who.header(kid="other")))

    assert (first.status, again.status) == (202, 202)
    assert again.json == first.json
    assert again.headers["location"] == first.headers["location"]
    assert len(seat.message(first.json["id"])["deliveries"]) == 2


def test_the_same_id_with_another_payload_is_a_conflict(province: Province, sender: Seat) -> None:
    sent = sender.event("H33.07")
    assert sender.bus.send(sender.who.seal(sent)).status == 202
    spaced = json.dumps(sent, ensure_ascii=False, separators=(", ", " : "))

    assert sender.bus.send(sender.who.seal(sent | {"data": {"text": "khác"}})).is_problem("conflict", 409)
    assert sender.bus.send(sender.who.seal(spaced)).is_problem("conflict", 409)
    other = province.seats[RECEIVER]
    assert post(other, id=sent["id"]).is_problem("conflict", 409)


def test_an_envelope_that_was_refused_has_not_used_its_id(sender: Seat) -> None:
    sent = sender.event("H33.99")
    assert sender.bus.send(sender.who.seal(sent)).is_problem("unknown-recipient", 422)

    assert sender.bus.send(sender.who.seal(sent | {"to": RECEIVER})).status == 202


@pytest.mark.parametrize(
    ("offset", "status"), [(-30 * DAY - 60, 422), (-30 * DAY + 60, 202), (280, 202), (330, 422), (DAY, 422)]
)
def test_the_time_may_be_five_minutes_ahead_and_thirty_days_behind(sender: Seat, offset: int, status: int) -> None:
    answer = post(sender, time=moment(offset))

    assert answer.status == status
    assert status == 202 or answer.is_problem("stale", 422)


def test_what_has_expired_already_is_refused(sender: Seat) -> None:
    assert post(sender, expirytime=moment(-1)).is_problem("expired", 422)


def test_a_file_that_the_source_never_had_is_missing(sender: Seat) -> None:
    named = {"name": "a.pdf", "mediaType": "application/pdf", "size": 3, "sha256": "0" * 64}

    assert post(sender, data={"text": "a", "files": [named]}).is_problem("missing-file", 422)
    assert post(sender, data={"text": "a", "deep": {"er": [{"x": named}]}}).is_problem("missing-file", 422)


@pytest.mark.parametrize("contract", ["ask.put/1.0", "ask.told/1.0", "receipt.delivered/1.0", "receipt.expired/1.0"])
def test_queries_answers_and_receipts_are_unknown_at_this_door(sender: Seat, contract: str) -> None:
    assert post(sender, contract=contract).is_problem("unknown-contract", 422)


# the order of checks: of two faults the first in the list answers


def test_of_two_faults_the_earlier_check_answers(sender: Seat) -> None:
    bus, who = sender.bus, sender.who
    unknown = identity(SENDER)
    good = sender.event(RECEIVER)
    bad_signature = f"{who.seal(good).rpartition('.')[0]}.{b64(bytes(64))}"
    taken = sender.event(RECEIVER)
    assert bus.send(who.seal(taken)).status == 202
    secret = {"text": "a", "confidentiality": "mật"}
    named = {"text": "a", "f": {"name": "a", "mediaType": "a/b", "size": 1, "sha256": "1" * 64}}
    pairs: list[tuple[str, str, int]] = [
        ("?" * 2_000_000, "too-large", 413),
        (unknown.seal(b"[]"), "malformed-envelope", 400),
        (unknown.seal(good, unknown.header(alg="ES256")), "unknown-signer", 401),
        (who.seal(good, who.header(alg="ES256")), "malformed-envelope", 400),
        (f"{bad_signature.partition('.')[0]}.{b64(b'[]')}.{b64(bytes(64))}", "malformed-envelope", 400),
        (who.seal(good | {"source": RECEIVER, "priority": "x"}), "untrusted-certificate", 403),
        (who.seal(taken | {"priority": "x"}), "malformed-envelope", 400),
        (who.seal(taken | {"time": moment(-40 * DAY)}), "conflict", 409),
        (who.seal(good | {"time": moment(-40 * DAY), "data": secret}), "stale", 422),
        (who.seal(sender.event(RECEIVER, "none.such/1.0", data=secret)), "secret-content", 403),
        (who.seal(sender.event(RECEIVER, "none.such/1.0", data=7)), "unknown-contract", 422),
        (who.seal(good | {"to": "H99", "data": {"text": 7}}), "contract-violation", 422),
        (who.seal(good | {"to": "H99", "purpose": "khác"}), "unknown-recipient", 422),
        (who.seal(good | {"to": f"{STRANGER} H99"}), "unknown-recipient", 422),
        (who.seal(sender.event("H33.06/old H33.07", data=named)), "no-agreement", 403),
        (who.seal(sender.event("H33.07", "note.quiet/1.0", data=named)), "no-subscriber", 422),
        (who.seal(good | {"data": named, "expirytime": moment(-5)}), "missing-file", 422),
    ]
    for envelope, name, status in pairs:
        assert bus.send(envelope).is_problem(name, status)


def test_a_bad_signature_is_told_before_a_bad_certificate(province: Province) -> None:
    old = identity("H33.05/dms", begins=-7200, ends=-3600)
    signed = old.seal(event(SENDER, RECEIVER))
    head, body, _ = signed.split(".")

    # nobody registered this one: the signer is asked for before anything about it is judged
    assert province.bus.send(f"{head}.{body}.{b64(bytes(64))}").is_problem("unknown-signer", 401)
    other = province.seats[SENDER].who
    head = b64(encode(other.header()))
    body = b64(encode(event(RECEIVER, RECEIVER, priority="x")))
    assert province.bus.send(f"{head}.{body}.{b64(bytes(64))}").is_problem("bad-signature", 401)


# batches


def test_a_batch_is_answered_line_by_line_in_order_and_one_bad_line_spoils_no_other(sender: Seat) -> None:
    good = [sender.who.seal(sender.event("H33.07")) for _ in range(3)]
    same = sender.event("H33.07")
    lines = [
        good[0],
        "junk",
        good[1],
        "",
        sender.who.seal(sender.event("H99")),
        "A" * (1024 * 1024 + 1),
        sender.who.seal(same),
        sender.who.seal(same),
        sender.who.seal(same | {"subject": "khác"}),
        good[2],
    ]
    answer = sender.bus.send_lines(lines)

    assert answer.status == 200
    assert answer.headers["content-type"].split(";")[0] == "application/x-ndjson"
    outcomes = answer.lines
    assert len(outcomes) == len(lines)
    for index, envelope in ((0, good[0]), (2, good[1]), (9, good[2])):
        assert outcomes[index]["id"] == opened(envelope)[1]["id"]
        assert outcomes[index]["state"] == "accepted"
        assert sorted(outcomes[index]["recipients"]) == ["H33.07/copy", "H33.07/dms"]
        key = sender.bus.keys()[opened(outcomes[index]["receipt"])[0]["kid"]]
        assert verified(outcomes[index]["receipt"], key)["digest"] == sha256(envelope.encode())
    names = {1: "malformed-envelope", 3: "malformed-envelope", 4: "unknown-recipient", 5: "too-large", 8: "conflict"}
    status = {1: 400, 3: 400, 4: 422, 5: 413, 8: 409}
    for index, name in names.items():
        assert outcomes[index]["type"] == f"urn:lgsp:problem:{name}"
        assert outcomes[index]["status"] == status[index]
        assert outcomes[index]["title"]
        assert outcomes[index]["detail"]
    assert outcomes[4]["recipients"] == ["H99"]
    assert outcomes[6] == outcomes[7]


def test_lines_may_end_in_cr_lf_and_the_last_one_in_nothing(sender: Seat) -> None:
    one, two = (sender.who.seal(sender.event("H33.07")) for _ in range(2))
    answer = sender.bus.call("POST", "/v1/messages", f"{one}\r\n{two}", kind="application/x-ndjson")

    assert [line["id"] for line in answer.lines] == [opened(one)[1]["id"], opened(two)[1]["id"]]
    stored = sender.get(f"/v1/messages/{opened(one)[1]['id']}/envelope")
    assert stored.body.decode() == one


def test_a_thousand_lines_are_taken_in_one_go_and_one_more_is_too_large(sender: Seat) -> None:
    lines = [sender.who.seal(sender.event(RECEIVER)) for _ in range(1000)]
    begin = time.monotonic()
    answer = sender.bus.send_lines(lines)

    assert [line["id"] for line in answer.lines] == [opened(line)[1]["id"] for line in lines]
    assert all(line["state"] == "accepted" for line in answer.lines)
    assert time.monotonic() - begin < 20
    assert sender.bus.send_lines(["x"] * 1001).is_problem("too-large", 413)


def test_a_batch_over_32_mib_is_too_large_as_a_whole(sender: Seat) -> None:
    fresh = sender.who.seal(sender.event(RECEIVER))
    line = "A" * 1_000_000
    answer = sender.bus.send_lines([fresh] + [line] * 34)

    assert answer.is_problem("too-large", 413)
    assert sender.get(f"/v1/messages/{opened(fresh)[1]['id']}").is_problem("not-found", 404)


def test_a_batch_keeps_the_order_of_its_lines_within_a_lane(province: Province, sender: Seat) -> None:
    receiver = province.seats[RECEIVER]
    while left := receiver.lease(500):
        receiver.settle(taken=[one["delivery"] for one in left])
    events = [sender.event(RECEIVER, subject="HS-chung") for _ in range(5)]
    sender.bus.send_lines(sender.who.seal(one) for one in events)

    got = [one["event"]["id"] for one in receiver.take(5)]
    assert got == [one["id"] for one in events]


# media types and languages


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/json", "application/jose+json", "application/cloudevents-batch+json"]
)
def test_another_media_type_is_not_supported(sender: Seat, kind: str | None) -> None:
    envelope = sender.who.seal(sender.event(RECEIVER))

    assert sender.bus.call("POST", "/v1/messages", envelope, kind=kind).is_problem("unsupported-media-type", 415)


@pytest.mark.parametrize("kind", ["application/jose; charset=utf-8", "Application/JOSE"])
def test_media_types_are_compared_as_the_standard_says(sender: Seat, kind: str) -> None:
    envelope = sender.who.seal(sender.event(RECEIVER))

    assert sender.bus.call("POST", "/v1/messages", envelope, kind=kind).status == 202


def test_problems_speak_vietnamese_unless_english_is_wanted(sender: Seat) -> None:
    def told(language: str | None) -> tuple[str, str]:
        headers = {} if language is None else {"Accept-Language": language}
        answer = sender.bus.send("junk", **headers)
        assert answer.is_problem("malformed-envelope", 400)
        return answer.json["title"], answer.json["detail"]

    vietnamese, english = told(None), told("en")
    assert vietnamese != english
    assert any(ord(letter) > 127 for letter in vietnamese[0] + vietnamese[1])
    assert (english[0] + english[1]).isascii()
    assert (
        told("vi") == told("vi-VN,vi;q=0.9,en;q=0.8") == told("fr") == told("*") == told("en;q=0.1, vi") == vietnamese
    )
    assert told("en-US,en;q=0.9") == told("en-GB") == told("vi;q=0.2,en;q=0.7") == english


def test_violations_speak_the_wanted_language_too(sender: Seat) -> None:
    envelope = sender.who.seal(sender.event(RECEIVER, data={"text": 7}))
    told = [
        sender.bus.send(envelope, **{"Accept-Language": tag}).json["violations"][0]["message"] for tag in ("vi", "en")
    ]

    assert told[0] != told[1]


def test_other_methods_are_not_allowed(bus: Bus) -> None:
    for method, path in (
        ("GET", "/v1/messages"),
        ("PUT", "/v1/messages"),
        ("DELETE", f"/v1/messages/{uuid.uuid4()}"),
        ("GET", "/v1/inbox/lease"),
        ("GET", "/oauth2/token"),
        ("POST", "/.well-known/jwks.json"),
    ):
        answer = bus.call(method, path)
        assert answer.is_problem("method-not-allowed", 405)
        assert answer.headers["allow"]


def test_a_path_that_is_none_is_not_found(bus: Bus) -> None:
    for path in ("/v1", "/v1/nothing", "/v2/messages", "/v1/messages/"):
        assert bus.get(path).is_problem("not-found", 404)


# events without a signature


def secret_token(province: Province) -> str:
    secret = (province.folder / "keys/H33.06-old.secret").read_text().strip()
    answer = province.bus.form(grant_type="client_credentials", client_id="H33.06/old", client_secret=secret)
    assert answer.status == 200, answer
    return str(answer.json["access_token"])


def unsigned(bus: Bus, sent: Record | bytes, token: str | None) -> Answer:
    body = sent if isinstance(sent, bytes) else encode(sent)
    return bus.call("POST", "/v1/messages", body, kind="application/cloudevents+json", token=token)


def test_the_bus_signs_for_a_system_that_is_registered_so(province: Province, sender: Seat) -> None:
    token = secret_token(province)
    sent = event("H33.06/old", RECEIVER)
    answer = unsigned(province.bus, sent, token)

    assert answer.status == 202
    envelope = province.bus.get(f"/v1/messages/{sent['id']}/envelope", token).body.decode()
    header, payload = opened(envelope)
    assert payload == sent | {"sealedby": GATEWAY}
    assert header["typ"] == "ce+jws"
    about = province.bus.get(f"/v1/certificates/{header['x5t#S256']}", token)
    assert about.status == 200
    assert b"BEGIN CERTIFICATE" in about.body
    assert b"H33.06/old" in about.body
    assert verified(envelope, key_of(about.json["pem"])) == payload
    again = unsigned(province.bus, sent, token)
    assert again.json == answer.json
    assert unsigned(province.bus, json.dumps(sent, indent=1).encode(), token).is_problem("conflict", 409)


def test_the_bus_signs_for_nobody_else(province: Province, sender: Seat) -> None:
    token = secret_token(province)

    assert unsigned(province.bus, event("H33.06/old", RECEIVER), None).is_problem("sealing-not-allowed", 403)
    assert unsigned(province.bus, event("H33.06/twin", RECEIVER), token).is_problem("sealing-not-allowed", 403)
    assert unsigned(province.bus, event(SENDER, RECEIVER), token).is_problem("sealing-not-allowed", 403)
    assert unsigned(province.bus, event(SENDER, RECEIVER), sender.token).is_problem("sealing-not-allowed", 403)
    assert unsigned(province.bus, event("H33.06/old", RECEIVER), sender.token).is_problem("sealing-not-allowed", 403)


def test_an_unsigned_event_is_judged_like_any_other(province: Province) -> None:
    token, bus = secret_token(province), province.bus
    plain = event("H33.06/old", RECEIVER)

    assert unsigned(bus, b"[]", token).is_problem("malformed-envelope", 400)
    assert unsigned(bus, plain | {"sealedby": GATEWAY}, token).is_problem("malformed-envelope", 400)
    assert unsigned(bus, plain | {"priority": "x"}, token).is_problem("malformed-envelope", 400)
    assert unsigned(bus, plain | {"data": {"text": 7}}, token).is_problem("contract-violation", 422)
    assert unsigned(bus, plain | {"to": STRANGER}, token).is_problem("no-agreement", 403)
    assert unsigned(bus, plain | {"time": moment(3600)}, token).is_problem("stale", 422)


# what became of it


def test_the_sender_sees_its_message_with_every_delivery(sender: Seat) -> None:
    envelope = sender.who.seal(sent := sender.event("H33.07"))
    sender.bus.send(envelope)
    seen = sender.message(sent["id"])

    assert seen["accepted_at"].endswith("Z")
    known = ("id", "source", "type", "version", "subject", "digest")
    assert {name: seen[name] for name in known} == {
        "id": sent["id"],
        "source": SENDER,
        "type": "note.made",
        "version": "1.0",
        "subject": sent["subject"],
        "digest": sha256(envelope.encode()),
    }
    assert sorted(one["recipient"] for one in seen["deliveries"]) == ["H33.07/copy", "H33.07/dms"]
    assert {one["state"] for one in seen["deliveries"]} == {"queued"}
    assert all(one["attempts"] == [] for one in seen["deliveries"])
    assert len({one["delivery"] for one in seen["deliveries"]}) == 2


def test_a_recipient_sees_its_own_delivery_only(province: Province, sender: Seat, operator: str) -> None:
    identifier = sender.send("H33.07")
    seen = province.seats[RECEIVER].message(identifier)
    of_operator = province.bus.get(f"/v1/messages/{identifier}", operator)

    assert [one["recipient"] for one in seen["deliveries"]] == [RECEIVER]
    assert len(of_operator.json["deliveries"]) == 2


def test_what_one_may_not_see_is_not_found(province: Province, sender: Seat) -> None:
    identifier = sender.send(RECEIVER)
    stranger, copy = province.seats[STRANGER], province.seats["H33.07/copy"]

    for path in (f"/v1/messages/{identifier}", f"/v1/messages/{identifier}/envelope"):
        assert stranger.get(path).is_problem("not-found", 404)
        assert copy.get(path).is_problem("not-found", 404)
        assert province.bus.get(path).is_problem("unauthenticated", 401)
        assert province.bus.get(path, "nonsense").is_problem("unauthenticated", 401)
    for nothing in (str(uuid.uuid4()), "nonsense", "..%2f..", "%00"):
        assert sender.get(f"/v1/messages/{nothing}").is_problem("not-found", 404)


def test_the_original_bytes_are_there_for_sender_recipient_and_operator(
    province: Province, sender: Seat, operator: str
) -> None:
    envelope = sender.who.seal(sent := sender.event(RECEIVER))
    sender.bus.send(envelope)

    for token in (sender.token, province.seats[RECEIVER].token, operator):
        answer = province.bus.get(f"/v1/messages/{sent['id']}/envelope", token)
        assert (answer.status, answer.body.decode()) == (200, envelope)
        assert answer.headers["content-type"] == "application/jose"


# certificates and contracts


def test_a_certificate_is_for_those_who_may_exchange_with_its_system(
    province: Province, sender: Seat, operator: str
) -> None:
    path = f"/v1/certificates/{sender.who.thumbprint}"

    for token in (sender.token, province.seats[RECEIVER].token, operator):
        answer = province.bus.get(path, token)
        assert answer.status == 200
        assert answer.json["pem"].encode() == sender.who.certificate_pem
        assert answer.json["system"] == SENDER
    assert province.seats[STRANGER].get(path).is_problem("not-found", 404)
    assert province.bus.get(path).status in {401, 404}
    assert sender.get("/v1/certificates/AAAA").is_problem("not-found", 404)


def test_the_gateways_own_certificate_is_for_everybody(province: Province) -> None:
    pem = (province.folder / "keys/gateway.crt").read_bytes()
    thumbprint = b64(x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()))

    for token in (None, province.seats[STRANGER].token):
        answer = province.bus.get(f"/v1/certificates/{thumbprint}", token)
        assert answer.status == 200
        assert (answer.json["pem"].encode(), answer.json["system"]) == (pem, GATEWAY)


def test_a_contract_is_shown_with_schema_and_examples(sender: Seat) -> None:
    shown = sender.get("/v1/contracts/note.made/1.0").json

    assert {name: shown[name] for name in ("name", "version", "kind")} == {
        "name": "note.made",
        "version": "1.0",
        "kind": "message",
    }
    assert shown["state"]
    assert shown["title"]
    assert shown["schema"]["required"] == ["text"]
    assert shown["examples"] == [{"text": "Thông báo"}]
    for unknown in ("note.made/9.9", "none.such/1.0"):
        assert sender.get(f"/v1/contracts/{unknown}").is_problem("not-found", 404)


def test_all_contracts_are_listed(sender: Seat) -> None:
    listed = sender.get("/v1/contracts")

    assert listed.status == 200
    named = {(one["name"], one["version"]) for one in listed.json["contracts"]}
    built_in = {("document.issued", "1.0"), ("document.issued", "2.0"), ("document.status", "1.0")}
    receipts = {(f"receipt.{kind}", "1.0") for kind in ("delivered", "refused", "expired", "discarded")}
    assert built_in | receipts | {("note.made", "1.0"), ("ask.put", "1.0")} <= named


# files


def test_a_file_that_one_may_not_have_is_as_if_absent(bus: Bus, sender: Seat) -> None:
    for name in ("0" * 64, "nonsense", "0" * 63):
        assert sender.get(f"/v1/files/{name}").is_problem("not-found", 404)
        assert bus.get(f"/v1/files/{name}").is_problem("unauthenticated", 401)


# durability


def test_what_was_accepted_survives_a_power_cut_and_a_repeat_is_known_after_it(tmp_path: Any) -> None:
    with Province(tmp_path / "tinh") as province:
        province.contract("note.made")
        sender = province.one(SENDER)
        receiver = province.one(RECEIVER, wants("note.made/1.0"))
        province.agreement()
        province.apply()
        province.serve()
        sent = [sender.who.seal(sender.event(RECEIVER)) for _ in range(20)]
        first = [sender.bus.send(one).json for one in sent]
        province.kill()
        province.serve()

        assert [sender.bus.send(one).json for one in sent] == first
        changed = opened(sent[0])[1] | {"subject": "khác"}
        assert sender.bus.send(sender.who.seal(changed)).is_problem("conflict", 409)
        assert {one["event"]["id"] for one in receiver.take(20)} == {one["id"] for one in first}
        assert receiver.lease(500) == []
