"""Files looked at from the command line, and what doctor says of those who look."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import compose
from gateway.cli.doctor.inspection import on_inspection, on_scanner
from gateway.config.settings import Settings, read_settings
from gateway.core.content import InMemory
from gateway.ports import HeldFile
from tests.cli.desk import lgsp
from tests.province import a_province, edit
from tests.trust.authority import Authority, a_pdf, signed_pdf
from tests.trust.test_scanning import StandIn, clamd

#: The command looks by today's date.
CA = Authority(now=datetime.now(UTC).replace(microsecond=0))
SIGNED = signed_pdf(a_pdf(), CA.person())
SHA256 = InMemory(SIGNED).sha256


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = a_province(tmp_path)
    assert lgsp("-C", made, "apply").status == 0
    asyncio.run(put(read_settings(made), SIGNED))
    return made


async def put(settings: Settings, content: bytes) -> None:
    """A file in the spool that some system may name."""

    async def chunks() -> Any:
        yield content

    ledger, spool = compose.open_ledger(settings), compose.open_spool(settings)
    await ledger.open()
    sha256, size = await spool.put(chunks(), limit=10**7)
    held = HeldFile(sha256, size, "application/pdf")
    assert await ledger.grant_file(held, "H33.05/dms", at=CA.now.timestamp(), is_present=spool.is_present)
    await ledger.close()


def test_a_file_is_told_as_it_is_known_and_again_by_todays_lists(folder: Path) -> None:
    first = lgsp("-C", folder, "inspect", SHA256, "--json")
    assert (first.status, first.json["verdict"], first.json["reason"]) == (0, "unknown-signer", "no-trusted-root")
    assert first.json["meaning"]["vi"]
    CA.write(folder / "trust")

    assert lgsp("-C", folder, "inspect", SHA256, "--json").json == first.json
    again = lgsp("-C", folder, "inspect", SHA256.upper(), "--again", "--json").json
    assert again["verdict"] == "valid"
    assert again["trust_lists"] != first.json["trust_lists"]
    assert lgsp("-C", folder, "inspect", SHA256, "--json").json == again
    told = lgsp("-C", folder, "--lang", "en", "inspect", SHA256)
    assert "Nguyễn Văn Mẫu" in told.out + told.err


def test_a_file_that_is_not_held_and_a_name_that_is_none_are_told_as_such(folder: Path) -> None:
    assert lgsp("-C", folder, "inspect", "0" * 64, "--json").status == 1
    assert lgsp("-C", folder, "inspect", "a.pdf").status == 2


def severities(found: list[Any]) -> list[tuple[str, str]]:
    return [(each.severity, each.where) for each in found]


def test_doctor_says_what_is_missing_for_signatures_to_be_judged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, now = read_settings(folder), CA.now.timestamp()
    assert severities(on_inspection(settings, now)) == [("note", "trust/")]
    CA.write(folder / "trust", crl=False)
    assert severities(on_inspection(settings, now)) == [("warning", "trust/")]
    CA.write(folder / "trust")
    assert severities(on_inspection(settings, now)) == [("ok", "trust/")]
    CA.write(folder / "trust", until=-1)
    assert severities(on_inspection(settings, now)) == [("warning", f"trust/{CA.name}.crl")]
    (folder / "trust/x.pem").write_text("not one")
    assert ("warning", "trust/x.pem") in severities(on_inspection(settings, now))
    monkeypatch.setattr("gateway.cli.doctor.inspection.is_installed", lambda: False)
    assert severities(on_inspection(settings, now)) == [("warning", "pyhanko, signxml")]


async def test_doctor_asks_the_scanner(folder: Path) -> None:
    assert severities(await on_scanner(read_settings(folder))) == [("note", "[scan]")]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"tcp:127.0.0.1:{taken.getsockname()[1]}"
        edit(folder, "lgsp.toml", "[gateway]", f'[scan]\nclamd = "{nobody}"\n[gateway]')
        assert severities(await on_scanner(read_settings(folder))) == [("warning", nobody)]
        edit(folder, "lgsp.toml", "[scan]", "[scan]\nrequired = true")
        assert severities(await on_scanner(read_settings(folder))) == [("error", nobody)]
    async with clamd(StandIn().talk) as there:
        edit(folder, "lgsp.toml", nobody, there.address)
        assert severities(await on_scanner(read_settings(folder))) == [("ok", there.address)]
