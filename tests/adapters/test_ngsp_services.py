"""Each service of the national axis: what it is asked, what it answers, and its own oddities."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from adapters.ngsp.adapter import check, dry
from gateway.core.faults import DestinationGone, Misconfigured, PermanentFailure, TransientFailure
from tests.adapters.ngsp_desk import Desk, citizen, desk


@pytest_asyncio.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as made:
        yield made


# -------------------------------------------------------------------------------------------------- enterprises


async def test_an_enterprise_is_read_with_its_misspelt_address_and_numbers_in_texts(at: Desk) -> None:
    found = await at.ask("enterprise.lookup", {"enterpriseCode": "0000000000"})
    assert (found["name"], found["foundedOn"], found["changes"]) == ("CÔNG TY TNHH MẪU", "2019-02-01", 3)
    assert found["address"] == {"city": "91", "text": "Số 1 đường Mẫu"}
    assert found["members"] == [{"name": "Nguyễn Văn Mẫu", "country": "VN", "amount": 600000000, "ratio": 60}]
    assert found["activities"][0]["isMain"] is True
    assert at.axis.seen == [("chiTietDoanhNghiep", {"msdn": "0000000000"})]


async def test_no_enterprise_is_a_count_of_none_beside_a_good_status(at: Desk) -> None:
    assert await at.ask("enterprise.lookup", {"enterpriseCode": "0000000009"}) is None


async def test_an_application_is_another_operation_of_the_same_service(at: Desk) -> None:
    found = await at.ask("enterprise.lookup", {"applicationNumber": "HS-1"})
    assert found["application"] == {
        "number": "HS-1", "documentType": "NEW", "status": "2", "receivedOn": "2026-11-20", "plannedOn": "2026-11-24",
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------- civil status


async def test_an_agencys_code_becomes_the_ministrys_own_number_for_the_place(at: Desk) -> None:
    asked = {"by": "application", "agencyCode": "H33.16", "receiptNumber": "BN-1"}
    assert await at.ask("civil-status.lookup", asked) == {
        "application": {"receiptNumber": "BN-1", "status": "needs-supplement", "told": "2"}
    }
    assert at.axis.seen == [("traTrangThaiHoSo", {"maHoSo": "BN-1", "maDonVi": "30760"})]


async def test_a_place_that_no_table_knows_is_refused_over_there_and_told_as_never(at: Desk) -> None:
    with pytest.raises(PermanentFailure):
        await at.ask("civil-status.lookup", {"by": "application", "agencyCode": "H33.99", "receiptNumber": "BN-1"})


async def test_records_are_asked_for_by_ids_of_the_other_system_under_the_name_that_means_codes_elsewhere(
    at: Desk,
) -> None:
    found = await at.ask(
        "civil-status.lookup", {"by": "record", "provinceCode": "H33", "kind": "KS", "recordIds": ["123"]}
    )
    assert found == {"records": [{"id": "123", "number": "12", "book": "01/2026", "page": "6"}]}
    assert at.axis.seen == [("traDanhSachHoSo", {"module": "KS", "dsMaHoSo": ["123"], "maTinh": "91"})]


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (100, DestinationGone), (101, DestinationGone), (106, PermanentFailure), (108, PermanentFailure),
        (200, PermanentFailure), (302, PermanentFailure), (500, PermanentFailure), (999, TransientFailure),
        ("0500", PermanentFailure),
    ],
)  # fmt: skip
async def test_each_error_of_the_ministry_has_its_meaning_and_its_words_are_nobodys(
    at: Desk, code: object, failure: type[Exception]
) -> None:
    at.axis.refused = {"civil-status": [code]}
    with pytest.raises(failure) as raised:
        await at.ask("civil-status.lookup", {"by": "application", "agencyCode": "H33.16", "receiptNumber": "BN-1"})
    assert type(raised.value) is failure
    assert "Mẫu" not in str(raised.value)


async def test_a_record_that_is_not_there_is_no_record(at: Desk) -> None:
    at.axis.refused = {"civil-status": [201]}
    asked = {"by": "application", "agencyCode": "H33.16", "receiptNumber": "BN-1"}
    assert await at.ask("civil-status.lookup", asked) is None


# --------------------------------------------------------------------------------------------- criminal records


@pytest.mark.parametrize(("is_via", "kind"), [(True, 2), (False, 1), (None, 2)])
async def test_a_criminal_record_is_asked_for_by_its_receipt(at: Desk, is_via: bool | None, kind: int) -> None:
    asked = {"receiptNumber": "BN-2", "identityNumber": "000000000000", "isViaOneStop": is_via}
    found = await at.ask("criminal-record.lookup", {name: each for name, each in asked.items() if each is not None})
    assert found == {
        "receiptNumber": "BN-2", "status": "ready", "told": {"code": "5", "name": "Đã có phiếu"},
        "approvedOn": "2026-11-20", "issuedOn": "2026-11-21",
    }  # fmt: skip
    ((_, body),) = at.axis.seen
    assert body == {"idReceivedDec": "BN-2", "identifyNo": "000000000000", "infoType": kind}


async def test_a_state_beside_the_known_ones_keeps_the_ministrys_word(at: Desk) -> None:
    at.axis.refused = {"criminal-record": [0]}
    with pytest.raises(TransientFailure):
        await at.ask("criminal-record.lookup", {"receiptNumber": "BN-2"})


# ----------------------------------------------------------------------------------------------------- licences


async def test_a_session_that_ended_is_got_anew_once(at: Desk) -> None:
    for _ in range(2):
        found = await at.ask("driving-licence.lookup", {"applicationCode": "GPLX-1"})
        assert found == {"application": {"code": "GPLX-1", "status": {"code": "4"}}}
        at.axis.end_tokens()
    assert at.axis.counter.asked.count("/mapi/login") == 2
    assert {body["service"] for name, body in at.axis.seen} == {"TraCuuHoSo"}


async def test_an_application_that_nobody_knows_is_no_record(at: Desk) -> None:
    assert await at.ask("driving-licence.lookup", {"applicationCode": "GPLX-9"}) is None


async def test_what_no_published_call_looks_up_is_told_as_such(at: Desk) -> None:
    for contract, data in [
        ("driving-licence.lookup", {"licenceNumber": "000000000000"}),
        ("land.lookup", {"by": "receipt", "receiptNumber": "BN-1"}),
        ("insurance.lookup", {"by": "household", "householdNumber": "1"}),
    ]:
        with pytest.raises(PermanentFailure, match="no service"):
            await at.ask(contract, data)
    assert at.axis.counter.asked == []


# --------------------------------------------------------------------------------------------------- categories

ROW = {"MaDinhDanhCap1": "000.00.00.H30", "TenDonVi": "UBND tỉnh", "DiaChi": None, "NgayBanHanhQd": "16/08/2018"}


async def test_rows_of_a_category_come_whole_and_need_no_dossier(at: Desk) -> None:
    at.axis.categories = {"qlvanbandieuhanhcap1": [ROW]}
    found = await at.ask("category.lookup", {"category": "qlvanbandieuhanhcap1", "dossierCode": None, "officer": None})
    assert found == {
        "category": "qlvanbandieuhanhcap1",
        "items": [{"code": "000.00.00.H30", "name": "UBND tỉnh", "values": ROW}],
    }


async def test_a_list_that_changes_in_mid_day_is_answered_as_it_is_now(at: Desk) -> None:
    asked = {"category": "madantoc", "dossierCode": None, "officer": None}
    at.axis.categories = {"madantoc": [{"Ma": "01"}]}
    assert len((await at.ask("category.lookup", asked))["items"]) == 1
    at.axis.categories["madantoc"].append({"Ma": "02"})
    assert len((await at.ask("category.lookup", asked))["items"]) == 2


async def test_json_with_bare_names_quotes_in_texts_and_a_comma_too_much_is_read_where_it_is_described_as_dirty(
    at: Desk,
) -> None:
    at.axis.categories, at.axis.unquoted = {"madantoc": [{}]}, True
    found = await at.ask("category.lookup", {"category": "madantoc", "dossierCode": None, "officer": None})
    assert found["items"] == [{"values": {"Ma": "01", "TenDonVi": 'UBND "tỉnh" Mẫu'}}]


async def test_a_category_whose_name_leaves_its_place_in_the_address_is_asked_of_nobody(at: Desk) -> None:
    for name in ("../../token", "..", "a/b", "a?b", ""):
        with pytest.raises(PermanentFailure):
            await at.adapter.ask(at.query("category.lookup", {"category": name}))
    assert at.axis.counter.asked == []


@pytest.mark.parametrize("is_once", [False, True])
async def test_json_in_json_is_read_however_often_it_is_wrapped_and_codes_stay_their_owners(
    at: Desk, is_once: bool
) -> None:
    at.axis.once = is_once
    found = await at.ask("category.lookup", {"category": "kntc-places", "dossierCode": None, "officer": None})
    assert found["items"] == [{"code": "217", "name": "Phú Thọ"}, {"code": "101", "name": "Hà Nội"}]
    assert at.axis.seen == [("TraDanhMuc", {"LoaiDanhMuc": "1"})]


async def test_careless_json_where_nobody_said_so_is_no_answer(at: Desk) -> None:
    at.axis.unquoted = True
    with pytest.raises(TransientFailure):
        await at.ask("category.lookup", {"category": "kntc-places", "dossierCode": None, "officer": None})


# ------------------------------------------------------------------------------------------------------ settings


async def test_a_service_whose_paths_or_names_nobody_told_is_refused_at_the_start(tmp_path: Path) -> None:
    def without(settings: dict[str, Any]) -> None:
        del settings["services"]["population"]["paths"]

    with pytest.raises(Misconfigured) as fault:
        async with desk(tmp_path, without):
            pass
    assert fault.value.where == "H33.16/dms: settings.services.population.paths"


@pytest.mark.parametrize(
    ("place", "value", "where"),
    [
        (("services", "mistyped"), {}, "settings.services.mistyped"),
        (("services", "insurance", "account"), "nobody", "settings.services.insurance.account"),
        (("services", "insurance", "paths"), {"x": "/x"}, "settings.services.insurance.paths.x"),
        (("services", "insurance", "names"), {"x": "/x"}, "settings.services.insurance.names.x"),
        (("accounts", "axis"), {"profile": "wso2"}, "settings.accounts.axis"),
    ],
)
async def test_a_mistake_in_the_settings_is_named_by_its_place(
    tmp_path: Path, place: tuple[str, ...], value: Any, where: str
) -> None:
    def change(settings: dict[str, Any]) -> None:
        at: Any = settings
        for name in place[:-1]:
            at[name] = dict(at[name])
            at = at[name]
        at[place[-1]] = value

    async with desk(tmp_path) as sound:
        settings = json.loads(json.dumps(dict(sound.axis.settings)))
    check(settings, tmp_path)
    change(settings)
    with pytest.raises(Misconfigured) as told:
        check(settings, tmp_path)
    with pytest.raises(Misconfigured) as fault:
        async with desk(tmp_path, change):
            pass
    # Told when the folder is applied, before anybody opens it.
    assert told.value.where == where
    assert fault.value.where == f"H33.16/dms: {where}"
    assert fault.value.wrong.vi != fault.value.wrong.en


# ------------------------------------------------------------------------------------------------------- samples


async def test_a_question_and_an_answer_are_shown_without_asking_anybody_or_reading_a_secret(at: Desk) -> None:
    def no_secret(file: str) -> bytes:
        raise AssertionError(file)

    trying = dry(replace(at.context, read_secret=no_secret))
    data = {"officer": {"account": "mau.nv"}, "dossierCode": "H33-1", **citizen()}
    shown = await trying.outgoing({"type": "citizen.lookup", "id": "1", "data": data})
    assert shown.part == "population-citizen"
    assert shown.request is not None
    assert shown.request["address"] == f"{at.axis.counter.url}/dan-cu"
    assert "NGUYỄN VĂN MẪU" in shown.request["body"]

    heard = await trying.incoming("insurance-by-criteria", b'{"maSoBhxh": "1", "trangThai": 1}')
    assert [each["type"] for each in heard.said] == ["insurance.found"]
    row = {**at.axis.list_dossier("000.00.16.H33-261123-0001")}
    pulled = await trying.incoming("transport-dossiers", json.dumps({"total": 2, "data": [row, {}]}).encode())
    assert ([each["type"] for each in pulled.said], len(pulled.troubles)) == (["dossier.registered"], 1)
    assert at.axis.counter.asked == []


async def test_what_nobody_takes_and_what_is_no_answer_is_told_in_words(at: Desk) -> None:
    trying = dry(at.context)
    assert (await trying.outgoing({"type": "document.issued", "data": {}})).troubles
    assert (await trying.outgoing({"type": "citizen.lookup", "data": {"name": "Mẫu"}})).troubles
    assert (await trying.incoming("nobody", b"{}")).troubles
    assert (await trying.incoming("insurance-by-number", b"<html>")).troubles[0].en == "The answer means: again"
    assert (await trying.incoming("land-receive", b'{"status": {"success": true}}')).troubles[0].en.endswith("done")
