"""``lgsp doctor`` says where a system's software calls the bus, and why it could not be answered there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port
from tests.province import a_province, write

WHERE = "H33.20/portal (skeleton)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    at_a_free_port(folder)
    return folder


def about_the_door(folder: Path, sealing: str = "gateway", **settings: Any) -> list[dict[str, Any]]:
    """What is said of a system whose software calls, first things first."""
    key = 'key = "keys/H33.20-portal.pem"\n' if sealing == "gateway" else ""
    write(folder, "agencies/H33.20.toml", (
        'code = "H33.20"\nname = "Trung tâm"\nparent = "H33"\n[[systems]]\nname = "portal"\n'
        f'adapter = "skeleton"\nsealing = "{sealing}"\n{key}[systems.settings]\nfolder = "var/portal"\n'
        + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    ))  # fmt: skip
    applied = lgsp("-C", folder, "apply")
    assert applied.status == 0, applied.err
    shown = lgsp("-C", folder, "doctor", "--json", "--passive")
    return [each for each in shown.json["findings"] if each["where"] == WHERE]


def test_the_address_of_a_door_is_told(folder: Path) -> None:
    (told,) = about_the_door(folder, callers=["10.1.2.0/24"])
    assert told["severity"] == "note"
    assert "/in/H33.20/portal/" in told["what"]["vi"]
    assert "/in/H33.20/portal/" in told["what"]["en"]


def test_a_door_that_cannot_be_opened_is_an_error_that_says_what_to_mend(folder: Path) -> None:
    (told,) = about_the_door(folder, callers=["somewhere"])
    assert told["severity"] == "error"
    assert "somewhere" in told["what"]["vi"]
    assert "H33.20/portal" in told["do"]["en"]


def test_a_door_of_a_system_that_signs_for_itself_takes_nothing_and_that_is_told(folder: Path) -> None:
    error, note = about_the_door(folder, sealing="self", callers=["10.1.2.0/24"])
    assert (error["severity"], note["severity"]) == ("error", "note")
    assert 'sealing = "gateway"' in error["do"]["en"]
