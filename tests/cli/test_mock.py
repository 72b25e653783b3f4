"""``lgsp mock``: an agency's software in small, started from the command line, with faults on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from adapters.amqp.stand_in import make_queue
from gateway.core.agency_queue import AgencyQueue
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, StatusMessage
from tests.cli.desk import ROOT, lgsp
from tests.province import a_province, edit, write
from tests.servers.rabbitmq import RabbitApi

NEW = ROOT / "tests/vectors/edxml/document_new.edxml"


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# ------------------------------------------------------------------------------------------------- documents


def test_a_document_system_drops_the_files_it_is_given(tmp_path: Path) -> None:
    ended = lgsp("mock", "documents", tmp_path, "--drop", NEW, "--letters", "2", "--for", "0.5", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert [line["event"] for line in lines(ended.out)] == ["dropped"] * 3
    outbox = tmp_path / "outbox"
    assert (outbox / NEW.name).read_bytes() == NEW.read_bytes()
    letters = [read(path.read_bytes()) for path in outbox.iterdir() if path.name != NEW.name]
    assert all(isinstance(letter, DocumentMessage) and letter.warnings == () for letter in letters)
    assert len(letters) == 2


def test_letters_go_from_whom_to_whom_it_was_told(tmp_path: Path) -> None:
    lgsp(
        "mock", "documents", tmp_path, "--letters", "1", "--sender", "H33.01", "--to", "A", "--to", "B", "--for", "0.3"
    )
    (path,) = (tmp_path / "outbox").iterdir()
    letter = read(path.read_bytes())
    assert isinstance(letter, DocumentMessage)
    assert (letter.sender.organ_id, [each.organ_id for each in letter.recipients]) == ("H33.01", ["A", "B"])


def test_it_takes_what_the_bus_put_and_answers_with_a_status(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    shutil.copy(NEW, tmp_path / "inbox" / "5c3b1f8e.edxml")
    ended = lgsp("mock", "documents", tmp_path, "--answer", "03", "--for", "0.5", "--json")
    assert [(line["event"], line["name"]) for line in lines(ended.out)] == [("collected", "5c3b1f8e.edxml")]
    report = read((tmp_path / "outbox" / "03-5c3b1f8e.edxml").read_bytes())
    document = read(NEW.read_bytes())
    assert isinstance(report, StatusMessage)
    assert isinstance(document, DocumentMessage)
    assert (report.code, report.response_for.document_id) == ("03", document.document_id)


def test_it_shows_what_became_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "outbox/.done/2026-11-23").mkdir(parents=True)
    (tmp_path / "outbox/.refused").mkdir()
    (tmp_path / "outbox/.done/2026-11-23/a.edxml").write_bytes(b"")
    (tmp_path / "outbox/.refused/b.edxml.reason.txt").write_text("Lý do", "utf-8-sig")
    shown = lines(lgsp("mock", "documents", tmp_path, "--for", "0.3", "--json").out)
    assert [(line["event"], line["name"]) for line in shown] == [("accepted", "a.edxml"), ("refused", "b.edxml")]
    assert shown[1]["note"] == "Lý do"


def test_faults_on_demand_half_a_file_and_rubbish(tmp_path: Path) -> None:
    lgsp("mock", "documents", tmp_path, "--drop", NEW, "--half-written", "30", "--rubbish", "--for", "0.3")
    raw = NEW.read_bytes()
    assert (tmp_path / "outbox" / NEW.name).read_bytes() == raw[: len(raw) // 2]
    assert (tmp_path / "outbox" / "rubbish.edxml").exists()


def test_the_other_half_comes_later(tmp_path: Path) -> None:
    lgsp("mock", "documents", tmp_path, "--drop", NEW, "--half-written", "0.1", "--for", "0.5")
    assert (tmp_path / "outbox" / NEW.name).read_bytes() == NEW.read_bytes()


def test_the_folder_can_be_gone_for_a_while(tmp_path: Path) -> None:
    ended = lgsp("--lang", "en", "mock", "documents", tmp_path / "dms", "--away", "0.1", "--for", "0.5")
    assert ended.out.splitlines() == ["… the folder is gone", "… the folder is back"]
    assert (tmp_path / "dms" / "inbox").is_dir()


def test_a_folder_that_is_gone_when_the_mock_ends_comes_back(tmp_path: Path) -> None:
    assert lgsp("mock", "documents", tmp_path / "dms", "--away", "30", "--for", "0.2").status == 0
    assert (tmp_path / "dms" / "inbox").is_dir()


@pytest.mark.parametrize(
    "arguments", [["documents"], ["webhook", "--port", "x"], ["fax"], ["webhook", "--status", "7"]]
)
def test_wrong_usage_is_told_and_is_status_two(arguments: list[str]) -> None:
    ended = lgsp("mock", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert "Sai cách gọi lệnh" in ended.err


# --------------------------------------------------------------------------------------------------- webhook


@contextlib.contextmanager
def sink(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A webhook recipient in a process of its own, listening on a free port."""
    command = [sys.executable, "-m", "gateway", "mock", "webhook", "--port", "0", "--json", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait(10)


def post(url: str) -> int:
    request = urllib.request.Request(url, b"body", {"webhook-id": "d1", "lgsp-message": "m1"})  # noqa: S310
    opener = urllib.request.build_opener(NoRedirects())
    try:
        with opener.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it."""

    def redirect_request(self, *_: Any) -> None:
        return None


def test_a_recipient_answers_in_turn_and_then_takes(tmp_path: Path) -> None:
    with sink("--status", "503", "--status", "422") as (process, url):
        assert [post(url) for _ in range(3)] == [503, 422, 200]
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert [(line["event"], line["name"], line["message"], line["status"]) for line in seen] == [
        ("received", "d1", "m1", status) for status in (503, 422, 200)
    ]
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [(["--gone"], [410, 410]), (["--redirect", "http://127.0.0.1:9/"], [302, 302]), (["--always", "500"], [500, 500])],
)
def test_faults_hold_until_it_ends(arguments: list[str], statuses: list[int]) -> None:
    with sink(*arguments) as (_, url):
        assert [post(url) for _ in statuses] == statuses


def test_faults_of_the_first_requests_end(tmp_path: Path) -> None:
    with sink("--reset", "--first", "1") as (_, url):
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            post(url)
        assert post(url) == 200


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = lgsp("mock", "webhook", "--port", str(port), "--for", "5")
    assert (ended.status, ended.out) == (1, "")
    assert str(port) in ended.err
    assert "Hãy chọn cổng khác." in ended.err


# ------------------------------------------------------------------------------------------------------ amqp


def test_an_amqp_agency_consumes_with_its_own_user_and_does_as_it_is_told(
    tmp_path: Path, rabbit_url: str, rabbit_api: RabbitApi
) -> None:
    queue = AgencyQueue("H33.88/kho")
    folder = a_province(tmp_path / "tinh")
    edit(folder, "lgsp.toml", 'url = "sqlite:var/lgsp.db"', 'url = "postgresql://lgsp@127.0.0.1/lgsp"')
    edit(folder, "lgsp.toml", 'url = "local"', f'url = "{rabbit_url}"')
    write(folder, "keys/H33.88-kho.amqp", "mot-mat-khau-de-thu\n")
    vhost = rabbit_url.rpartition("/")[2]
    rabbit_api.ask("PUT", "users", queue.name, body={"password": "mot-mat-khau-de-thu", "tags": ""})
    rabbit_api.ask(
        "PUT", "permissions", vhost, queue.name, body={"configure": "", "write": queue.write, "read": queue.read}
    )

    async def waiting() -> None:
        await make_queue(rabbit_url, queue)
        async with await aio_pika.connect(rabbit_url) as line:
            channel = await line.channel(publisher_confirms=True)
            for name in ("mot", "hai"):
                message = aio_pika.Message(b"x", headers={"webhook-id": name, "lgsp-attempt": 1}, message_id=name)
                await channel.default_exchange.publish(message, queue.name)

    asyncio.run(waiting())
    ended = lgsp("-C", folder, "mock", "amqp", queue.system, "--deed", "reject", "--for", "2", "--json")
    rabbit_api.ask("DELETE", "users", queue.name)
    assert (ended.status, ended.err) == (0, "")
    begun, *received = lines(ended.out)
    assert begun == {"event": "consuming", "queue": queue.name}
    assert [(line["name"], line["deed"]) for line in received] == [("mot", "reject"), ("hai", "take")]


def test_an_amqp_agency_without_a_password_is_told_to_apply_first(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    ended = lgsp("-C", folder, "mock", "amqp", "H33.88/kho", "--for", "1")
    assert ended.status == 1
    assert "keys/H33.88-kho.amqp" in ended.err
    assert "lgsp apply" in ended.err
