"""A list of agencies: every entry and name is found as it was given, fast, and a damaged one is never used."""

from __future__ import annotations

import random
import time
import zlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.agency_list import LEVELS, AgencyList, Entry, fold

CLOSED = date(2025, 7, 1)
MERGED = [
    Entry("G12", "Bộ Tài chính", "central", aliases=("000.00.00.G12",), via="H33.14/axis"),
    Entry("H01", "UBND tỉnh An Giang", aliases=("000.00.00.H01",), via="H33.14/axis"),
    Entry("H01.05", "Sở Tài chính", parent="H01", via="H33.14/axis"),
    Entry("H33", "UBND tỉnh Kiên Giang", closed=CLOSED, successor="H01"),
    Entry("H33.05", "Sở Tài chính", parent="H33", closed=CLOSED, successor="H01.05"),
    Entry("H33.05.01", "Chi cục", parent="H33.05"),
]
CODES = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,12}", fullmatch=True)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)
ENTRIES = st.lists(
    st.builds(
        Entry, code=CODES, name=NAMES, level=st.sampled_from(LEVELS), parent=st.none() | CODES,
        aliases=st.lists(CODES, max_size=3, unique=True).map(tuple), via=st.none() | st.just("H33.14/axis"),
        closed=st.none() | st.dates(), successor=st.none() | CODES,
    ),
    max_size=30,
    unique_by=lambda entry: entry.code,
)  # fmt: skip


def test_an_entry_is_found_by_its_very_code() -> None:
    merged = AgencyList.of("axis", MERGED)
    assert [merged.entry(each.code) for each in MERGED] == MERGED
    assert (merged.count, merged.carriers) == (6, frozenset({"H33.14/axis"}))
    assert [merged.entry(code) for code in ("H33.0", "H33.051", "h33", "", "G12\tBộ Tài chính", "H\n", "Z")] == [
        None
    ] * 7


def test_an_alias_leads_to_its_owner_and_to_nobody_else() -> None:
    merged = AgencyList.of("axis", MERGED)
    assert merged.owner("000.00.00.H01") == "H01"
    assert merged.owner("H01") is None
    assert merged.owner("000.00.00.H0") is None


def test_closed_codes_are_found_by_their_successor() -> None:
    merged = AgencyList.of("axis", MERGED)
    assert merged.closed_for("H01") == ("H33",)
    assert merged.closed_for("H01.0") == ()
    assert merged.has_successions
    assert not AgencyList.of("axis", MERGED[:3]).has_successions


@pytest.mark.parametrize(
    ("words", "after", "codes"),
    [
        ("so tai chinh", "", ["H01.05", "H33.05"]),
        ("so tai chinh", "H01.05", ["H33.05"]),
        ("ubnd", "", ["H01", "H33"]),
        ("000.00.00.g", "", ["G12"]),
        ("h33", "", ["H33", "H33.05", "H33.05.01"]),
        ("nd", "", []),
        ("", "H33", ["H33.05", "H33.05.01"]),
        ("", "zzz", []),
    ],
)
def test_people_find_it_by_the_beginnings_of_words(words: str, after: str, codes: list[str]) -> None:
    assert list(AgencyList.of("axis", MERGED).search(words.split(), after)) == codes


def test_the_order_in_which_entries_came_makes_no_other_list() -> None:
    shuffled = random.Random(7).sample(MERGED, len(MERGED))
    assert AgencyList.of("axis", shuffled).digest == AgencyList.of("other", MERGED).digest
    assert AgencyList.of("axis", MERGED[1:]).digest != AgencyList.of("axis", MERGED).digest


def test_a_code_that_is_an_entrys_own_is_not_anothers_alias() -> None:
    thief = Entry("H99", "x", aliases=("G12", "000.00.00.G12", "000.00.00.H99"))
    listed = AgencyList.of("axis", [*MERGED, thief])
    assert [listed.owner(name) for name in ("G12", "000.00.00.G12", "000.00.00.H99")] == [None, "G12", "H99"]


