"""What an answer means and what is inside it, told by data: verdicts, inner formats, dates in part, XML, loose JSON."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.faults import Misconfigured
from gateway.core.loose_json import parse_loose
from gateway.core.part_date import FORMS, PRECISIONS, precision_of, read_part, write_part
from gateway.core.strictjson import StrictJsonError
from gateway.core.unpacking import Unpacking, Wrapped
from gateway.core.verdict import KINDS, Verdicts, plain
from gateway.core.xml_value import SOAP_12, Tag, XmlFault, read_soap, read_xml, write_soap, write_xml

# ------------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize("value", [0, "0", "00", " 0 ", 0.0, "+0", "-0"])
def test_numbers_in_texts_compare_as_numbers(value: Any) -> None:
    verdicts = Verdicts.parse({"success": [{"at": "/error_code", "in": ["0"]}]}, "x")
    assert verdicts.verdict(200, {"error_code": value}) == "done"


@pytest.mark.parametrize("value", [None, "", False, 1, "01", "0x", [], {}])
def test_what_is_another_value_is_no_success(value: Any) -> None:
    verdicts = Verdicts.parse({"success": [{"at": "/error_code", "in": ["0"]}]}, "x")
    assert verdicts.verdict(200, {"error_code": value}) == "again"
    assert verdicts.verdict(200, {}) == "again"


def test_one_is_good_where_the_service_says_so() -> None:
    verdicts = Verdicts.parse(
        {"success": [{"at": "/error_code", "in": [1]}], "errors": [{"at": "/error_code", "in": [0], "means": "empty"}]},
        "x",
    )
    assert [verdicts.verdict(200, {"error_code": code}) for code in (1, 0, -1)] == ["done", "empty", "again"]


def test_phrases_are_found_whatever_their_case_and_composition() -> None:
    verdicts = Verdicts.parse({"success": [], "errors": [{"at": "/m", "holds": ["đã tồn tại"], "means": "there"}]}, "x")
    assert verdicts.verdict(200, {"m": "Hồ sơ ĐÃ  TỒN TẠI."}) == "there"
    assert verdicts.verdict(200, {"m": unicodedata.normalize("NFD", "Hồ sơ đã tồn tại")}) == "there"
    assert verdicts.verdict(200, {"m": "mới"}) == "done"


@pytest.mark.parametrize(("status", "kind"), [(401, "unproven"), (403, "unproven"), (400, "never"), (500, "again")])
def test_a_status_that_is_no_success_is_never_done_whatever_the_body_says(status: int, kind: str) -> None:
    verdicts = Verdicts.parse({"success": [{"at": "/ok", "in": [True]}]}, "x")
    assert verdicts.verdict(status, {"ok": True}) == kind


def test_a_sign_of_success_among_the_errors_needs_a_good_status_too() -> None:
    verdicts = Verdicts.parse({"success": [], "errors": [{"at": "/a", "present": True, "means": "done"}]}, "x")
    assert [verdicts.verdict(status, {"a": 1}) for status in (200, 500)] == ["done", "again"]


def test_an_error_may_be_told_by_status_alone_or_with_the_body() -> None:
    verdicts = Verdicts.parse({"success": [], "errors": [{"status": [404], "means": "empty"}]}, "x")
    assert verdicts.verdict(404, None) == "empty"


@pytest.mark.parametrize(
    "raw",
    [
        {"success": [{}]}, {"success": [{"at": "/a"}]}, {"success": [{"in": [1]}]},
        {"success": [{"at": "a", "in": [1]}]},
        {"errors": [{"at": "/a", "in": [1], "means": "maybe"}]}, {"otherwise": "maybe"}, {"errors": [{"status": [1]}]},
    ],
)  # fmt: skip
def test_a_condition_that_says_nothing_is_refused_by_its_place(raw: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as fault:
        Verdicts.parse(raw, "services/x")
    assert fault.value.where.startswith("services/x/")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.dictionaries(st.text(), s)))
def test_any_answer_has_a_meaning(value: Any) -> None:
    verdicts = Verdicts.parse({"success": [{"at": "/a/b", "in": [1]}, {"at": "", "present": True}]}, "x")
    assert verdicts.verdict(200, value) in KINDS
    assert isinstance(plain(value), str)


# -------------------------------------------------------------------------------------------------- inner formats


def unpack(raw: bytes, *steps: str) -> Any:
    return Unpacking.parse(list(steps), "x").apply(raw).value


def test_xml_in_a_text_in_json_and_json_in_json_are_taken_off_step_by_step() -> None:
    xml = json.dumps({"message": "<E><B><a>1</a></B></E>"}).encode()
    assert unpack(xml, "json", "/message", "xml", "/E/B") == {"a": "1"}
    value: Any = {"a": 1}
    for _ in range(3):
        assert unpack(json.dumps(value).encode(), "json-in-text") == {"a": 1}
        value = json.dumps(value)
    with pytest.raises(Wrapped):
        unpack(json.dumps(value).encode(), "json-in-text")


def test_an_encoding_that_a_text_claims_for_itself_is_not_believed() -> None:
    said = json.dumps({"m": '<?xml version="1.0" encoding="utf-16"?><a>Mẫu</a>'}).encode()
    assert unpack(said, "json", "/m", "xml") == {"a": "Mẫu"}


def test_only_what_strict_reading_refuses_is_dirty() -> None:
    steps = Unpacking.parse(["loose-json"], "x")
    assert steps.apply(b'{"a":1}') == ({"a": 1}, False)
    assert steps.apply(b"{a:1,}") == ({"a": 1}, True)


def test_what_is_not_wrapped_as_described_is_a_fault_without_its_content() -> None:
    for raw, step in [
        (b"<html>Nguyen Van Mau", "json"),
        (b"{Mau", "loose-json"),
        (b"<a>Mau", "xml"),
        (b"\xff", "json"),
    ]:
        with pytest.raises(Wrapped) as fault:
            unpack(raw, step)
        assert "Mau" not in str(fault.value)


@pytest.mark.parametrize("steps", [["yaml"], ["/a~2"], ["json"] * 13])
def test_a_step_that_there_is_not_is_refused(steps: list[str]) -> None:
    with pytest.raises(Misconfigured):
        Unpacking.parse(steps, "x")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_unpacking(raw: bytes) -> None:
    for step in ("json", "json-in-text", "loose-json", "xml", "soap", "text"):
        try:
            unpack(raw, step)
        except Wrapped:
            continue


# ------------------------------------------------------------------------------------------------------ loose JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{Ma: "217", Ten: "Phú Thọ",}', {"Ma": "217", "Ten": "Phú Thọ"}),
        ('[{"a":1,},]', [{"a": 1}]),
        (
            '{"MSG":"Data not insert: Record 1: MaDinhDanhCap1 "000.00.00.H30" is duplicate","Count":0}',
            {"MSG": 'Data not insert: Record 1: MaDinhDanhCap1 "000.00.00.H30" is duplicate', "Count": 0},
        ),
        ("{Ma=217, Ten=Phú Thọ}", {"Ma": 217, "Ten": "Phú Thọ"}),
        ('{"a": "x\\"y", b: true, c: null}', {"a": 'x"y', "b": True, "c": None}),
        ("{}", {}),
        ("[]", []),
    ],
)
def test_careless_json_is_read(text: str, value: Any) -> None:
    assert parse_loose(text.encode()) == value


@pytest.mark.parametrize(
    "text", ["", "<html/>", "word", "{", "[1", '{"a"}', "{a:}", "{a:1 b:2}{", '{"a":1,"a":2}', "[" * 40, "{a:1}x", '"']
)
def test_what_nobody_could_understand_alike_is_refused(text: str) -> None:
    with pytest.raises(StrictJsonError):
        parse_loose(text.encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_loose_reading_of_strict_json_that_bears_no_quotes_in_texts_is_the_same(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=True)
    if '\\"' not in text and isinstance(value, dict | list) and '""' not in text and ": " not in str(value):
        assert parse_loose(text.encode()) == value


@given(st.text(alphabet='{}[]",:=ab1 \\', max_size=60))
def test_no_text_breaks_the_loose_reader(text: str) -> None:
    try:
        parse_loose(text.encode())
    except StrictJsonError:
        return


# ----------------------------------------------------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("text", "form", "part"),
    [
        ("20260102", "yyyyMMdd", "2026-01-02"), ("202601", "yyyyMM", "2026-01"), (1980, "yyyy", "1980"),
        ("02/01/2026", "dd/MM/yyyy", "2026-01-02"), ("01/2026", "MM/yyyy", "2026-01"),
        ("02/01/2026 10:11:12", "dd/MM/yyyy HH:mm:ss", "2026-01-02"),
        ("20260102101112", "yyyyMMddHHmmss", "2026-01-02"),
    ],
)  # fmt: skip
def test_a_date_says_as_much_as_was_written(text: Any, form: str, part: str) -> None:
    assert read_part(text, [form]) == part


@pytest.mark.parametrize("text", ["31/02/2026", "2026-13", "", None, True, "1/1/2026", "２０２６"])
def test_what_is_no_date_is_none(text: Any) -> None:
    assert read_part(text, sorted(FORMS)) is None


def test_a_day_that_is_known_to_be_made_up_is_cut() -> None:
    assert [read_part("19800101", ["yyyyMMdd"], known) for known in PRECISIONS] == ["1980", "1980-01", "1980-01-01"]
    assert [read_part("19800000", ["yyyyMMdd"], known) for known in PRECISIONS] == ["1980", None, None]


def test_a_form_that_wants_more_than_is_known_is_not_written() -> None:
    assert write_part("1980", "yyyyMMdd") is None
    assert write_part("1980-01", "MM/yyyy") == "01/1980"


@given(st.dates(), st.sampled_from(sorted(FORMS)))
def test_what_is_written_is_read_back_to_the_same_precision(day: Any, form: str) -> None:
    part = day.isoformat()
    written = write_part(part, form)
    assert written is not None
    read = read_part(written, [form])
    assert read is not None
    assert part.startswith(read)
    assert precision_of(read) is not None


# ------------------------------------------------------------------------------------------------------------- XML


def test_elements_stand_in_the_order_that_was_fixed_wherever_they_came_from() -> None:
    raw = write_xml({"b": {"d": "2", "c": "1"}, "a": "0"}, Tag("R", "urn:x", "p"), ["a", "b", "b/c", "b/d"])
    assert [each for each in (b"<p:a>", b"<p:c>", b"<p:d>") if each in raw] == [b"<p:a>", b"<p:c>", b"<p:d>"]
    assert raw.index(b"<p:a>") < raw.index(b"<p:c>") < raw.index(b"<p:d>")
    assert read_xml(raw) == {"R": {"a": "0", "b": {"c": "1", "d": "2"}}}


def test_what_has_no_place_in_the_order_or_in_xml_is_not_written() -> None:
    for value, order in [({"x": "1"}, ["a"]), ({"a": "\x00"}, ()), ({"a b": "1"}, ())]:
        with pytest.raises(XmlFault):
            write_xml(value, Tag("R"), order)


def test_a_soap_frame_is_put_on_and_taken_off_in_both_versions() -> None:
    for frame in ("http://schemas.xmlsoap.org/soap/envelope/", SOAP_12):
        raw = write_soap({"a": "1"}, Tag("Op", "urn:x", "p"), frame=frame)
        assert read_soap(raw) == {"Op": {"a": "1"}}
    with pytest.raises(XmlFault):
        read_soap(b"<a/>")


BOMB = b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    "raw",
    [
        BOMB, b" " * 5000 + BOMB, BOMB.decode().encode("utf-16"), b"<a>" * 50 + b"</a>" * 50, b"<a/>" + b"<b/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', b"<a>" + b"<b/>" * 200_001 + b"</a>",
    ],
    ids=range(7),
)  # fmt: skip
def test_xml_that_wants_more_than_to_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(XmlFault):
        read_xml(raw)


def test_what_comes_several_times_is_a_list_and_comments_are_nothing() -> None:
    assert read_xml(b"<r><a>1</a><!-- x --><a>2</a><b/></r>") == {"r": {"a": ["1", "2"], "b": ""}}
