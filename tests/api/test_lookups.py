"""/v1/operator/queries: who asked what of whom, for those who may know it; who looked is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.api.doors import Operator
from gateway.ports import AuditRow
from gateway.ports.queries import Asking
from tests.api.hall import OPERATOR, Hall
from tests.build import MORNING, a_digest

PERSON = "099912345678"


async def asked(hall: Hall, number: int, subject: str = PERSON, outcome: Any = "answered", **override: str) -> None:
    queries = hall.doors.queries
    asking = Asking(
        f"0193c0de-0000-7000-8000-{number:012d}", override.get("source", "H33.05/dms"), "citizen.lookup", "1.0",
        "H33.16/dms", "giai-quyet-tthc", MORNING + number + 0.123456, f"sha-256:{a_digest(str(number))}",
        queries.mark(subject), "mau.nv", "H33.05-261123-0001", ("TC",),
    )  # fmt: skip
    await queries.log.begin(asking, until=MORNING + 99)
    await queries.log.end(asking.key, outcome, at=MORNING + 50, answer=None, audit=AuditRow(MORNING, "a", "b", {}))


def ids(answer: Any) -> list[int]:
    return [int(each["id"][-12:]) for each in answer.json["queries"]]


async def audit_of(hall: Hall, kind: str) -> list[dict[str, Any]]:
    rows = [json.loads(body) for _, sort, body in await hall.town.ledger.journal() if sort == "audit"]
    return [row for row in rows if row["audit"] == kind]


@pytest.fixture
async def office(hall: Hall) -> Hall:
    for number in range(1, 4):
        await asked(hall, number)
    await asked(hall, 4, "another", "failed", source="H33.16/dms")
    return hall


def as_role(hall: Hall, role: str) -> None:
    known = hall.doors.operators()
    held = {token: Operator(each.name, role) for token, each in known.items()}
    object.__setattr__(hall.doors, "operators", lambda: held)


async def test_queries_are_told_page_by_page_and_narrowed(office: Hall) -> None:
    as_role(office, "approver")
    first = await office.ask("GET", "/v1/operator/queries?limit=3", token=OPERATOR)
    assert ids(first) == [4, 3, 2]
    following = first.json["next"]
    assert ids(await office.ask("GET", f"/v1/operator/queries?limit=3&after={following}", token=OPERATOR)) == [1]
    narrowed = await office.ask("GET", "/v1/operator/queries?outcome=failed&source=H33.16/dms", token=OPERATOR)
    assert ids(narrowed) == [4]
    assert narrowed.headers["Cache-Control"] == "no-store"
    assert [row["details"]["form"] for row in await audit_of(office, "query.log-read")] == ["list"] * 3


async def test_who_looked_at_a_person_is_asked_in_a_body_and_the_look_is_on_record_by_the_mark(office: Hall) -> None:
    as_role(office, "approver")
    answer = await office.ask("POST", "/v1/operator/queries", token=OPERATOR, json={"subject": PERSON, "limit": 2})
    assert ids(answer) == [3, 2]
    assert answer.json["queries"][0]["officer"] == "mau.nv"
    (row,) = await audit_of(office, "query.looked-up")
    assert row["actor"].startswith("operator:")
    assert row["details"]["mark"] == office.doors.queries.mark(PERSON)
    assert PERSON not in json.dumps(await audit_of(office, "query.looked-up"))


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_those_who_do_not_answer_for_the_bus_are_refused_and_that_is_on_record(office: Hall, role: str) -> None:
    as_role(office, role)
    (await office.ask("GET", "/v1/operator/queries", token=OPERATOR)).problem("forbidden", 403)
    denied = await office.ask("POST", "/v1/operator/queries", token=OPERATOR, json={"subject": PERSON})
    denied.problem("forbidden", 403)
    assert len(await audit_of(office, "operator.denied")) == 2
    assert await audit_of(office, "query.looked-up") == []


@pytest.mark.parametrize(
    "wrong", ["since=soon", "outcome=good", "mark=abc", "limit=0", "after=x~y", "source=" + "x" * 201]
)
async def test_what_cannot_be_asked_for_is_named(office: Hall, wrong: str) -> None:
    as_role(office, "admin")
    (await office.ask("GET", f"/v1/operator/queries?{wrong}", token=OPERATOR)).problem("bad-request", 400)


@pytest.mark.parametrize("subject", [None, "", "  ", 7, "x" * 501])
async def test_nobody_is_no_subject(office: Hall, subject: Any) -> None:
    as_role(office, "admin")
    answer = await office.ask("POST", "/v1/operator/queries", token=OPERATOR, json={"subject": subject})
    answer.problem("bad-request", 400)
