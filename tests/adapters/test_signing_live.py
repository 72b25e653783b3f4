"""A real gateway between a one-stop and three far sides that misbehave (signer, bank, post); it is killed once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from adapters.payment_gateway import stand_in as bank_in_small
from adapters.qlvb_signing import stand_in as qlvb_in_small
from adapters.vnpost import stand_in as post_in_small
from gateway.client.bus import Bus
from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event, new_id
from gateway.client.upload import Upload
from gateway.core.content import InMemory
from gateway.core.envelope import seal
from gateway.core.jws import b64url_decode
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_pair, a_province, write
from tests.trust.authority import Authority, a_pdf, signed_pdf

#: Drafts, and orders; as many dossiers.
MANY = 6
PURPOSE = "giai-quyet-tthc"
ONE_STOP = """\
code = "H33.01"
name = "Trung tâm phục vụ hành chính công"
parent = "H33"

[[systems]]
name = "mcdt"
adapter = "inbox"
certificates = ["keys/H33.01-mcdt.crt"]
"""
FAR_SIDE = """\
code = "{code}"
name = "{code}"
parent = "H33"

[[systems]]
name = "{name}"
adapter = "{adapter}"
sealing = "gateway"
key = "keys/{code}-{name}.pem"
settings = {settings}
"""
AGREEMENT = f"""\
id = "MC"
title = "Một cửa"
basis = "NĐ 61/2018/NĐ-CP"
purpose = "{PURPOSE}"
from = ["H33.01", "H33.02", "H33.90", "H33.91"]
to = ["H33.01", "H33.02", "H33.90", "H33.91"]
contracts = ["dossier.*", "signing.*", "payment.*", "post.*"]
valid_from = 2019-01-01
valid_until = 2030-12-31
"""


@dataclass(slots=True)
class Hall:
    """The one-stop, the far sides, and the gateway between them."""

    folder: Path
    url: str
    qlvb: Any
    bank: Any
    post: Any
    log: list[str] = field(default_factory=list)
    #: What the one-stop got: contract and data.
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def running(self, work: Callable[[Living, Bus], Awaitable[None]]) -> None:
        """Do something while a gateway runs."""
        async with AsyncExitStack() as stack:
            process = living(self.folder, self.url)
            gateway = await asyncio.to_thread(process.__enter__)
            stack.push_async_callback(asyncio.to_thread, process.__exit__, None, None, None)
            stack.callback(lambda: self.log.extend(gateway.log))
            bus = await stack.enter_async_context(Bus.reach(self.url))
            await work(gateway, bus)

    @property
    def signer(self) -> Any:
        return read_signer(*find_files(self.folder / "keys", "H33.01/mcdt"))

    async def send(self, bus: Bus, contract: str, subject: str, data: Mapping[str, Any]) -> None:
        event = make_event(
            id=new_id(time.time(), os.urandom(10)), source="H33.01/mcdt", contract=contract, version="1.0",
            subject=subject, now=time.time(), data=data, extensions={"purpose": PURPOSE},
        )  # fmt: skip
        await bus.send(seal(event, self.signer))

    async def fetch(self, bus: Bus) -> None:
        """Whatever lies in the one-stop's inbox."""
        token = await bus.token(self.signer, "H33.01/mcdt")
        while leased := await bus.lease(token, most=100, wait=0, visibility=30):
            for each in leased:
                event = json.loads(_payload(each["envelope"]))
                self.got.append((event["type"], event["data"]))
            await bus.settle(token, taken=[each["delivery"] for each in leased])

    def of(self, contract: str) -> list[dict[str, Any]]:
        return [data for kind, data in self.got if kind == contract]


def _payload(envelope: str) -> bytes:
    return b64url_decode(envelope.split(".")[1].encode())


def toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(name)} = {toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def subscriptions(*contracts: str) -> str:
    retry = '{ first = "100ms", factor = 1.5, cap = "500ms", deadline = "1d" }'
    return "".join(
        f'\n[[systems.subscriptions]]\ncontract = "{each}"\nversion = "1.0"\nretry = {retry}\n' for each in contracts
    )


@asynccontextmanager
async def a_hall(folder: Path) -> AsyncIterator[Hall]:
    async with (
        qlvb_in_small.agency(folder) as qlvb,
        bank_in_small.agency(folder) as bank,
        post_in_small.agency(folder) as post,
    ):
        made = a_province(folder)
        url = at_a_free_port(made)
        bank.door, qlvb.door = f"{url}/in/H33.90/bank/", ""
        a_pair(made, "H33.01-mcdt")
        write(
            made,
            "agencies/H33.01.toml",
            ONE_STOP + subscriptions("signing.completed", "payment.notified", "post.tracked"),
        )
        write(made, "agreements/MC.toml", AGREEMENT)
        for code, name, adapter, settings, contract in (
            ("H33.02", "qlvb", "qlvb_signing",
             {**qlvb.settings, "callback_url": f"{url}/in/H33.02/qlvb", "callback_names_dossier": True},
             "signing.requested"),
            ("H33.90", "bank", "payment_gateway", {**bank.settings, "get_bill": False}, "dossier.progressed"),
            ("H33.91", "post", "vnpost", {**post.settings, "poll_seconds": 0.2}, "post.ordered"),
        ):  # fmt: skip
            a_pair(made, f"{code}-{name}")
            told = toml({**settings, "to": ["H33.01"]})
            text = FAR_SIDE.format(code=code, name=name, adapter=adapter, settings=told)
            write(made, f"agencies/{code}.toml", text + subscriptions(contract))
        applied = await asyncio.to_thread(lgsp, "-C", made, "apply")
        assert applied.status == 0, applied.err
        yield Hall(made, url, qlvb, bank, post)


async def test_drafts_payments_and_orders_go_there_and_back_once_through_faults_and_a_kill(tmp_path: Path) -> None:
    codes = [f"H33.01-261123-{number:04d}" for number in range(1, MANY + 1)]
    authority = Authority(now=datetime.now(UTC))
    signed = signed_pdf(a_pdf(), authority.person(since=-900, until=-100))  # its certificate had ended already
    async with a_hall(tmp_path) as hall:
        authority.write(tmp_path / "trust")
        hall.qlvb.faults.lost = hall.bank.faults.lost = hall.post.faults.lost = 1
        hall.qlvb.faults.words = hall.post.faults.pages = hall.bank.faults.pages = 1
        hall.qlvb.twice_back = hall.bank.twice_back = hall.post.faults.twice = True
        hall.bank.bad_checksum = 1

        async def first_half(gateway: Living, bus: Bus) -> None:
            await out(hall, bus, codes)
            await until(lambda: len(hall.qlvb.drafts) == MANY and len(hall.post.orders) == MANY, gateway)
            await until(lambda: len(hall.bank.started) == MANY, gateway)
            # Half of the outcomes come back; in the middle of the rest somebody pulls the plug.
            hall.qlvb.held = True
            for outcome in ("04", "02", "01"):
                await hall.qlvb.sign("TK-0", outcome, signed)
            hall.qlvb.held, hall.qlvb.delay = False, 0.05
            assert set(await hall.qlvb.release(reverse=True)) == {200}
            for number in range(1, MANY // 2):
                assert set(await hall.qlvb.sign(f"TK-{number}", "01", signed)) == {200}
            assert set(await hall.bank.pay(codes[0])) == {401}
            assert set(await hall.bank.pay(codes[0], notice="TB-1")) == {200}
            hall.bank.as_form = True
            calls = [asyncio.ensure_future(again(hall.qlvb.sign, f"TK-{number}", "01", signed)) for number in (3, 4)]
            calls += [
                asyncio.ensure_future(again(hall.bank.pay, code, notice=f"P-{code}", amount=14_000 + number))
                for number, code in enumerate(codes[1:])
            ]
            await asyncio.sleep(0.05)
            await asyncio.to_thread(gateway.kill)
            pending.extend(calls)

        async def second_half(gateway: Living, bus: Bus) -> None:
            await asyncio.gather(*pending)
            hall.qlvb.names_nothing = True  # whose it is stands in the address that it was given
            assert set(await hall.qlvb.sign("TK-5", "03")) == {200}
            for code in codes:
                hall.post.move(f"{code}-1", "PHAT", "Phát thành công")
            expected = MANY + 2 + MANY + 2 * MANY

            async def fetched() -> bool:
                await hall.fetch(bus)
                return len(hall.got) >= expected

            await until(fetched, gateway)
            await asyncio.sleep(0.5)  # what would come a second time has its chance
            await hall.fetch(bus)
            findings.update(await found_in(hall, bus, hashlib.sha256(signed).hexdigest()))

        findings: dict[str, Any] = {}
        pending: list[asyncio.Future[None]] = []
        await hall.running(first_half)
        await hall.running(second_half)

        # Whoever gets the result is told what its signature is worth; it is not held back.
        assert (findings["verdict"], findings["kind"]) == ("expired", "pdf")
        check(hall, codes, hashlib.sha256(signed).hexdigest())


def check(hall: Hall, codes: list[str], signed: str) -> None:
    """Everything once."""
    outcomes = Counter((data["requestId"], data["outcome"]) for data in hall.of("signing.completed"))
    others = {("TK-0", "signed"): 1, ("TK-0", "trace"): 1, ("TK-5", "rejected"): 1}
    assert outcomes == {**{(f"TK-{number}", "issued"): 1 for number in range(MANY - 1)}, **others}
    (paper, *_) = [
        data["document"]["attachments"][0] for data in hall.of("signing.completed") if data["outcome"] == "issued"
    ]
    assert paper["file"]["sha256"] == signed
    paid = Counter((data["dossierCode"], data["noticeId"]) for data in hall.of("payment.notified"))
    assert paid == {(codes[0], "TB-1"): 1, **{(code, f"P-{code}"): 1 for code in codes[1:]}}
    notices = {data["dossierCode"]: data for data in hall.of("payment.notified")}
    assert notices[codes[0]]["status"]["code"] == 4
    assert notices[codes[1]]["ext"] == {"payment_gateway": {"amountMismatch": {"charged": 15_000}}}
    assert "status" not in notices[codes[1]]
    moves = Counter((data["orderNumber"], data["event"]["code"]) for data in hall.of("post.tracked"))
    assert moves == {(f"{code}-1", event): 1 for code in codes for event in ("MOI", "PHAT")}
    assert [order.times for order in hall.post.orders.values()] == [1] * MANY


async def out(hall: Hall, bus: Bus, codes: list[str]) -> None:
    """What the one-stop asks of the three."""
    draft = b"%PDF-1.7 a draft"
    content = InMemory(draft)
    token = await bus.token(hall.signer, "H33.01/mcdt")
    assert await Upload(bus, token, content, "application/pdf").sent(tries=3)
    file = {"name": "a.pdf", "mediaType": "application/pdf", "size": content.size, "sha256": content.sha256}
    somebody = {"name": "Nguyễn Văn Mẫu", "address": "Số 1 đường Mẫu"}
    at, before = ((datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="seconds") for ago in (60, 3600))
    for code in codes[:2]:
        await hall.send(bus, "dossier.registered", code, {
            "dossierCode": code, "procedure": {"code": "1.004199"}, "agency": {"code": "H33.01"},
            "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}, "status": {"code": 4, "at": before},
        })  # fmt: skip
    for number, code in enumerate(codes):
        await hall.send(bus, "signing.requested", code, {
            "dossierCode": code, "requestId": f"TK-{number}", "title": "Hồ sơ mẫu",
            "draft": {"abstract": "Dự thảo", "attachments": [{"name": "a.pdf", "file": file}]},
        })  # fmt: skip
        await hall.send(bus, "post.ordered", f"{code}-1", {
            "dossierCode": code, "orderNumber": f"{code}-1", "kind": "result", "sender": somebody,
            "receiver": somebody,
        })  # fmt: skip
        await hall.send(bus, "dossier.progressed", code, {
            "dossierCode": code, "at": at, "status": {"code": 6, "at": at},
            "charges": {"fees": [{"name": "Lệ phí", "amount": 15_000}]},
        })  # fmt: skip


async def found_in(hall: Hall, bus: Bus, sha256: str) -> dict[str, Any]:
    """What the bus found when it looked at the signatures of a file."""
    token = await bus.token(hall.signer, "H33.01/mcdt")
    path, fields = f"{hall.url}/v1/files/{sha256}/findings", {"Authorization": f"Bearer {token}"}
    async with bus.session.get(path, headers=fields) as answer:
        told: dict[str, Any] = await answer.json()
        return told


async def again(call: Callable[..., Awaitable[list[int]]], *arguments: Any, **named: Any) -> None:
    """As software that repeats what was not answered with a yes."""
    while True:
        with suppress(aiohttp.ClientError, OSError, ValueError):
            if set(await call(*arguments, **named)) == {200}:
                return
        await asyncio.sleep(0.05)


async def until(is_so: Callable[[], Any], gateway: Living, seconds: float = 30) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while True:
        found = is_so()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert gateway.process.poll() is None, "".join(gateway.log[-20:])
        assert asyncio.get_running_loop().time() < end, "".join(gateway.log[-20:])
        await asyncio.sleep(0.05)
