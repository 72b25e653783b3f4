"""POST /v1/queries: how a question is asked, and how each answer and each refusal looks."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.core.agency import Provision
from gateway.core.agreement import Agreement
from gateway.core.directory import Directory
from gateway.core.envelope import seal
from gateway.core.faults import TimedOut, TransientFailure
from gateway.core.jws import split
from gateway.core.strictjson import parse_strict
from gateway.relay.query import Reply
from tests.api.hall import OPERATOR, Hall
from tests.town import GATEWAY

SEALED = {"Content-Type": "application/jose"}
ASKER, PROVIDER = "H33.05/dms", "H33.16/dms"
FOUND = {"name": "Nguyễn Văn Mẫu", "birth": "1980"}


@pytest.fixture
def office(hall: Hall) -> Hall:
    """The hall, in which H33.05 may ask H33.16 about citizens."""
    provides = (Provision("citizen.lookup", "1.0", "http://127.0.0.1:9001/query"),)
    agencies = [
        replace(each, systems=tuple(replace(s, provides=provides if s.name == PROVIDER else ()) for s in each.systems))
        for each in hall.town.directory.agencies.values()
    ]
    agreement = Agreement(
        "DC", "Tra cứu", "NĐ 47/2020/NĐ-CP", "giai-quyet-tthc", ("H33.05",), ("H33.16",), ("citizen.lookup",),
        date(2026, 1, 1), date(2026, 12, 31),
    )  # fmt: skip
    hall.town.directory = Directory(agencies, [agreement], gateway=GATEWAY)
    says(hall, Reply(data=FOUND))
    return hall


def says(hall: Hall, reply: Reply | Exception) -> None:
    async def said() -> Reply:
        if isinstance(reply, Exception):
            raise reply
        return reply

    hall.answers[PROVIDER] = said


def query(hall: Hall, **override: Any) -> bytes:
    made: dict[str, Any] = {
        "id": str(uuid.uuid4()), "type": "citizen.lookup", "subject": "000000000000", "purpose": "giai-quyet-tthc",
        "dataschema": "urn:lgsp:contract:citizen.lookup:1.0", "to": "H33.16",
        "data": {"officer": {"account": "mau.nv"}, "dossierCode": "H33.01-261123-0001", "name": "Nguyễn Văn Mẫu",
                 "personalNumber": "000000000000"},
        **override,
    }  # fmt: skip
    return seal(hall.town.event(ASKER, **made), hall.town.signers[ASKER])


async def test_the_answer_is_an_envelope_that_nobody_may_keep_on_the_way(office: Hall) -> None:
    answer = await office.ask(
        "POST", "/v1/queries?timeout=10", token=await office.token(ASKER), data=query(office), headers=SEALED
    )
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/jose")
    assert answer.headers["Cache-Control"] == "no-store"
    said = parse_strict(split(answer.body).payload)
    assert (said["type"], said["data"]) == ("citizen.found", FOUND)


async def test_a_line_end_after_the_envelope_is_no_part_of_it(office: Hall) -> None:
    answer = await office.ask(
        "POST", "/v1/queries", token=await office.token(ASKER), data=query(office) + b"\r\n", headers=SEALED
    )
    assert answer.status == 200


@pytest.mark.parametrize("token", [None, "no-token"])
async def test_without_the_askers_token_nobody_asks(office: Hall, token: str | None) -> None:
    answer = await office.ask("POST", "/v1/queries", token=token, data=query(office), headers=SEALED)
    answer.problem("unauthenticated", 401)


async def test_operators_ask_nothing_and_neither_does_another_system(office: Hall) -> None:
    for token in (OPERATOR, await office.token(PROVIDER)):
        answer = await office.ask("POST", "/v1/queries", token=token, data=query(office), headers=SEALED)
        answer.problem("forbidden", 403)


@pytest.mark.parametrize("timeout", ["0", "-1", "61", "soon", "nan", "inf"])
async def test_a_patience_that_is_none_is_told(office: Hall, timeout: str) -> None:
    answer = await office.ask(
        "POST", f"/v1/queries?timeout={timeout}", token=await office.token(ASKER), data=query(office), headers=SEALED
    )
    answer.problem("bad-request", 400)
    assert answer.json["violations"][0]["pointer"] == "/timeout"


async def test_only_envelopes_ask(office: Hall) -> None:
    answer = await office.ask(
        "POST", "/v1/queries", token=await office.token(ASKER), data=b"{}", headers={"Content-Type": "application/json"}
    )
    answer.problem("unsupported-media-type", 415)


@pytest.mark.parametrize(
    ("reply", "status", "problem"),
    [
        (Reply(), 404, "no-record"),
        (TransientFailure("down", 503, 7.0), 502, "provider-unavailable"),
        (TimedOut("late"), 504, "provider-unavailable"),
    ],
)
async def test_what_the_provider_has_not_got_or_not_said_has_a_status_of_its_own(
    office: Hall, reply: Reply | Exception, status: int, problem: str
) -> None:
    says(office, reply)
    answer = await office.ask(
        "POST", "/v1/queries", token=await office.token(ASKER), data=query(office), headers=SEALED
    )
    answer.problem(problem, status)
    if status != 404:
        assert answer.headers["Retry-After"] == ("7" if status == 502 else "5")


async def test_a_query_is_no_message_and_a_message_no_query(office: Hall) -> None:
    (await office.publish(query(office))).problem("unknown-contract", 422)
    answer = await office.ask(
        "POST", "/v1/queries", token=await office.token(ASKER), data=office.town.envelope(), headers=SEALED
    )
    answer.problem("unknown-contract", 422)


async def test_a_system_is_told_what_it_answers_and_what_it_may_ask_of_whom(office: Hall) -> None:
    me = await office.ask("GET", "/v1/me", token=await office.token(PROVIDER))
    assert me.json["provides"] == [{"contract": "citizen.lookup", "version": "1.0", "by": "url"}]
    book = await office.ask("GET", "/v1/agencies", token=await office.token(ASKER))
    may_ask = {each["code"]: each["may_ask"] for each in book.json["agencies"] if "may_ask" in each}
    assert may_ask.pop("H33.16") == [
        {"contract": "citizen.lookup", "version": "1.0", "answer": "citizen.found", "provider": PROVIDER,
         "agreements": ["DC"], "purposes": ["giai-quyet-tthc"], "fields": None}
    ]  # fmt: skip
    assert may_ask == {}
    told = await office.ask("GET", "/v1/agencies", token=OPERATOR)
    assert all("may_ask" not in each for each in told.json["agencies"])
