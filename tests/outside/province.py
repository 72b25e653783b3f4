"""A province folder as an operator makes it: `lgsp init`, a few lines changed, agencies, agreements, apply, serve."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.outside.client import Bus, Identity, Seat, eventually, identity

LGSP = Path(sys.executable).with_name("lgsp")
GATEWAY = "H33.14/lgsp"
NOTE: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string", "maxLength": 2000000},
        "count": {"type": "integer", "minimum": 0},
        "day": {"type": "string", "format": "date"},
    },
}


def lgsp(*arguments: object, cwd: Path | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """One run of the program; its environment says nothing about any province."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LGSP")}
    command = [str(LGSP), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=timeout, check=False)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_name(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def wants(contract: str, **members: Any) -> dict[str, Any]:
    """A subscription to NAME/MAJOR.MINOR."""
    name, version = contract.split("/")
    return {"contract": name, "version": version, **members}


OUTCOMES = [wants(f"receipt.{kind}/1.0") for kind in ("delivered", "refused", "expired", "discarded")]


class Province:
    """A folder, the keys of its agencies, and the gateway that serves it."""

    def __init__(self, folder: Path) -> None:
        made = lgsp("init", folder)
        assert made.returncode == 0, made
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.bus = Bus(self.url)
        self.change('listen = "127.0.0.1:8600"', f'listen = "127.0.0.1:{self.port}"')
        self.change('public_url = "http://127.0.0.1:8600"', f'public_url = "{self.url}"')
        self.seats: dict[str, Seat] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder.with_suffix(".log")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def change(self, old: str, new: str) -> None:
        """Replace one line of lgsp.toml."""
        path = self.folder / "lgsp.toml"
        text = path.read_text()
        assert text.count(f"\n{old}") == 1, f"{old!r} in {text}"
        path.write_text(text.replace(f"\n{old}", f"\n{new}"))

    def write(self, path: str, content: str | bytes) -> Path:
        """A file of the folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def agency(self, code: str, *systems: Mapping[str, Any], **members: Any) -> None:
        """``agencies/CODE.toml``; a system is its keys, with ``settings`` and ``subscriptions`` as tables."""
        head = {"code": code, "name": f"Cơ quan {code}", "level": "province", "parent": "H33"} | members
        lines = [f"{key} = {toml(value)}" for key, value in head.items() if value is not None]
        for system in systems:
            lines += ["", "[[systems]]"]
            tables = ("settings", "subscriptions", "provides")
            lines += [f"{key} = {toml(value)}" for key, value in system.items() if key not in tables]
            if system.get("settings"):
                lines += ["[systems.settings]", *(f"{k} = {toml(v)}" for k, v in system["settings"].items())]
            for one in system.get("provides", ()):
                lines += ["[[systems.provides]]", *(f"{k} = {toml(v)}" for k, v in one.items())]
            for one in system.get("subscriptions", ()):
                lines += ["[[systems.subscriptions]]", *(f"{k} = {toml(v)}" for k, v in one.items())]
        self.write(f"agencies/{code}.toml", "\n".join(lines) + "\n")

    def system(self, name: str, *subscriptions: Mapping[str, Any], **members: Any) -> dict[str, Any]:
        """One system CODE/NAME with a new certificate (``who``, ``kind``), for :meth:`agency`."""
        who: Identity = members.pop("who", None) or identity(name, members.pop("kind", "ed25519"))
        stem = name.replace("/", "-")
        self.write(f"keys/{stem}.crt", who.certificate_pem)
        self.write(f"keys/{stem}.pem", who.key_pem)
        self.seats[name] = Seat(self.bus, who)
        plain = {"name": name.split("/")[1], "adapter": "inbox", "certificates": [f"keys/{stem}.crt"]}
        return plain | {"subscriptions": list(subscriptions)} | members

    def one(self, name: str, *subscriptions: Mapping[str, Any], **members: Any) -> Seat:
        """An agency with this one system."""
        about = {key: members.pop(key) for key in ("aliases", "parent", "level") if key in members}
        self.agency(name.split("/", maxsplit=1)[0], self.system(name, *subscriptions, **members), **about)
        return self.seats[name]

    def agreement(self, identifier: str = "TT-01", **members: Any) -> None:
        """``agreements/ID.toml``: everyone may send everything, unless said otherwise."""
        plain = {
            "id": identifier,
            "title": "Trao đổi văn bản điện tử",
            "basis": "QĐ 28/2018/QĐ-TTg",
            "purpose": "van-ban",
            "from": ["*"],
            "to": ["*"],
            "contracts": ["*"],
            "valid_from": "2018-09-06",
            "valid_until": "2090-12-31",
        } | members
        text = "".join(f"{key} = {toml(value)}\n" for key, value in plain.items() if value is not None)
        self.write(f"agreements/{identifier}.toml", text)

    def contract(self, name: str, versions: Mapping[str, Mapping[str, Any]] | None = None, **members: Any) -> None:
        """``contracts/NAME``: a note in version 1.0, unless said otherwise."""
        titles = {"vi": f"Phiếu {name}", "en": f"Note {name}"}
        about = {"title": titles, "owner": "H33.14", "kind": "message", "ordering": "subject", "personal": False}
        text = "".join(f"{key} = {toml(value)}\n" for key, value in (about | members).items())
        self.write(f"contracts/{name}/contract.toml", text)
        for version, files in (versions or {"1.0": {}}).items():
            plain: dict[str, Any] = {
                "schema.json": NOTE,
                "examples/good/plain.json": {"text": "Thông báo"},
                "examples/bad/no-text.required.json": {"count": 1},
            }
            for path, content in (plain | dict(files)).items():
                if content is not None:
                    self.write(f"contracts/{name}/{version}/{path}", json.dumps(content, ensure_ascii=False))

    def run(self, *arguments: object, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        """One command on this folder; by default it must succeed."""
        done = lgsp("-C", self.folder, *arguments)
        assert status is None or done.returncode == status, done
        return done

    def apply(self) -> None:
        """Make the registry equal to the folder."""
        self.run("apply")

    def serve(self) -> Self:
        """Start the gateway and wait until it is ready."""
        with self._log.open("ab") as log:
            command = [str(LGSP), "-C", str(self.folder), "serve"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while True:
            try:
                if self.bus.get("/health/ready").status == 200:
                    return self
            except OSError:
                pass
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """Of the gateway that serves."""
        assert self._process is not None
        return self._process.pid

    def stop(self, within: float = 15) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(within)
        self._process = None
        return status

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(15)
        self._process = None

    def log(self) -> str:
        """What the gateway wrote so far."""
        return self._log.read_text(errors="replace")

    def operator(self, role: str = "operator") -> str:
        """A new operator's bearer token, as soon as a running gateway has noticed it."""
        done = self.run("operator", "add", f"mau-{role}-{time.monotonic_ns()}", "--role", role, "--json")
        token = str(json.loads(done.stdout)["token"])
        eventually(lambda: self.bus.get("/v1/contracts", token).status == 200, within=3)
        return token
