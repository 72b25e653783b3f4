"""``lgsp backup`` and ``restore``: what was acknowledged before the cut is there again, whole, or nothing changes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import archive as archives
from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event
from gateway.core.envelope import seal
from gateway.core.faults import Misconfigured
from gateway.ports import HeldFile
from gateway.store.files import Files
from gateway.store.sqlite import examination
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, RECIPIENT, SENDER, a_message
from tests.cli.desk import ROOT, Ended, lgsp
from tests.cli.living import at_a_free_port, living
from tests.cli.test_story import DOCUMENT
from tests.province import a_province, edit, snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = a_province(tmp_path / "tinh")
    assert lgsp("-C", folder, "apply").status == 0
    return folder


async def one_chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content


def keep(folder: Path, *numbers: int, content: bytes | None = None) -> None:
    """Accept messages, each naming the file ``content`` where there is one."""

    async def work() -> None:
        ledger = SqliteLedger(folder / "var/lgsp.db")
        await ledger.open()
        named: tuple[str, ...] = ()
        if content is not None:
            spool = Files(folder / "var/files")
            sha256, size = await spool.put(one_chunk(content), limit=2**30)
            named = (sha256,)
            assert await ledger.grant_file(
                HeldFile(sha256, size, "application/pdf"), SENDER, at=MORNING, is_present=spool.is_present
            )
        await ledger.accept_many([a_message(number, files=named) for number in numbers])
        await ledger.close()

    asyncio.run(work())


def saved(folder: Path, *options: str) -> Path:
    target = folder.parent / "ban-sao.tar"
    shown = lgsp("-C", folder, "backup", target, *options)
    assert shown.status == 0, shown.err
    return target


def rewritten(source: Path, change: Callable[[str, bytes], bytes], *, extra: str | None = None) -> Path:
    """Another archive: each file's bytes passed through ``change``, with a file of the name ``extra`` at its end."""
    target = source.with_name("khac.tar")
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            held = old.extractfile(member)
            assert held is not None
            content = change(member.name, held.read())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
        if extra is not None:
            info = tarfile.TarInfo(extra)
            info.size = 1
            new.addfile(info, io.BytesIO(b"x"))
    return target


def refused(shown: Ended, about: str) -> None:
    assert (shown.status, shown.out) == (1, "")
    assert about in shown.err


