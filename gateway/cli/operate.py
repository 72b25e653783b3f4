"""``hold``, ``release``: what an operator does to destinations; who and why is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gateway.cli.frame import Place, actor, examples, json_option, opened_ledger

if TYPE_CHECKING:
    from gateway.ports import Ledger
    from gateway.relay.operate import Operate
    from gateway.relay.operations import Operations

_reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Lý do, được lưu lại. The reason, kept with the act."
)


@dataclass(frozen=True, slots=True)
class Desk:
    """What an operator works with: the steps over the ledger, beside any running gateway."""

    ledger: Ledger
    operate: Operate
    operations: Operations


@contextlib.asynccontextmanager
async def operating(place: Place) -> AsyncIterator[Desk]:
    """The operator's desk, for the length of a ``with`` block."""
    from gateway import compose

    settings = place.settings
    async with opened_ledger(settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        directory = compose.picture_of(settings, version, rows, compose.built_in_catalog()).directory
        yield Desk(
            ledger,
            compose.operate_on(ledger, lambda: directory),
            compose.operations_on(ledger, lambda: directory),
        )


@click.command(epilog=examples("lgsp -C tinh hold H33.16/dms --reason 'bảo trì phần mềm'"))
@click.argument("system", metavar="CODE/NAME")
@_reason_option
@json_option
@click.pass_obj
def hold(place: Place, system: str, reason: str) -> None:
    """Tạm giữ mọi thông điệp tới một hệ thống. Put a destination on hold."""

    async def work() -> int:
        async with operating(place) as desk:
            return await desk.operate.hold(system, reason, actor())

    count = asyncio.run(work())
    place.give({"result": "held", "system": system, "deliveries": count})
    place.say(
        f"Đã tạm giữ {system}; {count} lượt chuyển đang chờ. Mở lại bằng: lgsp release {system} --reason …",
        f"{system} is on hold; {count} deliveries wait. Lift it with: lgsp release {system} --reason …",
    )


@click.command(epilog=examples("lgsp -C tinh release H33.16/dms --reason 'bảo trì xong'"))
@click.argument("system", metavar="CODE/NAME")
@_reason_option
@json_option
@click.pass_obj
def release(place: Place, system: str, reason: str) -> None:
    """Mở lại một hệ thống đang tạm giữ. Lift the hold of a destination."""

    async def work() -> int:
        async with operating(place) as desk:
            return await desk.operate.release(system, reason, actor())

    count = asyncio.run(work())
    place.give({"result": "released", "system": system, "deliveries": count})
    place.say(
        f"Đã mở lại {system}; {count} lượt chuyển tiếp tục.",
        f"{system} is released; {count} deliveries go on.",
    )
