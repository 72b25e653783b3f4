"""The line of a message in the register: by today's directory, however its sender spelled the document."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.catalog import builtin_folder
from gateway.core.agency_list import AgencyList, Entry
from gateway.core.agreement import Subscription
from gateway.core.directory import Agency, Directory, System
from gateway.core.documents.entry import DocumentEntry, Obligation
from gateway.core.documents.key import document_key, made_key
from gateway.core.documents.matching import Served, already_served, is_answered, left_to_serve
from gateway.core.documents.registrar import Registrar, may_speak_for
from gateway.core.envelope import Event
from gateway.core.moments import parse_moment
from gateway.core.routing import Route

ID = "H33.05,2026/10/12,1284/STC-NS"
DIRECTORY = Directory(
    [
        Agency("H33.05", "Sở Tài chính", "province", ("000.00.05.H33",)),
        Agency("H33.14", "Sở KHCN", "province", ("000.00.14.H33",)),
        Agency("H33.07", "Sở Y tế", "province"),
    ],
    [],
    gateway="H33.14/lgsp",
)


def canonical(code: str) -> str:
    agency = DIRECTORY.agency(code)
    return code if agency is None else agency.code


def example(contract: str, name: str) -> dict[str, Any]:
    folder = builtin_folder() / contract / "examples" / "good" / f"{name}.json"
    found: dict[str, Any] = json.loads(folder.read_text("utf-8"))
    return found


def line(data: dict[str, Any], contract: str = "document.issued/2.0", to: str | None = "H33.14") -> DocumentEntry:
    kind, _, version = contract.partition("/")
    named = None if to is None else tuple(to.split())
    event = Event(
        "i", "i", "H33.05/dms", kind, version, "s", 0.0, "", named, None, 0, None, None, None, None, None, data, {}
    )
    made = Registrar().line(event, (), DIRECTORY, 0.0)
    assert made is not None
    return made


# ----------------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "written",
    [
        "H33.05,2026/10/12,1284/STC-NS",
        "000.00.05.H33,2026/10/12,1284/STC-NS",
        " H33.05 , 2026/10/12 , 1284 / STC-NS ",
        "H33.05,2026-10-12,1284/stc-ns",
        "H33.05,12/10/2026,1284/STC-NS",
        "H33.05,2026/10/12 08:30:00,1284/STC-NS",
    ],
)
def test_one_document_has_one_key_however_it_is_spelled(written: str) -> None:
    assert document_key(written, canonical) == ID


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("G22,2015/09/30,7816/VPCP-TTĐT", "g22,2015/09/30,7816/vpcp-ttđt"),
        ("G22,2015/09/30,7816/VPCP-TTĐT", unicodedata.normalize("NFD", "G22,2015/09/30,7816/VPCP-TTĐT")),
        ("1A2b3c4d-0000-4000-8000-ABCDEFabcdef", "1a2b3c4d-0000-4000-8000-abcdefabcdef"),
        ("Công văn   số 5", "công văn số 5"),
        ("CODE,30,thông báo", "code,30,THÔNG BÁO"),
    ],
)
def test_blanks_case_and_composition_make_no_difference(one: str, other: str) -> None:
    codes = str.upper
    assert document_key(one, codes) == document_key(other, codes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ID, "H33.05,2026/10/13,1284/STC-NS"),
        (ID, "H33.07,2026/10/12,1284/STC-NS"),
        (ID, "H33.05,2026/10/12,1284/STC-TH"),
        ("07/CV", "7/CV"),
        ("H33.05,2014/02/30,1/A", "H33.05,2014/03/02,1/A"),
    ],
)
def test_other_documents_have_other_keys(one: str, other: str) -> None:
    assert document_key(one, canonical) != document_key(other, canonical)


def test_a_number_may_hold_commas() -> None:
    assert document_key("H33.05,2026/10/12,12,13/STC", canonical) == "H33.05,2026/10/12,12,13/STC"


def test_a_key_is_made_of_issuer_day_and_code_where_no_id_is_told() -> None:
    assert made_key("000.00.05.H33", "2026-10-12", "1284/STC-NS", canonical) == ID
    assert made_key("H33.05", None, "1284/stc-ns", canonical) == "H33.05,1284/STC-NS"
    assert made_key(None, None, None, canonical) == ""


@given(st.text(max_size=60))
def test_the_key_of_a_key_is_the_key(written: str) -> None:
    key = document_key(written, canonical)

    assert document_key(key, canonical) == key


# ------------------------------------------------------------------------------------------------------ documents


def test_a_new_document_in_the_second_version() -> None:
    made = line(example("document.issued/2.0", "full"), to="H33.14/dms 000.00.14.H33 H33.07 H99.1")

    assert (made.kind, made.key, made.issuer, made.reporter) == ("new", ID, "H33.05", "H33.05")
    assert made.recipients == ("H33.14", "H33.07", "H99.1")
    assert (made.concerned, made.code, made.said_at, made.issued_on) == ((), "", None, "2026-10-12")
    assert made.document == ID
    assert len(made.fingerprint or "") == 64


def test_what_goes_to_a_closed_code_is_its_successors_who_reports_for_it_too() -> None:
    closed = Agency("H33.99", "Sở cũ", "province", closed=date(2025, 7, 1), successor="H33.07")
    directory = Directory([*DIRECTORY.agencies.values(), closed], [], gateway="H33.14/lgsp")
    data = {**example("document.status/1.0", "arrived"), "from": {"organId": "H33.99"}}
    sent = Event("i", "i", "H33.05/dms", "document.issued", "2.0", "s", 0.0, "", ("H33.99",), None, 0, None, None,
                 None, None, None, example("document.issued/2.0", "minimal"), {})  # fmt: skip
    told = sent._replace(type="document.status", version="1.0", data=data)

    for now, code in (
        (parse_moment("2026-10-12T00:00:00Z"), "H33.07"),
        (parse_moment("2025-06-01T00:00:00Z"), "H33.99"),
    ):
        assert now is not None
        document, status = (Registrar().line(event, (), directory, now) for event in (sent, told))
        assert document is not None
        assert status is not None
        assert (document.recipients, status.reporter) == ((code,), code)


def test_a_document_stays_its_issuers_when_the_successor_is_answered_for_it_and_changes_it() -> None:
    closed = Agency("H33.99", "Sở cũ", "province", closed=date(2025, 7, 1), successor="H33.05")
    directory = Directory([*DIRECTORY.agencies.values(), closed], [], gateway="H33.14/lgsp")
    old = "H33.99,2025/06/20,9/SC-VP"
    told = {**example("document.status/1.0", "arrived"), "responseFor": {"organId": "H33.05", "documentId": old}}
    recall = {**example("document.issued/2.0", "recall"), "documentId": old, "business": {"type": "recall"}}
    own = {**example("document.issued/2.0", "minimal"), "documentId": "H33.05,2026/10/12,1/STC"}
    back = {**told, "from": {"organId": "H33.05"}, "responseFor": {"documentId": old}, "statusCode": "13"}
    event = Event("i", "i", "H33.05/dms", "document.issued", "2.0", "s", 0.0, "", ("H33.14",), None, 0, None, None,
                  None, None, None, recall, {})  # fmt: skip
    now = parse_moment("2026-10-12T00:00:00Z")
    assert now is not None

    made = [
        Registrar().line(each, (), directory, now)
        for each in (
            event,
            event._replace(type="document.status", version="1.0", data=told),
            event._replace(type="document.status", version="1.0", data=back),
            event._replace(data=own),
        )
    ]

    assert [line and (line.issuer, line.key) for line in made] == [
        ("H33.99", "H33.99,2025/06/20,9/SC-VP"),
        ("H33.99", "H33.99,2025/06/20,9/SC-VP"),
        ("H33.99", "H33.99,2025/06/20,9/SC-VP"),
        ("H33.05", "H33.05,2026/10/12,1/STC"),
    ]
    assert made[2] is not None
    assert made[2].reporter == made[2].issuer


@pytest.mark.parametrize("written", ["H33.99", "H33.07"])
def test_what_an_agency_owed_when_it_was_closed_is_done_by_its_successor(written: str) -> None:
    closed = Agency("H33.99", "Sở cũ", "province", closed=date(2025, 7, 1), successor="H33.07")
    directory = Directory([*DIRECTORY.agencies.values(), closed], [], gateway="H33.14/lgsp")
    owed = Obligation("H33.99", "receipt", 0.0, ("01",))
    document = replace(line(example("document.issued/2.0", "minimal"), to="H33.99"), obligations=(owed,))
    told = {**example("document.status/1.0", "arrived"), "from": {"organId": written}}
    told["responseFor"] = {"organId": document.issuer, "documentId": document.document}
    event = Event("i", "i", "H33.07/dms", "document.status", "1.0", "s", 0.0, "", ("H33.05",), None, 0, None, None,
                  None, None, None, told, {})  # fmt: skip
    now = parse_moment("2025-07-02T00:00:00Z")
    assert now is not None

    status = Registrar().line(event, (), directory, now)

    assert status is not None
    assert status.reporter == "H33.07"
    assert is_answered(owed, document, status)
    assert not is_answered(replace(owed, agency="H33.14"), document, status)


def test_where_nobody_is_named_it_is_for_whom_it_goes_to() -> None:
    routes = [Route(System(name, name.partition("/")[0], "webhook"), Subscription("document.issued", "2.0"))
              for name in ("H33.14/dms", "H33.07/dms", "H33.14/archive")]  # fmt: skip
    event = Event("i", "i", "H33.05/dms", "document.issued", "2.0", "s", 0.0, "", None, None, 0, None, None, None, None,
                  None, example("document.issued/2.0", "minimal"), {})  # fmt: skip

    made = Registrar().line(event, routes, DIRECTORY, 0.0)

    assert made is not None
    assert made.recipients == ("H33.14", "H33.07")


@pytest.mark.parametrize(
    ("contract", "name", "kind", "concerned"),
    [
        ("document.issued/1.0", "recall", "recall", ("H33.05,2018/10/12,1284/STC-NS",)),
        ("document.issued/2.0", "recall", "recall", (ID,)),
        ("document.issued/2.0", "update", "update", (ID,)),
        ("document.issued/2.0", "replace", "replace", (ID, "H33.05,2026/10/14,1290/STC-NS")),
    ],
)
def test_a_change_says_what_it_changes(contract: str, name: str, kind: str, concerned: tuple[str, ...]) -> None:
    made = line(example(contract, name), contract)

    assert (made.kind, made.concerned) == (kind, concerned)


def test_a_recall_that_names_no_other_document_recalls_its_own_id() -> None:
    data = example("document.issued/2.0", "recall")
    del data["business"]["documentId"]

    assert line(data).concerned == (line(data).key,)


def test_both_versions_of_a_document_make_one_line() -> None:
    first, second = example("document.issued/1.0", "full"), example("document.issued/2.0", "full")
    digests = [each["file"]["sha256"] for each in second["attachments"]]
    first |= {"documentId": second["documentId"], "issuingOrganId": "000.00.05.H33", "subject": second["subject"]}
    first |= {"businessType": 0, "issuedOn": "2026-10-12", "reason": second["business"].get("reason", "")}
    first["files"] = [{"name": "a", "mediaType": "b", "size": 1, "sha256": each} for each in reversed(digests)]

    assert line(first, "document.issued/1.0") == line(second)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "V/v khác"},
        {"attachments": []},
        {"documentId": "H33.05,2026/10/12,1285/STC-NS"},
        {"from": {"organId": "H33.07"}},
        {"business": {"type": "update"}},
    ],
)
def test_another_document_has_another_fingerprint(change: dict[str, Any]) -> None:
    data = example("document.issued/2.0", "full")

    assert line({**data, **change}).fingerprint != line(data).fingerprint


def test_what_a_hop_writes_anew_changes_no_fingerprint() -> None:
    data = example("document.issued/2.0", "full")
    hop = {
        **data, "subject": f"  {unicodedata.normalize('NFD', data['subject'])} ", "from": {"organId": "000.00.05.H33"},
        "trace": [], "raw": None, "toPlaces": [], "other": {"direction": False},
    }  # fmt: skip

    assert line(hop).fingerprint == line(data).fingerprint


def test_obligations_are_supplied_from_outside_for_documents_alone() -> None:
    owed = Obligation("H33.14", "receipt", 8.0, ("03",))
    registrar = Registrar(lambda entry, event, now: (replace(owed, agency=entry.recipients[0], due=now),))
    event = Event("i", "i", "H33.05/dms", "document.issued", "2.0", "s", 0.0, "", ("H33.14",), None, 0, None, None,
                  None, None, None, example("document.issued/2.0", "minimal"), {})  # fmt: skip

    made = registrar.line(event, (), DIRECTORY, 8.0)
    told = registrar.line(
        event._replace(type="document.status", version="1.0", data=example("document.status/1.0", "arrived")),
        (), DIRECTORY, 8.0,
    )  # fmt: skip

    assert made is not None
    assert told is not None
    assert (made.obligations, told.obligations) == ((owed,), ())
    assert registrar.line(event._replace(type="dossier.sent"), (), DIRECTORY, 0.0) is None
    assert registrar.line(event._replace(version="3.0"), (), DIRECTORY, 0.0) is None


# -------------------------------------------------------------------------------------------------------- statuses


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_status_names_its_document_its_reporter_and_its_own_time(version: str) -> None:
    made = line(example(f"document.status/{version}", "rejected"), f"document.status/{version}", to="H33.05")

    assert (made.kind, made.key, made.issuer, made.reporter, made.code) == ("status", ID, "H33.05", "H33.14", "02")
    assert made.said_at == parse_moment("2026-10-12T10:02:00+07:00")
    assert (made.fingerprint, made.recipients, made.obligations) == (None, ("H33.05",), ())


def test_a_status_of_the_second_version_tells_those_before_it() -> None:
    made = line(example("document.status/2.0", "history"), "document.status/2.0", to="H33.05")

    assert made.code == "06"
    assert [code for code, _ in made.told] == ["05", "01", "03", "15", "06"]


def test_taking_back_comes_the_other_way_round() -> None:
    data = example("document.status/1.0", "taken-back")
    data["responseFor"]["promulgationDate"] = "2026-10-12"

    made = line(data, "document.status/1.0", to="H33.14")

    assert (made.code, made.issuer, made.reporter, made.key) == ("13", "H33.05", "H33.05", ID)


@pytest.mark.parametrize(
    "about",
    [
        {"organId": "000.00.05.H33", "documentId": "000.00.05.H33,2026/10/12,1284/STC-NS"},
        {"documentId": ID},
        {"organId": "H33.05", "code": "1284/STC-NS", "promulgationDate": "2026-10-12"},
        {"code": "1284/stc-ns", "promulgationDate": "2026-10-12"},
    ],
)
def test_a_status_finds_its_document_by_id_or_by_issuer_code_and_day(about: dict[str, str]) -> None:
    data = {**example("document.status/1.0", "arrived"), "responseFor": about}

    made = line(data, "document.status/1.0", to="H33.05")

    assert (made.key, made.issuer) == (ID, "H33.05")


# ---------------------------------------------------------------------------------------------- who may say this

CLOSED = date(2025, 7, 1)
CITY = Directory(
    [
        Agency("H33.05", "Sở Tài chính", "province", ("000.00.05.H33",), "H33"),
        Agency("H33.05.01", "Chi cục", "unit", parent="H33.05", via="H33.05/dms"),
        Agency("H33.05.01.02", "Phòng", "unit", parent="H33.05.01"),
        Agency("H33.14", "Sở KHCN", "province", parent="H33", systems=(
            System("H33.14/axis", "H33.14", "line", sealing="gateway"),
            System("H33.14/own", "H33.14", "webhook"),
        )),
        Agency("H33.07", "Sở Y tế", "province", parent="H33", systems=(System("H33.07/dms", "H33.07", "webhook"),)),
        Agency("H33.77", "Xã", "commune", parent="H33", via="H33.07/dms"),
        Agency("H33.99", "Sở cũ", "province", parent="H33", closed=CLOSED, successor="H33.07"),
        Agency("H33.99.01", "Đơn vị của sở cũ", "unit", parent="H33.99"),
        Agency("H33.20", "Sở Nội vụ", "province", parent="H33", systems=(
            System("H33.20/line", "H33.20", "line", sealing="gateway"),
        )),
        Agency("H33.20.01", "Ban", "unit", parent="H33.20", via="H33.20/line"),
        Agency("H33.30", "Sở Xây dựng", "province", parent="H33", systems=(
            System("H33.30/line", "H33.30", "line", sealing="gateway"),
        )),
        Agency("G12", "Bộ", "central", via="H33.30/line"),
    ],
    [],
    gateway="H33.14/lgsp",
)  # fmt: skip
LONG_AFTER = parse_moment("2026-10-12T00:00:00Z")


@pytest.mark.parametrize(
    ("source", "speaker"),
    [
        ("H33.05/dms", "H33.05"),
        ("000.00.05.H33/dms", "H33.05"),
        ("X9/dms", "X9"),
        ("H33.05/dms", "H33.05.01.02"),  # its own unit's
        ("H33.07/dms", "H33.77"),  # carried
        ("H33.07/dms", "H33.99"),  # in whose place it stands
        ("H33.99/dms", "H33.07"),
        ("H33.07/dms", "H33.99.01"),
        ("H33.14/axis", "X9"),  # a line of the gateway's agency
        ("H33.14/axis", "H33.05"),
        ("H33.30/line", "X9"),  # a line that carries for others
    ],
)
def test_who_may_speak_for_an_agency(source: str, speaker: str) -> None:
    assert LONG_AFTER is not None
    assert may_speak_for(source, speaker, CITY, LONG_AFTER)


@pytest.mark.parametrize(
    ("source", "speaker"),
    [
        ("H33.07/dms", "H33.05"),
        ("H33.05.01/dms", "H33.05"),  # a unit for its department
        ("H33.07/dms", "X9"),
        ("H33.14/own", "H33.05"),  # the gateway's agency is an agency like others
        ("H33.20/line", "H33.05"),  # it carries for its own units alone
        ("H33.30/dms", "G12"),  # another system than the one that carries
        ("X9/dms", "H33.05"),
    ],
)
def test_who_may_not_speak_for_an_agency(source: str, speaker: str) -> None:
    assert LONG_AFTER is not None
    assert not may_speak_for(source, speaker, CITY, LONG_AFTER)


def test_a_system_that_carries_for_agencies_of_a_list_is_a_line_where_the_gateway_seals_for_it() -> None:
    systems = (System("H33.30/line", "H33.30", "line", sealing="gateway"), System("H33.30/dms", "H33.30", "webhook"))
    listed = [Entry("G12", "Bộ", via="H33.30/line"), Entry("G15", "Bộ khác", via="H33.30/dms")]
    directory = Directory(
        [Agency("H33.30", "Sở Xây dựng", "province", systems=systems)], [],
        gateway="H33.14/lgsp", lists=[AgencyList.of("axis", listed)],
    )  # fmt: skip

    assert directory.lines == {"H33.30/line"}
    assert may_speak_for("H33.30/line", "G15", directory, 0.0)
    assert may_speak_for("H33.30/dms", "G15", directory, 0.0)
    assert not may_speak_for("H33.30/dms", "G12", directory, 0.0)


def test_a_successor_may_not_speak_for_an_agency_before_its_day() -> None:
    early = parse_moment("2025-06-01T00:00:00Z")
    assert early is not None
    assert not may_speak_for("H33.07/dms", "H33.99", CITY, early)


@pytest.mark.parametrize(("source", "is_vouched"), [("H33.05/dms", True), ("H33.07/dms", False)])
@pytest.mark.parametrize(
    ("contract", "name"),
    [
        ("document.issued/1.0", "recall"),
        ("document.issued/2.0", "recall"),
        ("document.issued/2.0", "minimal"),
        ("document.status/1.0", "taken-back"),
    ],
)
def test_a_line_is_vouched_for_where_its_source_may_speak_for_who_says_it(
    contract: str, name: str, source: str, is_vouched: bool
) -> None:
    kind, _, version = contract.partition("/")
    event = Event("i", "i", source, kind, version, "s", 0.0, "", ("H33.14",), None, 0, None, None, None, None, None,
                  example(contract, name), {})  # fmt: skip
    owed = Obligation("H33.14", "receipt", 8.0, ("03",))

    made = Registrar(lambda *_: (owed,)).line(event, (), DIRECTORY, 0.0)

    assert made is not None
    assert (made.reporter, made.is_vouched) == ("H33.05", is_vouched)
    assert made.obligations == ((owed,) if is_vouched and kind == "document.issued" else ())


def test_a_status_in_anothers_name_is_not_vouched_for_and_answers_nothing() -> None:
    data = example("document.status/1.0", "arrived")
    data["responseFor"] = {"organId": "H33.05", "documentId": ID}
    sent = replace(line(example("document.issued/2.0", "full")), key=ID)
    owed = Obligation("H33.14", "receipt", 8.0, ("01",))
    event = Event("i", "i", "H33.07/dms", "document.status", "1.0", "s", 0.0, "", ("H33.05",), None, 0, None, None,
                  None, None, None, data, {})  # fmt: skip

    forged, own = (
        Registrar().line(event._replace(source=source), (), DIRECTORY, 0.0) for source in ("H33.07/dms", "H33.14/dms")
    )

    assert forged is not None
    assert own is not None
    assert (forged.is_vouched, own.is_vouched) == (False, True)
    assert (is_answered(owed, sent, forged), is_answered(owed, sent, own)) == (False, True)


# --------------------------------------------------------------------------------------------------- second ways


def served(*systems: str) -> Served:
    return Served(frozenset(each.partition("/")[0] for each in systems), frozenset(systems))


def test_each_system_of_an_agency_gets_it_once() -> None:
    entry = line(example("document.issued/2.0", "minimal"), to="H33.14 H33.07")

    assert already_served(entry, ["H33.14/dms", "H33.07/dms"], served("H33.14/dms"))
    assert not already_served(entry, ["H33.14/archive", "H33.07/dms"], served("H33.14/dms"))
    assert not already_served(entry, ["H33.14/dms", "H33.07/dms"], served("H33.40/dms"))
    # carried: no system of its own
    assert already_served(entry, ["H33.40/axis"], served("H33.14/dms"))


def test_the_names_that_are_left_keep_their_order() -> None:
    named = [("000.00.14.H33", "H33.14"), ("G12", "G12"), ("H33.07", "H33.07")]
    systems = ["H33.14/dms", "H33.14/archive", "H33.40/axis", "H33.07/dms"]

    assert left_to_serve(named, systems, served("H33.14/dms", "G12/x")) == ("H33.14/archive", "H33.07")
    assert left_to_serve(named[:1], systems, served("H33.14/dms", "H33.14/archive")) == ()
