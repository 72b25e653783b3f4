"""The envelope: size and shape, then each attribute by its rule, then the window of time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import jws
from gateway.core.envelope import (
    GATEWAY_ONLY,
    MAX_ENVELOPE,
    Event,
    check_attributes,
    check_window,
    digest_of,
    open_envelope,
    parse_event,
    payload_digest,
    refuse_gateway_attributes,
    seal,
    without_line_end,
)
from gateway.core.faults import Rejected
from gateway.core.moments import format_moment
from tests.build import MORNING, a_key
from tests.town import GATEWAY, a_pair

SIGNER, _ = a_pair("H33.05/dms")
DAY = 86400.0


def an_event(**override: Any) -> dict[str, Any]:
    """An event that is right; a value of ``...`` leaves the attribute out."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": a_key("m"),
        "source": "H33.05/dms",
        "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:1.0",
        "subject": "letter 1",
        "time": "2026-11-23T08:00:00+07:00",
        "datacontenttype": "application/json",
        "data": {},
        **override,
    }
    return {name: value for name, value in made.items() if value is not ...}


def checked(**override: Any) -> Event:
    names = frozenset({GATEWAY, "000.00.14.H33/lgsp"})
    return check_attributes(an_event(**override), gateway=GATEWAY, gateway_names=names)


def complaint(**override: Any) -> str:
    with pytest.raises(Rejected) as refusal:
        checked(**override)
    assert refusal.value.problem == "malformed-envelope"
    assert refusal.value.detail.vi
    return refusal.value.detail.en


# ------------------------------------------------------------------------------------------- size and shape


@pytest.mark.parametrize(
    ("body", "envelope"),
    [(b"a.b.c", b"a.b.c"), (b"a.b.c\n", b"a.b.c"), (b"a.b.c\r\n", b"a.b.c"), (b"a.b.c\n\n", b"a.b.c\n"),
     (b"a.b.c\r", b"a.b.c\r"), (b"\r\n", b""), (b"", b"")],
)  # fmt: skip
def test_one_trailing_line_end_is_no_part_of_an_envelope(body: bytes, envelope: bytes) -> None:
    assert without_line_end(body) == envelope


def test_an_envelope_of_one_mebibyte_is_not_too_large_and_a_byte_more_is() -> None:
    assert MAX_ENVELOPE == 1024 * 1024
    with pytest.raises(Rejected, match="too-large"):
        open_envelope(b"A" * (MAX_ENVELOPE + 1))
    with pytest.raises(Rejected, match="malformed-envelope"):
        open_envelope(b"A" * MAX_ENVELOPE)
    filled = seal(an_event(data={"x": "a" * 700_000}), SIGNER)
    assert open_envelope(filled, limit=len(filled)).raw == filled
    with pytest.raises(Rejected, match="too-large"):
        open_envelope(filled, limit=len(filled) - 1)


def test_opening_keeps_the_bytes_and_reads_the_event() -> None:
    raw = seal(an_event(), SIGNER)
    opened = open_envelope(raw)
    assert opened.raw == raw
    assert opened.event == an_event()
    assert opened.claimed_source == "H33.05/dms"
    assert open_envelope(seal(an_event(source=7), SIGNER)).claimed_source is None


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_what_was_sealed_opens_to_the_same_event(members: dict[str, Any]) -> None:
    opened = open_envelope(seal(members, SIGNER))
    assert opened.event == members
    assert jws.verify(SIGNER.key.public_key(), opened.signature)


def test_text_is_sealed_as_it_is_and_not_escaped() -> None:
    assert "Sở Y tế".encode() in jws.split(seal({"a": "Sở Y tế"}, SIGNER)).payload


# ----------------------------------------------------------------------------------------------- attributes


def test_an_event_with_nothing_but_what_is_required_is_taken() -> None:
    event = checked()
    assert (event.id, event.source, event.type, event.version) == (a_key("m"), "H33.05/dms", "document.issued", "1.0")
    assert (event.subject, event.time, event.time_text) == ("letter 1", MORNING, "2026-11-23T08:00:00+07:00")
    assert {event.to, event.purpose, event.notbefore, event.expirytime} == {None}
    assert {event.correlationid, event.causationid, event.traceparent} == {None}
    assert (event.priority, event.data) == (0, {})


@pytest.mark.parametrize(
    "name",
    ["specversion", "id", "source", "type", "dataschema", "subject", "time", "datacontenttype", "data"],
)
def test_each_attribute_that_is_no_extension_is_required(name: str) -> None:
    assert complaint(**{name: ...}) == f"The attribute {name} is missing."


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "dataschema", "subject", "time"])
def test_null_is_as_good_as_missing(name: str) -> None:
    assert complaint(**{name: None}) == f"The attribute {name} is missing."


