"""GET /v1/me and /v1/agencies: who am I to the bus, whom does it know, and what may I send to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.core.directory import Agency, Directory
from tests.api.hall import OPERATOR, SECRET, Hall, conforms, secret_hash, system_of
from tests.town import GATEWAY, an_agreement

ME = "H33.05/dms"


async def asked(hall: Hall, query: str = "", who: str = ME) -> Any:
    answer = await hall.get(f"/v1/agencies{query}", token=await hall.token(who))
    assert answer.status == 200, answer.body
    conforms("Agencies", answer.json)
    return answer.json


def rename(hall: Hall, **names: str) -> None:
    """Other names in the registry: ``H33_05="Sở Tài chính"``."""
    old = hall.town.directory
    agencies = [replace(each, name=names.get(code.replace(".", "_"), each.name)) for code, each in old.agencies.items()]
    hall.town.directory = Directory(agencies, old.agreements, gateway=GATEWAY, version=old.version + 1)


async def test_the_book_tells_what_may_be_sent_to_whom(hall: Hall) -> None:
    book = {each["code"]: each for each in (await asked(hall))["agencies"]}

    assert list(book) == ["H33.05", "H33.16", "H33.20", "H33.30"]
    assert book["H33.16"] == {
        "code": "H33.16",
        "aliases": ["000.00.16.H33"],
        "name": "Cơ quan H33.16",
        "level": "province",
        "parent": "H33",
        "systems": ["H33.16/dms"],
        "may_send": [
            {
                "contract": "document.issued",
                "systems": ["H33.16/dms"],
                "agreements": ["VB-2018"],
                "purposes": ["van-ban"],
                "needs_purpose": False,
            }
        ],
    }
    assert book["H33.05"]["may_send"] == []


async def test_what_the_book_allows_the_bus_takes_and_nothing_else(hall: Hall) -> None:
    for agreements in (
        [an_agreement()],
        [an_agreement(receivers=("H33.20",))],
        [an_agreement(valid_until=date(2020, 1, 1))],
    ):
        hall.town.agree(*agreements)
        for each in (await asked(hall))["agencies"]:
            answer = await hall.publish(hall.town.envelope(to=each["code"]))
            may = [one["contract"] for one in each["may_send"]]
            assert (answer.status == 202) == ("document.issued" in may), each["code"]


async def test_an_agency_is_found_without_accents_and_at_once_after_a_change(hall: Hall) -> None:
    assert (await asked(hall, "?q=so+tai+chinh"))["agencies"] == []

    rename(hall, H33_05="Sở Tài chính", H33_16="Sở Y tế")

    assert [each["code"] for each in (await asked(hall, "?q=so+tai+chinh"))["agencies"]] == ["H33.05"]
    assert [each["code"] for each in (await asked(hall, "?q=000.00.20.H33"))["agencies"]] == ["H33.20"]


async def test_the_book_comes_in_pages(hall: Hall) -> None:
    first = await asked(hall, "?limit=3")
    second = await asked(hall, f"?limit=3&after={first['next']}")

    assert [each["code"] for each in first["agencies"]] == ["H33.05", "H33.16", "H33.20"]
    assert [each["code"] for each in second["agencies"]] == ["H33.30"]
    assert "next" not in second


@pytest.mark.parametrize("query", ["?limit=0", "?limit=501", "?limit=x", "?limit=-1", "?limit=", "?q=" + "a" * 201])
async def test_a_question_out_of_bounds_is_a_bad_request(hall: Hall, query: str) -> None:
    answer = await hall.get(f"/v1/agencies{query}", token=await hall.token(ME))

    (violation,) = answer.problem("bad-request", 400)["violations"]
    assert violation["pointer"] == f"/{query[1:].partition('=')[0]}"


async def test_the_book_is_for_those_who_are_known(hall: Hall) -> None:
    (await hall.get("/v1/agencies")).problem("unauthenticated", 401)
    (await hall.get("/v1/me")).problem("unauthenticated", 401)
    (await hall.get("/v1/me", token=OPERATOR)).problem("forbidden", 403)

    answer = await hall.get("/v1/agencies", token=OPERATOR)

    assert [each["code"] for each in answer.json["agencies"]][:1] == ["H33.05"]
    assert all("may_send" not in each for each in answer.json["agencies"])


async def test_a_system_learns_what_the_bus_holds_about_it(hall: Hall) -> None:
    hall.town.agree(
        an_agreement(),
        an_agreement(id="PAST", senders=("H33.16",), receivers=("H33.05",), valid_until=date(2020, 1, 1)),
        an_agreement(id="FOREIGN", senders=("H33.16",), receivers=("H33.20",)),
    )

    answer = await hall.get("/v1/me", token=await hall.token(ME))

    conforms("Me", answer.json)
    said = answer.json
    (certificate,) = system_of(hall, ME).certificates
    assert (said["system"], said["agency"]["code"], said["adapter"]) == (ME, "H33.05", "webhook")
    assert [(each["x5t#S256"], each["in_force"]) for each in said["certificates"]] == [(certificate.thumbprint, True)]
    assert [each["contract"] for each in said["subscriptions"]] == [
        "receipt.delivered",
        "receipt.discarded",
        "receipt.expired",
        "receipt.refused",
    ]
    assert said["subscriptions"][0]["retry"] == {"first": 5, "factor": 2, "cap": 3600, "deadline": 1209600}
    assert [(each["id"], each["sends"], each["receives"], each["in_force"]) for each in said["agreements"]] == [
        ("VB-2018", True, True, True),
        ("PAST", False, True, False),
    ]


async def test_nothing_secret_is_told(hall: Hall) -> None:
    hashed = secret_hash()
    settings = {"url": "http://127.0.0.1:9001/inbox?key=x9y", "password": "x9y"}
    hall.register(replace(system_of(hall, ME), secret_hash=hashed, key_file="keys/x9y.pem", settings=settings))
    token = await hall.token(ME)

    for path in ("/v1/me", "/v1/agencies"):
        body = (await hall.get(path, token=token)).body.decode()
        assert "x9y" not in body
        assert SECRET not in body
        assert hashed not in body


async def test_an_agency_without_a_system_is_in_the_book(hall: Hall) -> None:
    hall.town.enrol(Agency("H33.99", "Sở Ngoại vụ", "province"))

    (entry,) = (await asked(hall, "?q=ngoai+vu"))["agencies"]

    assert (entry["systems"], entry["may_send"], "parent" in entry) == ([], [], False)
