"""What counts as healthy, as a remark, as a warning, as an error: on measured values alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.diagnosis import (
    SEVERITIES,
    Finding,
    is_sound,
    on_certificate,
    on_commit,
    on_disk,
    on_last_rows,
    on_log_size,
    on_schema,
    on_skew,
    on_soundness,
    on_waiting,
    size,
)
from gateway.core.faults import Text
from tests.build import MORNING

DAY = 86400.0
GIB = 2**30


def rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)


@given(st.floats(-4000 * DAY, 4000 * DAY), st.floats(0, 4000 * DAY))
def test_a_certificate_never_looks_better_the_closer_its_end(left: float, further: float) -> None:
    near = on_certificate("x", "H33.05/dms", MORNING - 9000 * DAY, MORNING + left, MORNING)
    far = on_certificate("x", "H33.05/dms", MORNING - 9000 * DAY, MORNING + left + further, MORNING)
    assert rank(near) >= rank(far)
    assert (near.do is None) == (near.severity == "ok")


def test_a_certificate_of_tomorrow_is_a_warning() -> None:
    assert on_certificate("x", "H33.05/dms", MORNING + DAY, MORNING + 900 * DAY, MORNING).severity == "warning"


@given(st.floats(-1e7, 1e7), st.floats(0, 100))
def test_two_clocks_are_judged_alike_from_both_sides(apart: float, granularity: float) -> None:
    one = on_skew("a", MORNING, MORNING + apart, granularity=granularity)
    other = on_skew("a", MORNING + apart, MORNING, granularity=granularity)
    assert one.severity == other.severity


@pytest.mark.parametrize(("apart", "severity"), [(0, "ok"), (4.9, "ok"), (6, "warning"), (61, "error"), (-61, "error")])
def test_clocks_apart(apart: float, severity: str) -> None:
    assert on_skew("a", MORNING + apart, MORNING).severity == severity


@pytest.mark.parametrize(
    ("newest", "severity"), [(None, "ok"), (-9e8, "ok"), (3, "ok"), (30, "warning"), (3600, "error")]
)
def test_a_ledger_that_speaks_of_the_future(newest: float | None, severity: str) -> None:
    moment = None if newest is None else MORNING + newest
    assert on_last_rows("lgsp.db", MORNING, moment).severity == severity


@pytest.mark.parametrize(
    ("free", "held", "severities"),
    [
        (500 * GIB, GIB, ["ok"]),
        (500 * GIB, 501 * GIB, ["ok", "note"]),
        (50 * GIB, GIB, ["warning"]),
        (GIB, 0, ["error"]),
        (0, 0, ["error"]),
    ],
)
def test_room_on_a_disk_of_a_tebibyte(free: int, held: int, severities: list[str]) -> None:
    found = on_disk("/", free=free, total=1024 * GIB, held=held, free_nodes=100, nodes=100)
    assert [each.severity for each in found] == severities


def test_a_disk_without_file_nodes_is_full() -> None:
    found = on_disk("/", free=500 * GIB, total=1024 * GIB, held=0, free_nodes=0, nodes=1000)
    assert [each.severity for each in found] == ["ok", "error"]
    unknown = on_disk("/", free=500 * GIB, total=1024 * GIB, held=0, free_nodes=0, nodes=0)
    assert [each.severity for each in unknown] == ["ok"], "a file system that does not count them"


@pytest.mark.parametrize(("schema", "severity"), [(3, "ok"), (2, "warning"), (4, "error")])
def test_the_step_of_the_database(schema: int, severity: str) -> None:
    found = on_schema("lgsp.db", schema, 3)
    assert found.severity == severity
    if severity != "ok":
        assert found.do is not None
        assert "lgsp " in found.do.en


def test_what_the_databases_own_check_says() -> None:
    assert on_soundness("lgsp.db", []).severity == "ok"
    assert on_soundness("lgsp.db", None).severity == "note"
    assert on_soundness("lgsp.db", ["row missing from index"]).severity == "error"


def test_a_slow_commit_and_a_log_that_only_grows_are_warnings() -> None:
    assert on_commit("lgsp.db", 0.004).severity == "ok"
    assert on_commit("lgsp.db", 1.2).severity == "warning"
    assert on_log_size("lgsp.db", 16 * 2**20) is None
    grown = on_log_size("lgsp.db", GIB)
    assert grown is not None
    assert grown.severity == "warning"


@pytest.mark.parametrize(
    ("state", "age", "severity"),
    [
        ("queued", 60, None),
        ("queued", 7200, "note"),
        ("queued", 2 * DAY, "warning"),
        ("queued", -50, None),
        ("leased", 2 * DAY, None),
        ("blocked", 2 * DAY, None),
        ("held", 60, "note"),
        ("dead", 60, "warning"),
    ],
)
def test_what_waits(state: str, age: float, severity: str | None) -> None:
    found = on_waiting("H33.16/dms", state, 7, MORNING - age, MORNING)
    assert (None if found is None else found.severity) == severity
    if found is not None:
        assert "7" in found.what.vi


def test_only_an_error_is_unsound() -> None:
    told = [Finding("disk", severity, "/", Text("…", "…")) for severity in SEVERITIES]
    assert is_sound(told[:3])
    assert not is_sound(told)


@pytest.mark.parametrize(
    ("amount", "said"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**20, "1.0 MiB"), (5 * 2**40, "5.0 TiB")]
)
def test_bytes_as_people_say_them(amount: int, said: str) -> None:
    assert size(amount) == said
