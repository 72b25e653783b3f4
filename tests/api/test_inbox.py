"""The inbox doors: lease and settle, their bounds, and waiting without holding anything up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.core.directory import System
from tests.api.hall import OPERATOR, Answer, Hall, conforms, open_hall

ME = "H33.20/dms"


async def lease(hall: Hall, token: str, **body: Any) -> Answer:
    return await hall.ask("POST", "/v1/inbox/lease", token=token, json=body)


async def settle(hall: Hall, token: str, **body: Any) -> Answer:
    return await hall.ask("POST", "/v1/inbox/settle", token=token, json=body)


async def send(hall: Hall, count: int = 1) -> list[str]:
    answers = [
        await hall.publish(hall.town.envelope(to="H33.20", subject=f"subject {number}")) for number in range(count)
    ]
    return [answer.json["id"] for answer in answers]


async def test_a_recipient_leases_and_takes_what_waits_for_it(hall: Hall) -> None:
    envelope = hall.town.envelope(to="H33.20")
    name = (await hall.publish(envelope)).json["id"]
    token = await hall.token(ME)

    leased = await lease(hall, token)

    assert leased.status == 200
    conforms("Leased", leased.json)
    (delivery,) = leased.json["deliveries"]
    assert (delivery["attempt"], delivery["envelope"].encode()) == (1, envelope)
    settled = await settle(hall, token, taken=[delivery["delivery"]])
    conforms("Settled", settled.json)
    assert settled.json == {"settled": 1, "unknown": []}
    (told,) = (await hall.get(f"/v1/messages/{name}", token=OPERATOR)).json["deliveries"]
    assert told["state"] == "delivered"


async def test_an_empty_inbox_answers_at_once_with_nothing(hall: Hall) -> None:
    token = await hall.token(ME)

    assert (await lease(hall, token)).json == {"deliveries": []}
    assert (await hall.ask("POST", "/v1/inbox/lease", token=token)).json == {"deliveries": []}


async def test_what_is_leased_is_not_leased_again_until_the_lease_ends(hall: Hall) -> None:
    await send(hall)
    token = await hall.token(ME)
    assert len((await lease(hall, token, visibility=20)).json["deliveries"]) == 1
    assert (await lease(hall, token)).json["deliveries"] == []

    hall.town.clock.moment += 21
    await hall.town.sweep.once()

    (again,) = (await lease(hall, token)).json["deliveries"]
    assert again["attempt"] == 1


async def test_at_most_so_many_come_as_were_asked_for(hall: Hall) -> None:
    await send(hall, 12)
    token = await hall.token(ME)

    assert len((await lease(hall, token, max=5)).json["deliveries"]) == 5
    assert len((await lease(hall, token)).json["deliveries"]) == 7


async def test_a_refusal_carries_its_reason_to_the_sender(hall: Hall) -> None:
    (name,) = await send(hall)
    token = await hall.token(ME)
    (delivery,) = (await lease(hall, token)).json["deliveries"]

    await settle(hall, token, refused=[{"delivery": delivery["delivery"], "reason": "Sai nơi nhận"}])

    (told,) = (await hall.get(f"/v1/messages/{name}", token=await hall.token("H33.05/dms"))).json["deliveries"]
    assert (told["state"], told["attempts"][0]["detail"]) == ("dead", "Sai nơi nhận")


async def test_later_means_later_and_uses_up_no_attempt(hall: Hall) -> None:
    await send(hall)
    token = await hall.token(ME)
    (delivery,) = (await lease(hall, token)).json["deliveries"]

    settled = await settle(hall, token, later=[{"delivery": delivery["delivery"], "seconds": 100}])

    assert settled.json["settled"] == 1
    assert (await lease(hall, token)).json["deliveries"] == []
    hall.town.clock.moment += 101
    assert (await lease(hall, token)).json["deliveries"][0]["attempt"] == 1


async def test_ids_that_are_none_of_the_callers_come_back_as_they_were_written(hall: Hall) -> None:
    token = await hall.token(ME)

    answer = await settle(hall, token, taken=["NO-Such", {"delivery": "Nor-This"}], refused=[])

    assert answer.json == {"settled": 0, "unknown": ["NO-Such", "Nor-This"]}


async def test_ids_of_deliveries_compare_without_case(hall: Hall) -> None:
    await send(hall)
    token = await hall.token(ME)
    (delivery,) = (await lease(hall, token)).json["deliveries"]

    taken = [delivery["delivery"].upper(), delivery["delivery"]]

    assert (await settle(hall, token, taken=taken)).json == {"settled": 1, "unknown": []}


async def test_a_recipients_own_receipt_goes_with_what_it_took(hall: Hall) -> None:
    await send(hall)
    token = await hall.token(ME)
    (delivery,) = (await lease(hall, token)).json["deliveries"]

    answer = await settle(hall, token, taken=[{"delivery": delivery["delivery"], "receipt": "not.a.receipt"}])

    assert answer.json["settled"] == 1


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"max": 0}, ["/max"]),
        ({"max": 501}, ["/max"]),
        ({"max": 1.5}, ["/max"]),
        ({"max": "1"}, ["/max"]),
        ({"max": True}, ["/max"]),
        ({"max": None}, ["/max"]),
        ({"wait": -1}, ["/wait"]),
        ({"wait": 61}, ["/wait"]),
        ({"visibility": 0.5}, ["/visibility"]),
        ({"visibility": 3601, "wait": []}, ["/wait", "/visibility"]),
    ],
)
async def test_a_lease_outside_its_bounds_is_told_where(hall: Hall, body: dict[str, Any], pointers: list[str]) -> None:
    found = (await lease(hall, await hall.token(ME), **body)).problem("bad-request", 400)["violations"]

    assert [each["pointer"] for each in found] == pointers


@pytest.mark.parametrize(
    "body",
    [{"max": 1, "wait": 0, "visibility": 1}, {"max": 500, "visibility": 3600}, {"max": 10.0}, {"unknown": "member"}],
)
async def test_a_lease_within_its_bounds_is_taken_and_unknown_members_are_ignored(
    hall: Hall, body: dict[str, Any]
) -> None:
    assert (await lease(hall, await hall.token(ME), **body)).status == 200


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"taken": "id"}, ["/taken"]),
        ({"taken": [7]}, ["/taken/0/delivery"]),
        ({"taken": [{}]}, ["/taken/0/delivery"]),
        ({"taken": [{"delivery": "a", "receipt": 7}]}, ["/taken/0/receipt"]),
        ({"refused": [{"delivery": "a"}]}, ["/refused/0/reason"]),
        ({"refused": [{"delivery": "a", "reason": " "}]}, ["/refused/0/reason"]),
        ({"refused": ["a"]}, ["/refused/0/delivery", "/refused/0/reason"]),
        ({"later": [{"delivery": "a"}]}, ["/later/0/seconds"]),
        ({"later": [{"delivery": "a", "seconds": -1}]}, ["/later/0/seconds"]),
        ({"taken": ["a"], "refused": [{"delivery": "A", "reason": "r"}]}, [""]),
        ({"taken": ["a"] * 5001}, ["/taken"]),
    ],
)
async def test_a_settlement_that_is_not_as_described_settles_nothing(
    hall: Hall, body: dict[str, Any], pointers: list[str]
) -> None:
    found = (await settle(hall, await hall.token(ME), **body)).problem("bad-request", 400)["violations"]

    assert [each["pointer"] for each in found] == pointers


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b'{"max":1,"max":2}', b'{"max":1e999}', b"\xff"])
async def test_a_body_that_is_no_strict_json_object_is_a_bad_request(hall: Hall, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    answer = await hall.ask("POST", "/v1/inbox/lease", token=await hall.token(ME), data=body, headers=headers)

    assert answer.problem("bad-request", 400)["violations"]


async def test_a_body_of_another_type_is_not_taken(hall: Hall) -> None:
    answer = await hall.ask("POST", "/v1/inbox/lease", token=await hall.token(ME), data={"max": "1"})

    answer.problem("unsupported-media-type", 415)


@pytest.mark.parametrize("path", ["/v1/inbox/lease", "/v1/inbox/settle"])
async def test_only_a_system_that_pulls_has_an_inbox(hall: Hall, path: str) -> None:
    (await hall.ask("POST", path, json={})).problem("unauthenticated", 401)
    (await hall.ask("POST", path, json={}, token=OPERATOR)).problem("forbidden", 403)
    (await hall.ask("POST", path, json={}, token=await hall.token("H33.16/dms"))).problem("forbidden", 403)


class Patient:
    """A Pull whose lease ends when told; it remembers whether it was broken off."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.broken_off = asyncio.Event()

    async def lease(self, system: System, *, max: int, wait: float, visibility: float) -> Sequence[Any]:
        self.began.set()
        try:
            await asyncio.sleep(wait)
        except asyncio.CancelledError:
            self.broken_off.set()
            raise
        return ()

    async def settle(self, system: System, **_: Any) -> tuple[int, list[str]]:
        return 0, []


