"""Software in small, up while the province is: behind lines as bad as wished, with faults switched on by name."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_args

from gateway.cli.mocked.plan import Placed
from gateway.client.link import FaultyLink
from gateway.client.weather import Profile, a_bad_line
from gateway.core.faults import Misconfigured, Text

_ADDRESS: Final = re.compile(r"\b(127\.0\.0\.1|localhost):([0-9]{2,5})\b")
#: Where a stand-in's switches are, in the order in which a name is looked for.
_PANELS: Final = ("faults", "manners", "habits", "")
_SWITCHES: Final = (bool, int, float, str, list, set, type(None))


@dataclass(slots=True)
class Standing:
    """One system's software in small. ``settings``: what the bus has to know of it, by way of its line."""

    placed: Placed
    software: Any
    settings: dict[str, Any]
    profile: Profile | None = None
    lines: list[FaultyLink] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What people call it: its adapter's name."""
        return self.placed.adapter

    @property
    def url(self) -> str:
        """Where the bus reaches it: an address, or a folder."""
        written = [*_texts(self.settings)]
        if addresses := [value for value in written if "://" in value]:
            return addresses[0]
        if "port" in self.settings:
            return f"{self.settings.get('host', '127.0.0.1')}:{self.settings['port']}"
        return next((value for value in written if value.startswith("/")), "")

    def switch(self, name: str, value: str) -> None:
        """Switch a fault on; raises Misconfigured listing those there are."""
        for panel in _PANELS:
            owner = getattr(self.software, panel, None) if panel else self.software
            if owner is not None and name in _switches(owner):
                setattr(owner, name, _read(getattr(owner, name), value))
                return
        if (script := getattr(getattr(self.software, "faults", None), "once", None)) is not None:
            script(name, self._fault(value))
            return
        listed = sorted({each for panel in _PANELS for each in _switches(getattr(self.software, panel or "_", None))})
        listed += _switches(self.software)
        raise Misconfigured(
            f"--fault {self.name}.{name}",
            Text("Không có lỗi này", "There is no such fault"),
            Text(f"Chọn một trong: {', '.join(listed)}.", f"One of: {', '.join(listed)}."),
        )

    def _fault(self, text: str) -> Any:
        """A fault that strikes once, as KIND or KIND:VALUE; raises Misconfigured listing the kinds."""
        home = sys.modules[type(self.software.faults).__module__]
        kind, _, value = text.partition(":")
        kinds: Sequence[str] = get_args(getattr(home, "Kind", None)) or tuple(getattr(home, "FAULTS", ()))
        if kinds and kind not in kinds:
            raise Misconfigured(
                f"--fault {self.name}…={text}",
                Text("Không có lỗi này", "There is no such fault"),
                Text(f"Chọn một trong: {', '.join(kinds)}.", f"One of: {', '.join(kinds)}."),
            )
        read = int(value) if value.isdigit() else value
        return home.Fault(kind, read) if value else home.Fault(kind)


@contextlib.asynccontextmanager
async def standing(
    placed: Placed, folder: Path, kind: Any, profile: Profile | None, seed: int
) -> AsyncIterator[Standing]:
    """One system's software, up for the length of a ``with`` block; its secrets lie in ``folder``."""
    async with AsyncExitStack() as stack:
        software = await stack.enter_async_context(kind.agency(folder))
        made = Standing(placed, software, dict(software.settings), profile)
        if profile is not None:
            ports: dict[int, int] = {}
            for port in sorted(_ports(made.settings)):
                link = await stack.enter_async_context(a_bad_line("127.0.0.1", port, profile, seed + len(ports)))
                made.lines.append(link)
                ports[port] = link.port
            made.settings = _moved(made.settings, ports)
            if isinstance(base := getattr(software, "base", None), str):
                software.base = _moved(base, ports)  # files are fetched over the same line
        yield made


def needs_server(kind: Any) -> bool:
    """Whether a stand-in needs a server that is not part of it."""
    wanted = list(inspect.signature(kind.agency).parameters.values())[1:]
    return any(each.default is inspect.Parameter.empty for each in wanted)


def _switches(owner: Any) -> list[str]:
    """Names of what may be switched: plain members of plain values, none of them private."""
    if not dataclasses.is_dataclass(owner):
        return []
    members = [each.name for each in dataclasses.fields(owner) if not each.name.startswith("_")]
    return [name for name in members if isinstance(getattr(owner, name, object()), _SWITCHES)]


def _read(known: Any, value: str) -> Any:
    """``value`` as what stands there now is written."""
    try:
        if isinstance(known, bool):
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[value.lower()]
        if isinstance(known, int | float):
            return type(known)(value)
    except (KeyError, ValueError):
        raise Misconfigured(
            f"--fault …={value}",
            Text("Giá trị không dùng được", "The value cannot be used"),
            Text(f"Ghi như giá trị hiện nay: {known}.", f"Write it as the present one: {known}."),
        ) from None
    if isinstance(known, list):
        return value.split("+")
    return set(value.split("+")) if isinstance(known, set) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _ports(settings: Mapping[str, Any]) -> set[int]:
    found = {int(match[2]) for text in _texts(settings) for match in _ADDRESS.finditer(text)}
    return found | ({settings["port"]} if isinstance(settings.get("port"), int) else set())


def _moved(value: Any, ports: Mapping[int, int]) -> Any:
    """The settings with lines' ports in place of those behind them."""
    if isinstance(value, str):
        return _ADDRESS.sub(lambda match: f"{match[1]}:{ports.get(int(match[2]), match[2])}", value)
    if isinstance(value, Mapping):
        moved = {name: _moved(each, ports) for name, each in value.items()}
        return moved | ({"port": ports[value["port"]]} if value.get("port") in ports else {})
    if isinstance(value, list | tuple):
        return [_moved(each, ports) for each in value]
    return value
