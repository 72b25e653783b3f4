"""A real gateway between an office that asks and the national axis in small: answered, and nothing of it kept."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from adapters.ngsp.axis.services import PERSON, SECRETS
from adapters.ngsp.axis.services import citizen as somebody
from adapters.ngsp.stand_in import agency
from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.core.envelope import seal
from gateway.core.jws import split
from gateway.core.strictjson import parse_strict
from tests.adapters.ngsp_desk import DOSSIER, citizen
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_pair, a_province, write

#: Stands in answers alone, never in a question.
TELLING = "Đường Chỉ Có Trong Câu Trả Lời"
AXIS = """\
code = "H33.14"
name = "Sở Thông tin mẫu"
parent = "H33"

[[systems]]
name = "ngsp"
adapter = "ngsp"
sealing = "gateway"
key = "keys/ngsp.pem"
{provides}
[systems.settings]
{settings}
"""
AGREEMENT = """\
id = "DC"
title = "Tra cứu dữ liệu quốc gia"
basis = "NĐ 47/2020/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["H33.05"]
to = ["H33.14"]
contracts = ["citizen.lookup", "insurance.lookup"]
valid_from = 2019-01-01
valid_until = 2030-12-31
"""


def toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml(each)}" for name, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


class Office:
    """An office that asks by its own key."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.signer = read_signer(*find_files(folder / "keys", "H33.05/dms"))

    def event(self, contract: str, data: Mapping[str, Any]) -> dict[str, Any]:
        whole = {"officer": {"account": "mau.nv"}, "dossierCode": DOSSIER, **data}
        return {
            "specversion": "1.0", "id": str(uuid.uuid4()), "source": "H33.05/dms", "type": contract,
            "dataschema": f"urn:lgsp:contract:{contract}:1.0", "subject": PERSON, "to": "H33.14",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "datacontenttype": "application/json",
            "purpose": "giai-quyet-tthc", "data": {name: each for name, each in whole.items() if each is not None},
        }  # fmt: skip

    async def ask(self, contract: str, data: Mapping[str, Any], *, timeout: float = 10) -> tuple[int, Any]:
        """The status, and the data of the answer or the problem."""
        async with Bus.reach(self.url) as bus, aiohttp.ClientSession() as http:
            token = await bus.token(self.signer, "H33.05/dms")
            fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/jose"}
            body = seal(self.event(contract, data), self.signer)
            async with http.post(f"{self.url}/v1/queries?timeout={timeout}", data=body, headers=fields) as answer:
                raw = await answer.read()
        if answer.status != 200:
            return answer.status, json.loads(raw)["type"].rpartition(":")[2]
        return 200, parse_strict(split(raw).payload)["data"]


async def test_an_office_asks_the_nation_through_faults_and_nothing_of_any_answer_is_kept(tmp_path: Path) -> None:
    made = a_province(tmp_path / "tinh")
    a_pair(made, "ngsp")
    async with agency(made) as axis, AsyncExitStack() as stack:
        axis.people = [somebody(ThuongTru={"MaTinhThanh": "91", "ChiTiet": TELLING})]
        axis.insured["soSoCu"] = "ma-so-cu-chi-trong-cau-tra-loi"
        provides = "".join(
            f'[[systems.provides]]\ncontract = "{name}"\nversion = "1.0"\n'
            for name in ("citizen.lookup", "insurance.lookup")
        )
        settings = "\n".join(f"{name} = {toml(value)}" for name, value in axis.settings.items())
        write(made, "agencies/H33.14.toml", AXIS.format(provides=provides, settings=settings))
        write(made, "agreements/DC.toml", AGREEMENT)
        url = at_a_free_port(made)
        applied = await asyncio.to_thread(lgsp, "-C", made, "apply")
        assert applied.status == 0, applied.err
        running = living(made, url)
        gateway: Living = await asyncio.to_thread(running.__enter__)
        stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
        office = Office(made, url)

        status, found = await office.ask("citizen.lookup", citizen())
        assert (status, found["name"], found["permanentAddress"]["detail"]) == (200, "Nguyễn Văn Mẫu", TELLING)
        status, found = await office.ask("insurance.lookup", {"by": "number", "insuranceNumber": "0000000001"})
        assert (status, found["people"][0]["birth"]) == (200, "1980-01-02")
        assert await office.ask("citizen.lookup", citizen(fields=["/birth"])) == (200, {"birth": "1980-01-02"})

        axis.end_tokens()
        assert (await office.ask("citizen.lookup", citizen()))[0] == 200
        axis.refused = {"population": [500]}
        assert await office.ask("citizen.lookup", citizen()) == (502, "provider-unavailable")
        axis.faults.pages = 1
        assert await office.ask("citizen.lookup", citizen()) == (502, "provider-unavailable")
        axis.faults.slow = 3.0
        assert await office.ask("citizen.lookup", citizen(), timeout=0.3) == (504, "provider-unavailable")
        axis.faults.slow = 0.0
        assert await office.ask("citizen.lookup", citizen(personalNumber="000000000009")) == (404, "no-record")
        assert await office.ask("citizen.lookup", citizen(dossierCode=None)) == (422, "contract-violation")
        assert await office.ask("citizen.lookup", citizen(officer={"account": "ai-do"})) == (
            502,
            "provider-unavailable",
        )
        await axis.go_down()
        assert await office.ask("citizen.lookup", citizen()) == (502, "provider-unavailable")
        await axis.come_back()
        assert (await office.ask("citizen.lookup", citizen()))[0] == 200

        kept = [path for path in made.rglob("*") if path.is_file() and "keys" not in path.parts]
        said = "".join(gateway.log).encode() + b"".join(path.read_bytes() for path in kept)
        told = [TELLING, axis.insured["soSoCu"], "000000001\x00", *SECRETS.values()]
        assert [each for each in told if each.encode() in said or json.dumps(each).encode() in said] == []
