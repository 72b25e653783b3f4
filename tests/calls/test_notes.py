"""Notes of what is done with: added once, seen by all who have the file open, never spoilt by a line cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.calls import notes
from gateway.calls.notes import Notes
from gateway.core.faults import Text


def test_what_one_notes_another_sees_and_a_process_after_it(tmp_path: Path) -> None:
    one, other = Notes(tmp_path / "x/n.jsonl"), Notes(tmp_path / "x/n.jsonl")
    assert (one.done(), one.mark("a")) == (frozenset(), None)
    one.settle("t1", 1.0)
    other.settle("t2", 2.0, ("no-agreement", Text("Lý do", "Reason")))
    other.advance("a", 5.0, 2.0)
    one.settle("t1", 3.0)
    for each in (one, other, Notes(tmp_path / "x/n.jsonl")):
        assert (each.done(), each.mark("a")) == (frozenset({"t1", "t2"}), 5.0)
        assert each.refused() == {"t2"}
    lines = (tmp_path / "x/n.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 3
    assert "Lý do" in lines[1]


def test_of_several_that_tell_of_one_thing_the_last_is_known(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "n.jsonl")
    notes.settle("t1", 1.0, about="a")
    notes.settle("t2", 2.0, ("no-agreement", Text("Lý do", "Reason")), about="a")
    notes.settle("t3", 3.0)
    for each in (notes, Notes(tmp_path / "n.jsonl")):
        assert (each.last("a"), each.last("b")) == ("t2", None)


def test_a_line_that_was_cut_off_hides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "n.jsonl"
    file.write_bytes(b'{"token": "t1", "at": 1}\nrubbish\n[1]\n{"token": "t2", "a')
    mine = Notes(file)
    assert mine.done() == {"t1"}
    mine.settle("t3", 2.0)
    assert mine.done() == Notes(file).done() == {"t1", "t3"}


def test_a_large_file_loses_what_is_old_and_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = Notes(tmp_path / "n.jsonl"), Notes(tmp_path / "n.jsonl")
    mine.advance("a", "cursor", 1.0)
    for number in range(50):
        mine.settle(f"t{number}", float(number))
    assert len(other.done()) == 50
    mine.thin(40.0)
    assert len(mine.done()) == 50, "it is not large"
    monkeypatch.setattr(notes, "_LARGE", 100)
    mine.thin(40.0)
    for each in (mine, other):
        assert (min(each.done()), len(each.done()), each.mark("a")) == ("t40", 10, "cursor")


def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a file, no folder")
    with pytest.raises(OSError, match="directory"):
        Notes(tmp_path / "x/n.jsonl").settle("t", 1.0)
