"""A province between a document system and the axis, three programs: nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from adapters.edxml_folder.stand_in import DocumentSystem, a_document
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage
from tests.cli.desk import ROOT, lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_province, write

LETTERS = 12
SECRET = "made up for this test"
FOLDER = """\
code = "H33.05"
aliases = ["000.00.05.H33"]
name = "Sở Tài chính"
parent = "H33"

[[systems]]
name = "dms"
adapter = "edxml_folder"
sealing = "gateway"
key = "keys/H33.05-dms.pem"

[systems.settings]
outbox = "exchange/outbox"
inbox = "exchange/inbox"
confidentiality = "none"
settle_seconds = 0
"""
AXIS = """\
code = "H33.14"
name = "Trung tâm điều hành trục"
parent = "H33"

[[systems]]
name = "axis"
adapter = "vdxp"
sealing = "gateway"
key = "keys/H33.16-dms.pem"

[systems.settings]
url = "{url}"
system_id = "00.33.W00"
secret_file = "keys/axis.secret"
confidentiality = "none"
describes_status = true
poll_seconds = 0.3
ask_after = 2
timeout = 2
file_timeout = 2
ours = ["H33", "H33.*"]
"""
SUBSCRIPTIONS = """
[[systems.subscriptions]]
contract = "document.issued"
version = "2.0"
retry = { first = "200ms", factor = 1.5, cap = "1s", deadline = "1d" }

[[systems.subscriptions]]
contract = "document.status"
version = "1.0"
retry = { first = "200ms", factor = 1.5, cap = "1s", deadline = "1d" }
"""
CARRIED = 'code = "H27.01"\nname = "Sở Y tế tỉnh bạn"\nlevel = "province"\nvia = "H33.14/axis"\n'
MINISTRY = 'code = "G22"\nname = "Văn phòng Chính phủ"\nlevel = "central"\nvia = "H33.14/axis"\n'
AGREEMENT = """\
id = "VB-TW"
title = "Trao đổi văn bản với trung ương"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["*"]
to = ["*"]
contracts = ["document.*"]
valid_from = 2018-09-06
valid_until = 2090-12-31
"""
FAULTS = (
    *["sendEdoc=lost-reply"] * 3,
    "sendEdoc=html",
    "sendEdoc=code:20",
    "sendEdoc=reset",
    "sendEdoc=slow:3",
    "sendEdoc=cut",
    "getSentEdocList=http:503",
    "getSentEdocList=cut",
    "getReceivedEdocList=html",
    "getReceivedEdocList=null-data",
    *["getEdoc=cut", "getEdoc=html", "getEdoc=code:20"],
    *["updateStatus=lost-reply"] * 3,
    "updateStatus=code:20",
)


class AxisProcess:
    """The axis in a process of its own: what it said so far, line by line."""

    def __init__(self, secret: Path, port: int, *options: str) -> None:
        self.said: list[dict[str, Any]] = []
        command = [sys.executable, "-m", "gateway", "mock", "vdxp", "--json", "--port", str(port),
                   "--secret-file", str(secret), "--agency", "H33.05", *options]  # fmt: skip
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LGSP")}
        self.process = subprocess.Popen(command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def of(self, event: str) -> list[dict[str, Any]]:
        """What it said of one kind."""
        return [line for line in list(self.said) if line["event"] == event]

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP: it hangs with its doors open, as a machine does; SIGCONT: it goes on."""
        self.process.send_signal(number)


@contextlib.contextmanager
def an_axis(secret: Path, *options: str) -> Iterator[AxisProcess]:
    made = AxisProcess(secret, 0, *options)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait(10)
        made._reader.join(10)
        assert made.process.stdout is not None
        made.process.stdout.close()


async def until(is_so: Callable[[], bool], *, seconds: float = 60, why: Callable[[], str]) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not is_so():
        assert asyncio.get_running_loop().time() < end, why()
        await asyncio.sleep(0.05)


async def a_gateway(stack: AsyncExitStack, folder: Path, url: str) -> Living:
    running = living(folder, url)
    alive = await asyncio.to_thread(running.__enter__)
    stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
    return alive


async def test_between_a_folder_and_an_axis_that_misbehaves_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    secret = folder / "keys/axis.secret"
    secret.write_text(SECRET)
    system = DocumentSystem(folder / "exchange")
    faults = [word for each in FAULTS for word in ("--fault", each)]
    with an_axis(secret, "--letters", str(LETTERS), "--to", "H33.05", "--answer", "03", *faults) as axis:
        await until(lambda: bool(axis.of("listening")), why=lambda: "the axis does not start")
        write(folder, "agencies/H33.05.toml", FOLDER + SUBSCRIPTIONS)
        (folder / "agencies/H33.16.toml").unlink()
        address = axis.of("listening")[0]["url"]
        write(folder, "agencies/H33.14.toml", AXIS.format(url=address) + SUBSCRIPTIONS)
        write(folder, "agencies/H27.01.toml", CARRIED)
        write(folder, "agencies/G22.toml", MINISTRY)
        write(folder, "agreements/VB-TW.toml", AGREEMENT)
        applied = await asyncio.to_thread(lgsp, "-C", folder, "apply")
        assert applied.status == 0, applied.err

        for number in range(LETTERS):
            # Every second one goes to two agencies by way of the axis: one document there, two receivers.
            to = ["G22", "H27.01"] if number % 2 else ["H27.01"]
            system.send(a_document(str(number), sender="H33.05", recipients=to, date="2026-11-20"), f"{number}.edxml")
        url = at_a_free_port(folder)
        async with AsyncExitStack() as stack:
            gateway = await a_gateway(stack, folder, url)
            await until(lambda: len(axis.of("taken")) >= LETTERS // 3, why=lambda: "".join(gateway.log[-30:]))
            axis.signal(signal.SIGSTOP)
            await asyncio.sleep(2.5)
            axis.signal(signal.SIGCONT)
            await until(lambda: len(axis.of("taken")) >= LETTERS // 2, why=lambda: "".join(gateway.log[-30:]))
            await asyncio.to_thread(gateway.kill)
        async with AsyncExitStack() as stack:
            gateway = await a_gateway(stack, folder, url)
            answers = LETTERS + LETTERS // 2
            everything = LETTERS + answers
            await until(
                lambda: (
                    len({line["delivery"] for line in axis.of("taken")}) >= LETTERS
                    and len(list(system.inbox.glob("*.edxml"))) >= everything
                    and len(axis.of("done")) >= everything
                ),
                why=lambda: "".join(gateway.log[-30:]) + repr(Counter(line["event"] for line in axis.said)),
            )
            await asyncio.sleep(1.5)  # what would come a second time has its chance

    assert axis.of("violation") == []
    assert axis.of("fail") == []
    taken = Counter(line["delivery"] for line in axis.of("taken"))
    assert len(taken) == LETTERS
    assert set(taken.values()) == {1}
    assert sorted(line["to"] for line in axis.of("taken")) == [["G22", "H27.01"]] * 6 + [["H27.01"]] * 6
    came = [read(path.read_bytes()) for path in system.inbox.glob("*.edxml")]
    documents = Counter(each.document_id for each in came if isinstance(each, DocumentMessage))
    assert documents == {f"G22,2026/11/23,{number}/VPCP-TTĐT": 1 for number in range(1, LETTERS + 1)}
    assert len(came) == everything
    log = "".join(gateway.log)
    assert SECRET not in log
