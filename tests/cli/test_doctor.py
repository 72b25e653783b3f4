"""``lgsp doctor``: each thing that can be wrong is found, named, and comes with what to do in two languages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.config.keys import new_key_pem, self_signed
from gateway.config.settings import read_settings
from gateway.core.directory import read_certificate
from gateway.store.files import Files
from gateway.store.sqlite import examination
from tests.cli.desk import Ended, lgsp
from tests.cli.living import at_a_free_port, living
from tests.cli.test_backup import keep
from tests.cli.test_story import DOCUMENT
from tests.province import a_pair, a_province, edit, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    for name in ("H33.05-dms", "H33.16-dms"):
        (folder / f"keys/{name}.pem").chmod(0o600)
    at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    return folder


def doctor(folder: Path, *options: str) -> Ended:
    return lgsp("-C", folder, "doctor", *options)


def findings(folder: Path, check: str, *options: str) -> list[dict[str, Any]]:
    """What is not in order by this check: said in two languages and, unless it is a remark, with what to do."""
    shown = doctor(folder, "--json", *(options or ("--passive",)))
    found = [each for each in shown.json["findings"] if each["check"] == check and each["severity"] != "ok"]
    for each in found:
        assert each["what"]["vi"]
        assert each["what"]["en"]
        if each["severity"] in {"warning", "error"}:
            assert each["do"]["vi"]
            assert each["do"]["en"]
    has_error = any(each["severity"] == "error" for each in shown.json["findings"])
    assert shown.status == (1 if has_error else 0)
    return found


def severities(found: list[dict[str, Any]]) -> list[str]:
    return [each["severity"] for each in found]


@contextlib.contextmanager
def answering(status: int = 405, ahead: float = 0.0) -> Iterator[tuple[str, list[str]]]:
    """A server that answers everything alike, with its clock ``ahead``; yields its address and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            asked.append(f"{self.command} {self.path} {self.headers.get('Content-Length', 0)}")
            self.send_response_only(status)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_OPTIONS = do_POST = do_HEAD = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send_to(folder: Path, url: str) -> None:
    edit(folder, "agencies/H33.05.toml", "http://127.0.0.1:9001/inbox", url)
    assert lgsp("-C", folder, "apply").status == 0


def test_a_sound_province_has_no_error_and_ends_with_zero(folder: Path) -> None:
    shown = doctor(folder, "--passive", "--json")
    assert (shown.status, shown.json["result"], shown.json["counts"]["error"]) == (0, "sound", 0)
    assert {each["check"] for each in shown.json["findings"]} == {
        "config", "keys", "database", "spool", "registry", "certificates", "disk", "clocks", "ports", "destinations",
        "backlog", "law", "inspection",
    }  # fmt: skip


def test_people_read_a_line_a_check_in_their_language(folder: Path) -> None:
    assert "✓ cơ sở dữ liệu" in doctor(folder, "--passive").out
    assert "0 lỗi" in doctor(folder, "--passive").out
    assert "✓ database" in lgsp("--lang", "en", "-C", folder, "doctor", "--passive").out


def test_looking_changes_no_row_and_no_file(folder: Path) -> None:
    def content() -> list[str]:
        with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
            return [line for line in opened.iterdump() if "'pulse'" not in line]

    before, names = content(), sorted(folder.rglob("*"))
    doctor(folder, "--passive")
    assert content() == before
    assert {path for path in folder.rglob("*") if path.name not in {"lgsp.db-wal", "lgsp.db-shm"}} <= set(names)


def test_a_broken_lgsp_toml_is_told_with_its_line(folder: Path) -> None:
    edit(folder, "lgsp.toml", 'data = "var"', "data = var")
    (found,) = findings(folder, "config")
    assert found["severity"] == "error"
    assert "lgsp.toml:" in found["where"]


def test_a_mistake_in_agencies_is_told(folder: Path) -> None:
    edit(folder, "agencies/H33.16.toml", 'adapter = "inbox"', 'adapter = "fax"')
    assert severities(findings(folder, "config")) == ["error"]


def test_a_folder_that_is_not_in_force_is_told(folder: Path) -> None:
    edit(folder, "agencies/H33.16.toml", 'name = "Sở Y tế"', 'name = "Sở Y tế tỉnh"')
    (found,) = findings(folder, "registry")
    assert found["severity"] == "warning"
    assert "lgsp apply" in found["do"]["vi"]


