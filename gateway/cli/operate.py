"""``failed``, ``hold``, ``release``, ``replay``, ``discard``: what an operator does; who and why is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.frame import Place, actor, examples, json_option, opened_ledger
from gateway.core.delivery import Delivery
from gateway.core.faults import Rejected, Text
from gateway.core.moments import format_moment

if TYPE_CHECKING:
    from gateway.ports import Ledger
    from gateway.relay.operate import Operate

_reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Lý do, được lưu lại. The reason, kept with the act."
)


@contextlib.asynccontextmanager
async def _operating(place: Place) -> AsyncIterator[tuple[Operate, Ledger]]:
    """The operator's steps over the ledger, beside any running gateway."""
    from gateway import compose

    settings = place.settings
    async with opened_ledger(settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        picture = compose.picture_of(settings, version, rows, compose.built_in_catalog())
        yield compose.operate_on(ledger, picture), ledger


@click.command(epilog=examples("lgsp -C tinh hold H33.16/dms --reason 'bảo trì phần mềm'"))
@click.argument("system", metavar="CODE/NAME")
@_reason_option
@json_option
@click.pass_obj
def hold(place: Place, system: str, reason: str) -> None:
    """Tạm giữ mọi thông điệp tới một hệ thống. Put a destination on hold."""

    async def work() -> int:
        async with _operating(place) as (operate, _):
            return await operate.hold(system, reason, actor())

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
        async with _operating(place) as (operate, _):
            return await operate.release(system, reason, actor())

    count = asyncio.run(work())
    place.give({"result": "released", "system": system, "deliveries": count})
    place.say(
        f"Đã mở lại {system}; {count} lượt chuyển tiếp tục.",
        f"{system} is released; {count} deliveries go on.",
    )


@click.command(epilog=examples("lgsp -C tinh replay 0190c2a4-… --reason 'đã sửa phần mềm bên nhận'"))
@click.argument("id_", metavar="ID")
@_reason_option
@json_option
@click.pass_obj
def replay(place: Place, id_: str, reason: str) -> None:
    """Chuyển lại một lượt đã hỏng; ID của lượt chuyển hoặc của thông điệp. Put a dead delivery back.

    Với ID của thông điệp: mọi lượt hỏng của nó. With a message's id: every dead delivery of it.
    """
    moved = asyncio.run(_each(place, id_, lambda operate, one: operate.replay(one, reason, actor()), {"dead"}))
    place.give({"result": "replayed", "deliveries": [_members(each) for each in moved]})
    for each in moved:
        place.say(f"Sẽ chuyển lại {each.id} tới {each.recipient}.", f"{each.id} to {each.recipient} is tried again.")


@click.command(epilog=examples("lgsp -C tinh discard 0190c2a4-… --reason 'gửi nhầm, đã có bản thay thế'"))
@click.argument("id_", metavar="ID")
@_reason_option
@json_option
@click.pass_obj
def discard(place: Place, id_: str, reason: str) -> None:
    """Loại bỏ một lượt chuyển chưa xong; nơi gửi được báo. Take a delivery out for good; its sender is told.

    Với ID của thông điệp: mọi lượt hỏng của nó. With a message's id: every dead delivery of it.
    """
    moved = asyncio.run(_each(place, id_, lambda operate, one: operate.discard(one, reason, actor()), {"dead"}))
    place.give({"result": "discarded", "deliveries": [_members(each) for each in moved]})
    for each in moved:
        place.say(f"Đã loại bỏ {each.id} tới {each.recipient}.", f"{each.id} to {each.recipient} is discarded.")


@click.command(epilog=examples("lgsp -C tinh failed", "lgsp -C tinh failed --recipient H33.16/dms --json"))
@click.option("--recipient", metavar="CODE/NAME", help="Chỉ nơi nhận này. This destination only.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@json_option
@click.pass_obj
def failed(place: Place, recipient: str | None, limit: int) -> None:
    """Những gì hỏng hoặc bị giữ, gom theo nơi nhận và nguyên nhân. Dead and held deliveries, grouped."""

    async def work() -> tuple[list[Delivery], dict[str, float]]:
        async with opened_ledger(place.settings, must_exist=True) as ledger:
            found = await ledger.deliveries(states=("dead", "held"), recipient=recipient, limit=limit)
            return found, await ledger.holds()

    found, holds = asyncio.run(work())
    holds = {name: at for name, at in holds.items() if recipient in {None, name}}
    place.give(
        {
            "deliveries": [_members(each) for each in found],
            "holds": {name: format_moment(at) for name, at in holds.items()},
        }
    )
    for name, at in sorted(holds.items()):
        place.say(f"{name}: tạm giữ từ {format_moment(at)}", f"{name}: on hold since {format_moment(at)}")
    found.sort(key=_group)
    for (name, state, cause), group in groupby(found, key=_group):
        listed = list(group)
        place.say(
            f"{name}: {len(listed)} lượt {_CAUSES.get(cause or state, Text(cause, cause)).vi}",
            f"{name}: {len(listed)} {_CAUSES.get(cause or state, Text(cause, cause)).en}",
        )
        for each in listed:
            place.say(
                f"    {each.id}  {each.contract}  từ {each.source}",
                f"    {each.id}  {each.contract}  from {each.source}",
            )
    if not found and not holds:
        place.say("Không có lượt chuyển nào hỏng.", "Nothing has failed.")


_CAUSES = {
    "refused": Text("bị nơi nhận từ chối", "refused by the recipient"),
    "deadline": Text("hết hạn thử lại", "whose deadline passed"),
    "attempts": Text("hết số lần thử", "whose attempts are used up"),
    "held": Text("đang tạm giữ", "on hold"),
    "dead": Text("đã hỏng", "dead"),
}


def _group(delivery: Delivery) -> tuple[str, str, str]:
    return delivery.recipient, delivery.state.value, delivery.cause or ""


def _members(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery": delivery.id,
        "message": delivery.message,
        "source": delivery.source,
        "recipient": delivery.recipient,
        "contract": delivery.contract,
        "state": delivery.state.value,
        "cause": delivery.cause,
        "attempts": delivery.attempts,
    }


async def _each(
    place: Place, id_: str, act: Callable[[Operate, str], Awaitable[Delivery]], states: set[str]
) -> list[Delivery]:
    """Do ``act`` to the delivery with this id, or to every delivery in ``states`` of the message with this id."""
    id_ = id_.lower()
    async with _operating(place) as (operate, ledger):
        if await ledger.delivery(id_) is not None:
            return [await act(operate, id_)]
        record = await ledger.find(id_)
        if record is None:
            raise Rejected(
                "not-found",
                Text(
                    f"Không có lượt chuyển hay thông điệp {id_}. Xem mã bằng: lgsp failed",
                    f"There is no delivery or message {id_}. See the ids with: lgsp failed",
                ),
            )
        wanted = [one.delivery.id for one in record.deliveries if one.delivery.state.value in states]
        if not wanted:
            raise Rejected(
                "illegal-state",
                Text(
                    f"Thông điệp {id_} không có lượt chuyển nào đã hỏng. Xem bằng: lgsp status {id_}",
                    f"No delivery of message {id_} is dead. Look with: lgsp status {id_}",
                ),
            )
        return [await act(operate, one) for one in wanted]
