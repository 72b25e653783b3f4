"""One dossier through four levels, as ``lgsp demo onestop`` tells it: with all faults on, nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest


@pytest.fixture(scope="module")
def told() -> subprocess.CompletedProcess[str]:
    """One telling, in a process of its own."""
    command = [sys.executable, "-m", "gateway", "demo", "onestop", "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def counts(told: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(told.stdout)
    return read


def test_every_promise_of_the_story_is_kept(told: subprocess.CompletedProcess[str], counts: dict[str, Any]) -> None:
    assert counts["failures"] == []
    assert told.returncode == 0, told.stderr


def test_every_status_is_right_at_the_portal_and_none_flashes_in_between(counts: dict[str, Any]) -> None:
    assert counts["stations"] == ["2", "4", "5", "4", "6", "4", "9", "10"]
    assert counts["shown"] == ["1", *counts["stations"]]


def test_nothing_is_lost_of_what_went_to_nine_kinds_of_software(counts: dict[str, Any]) -> None:
    assert counts["lost"] == 0
    assert counts["deliveries"] > 40


def test_each_hops_deadline_is_kept_or_flagged_and_what_is_odd_is_told(counts: dict[str, Any]) -> None:
    assert counts["legs"] == [{"to": "H33.07", "late": False}, {"to": "H33.07.20", "late": True}]
    assert {"late", "forced"} <= set(counts["flags"])
