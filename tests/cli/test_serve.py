"""``lgsp serve``: what keeps it from starting is one message, exit status 1, and nothing half done."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.keys import new_key_pem
from tests.cli.desk import ROOT, Ended, choose_port, lgsp, serving, tables
from tests.province import a_province, edit, snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    assert lgsp("-C", folder, "apply").status == 0
    return folder


def serve(folder: Path) -> Ended:
    command = [sys.executable, "-m", "gateway", "-C", str(folder), "serve"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def a_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def one_message(shown: Ended, *, about: str, todo: str) -> None:
    words = [line for line in shown.err.splitlines() if not line.startswith("{")]
    assert (shown.status, shown.out) == (1, "")
    assert sum(line.startswith("✗") for line in words) == 1
    assert len(words) == 3
    assert about in words[0]
    assert todo in shown.err


def test_it_starts_and_ends_with_status_zero_when_told_to(folder: Path) -> None:
    choose_port(folder, a_free_port())
    with serving(folder) as process:
        pass
    assert process.returncode == 0


def test_a_taken_port_is_one_message_that_names_it(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        choose_port(folder, port)
        shown = serve(folder)
    one_message(shown, about="gateway.listen", todo="ghi cổng khác")
    assert str(port) in shown.err


@pytest.mark.parametrize("name", ["keys/gateway.pem", "keys/gateway.crt", "keys/webhook.pem"])
def test_a_missing_key_is_one_message_that_names_the_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    before = tables(folder)
    one_message(serve(folder), about=name, todo="")
    assert tables(folder) == before


def test_a_key_of_another_certificate_is_one_message(folder: Path) -> None:
    (folder / "keys/gateway.pem").write_bytes(new_key_pem()[1])
    one_message(serve(folder), about="keys/gateway.crt", todo="cặp")


def test_a_broken_lgsp_toml_is_one_message_with_its_line(folder: Path) -> None:
    edit(folder, "lgsp.toml", 'listen = "127.0.0.1:8600"', "listen = 127.0.0.1:8600")
    before = snapshot(folder)
    one_message(serve(folder), about="lgsp.toml:8", todo="dấu nháy")
    assert snapshot(folder) == before


def test_a_newer_database_is_one_message(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as other:
        other.execute("insert into schema_versions values (9999, 'mai-sau', '00', 0)")
        other.commit()
    before = tables(folder)
    one_message(serve(folder), about="lgsp.db", todo="")
    assert tables(folder) == before


def test_a_database_that_is_none_is_one_message(folder: Path) -> None:
    (folder / "var/lgsp.db").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    one_message(serve(folder), about="store", todo="lgsp.db")
