"""Manifests as values: days, ids, digests, parts that hold each id once, and tables of text."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.faults import Rejected
from gateway.core.manifest_table import Row, read_table
from gateway.core.reconciliation import (
    PARTS,
    Line,
    Parts,
    Section,
    bounds_of,
    is_covered,
    read_day,
    read_digest,
    read_id,
    summary_of,
    within,
)

HEX = "ab" * 32
SECTION = Section(date(2026, 11, 23), "H33.16/dms", "received", "document.issued")


def test_a_day_is_a_day_in_viet_nam() -> None:
    assert bounds_of(date(1970, 1, 2)) == (17 * 3600.0, 41 * 3600.0)


@pytest.mark.parametrize("text", ["2026-11-31", "2026-1-1", "20261101", "", "2026-11-23T00:00"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert read_day(text) is None


def test_ids_and_digests_are_read_as_anybody_writes_them() -> None:
    assert read_id("  0193C0DE-7B1E ") == "0193c0de-7b1e"
    assert read_id("") is None
    assert read_id("a\x00b") is None
    assert read_id("x" * 201) is None
    assert read_digest(f" SHA-256:{HEX.upper()}") == HEX
    assert read_digest("") == ""
    assert read_digest("ab") is None


IDS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=8), unique=True, max_size=60).map(sorted)


@given(IDS, st.sampled_from(["ids", "digests"]))
def test_parts_hold_each_id_once_and_their_roots_are_those_of_the_ids_in_them(ids: list[str], form: str) -> None:
    lines = [Line(each, HEX) for each in ids]
    parts = Parts.of(len(lines), form)  # type: ignore[arg-type]
    for line in lines:
        parts.add(line)
    made = parts.all()
    assert 1 <= len(made) <= PARTS
    assert made[0].start == ""
    assert made[-1].until == ""
    assert [before.until for before in made[:-1]] == [after.start for after in made[1:]]
    for part in made:
        own = [line for line in lines if within(line.id, part.start, part.until)]
        summary = summary_of(SECTION, "bus", own, form=form)  # type: ignore[arg-type]
        assert (part.count, part.root) == (len(own), summary.root)
    assert sum(part.count for part in made) == len(ids)


def test_ranges_hold_their_beginning_and_not_their_end() -> None:
    assert is_covered("b", [("b", "c")])
    assert not is_covered("c", [("b", "c")])
    assert is_covered("anything", [("", "")])
    assert not is_covered("anything", [])


# ------------------------------------------------------------------------------------------------------------ tables


def test_a_table_names_its_columns_in_any_order_and_any_separator() -> None:
    for separator in ",;\t":
        head = separator.join(("digest", "Ghi chú", "ID", "contract", "direction"))
        row = separator.join((HEX, "x", "0193C0DE", "document.issued", "sent"))
        table = f"\ufeff{head}\r\n{row}\r\n\r\n".encode()
        assert read_table(table) == [Row("0193c0de", HEX, "document.issued", "sent")]


def test_a_table_without_a_head_is_a_list_of_ids() -> None:
    assert read_table(b"0193c0de\n0193c0df\n", "sent") == [
        Row("0193c0de", "", "", "sent"), Row("0193c0df", "", "", "sent"),
    ]  # fmt: skip
    assert read_table(b"") == []


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"id,digest\n1,xyz\n", b"id,direction\n1,up\n", b"id\n" + b"x" * 201 + b"\n"]
)
def test_a_wrong_table_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        read_table(content)
    assert refused.value.problem == "bad-request"


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with contextlib.suppress(Rejected):
        read_table(content)
