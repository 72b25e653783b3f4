"""The stage of a bench: a temporary province, the real ``lgsp serve`` over it, and its offices, each a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.cli.bench.mail import ASLEEP, CONTRACT, RECIPIENTS, SENDER, VERSION
from gateway.cli.bench.usage import cpu_seconds, resident_bytes
from gateway.cli.founding import found_province
from gateway.compose import failures_and_replays, open_ledger
from gateway.config.keys import new_key_pem, read_key, self_signed, write_new
from gateway.config.settings import Settings, read_settings
from gateway.core.faults import Misconfigured, Text

_ROOT: Final = Path(__file__).resolve().parents[3]
_START_LIMIT: Final = 30.0
_STOP_LIMIT: Final = 20.0

_AGREEMENT: Final = """\
id = "VB-2018"
title = "Trao đổi văn bản điện tử"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["H33.*"]
to = ["H33.*"]
contracts = ["document.*"]
valid_from = 2018-09-06
valid_until = 2090-12-31
"""
_AGENCY: Final = """\
code = "{code}"
name = "Cơ quan {code}"
level = "province"
parent = "H33"
[[systems]]
name = "dms"
"""
_SENDER: Final = 'adapter = "inbox"\ncertificates = ["keys/H33.05-dms.crt"]\n'
_RECIPIENT: Final = """\
adapter = "webhook"
settings = {{ url = "http://127.0.0.1:{port}/inbox" }}
[[systems.subscriptions]]
contract = "{contract}"
version = "{version}"
retry = {{ first = "1s", factor = 1, cap = "1s", deadline = "14d" }}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a province is served: by how many processes, over which store and broker (URLs; without, as founded)."""

    workers: int = 1
    store: str | None = None
    broker: str | None = None

    def written(self, toml: str) -> str:
        """The settings ``toml`` of a new province, with this store and this broker."""
        for old, new in (("sqlite:var/lgsp.db", self.store), ("local", self.broker)):
            toml = toml if new is None else toml.replace(f'url = "{old}"', f'url = "{new}"')
        return toml


@dataclass(slots=True)
class Province:
    """A province folder and the gateway that serves it, once it is started; ends only what it began."""

    folder: Path
    port: int
    settings: Settings
    workers: int = 1
    started_in: float = 0.0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The gateway's process."""
        if self._process is None:
            raise ValueError("the gateway is not running")
        return self._process.pid

    @property
    def webhook_key(self) -> str:
        """The public half of the gateway's webhook key: 32 bytes in hex."""
        key = read_key(self.folder / "keys" / "webhook.pem", "keys/webhook.pem")
        public = key.public_key()
        return public.public_bytes_raw().hex() if hasattr(public, "public_bytes_raw") else ""

    def start(self) -> float:
        """Serve; answers the seconds from the start of the program to the first connection that it takes."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LGSP_")}
        with (self.folder / "var" / "serve.log").open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "-C", str(self.folder), "serve", "--workers", str(self.workers)],
                cwd=_ROOT, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        while time.perf_counter() - began < _START_LIMIT and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                self.started_in = time.perf_counter() - began
                return self.started_in
            time.sleep(0.005)
        raise Misconfigured(
            str(self.folder / "var" / "serve.log"),
            Text("Trục không khởi động được", "The gateway did not start"),
            Text("Xem nhật ký nêu trên.", "See the log named above."),
        )

    def stop(self) -> None:
        """End the gateway; safe to repeat."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        return cpu_seconds(self.pid)

    def resident(self) -> int:
        """Bytes of memory that all its processes hold."""
        return resident_bytes(self.pid)

    def undelivered(self, recipient: str | None = None) -> int:
        """Deliveries that have not ended: of one recipient, or of all but the office that is shut."""
        return asyncio.run(self._undelivered(recipient))

    async def _undelivered(self, recipient: str | None) -> int:
        ledger = open_ledger(self.settings)
        await ledger.open()
        try:
            backlog = await failures_and_replays(ledger)[0].backlog()
        finally:
            await ledger.close()
        return sum(
            count
            for name, states in backlog.items()
            if (name == recipient if recipient else name != ASLEEP)
            for state, count in states.items()
            if state != "dead"
        )

    def settled(self, limit: float, recipient: str | None = None) -> bool:
        """Wait until every end of a delivery is on disk, at most ``limit`` seconds."""
        end = time.monotonic() + limit
        while self.undelivered(recipient):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: One process, one file.
EMBEDDED: Final = Shape()


@contextlib.contextmanager
def province(sink_port: int, asleep_port: int, shape: Shape = EMBEDDED) -> Iterator[Province]:
    """A province in a temporary folder for the length of a ``with`` block: not applied, not started."""
    base = Path(tempfile.mkdtemp(prefix="lgsp-bench-"))
    try:
        folder = base / "tinh"
        found_province(folder, "H33.14/lgsp")
        port = free_port()
        toml = folder / "lgsp.toml"
        toml.write_text(shape.written(toml.read_text("utf-8").replace("8600", str(port))), "utf-8")
        (folder / "agreements" / "VB-2018.toml").write_text(_AGREEMENT, "utf-8")
        _agency(folder, SENDER, _SENDER)
        for name in (*RECIPIENTS, ASLEEP):
            at = asleep_port if name == ASLEEP else sink_port
            _agency(folder, name, _RECIPIENT.format(port=at, contract=CONTRACT, version=VERSION))
        key, pem = new_key_pem()
        write_new(folder / "keys" / "H33.05-dms.pem", pem, mode=0o600)
        write_new(folder / "keys" / "H33.05-dms.crt", self_signed(key, SENDER), mode=0o644)
        made = Province(folder, port, read_settings(folder, {}), shape.workers)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _agency(folder: Path, system: str, lines: str) -> None:
    code = system.partition("/")[0]
    (folder / "agencies" / f"{code}.toml").write_text(_AGENCY.format(code=code) + lines, "utf-8")
