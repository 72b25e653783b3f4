"""``lgsp apply``: the folder's part of the registry becomes equal to the folder, wholly or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.applying import Applied, apply_folder
from gateway.config.province import directory_of
from gateway.core.faults import Busy, Misconfigured
from gateway.ports import RegistryRow
from gateway.store.memory import MemoryLedger
from tests.cli.desk import lgsp, tables
from tests.province import GATEWAY, a_province, edit, settings_of, snapshot, write

NOW = 1795395600.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_province(tmp_path / "tinh")


async def applied(ledger: MemoryLedger, folder: Path, *, dry_run: bool = False) -> Applied:
    return await apply_folder(ledger, settings_of(folder), actor="cli:mau", now=NOW, dry_run=dry_run)


async def keys(ledger: MemoryLedger) -> set[tuple[str, str, str]]:
    _, rows = await ledger.registry()
    return {(row.kind, row.key, row.origin) for row in rows}


def sealed_by_gateway(folder: Path) -> None:
    edit(
        folder,
        "agencies/H33.16.toml",
        'adapter = "inbox"',
        'adapter = "inbox"\nsealing = "gateway"\nkey = "keys/k.pem"',
    )


# ------------------------------------------------------------------------------------ at the command line


def test_from_init_to_apply_and_again_shows_no_difference(folder: Path) -> None:
    first = lgsp("-C", folder, "apply")
    assert (first.status, first.err) == (0, "")
    assert "+ cơ quan H33.05 (Sở Tài chính)" in first.out
    assert "+ thoả thuận VB-2018 (Trao đổi văn bản điện tử)" in first.out
    assert "thêm 3, sửa 0, bỏ 0" in first.out
    again = lgsp("-C", folder, "apply")
    assert (again.status, again.out) == (0, "Không có gì thay đổi.\n")


def test_the_folder_may_be_named_as_an_argument(folder: Path) -> None:
    assert lgsp("apply", folder, "--json").json["result"] == "applied"
    assert lgsp("--lang", "en", "apply", folder).out == "Nothing changes.\n"


def test_json_tells_the_difference_to_programs(folder: Path) -> None:
    told = lgsp("-C", folder, "apply", "--json").json
    assert (told["result"], told["version"]) == ("applied", 1)
    assert told["added"] == [
        {"kind": "agency", "key": "H33.05"},
        {"kind": "agency", "key": "H33.16"},
        {"kind": "agreement", "key": "VB-2018"},
    ]
    assert (told["changed"], told["removed"], told["clashes"], told["warnings"]) == ([], [], [], [])
    assert lgsp("-C", folder, "apply", "--json").json["result"] == "unchanged"


def test_a_dry_run_on_a_new_folder_makes_nothing_at_all(folder: Path) -> None:
    sealed_by_gateway(folder)
    before = snapshot(folder)
    shown = lgsp("-C", folder, "apply", "--dry-run")
    assert shown.status == 0
    assert "+ cơ quan H33.16" in shown.out
    assert "sẽ tạo keys/k.pem" in shown.out
    assert "--dry-run" in shown.out
    assert snapshot(folder) == before


def test_a_dry_run_later_changes_no_row(folder: Path) -> None:
    lgsp("-C", folder, "apply")
    before = tables(folder)
    edit(folder, "agencies/H33.16.toml", "Sở Y tế", "Sở Y tế tỉnh")
    (folder / "agencies/H33.05.toml").unlink()
    shown = lgsp("-C", folder, "apply", "--dry-run")
    assert "    name: Sở Y tế → Sở Y tế tỉnh" in shown.out
    assert "- cơ quan H33.05" in shown.out
    assert tables(folder) == before
    assert lgsp("-C", folder, "apply", "--json").json["version"] == 2


def test_a_mistake_anywhere_leaves_no_database_behind(folder: Path) -> None:
    edit(folder, "agreements/VB-2018.toml", "2030", "2010")
    before = snapshot(folder)
    shown = lgsp("-C", folder, "apply")
    assert (shown.status, shown.out) == (1, "")
    assert "agreements/VB-2018.toml:9: valid_until" in shown.err
    assert snapshot(folder) == before


def test_a_mistake_later_changes_no_row_and_makes_no_key(folder: Path) -> None:
    lgsp("-C", folder, "apply")
    before = tables(folder)
    sealed_by_gateway(folder)
    edit(folder, "agencies/H33.05.toml", '"webhook"', '"fax"')
    assert lgsp("-C", folder, "apply").status == 1
    assert tables(folder) == before
    assert not (folder / "keys/k.pem").exists()


def test_it_works_while_another_connection_is_open(folder: Path) -> None:
    lgsp("-C", folder, "apply")
    with closing(sqlite3.connect(folder / "var/lgsp.db")) as other:
        other.execute("begin")
        other.execute("select count(*) from sqlite_master").fetchone()
        edit(folder, "agencies/H33.16.toml", "Sở Y tế", "Sở Y tế tỉnh")
        assert lgsp("-C", folder, "apply", "--json").json["result"] == "applied"


def test_a_database_of_a_newer_program_is_refused_in_one_message(folder: Path) -> None:
    lgsp("-C", folder, "apply")
    with closing(sqlite3.connect(folder / "var/lgsp.db")) as other:
        other.execute("insert into schema_versions values (9999, 'mai-sau', '00', 0)")
        other.commit()
    before = tables(folder)
    edit(folder, "agencies/H33.16.toml", "Sở Y tế", "Sở Y tế tỉnh")
    shown = lgsp("-C", folder, "apply")
    assert (shown.status, shown.out) == (1, "")
    assert shown.err.count("✗") == 1
    assert "lgsp.db" in shown.err
    assert tables(folder) == before


def test_a_key_for_sealing_is_made_once_and_only_its_owner_may_read_it(folder: Path) -> None:
    sealed_by_gateway(folder)
    shown = lgsp("-C", folder, "apply")
    assert "đã tạo keys/k.pem cho H33.16/dms" in shown.out
    key, certificate = folder / "keys/k.pem", folder / "keys/k.crt"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    kept = key.read_bytes(), certificate.read_bytes()
    assert lgsp("-C", folder, "apply").out == "Không có gì thay đổi.\n"
    assert (key.read_bytes(), certificate.read_bytes()) == kept


# ---------------------------------------------------------------------------------------- over any ledger


async def test_the_directory_knows_the_sealing_keys_certificate(folder: Path) -> None:
    sealed_by_gateway(folder)
    ledger = MemoryLedger()
    await applied(ledger, folder)
    _, rows = await ledger.registry()
    system = directory_of(rows, gateway=GATEWAY, version=1).system("H33.16/dms")
    assert system is not None
    assert (system.sealing, system.key_file) == ("gateway", "keys/k.pem")
    assert (folder / "keys/k.crt").read_text() in [certificate.pem for certificate in system.certificates]


async def test_a_lost_certificate_is_made_again_for_the_same_key(folder: Path) -> None:
    sealed_by_gateway(folder)
    ledger = MemoryLedger()
    await applied(ledger, folder)
    key = (folder / "keys/k.pem").read_bytes()
    (folder / "keys/k.crt").unlink()
    again = await applied(ledger, folder)
    assert again.is_written
    assert (folder / "keys/k.pem").read_bytes() == key
    assert (folder / "keys/k.crt").exists()


async def test_an_agency_whose_file_is_gone_is_removed(folder: Path) -> None:
    ledger = MemoryLedger()
    await applied(ledger, folder)
    (folder / "agencies/H33.05.toml").unlink()
    found = (await applied(ledger, folder)).difference
    assert [(row.kind, row.key) for row in found.removed] == [("agency", "H33.05")]
    assert ("agency", "H33.05", "folder") not in await keys(ledger)


async def test_rows_of_other_origins_stay_as_they_are(folder: Path) -> None:
    ledger = MemoryLedger()
    others = [
        RegistryRow("agency", "H33.77", "directory", {"code": "H33.77", "name": "Nơi khác"}),
        RegistryRow("operator", "mau", "console", {"role": "viewer", "token_hash": "00"}),
    ]
    await ledger.change_registry(0, put=others, delete=[], audit=[])
    await applied(ledger, folder)
    assert {("agency", "H33.77", "directory"), ("operator", "mau", "console")} < await keys(ledger)


async def test_a_clash_is_shown_and_nothing_is_written(folder: Path) -> None:
    sealed_by_gateway(folder)
    ledger = MemoryLedger()
    taken = RegistryRow("agency", "H33.05", "enrolment", {"code": "H33.05", "name": "Đã đăng ký"})
    await ledger.change_registry(0, put=[taken], delete=[], audit=[])
    found = await applied(ledger, folder)
    assert [clash.name for clash in found.difference.clashes] == ["H33.05"]
    assert not found.is_written
    assert await keys(ledger) == {("agency", "H33.05", "enrolment")}
    assert not (folder / "keys/k.pem").exists()


def test_a_clash_ends_with_exit_status_one(folder: Path) -> None:
    lgsp("-C", folder, "operator", "add", "mau", "--role", "viewer")
    with closing(sqlite3.connect(folder / "var/lgsp.db")) as other:
        other.execute("update registry set kind = 'agency', key = 'H33.05', origin = 'directory'")
        other.commit()
    shown = lgsp("-C", folder, "apply")
    assert shown.status == 1
    assert "! cơ quan H33.05" in shown.out


async def test_who_changed_what_is_kept_in_the_journal(folder: Path) -> None:
    ledger = MemoryLedger()
    await applied(ledger, folder)
    leaves = [body.decode() for _, kind, body in await ledger.journal() if kind == "audit"]
    assert len(leaves) == 3
    assert all("registry.added" in leaf and "cli:mau" in leaf for leaf in leaves)
    assert not any("http://" in leaf or "CERTIFICATE" in leaf for leaf in leaves)


class Contested(MemoryLedger):
    """A registry that others keep changing under one's hands."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def change_registry(self, expected_version: int, **change: Any) -> bool:
        if self.times > 0:
            self.times -= 1
            await super().change_registry(expected_version, put=[], delete=[], audit=[])
            return False
        return await super().change_registry(expected_version, **change)


