"""``registers``: who is trusted with which item of a register; a second provider needs a decision."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from gateway.cli.frame import Place, actor, examples, json_option, opened_ledger

if TYPE_CHECKING:
    from gateway.ports import RegistryRow
    from gateway.relay.registers import Act, Registers

_Answer = TypeVar("_Answer")
_reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Lý do, được lưu lại. The reason, kept on record."
)
_item_argument = click.argument("item", metavar="REGISTER[/SPACE]")
_system_argument = click.argument("system", metavar="CODE/NAME")


def _do(place: Place, work: Callable[[Registers], Awaitable[_Answer]]) -> _Answer:
    """Work on the ledger, beside any running gateway."""
    from gateway import compose

    async def run() -> _Answer:
        async with opened_ledger(place.settings, must_exist=True) as ledger:
            version, rows = await ledger.registry()
            directory = compose.picture_of(place.settings, version, rows, compose.built_in_catalog()).directory
            return await work(compose.registers_on(ledger, lambda: directory))

    return asyncio.run(run())


@click.group(
    epilog=examples(
        "lgsp -C tinh registers list",
        "lgsp -C tinh registers approve land-parcel/H33.07 H33.07/land --reason 'QĐ giao nhiệm vụ'",
    )
)
def registers() -> None:
    """Nơi cung cấp tin cậy của từng sổ dữ liệu. Who is trusted with which register."""


@registers.command("list", epilog=examples("lgsp -C tinh registers list", "lgsp -C tinh registers list --waiting"))
@click.option("--waiting", "is_waiting", is_flag=True, help="Chỉ mục đang chờ duyệt. Those to be decided alone.")
@json_option
@click.pass_obj
def list_(place: Place, is_waiting: bool) -> None:
    """Các mục, mục chờ duyệt trước. Every item, those to be decided first."""
    from gateway.api.registers import as_item

    found = [row for row in _do(place, lambda step: step.listed()) if row.body.get("waiting") or not is_waiting]
    place.give({"registers": [as_item(row) for row in found]})
    for row in found:
        _tell(place, row)
    if not found:
        place.say("Không có mục nào.", "There is none.")


@registers.command(epilog=examples("lgsp -C tinh registers show land-parcel/H33.07"))
@_item_argument
@json_option
@click.pass_obj
def show(place: Place, item: str) -> None:
    """Một mục: ai cung cấp, ai đang chờ. One item: who provides it, who waits."""
    _give(place, _do(place, lambda step: step.find(item)))


@registers.command(
    epilog=examples("lgsp -C tinh registers approve land-parcel H33.07/land --reason 'QĐ giao nhiệm vụ'")
)
@_item_argument
@_system_argument
@_reason_option
@json_option
@click.pass_obj
def approve(place: Place, item: str, system: str, reason: str) -> None:
    """Duyệt: hệ thống này thay nơi cung cấp cũ. Approve: it takes the place of the provider."""
    _decide(place, item, system, "approve", reason)


@registers.command(
    epilog=examples("lgsp -C tinh registers reject land-parcel H33.05/dms --reason 'không có thẩm quyền'")
)
@_item_argument
@_system_argument
@_reason_option
@json_option
@click.pass_obj
def reject(place: Place, item: str, system: str, reason: str) -> None:
    """Từ chối: hệ thống này tiếp tục bị từ chối. Reject: it stays refused."""
    _decide(place, item, system, "reject", reason)


def _decide(place: Place, item: str, system: str, act: Act, reason: str) -> None:
    _give(place, _do(place, lambda step: step.decide(item, system, act, reason=reason, actor=actor())))


def _give(place: Place, row: RegistryRow) -> None:
    from gateway.api.registers import as_item

    place.give(as_item(row))
    _tell(place, row)


def _tell(place: Place, row: RegistryRow) -> None:
    body = row.body
    first = body["by"] == "first"
    place.say(
        f"{row.key}: {body['provider']} từ {body['since']}"
        + (", nơi cung cấp đầu tiên" if first else f", {body['by']} duyệt: {body.get('reason', '')}"),
        f"{row.key}: {body['provider']} since {body['since']}"
        + (", the first provider" if first else f", approved by {body['by']}: {body.get('reason', '')}"),
    )
    for system, said in body.get("waiting", {}).items():
        place.say(f"    chờ duyệt: {system} từ {said['since']}", f"    to be decided: {system} since {said['since']}")
    for system, said in body.get("rejected", {}).items():
        place.say(
            f"    đã từ chối: {system}, {said['by']}: {said['reason']}",
            f"    rejected: {system}, {said['by']}: {said['reason']}",
        )