def test_an_extension_that_is_null_is_unset() -> None:
    event = checked(to=None, purpose=None, priority=None, notbefore=None, bus=None, dossierstep=None)
    assert (event.to, event.purpose, event.priority, event.notbefore) == (None, None, 0, None)


def test_data_may_be_null_here_its_contract_decides() -> None:
    assert checked(data=None).data is None


@pytest.mark.parametrize("version", ["0.3", "1", "1.0.2", "", 1.0])
def test_specversion_is_1_0(version: object) -> None:
    assert "specversion" in complaint(specversion=version)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/xml", "Application/JSON", "text/json"]
)
def test_datacontenttype_is_application_json(kind: str) -> None:
    assert "datacontenttype" in complaint(datacontenttype=kind)


def test_an_id_is_kept_as_sent_and_compared_without_case() -> None:
    event = checked(id=a_key("m").upper())
    assert (event.id, event.key) == (a_key("m").upper(), a_key("m"))


@pytest.mark.parametrize(
    "id_",
    ["1", "urn:uuid:" + a_key("m"), "{" + a_key("m") + "}", a_key("m").replace("-", ""), a_key("m") + "\n",
     a_key("m")[:-1] + "g", a_key("m") + "0", 7],
)  # fmt: skip
def test_an_id_is_a_uuid(id_: object) -> None:
    assert "id must be" in complaint(id=id_) or "attribute id" in complaint(id=id_)


@pytest.mark.parametrize("subject", ["a", "đ" * 256, "\N{GRINNING FACE}" * 256, " "])
def test_a_subject_has_1_to_256_characters(subject: str) -> None:
    assert checked(subject=subject).subject == subject


@pytest.mark.parametrize("subject", ["", "đ" * 257, 7])
def test_and_neither_none_nor_more(subject: object) -> None:
    assert "subject" in complaint(subject=subject)


@pytest.mark.parametrize(
    "time", ["2026-11-23T08:00:00", "2026-11-23", "yesterday", "2026-02-30T00:00:00Z", "1795395600", ""]
)
def test_time_is_rfc_3339_with_an_offset(time: str) -> None:
    assert "time" in complaint(time=time)


@pytest.mark.parametrize("name", ["notbefore", "expirytime"])
def test_notbefore_and_expirytime_are_moments_too(name: str) -> None:
    assert name in complaint(**{name: "tomorrow"})
    event = checked(**{name: "2026-11-23T08:00:00+07:00"})
    assert MORNING in {event.notbefore, event.expirytime}


@pytest.mark.parametrize(
    ("kind", "dataschema"),
    [
        ("document.issued", "urn:lgsp:contract:document.status:1.0"),
        ("document.issued", "urn:lgsp:contract:document.issued"),
        ("document.issued", "urn:lgsp:contract:document.issued:1"),
        ("document.issued", "urn:lgsp:contract:document.issued:1.0.0"),
        ("document.issued", "URN:LGSP:contract:document.issued:1.0"),
        ("document.issued", "https://lgsp.example.vn/document.issued:1.0"),
        ("document.issued", "urn:lgsp:contract:document.issued:1.0\n"),
        ("a b", "urn:lgsp:contract:a b:1.0"),
        ("a:b", "urn:lgsp:contract:a:b:1.0"),
    ],
)
def test_dataschema_names_the_contract_of_type_in_a_version(kind: str, dataschema: str) -> None:
    assert "dataschema" in complaint(type=kind, dataschema=dataschema)


@pytest.mark.parametrize(("to", "names"), [("H33.16", ("H33.16",)), ("H33.16 H33.20/dms", ("H33.16", "H33.20/dms"))])
def test_to_holds_names_separated_by_one_space(to: str, names: tuple[str, ...]) -> None:
    assert checked(to=to).to == names


@pytest.mark.parametrize("to", ["", " ", "H33.16 ", " H33.16", "H33.16  H33.20", 7, ["H33.16"]])
def test_and_nothing_else(to: object) -> None:
    assert "to" in complaint(to=to).split()


def test_to_may_be_long_but_not_without_end() -> None:
    names = " ".join(f"H33.{number}" for number in range(5001))
    assert len(checked(to=names.rpartition(" ")[0]).to or ()) == 5000
    assert "5000" in complaint(to=names)


@pytest.mark.parametrize("bus", [GATEWAY, "000.00.14.H33/lgsp"])
def test_bus_is_this_gateway_by_whichever_code(bus: str) -> None:
    assert checked(bus=bus).members["bus"] == bus