def test_an_empty_list_knows_nobody() -> None:
    empty = AgencyList.unpack("axis", AgencyList.of("axis", []).pack())
    assert (empty.count, list(empty.entries()), list(empty.search([], "")), empty.entry("H33")) == (0, [], [], None)


@given(ENTRIES)
def test_what_is_packed_is_unpacked_and_every_name_leads_where_it_did(entries: list[Entry]) -> None:
    made = AgencyList.of("axis", entries)
    read = AgencyList.unpack("axis", made.pack())
    by_code = {each.code: each for each in entries}

    assert read == made
    assert list(read.entries()) == [by_code[code] for code in sorted(by_code)]
    for each in entries:
        assert read.entry(each.code) == each
        assert each.code in set(read.search([fold(each.code).split()[0]] if fold(each.code).strip("._- ") else [], ""))
        for alias in each.aliases:
            owner = read.owner(alias)
            assert owner in by_code if alias not in by_code else owner is None
        if each.closed and each.successor:
            assert each.code in read.closed_for(each.successor)


@given(ENTRIES.filter(bool), st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_list_is_refused_or_told_by_its_digest(entries: list[Entry], place: int, change: int) -> None:
    made = AgencyList.of("axis", entries)
    text = bytearray(zlib.decompress(made.pack()))
    text[place % len(text)] ^= change
    try:
        read = AgencyList.unpack("axis", zlib.compress(bytes(text)))
    except ValueError:
        return
    # the words and indexes are not in the digest: whoever reads the store compares the bytes it wrote
    assert read.digest != made.digest or list(read.entries()) == list(made.entries())


@pytest.mark.parametrize("packed", [b"", b"x", zlib.compress(b""), zlib.compress(b"lgsp other 1\t0\t\t0\n\n"),
                                    zlib.compress(b"lgsp agencies 1\t1\t\t5\t0\t0\t0\n\nabc"),
                                    AgencyList.of("axis", MERGED).pack()[:-4]])  # fmt: skip
def test_what_is_no_list_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match="not a list"):
        AgencyList.unpack("axis", packed)


def test_a_list_of_another_version_of_the_program_is_read_by_its_entries() -> None:
    made = AgencyList.of("axis", MERGED)
    text = zlib.decompress(made.pack())
    head, _, rest = text.partition(b"\n")
    other = b"\n".join([head.replace(b"agencies 1", b"agencies 2"), rest])
    assert AgencyList.unpack("axis", zlib.compress(other)) == made


def test_a_country_is_loaded_and_asked_in_the_blink_of_an_eye() -> None:
    country = AgencyList.of(
        "axis",
        (Entry(f"H{n % 63:02}.{n // 63:04}", f"Uỷ ban nhân dân xã số {n}", "commune", aliases=(f"000.{n}.H",))
         for n in range(120_000)),
    )  # fmt: skip
    packed = country.pack()

    began = time.perf_counter()
    read = AgencyList.unpack("axis", packed)
    assert time.perf_counter() - began < 1.0

    began = time.perf_counter()
    for n in range(0, 120_000, 120):
        assert read.owner(f"000.{n}.H") == f"H{n % 63:02}.{n // 63:04}"
    assert (time.perf_counter() - began) / 1000 < 0.0005


def test_words_that_nearly_everybody_has_hide_nobody() -> None:
    many = [Entry(f"H{n:05}", f"Uỷ ban nhân dân xã {'thứ' if n == 1900 else 'số'} {n}") for n in range(2000)]
    listed = AgencyList.of("axis", many)
    assert list(listed.search(["nhan", "dan", "thu"], "")) == ["H01900"]
    assert list(listed.search(["nhan", "dan", "thu"], "H01900")) == []
    assert len(list(listed.search(["nhan", "so", "ban"], ""))) == 1999
