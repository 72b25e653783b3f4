"""``operator add`` and ``remove``: accounts of those who run the bus."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import Final

import click

from gateway.cli.frame import Misuse, Place, actor, examples, json_option, opened_ledger
from gateway.core.faults import Busy, Misconfigured, Text
from gateway.ports import AuditRow, RegistryRow

ROLES: Final = ("viewer", "operator", "approver", "admin")
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._@-]{0,63}\Z")
_TRIES: Final = 10


@click.group(epilog=examples("lgsp -C tinh operator add mau --role operator"))
def operator() -> None:
    """Tài khoản của người vận hành. Accounts of those who run the bus."""


@operator.command(epilog=examples("lgsp -C tinh operator add mau --role operator"))
@click.argument("name", metavar="NAME")
@click.option("--role", required=True, type=click.Choice(ROLES), help="Vai trò. What the account may do.")
@json_option
@click.pass_obj
def add(place: Place, name: str, role: str) -> None:
    """Thêm tài khoản; thẻ truy cập chỉ hiện một lần. Add an account; its token is shown once."""
    from gateway.config.secret import hash_token

    if not _NAME.match(name):
        raise Misuse(
            Text("NAME chỉ gồm chữ không dấu, số và . _ @ -", "a NAME has plain letters, digits and . _ @ - only")
        )
    token = secrets.token_urlsafe(32)
    row = RegistryRow("operator", name, "console", {"role": role, "token_hash": hash_token(token)})

    async def work() -> None:
        async with opened_ledger(place.settings) as ledger:
            for _ in range(_TRIES):
                version, rows = await ledger.registry()
                if any(held.kind == "operator" and held.key == name for held in rows):
                    raise _taken(name)
                audit = AuditRow(time.time(), actor(), "operator.added", {"operator": name, "role": role})
                if await ledger.change_registry(version, put=[row], delete=[], audit=[audit]):
                    return
        raise _changing()

    asyncio.run(work())
    place.give({"result": "added", "operator": name, "role": role, "token": token})
    place.say(
        f"Đã thêm {name} ({role}). Thẻ truy cập dưới đây chỉ hiện một lần; hãy cất vào nơi an toàn:\n{token}",
        f"Added {name} ({role}). The token below is shown this once; keep it in a safe place:\n{token}",
    )


@operator.command(epilog=examples("lgsp -C tinh operator remove mau"))
@click.argument("name", metavar="NAME")
@json_option
@click.pass_obj
def remove(place: Place, name: str) -> None:
    """Bỏ tài khoản; thẻ của nó hết hiệu lực trong 2 giây. Remove an account; its token ends within 2 seconds."""

    async def work() -> None:
        async with opened_ledger(place.settings, must_exist=True) as ledger:
            for _ in range(_TRIES):
                version, rows = await ledger.registry()
                if not any(held.kind == "operator" and held.key == name for held in rows):
                    raise _unknown(name)
                audit = AuditRow(time.time(), actor(), "operator.removed", {"operator": name})
                if await ledger.change_registry(version, put=[], delete=[("operator", name)], audit=[audit]):
                    return
        raise _changing()

    asyncio.run(work())
    place.give({"result": "removed", "operator": name})
    place.say(
        f"Đã bỏ tài khoản {name}; thẻ của nó không còn dùng được.", f"Removed {name}; its token is of no use now."
    )


def _changing() -> Busy:
    return Busy(
        "overloaded",
        Text(
            "Danh mục đang được thay đổi liên tục. Hãy chạy lại sau vài giây.",
            "The registry keeps changing. Run again in a few seconds.",
        ),
    )


def _unknown(name: str) -> Misconfigured:
    return Misconfigured(
        f"operator {name}",
        Text("Không có tài khoản tên này", "There is no account of this name"),
        Text(
            "Hãy kiểm tra lại tên; tên phân biệt chữ hoa, chữ thường.", "Check the name; upper and lower case differ."
        ),
    )


def _taken(name: str) -> Misconfigured:
    return Misconfigured(
        f"operator {name}",
        Text("Đã có tài khoản tên này", "There is an account of this name"),
        Text("Hãy chọn tên khác.", "Choose another name."),
    )
