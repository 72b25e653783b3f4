"""The alarm on words: which texts alarm by which rule, and that looking costs what the text is long."""

from __future__ import annotations

import json
import time
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.law import read_law
from gateway.core.law.watchwords import Found, Watch, Watchword
from tests.build import MORNING

LAW = read_law()
WATCH = LAW.watch
CASES = json.loads((Path(__file__).parent.parent / "vectors/law/words.json").read_text("utf-8"))


def a_document(**members: Any) -> dict[str, Any]:
    return {"subject": "Về việc báo cáo", **members}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.get('where', 'text')}: {case['text']!r}")
def test_a_text_alarms_by_these_rules_and_no_others(case: dict[str, Any]) -> None:
    assert list(WATCH.in_text(case["text"], case.get("where", "text"), MORNING)) == case["rules"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.get('where', 'text')}: {case['text']!r}")
def test_what_alarms_is_never_missed_by_the_quick_look(case: dict[str, Any]) -> None:
    data = (
        a_document(files=[{"name": case["text"]}]) if case.get("where") == "name" else a_document(subject=case["text"])
    )
    assert WATCH.is_suspect(data) or not case["rules"]
    assert bool(WATCH.look(data, MORNING)) == bool(case["rules"])


def test_every_place_where_a_document_speaks_is_looked_at_and_named_by_its_pointer() -> None:
    data = {
        "subject": "mật",
        "symbol": "1/MẬT",
        "code": {"number": "1", "notation": "MẬT-VP"},
        "summary": "tối mật",
        "content": "tuyệt mật",
        "files": [{"name": "a.pdf"}, {"name": "văn bản mật.pdf"}],
        "attachments": [{"file": {"name": "toi_mat.doc"}, "description": "bản mật"}],
    }
    assert WATCH.is_suspect(data)
    assert set(WATCH.look(data, MORNING)) == {
        Found("mat", "/subject"),
        Found("mat", "/symbol"),
        Found("mat", "/code/notation"),
        Found("toi-mat", "/summary"),
        Found("tuyet-mat", "/content"),
        Found("mat", "/files/1/name"),
        Found("mat-in-names", "/attachments/0/file/name"),
        Found("mat", "/attachments/0/description"),
    }
    for place in ("symbol", "summary", "content"):
        assert WATCH.is_suspect(a_document(**{place: "Mật"})), place
    assert WATCH.is_suspect(a_document(code={"notation": "MẬT"}))
    assert WATCH.is_suspect(a_document(attachments=[{"file": {"name": "a"}, "description": "mật"}]))


def test_an_ordinary_document_is_not_looked_at_closely() -> None:
    assert not WATCH.is_suspect(
        {
            "subject": "V/v triển khai Nghị quyết số 57-NQ/TW về đột phá phát triển khoa học, công nghệ",
            "code": {"number": "125", "notation": "STC-VP"},
            "content": "Pháp luật, cập nhật, thành lập, tập huấn, kỹ thuật, nhận, thật, bật, xuất nhập",
            "attachments": [{"file": {"name": "125-STC-VP.signed.pdf"}}, {"file": {"name": "Phụ lục 1.docx"}}],
        }
    )


def test_a_word_alarms_within_its_dates_only() -> None:
    watch = Watch((Watchword("w", "", date(2026, 1, 1), date(2026, 1, 31), ("mật",)),))
    january, february = 1767978000.0, 1770656400.0
    assert watch.in_text("mật", "text", january) == ("w",)
    assert watch.in_text("mật", "text", february) == ()
    assert watch.in_text("mật", "text", january - 40 * 86400) == ()


def test_what_one_document_can_make_is_bounded() -> None:
    data = a_document(files=[{"name": f"mật {n}"} for n in range(2000)])
    assert len(WATCH.look(data, MORNING)) == 50


@given(st.text(alphabet="mMậẬatT\u0323\u0302 _-.,tốiTUYỆTONGong\u200bｍＭâạ\u00ad", max_size=60))
def test_the_quick_look_misses_nothing_that_the_careful_one_finds(text: str) -> None:
    if WATCH.in_text(text, "text", MORNING):
        assert WATCH.is_suspect(a_document(subject=text))


@pytest.mark.parametrize("word", ["ấn", "ộ", "nội bộ", "đặc biệt", "sổ", "kín", "khẩu lệnh", "noi bo", "kỳ ở"])
@given(data=st.data())
def test_whatever_word_a_province_adds_the_quick_look_misses_none(word: str, data: st.DataObject) -> None:
    watch = Watch((Watchword("w", "", date(2020, 1, 1), None, (word,)),))
    forms = [
        unicodedata.normalize(form, case) for form in ("NFC", "NFD") for case in (word, word.upper(), word.title())
    ]
    written = data.draw(st.sampled_from(forms))
    text = data.draw(st.sampled_from(["{}", "a {} b", "({})", "x{}", "{}\u200b", "\u00ad{}"])).format(written)
    if watch.in_text(text, "text", MORNING):
        assert watch.is_suspect(a_document(subject=text))
    assert watch.in_text(f"về {written}.", "text", MORNING) == ("w",)


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    WATCH.in_text(text, "text", MORNING)


@pytest.mark.parametrize(
    "unit",
    ["mật ", "mật ong ", "tuyệt ", "bí mật ", "mật,", "\u0323\u0302", "\u0302\u0323a", "x", "ậ", "bảo vệ bí mật nhà ",
     "\u200b", "tuyệt mật tối mật mật khẩu ", " ", "\u0344", "ﷺ"],
)  # fmt: skip
def test_a_hostile_text_takes_time_in_proportion_to_its_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            WATCH.in_text(text, "text", MORNING)
            best = min(best, time.process_time() - began)
        return best

    short, long = seconds(10_000), seconds(100_000)
    assert long < max(short, 0.001) * 30, (short, long)  # ten times as long; quadratic would be a hundred times