@pytest.mark.parametrize("name", ["keys/gateway.pem", "keys/webhook.pem", "keys/gateway.crt"])
def test_a_missing_key_is_told_with_its_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert (name, "error") in [(each["where"], each["severity"]) for each in findings(folder, "keys")]


def test_a_key_of_another_certificate_is_told(folder: Path) -> None:
    (folder / "keys/gateway.pem").write_bytes(new_key_pem()[1])
    (folder / "keys/gateway.pem").chmod(0o600)
    assert severities(findings(folder, "keys")) == ["error"]


@pytest.mark.parametrize(("mode", "severity"), [(0o640, "warning"), (0o604, "warning"), (0o660, "error")])
def test_a_key_that_others_may_read_or_write_is_told(folder: Path, mode: int, severity: str) -> None:
    (folder / "keys/webhook.pem").chmod(mode)
    (found,) = findings(folder, "keys")
    assert (found["where"], found["severity"]) == ("keys/webhook.pem", severity)
    assert "chmod 600" in found["do"]["vi"]


def test_a_sealing_key_that_fits_no_certificate_is_told(folder: Path) -> None:
    a_pair(folder, "H33.20-dms")
    write(folder, "agencies/H33.20.toml", (
        'code = "H33.20"\nname = "Sở Xây dựng"\nparent = "H33"\n[[systems]]\nname = "dms"\nadapter = "inbox"\n'
        'sealing = "gateway"\nkey = "keys/H33.20-dms.pem"\ncertificates = ["keys/H33.20-dms.crt"]\n'
    ))  # fmt: skip
    assert lgsp("-C", folder, "apply").status == 0
    (folder / "keys/H33.20-dms.pem").write_bytes(new_key_pem()[1])
    (folder / "keys/H33.20-dms.pem").chmod(0o600)
    assert "H33.20/dms: keys/H33.20-dms.pem" in [each["where"] for each in findings(folder, "keys")]


def renew(folder: Path, *, years_ago: float = 0.0, days_left: float = 0.0) -> None:
    """H33.16's certificate as it was made at another time: it lasts ten years."""
    key, pem = new_key_pem()
    made = datetime.now(UTC) - timedelta(days=3652 - days_left) - timedelta(days=365 * years_ago)
    (folder / "keys/H33.16-dms.pem").write_bytes(pem)
    (folder / "keys/H33.16-dms.crt").write_bytes(self_signed(key, "H33.16/dms", now=made))
    assert lgsp("-C", folder, "apply").status == 0


@pytest.mark.parametrize(("days_left", "severity"), [(-1, ["error"]), (6.5, ["error"]), (29.5, ["warning"]), (40, [])])
def test_certificates_that_end_are_told_in_time(folder: Path, days_left: float, severity: list[str]) -> None:
    renew(folder, days_left=days_left)
    assert severities(findings(folder, "certificates")) == severity


def test_an_ended_certificate_beside_a_good_one_is_but_a_remark(folder: Path) -> None:
    a_pair(folder, "H33.16-moi")
    edit(folder, "agencies/H33.16.toml", '"keys/H33.16-dms.crt"', '"keys/H33.16-dms.crt", "keys/H33.16-moi.crt"')
    renew(folder, days_left=-1)
    assert severities(findings(folder, "certificates")) == ["note"]


def test_a_certificate_that_belongs_to_nobody_is_a_remark(folder: Path) -> None:
    a_pair(folder, "la")
    (found,) = findings(folder, "certificates")
    assert (found["where"], found["severity"]) == ("keys/la.crt", "note")


def test_of_several_certificates_the_one_that_nobody_signs_with_is_a_remark(folder: Path) -> None:
    a_pair(folder, "H33.05-moi")
    edit(folder, "agencies/H33.05.toml", '"keys/H33.05-dms.crt"', '"keys/H33.05-dms.crt", "keys/H33.05-moi.crt"')
    url = f"http://{read_settings(folder, {}).listen}"
    assert lgsp("-C", folder, "apply").status == 0
    assert findings(folder, "certificates") == [], "nobody signed anything yet"
    with living(folder, url):
        (folder / "vb.json").write_text(json.dumps(DOCUMENT), "utf-8")
        sent = lgsp("-C", folder, "send", folder / "vb.json", "--as", "H33.05/dms", "--to", "H33.16")
        assert sent.status == 0, sent.err
        (found,) = findings(folder, "certificates")
    assert found["severity"] == "note"
    assert "signed none of the last" in found["what"]["en"]
    unused = read_certificate((folder / "keys/H33.05-moi.crt").read_text())
    assert unused.thumbprint[:12] in found["where"]


