"""Who stands where: the province folder to try things with, read as data, and written out as one that works."""

from __future__ import annotations

import json
import re
import secrets
import socket
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.cli.applying import apply_folder
from gateway.cli.founding import found_province
from gateway.compose import built_in_catalog, open_ledger
from gateway.config.keys import new_key_pem, self_signed, write_new
from gateway.config.settings import FILE, read_settings
from gateway.core.faults import Misconfigured, Text

SYSTEM: Final = "H33.14/lgsp"
#: Says that a province folder was made here and may be made over.
MARK: Final = "var/mock-province"
#: Where software stands that has no place of its own.
ELSEWHERE: Final = "H33.99"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Placed:
    """One system of the plan: its agency's members and its own, as written."""

    agency: Mapping[str, Any]
    members: Mapping[str, Any]

    @property
    def system(self) -> str:
        """Its full name."""
        return f"{self.agency['code']}/{self.members['name']}"

    @property
    def adapter(self) -> str:
        """Its adapter's name."""
        return str(self.members["adapter"])

    @property
    def names(self) -> frozenset[str]:
        """What it may be called where lines and faults are wished for: adapter, system, agency, level of agency."""
        return frozenset({self.adapter, self.system, self.agency["code"], self.agency["level"]})


def read_plan(folder: Path) -> list[Placed]:
    """Every system of the plan; raises Misconfigured where it is not there."""
    files = sorted((folder / "agencies").glob("*.toml"))
    if not files:
        raise Misconfigured(
            str(folder),
            Text("Không có tỉnh thử nghiệm", "The province to try things with is not there"),
            Text("Hãy chạy từ mã nguồn đầy đủ.", "Run from a complete checkout."),
        )
    agencies = [tomllib.loads(file.read_text("utf-8")) for file in files]
    return [Placed(agency, system) for agency in agencies for system in agency.get("systems", [])]


def placed_elsewhere(adapter: str) -> Placed:
    """A place for software that has none in the plan."""
    agency = {"code": ELSEWHERE, "name": "Cơ quan thử nghiệm", "level": "province", "parent": "H33"}
    key = f"keys/{ELSEWHERE}-{adapter}.pem"
    return Placed(agency, {"name": adapter.replace("_", "-"), "adapter": adapter, "sealing": "gateway", "key": key})


def check_writable(folder: Path) -> None:
    """Raises Misconfigured where the folder holds a province that was not made here."""
    if (folder / FILE).exists() and not (folder / MARK).exists():
        raise Misconfigured(
            str(folder),
            Text("Đây là một tỉnh có thật", "This is a province that was not made here"),
            Text("Hãy chọn một thư mục khác cho --write.", "Choose another folder for --write."),
        )


def found(folder: Path, port: int) -> None:
    """A new province folder whose gateway listens at ``port`` (0: a free one); one made here before stays as it is."""
    check_writable(folder)
    if (folder / FILE).exists():
        return
    found_province(folder, SYSTEM)
    settings = folder / FILE
    settings.write_text(settings.read_text("utf-8").replace("8600", str(port or _free_port())), "utf-8")
    (folder / MARK).write_text("lgsp mock province\n", "utf-8")


def next_run(folder: Path) -> int:
    """The number of this run in a folder: each has dossiers of its own, since the bus knows those of the last one."""
    mark = folder / MARK
    with mark.open("a", encoding="utf-8") as file:
        file.write("run\n")
    return mark.read_text("utf-8").splitlines().count("run")


async def write(folder: Path, plan: Path, systems: Iterable[tuple[Placed, Mapping[str, Any]]]) -> str:
    """Write agencies with these systems and their settings, and the agreements; put it in force. The bus' address."""
    contracts = built_in_catalog().names()
    by_code: dict[str, tuple[Mapping[str, Any], list[dict[str, Any]]]] = {}
    for placed, settings in systems:
        members = dict(placed.members)
        members["settings"] = {**settings, **members.get("settings", {})}
        wanted = members.get("subscriptions", [])
        members["subscriptions"] = [each for each in wanted if each["contract"] in contracts]
        by_code.setdefault(placed.agency["code"], (placed.agency, []))[1].append(members)
        for certificate in members.get("certificates", []):
            _pair(folder / certificate, placed.system)
        if "secret_file" in members and not (folder / members["secret_file"]).exists():
            write_new(folder / members["secret_file"], f"{secrets.token_hex(16)}\n".encode(), mode=0o600)
    for file in (folder / "agencies").glob("*.toml"):
        file.unlink()
    for code, (agency, listed) in by_code.items():
        (folder / "agencies" / f"{code}.toml").write_text(_agency(agency, listed), "utf-8")
    for file in sorted((plan / "agreements").glob("*.toml")):
        (folder / "agreements" / file.name).write_bytes(file.read_bytes())
    in_force = read_settings(folder)
    ledger = open_ledger(in_force)
    await ledger.open()
    try:
        await apply_folder(ledger, in_force, actor="mock", now=time.time())
    finally:
        await ledger.close()
    return in_force.public_url


def _pair(certificate: Path, system: str) -> None:
    """A key and its certificate, where they are not there yet."""
    if not certificate.exists():
        key, pem = new_key_pem()
        write_new(certificate.with_suffix(".pem"), pem, mode=0o600)
        write_new(certificate, self_signed(key, system), mode=0o644)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _agency(agency: Mapping[str, Any], systems: list[dict[str, Any]]) -> str:
    lines = [f"{name} = {_toml(value)}" for name, value in agency.items() if name != "systems"]
    for system in systems:
        lines += ["", "[[systems]]"]
        plain = {name: value for name, value in system.items() if name not in {"settings", "subscriptions"}}
        lines += [f"{name} = {_toml(value)}" for name, value in plain.items()]
        if system["settings"]:
            lines.append("[systems.settings]")
            lines += [f"{_key(name)} = {_toml(value)}" for name, value in system["settings"].items()]
        for subscription in system["subscriptions"]:
            lines += ["[[systems.subscriptions]]", *(f"{name} = {_toml(v)}" for name, v in subscription.items())]
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(name)} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"no setting is a {type(value).__name__}")


def _key(name: str) -> str:
    return name if _PLAIN.match(name) else json.dumps(name, ensure_ascii=False)
