"""Every edXML message we have, real or made by us, comes out of the reader as its list says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, StatusMessage, Unreadable
from gateway.core.edxml.write import write

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "tests" / "vectors" / "edxml"
THEIRS = ROOT / ".." / "shared" / "samples" / "edxml"

#: The real samples: refused by which name, or taken with exactly which warnings (none where not named here).
REAL: dict[str, dict[str, Any]] = {
    "01": {"warnings": ["impossible-date-in-identifier", "nested-edxml"]},
    "02": {"result": "refused", "name": "not-well-formed"},
    "03": {"warnings": ["nested-edxml"]},
    "04": {"warnings": ["nested-edxml"]},
    "05": {"warnings": ["nested-edxml"]},
    "06": {"result": "refused", "name": "not-well-formed"},
    "07": {"warnings": ["untrue-name"]},
    "16": {"warnings": ["absent-element"]},
    "17": {"warnings": ["untrue-type"]},
    "19": {"warnings": ["untrue-type", "null-text"]},
    "21": {"warnings": ["absent-element", "broken-archive"]},
    "22": {"result": "refused", "name": "unknown-format"},
    "23": {"warnings": ["empty-elements", "impossible-date-in-identifier", "nested-edxml", "date-form"]},
    "24": {"result": "refused", "name": "not-edxml"},
    "25": {"result": "refused", "name": "not-edxml"},
}


def cases() -> list[Any]:
    """Each file with what is expected of it: ours from expected.json, the real ones where they are at hand."""
    expected = json.loads((OURS / "expected.json").read_text())
    found = [(OURS / name, what) for name, what in expected.items()]
    for path in sorted(THEIRS.glob("[0-9][0-9]_*")) if THEIRS.is_dir() else ():
        kind = "status" if "_status_" in path.name else "document"
        found.append((path, {"result": kind, "warnings": [], **REAL.get(path.name[:2], {})}))
    return [pytest.param(path, what, id=path.name) for path, what in found]


@pytest.mark.parametrize(("path", "expected"), cases())
def test_each_message_is_taken_or_refused_as_its_list_says(path: Path, expected: dict[str, Any]) -> None:
    raw = path.read_bytes()
    if expected["result"] == "refused":
        with pytest.raises(Unreadable) as refused:
            read(raw)
        assert refused.value.name == expected["name"]
        assert refused.value.detail.vi != refused.value.detail.en
        return
    message = read(raw)
    assert type(message) is {"document": DocumentMessage, "status": StatusMessage}[expected["result"]]
    assert list(dict.fromkeys(warning.name for warning in message.warnings)) == expected["warnings"]


@pytest.mark.parametrize(("path", "expected"), cases())
def test_what_was_taken_can_be_written_and_read_again_unchanged(path: Path, expected: dict[str, Any]) -> None:
    if expected["result"] == "refused":
        assert expected["name"]
        return
    message = read(path.read_bytes())
    again = read(write(message))
    assert comparable(again) == comparable(message)
    assert {warning.name for warning in again.warnings} <= {warning.name for warning in message.warnings}


def comparable(message: DocumentMessage | StatusMessage) -> DocumentMessage | StatusMessage:
    """The message without what writing changes by design: warnings, the dead signature, how files are wrapped."""
    if isinstance(message, StatusMessage):
        return replace(message, warnings=())
    attachments = tuple(replace(one, wrapped="none", declared_type=None) for one in message.attachments)
    return replace(message, warnings=(), signature_present=False, attachments=attachments)


def test_none_of_our_messages_is_missing_from_the_list() -> None:
    listed = set(json.loads((OURS / "expected.json").read_text()))
    assert {path.name for path in OURS.iterdir()} - {"expected.json", "README.md", ".gitattributes"} == listed
