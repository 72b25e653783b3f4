"""TOML keeps its line numbers: tables, lists of tables, inline tables, text over several lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.documents import dotted, each, nearest, raise_all, read_document
from gateway.config.sizes import parse_size
from gateway.core.faults import Misconfigured, Text

TOML = '''\
name = "a"
"khoá lạ".b = 1

[one.two]
text = """
[not.a.table]
not = "a key"
"""
list = [
  "x",
  "y",
]
[[systems]]
name = "first"
[systems.settings]
url = "u"
[[systems.subs]]
contract = "c1"
[[systems.subs]]
contract = "c2"
retry = { first = "5s" }
[[systems]]
name = "second"
[[systems.subs]]
contract = "c3"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("khoá lạ", "b"), 2),
        (("one", "two"), 4),
        (("one", "two", "text"), 5),
        (("one", "two", "list", 1), 9),
        (("systems", 0), 13),
        (("systems", 0, "name"), 14),
        (("systems", 0, "settings", "url"), 16),
        (("systems", 0, "subs", 0, "contract"), 18),
        (("systems", 0, "subs", 1, "contract"), 20),
        (("systems", 0, "subs", 1, "retry", "first"), 21),
        (("systems", 1, "name"), 23),
        (("systems", 1, "subs", 0, "contract"), 25),
    ],
)
def test_every_value_knows_its_line(tmp_path: Path, path: tuple[str | int, ...], line: int) -> None:
    (tmp_path / "a.toml").write_text(TOML, encoding="utf-8")
    document = read_document(tmp_path / "a.toml", "a.toml")
    assert document.where(*path) == f"a.toml:{line}: {dotted(path)}"


def test_a_path_is_counted_from_one_as_people_count() -> None:
    assert dotted(("systems", 0, "subs", 2, "contract")) == "systems[1].subs[3].contract"


def test_dates_and_times_become_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 2026-11-23\nb = [2026-11-23T08:00:00+07:00]\n")
    values = read_document(tmp_path / "a.toml", "a.toml").values
    assert values == {"a": "2026-11-23", "b": ["2026-11-23T08:00:00+07:00"]}


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_json_cannot_hold_is_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.toml").write_text(f"a = 1\nb = {number}\n")
    with pytest.raises(Misconfigured) as caught:
        read_document(tmp_path / "a.toml", "a.toml")
    assert caught.value.where == "a.toml:2: b"


def test_a_text_with_a_nul_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('a = "keys/\\u0000.pem"\n')
    with pytest.raises(Misconfigured) as caught:
        read_document(tmp_path / "a.toml", "a.toml")
    assert caught.value.where == "a.toml:1: a"


@pytest.mark.parametrize("text", ["a = [" * 3000, "a = 1\na = 2\n", "= 1", "a"])
def test_what_is_not_toml_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(Misconfigured) as caught:
        read_document(tmp_path / "a.toml", "a.toml")
    assert caught.value.where.startswith("a.toml:")


def test_a_file_over_a_megabyte_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(Misconfigured, match="1 MiB"):
        read_document(tmp_path / "a.toml", "a.toml")


def test_many_mistakes_travel_as_one_and_come_apart_again() -> None:
    made = [Misconfigured(f"{n}", Text("a", "a"), Text("b", "b")) for n in range(3)]
    with pytest.raises(Misconfigured) as caught:
        raise_all(made)
    assert [one.where for one in each(caught.value)] == ["0", "1", "2"]
    raise_all([])


def test_the_nearest_word_is_found_or_none() -> None:
    assert nearest("lissten", ["listen", "data"]) == "listen"
    assert nearest("zzz", ["listen", "data"]) is None


@pytest.mark.parametrize(("text", "size"), [("200 MiB", 200 * 2**20), ("1GB", 10**9), ("7 B", 7), ("5 KiB", 5120)])
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "200", "-1 MiB", "1.5 GiB", "1 mib", "1 MiB "])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)