def test_under_load_all_that_was_acknowledged_before_the_backup_comes_back_and_is_delivered(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    url = at_a_free_port(folder)
    assert lgsp("-C", folder, "apply").status == 0
    target = tmp_path / "ban-sao.tar"
    acknowledged: list[str] = []
    signer = read_signer(*find_files(folder / "keys", "H33.05/dms"))

    async def post(bus: Bus) -> None:
        event = make_event(
            id=str(uuid.uuid4()), source="H33.05/dms", contract="document.issued", version="1.0",
            subject=f"lane {len(acknowledged) % 7}", now=time.time(), data=DOCUMENT, extensions={"to": "H33.16"},
        )  # fmt: skip
        acknowledged.append(str((await bus.send(seal(event, signer)))["id"]))

    async def traffic() -> int:
        async with Bus.reach(url) as bus:
            for _ in range(5):
                await asyncio.gather(*(post(bus) for _ in range(20)))
            taken = await asyncio.to_thread(lgsp, "-C", folder, "inbox", "--as", "H33.16/dms", "--take", "--json")
            assert taken.status == 0
            before = len(acknowledged)
            command = [sys.executable, "-m", "gateway", "-C", str(folder), "backup", str(target), "--json"]
            saving = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
            ended = asyncio.create_task(saving.communicate())
            while not ended.done():
                await asyncio.gather(*(post(bus) for _ in range(5)))
            told = json.loads((await ended)[0])
            assert told["result"] == "saved"
            assert before <= told["cut"]["messages"] <= len(acknowledged)
            return before

    with living(folder, url) as alive:
        before = asyncio.run(traffic())
        alive.kill()
    assert len(acknowledged) > before, "the gateway took messages while it was copied"
    shutil.rmtree(folder)

    restored = lgsp("restore", target, folder)
    assert restored.status == 0, restored.err
    assert "lgsp -C" in restored.out
    states: dict[str, str] = {}
    with living(folder, url):
        while True:
            taken = lgsp("-C", folder, "inbox", "--as", "H33.16/dms", "--take", "--max", "500", "--json")
            assert taken.status == 0
            if not taken.out:
                break
        for sent in acknowledged[:before]:
            told = lgsp("-C", folder, "status", sent, "--json")
            assert told.status == 0, f"{sent} was acknowledged and is lost"
            states[sent] = told.json["deliveries"][0]["state"]
    assert set(states.values()) == {"delivered"}


def test_everything_is_in_it_and_every_byte_is_listed(folder: Path) -> None:
    keep(folder, 1, 2, content=b"%PDF-1.7 made up")
    target = saved(folder)

    sha256 = hashlib.sha256(b"%PDF-1.7 made up").hexdigest()
    with tarfile.open(target) as tar:
        content = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    head = json.loads(content["backup.json"])
    listed = [json.loads(line) for line in content.pop("manifest.jsonl").splitlines()]
    assert listed == [
        {"path": name, "size": len(each), "sha256": hashlib.sha256(each).hexdigest()} for name, each in content.items()
    ]
    assert content[f"files/{sha256}"] == b"%PDF-1.7 made up"
    assert content["province/keys/gateway.pem"] == (folder / "keys/gateway.pem").read_bytes()
    assert {"province/lgsp.toml", "province/agencies/H33.16.toml", "store/lgsp.db"} < content.keys()
    assert not [name for name in content if name.startswith("province/var")]
    assert (head["system"], head["cut"]["messages"], head["with_keys"]) == ("H33.14/lgsp", 2, True)
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_folder_restored_is_the_folder_that_was_saved(folder: Path, tmp_path: Path) -> None:
    keep(folder, 1, content=b"file")
    assert lgsp("restore", saved(folder), tmp_path / "moi").status == 0

    def without_store(place: Path) -> dict[str, bytes]:
        return {name: held for name, held in snapshot(place).items() if not name.startswith("var/lgsp.db")}

    assert without_store(tmp_path / "moi") == without_store(folder)
    assert (tmp_path / "moi/keys/gateway.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "moi/keys").stat().st_mode & 0o777 == 0o700
    shown = lgsp("-C", tmp_path / "moi", "apply", "--json")
    assert shown.json["result"] == "unchanged"


def test_without_keys_no_secret_is_in_it_and_what_to_put_back_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "keys/H33.16-dms.hook").write_text("made up")
    target = saved(folder, "--without-keys")

    with tarfile.open(target) as tar:
        names = tar.getnames()
    assert not [name for name in names if name.endswith((".pem", ".hook"))]
    assert "province/keys/gateway.crt" in names
    assert b"PRIVATE KEY" not in target.read_bytes()
    shown = lgsp("restore", target, tmp_path / "moi")
    assert "đặt lại các tệp khoá" in shown.out


def test_people_are_warned_that_the_archive_holds_keys(folder: Path) -> None:
    shown = lgsp("-C", folder, "backup", folder.parent)
    assert shown.status == 0
    assert "khoá bí mật" in shown.out
    (made,) = folder.parent.glob("lgsp-H33.14-lgsp-*.tar")
    assert hashlib.sha256(made.read_bytes()).hexdigest() in shown.out


def test_leases_are_given_back_and_the_journal_tells_of_it(folder: Path, tmp_path: Path) -> None:
    keep(folder, 1, 2)

    async def lease(place: Path) -> None:
        ledger = SqliteLedger(place / "var/lgsp.db")
        await ledger.open()
        assert await ledger.claim({RECIPIENT: 1}, owner="inbox:H33.16/dms", now=MORNING, until=MORNING + 10**9)
        await ledger.close()

    async def look(place: Path) -> tuple[list[str], list[dict[str, Any]]]:
        ledger = SqliteLedger(place / "var/lgsp.db")
        await ledger.open()
        states = [delivery.state.value for delivery in await ledger.deliveries()]
        leaves = [json.loads(body) for _, kind, body in await ledger.journal(limit=1000) if kind == "audit"]
        await ledger.close()
        return states, leaves

    asyncio.run(lease(folder))
    shown = lgsp("restore", saved(folder), tmp_path / "moi", "--json")

    assert shown.json["leases_given_back"] == 1
    states, leaves = asyncio.run(look(tmp_path / "moi"))
    assert states == ["queued", "queued"]
    assert leaves[-1]["audit"] == "ledger.restored"
    assert asyncio.run(look(folder))[0] == ["leased", "queued"], "what was saved stays as it is"


def test_a_dry_run_reads_all_of_it_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    target = saved(folder)
    before = sorted(tmp_path.iterdir())
    shown = lgsp("restore", target, tmp_path / "moi", "--dry-run", "--json")
    assert (shown.status, shown.json["result"], shown.json["system"]) == (0, "sound", "H33.14/lgsp")
    assert sorted(tmp_path.iterdir()) == before


def flip(name: str, content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1]) if name == "province/keys/gateway.crt" else content


def drop_last(name: str, content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1]) if name == "manifest.jsonl" else content


def newer(name: str, content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "schema": 999}).encode() if name == "backup.json" else content


def same(_: str, content: bytes) -> bytes:
    return content


@pytest.mark.parametrize(
    "wrong",
    [
        (flip, None, "gateway.crt không khớp"),
        (drop_last, None, "không khớp"),
        (newer, None, "phiên bản mới hơn"),
        (same, "province/late", "phần lạ"),
        (same, "../outside", "phần lạ"),
        (same, "/etc/outside", "phần lạ"),
    ],
    ids=["a changed byte", "an unlisted file", "a newer program", "after the list", "climbing out", "absolute"],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["restore", "dry run"])
