"""``lgsp mock vdxp``: the document axis in small, started from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.desk import lgsp


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "axis.secret"
    file.write_text("made up\n")
    return file


def test_it_listens_and_sends_letters(secret: Path) -> None:
    ended = lgsp(
        "mock", "vdxp", "--secret-file", secret, "--agency", "H33.05", "--letters", "2", "--for", "0.4", "--json"
    )
    said = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.status == 0
    assert said[0]["event"] == "listening"
    assert said[0]["url"].endswith("/XrdAdapter/adapter")
    assert [line["event"] for line in said[1:]] == ["listed", "listed"]


def test_people_are_told_in_their_language(secret: Path) -> None:
    assert "Đang nghe tại http://" in lgsp("mock", "vdxp", "--secret-file", secret, "--for", "0.1").out
    assert "Listening at http://" in lgsp("--lang", "en", "mock", "vdxp", "--secret-file", secret, "--for", "0.1").out


@pytest.mark.parametrize("fault", ["sendEdoc=nothing", "sendEdoc", "=html2"])
def test_a_fault_that_there_is_not_is_refused_with_those_there_are(secret: Path, fault: str) -> None:
    ended = lgsp("mock", "vdxp", "--secret-file", secret, "--fault", fault, "--for", "0.1")
    assert ended.status != 0
    assert "lost-reply" in ended.err


def test_a_port_that_is_taken_is_told(secret: Path) -> None:
    ended = lgsp("mock", "vdxp", "--secret-file", secret, "--host", "192.0.2.1", "--port", "9", "--for", "0.1")
    assert ended.status != 0
    assert "--port 9" in ended.err


def test_the_secret_is_not_shown(secret: Path) -> None:
    ended = lgsp("mock", "vdxp", "--secret-file", secret, "--for", "0.1", "--json")
    assert "made up" not in ended.out + ended.err