async def test_a_registry_that_changed_meanwhile_is_read_again(folder: Path) -> None:
    ledger = Contested(2)
    assert (await applied(ledger, folder)).version == 3


async def test_one_that_never_rests_is_given_up_and_keys_are_taken_away(folder: Path) -> None:
    sealed_by_gateway(folder)
    with pytest.raises(Busy):
        await applied(Contested(1000), folder)
    assert not (folder / "keys/k.pem").exists()
    assert not (folder / "keys/k.crt").exists()


class Broken(MemoryLedger):
    """A registry that cannot be written."""

    async def change_registry(self, expected_version: int, *, put: Any, delete: Any, audit: Any) -> bool:
        raise OSError("disk full")


async def test_keys_of_a_write_that_failed_are_taken_away(folder: Path) -> None:
    sealed_by_gateway(folder)
    with pytest.raises(OSError, match="disk full"):
        await applied(Broken(), folder)
    assert not (folder / "keys/k.pem").exists()


async def test_a_place_for_keys_that_cannot_be_written_is_told(folder: Path) -> None:
    edit(folder, "agencies/H33.16.toml", 'adapter = "inbox"',
         'adapter = "inbox"\nsealing = "gateway"\nkey = "lgsp.toml/k.pem"')  # fmt: skip
    ledger = MemoryLedger()
    with pytest.raises(Misconfigured):
        await applied(ledger, folder)
    assert await keys(ledger) == set()


async def test_a_thousand_agencies_are_applied_in_one_step(folder: Path) -> None:
    for n in range(1000):
        write(folder, f"agencies/n{n}.toml", f'code = "H33.{n:04}.1"\nname = "Xã {n}"\nparent = "H33"\n')
    ledger = MemoryLedger()
    found = await asyncio.wait_for(applied(ledger, folder), 60)
    assert (len(found.difference.added), await ledger.registry_version()) == (1003, 1)