@pytest.mark.parametrize("bus", ["H27.14/lgsp", "H33.14", ""])
def test_what_is_meant_for_another_bus_is_refused(bus: str) -> None:
    assert "bus" in complaint(bus=bus)


@pytest.mark.parametrize(
    ("word", "height"), [("normal", 0), ("urgent", 1), ("very-urgent", 2), ("express", 3), (..., 0)]
)
def test_priority_is_one_of_four_words(word: object, height: int) -> None:
    assert checked(priority=word).priority == height


@pytest.mark.parametrize("word", ["Urgent", "high", "khẩn", 1, "", True])
def test_any_other_word_is_no_priority(word: object) -> None:
    assert "priority" in complaint(priority=word)


@pytest.mark.parametrize("name", ["purpose", "correlationid", "causationid", "traceparent", "tracestate", "source"])
def test_what_is_a_text_is_a_text_that_says_something(name: str) -> None:
    assert name in complaint(**{name: ""})
    assert name in complaint(**{name: 7})
    assert name in complaint(**{name: "x" * 1025})


def test_the_conversation_and_the_trace_are_read() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event = checked(correlationid="c", causationid="d", traceparent=trace, purpose="van-ban")
    assert (event.correlationid, event.causationid, event.purpose) == ("c", "d", "van-ban")
    assert event.traceparent == trace


@pytest.mark.parametrize("name", sorted(GATEWAY_ONLY))
def test_what_is_the_gateways_own_is_refused_from_anyone_else(name: str) -> None:
    with pytest.raises(Rejected, match="malformed-envelope") as refusal:
        refuse_gateway_attributes(an_event(**{name: "x"}))
    assert name in refusal.value.detail.vi
    refuse_gateway_attributes(an_event(**{name: None}))


def test_there_are_seven_attributes_of_the_gateways_own() -> None:
    own = "sealedby originsource originid origindigest rulesdigest queryid querydigest"
    assert set(own.split()) == GATEWAY_ONLY


@pytest.mark.parametrize("value", ["thẩm định", 7, True, ""])
def test_other_extensions_are_kept(value: object) -> None:
    assert checked(dossierstep=value).members["dossierstep"] == value


@pytest.mark.parametrize("name", ["Dossier", "dossier-step", "dossier_step", "data_base64", "bước", "", "a b"])
def test_an_attribute_name_holds_small_letters_and_digits(name: str) -> None:
    assert "names" in complaint(**{name: "x"})


@pytest.mark.parametrize("value", [1.5, {"a": 1}, ["a"]])
def test_an_attribute_is_a_text_an_integer_or_a_truth(value: object) -> None:
    assert "dossierstep" in complaint(dossierstep=value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(st.sampled_from([*an_event(), "to", "bus", "priority", "notbefore", "purpose", "x"]), ANYTHING)
def test_no_value_of_an_attribute_surprises_the_bus(name: str, value: object) -> None:
    problem = ""
    try:
        checked(**{name: value})
    except Rejected as refusal:
        problem = refusal.problem
    assert problem in {"", "malformed-envelope"}


# --------------------------------------------------------------------------------------- window and digests


@pytest.mark.parametrize(
    ("seconds", "is_taken"),
    [(0, True), (300, True), (300.5, False), (-30 * DAY, True), (-30 * DAY - 1, False), (DAY, False)],
)
def test_time_is_at_most_5_minutes_ahead_and_30_days_behind(seconds: float, is_taken: bool) -> None:
    event = checked(time=format_moment(MORNING + seconds))
    if is_taken:
        check_window(event, MORNING)
    else:
        with pytest.raises(Rejected, match="stale"):
            check_window(event, MORNING)


def test_digests_are_sha_256_in_lower_case_hex() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert payload_digest(b"") == empty
    assert digest_of(b"") == f"sha-256:{empty}"


@pytest.mark.parametrize("payload", [b"[]", b"7", b'"a"', b"null"])
def test_a_payload_is_one_json_object(payload: bytes) -> None:
    with pytest.raises(Rejected, match="one JSON object"):
        parse_event(payload)


@given(st.binary(max_size=60))
def test_any_payload_is_an_object_or_refused_as_malformed(payload: bytes) -> None:
    problem = ""
    try:
        parse_event(payload)
    except Rejected as refusal:
        problem = refusal.problem
    assert problem in {"", "malformed-envelope"}


def test_a_refusal_speaks_both_languages_and_says_who_must_act() -> None:
    with pytest.raises(Rejected) as refusal:
        parse_event(json.dumps([1]).encode())
    assert refusal.value.detail.vi != refusal.value.detail.en
