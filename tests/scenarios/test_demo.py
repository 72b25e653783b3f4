"""The demo as a newcomer runs it: the whole story comes true, nothing is lost, and it ends by itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def told() -> subprocess.CompletedProcess[str]:
    """One telling, in a process of its own."""
    command = [sys.executable, "-m", "gateway", "--lang", "vi", "demo"]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_the_story_comes_true_and_loses_nothing(told: subprocess.CompletedProcess[str]) -> None:
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr
    assert "✗ mọi lời hứa" not in told.stdout
    count = re.search(r"tệp (\d+) · từ chối (\d+) · thông điệp (\d+) · lượt giao (\d+) .* mất (\d+)", told.stdout)
    assert count is not None
    files, refused, sent, delivered, lost = map(int, count.groups())
    assert lost == 0
    assert 0 < refused < files
    assert delivered > sent > files - refused


def test_one_letter_s_life_is_told_to_its_end(told: subprocess.CompletedProcess[str]) -> None:
    seen = [line.strip() for line in told.stdout.splitlines() if re.match(r"    \S+ .*\[[\d ]*\]", line)]
    first, second = [line for line in seen if line.startswith("H33.07 ")][:2]
    ministry = next(line for line in seen if line.startswith("G15 "))
    assert "06 Hoàn thành · đã được thay thế · [01 03 05 06 15 15] · cập nhật: đồng ý, thay thế: đồng ý" in first
    assert "đã thu hồi" in second
    assert "05 Đang xử lý · đã cập nhật" in ministry
    assert any(line.startswith("H33.09") and line.endswith("thu hồi: từ chối") for line in seen)


def test_it_speaks_the_one_language_it_was_asked_for(told: subprocess.CompletedProcess[str]) -> None:
    assert "The count" not in told.stdout
