"""Every problem the doors can answer: its name, its status, its two languages, and what it never says."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from aiohttp import web

from gateway.api.language import preferred
from gateway.api.problems import STATUS, answer, from_http, problem
from gateway.core.directory import System
from gateway.core.faults import PROBLEMS, Busy, Fault, IllegalStep, Rejected, Text, Violation
from gateway.ports import Accepted
from tests.api.hall import Hall, open_hall, system_of
from tests.town import a_pair, document


async def test_something_that_is_no_envelope_is_malformed(hall: Hall) -> None:
    answer = await hall.publish(b"not a JWS at all")

    answer.problem("malformed-envelope", 400)


async def test_a_member_out_of_bounds_is_a_bad_request_with_its_pointer(hall: Hall) -> None:
    token = await hall.token("H33.20/dms")

    answer = await hall.ask("POST", "/v1/inbox/lease", token=token, json={"max": 501, "wait": "soon"})

    found = answer.problem("bad-request", 400)["violations"]
    assert [(each["pointer"], each["rule"]) for each in found] == [("/max", "maximum"), ("/wait", "type")]


async def test_a_certificate_that_nobody_registered_is_an_unknown_signer(hall: Hall) -> None:
    hall.town.signers["H33.05/dms"], _ = a_pair("a stranger")

    answer = await hall.publish(hall.town.envelope())

    answer.problem("unknown-signer", 401)
    assert answer.headers["WWW-Authenticate"].startswith("JWS ")


async def test_a_payload_changed_after_signing_is_a_bad_signature(hall: Hall) -> None:
    head, _, tail = hall.town.envelope().split(b".")
    _, other, _ = hall.town.envelope(subject="another").split(b".")

    answer = await hall.publish(b".".join((head, other, tail)))

    answer.problem("bad-signature", 401)


async def test_a_door_that_needs_a_token_says_so(hall: Hall) -> None:
    for path in ("/v1/messages/019398f0-6b3a-7c41-9d1e-4a5b6c7d8e9f", "/v1/contracts", f"/v1/files/{'0' * 64}"):
        answer = await hall.get(path)

        answer.problem("unauthenticated", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_an_inbox_is_forbidden_to_a_system_that_is_pushed_to(hall: Hall) -> None:
    answer = await hall.ask("POST", "/v1/inbox/lease", token=await hall.token("H33.16/dms"), json={})

    answer.problem("forbidden", 403)


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/you", "/v1/log/head", "/v1/queries/1", "/v1/messages/", "/../etc/passwd"]
)
async def test_a_door_that_does_not_exist_is_not_found(hall: Hall, path: str) -> None:
    (await hall.get(path)).problem("not-found", 404)


async def test_a_wrong_method_is_told_the_right_ones(hall: Hall) -> None:
    answer = await hall.ask("DELETE", "/v1/messages")

    assert "POST" in answer.problem("method-not-allowed", 405)["detail"]
    assert answer.headers["Allow"] == "POST"


async def test_a_key_of_another_system_is_not_trusted_for_this_source(hall: Hall) -> None:
    hall.town.signers["H33.05/dms"] = hall.town.signers["H33.16/dms"]

    answer = await hall.publish(hall.town.envelope("H33.05/dms"))

    answer.problem("untrusted-certificate", 403)


async def test_without_an_agreement_nothing_passes(hall: Hall) -> None:
    hall.register(agreements=False)

    answer = await hall.publish(hall.town.envelope(to="H33.16 H33.20"))

    assert answer.problem("no-agreement", 403)["recipients"] == ["H33.16", "H33.20"]


async def test_an_unsigned_event_without_a_token_is_not_sealed(hall: Hall) -> None:
    body = json.dumps(hall.town.event()).encode()

    answer = await hall.publish(body, kind="application/cloudevents+json")

    answer.problem("sealing-not-allowed", 403)


async def test_secret_documents_stay_off_the_network(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope(data=document(confidentiality="secret")))

    answer.problem("secret-content", 403)


async def test_an_id_that_another_payload_took_is_a_conflict(hall: Hall) -> None:
    event = hall.town.event()
    assert (await hall.publish(hall.town.envelope(**event))).status == 202

    answer = await hall.publish(hall.town.envelope(**{**event, "subject": "another"}))

    answer.problem("conflict", 409)


async def test_an_envelope_over_a_mebibyte_is_too_large_however_it_comes(hall: Hall) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536

    (await hall.publish(b"x" * (2**20 + 1))).problem("too-large", 413)
    (await hall.publish(b"x" * (2**20 + 3))).problem("too-large", 413)
    (await hall.ask("POST", "/v1/messages", data=pieces(), headers={"Content-Type": "application/jose"})).problem(
        "too-large", 413
    )


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_a_media_type_that_is_not_described_is_not_taken(hall: Hall, kind: str) -> None:
    (await hall.publish(hall.town.envelope(), kind=kind)).problem("unsupported-media-type", 415)


async def test_a_compressed_body_is_not_taken(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope(), headers={"Content-Encoding": "gzip"})

    answer.problem("unsupported-media-type", 415)


async def test_a_contract_that_does_not_exist_is_unknown(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope(dataschema="urn:lgsp:contract:document.issued:9.0"))

    answer.problem("unknown-contract", 422)


async def test_data_that_breaks_its_contract_is_told_where(hall: Hall) -> None:
    data = {name: value for name, value in document().items() if name != "confidentiality"}

    found = (await hall.publish(hall.town.envelope(data=data))).problem("contract-violation", 422)["violations"]

    assert any(each["rule"] == "required" and "confidentiality" in each["message"] for each in found)


async def test_a_recipient_that_nobody_registered_is_named(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope(to="H33.16 H33.99 H33.20/none"))

    assert answer.problem("unknown-recipient", 422)["recipients"] == ["H33.99", "H33.20/none"]


async def test_a_recipient_without_a_subscription_is_named(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope("H33.16/dms", to="H33.05"))

    assert answer.problem("no-subscriber", 422)["recipients"] == ["H33.05"]


async def test_a_file_that_was_never_uploaded_is_missing(hall: Hall) -> None:
    version = hall.town.catalog.find("document.issued", "1.0")
    assert version is not None
    naming = next(each.data for each in version.examples if "sha256" in str(each.data))

    answer = await hall.publish(hall.town.envelope(data=naming))

    answer.problem("missing-file", 422)


async def test_a_message_past_its_own_expiry_has_expired(hall: Hall) -> None:
    answer = await hall.publish(hall.town.envelope(expirytime="2026-11-22T00:00:00Z"))

    answer.problem("expired", 422)


async def test_a_message_from_another_month_is_stale(hall: Hall) -> None:
    (await hall.publish(hall.town.envelope(time="2026-09-01T00:00:00Z"))).problem("stale", 422)


class Broken:
    """An Accept that fails in a way nobody foresaw."""

    def __init__(self) -> None:
        self.refusals: Counter[tuple[str, int, str]] = Counter()

    async def sealed_many(self, bodies: Sequence[bytes], *, address: str) -> list[Accepted | Fault]:
        raise RuntimeError("the citizen's number is 0123456789")

    async def unsigned(self, system: System, body: bytes) -> Accepted | Fault:
        raise RuntimeError("never asked")


async def test_an_error_inside_is_told_by_a_reference_alone(tmp_path: Path) -> None:
    async with open_hall(tmp_path, accept=Broken()) as hall:
        with structlog.testing.capture_logs() as lines:
            answer = await hall.publish(b"a.b.c")

    members = answer.problem("internal", 500)
    assert b"0123456789" not in answer.body
    failed = next(line for line in lines if line["event"] == "request.failed")
    assert failed["reference"] == members["instance"]


class Full(Broken):
    """An Accept that has too much to do."""

    async def sealed_many(self, bodies: Sequence[bytes], *, address: str) -> list[Accepted | Fault]:
        raise Busy("overloaded", Text("Trục đang quá tải.", "The bus is overloaded now."), retry_after=2.2)


async def test_an_overloaded_bus_says_when_to_come_back(tmp_path: Path) -> None:
    async with open_hall(tmp_path, accept=Full()) as hall:
        answer = await hall.publish(b"a.b.c", headers={"Accept-Language": "en"})

        assert answer.status == 503
        assert answer.headers["Retry-After"] == "3"
        assert answer.json["type"] == "urn:lgsp:problem:overloaded"


async def test_bodies_in_memory_have_a_common_limit_that_is_given_back(hall: Hall, tmp_path: Path) -> None:
    limits = replace(hall.doors.limits, intake=4000)
    async with open_hall(tmp_path, limits=limits) as small:
        (await small.publish(b"x" * 5000)).problem("overloaded", 503)
        (await small.publish(b"x" * 3000)).problem("malformed-envelope", 400)
        (await small.publish(b"x" * 3000)).problem("malformed-envelope", 400)


async def test_refusals_of_strangers_are_counted_by_address_and_minute(hall: Hall) -> None:
    await hall.publish(b"x" * (2**20 + 3))
    await hall.publish(b"{}", kind="text/plain")
    await hall.publish(b"{}", kind="application/cloudevents+json")
    await hall.publish(b"not an envelope")

    minute = int(hall.town.clock.now() // 60)
    counted = {problem: count for (_, at, problem), count in hall.town.accept.refusals.items() if at == minute}
    assert counted == {
        "too-large": 1,
        "unsupported-media-type": 1,
        "sealing-not-allowed": 1,
        "malformed-envelope": 1,
    }


async def test_a_body_that_does_not_arrive_is_not_waited_for_for_ever(hall: Hall, tmp_path: Path) -> None:
    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(5)

    limits = replace(hall.doors.limits, body_seconds=0.05)
    async with open_hall(tmp_path, limits=limits) as hasty:
        answer = await hasty.ask("POST", "/v1/messages", data=never(), headers={"Content-Type": "application/jose"})

        answer.problem("bad-request", 400)


# ------------------------------------------------------------------------------------- the table and the languages


def test_every_problem_has_a_status_and_no_status_lacks_its_problem() -> None:
    assert STATUS.keys() == PROBLEMS.keys()


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_is_told_in_both_languages(name: str) -> None:
    fault = Rejected(name, Text("Tiếng Việt", "English"), (Violation("/a", "type", Text("sai", "wrong")),), ("H33.16",))

    vietnamese, english = problem(fault, "vi"), problem(fault, "en")

    assert (vietnamese["title"], english["title"]) == PROBLEMS[name]
    assert (vietnamese["detail"], english["detail"]) == ("Tiếng Việt", "English")
    assert vietnamese["violations"] == [{"pointer": "/a", "rule": "type", "message": "sai"}]
    assert english["violations"][0]["message"] == "wrong"
    assert english["recipients"] == ["H33.16"]


@pytest.mark.parametrize("name", ["rate-limited", "overloaded", "provider-unavailable"])
def test_whoever_may_try_again_is_told_when(name: str) -> None:
    assert int(answer(Busy(name, Text("a", "b")), "vi").headers["Retry-After"]) >= 1
    assert answer(Busy(name, Text("a", "b"), retry_after=0.1), "vi").headers["Retry-After"] == "1"


def test_a_step_that_the_state_does_not_allow_is_409() -> None:
    assert answer(IllegalStep("illegal-state", Text("a", "b")), "en").status == 409


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9,vi;q=0.8", "en"),
        ("vi,en", "vi"),
        ("en,vi", "en"),
        ("vi;q=0.2, en;q=0.3", "en"),
        ("en;q=0, vi", "vi"),
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "en"),
        ("*", "vi"),
        ("de", "vi"),
        ("EN", "en"),
        ("en;q=nonsense", "vi"),
        ("english", "vi"),
        (",;;q=,en;q=1;x=y" * 2000, "vi"),
    ],
)
def test_the_language_follows_what_the_caller_likes_best(header: str, language: str) -> None:
    assert preferred(header) == language


async def test_a_problem_comes_in_the_language_asked_for(hall: Hall) -> None:
    vietnamese = await hall.publish(b"x")
    english = await hall.publish(b"x", headers={"Accept-Language": "en-US,en;q=0.9"})

    assert vietnamese.headers["Content-Language"] == "vi"
    assert english.headers["Content-Language"] == "en"
    assert vietnamese.json["title"] == PROBLEMS["malformed-envelope"].vi
    assert english.json["title"] == PROBLEMS["malformed-envelope"].en
    assert english.headers["Vary"] == "Accept-Language"


def test_a_refusal_of_the_web_library_becomes_a_problem_of_ours() -> None:
    assert from_http(web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2), "vi").status == 413
    assert from_http(web.HTTPUnsupportedMediaType(), "vi").status == 415
    assert from_http(web.HTTPExpectationFailed(), "vi").status == 400


async def test_a_system_that_disappeared_has_no_token_any_more(hall: Hall) -> None:
    token = await hall.token("H33.20/dms")
    assert system_of(hall, "H33.20/dms").name == "H33.20/dms"
    hall.register(without=["H33.20"])

    (await hall.get("/v1/contracts", token=token)).problem("unauthenticated", 401)
