"""``lgsp convert edxml``: a line a file, relayed or refused with its reason; one bad file spoils no other."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.desk import lgsp

OWN = Path(__file__).resolve().parents[1] / "vectors/edxml"
SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/edxml"
NEW = OWN / "document_new.edxml"
BOMB = OWN / "refused_entity_bomb.edxml"


def test_a_line_a_file_in_order_and_refusals_are_no_failure() -> None:
    shown = lgsp("convert", "edxml", "--json", NEW, BOMB, OWN / "status_arrived.edxml")
    assert (shown.status, shown.err) == (0, "")
    new, bomb, report = (json.loads(line) for line in shown.out.splitlines())
    assert (new["file"], new["result"], new["contract"]) == (str(NEW), "relayed", "document.issued/2.0")
    assert new["id"]
    assert new["warnings"] == []
    assert (bomb["file"], bomb["result"], bomb["warnings"]) == (str(BOMB), "refused", [])
    assert bomb["reason"]
    assert isinstance(bomb["detail"], str)
    assert (report["result"], report["contract"]) == ("relayed", "document.status/1.0")


def test_people_read_the_same_in_their_language() -> None:
    vi, en = (lgsp("--lang", language, "convert", "edxml", NEW, BOMB).out for language in ("vi", "en"))
    assert f"✓ {NEW}: document.issued/2.0 " in vi
    assert f"✗ {BOMB}: " in vi
    assert vi.splitlines()[0] == en.splitlines()[0]
    assert vi.splitlines()[1] != en.splitlines()[1]


def test_what_is_odd_is_warned_about() -> None:
    (line,) = lgsp("convert", "edxml", "--json", OWN / "minimal.edxml").out.splitlines()
    assert json.loads(line)["warnings"]
    assert "⚠" in lgsp("convert", "edxml", OWN / "minimal.edxml").out


def test_junk_is_refused_by_name(tmp_path: Path) -> None:
    junk = {"empty": b"", "zeros": bytes(1000), "text": b"xin ch\xc3\xa0o", "deep": b"<a>" * 100_000}
    for name, content in junk.items():
        (tmp_path / name).write_bytes(content)
    shown = lgsp("convert", "edxml", "--json", *(tmp_path / name for name in junk))
    assert shown.status == 0
    assert [json.loads(line)["result"] for line in shown.out.splitlines()] == ["refused"] * len(junk)


def test_a_file_that_is_not_there_fails_but_the_others_are_told(tmp_path: Path) -> None:
    shown = lgsp("convert", "edxml", "--json", tmp_path / "khong-co", tmp_path, NEW)
    assert shown.status == 1
    gone, folder, new = (json.loads(line) for line in shown.out.splitlines())
    assert (gone["reason"], folder["reason"], new["result"]) == ("unreadable-file", "unreadable-file", "relayed")


def test_every_sample_of_the_wild_gets_a_verdict() -> None:
    samples = sorted(SAMPLES.glob("*.edxml")) or sorted(OWN.glob("*.edxml"))
    shown = lgsp("convert", "edxml", "--json", *samples)
    assert shown.status == 0
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [line["file"] for line in lines] == [str(sample) for sample in samples]
    assert {line["result"] for line in lines} == {"relayed", "refused"}
    assert all(line.get("contract") and line.get("id") for line in lines if line["result"] == "relayed")
    assert all(line["reason"] and line["detail"] for line in lines if line["result"] == "refused")