def test_an_archive_that_is_not_as_it_was_made_is_refused_and_nothing_changes(
    folder: Path, tmp_path: Path, wrong: tuple[Callable[[str, bytes], bytes], str | None, str], dry: tuple[str, ...]
) -> None:
    change, extra, about = wrong
    target = rewritten(saved(folder), change, extra=extra)
    before = sorted(tmp_path.iterdir())
    refused(lgsp("restore", target, tmp_path / "moi", *dry), about)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_an_archive_that_was_cut_off_is_refused(folder: Path, tmp_path: Path, share: float) -> None:
    target = saved(folder)
    content = target.read_bytes().rstrip(b"\0")
    target.write_bytes(content[: int(len(content) * share)])
    refused(lgsp("restore", target, tmp_path / "moi"), "Gói sao lưu bị hỏng")
    assert not (tmp_path / "moi").exists()


@pytest.mark.parametrize("content", [b"", b"a letter" * 1000])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "thu.tar").write_bytes(content)
    refused(lgsp("restore", tmp_path / "thu.tar", tmp_path / "moi"), "thu.tar")


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "khac.tar", "w") as tar:
        info = tarfile.TarInfo("province/link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(Misconfigured, match="odd"):
        archives.read_archive(tmp_path / "khac.tar")


def test_a_folder_in_use_is_not_written_over_and_force_keeps_it_beside(folder: Path, tmp_path: Path) -> None:
    keep(folder, 1)
    target = saved(folder)
    keep(folder, 2)
    refused(lgsp("restore", target, folder), "--force")

    shown = lgsp("restore", target, folder, "--force", "--json")

    assert shown.status == 0
    with closing(sqlite3.connect(folder / "var/lgsp.db")) as now:
        assert now.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    with closing(sqlite3.connect(Path(shown.json["aside"]) / "var/lgsp.db")) as before:
        assert before.execute("SELECT count(*) FROM messages").fetchone() == (2,)


def test_another_folder_is_never_replaced(folder: Path, tmp_path: Path) -> None:
    target = saved(folder)
    other = a_province(tmp_path / "tinh-khac")
    edit(other, "lgsp.toml", 'system = "H33.14/lgsp"', 'system = "H34.14/lgsp"')
    before = snapshot(other)
    refused(lgsp("restore", target, other, "--force"), "không phải của tỉnh này")
    assert snapshot(other) == before


def test_under_a_running_gateway_nothing_is_replaced(folder: Path) -> None:
    target = saved(folder)
    with living(folder, at_a_free_port(folder)):
        refused(lgsp("restore", target, folder, "--force"), "vẫn đang chạy")
        refused(lgsp("restore", target, folder, "--force", "--dry-run"), "vẫn đang chạy")
    assert lgsp("restore", target, folder, "--force").status == 0


def test_data_outside_the_folder_goes_where_lgsp_toml_says_unless_some_is_there(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "du-lieu"
    shutil.move(folder / "var", outside)
    edit(folder, "lgsp.toml", 'url = "sqlite:var/lgsp.db"', f'url = "sqlite:{outside}/lgsp.db"')
    edit(folder, "lgsp.toml", 'folder = "var/files"', f'folder = "{outside}/files"')
    target = saved(folder)
    refused(lgsp("restore", target, tmp_path / "moi"), "đã có ở đó")
    assert not (tmp_path / "moi").exists()

    shutil.rmtree(outside)
    assert lgsp("restore", target, tmp_path / "moi").status == 0
    assert (outside / "lgsp.db").is_file()
    assert lgsp("-C", tmp_path / "moi", "apply", "--json").json["result"] == "unchanged"


def test_a_file_that_is_gone_is_told_and_the_rest_is_saved(folder: Path) -> None:
    keep(folder, 1, content=b"gone")
    sha256 = hashlib.sha256(b"gone").hexdigest()
    Files(folder / "var/files").remove(sha256)
    shown = lgsp("-C", folder, "backup", folder.parent / "b.tar", "--json")
    assert (shown.status, shown.json["result"], shown.json["missing"]) == (1, "incomplete", [sha256])
    assert lgsp("restore", folder.parent / "b.tar", folder.parent / "moi").status == 0


def test_a_backup_is_never_written_over_and_a_failed_one_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    target = saved(folder)
    held = target.read_bytes()
    refused(lgsp("-C", folder, "backup", target), "Đã có tệp này")
    assert target.read_bytes() == held
    refused(lgsp("-C", folder, "backup", tmp_path / "none" / "b.tar"), "Không sao lưu được")
    (folder / "var/lgsp.db").write_bytes(b"not a database at all" * 1000)
    before = sorted(tmp_path.iterdir())
    refused(lgsp("-C", folder, "backup", tmp_path / "b.tar"), "var/lgsp.db")
    assert sorted(tmp_path.iterdir()) == before


def test_saving_an_older_database_does_not_upgrade_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = examination.known_steps()
    monkeypatch.setattr(examination, "known_steps", lambda: known + 1)
    target = saved(folder)
    with tarfile.open(target) as tar:
        head = json.loads((tar.extractfile("backup.json") or io.BytesIO()).read())
    assert head["schema"] == known
    with closing(sqlite3.connect(folder / "var/lgsp.db")) as opened:
        assert opened.execute("SELECT max(number) FROM schema_versions").fetchone() == (known,)
