"""What each service is asked and what its answers mean, compared with cases written by hand from the facts page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.ngsp.description import BUILT_IN, described
from adapters.ngsp.service import filled
from gateway.core.operation import Operation, encoded
from gateway.core.rule import value_at
from gateway.core.rule_text import split_pointer
from tests.adapters.ngsp_desk import ID, conforms

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ngsp"


def cases() -> Iterator[Any]:
    for path in sorted(VECTORS.glob("*.json")):
        whole = json.loads(path.read_text("utf-8"))
        for number, case in enumerate(whole["cases"]):
            yield pytest.param(whole["service"], case, id=f"{path.stem}-{case['operation']}-{number}")


def opened(service: str, case: dict[str, Any]) -> tuple[Operation, dict[str, Any], dict[str, Any]]:
    """The operation with the case's settings, what it is asked, and its own words on lists."""
    said, settings = described(BUILT_IN / f"{service}.toml"), case["settings"]
    (raw,) = (each for each in said["operations"] if each["name"] == case["operation"])
    tables = {name: dict(lines) for name, lines in said.get("tables", {}).items()}
    for name, lines in settings.get("tables", {}).items():
        tables[name] = {**tables.get(name, {}), **lines}
    made = {"path": settings.get("paths", {}).get(case["operation"], raw.get("path", ""))}
    operation = Operation.parse({**filled(raw, settings.get("names", {})), **made}, service, tables)
    record = {
        "data": case.get("data", {}), "query": {"id": ID}, "window": case.get("window", {}),
        "values": settings.get("values", {}),
    }  # fmt: skip
    return operation, record, raw.get("pull", {})


def alike(raw: bytes) -> bytes:
    """XML without what may be written in several ways."""
    return etree.tostring(etree.fromstring(raw), method="c14n2", strip_text=False)


def test_every_service_that_comes_with_the_product_has_cases() -> None:
    assert {path.stem for path in VECTORS.glob("*.json")} == {path.stem for path in BUILT_IN.glob("*.toml")}
    for path in BUILT_IN.glob("*.toml"):
        told = {case["operation"] for case in json.loads((VECTORS / f"{path.stem}.json").read_text("utf-8"))["cases"]}
        assert told == {each["name"] for each in described(path)["operations"]}


@pytest.mark.parametrize(("service", "case"), list(cases()))
def test_it_is_asked_as_the_facts_page_says(service: str, case: dict[str, Any]) -> None:
    if "data" in case:
        conforms(case["contract"], case["data"], case.get("version", "1.0"))
    operation, record, _ = opened(service, case)
    asked = operation.request(record)
    raw, kind, params = encoded(asked.format, operation.body(asked.value))
    wanted = case["request"]

    assert (asked.verb, asked.path) == (wanted["verb"], wanted["path"])
    assert params == wanted.get("params")
    if "xml" in wanted:
        assert raw is not None
        assert alike(raw) == alike(wanted["xml"].encode())
    elif "json" in wanted:
        assert (json.loads(raw or b""), kind) == (wanted["json"], "application/json; charset=utf-8")
    else:
        assert raw == (wanted["form"].encode() if "form" in wanted else None)


@pytest.mark.parametrize(("service", "case"), list(cases()))
def test_its_answers_mean_what_the_facts_page_says(service: str, case: dict[str, Any]) -> None:
    operation, record, pull = opened(service, case)
    for reply in case["replies"]:
        reading = operation.read(reply.get("status", 200), reply["body"].encode(), record)
        assert reading.kind == reply["kind"], reply["body"]
        if "items" in reply:
            found = [
                operation.heard_as(item, record).data
                for item in value_at(reading.payload, split_pointer(pull["items"]))
            ]
            assert found == reply["items"]
            for each in found:
                conforms(case["contract"], each, case["version"])
        else:
            assert reading.data == reply.get("data")
            if reading.data is not None:
                conforms(case["answer"], reading.data)


WORDS = ["error_code", "message", "data", "total", "state", "status", "success", "MainInformation", "items", "Status",
         "hoTen", "ngaySinh", "loaiNgaySinh", "Member", "AMOUNT", "DEC_STATUS_ID", "result"]  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["0", "1", "<a/>", "<Envelope><Body/></Envelope>", "[]", "{a:1}", "20260231"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
ALL = [(each.values[0], each.values[1]) for each in cases()]


@given(st.sampled_from(range(len(ALL))), st.integers(100, 599), ANY.map(json.dumps).map(str.encode) | st.binary())
def test_no_answer_of_any_service_breaks_its_reader(number: int, status: int, body: bytes) -> None:
    service, case = ALL[number]
    operation, record, _ = OPENED.setdefault(number, opened(service, case))
    reading = operation.read(status, body, record)
    assert reading.kind != "done" or 200 <= status < 300


OPENED: dict[int, Any] = {}
