"""The words of the rule language, one by one: what each writes, and what it says is lost."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given

from gateway.core.faults import Misconfigured
from gateway.core.translation import Chain, Rules
from tests.core.generated import JSON


def rules(*words: Any) -> Rules:
    return Rules.parse(json.dumps({"rules": words}).encode(), "9.0/up.json")


CASES: list[tuple[str, Any, Any, Any, tuple[str, ...]]] = [
    ("keep leaves a value where it is", {"keep": ["/a", "/b/c"]}, {"a": [1], "b": {"c": 2, "d": 3}},
     {"a": [1], "b": {"c": 2}}, ("/b/d",)),
    ("move makes the objects on its way", {"move": "/a", "to": "/b/c"}, {"a": 1}, {"b": {"c": 1}}, ()),
    ("move of what is absent writes nothing", {"move": "/a/b", "to": "/c"}, {"a": 5}, {}, ("",)),
    ("null is a value", {"move": "/a", "to": "/b"}, {"a": None}, {"b": None}, ()),
    ("rename keeps the neighbours", {"rename": "/a/old", "to": "new"}, {"a": {"old": 1}}, {"a": {"new": 1}}, ()),
    ("remove writes nothing", {"remove": ["/a"]}, {"a": 1}, {}, ("",)),
    ("a pointer may hold escapes", {"move": "/a~1b/c~0d", "to": "/e"}, {"a/b": {"c~d": 1}}, {"e": 1}, ()),
    ("constant is the author's value", {"constant": {"x": []}, "to": "/a"}, {}, {"a": {"x": []}}, ()),
    ("join puts texts together", {"join": ["/n", "/s"], "with": "/", "to": "/c"}, {"n": "12", "s": "STC-NS"},
     {"c": "12/STC-NS"}, ()),
    ("join keeps the place of a missing first text", {"join": ["/n", "/s"], "with": "/", "to": "/c"}, {"s": "STC"},
     {"c": "/STC"}, ()),
    ("join leaves no separator behind", {"join": ["/n", "/s"], "with": "/", "to": "/c"}, {"n": "12"}, {"c": "12"}, ()),
    ("join says what cannot be taken apart", {"join": ["/n", "/s"], "with": "/", "to": "/c"}, {"n": "1/2", "s": "S"},
     {"c": "1/2/S"}, ("",)),
    ("join cuts at its limit and says so", {"join": ["/n", "/s"], "with": "/", "to": "/c", "limit": 3},
     {"n": "12", "s": "STC"}, {"c": "12/"}, ("",)),
    ("join takes texts only",
     {"join": ["/n", "/s"], "with": "/", "to": "/c"}, {"n": 12, "s": "S"}, {"c": "/S"}, ("/n",)),
    ("split cuts at the first separators", {"split": "/c", "at": "/", "to": ["/n", "/s"]}, {"c": "12/STC/NS"},
     {"n": "12", "s": "STC/NS"}, ()),
    ("split gives a text without separator to the first", {"split": "/c", "at": "/", "to": ["/n", "/s"]}, {"c": "12"},
     {"n": "12"}, ()),
    ("split says what it cannot give back", {"split": "/c", "at": "/", "to": ["/n", "/s"]}, {"c": "12/"}, {"n": "12"},
     ("",)),
    ("split leaves what is no text", {"split": "/c", "at": "/", "to": ["/n", "/s"]}, {"c": 12}, {}, ("",)),
    ("map turns codes", {"map": "/t", "to": "/t", "codes": [{"from": "new", "to": 0}], "otherwise": "drop"},
     {"t": "new"}, {"t": 0}, ()),
    ("map drops what is not listed", {"map": "/t", "to": "/t", "codes": [{"from": 1, "to": 0}], "otherwise": "drop"},
     {"t": True}, {}, ("",)),
    ("map keeps what is not listed", {"map": "/t", "to": "/t", "codes": [{"from": 1, "to": 0}], "otherwise": "keep"},
     {"t": 7}, {"t": 7}, ()),
    ("map says when a kept value looks like another code", {"map": "/t", "to": "/t", "codes": [{"from": 1, "to": 0}],
     "otherwise": "keep"}, {"t": 0}, {"t": 0}, ("",)),
    ("map has a value for what is not listed", {"map": "/t", "to": "/t", "codes": [{"from": 1, "to": 0}],
     "otherwise": {"value": 9}}, {"t": 7}, {"t": 9}, ("",)),
    ("map says when two codes become one",
     {"map": "/t", "to": "/t", "codes": [{"from": 1, "to": 0}, {"from": 2, "to": 0}],
     "otherwise": "drop"}, {"t": 2}, {"t": 0}, ("",)),
    ("date turns a Vietnamese day",
     {"date": "/d", "to": "/d", "from": "vn-date", "as": "iso-date", "otherwise": "drop"},
     {"d": "28/09/2018"}, {"d": "2018-09-28"}, ()),
    ("date refuses a day that never was", {"date": "/d", "to": "/d", "from": "slash-date", "as": "iso-date",
     "otherwise": "drop"}, {"d": "2014/02/30"}, {}, ("",)),
    ("date takes no other spelling", {"date": "/d", "to": "/d", "from": "slash-date", "as": "iso-date",
     "otherwise": "keep"}, {"d": "2014/2/3"}, {"d": "2014/2/3"}, ("",)),
    ("a local moment gets its offset", {"date": "/d", "to": "/d", "from": "slash-date-time", "as": "iso-date-time",
     "otherwise": "drop"}, {"d": "2018/09/28 00:00:00"}, {"d": "2018-09-28T00:00:00+07:00"}, ()),
    ("a moment of another zone is shown by our clock", {"date": "/d", "to": "/d", "from": "iso-date-time",
     "as": "vn-date-time", "otherwise": "drop"}, {"d": "2018-09-27T18:30:00.25Z"}, {"d": "28/09/2018 01:30:00"}, ("",)),
    ("number becomes text", {"number": "/n", "to": "/n", "from": "integer", "as": "text", "otherwise": "drop"},
     {"n": 7.0}, {"n": "7"}, ()),
    ("number is filled with zeros", {"number": "/n", "to": "/n", "from": "integer", "as": "text", "width": 2,
     "otherwise": "drop"}, {"n": -7}, {"n": "-07"}, ()),
    ("number is grouped with dots",
     {"number": "/n", "to": "/n", "from": "integer", "as": "grouped", "otherwise": "drop"},
     {"n": 1234567}, {"n": "1.234.567"}, ()),
    ("grouped digits become a number", {"number": "/n", "to": "/n", "from": "grouped", "as": "integer",
     "otherwise": "drop"}, {"n": "1.234"}, {"n": 1234}, ()),
    ("a number with a fraction is none", {"number": "/n", "to": "/n", "from": "integer", "as": "text",
     "otherwise": "drop"}, {"n": 1.5}, {}, ("",)),
    ("digits of other scripts are none", {"number": "/n", "to": "/n", "from": "text", "as": "integer",
     "otherwise": "drop"}, {"n": "٣"}, {}, ("",)),
    ("leading zeros are named as lost", {"number": "/n", "to": "/n", "from": "text", "as": "integer",
     "otherwise": "drop"}, {"n": "007"}, {"n": 7}, ("",)),
    ("each turns the items", {"each": "/a", "to": "/b", "rules": [{"move": "/x", "to": "/y"}]},
     {"a": [{"x": 1}, {"x": 2, "z": 3}]}, {"b": [{"y": 1}, {"y": 2}]}, ("/a/1/z",)),
    ("each takes the items out of their objects", {"each": "/a", "to": "/b", "rules": [{"move": "/x", "to": ""}]},
     {"a": [{"x": 1}, {"x": 2}]}, {"b": [1, 2]}, ()),
    ("each puts items into objects", {"each": "/a", "to": "/b", "rules": [{"move": "", "to": "/x"}]}, {"a": [1, 2]},
     {"b": [{"x": 1}, {"x": 2}]}, ()),
    ("each keeps an empty array", {"each": "/a", "to": "/b", "rules": [{"keep": ["/x"]}]}, {"a": []}, {"b": []}, ()),
    ("each keeps the number of the objects", {"each": "/a", "to": "/b", "rules": [{"keep": ["/x"]}]},
     {"a": [{}, {"z": 1}, {"x": 1}]}, {"b": [{}, {}, {"x": 1}]}, ("/a/1",)),
    ("each takes a single value as an array of one", {"each": "/a", "to": "/b", "rules": [{"move": "", "to": ""}]},
     {"a": 5}, {"b": [5]}, ()),
    ("each can take the first alone", {"each": "/a", "to": "/b", "only": "first", "rules": [{"keep": ["/x"]}]},
     {"a": [{"x": 1}, {"x": 2}]}, {"b": {"x": 1}}, ("/a/1",)),
    ("a condition on a value", {"keep": ["/a"], "when": {"at": "/t", "is": 1}}, {"a": 1, "t": True}, {}, ("",)),
    ("a condition on several values", {"keep": ["/a"], "when": {"at": "/t", "in": [1, 2]}}, {"a": 1, "t": 2}, {"a": 1},
     ("/t",)),
    ("a condition on absence", {"keep": ["/a"], "when": {"at": "/t", "present": False}}, {"a": 1}, {"a": 1}, ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "data", "result", "lost"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_rule_writes_what_its_word_says(word: Any, data: Any, result: Any, lost: tuple[str, ...]) -> None:
    assert (rules(word).apply(data), rules(word).lost(data)) == (result, lost)


def test_a_default_fills_only_what_no_rule_wrote() -> None:
    both = rules({"keep": ["/a"]}, {"default": {"t": "new"}, "to": "/a"}, {"default": 5, "to": "/b/c"})

    assert [both.apply({"a": 1}), both.apply({})] == [{"a": 1, "b": {"c": 5}}, {"a": {"t": "new"}, "b": {"c": 5}}]


def test_of_two_conditional_rules_for_one_place_the_first_that_applies_holds() -> None:
    choice = rules(
        {"move": "/a", "to": "/c", "when": {"at": "/a", "present": True}},
        {"move": "/b", "to": "/c", "when": {"at": "/b", "present": True}},
    )

    assert [choice.apply({"a": 1, "b": 2}), choice.apply({"b": 2})] == [{"c": 1}, {"c": 2}]
    assert choice.lost({"a": 1, "b": 2}) == ("/b",)


def test_a_code_list_holds_by_the_day_in_the_data() -> None:
    dated = rules(
        {
            "map": "/organ",
            "to": "/organ",
            "on": "/day",
            "codes": [
                {"from": "H33", "to": "H33", "until": "2025-06-30"},
                {"from": "H33", "to": "H01", "since": "2025-07-01"},
                {"from": "H39", "to": "H53"},
            ],
            "otherwise": {"value": "?"},
        }
    )
    days = [
        ("H33", "2025-06-30"),
        ("H33", "2025-07-01"),
        ("H33", "2025-07-01T00:00:00+07:00"),
        ("H33", None),
        ("H39", None),
    ]

    assert [dated.apply({"organ": organ, "day": day})["organ"] for organ, day in days] == [
        "H33",
        "H01",
        "H01",
        "?",
        "H53",
    ]


def test_what_no_rule_writes_cannot_slip_under_a_name_of_the_other_major() -> None:
    assert rules({"move": "/kind", "to": "/type"}).apply({"type": "not meant", "kind": "x"}) == {"type": "x"}


WRONG: list[tuple[str, Any, str]] = [
    ("not a list", {"rules": {}}, "#/rules"),
    ("no rules", {"rules": []}, "#/rules"),
    ("a rule without a word", {"rules": [{"to": "/a"}]}, "#/rules/0"),
    ("a rule with two words", {"rules": [{"keep": ["/a"], "move": "/a", "to": "/b"}]}, "#/rules/0"),
    ("a member that no word has", {"rules": [{"keep": ["/a"]}, {"move": "/a", "to": "/b", "if": 1}]}, "#/rules/1/if"),
    ("a missing member", {"rules": [{"move": "/a"}]}, "#/rules/0"),
    ("no pointer", {"rules": [{"move": "a", "to": "/b"}]}, "#/rules/0/move"),
    ("a broken escape", {"rules": [{"move": "/a~2", "to": "/b"}]}, "#/rules/0/move"),
    ("an unknown form",
     {"rules": [{"date": "/a", "to": "/b", "from": "us-date", "as": "iso-date", "otherwise": "drop"}]},
     "#/rules/0/from"),
    ("nothing said of the rest", {"rules": [{"map": "/a", "to": "/b", "codes": [{"from": 1, "to": 2}]}]}, "#/rules/0"),
    ("a dated code without a day", {"rules": [{"map": "/a", "to": "/b", "codes": [{"from": 1, "to": 2, "since":
     "2025-07-01"}], "otherwise": "drop"}]}, "#/rules/0/codes"),
    ("a day that never was", {"rules": [{"map": "/a", "to": "/b", "on": "/d", "codes": [{"from": 1, "to": 2, "since":
     "2025-02-30"}], "otherwise": "drop"}]}, "#/rules/0/codes"),
    ("a wrong condition", {"rules": [{"keep": ["/a"], "when": {"at": "/a", "matches": ".*"}}]}, "#/rules/0/when"),
    ("two rules for one place", {"rules": [{"keep": ["/a"]}, {"move": "/b", "to": "/a"}]}, "#/rules/1"),
    ("a rule into what another keeps", {"rules": [{"keep": ["/a"]}, {"move": "/b", "to": "/a/b"}]}, "#/rules/1"),
    ("a wrong rule inside each", {"rules": [{"each": "/a", "to": "/b", "rules": [{"keep": ["/x"]}, {"keep": "/y"}]}]},
     "#/rules/0/rules/1/keep"),
    ("a negative limit", {"rules": [{"join": ["/a", "/b"], "with": "/", "to": "/c", "limit": -1}]}, "#/rules/0/limit"),
    ("a wrong offset", {"rules": [{"date": "/a", "to": "/b", "from": "iso-date", "as": "vn-date", "offset": "7",
     "otherwise": "drop"}]}, "#/rules/0/offset"),
    ("too many rules", {"rules": [{"keep": [f"/a{n}"]} for n in range(501)]}, "#/rules"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "place"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_rule_is_refused_by_its_place_in_the_file(document: Any, place: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        Rules.parse(json.dumps(document).encode(), "2.0/down.json")

    assert refusal.value.where == f"2.0/down.json{place}"
    assert refusal.value.wrong.vi
    assert refusal.value.right.vi


def test_each_may_not_be_nested_without_end() -> None:
    word: Any = {"keep": ["/a"]}
    for _ in range(8):
        word = {"each": "/a", "to": "/a", "rules": [word]}

    with pytest.raises(Misconfigured, match="nested too deeply"):
        rules(word)


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"rules": [], "rules": []}', b'{"script": "x"}', b"\xff"])
def test_a_file_that_holds_no_rules_is_refused(document: bytes) -> None:
    with pytest.raises(Misconfigured):
        Rules.parse(document)


EVERY_WORD = rules(*(word for name, word, *_ in CASES if name.startswith(("each turns", "date turns", "split cuts"))),
                   {"move": "/x", "to": "/y/z"}, {"number": "/m", "to": "/k", "from": "text", "as": "integer",
                                                   "otherwise": "keep"})  # fmt: skip


@given(JSON)
def test_rules_answer_for_any_data_and_name_only_places_that_are_there(data: Any) -> None:
    EVERY_WORD.apply(data)

    for pointer in EVERY_WORD.lost(data):
        place = data
        for token in pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            place = place[int(name)] if isinstance(place, list) else place[name]


def test_the_digest_of_a_chain_is_that_of_the_files_one_after_the_other() -> None:
    first, second = rules({"move": "/a", "to": "/b"}), rules({"move": "/b", "to": "/c"})

    both = Chain.of([first, second], "3.0")

    assert both.digest == "sha-256:" + hashlib.sha256(first.source + second.source).hexdigest()
    assert (both.target, both.apply({"a": 1})) == ("3.0", {"c": 1})


def test_a_chain_names_its_losses_in_the_words_of_the_first_shape() -> None:
    first = rules(
        {"each": "/a", "to": "/b", "rules": [{"move": "/x", "to": "/y/z"}]}, {"constant": 1, "to": "/made-up"}
    )
    second = rules({"each": "/b", "to": "/c", "rules": [{"keep": ["/q"]}]})

    assert Chain.of([first, second], "3.0").lost({"a": [{"x": 1}, {"x": 2, "w": 3}], "v": 0}) == (
        "/a/0/x",
        "/a/1/w",
        "/a/1/x",
        "/v",
    )
