"""Judging one message against one picture of the registry: what is found out, what is refused, and nothing raised."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.contract import Catalog
from gateway.core.directory import Agency, Directory, System
from gateway.core.envelope import payload_digest, seal
from gateway.core.judgement import Judge, Judged, expired_fault
from gateway.core.jws import split
from gateway.core.moments import format_moment
from tests.build import MORNING, a_digest
from tests.town import CATALOG, GATEWAY, a_pair, a_town, an_agreement, document

TOWN = a_town()
JUDGE = Judge(TOWN.directory, CATALOG)
DAY = 86400.0


def judged(judge: Judge = JUDGE, now: float = MORNING, **override: Any) -> Judged:
    return judge.sealed(TOWN.envelope(**override), now)


def problem(judge: Judge = JUDGE, now: float = MORNING, **override: Any) -> str:
    fault = judged(judge, now, **override).fault
    assert fault is not None
    return fault.problem


def test_a_sound_message_is_told_with_its_source_contract_routes_and_files() -> None:
    file = {"name": "a.pdf", "mediaType": "application/pdf", "size": 7, "sha256": a_digest("a")}
    found = judged(to="H33.16 H33.30", data=document(files=[file]))
    assert found.fault is None
    assert found.source is TOWN.system("H33.05/dms")
    assert found.contract is CATALOG.contract("document.issued")
    assert [each.system.name for each in found.routes] == ["H33.16/dms", "H33.30/dms"]
    assert found.files == (a_digest("a"),)
    assert not found.is_expired


def test_what_makes_a_repeat_the_same_are_the_payloads_bytes() -> None:
    raw = TOWN.envelope()
    assert JUDGE.sealed(raw, MORNING).repeat_digest == payload_digest(split(raw).payload)


@pytest.mark.parametrize("source", ["H33.05/dms", "000.00.05.H33/dms"])
def test_the_source_is_the_signers_system_by_whichever_code(source: str) -> None:
    raw = seal(TOWN.event(source), TOWN.signers["H33.05/dms"])
    found = JUDGE.sealed(raw, MORNING)
    assert found.fault is None
    assert found.source is TOWN.system("H33.05/dms")


@pytest.mark.parametrize("source", ["H33.16/dms", "H33.05/hr", "H33.05", "nobody", ""])
def test_a_certificate_vouches_for_its_own_system_alone(source: str) -> None:
    found = JUDGE.sealed(seal(TOWN.event(source), TOWN.signers["H33.05/dms"]), MORNING)
    assert found.fault is not None
    assert found.fault.problem == "untrusted-certificate"
    assert found.source is TOWN.system("H33.05/dms")  # who signed, not who was claimed


@pytest.mark.parametrize("source", [None, 7, {"a": 1}])
def test_a_source_that_is_no_text_is_malformed(source: object) -> None:
    members = {name: value for name, value in {**TOWN.event(), "source": source}.items() if value is not None}
    found = JUDGE.sealed(seal(members, TOWN.signers["H33.05/dms"]), MORNING)
    assert found.fault is not None
    assert found.fault.problem == "malformed-envelope"


def test_one_certificate_may_serve_two_systems_of_an_agency() -> None:
    own = TOWN.directory.agencies["H33.05"]
    both = replace(own, systems=(*own.systems, replace(own.systems[0], name="H33.05/hr")))
    town = a_town()
    town.enrol(both)
    judge = Judge(town.directory, CATALOG)
    for source in ("H33.05/dms", "H33.05/hr"):
        found = judge.sealed(seal(TOWN.event(source), TOWN.signers["H33.05/dms"]), MORNING)
        assert found.source is town.system(source)


@pytest.mark.parametrize(("day", "is_taken"), [(-1, False), (0, True), (10, True), (11, False)])
def test_a_certificate_counts_within_its_dates(day: float, is_taken: bool) -> None:
    signer, certificate = a_pair("H33.07/dms", days=(0, 10))
    system = System("H33.07/dms", "H33.07", "webhook", certificates=(certificate,))
    town = a_town()
    town.enrol(Agency("H33.07", "x", "province", parent="H33", systems=(system,)))
    now = MORNING + day * DAY
    raw = seal(town.event("H33.07/dms", time=format_moment(now)), signer)
    fault = Judge(town.directory, CATALOG).sealed(raw, now).fault
    assert (fault is None) is is_taken
    assert fault is None or fault.problem == "untrusted-certificate"


def test_before_the_signature_verifies_nobody_is_known_to_have_signed() -> None:
    stranger, _ = a_pair("stranger")
    for raw in (b"", seal(TOWN.event(), stranger), TOWN.envelope()[:-4] + b"AAAA"):
        found = JUDGE.sealed(raw, MORNING)
        assert found.source is None
        assert found.fault is not None


# -------------------------------------------------------------------------------------- secrecy and contract


@pytest.mark.parametrize("mark", ["mật", "tối mật", "tuyệt mật", "secret", "None", "", None, 0, [], True])
def test_whatever_is_marked_other_than_none_is_secret(mark: object) -> None:
    assert problem(data=document(confidentiality=mark)) == "secret-content"


def test_secrecy_is_judged_by_the_mark_whatever_the_contract() -> None:
    assert problem(type="no.such", dataschema="urn:lgsp:contract:no.such:1.0", data={"confidentiality": "mật"}) == (
        "secret-content"
    )


def test_a_missing_mark_where_the_contract_needs_it_breaks_the_contract() -> None:
    unmarked = {name: value for name, value in document().items() if name != "confidentiality"}
    fault = judged(data=unmarked).fault
    assert fault is not None
    assert fault.problem == "contract-violation"
    assert "confidentiality" in fault.violations[0].message.vi


def test_words_of_secrecy_within_a_text_are_no_mark() -> None:
    assert judged(data=document(subject="V/v giải mật tài liệu tối mật")).fault is None
    assert judged(data=document(answers=[{"confidentiality": "mật"}])).fault is None


@pytest.mark.parametrize(
    ("kind", "version"),
    [("no.such", "1.0"), ("document.issued", "9.0"), ("document.issued", "1.7"), ("document.issued", "01.0")],
)
def test_a_contract_or_version_that_there_is_not_is_unknown(kind: str, version: str) -> None:
    assert problem(type=kind, dataschema=f"urn:lgsp:contract:{kind}:{version}") == "unknown-contract"


def test_a_version_that_is_retired_is_gone() -> None:
    contract = CATALOG.contracts["document.issued"]
    versions = tuple(replace(each, state="retired") if each.label == "1.0" else each for each in contract.versions)
    judge = Judge(TOWN.directory, Catalog.of([replace(contract, versions=versions)]))
    assert problem(judge) == "unknown-contract"


@pytest.mark.parametrize("kind", ["receipt.delivered", "receipt.refused", "receipt.expired", "receipt.discarded"])
def test_receipts_come_from_the_gateway_alone(kind: str) -> None:
    assert problem(type=kind, dataschema=f"urn:lgsp:contract:{kind}:1.0") == "unknown-contract"


@pytest.mark.parametrize("kind", ["query", "answer"])
def test_queries_and_answers_have_another_door(kind: str) -> None:
    contract = replace(CATALOG.contracts["document.issued"], kind=kind)
    assert problem(Judge(TOWN.directory, Catalog.of([contract]))) == "unknown-contract"


def test_data_that_breaks_its_contract_is_told_place_by_place() -> None:
    fault = judged(data=document(pages=-1, documentId="")).fault
    assert fault is not None
    assert fault.problem == "contract-violation"
    assert {(each.pointer, each.rule) for each in fault.violations} == {
        ("/pages", "minimum"),
        ("/documentId", "minLength"),
    }
    assert all(each.message.vi and each.message.en for each in fault.violations)


def test_data_is_never_compared_with_the_envelope() -> None:
    other = document(issuingOrganId="H27", recipients=["H99"], documentId="another")
    assert judged(data=other).fault is None


# --------------------------------------------------------------------------------------- routing and expiry


def test_the_agreement_must_be_in_force_today_in_viet_nam() -> None:
    until = an_agreement(valid_until=date(2026, 11, 23))
    judge = Judge(Directory(TOWN.directory.agencies.values(), [until], gateway=GATEWAY), CATALOG)
    last = MORNING + 15.99 * 3600  # eight in the morning, and almost sixteen hours more
    assert judged(judge, last, time=format_moment(last)).fault is None
    assert problem(judge, last + 60, time=format_moment(last)) == "no-agreement"


def test_expiry_is_found_but_left_for_last() -> None:
    for seconds, is_expired in ((-1, True), (0, True), (1, False)):
        found = judged(expirytime=format_moment(MORNING + seconds))
        assert found.fault is None
        assert found.is_expired is is_expired
    assert expired_fault().problem == "expired"


def test_a_fault_after_the_attributes_still_tells_id_and_payload_for_repeats() -> None:
    found = judged(to="H99")
    assert found.fault is not None
    assert found.event is not None
    assert found.repeat_digest


def test_a_fault_in_the_attributes_tells_no_event() -> None:
    found = judged(datacontenttype="text/plain")
    assert (found.event, found.source) == (None, TOWN.system("H33.05/dms"))


# ----------------------------------------------------------------------------------------- what the bus seals


def test_an_unsigned_event_is_judged_like_a_signed_one_but_for_its_signature() -> None:
    system = TOWN.system("H33.05/dms")
    event = {**TOWN.event(), "sealedby": TOWN.directory.gateway}
    found = JUDGE.unsigned(system, event, "digest of what was posted", MORNING)
    assert found.fault is None
    assert (found.source, found.repeat_digest) == (system, "digest of what was posted")
    for override, expected in (({"to": "H99"}, "unknown-recipient"), ({"id": "1"}, "malformed-envelope")):
        fault = JUDGE.unsigned(system, {**event, **override}, "", MORNING).fault
        assert fault is not None
        assert fault.problem == expected


# -------------------------------------------------------------------------------------------- no surprises

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**308), 10**308) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@given(st.sampled_from(["data", "to", "subject", "type", "dataschema", "purpose", "source", "x"]), ANYTHING)
def test_no_signed_event_makes_the_judge_raise(name: str, value: Any) -> None:
    raw = seal({**TOWN.event(), name: value}, TOWN.signers["H33.05/dms"])
    found = JUDGE.sealed(raw, MORNING)
    assert (found.fault is None) is bool(found.routes)


@given(st.sampled_from(sorted(document())), ANYTHING)
def test_no_data_makes_the_judge_raise(name: str, value: Any) -> None:
    found = judged(data=document(**{name: value}))
    assert found.fault is None or found.fault.problem in {"contract-violation", "secret-content", "malformed-envelope"}


@given(st.binary(max_size=100))
def test_no_bytes_make_the_judge_raise(raw: bytes) -> None:
    fault = JUDGE.sealed(raw, MORNING).fault
    assert fault is not None
    assert fault.problem == "malformed-envelope"


def test_numbers_that_only_a_big_integer_can_hold_are_judged() -> None:
    event = json.dumps(TOWN.event(data=document(pages=10**308)))
    raw = TOWN.signers["H33.05/dms"].sign("ce+jws", event.encode())
    assert JUDGE.sealed(raw, MORNING).fault is None
