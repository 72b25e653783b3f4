"""What a database server says of itself, and what is to be done about it."""

from __future__ import annotations

import pytest

from gateway.core.diagnosis import Finding
from gateway.core.server_diagnosis import on_connections, on_durability, on_move, on_processes, on_standby, on_version

SOUND = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "synchronous_standby_names": "ANY 1 (a, b)",
    "max_connections": "100", "superuser_reserved_connections": "3",
}  # fmt: skip


def severities(*found: Finding) -> list[str]:
    for each in found:
        assert each.what.vi
        assert each.what.en
        assert each.severity in {"ok", "note"} or each.do is not None, "whoever is warned is told what to do"
    return [each.severity for each in found]


@pytest.mark.parametrize(("version", "severity"), [(140009, "ok"), (170002, "ok"), (130020, "error")])
def test_a_server_that_is_too_old_is_an_error(version: int, severity: str) -> None:
    assert severities(on_version("db", version, 14)) == [severity]


def test_a_standby_cannot_be_worked_on() -> None:
    assert severities(*on_standby("db", is_standby=True)) == ["error"]
    assert on_standby("db", is_standby=False) == []


@pytest.mark.parametrize(
    ("setting", "value", "severity"),
    [
        ("fsync", "off", "error"),
        ("full_page_writes", "off", "error"),
        ("synchronous_commit", "off", "note"),
        ("synchronous_commit", "local", "note"),
        ("synchronous_commit", "remote_apply", None),
        ("synchronous_standby_names", "", "note"),
    ],
)
def test_what_a_power_cut_or_a_lost_disk_would_cost_is_told(setting: str, value: str, severity: str | None) -> None:
    found = on_durability("db", {**SOUND, setting: value})
    assert severities(*found) == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("now", "wanted", "severity"),
    [(5, 8, "ok"), (90, 8, "ok"), (60, 60, "warning"), (5, 97, "ok"), (5, 98, "error")],
)
def test_connections_that_the_server_does_not_have_are_an_error(now: int, wanted: int, severity: str) -> None:
    expected = "warning" if (now, wanted) == (5, 97) else severity
    assert severities(on_connections("db", SOUND, now, wanted)) == [expected]


def test_who_is_at_work_is_named() -> None:
    assert "a.1, b.1" in on_processes("db", ["a.1", "b.1"]).what.en
    assert severities(on_processes("db", [])) == ["ok"]


def test_a_ledger_that_moved_away_or_is_not_whole_is_an_error() -> None:
    assert severities(*on_move("db", ("postgresql://elsewhere/lgsp", False))) == ["error"]
    assert severities(*on_move("db", (None, True))) == ["error"]
    assert on_move("db", (None, False)) == []
