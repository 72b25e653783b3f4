"""``lgsp operator``: an account's token opens doors from when it is added until it is removed."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_province(tmp_path / "tinh")


def status_with(token: str, url: str) -> int:
    request = urllib.request.Request(f"{url}/v1/contracts", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own gateway
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def until(expected: int, token: str, url: str) -> float:
    begun = time.monotonic()
    while status_with(token, url) != expected:
        assert time.monotonic() < begun + 5
        time.sleep(0.05)
    return time.monotonic() - begun


def test_a_token_ends_within_two_seconds_of_its_accounts_removal(folder: Path) -> None:
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    with living(folder, url):
        token = lgsp("-C", folder, "operator", "add", "mau", "--role", "viewer", "--json").json["token"]
        until(200, token, url)
        assert lgsp("-C", folder, "operator", "remove", "mau", "--json").json["result"] == "removed"
        assert until(401, token, url) < 2.5


def test_who_is_not_there_cannot_be_removed(folder: Path) -> None:
    assert lgsp("-C", folder, "apply").status == 0
    shown = lgsp("-C", folder, "operator", "remove", "mau")
    assert shown.status == 1
    assert "Không có tài khoản tên này" in shown.err
