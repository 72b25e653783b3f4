"""GET /v1/messages/{id}: who may see what became of a message."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from gateway.core.faults import TransientFailure
from gateway.core.jws import split
from gateway.core.retention import Ages
from gateway.relay.retire import Retire
from gateway.store.memory import MemoryLedger
from gateway.store.memory_retention import MemoryRetention
from tests.api.hall import OPERATOR, Hall, conforms

DAY = 86400.0


async def sent(hall: Hall, **override: Any) -> str:
    answer = await hall.publish(hall.town.envelope(**override))
    assert answer.status == 202, answer.body
    return str(answer.json["id"])


async def test_the_sender_sees_every_delivery_with_its_attempts(hall: Hall) -> None:
    hall.town.desk("H33.16/dms").script.append(TransientFailure("closed for lunch", 503))
    name = await sent(hall, to="H33.16 H33.20")
    await hall.town.work()

    answer = await hall.get(f"/v1/messages/{name}", token=await hall.token("H33.05/dms"))

    assert answer.status == 200
    conforms("Message", answer.json)
    assert answer.json["source"] == "H33.05/dms"
    assert answer.json["accepted_at"] == "2026-11-23T01:00:00.000Z"
    failed, waiting = answer.json["deliveries"]
    assert (failed["recipient"], failed["state"]) == ("H33.16/dms", "queued")
    assert failed["next_attempt_at"] > answer.json["accepted_at"]
    assert [(each["number"], each["outcome"], each["status"]) for each in failed["attempts"]] == [(1, "failed", 503)]
    assert (waiting["recipient"], waiting["attempts"]) == ("H33.20/dms", [])


async def test_a_delivery_that_arrived_has_no_next_attempt(hall: Hall) -> None:
    name = await sent(hall)
    await hall.town.work()

    (delivery,) = (await hall.get(f"/v1/messages/{name}", token=OPERATOR)).json["deliveries"]

    assert (delivery["state"], delivery["attempts"][0]["outcome"]) == ("delivered", "taken")
    assert "next_attempt_at" not in delivery


async def test_a_blocked_delivery_names_the_one_before_it(hall: Hall) -> None:
    first = await sent(hall, to="H33.20")
    second = await sent(hall, to="H33.20")

    (ahead,) = (await hall.get(f"/v1/messages/{first}", token=OPERATOR)).json["deliveries"]
    (behind,) = (await hall.get(f"/v1/messages/{second}", token=OPERATOR)).json["deliveries"]

    assert (behind["state"], behind["blocked_by"]) == ("blocked", ahead["delivery"])


async def test_a_recipient_sees_its_own_delivery_only(hall: Hall) -> None:
    name = await sent(hall, to="H33.16 H33.20")

    answer = await hall.get(f"/v1/messages/{name}", token=await hall.token("H33.20/dms"))

    assert [each["recipient"] for each in answer.json["deliveries"]] == ["H33.20/dms"]


async def test_an_operator_sees_all_of_it(hall: Hall) -> None:
    name = await sent(hall, to="H33.16 H33.20")

    assert len((await hall.get(f"/v1/messages/{name}", token=OPERATOR)).json["deliveries"]) == 2


@pytest.mark.parametrize("path", ["", "/envelope"])
async def test_for_anyone_else_there_is_no_such_message(hall: Hall, path: str) -> None:
    name = await sent(hall)
    token = await hall.token("H33.20/dms")

    stranger = await hall.get(f"/v1/messages/{name}{path}", token=token)
    nothing = await hall.get(f"/v1/messages/019398f0-6b3a-7c41-9d1e-4a5b6c7d8e9f{path}", token=token)
    nonsense = await hall.get(f"/v1/messages/not-a-uuid{path}", token=token)

    assert stranger.problem("not-found", 404) == nothing.problem("not-found", 404)
    assert nonsense.problem("not-found", 404)


async def test_ids_compare_without_case(hall: Hall) -> None:
    name = await sent(hall)
    token = await hall.token("H33.05/dms")

    assert (await hall.get(f"/v1/messages/{name.upper()}", token=token)).json["id"] == name
    assert (await hall.get(f"/v1/messages/{name.upper()}/envelope", token=token)).status == 200


async def test_the_envelope_is_the_one_that_was_signed_byte_for_byte(hall: Hall) -> None:
    envelope = hall.town.envelope()
    name = (await hall.publish(envelope)).json["id"]

    for token in (await hall.token("H33.05/dms"), await hall.token("H33.16/dms"), OPERATOR):
        answer = await hall.get(f"/v1/messages/{name}/envelope", token=token)

        assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "application/jose", envelope)


async def test_an_operator_who_reads_a_message_is_remembered(hall: Hall) -> None:
    name = await sent(hall)
    await hall.get(f"/v1/messages/{name}/envelope", token=OPERATOR)

    rows = [json.loads(leaf) for _, kind, leaf in await hall.town.ledger.journal() if kind == "audit"]

    assert any(row.get("audit") == "message.read" and row["details"] == {"id": name} for row in rows)


async def test_a_translation_answers_as_its_original(hall: Hall) -> None:
    name = await sent(hall, to="H33.30")
    await hall.town.work()
    (parcel,) = hall.town.desk("H33.30/dms").parcels
    derived = json.loads(split(parcel.body).payload)["id"]
    assert derived != name

    answer = await hall.get(f"/v1/messages/{derived}", token=await hall.token("H33.30/dms"))

    assert (answer.json["id"], answer.json["version"]) == (name, "1.0")


async def test_the_digest_is_that_of_the_envelope(hall: Hall) -> None:
    envelope = hall.town.envelope()
    name = (await hall.publish(envelope)).json["id"]

    answer = await hall.get(f"/v1/messages/{name}", token=OPERATOR)

    assert answer.json["digest"] == f"sha-256:{hashlib.sha256(envelope).hexdigest()}"


# -------------------------------------------------------------------------------------------------- after retention


async def aged(hall: Hall, ages: Ages) -> None:
    """Let everything grow old, once its sender was told what is owed, and go."""
    await hall.town.sweep.once()
    ledger = hall.town.ledger
    assert isinstance(ledger, MemoryLedger)
    hall.town.clock.moment += 100 * DAY
    await Retire(ledger, MemoryRetention(ledger), ages, hall.town.clock, "retention:one").once()


async def test_without_its_data_a_message_is_known_and_its_envelope_is_not(hall: Hall) -> None:
    envelope = hall.town.envelope()
    name = str((await hall.publish(envelope)).json["id"])
    await hall.town.work()

    await aged(hall, Ages(data=30 * DAY, attempts=30 * DAY))

    token = await hall.token("H33.05/dms")
    told = await hall.get(f"/v1/messages/{name}", token=token)
    conforms("Message", told.json)
    assert [(each["state"], each["attempts"]) for each in told.json["deliveries"]] == [("delivered", [])]
    (await hall.get(f"/v1/messages/{name}/envelope", token=token)).problem("not-found", 404)


async def test_without_its_metadata_nothing_is_known_and_a_repeat_gets_the_first_answer(hall: Hall) -> None:
    envelope = hall.town.envelope()
    first = await hall.publish(envelope)
    await hall.town.work()

    await aged(hall, Ages(data=30 * DAY, attempts=30 * DAY, metadata=30 * DAY))

    token = await hall.token("H33.05/dms")
    for path in ("", "/envelope"):
        assert (await hall.get(f"/v1/messages/{first.json['id']}{path}", token=token)).status == 404
    again = await hall.publish(envelope)
    assert again.json["receipt"] == first.json["receipt"]
    assert again.json["id"] == first.json["id"]
