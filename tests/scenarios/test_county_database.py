"""An old SOAP database and a new REST service join a province by files alone, and exchange messages, faults and all."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import adapters.rest.stand_in as new
import adapters.soap.stand_in as old
from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event, new_id
from gateway.core.envelope import seal
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_pair, a_province, write

AGENCY = """\
code = "{code}"
name = "{name}"
parent = "H33"

[[systems]]
name = "{system}"
adapter = "{adapter}"
sealing = "gateway"
key = "keys/{code}-{system}.pem"

[systems.settings]
{settings}

[[systems.subscriptions]]
contract = "procedure.catalogue"
version = "1.0"
retry = {{ first = "100ms", factor = 1.3, cap = "300ms", deadline = "1d" }}
"""
JUSTICE = """\
code = "H33.11"
name = "Sở Tư pháp"
parent = "H33"

[[systems]]
name = "tthc"
adapter = "inbox"
certificates = ["keys/H33.11-tthc.crt"]
"""
AGREEMENT = """\
id = "TTHC"
title = "Dùng chung danh mục thủ tục"
basis = "NĐ 61/2018/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["*"]
to = ["*"]
contracts = ["procedure.catalogue"]
valid_from = 2019-01-01
valid_until = 2090-12-31
"""
SAID = ["1.000001", "1.000002", "1.000003", "1.000004"]


def a_member(folder: Path, code: str, system: str, adapter: str, settings: Mapping[str, Any]) -> None:
    """One more agency: a file."""
    lines = []
    for name, value in {**settings, "timeout": 1}.items():
        members = value.items() if isinstance(value, dict) else ()
        table = "{ " + ", ".join(f"{key} = {json.dumps(each)}" for key, each in members) + " }"
        lines.append(f"{name} = {table if isinstance(value, dict) else json.dumps(value)}")
    text = AGENCY.format(code=code, name=f"Đơn vị {code}", system=system, adapter=adapter, settings="\n".join(lines))
    write(folder, f"agencies/{code}.toml", text)


def told(folder: Path, code: str) -> bytes:
    """The department of justice publishes a procedure."""
    now = time.time()
    event = make_event(
        id=new_id(now, secrets.token_bytes(10)), source="H33.11/tthc", contract="procedure.catalogue", version="1.0",
        subject=code, now=now, data={"code": code, "name": f"Thủ tục {code}", "isActive": True},
        extensions={"purpose": "giai-quyet-tthc"},
    )  # fmt: skip
    return seal(event, read_signer(*find_files(folder / "keys", "H33.11/tthc")))


def a_change(name: str) -> dict[str, Any]:
    return {"id": name, "data": {"subject": f"Thủ tục {name}"}}


async def until(is_so: Callable[[], bool], gateway: Living) -> None:
    end = asyncio.get_running_loop().time() + 30
    while not is_so():
        assert gateway.process.poll() is None, "".join(gateway.log[-20:])
        assert asyncio.get_running_loop().time() < end, "".join(gateway.log[-25:])
        await asyncio.sleep(0.05)


async def test_two_databases_join_by_files_and_each_has_what_the_other_and_a_third_said(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    async with old.agency(folder) as county, new.agency(folder) as catalogue:
        write(folder, "agencies/H33.11.toml", JUSTICE)
        a_pair(folder, "H33.11-tthc")
        a_member(folder, "H33.40", "dat-dai", "soap", county.settings)
        a_member(folder, "H33.41", "danh-muc", "rest", catalogue.settings)
        write(folder, "agreements/TTHC.toml", AGREEMENT)
        applied = await asyncio.to_thread(lgsp, "-C", folder, "apply")
        assert applied.status == 0, applied.err
        url = at_a_free_port(folder)
        county.faults.lost, catalogue.faults.lost = 1, 2
        county.faults.pages, catalogue.faults.words, county.spoilt = 2, 2, 1
        county.faults.twice = catalogue.faults.twice = catalogue.big_numbers = True
        county.soap_faults, county.refusal = ["Server", "Receiver"], [7, 3]
        catalogue.refusal = ["-8"]
        await county.drop(a_change("huyen-1"))
        await county.drop_rubbish()
        await catalogue.drop(a_change("moi-1"))
        await catalogue.drop_rubbish()

        async with AsyncExitStack() as stack:
            running = living(folder, url)
            gateway = await asyncio.to_thread(running.__enter__)
            stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
            for code in SAID:
                assert (await asyncio.to_thread(gateway.ask, "/v1/messages", told(folder, code)))[0] == 202
            await catalogue.drop(a_change("moi-2"))
            # County's code 3 means that it has one of them already: that one it was never given by the bus.
            await until(lambda: set(catalogue.procedures) == {*SAID, "huyen-1"}, gateway)
            await until(lambda: len(set(county.records)) == len(SAID) + 1, gateway)
            await until(lambda: len(catalogue.refused) == 1 and len(county.refused) == 1, gateway)
            log = "".join(gateway.log)

        assert set(county.records) < {*SAID, "moi-1", "moi-2"}
        assert await catalogue.waiting() == await county.waiting() == []
        for words in (*catalogue.refused, *county.refused.values()):
            assert "unreadable-item" in words
            assert words.index("cần sửa") < words.index("must mend")
        for secret in ("mat-khau-mau-huyen-5", "khoa-mau-danh-muc-3", "Thủ tục huyen-1"):
            assert secret not in log


async def test_a_description_that_cannot_work_is_told_by_apply_with_file_and_key(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    async with old.agency(folder) as county, new.agency(folder) as catalogue:
        a_member(folder, "H33.40", "dat-dai", "soap", county.settings)
        a_member(folder, "H33.41", "danh-muc", "rest", catalogue.settings)
    text = (folder / "far/danh-muc.toml").read_text("utf-8")
    write(
        folder, "far/danh-muc.toml", text.replace('means = "there"', 'means = "da-co"').replace("[[asks]]", "[[hoi]]")
    )
    text = (folder / "far/dat-dai.toml").read_text("utf-8")
    write(folder, "far/dat-dai.toml", text.replace('"TraCuuThua"', '"TraCuuNha"'))
    ended = await asyncio.to_thread(lgsp, "-C", folder, "--lang", "vi", "apply")
    assert ended.status == 1
    assert "far/danh-muc.toml: sends[1].reply.errors[1].means" in ended.err
    assert "Không có mục hoi ở đây" in ended.err
    assert "far/dat-dai.toml: asks[1].operation" in ended.err
    assert "HoiThuTuc" in ended.err, "what would be right"
    assert not (folder / "var/lgsp.db").exists()