def test_a_missing_database_is_told(folder: Path) -> None:
    (folder / "var/lgsp.db").unlink()
    assert severities(findings(folder, "database")) == ["warning"]


def test_a_database_that_is_none_or_damaged_is_told(folder: Path) -> None:
    keep(folder, *range(200))
    path = folder / "var/lgsp.db"
    content = path.read_bytes()
    path.write_bytes(content[:8192] + b"\xff" * 40_000 + content[48_192:])
    found = findings(folder, "database")
    assert "error" in severities(found)
    path.write_bytes(b"a letter" * 1000)
    assert severities(findings(folder, "database")) == ["error"]


def test_an_older_database_asks_for_a_backup_before_the_upgrade(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = examination.known_steps()
    monkeypatch.setattr(examination, "known_steps", lambda: known + 1)
    (found,) = findings(folder, "database")
    assert found["severity"] == "warning"
    assert "lgsp backup" in found["do"]["en"]


def test_a_newer_database_is_told_and_not_touched(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
        opened.execute("INSERT INTO schema_versions VALUES (999, 'later', 'x', 0)")
        opened.commit()
    assert severities(findings(folder, "database")) == ["error"]


def test_a_ledger_that_moved_to_another_store_is_told_with_its_new_address(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
        opened.execute("CREATE TABLE gone (address TEXT NOT NULL, at REAL NOT NULL)")
        opened.execute("INSERT INTO gone VALUES ('postgresql://lgsp@db.example.vn/lgsp', 1)")
        opened.commit()
    (found,) = findings(folder, "database")
    assert (found["severity"], "postgresql://lgsp@db.example.vn/lgsp" in found["do"]["vi"]) == ("error", True)


def test_a_database_locked_by_another_program_is_told(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (found,) = findings(folder, "database")
    assert found["severity"] == "error"
    assert "fuser" in found["do"]["vi"]


def test_rows_of_the_future_show_a_clock_that_was_set_back(folder: Path) -> None:
    keep(folder, 1)
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
        opened.execute("UPDATE messages SET accepted_at = ?", (time.time() + 7200,))
        opened.commit()
    (found,) = findings(folder, "clocks")
    assert found["severity"] == "error"
    assert "set back" in found["what"]["en"]


def test_files_that_are_gone_or_changed_are_told(folder: Path) -> None:
    keep(folder, 1, content=b"one")
    keep(folder, 2, content=b"two")
    spool = Files(folder / "var/files")
    first, second = sorted(path for path in (folder / "var/files").rglob("*") if path.is_file())
    spool.remove(first.name)
    second.write_bytes(b"???")
    found = findings(folder, "spool")
    assert severities(found) == ["error", "error"]
    assert first.name in found[0]["what"]["en"]
    assert second.name in found[1]["what"]["en"]


def test_what_waits_or_died_is_told_by_recipient(folder: Path) -> None:
    keep(folder, 1, 2, 3, 4)
    old = time.time() - 2 * 86400
    with contextlib.closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
        opened.execute("UPDATE messages SET accepted_at = ?", (old,))
        opened.execute("UPDATE deliveries SET state = 'dead', cause = 'refused' WHERE seq = 1")
        opened.execute("UPDATE deliveries SET state = 'held' WHERE seq = 2")
        opened.commit()
    found = findings(folder, "backlog")
    assert [(each["where"], each["severity"]) for each in found] == [
        ("H33.16/dms", "warning"), ("H33.16/dms", "note"), ("H33.16/dms", "warning"),
    ]  # fmt: skip
    assert "2 deliveries wait" in found[0]["what"]["en"]
    assert "lgsp release H33.16/dms" in found[1]["do"]["en"]
    assert "lgsp failed --recipient H33.16/dms" in found[2]["do"]["en"]


def test_a_folder_that_cannot_be_written_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "var/files").mkdir(exist_ok=True)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    assert "error" in severities(findings(folder, "disk"))


def test_a_gateway_that_runs_is_recognised_and_asked_whether_it_is_ready(folder: Path) -> None:
    (stopped,) = findings(folder, "ports")
    assert stopped["severity"] == "note"
    url = f"http://{stopped['where']}"
    with living(folder, url):
        assert findings(folder, "ports") == []


def test_a_stranger_on_the_port_is_told(folder: Path) -> None:
    with answering(200) as (url, _):
        edit(folder, "lgsp.toml", "listen = ", f'listen = "{url.removeprefix("http://")}" # ')
        (found,) = findings(folder, "ports")
    assert found["severity"] == "error"
    assert "ss -ltnp" in found["do"]["vi"]


def test_a_public_address_that_leads_elsewhere_or_nowhere_is_told(folder: Path) -> None:
    (stopped,) = findings(folder, "ports")
    with living(folder, f"http://{stopped['where']}"), answering(200) as (url, _):
        edit(folder, "lgsp.toml", "public_url = ", f'public_url = "{url}" # ')
        (elsewhere,) = findings(folder, "ports")
        edit(folder, "lgsp.toml", f'public_url = "{url}"', 'public_url = "http://127.0.0.1:9"')
        (nowhere,) = findings(folder, "ports")
    assert (elsewhere["where"], elsewhere["severity"]) == (url, "error")
    assert (nowhere["where"], nowhere["severity"]) == ("http://127.0.0.1:9", "error")


def test_destinations_are_called_without_sending_anything(folder: Path) -> None:
    with answering(405) as (url, asked):
        send_to(folder, f"{url}/inbox")
        assert findings(folder, "destinations", "--active") == []
        assert asked == ["OPTIONS /inbox 0"]
        assert severities(findings(folder, "destinations", "--passive")) == ["note"]
        assert len(asked) == 1


def test_a_destination_that_does_not_answer_is_told(folder: Path) -> None:
    send_to(folder, "http://127.0.0.1:9/inbox")
    (found,) = findings(folder, "destinations", "--active")
    assert (found["where"], found["severity"]) == ("H33.05/dms http://127.0.0.1:9/inbox", "warning")
    assert "Connection refused" in found["what"]["en"]


def test_a_destination_without_the_tls_it_claims_is_told(folder: Path) -> None:
    with answering() as (url, _):
        send_to(folder, url.replace("http:", "https:"))
        (found,) = findings(folder, "destinations", "--active")
    assert found["severity"] == "warning"


@pytest.mark.parametrize("ahead", [-600, 600])
def test_a_destination_with_another_time_is_told(folder: Path, ahead: float) -> None:
    with answering(ahead=ahead) as (url, _):
        send_to(folder, url)
        (found,) = findings(folder, "clocks", "--active")
    assert (found["where"], found["severity"]) == (url, "warning")


def test_a_folder_of_an_agency_that_is_not_there_is_told(folder: Path) -> None:
    write(folder, "agencies/H33.20.toml", (
        'code = "H33.20"\nname = "Sở Xây dựng"\nparent = "H33"\n[[systems]]\nname = "dms"\nadapter = "edxml_folder"\n'
        'sealing = "gateway"\nkey = "keys/H33.20-dms.pem"\n'
        '[systems.settings]\noutbox = "qlvb/di"\ninbox = "qlvb/den"\n'
    ))  # fmt: skip
    (folder / "qlvb/di").mkdir(parents=True)
    applied = lgsp("-C", folder, "apply")
    assert applied.status == 0, applied.err
    errors = [each for each in findings(folder, "destinations") if each["severity"] == "error"]
    assert [each["where"] for each in errors] == ["H33.20/dms inbox: qlvb/den"]


def test_many_destinations_are_called_side_by_side(folder: Path) -> None:
    from gateway.cli.doctor.asking import session
    from gateway.cli.doctor.destinations import on_addresses
    from gateway.core.directory import System

    async def work(url: str) -> list[Any]:
        systems = [System(f"H33.{n}/dms", f"H33.{n}", "webhook", settings={"url": f"{url}/{n}"}) for n in range(40)]
        async with session() as line:
            return list(await on_addresses(line, systems))

    with answering() as (url, asked):
        found = asyncio.run(work(url))
    assert {each.severity for each in found} == {"ok"}
    assert len(found) == len(set(asked)) == 40
