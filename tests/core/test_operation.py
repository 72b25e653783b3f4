"""One operation told by data: what is written, in which format, and what is refused before anybody is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.faults import Misconfigured, PermanentFailure
from gateway.core.operation import Operation, encoded


def operation(**raw: Any) -> Operation:
    return Operation.parse({"path": "/x", "verb": "POST", **raw}, "x", {"t": {"1": "one", "02": "two"}})


def written(record: Any, **request: Any) -> Any:
    return operation(request=request).request({"data": record}).value


def test_xml_and_json_go_into_texts_of_their_own() -> None:
    value = written(
        {"person": {"name": "Mẫu & Con"}, "list": [1]},
        rules=[{"move": "/data/person", "to": "/data"}, {"move": "/data/list", "to": "/list"}],
        texts=[{"at": "/data", "as": "xml", "root": "hoTich"}, {"at": "/list", "as": "json"}],
    )
    assert value["data"].endswith("<hoTich><name>Mẫu &amp; Con</name></hoTich>")
    assert json.loads(value["list"]) == [1]


@pytest.mark.parametrize(("code", "found"), [("1", "one"), (1, "one"), ("01", "one"), (2, "two"), ("3", "3")])
def test_codes_of_a_table_compare_as_numbers_and_others_stay(code: Any, found: str) -> None:
    assert written({"c": code}, tables=[{"from": "/data/c", "to": "/c", "table": "t"}]) == {"c": found}


def test_a_code_that_no_table_has_is_dropped_or_refused_where_that_is_said() -> None:
    step = {"from": "/data/c", "to": "/c", "table": "t"}
    assert written({"c": "3"}, tables=[{**step, "otherwise": "drop"}]) == {}
    with pytest.raises(PermanentFailure) as failure:
        written({"c": "bi-mat"}, tables=[{**step, "otherwise": "refuse"}])
    assert "bi-mat" not in str(failure.value)


def test_a_date_of_a_precision_that_the_service_does_not_take_is_refused() -> None:
    step = {"from": "/data/d", "writes": [{"precision": "day", "form": "yyyyMMdd", "to": "/d", "also": {"/k": "0"}}]}
    assert written({"d": "1980-01-02"}, dates=[step]) == {"d": "19800102", "k": "0"}
    assert written({}, dates=[step]) == {}
    with pytest.raises(PermanentFailure):
        written({"d": "1980"}, dates=[step])


def test_what_must_be_there_is_named_by_its_place_alone() -> None:
    with pytest.raises(PermanentFailure, match="a/b"):
        written({"a": {"b": ""}}, rules=[{"move": "/data/a", "to": "/a"}], needs=["/a/b"])


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a?b", "a b", "", None, ["a"], "x" * 201])
def test_only_a_plain_name_may_stand_in_a_path(name: Any) -> None:
    made = operation(path="/c/{n}", path_values={"n": "/data/n"})
    assert made.request({"data": {"n": "A-1_b.c"}}).path == "/c/A-1_b.c"
    with pytest.raises(PermanentFailure):
        made.request({"data": {"n": name}})


@pytest.mark.parametrize(
    ("form", "body", "kind", "params"),
    [
        ("none", None, "", {"a": "Mẫu 1"}),
        ("query", None, "", {"a": "Mẫu 1"}),
        ("form", b"a=M%E1%BA%ABu+1", "application/x-www-form-urlencoded", None),
        ("json", '{"a": "Mẫu 1"}'.encode(), "application/json; charset=utf-8", None),
    ],
)
def test_each_format_is_written_in_its_own_way(form: Any, body: bytes | None, kind: str, params: Any) -> None:
    assert encoded(form, {"a": "Mẫu 1"}) == (body, kind, params)


def test_dates_codes_and_numbers_are_read_for_every_item_of_a_list() -> None:
    within = {"from": "/list", "to": "/people"}
    made = operation(
        reply={
            "rules": [{"each": "/list", "to": "/people", "rules": [{"move": "/n", "to": "/name"}]}],
            "dates": [{"in": within, "from": "/d", "to": "/birth", "forms": ["dd/MM/yyyy", "yyyy"]}],
            "tables": [{"in": within, "from": "/c", "to": "/code", "table": "t", "otherwise": "drop"}],
            "numbers": [{"in": within, "from": "/x", "to": "/share"}],
            "squeeze": ["/people"],
        }
    )
    body = {"list": [{"n": "A", "d": "1980", "c": 1}, {}, {"n": "B", "d": "02/01/1980", "c": "9", "x": "1.50"}]}
    reading = made.read(200, json.dumps(body).encode())
    assert reading.data == {
        "people": [{"name": "A", "birth": "1980", "code": "one"}, {"name": "B", "birth": "1980-01-02", "share": 1.5}]
    }


def test_what_is_no_text_and_no_list_where_one_was_described_is_no_answer() -> None:
    made = operation(reply={"rules": [{"move": "/a", "to": "/a"}]})
    assert made.read(200, b'{"a": {"b": 1}}').kind == "never"
    assert made.read(200, b'{"a": [1]}').kind == "never"


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({"reply": {"payload": "a"}}, "x/reply/payload"),
        ({"path_values": {"n": "a"}}, "x/path_values/n"),
        ({"request": {"needs": ["/a", "b"]}}, "x/request/needs/1"),
        ({"request": {"rules": [{"mvoe": "/a"}]}}, "x/request#/rules/0"),
        ({"reply": {"dates": [{"from": "a", "to": "/b", "forms": ["yyyy"]}]}}, "x/reply/dates/0"),
    ],
)
def test_a_mistake_is_named_by_its_place(raw: dict[str, Any], where: str) -> None:
    with pytest.raises(Misconfigured) as fault:
        operation(**raw)
    assert fault.value.where == where
