"""``[scan]`` and ``[signatures]``: what the province wants done with files, and every mistake in saying it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.founding import found_province
from gateway.config.checks import Checks
from gateway.config.settings import read_settings
from gateway.core.faults import Misconfigured
from tests.province import GATEWAY, edit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found_province(tmp_path, GATEWAY)
    return tmp_path


def told(folder: Path, text: str) -> Checks:
    edit(folder, "lgsp.toml", "[gateway]", f"{text}\n[gateway]")
    return read_settings(folder).checks


def test_by_default_files_are_looked_into_nothing_scans_and_nothing_is_held_back(folder: Path) -> None:
    assert read_settings(folder).checks == Checks()


def test_everything_can_be_said(folder: Path) -> None:
    said = (
        '[scan]\nclamd = "tcp:127.0.0.1:3310"\nrequired = true\nseconds = 5\n[signatures]\npolicy = "block"\n'
        'blocking = ["revoked", "unsigned"]\nlimit = "10 MiB"\nseconds = 3\nmemory = "512 MiB"\n'
    )
    blocking = frozenset({"revoked", "unsigned"})
    expected = Checks("tcp:127.0.0.1:3310", True, 5.0, "block", blocking, 10 * 2**20, 3.0, 512 * 2**20)
    assert told(folder, said) == expected


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ('[scan]\nclamd = "127.0.0.1:3310"', "clamd"),
        ('[scan]\nclamd = "tcp:127.0.0.1:0"', "clamd"),
        ('[scan]\nclamd = "tcp:127.0.0.1:99999"', "clamd"),
        ("[scan]\nrequired = true", "required"),
        ("[scan]\nseconds = 0", "seconds"),
        ('[signatures]\npolicy = "refuse"', "policy"),
        ('[signatures]\nblocking = ["valid"]', "blocking"),
        ('[signatures]\nlimit = "2 GiB"', "limit"),
        ('[signatures]\nlimit = "0 B"', "limit"),
        ('[signatures]\nmemory = "1 MiB"', "memory"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(folder: Path, said: str, where: str) -> None:
    with pytest.raises(Misconfigured, match=where):
        told(folder, said)
