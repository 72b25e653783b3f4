"""Asking the services of the national axis: each quirk of theirs, and what the asker sees of it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.ngsp.axis.services import OTHER, SECRETS
from adapters.ngsp.axis.services import citizen as somebody
from gateway.core.faults import DestinationGone, PermanentFailure, TimedOut, TransientFailure
from tests.adapters.ngsp_desk import DOSSIER, Desk, citizen, desk

INSURED = {"by": "number", "insuranceNumber": "0000000001"}


@pytest_asyncio.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    def only(settings: dict) -> None:  # type: ignore[type-arg]
        settings["services"] = {name: settings["services"][name] for name in ("population", "insurance")}

    async with desk(tmp_path, only) as made:
        yield made


async def test_a_citizen_is_found_by_soap_in_fixed_order_and_answered_in_the_words_of_the_bus(at: Desk) -> None:
    found = await at.ask("citizen.lookup", citizen(birth="1980"))
    assert (found["name"], found["birth"], found["gender"]) == ("Nguyễn Văn Mẫu", "1980-01-02", "1")
    assert found["permanentAddress"]["commune"] == "30760"
    assert found["father"] == {"name": "Nguyễn Văn Mẫu", "nationality": "VN", "oldNumber": "000000001"}


async def test_each_officer_asks_with_a_key_of_his_own(at: Desk) -> None:
    await at.ask("citizen.lookup", citizen())
    await at.ask("citizen.lookup", citizen(), officer=OTHER)
    hashes = [base64.b64decode(body["AuthHash"]).decode() for _, body in at.axis.seen]
    assert hashes == [SECRETS["officer"], SECRETS["other"]]


async def test_an_officer_without_a_key_asks_nobody(at: Desk) -> None:
    with pytest.raises(PermanentFailure, match="officers"):
        await at.ask("citizen.lookup", citizen(), officer="ai-do")
    assert at.axis.seen == []


@pytest.mark.parametrize("lacking", ["dossierCode", "officer"])
async def test_nobody_is_asked_about_a_person_without_a_dossier_and_an_officer(at: Desk, lacking: str) -> None:
    whole = {"officer": {"account": "mau.nv"}, "dossierCode": "H33.01-261123-0001", **citizen()}
    del whole[lacking]
    with pytest.raises(PermanentFailure, match="dossier code and an officer"):
        await at.adapter.ask(at.query("citizen.lookup", whole))
    assert at.axis.counter.asked == []


async def test_a_procedure_that_no_table_knows_is_refused_before_anybody_is_asked(at: Desk) -> None:
    with pytest.raises(PermanentFailure, match="procedure"):
        await at.ask("citizen.lookup", citizen(procedure="9.999999"))
    assert at.axis.seen == []


async def test_of_somebody_whose_birth_is_a_year_no_day_is_made_up(at: Desk) -> None:
    at.axis.people = [somebody(NgayThangNamSinh={"Nam": "1950"})]
    assert (await at.ask("citizen.lookup", citizen()))["birth"] == "1950"


async def test_nobody_of_that_number_is_no_record_and_no_error(at: Desk) -> None:
    at.axis.people = []
    assert await at.ask("citizen.lookup", citizen()) is None
    assert await at.ask("insurance.lookup", {**INSURED, "insuranceNumber": "0000000009"}) is None


@pytest.mark.parametrize(("code", "birth"), [(0, "1980-01-02"), (1, "1980"), (2, "1980-01"), ("2", "1980-01")])
async def test_social_insurance_says_in_another_field_how_much_of_a_date_is_known(
    at: Desk, code: object, birth: str
) -> None:
    at.axis.insured["loaiNgaySinh"] = code
    (person,) = (await at.ask("insurance.lookup", INSURED))["people"]
    assert (person["birth"], person["name"], person["gender"]) == (birth, "Nguyễn Văn Mẫu", "1")
    assert person["birthRegisteredAt"] == {"province": "91", "commune": "30760"}


@pytest.mark.parametrize(
    ("birth", "written", "kind"), [("1980", "1980", "1"), ("1980-01", "198001", "2"), ("1980-01-02", "19800102", "0")]
)
async def test_a_question_says_how_much_of_the_date_it_knows(at: Desk, birth: str, written: str, kind: str) -> None:
    found = await at.ask("insurance.lookup", {"by": "criteria", "name": "Nguyễn Văn Mẫu", "birth": birth})
    assert found == {"people": [{"insuranceNumber": "0000000001", "status": "1"}]}
    ((_, body),) = at.axis.seen
    assert (body["ngaySinh"], body["loaiNgaySinh"]) == (written, kind)


@pytest.mark.parametrize("contract", ["citizen.lookup", "insurance.lookup"])
async def test_a_token_that_ends_in_mid_work_is_renewed_and_nobody_notices(at: Desk, contract: str) -> None:
    data = citizen() if contract == "citizen.lookup" else INSURED
    await at.ask(contract, data)
    at.axis.end_tokens()
    assert await at.ask(contract, data)
    assert at.axis.counter.asked.count("/token") == 2


async def test_a_clock_that_is_wrong_over_there_is_told_after_one_renewal(at: Desk) -> None:
    at.axis.skewed = True
    with pytest.raises(DestinationGone):
        await at.ask("insurance.lookup", INSURED)
    assert at.axis.counter.asked.count("/token") == 2


@pytest.mark.parametrize(("service", "contract"), [("population", "citizen.lookup"), ("insurance", "insurance.lookup")])
async def test_a_business_error_with_status_200_is_an_error_and_says_nothing_of_what_it_said(
    at: Desk, service: str, contract: str
) -> None:
    at.axis.refused = {service: [500]}
    data = citizen() if contract == "citizen.lookup" else INSURED
    with pytest.raises(TransientFailure) as failure:
        await at.ask(contract, data)
    assert "Mẫu" not in str(failure.value)
    assert await at.ask(contract, data)


async def test_a_security_server_that_is_down_a_page_and_words_are_for_another_time(at: Desk) -> None:
    await at.ask("insurance.lookup", INSURED)
    at.axis.faults.pages = 1
    with pytest.raises(TransientFailure):
        await at.ask("insurance.lookup", INSURED)
    at.axis.faults.words = 1
    with pytest.raises(TransientFailure):
        await at.ask("insurance.lookup", INSURED)
    await at.axis.go_down()
    with pytest.raises(TransientFailure):
        await at.ask("insurance.lookup", INSURED)
    await at.axis.come_back()
    assert await at.ask("insurance.lookup", INSURED)


async def test_an_answer_that_comes_too_late_is_told_as_such(at: Desk) -> None:
    await at.ask("insurance.lookup", INSURED)
    at.axis.faults.slow = 5.0
    asked = at.query("insurance.lookup", {"officer": {"account": "mau.nv"}, "dossierCode": DOSSIER, **INSURED})
    with pytest.raises(TimedOut):
        await at.adapter.ask(replace(asked, within=0.1))
