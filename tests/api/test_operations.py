"""Health, metrics, keys, and the line that each request leaves in the log."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import structlog

from tests.api.hall import OPERATOR, Hall, conforms, open_hall


async def test_alive_is_alive_whatever_else_is_wrong(hall: Hall) -> None:
    hall.readiness["ledger"] = False

    answer = await hall.get("/health/live")

    assert (answer.status, answer.json) == (200, {"status": "live"})


async def test_ready_only_while_it_accepts_and_delivers(hall: Hall) -> None:
    ready = await hall.get("/health/ready")
    hall.readiness["ledger"] = False
    not_ready = await hall.get("/health/ready")

    conforms("Ready", ready.json)
    conforms("Ready", not_ready.json)
    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert (not_ready.status, not_ready.json["checks"]) == (503, {"ledger": False, "dispatch": True})


async def test_metrics_are_open_on_loopback_and_count_what_happens(hall: Hall) -> None:
    await hall.publish(hall.town.envelope())

    answer = await hall.get("/metrics")

    assert answer.status == 200
    assert re.search(rb'lgsp_messages_total\{outcome="accepted"\} [1-9]', answer.body)
    assert re.search(rb'lgsp_requests_total\{door="/v1/messages",method="POST",status="202"\} [1-9]', answer.body)


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Anything"])
async def test_metrics_behind_a_proxy_need_an_operator(hall: Hall, header: str) -> None:
    headers = {header: "192.0.2.7"}

    (await hall.get("/metrics", headers=headers)).problem("unauthenticated", 401)
    assert (await hall.get("/metrics", headers=headers, token=OPERATOR)).status == 200


async def test_metrics_on_an_open_listener_need_an_operator(tmp_path: Path) -> None:
    async with open_hall(tmp_path, is_loopback=False) as hall:
        (await hall.get("/metrics")).problem("unauthenticated", 401)
        (await hall.get("/metrics", token=await hall.token("H33.05/dms"))).problem("forbidden", 403)
        assert (await hall.get("/metrics", token=OPERATOR)).status == 200


async def test_the_keys_are_open_to_everybody(hall: Hall) -> None:
    answer = await hall.get("/.well-known/jwks.json")

    assert answer.status == 200
    conforms("Jwks", answer.json)
    assert len({key["kid"] for key in answer.json["keys"]}) == 2


async def test_a_request_writes_one_line_without_what_was_said(hall: Hall) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with structlog.testing.capture_logs() as lines:
        answer = await hall.publish(
            hall.town.envelope(subject="a very telling subject"),
            headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )

    (line,) = [each for each in lines if each["event"] == "request.answered"]
    assert (line["door"], line["status"], line["message_id"]) == ("/v1/messages", 202, answer.json["id"])
    assert line["trace_id"] == trace
    assert "telling" not in json.dumps(lines)


async def test_a_refusal_is_logged_with_its_problem_and_the_caller(hall: Hall) -> None:
    token = await hall.token("H33.16/dms")
    with structlog.testing.capture_logs() as lines:
        await hall.ask("POST", "/v1/inbox/lease", token=token, json={})

    (line,) = [each for each in lines if each["event"] == "request.answered"]
    assert (line["problem"], line["agency"]) == ("forbidden", "H33.16/dms")
    assert token not in json.dumps(lines)


@pytest.mark.parametrize(
    ("kind", "problem"), [("application/jose", "malformed-envelope"), ("text/plain", "unsupported-media-type")]
)
async def test_a_message_that_was_not_taken_is_logged_with_its_problem(hall: Hall, kind: str, problem: str) -> None:
    with structlog.testing.capture_logs() as lines:
        await hall.publish(b"x", kind=kind)

    assert [each["problem"] for each in lines] == [problem]


async def test_questions_of_health_are_not_logged(hall: Hall) -> None:
    with structlog.testing.capture_logs() as lines:
        await hall.get("/health/live")
        await hall.get("/metrics")

    assert lines == []