async def test_a_lease_that_waits_ends_when_its_time_is_over(tmp_path: Path) -> None:
    async with open_hall(tmp_path, pull=Patient()) as hall:
        began = time.monotonic()

        answer = await lease(hall, await hall.token(ME), wait=0.2)

        assert answer.json == {"deliveries": []}
        assert 0.15 < time.monotonic() - began < 5


async def test_a_lease_that_waits_does_not_outlive_its_caller(tmp_path: Path) -> None:
    pull = Patient()
    async with open_hall(tmp_path, pull=pull) as hall:
        asking = asyncio.create_task(lease(hall, await hall.token(ME), wait=60))
        await pull.began.wait()
        asking.cancel()

        await asyncio.wait_for(pull.broken_off.wait(), 5)


async def test_leases_that_wait_end_empty_handed_when_the_gateway_stops(tmp_path: Path) -> None:
    pull = Patient()
    began = time.monotonic()
    async with open_hall(tmp_path, pull=pull) as hall:
        asking = asyncio.create_task(lease(hall, await hall.token(ME), wait=60))
        await pull.began.wait()
        closing = asyncio.create_task(close(hall))
        answer = await asking
        await closing

    assert answer.json == {"deliveries": []}
    assert time.monotonic() - began < 5


async def close(hall: Hall) -> None:
    await hall.runner.cleanup()
