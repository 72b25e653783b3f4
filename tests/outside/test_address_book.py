"""Interfaces, section 3: who am I, whom does the bus know, and what may I send to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.outside.client import Seat
from tests.outside.province import Province, wants


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """Three agencies, one of which the first may send something to."""
    with Province(tmp_path_factory.mktemp("book") / "tinh") as made:
        made.contract("note.made")
        made.one("H33.05/dms", wants("receipt.delivered/1.0"))
        made.one("H33.07/dms", wants("note.made/1.0"), aliases=["000.00.07.H33"])
        made.one("H33.08/dms", wants("note.made/1.0"))
        sides: dict[str, Any] = {"from": ["H33.05"], "to": ["H33.07"]}
        made.agreement(contracts=["note.*"], **sides)
        made.apply()
        yield made.serve()


@pytest.fixture(scope="module")
def sender(province: Province) -> Seat:
    return province.seats["H33.05/dms"]


def test_a_system_sees_itself_its_certificates_subscriptions_and_agreements(sender: Seat) -> None:
    answer = sender.get("/v1/me")

    assert answer.status == 200
    seen = json.dumps(answer.json)
    for word in ("H33.05/dms", sender.who.thumbprint, "receipt.delivered", "TT-01"):
        assert word in seen
    assert answer.json["system"] == "H33.05/dms" or answer.json["system"]["name"]
    assert sender.bus.get("/v1/me").is_problem("unauthenticated", 401)


def test_the_address_book_is_searched_by_code_name_or_alias(sender: Seat) -> None:
    everybody = json.dumps(sender.get("/v1/agencies").json)
    assert "H33.07" in everybody

    for asked in ("H33.07", "000.00.07", "h33.07"):
        found = sender.get(f"/v1/agencies?q={asked}")
        assert found.status == 200
        assert "H33.07" in json.dumps(found.json)
        assert "H33.08" not in json.dumps(found.json)
    assert "H33.0" not in json.dumps(sender.get("/v1/agencies?q=khong-co-ai").json)
    assert sender.bus.get("/v1/agencies").is_problem("unauthenticated", 401)


def test_the_address_book_says_what_the_caller_may_send_to_whom(sender: Seat) -> None:
    assert "note.made" in json.dumps(sender.get("/v1/agencies?q=H33.07").json)
    assert "note.made" not in json.dumps(sender.get("/v1/agencies?q=H33.08").json)
