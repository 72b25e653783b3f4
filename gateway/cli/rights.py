"""Queues and rights of the agencies that speak AMQP: made equal to the registry, or shown as commands to be run."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.cli.management import management
from gateway.config.difference import Difference
from gateway.config.keys import is_there, write_new
from gateway.config.rows import Row
from gateway.config.settings import Settings
from gateway.config.whereabouts import LOCAL
from gateway.core.agency_queue import AgencyQueue
from gateway.core.faults import Misconfigured, Text
from gateway.core.queue_rights import Account, Act, Note, StillHolds, acts_towards

ADAPTER: Final = "amqp"
_SHORTEST: Final = 16
_LONGEST: Final = 1024


class Desk(NamedTuple):
    """One registered system that speaks AMQP: its queue, and the file of its password."""

    queue: AgencyQueue
    password: Path


@dataclass(frozen=True, slots=True)
class Granted:
    """What was done at the broker, or would be; ``passwords`` are files made, or to be made, for their systems."""

    desks: tuple[Desk, ...] = ()
    acts: tuple[Act, ...] = ()
    notes: tuple[Note, ...] = ()
    passwords: tuple[Desk, ...] = ()
    is_done: bool = False
    #: Systems that are gone, where RabbitMQ is not to be asked.
    gone: tuple[AgencyQueue, ...] = ()
    #: Why RabbitMQ could not be brought up to the registry, which is in force already.
    fault: Misconfigured | None = field(default=None, compare=False)


def desks_of(settings: Settings, rows: Iterable[Row]) -> tuple[Desk, ...]:
    """The systems that speak AMQP among the rows; raises Misconfigured where the bus has no RabbitMQ for them."""
    found: list[Desk] = []
    owners: dict[Path, str] = {}
    for name, system in sorted(_systems(rows)):
        values: Mapping[str, Any] = system.get("settings", {})
        written = values.get("password_file") or f"keys/{name.replace('/', '-')}.amqp"
        desk = Desk(AgencyQueue(name, settles=values.get("acknowledge") == "receipt"), settings.folder / written)
        first = owners.setdefault(desk.password, name)
        if first != name:
            raise Misconfigured(
                f"{name}: settings.password_file",
                Text(f"Tệp này là mật khẩu của {first}", f"This file is the password of {first}"),
                Text("Mỗi hệ thống cần một mật khẩu riêng.", "Each system needs a password of its own."),
            )
        found.append(desk)
    if found and settings.broker_url == LOCAL:
        raise Misconfigured(
            f"{found[0].queue.system}: adapter",
            Text("Trục không dùng RabbitMQ nên không có hàng đợi", "The bus uses no RabbitMQ, so there is no queue"),
            Text(
                'Trong lgsp.toml, ghi [broker] url = "amqp://…", hoặc đổi adapter của hệ thống này.',
                'In lgsp.toml write [broker] url = "amqp://…", or give this system another adapter.',
            ),
        )
    return tuple(found)


def rows_after(rows: Sequence[Row], found: Difference) -> list[Row]:
    """The registry's rows as they are once the difference is made; harmless where it has been."""
    replaced = {(row.kind, row.key) for row in (*found.removed, *(change.after for change in found.changed))}
    added = [*found.added, *(change.after for change in found.changed)]
    there = {(row.kind, row.key) for row in added}
    return [row for row in rows if (row.kind, row.key) not in replaced | there] + added


async def grant(settings: Settings, rows: Iterable[Row], found: Difference, *, dry_run: bool = False) -> Granted:
    """Bring users, queues and rights at the broker up to the rows, or tell what that would be.

    What RabbitMQ refuses is told in the answer's ``fault``: the registry stands, and applying again goes on.
    """
    desks = desks_of(settings, rows)
    if settings.broker_url == LOCAL:
        return Granted()
    gone = tuple(AgencyQueue(name) for name in _gone(found, {desk.queue.system for desk in desks}))
    missing = tuple(desk for desk in desks if not is_there(desk.password))
    try:
        if not dry_run:
            for desk in missing:
                _make_password(settings, desk)
        url = settings.management_whereabouts()
        if url is None:
            return Granted(desks, passwords=missing, gone=gone)
        accounts = [Account(desk.queue, _password(settings, desk, missing if dry_run else ())) for desk in desks]
        async with management(url, settings.broker_url) as api:
            acts, notes = acts_towards(accounts, await api.standing())
            left = [act for act in (() if dry_run else acts) if not await api.carry_out(act)]
    except Misconfigured as fault:
        return Granted(desks, passwords=missing, gone=gone, fault=fault)
    done = tuple(act for act in acts if act not in left)
    full = tuple(StillHolds(act.name, None) for act in left)
    return Granted(desks, done, (*notes, *full), missing, is_done=not dry_run)


def _systems(rows: Iterable[Row]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for row in rows:
        if row.kind == "agency":
            for system in row.body.get("systems", []):
                if system.get("adapter") == ADAPTER:
                    yield f"{row.body['code']}/{system['name']}", system


def _gone(found: Difference, still: set[str]) -> list[str]:
    before = (*found.removed, *(change.before for change in found.changed))
    return sorted({name for name, _ in _systems(before)} - still)


def _make_password(settings: Settings, desk: Desk) -> None:
    try:
        write_new(desk.password, secrets.token_urlsafe(32).encode() + b"\n", mode=0o600)
    except OSError as error:
        raise _unusable(settings, desk, error.strerror or type(error).__name__) from None


def _password(settings: Settings, desk: Desk, missing: tuple[Desk, ...]) -> str:
    """The password of a system; any will do for a plan where apply has still to make it."""
    if desk in missing:
        return secrets.token_urlsafe(32)
    try:
        with desk.password.open("rb") as file:
            raw = file.read(_LONGEST + 2)
        password = raw.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise _unusable(settings, desk, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise _unusable(settings, desk, "UTF-8") from None
    if not _SHORTEST <= len(password) <= _LONGEST or "\n" in password:
        raise _unusable(settings, desk, f"{_SHORTEST} … {_LONGEST}, 1 dòng / one line")
    return password


def _unusable(settings: Settings, desk: Desk, reason: str) -> Misconfigured:
    return Misconfigured(
        settings.shown(desk.password),
        Text(
            f"Không dùng được tệp mật khẩu AMQP của {desk.queue.system} ({reason})",
            f"The AMQP password file of {desk.queue.system} cannot be used ({reason})",
        ),
        Text(
            "Ghi một mật khẩu dài trên một dòng, hoặc xoá tệp để lệnh apply tạo lại.",
            "Write one long password on one line, or remove the file so that apply makes it anew.",
        ),
    )
