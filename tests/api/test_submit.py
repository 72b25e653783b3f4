"""POST /v1/messages: what 202 promises, how a batch answers, for whom the bus signs."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.jws import split
from tests.api.hall import Hall, conforms, open_hall, system_of

NDJSON = "application/x-ndjson"
UNSIGNED = "application/cloudevents+json"


async def test_an_accepted_message_gets_its_address_its_recipients_and_its_receipt(hall: Hall) -> None:
    event = hall.town.event(to="H33.16 H33.20/dms")

    answer = await hall.publish(hall.town.envelope(**event))

    assert answer.status == 202
    conforms("Accepted", answer.json)
    assert answer.headers["Location"] == f"/v1/messages/{event['id']}"
    assert answer.json["id"] == event["id"]
    assert answer.json["state"] == "accepted"
    assert answer.json["recipients"] == ["H33.16/dms", "H33.20/dms"]
    assert split(answer.json["receipt"].encode()).header.typ == "receipt+jws"


async def test_a_repeat_gets_the_very_same_answer(hall: Hall) -> None:
    envelope = hall.town.envelope()

    first, again = await hall.publish(envelope), await hall.publish(envelope)

    assert (first.status, first.body) == (again.status, again.body)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
async def test_one_line_end_is_no_part_of_the_envelope(hall: Hall, end: bytes) -> None:
    envelope = hall.town.envelope()

    assert (await hall.publish(envelope + end)).status == 202
    assert await hall.town.ledger.envelope(json.loads(split(envelope).payload)["id"]) == envelope


async def test_two_line_ends_are_one_too_many(hall: Hall) -> None:
    (await hall.publish(hall.town.envelope() + b"\n\n")).problem("malformed-envelope", 400)


@pytest.mark.parametrize("kind", ["application/jose; charset=utf-8", "Application/JOSE", "application/jose ;x=y"])
async def test_a_media_type_may_carry_parameters_and_any_case(hall: Hall, kind: str) -> None:
    assert (await hall.publish(hall.town.envelope(), kind=kind)).status == 202


async def test_a_message_to_nobody_is_accepted_with_an_empty_list(hall: Hall) -> None:
    hall.register(replace(system_of(hall, "H33.16/dms"), subscriptions={}), without=["H33.20", "H33.30"])

    answer = await hall.publish(hall.town.envelope(to=None))

    assert (answer.status, answer.json["recipients"]) == (202, [])


# ------------------------------------------------------------------------------------------------------ batches


async def test_a_batch_answers_line_by_line_in_order(hall: Hall) -> None:
    events = [hall.town.event(subject=f"number {number}") for number in range(12)]
    lines = [hall.town.envelope(**event) for event in events]
    lines[3] = b"no envelope"
    lines[7] = b""

    answer = await hall.publish(b"\n".join(lines) + b"\n", kind=NDJSON)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == NDJSON
    assert len(answer.lines) == 12
    for number, line in enumerate(answer.lines):
        conforms("Outcome", line)
        if number in (3, 7):
            assert (line["type"], line["status"]) == ("urn:lgsp:problem:malformed-envelope", 400)
        else:
            assert line["id"] == events[number]["id"]


async def test_one_bad_line_spoils_no_other(hall: Hall) -> None:
    good = hall.town.envelope()

    answer = await hall.publish(good + b"\r\n" + b"{}\r\n" + hall.town.envelope(to="H33.99"), kind=NDJSON)

    assert [line.get("state") or line["status"] for line in answer.lines] == ["accepted", 400, 422]
    assert answer.lines[2]["recipients"] == ["H33.99"]


async def test_line_ends_may_be_cr_lf_and_the_last_one_may_be_left_out(hall: Hall) -> None:
    one, two = hall.town.envelope(), hall.town.envelope(subject="two")
    bodies = [one + b"\r\n" + two, one + b"\n" + two + b"\r\n", one + b"\n" + two]

    for body in bodies:
        answer = await hall.publish(body, kind=NDJSON)

        assert [line["state"] for line in answer.lines] == ["accepted", "accepted"]


async def test_a_lone_carriage_return_at_the_end_belongs_to_the_line(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope() + b"\r", kind=NDJSON)

    assert [line["status"] for line in answer.lines] == [400]


async def test_an_empty_batch_has_no_outcomes_and_an_empty_line_has_one(hall: Hall) -> None:
    empty, one_line = await hall.publish(b"", kind=NDJSON), await hall.publish(b"\n", kind=NDJSON)

    assert (empty.status, empty.body) == (200, b"")
    assert [line["status"] for line in one_line.lines] == [400]


async def test_a_line_over_a_mebibyte_fails_alone(hall: Hall) -> None:
    answer = await hall.publish(b"x" * (2**20 + 1) + b"\n" + hall.town.envelope(), kind=NDJSON)

    assert [line.get("state") or line["type"] for line in answer.lines] == ["urn:lgsp:problem:too-large", "accepted"]


async def test_a_thousand_lines_are_a_batch_and_one_more_is_too_many(hall: Hall) -> None:
    at_most, one_more = b"x\n" * 1000, b"x\n" * 1001

    assert len((await hall.publish(at_most, kind=NDJSON)).lines) == 1000
    (await hall.publish(one_more, kind=NDJSON)).problem("too-large", 413)


async def test_a_batch_over_its_bytes_is_too_large_as_a_whole(hall: Hall, tmp_path: Path) -> None:
    assert hall.doors.limits.batch == 32 * 1024 * 1024
    async with open_hall(tmp_path, limits=replace(hall.doors.limits, batch=5000)) as small:
        (await small.publish(b"x\n" * 2501, kind=NDJSON)).problem("too-large", 413)


async def test_a_batch_repeats_the_first_answers(hall: Hall) -> None:
    body = b"\n".join(hall.town.envelope(subject=str(number)) for number in range(10))

    first, again = await hall.publish(body, kind=NDJSON), await hall.publish(body, kind=NDJSON)

    assert first.body == again.body


async def test_the_same_id_twice_in_a_batch_is_one_message(hall: Hall) -> None:
    envelope = hall.town.envelope()

    answer = await hall.publish(envelope + b"\n" + envelope, kind=NDJSON)

    assert answer.lines[0] == answer.lines[1]


async def test_problems_in_a_batch_speak_the_callers_language(hall: Hall) -> None:
    answer = await hall.publish(b"x\n", kind=NDJSON, headers={"Accept-Language": "en"})

    assert answer.lines[0]["title"] == "The envelope is malformed"
    assert answer.headers["Content-Language"] == "en"


# ----------------------------------------------------------------------------------------------- unsigned events


@pytest.fixture
async def sealed_for(hall: Hall) -> Hall:
    """A town in which the bus signs for H33.05/dms."""
    hall.register(replace(system_of(hall, "H33.05/dms"), sealing="gateway"))
    return hall


async def test_the_bus_signs_for_a_system_that_leaves_it_to_the_bus(sealed_for: Hall) -> None:
    event = sealed_for.town.event()
    token = await sealed_for.token("H33.05/dms")

    answer = await sealed_for.publish(json.dumps(event).encode(), kind=UNSIGNED, token=token)

    assert answer.status == 202
    envelope = await sealed_for.town.ledger.envelope(event["id"])
    assert envelope is not None
    assert json.loads(split(envelope).payload)["sealedby"] == "H33.14/lgsp"
    assert split(envelope).header.thumbprint == sealed_for.town.signers["H33.05/dms"].thumbprint


async def test_the_same_posted_bytes_are_the_same_message(sealed_for: Hall) -> None:
    event = sealed_for.town.event()
    token = await sealed_for.token("H33.05/dms")
    body = json.dumps(event).encode()

    first = await sealed_for.publish(body, kind=UNSIGNED, token=token)
    again = await sealed_for.publish(body, kind=UNSIGNED, token=token)
    other = await sealed_for.publish(body + b" ", kind=UNSIGNED, token=token)

    assert first.body == again.body
    other.problem("conflict", 409)


async def test_a_system_that_signs_itself_is_not_signed_for(hall: Hall) -> None:
    token = await hall.token("H33.05/dms")

    answer = await hall.publish(json.dumps(hall.town.event()).encode(), kind=UNSIGNED, token=token)

    answer.problem("sealing-not-allowed", 403)


async def test_nobody_is_signed_for_under_anothers_name(sealed_for: Hall) -> None:
    token = await sealed_for.token("H33.05/dms")

    answer = await sealed_for.publish(
        json.dumps(sealed_for.town.event("H33.16/dms")).encode(), kind=UNSIGNED, token=token
    )

    answer.problem("sealing-not-allowed", 403)


async def test_a_token_that_is_not_good_opens_no_seal_and_the_caller_learns_it(sealed_for: Hall) -> None:
    answer = await sealed_for.publish(b"{}", kind=UNSIGNED, token="a.b.c")

    answer.problem("sealing-not-allowed", 403)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_an_unsigned_event_that_is_not_json_is_malformed(sealed_for: Hall) -> None:
    token = await sealed_for.token("H33.05/dms")

    (await sealed_for.publish(b'{"id":1,"id":2}', kind=UNSIGNED, token=token)).problem("malformed-envelope", 400)


async def test_ids_are_kept_as_first_sent(hall: Hall) -> None:
    name = str(uuid.uuid4()).upper()

    answer = await hall.publish(hall.town.envelope(id=name))

    assert answer.json["id"] == name
    assert answer.headers["Location"] == f"/v1/messages/{name}"
