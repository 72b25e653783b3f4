"""A small province on disk, and the real program serving it: started, killed and started again as its own process."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.client.identity import read_signer
from gateway.config.keys import self_signed
from gateway.core import jws
from gateway.core.directory import read_certificate
from gateway.core.receipt import TYP
from gateway.core.strictjson import parse_strict
from tests.kill.nursery import Forked, Nursery

GATEWAY: Final = "H33.14/lgsp"
#: Seals for itself and pulls what became of its messages.
SENDER: Final = "H33.05/dms"
#: Drops files into a folder; the bus fetches them and seals for it.
FOLDER: Final = "H33.50/vanthu"
#: One reads the sender's own version, the other a translation.
PUSHED: Final = ("H33.16/dms", "H33.30/dms")
PULLED: Final = "H33.20/dms"
#: Never asks for its deliveries, so those that may expire do.
ASLEEP: Final = "H33.40/dms"
#: Below the ports that the system gives to outgoing connections, one of which could sit on ours between two lives.
_PORTS: Final = range(20_000, 30_000)
_PROGRAM: Final = (sys.executable, "-m", "gateway")
_ROOT: Final = Path(__file__).resolve().parents[2]
#: The store that ``lgsp init`` chooses.
EMBEDDED: Final = "sqlite:var/lgsp.db"
_EXCHANGE: Final = "exchange"
_RETRY: Final = 'retry = { first = "100ms", factor = 1, cap = "100ms" }'

_AGREEMENT: Final = """\
id = "VB"
title = "Trao đổi văn bản điện tử"
basis = "QĐ 28/2018/QĐ-TTg"
purpose = "van-ban"
from = ["*"]
to = ["*"]
contracts = ["document.*"]
valid_from = 2018-09-06
valid_until = 2090-12-31
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A province that was applied once. Rounds serve copies of it, one at a time, as the ports are the same."""

    folder: Path
    port: int
    sink_port: int
    #: Where lives begin from; None: each reads the program anew.
    nursery: Nursery | None = None

    @classmethod
    def made(cls, folder: Path, store: str = EMBEDDED) -> Template:
        """``lgsp init``, agencies, an agreement, keys, ``lgsp apply`` to the store at this URL."""
        port, sink_port = free_port(), free_port()
        lgsp("init", str(folder), "--system", GATEWAY)
        settings = folder / "lgsp.toml"
        settings.write_text(settings.read_text("utf-8").replace("127.0.0.1:8600", f"127.0.0.1:{port}"), "utf-8")
        move_store(folder, EMBEDDED, store)
        (folder / "agreements/VB.toml").write_text(_AGREEMENT, "utf-8")
        for name, lines in _systems(sink_port).items():
            code, _, system = name.partition("/")
            (folder / f"agencies/{code}.toml").write_text(
                f'code = "{code}"\nname = "Cơ quan {code}"\nlevel = "province"\nparent = "H33"\n'
                f'[[systems]]\nname = "{system}"\n' + "\n".join(lines) + "\n",
                "utf-8",
            )
            if name != FOLDER:
                _write_pair(folder / "keys", name)
        for each in ("outbox", "inbox"):
            (folder / _EXCHANGE / each).mkdir(parents=True)
        lgsp("-C", str(folder), "apply")
        return cls(folder, port, sink_port)

    def copied(self, folder: Path) -> Province:
        """A province of its own, not served yet."""
        shutil.copytree(self.folder, folder)
        return Province(folder, self.port, self.sink_port, self.nursery)


def _systems(sink_port: int) -> Mapping[str, list[str]]:
    def wants(contract: str, version: str, *more: str) -> list[str]:
        return ["[[systems.subscriptions]]", f'contract = "{contract}"', f'version = "{version}"', *more]

    def certificate(name: str) -> str:
        return f'certificates = ["keys/{name.replace("/", "-")}.crt"]'

    found: dict[str, list[str]] = {
        SENDER: [
            'adapter = "inbox"',
            certificate(SENDER),
            *wants("receipt.delivered", "1.0"),
            *wants("receipt.expired", "1.0"),
        ],
        PULLED: ['adapter = "inbox"', certificate(PULLED), *wants("document.issued", "1.0")],
        ASLEEP: ['adapter = "inbox"', certificate(ASLEEP), *wants("document.issued", "1.0")],
    }
    settings = f'outbox = "{_EXCHANGE}/outbox", inbox = "{_EXCHANGE}/inbox"'
    found[FOLDER] = [
        'adapter = "edxml_folder"',
        'sealing = "gateway"',
        f'key = "keys/{FOLDER.replace("/", "-")}.pem"',
        f'settings = {{ {settings}, confidentiality = "none", settle_seconds = 0 }}',
        *wants("receipt.delivered", "1.0"),
    ]
    for name, version in zip(PUSHED, ("1.0", "2.0"), strict=True):
        found[name] = [
            'adapter = "webhook"',
            certificate(name),
            f'settings = {{ url = "http://127.0.0.1:{sink_port}/{name}" }}',
            *wants("document.issued", version, _RETRY),
        ]
    return found


def _write_pair(keys: Path, name: str) -> None:
    key = Ed25519PrivateKey.generate()
    stem = name.replace("/", "-")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (keys / f"{stem}.pem").write_bytes(pem)
    (keys / f"{stem}.crt").write_bytes(self_signed(key, name))


@dataclass(slots=True)
class Province:
    """A province folder and the one process that serves it. Ends only processes that it started."""

    folder: Path
    port: int
    sink_port: int
    nursery: Nursery | None = None
    lives: int = 0
    _process: asyncio.subprocess.Process | Forked | None = field(default=None)

    @property
    def pid(self) -> int:
        """The process of this life."""
        if self._process is None:
            raise LookupError("no life has begun")
        return self._process.pid

    @property
    def url(self) -> str:
        """Where agencies call."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def exchange(self) -> Path:
        """The folders of the system that cannot call."""
        return self.folder / _EXCHANGE

    async def start(self, kill_at: str | None = None) -> None:
        """Begin a life, to end at ``NAME:COUNT`` where that is given. Does not wait until it listens."""
        self.lives += 1
        armed = {} if kill_at is None else {"LGSP_KILL_AT": kill_at}
        if self.nursery is not None:
            arguments = ("-C", str(self.folder), "serve")
            self._process = await self.nursery.begin(arguments, self._log(self.lives), armed)
            return
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LGSP_")}
        environment.update(armed)
        with self._log(self.lives).open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *_PROGRAM, "-C", str(self.folder), "serve", cwd=_ROOT, env=environment, stdout=log, stderr=log
            )

    async def ended(self, within: float) -> int | None:
        """How the life ended (the negative number of a signal); None where it goes on after ``within`` seconds."""
        if self._process is None:
            return None
        try:
            async with asyncio.timeout(within):
                return await self._process.wait()
        except TimeoutError:
            return None

    def kill(self) -> None:
        """End the life at once, as a power cut would; nothing where it has ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> int | None:
        """Ask the life to end in good order; answers its exit status."""
        if self._process is None or self._process.returncode is not None:
            return None
        self._process.send_signal(signal.SIGTERM)
        return await self.ended(20.0)

    def last_words(self) -> str:
        """The end of what the last lives logged, for whoever must find out why a test failed."""
        logs = [self._log(life) for life in (self.lives - 1, self.lives) if life > 0]
        return "\n".join(f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-1500:]}" for log in logs)

    def signer(self, system: str) -> jws.Signer:
        """The key of an agency's system."""
        stem = self.folder / "keys" / system.replace("/", "-")
        return read_signer(stem.with_name(f"{stem.name}.pem"), stem.with_name(f"{stem.name}.crt"))

    def said_by_gateway(self, compact: str, typ: str = TYP) -> Mapping[str, Any] | None:
        """The payload of what the gateway signed as ``typ``; None where the signature does not hold."""
        certificate = read_certificate((self.folder / "keys/gateway.crt").read_text("utf-8"))
        try:
            taken_apart = jws.split(compact.encode())
            payload = parse_strict(taken_apart.payload)
        except ValueError:
            return None
        header = taken_apart.header
        sound = header.typ == typ and jws.fits(header.alg, certificate.key) and jws.verify(certificate.key, taken_apart)
        return payload if sound and isinstance(payload, dict) else None

    def _log(self, life: int) -> Path:
        return self.folder / f"var/life-{life}.log"


def move_store(folder: Path, old: str, new: str) -> None:
    """Let the province in ``folder`` use the store at ``new``; raises LookupError where ``old`` is not its store."""
    settings = folder / "lgsp.toml"
    text = settings.read_text("utf-8")
    if f'url = "{old}"' not in text:
        raise LookupError(f"{settings} names another store")
    settings.write_text(text.replace(f'url = "{old}"', f'url = "{new}"'), "utf-8")


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


def lgsp(*arguments: str) -> None:
    """Run one command line as its own process; raises RuntimeError where it fails."""
    done = subprocess.run([*_PROGRAM, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"lgsp {' '.join(arguments)}: {done.stdout}{done.stderr}")
