"""``requests``: what late subscribers ask for; seen before it is approved, refused or cancelled, with a reason."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from gateway.cli.frame import Place, actor, examples, json_option, opened_ledger
from gateway.core.backfill import OVER, REASONS, Phase
from gateway.core.faults import Text
from gateway.core.moments import format_moment

if TYPE_CHECKING:
    from gateway.ports.backfills import Request
    from gateway.relay.requests import Act, Requests

_Answer = TypeVar("_Answer")
_PHASES: Final[Mapping[Phase, Text]] = {
    Phase.ASKED: Text("chờ duyệt", "to be decided"),
    Phase.APPROVED: Text("đã duyệt", "approved"),
    Phase.REFUSED: Text("bị từ chối", "refused"),
    Phase.RUNNING: Text("đang chuyển", "running"),
    Phase.DONE: Text("xong", "done"),
    Phase.CANCELLED: Text("đã huỷ", "cancelled"),
}
_reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Lý do, được lưu lại và cho bên đề nghị biết. The reason, kept."
)
_id_argument = click.argument("id_", metavar="ID")


@contextlib.asynccontextmanager
async def _deciding(place: Place) -> AsyncIterator[Requests]:
    """The step over the ledger, beside any running gateway, for the length of a ``with`` block."""
    from gateway import compose

    async with opened_ledger(place.settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        lists = await compose.ListsInForce(compose.agency_lists_of(ledger)).now()
        picture = compose.picture_of(place.settings, version, rows, compose.built_in_catalog(), lists)
        yield compose.requests_on(ledger, lambda: picture.directory, lambda: picture.catalog)


def _do(place: Place, work: Callable[[Requests], Awaitable[_Answer]]) -> _Answer:
    async def run() -> _Answer:
        async with _deciding(place) as requests:
            return await work(requests)

    return asyncio.run(run())


@click.group(
    epilog=examples("lgsp -C tinh requests list", "lgsp -C tinh requests approve ID --reason 'đúng thẩm quyền'")
)
def requests() -> None:
    """Đề nghị nhận lại thông điệp cũ của hệ thống mới kết nối. What late subscribers ask for."""


@requests.command("list", epilog=examples("lgsp -C tinh requests list", "lgsp -C tinh requests list --all --json"))
@click.option("--all", "is_all", is_flag=True, help="Cả những đề nghị đã kết thúc. Those that are over too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@json_option
@click.pass_obj
def list_(place: Place, is_all: bool, limit: int) -> None:
    """Các đề nghị, mới nhất trước. Requests, the youngest first."""

    async def work(step: Requests) -> list[tuple[Request, int]]:
        every = await step.backfills.listed(limit=1000)
        wanted = [each for each in every if is_all or each.phase not in OVER][:limit]
        return [(each, await step.count(each)) for each in wanted]

    from gateway.api.requests import for_operator

    found = _do(place, work)
    place.give({"requests": [for_operator(each, messages=messages) for each, messages in found]})
    for each, messages in found:
        _tell(place, each, messages)
    if not found:
        place.say("Không có đề nghị nào.", "There is no request.")


@requests.command(epilog=examples("lgsp -C tinh requests show 5d0a3c52-…"))
@_id_argument
@json_option
@click.pass_obj
def show(place: Place, id_: str) -> None:
    """Một đề nghị và kết quả nếu duyệt. One request, and what it would come to."""
    from gateway.api.requests import for_operator

    async def work(step: Requests) -> tuple[Request, Any]:
        found = await step.find(id_)
        return found, await step.preview(found) if found.phase in {Phase.ASKED, Phase.APPROVED} else None

    found, seen = _do(place, work)
    place.give(for_operator(found, preview=seen))
    _tell(place, found, None if seen is None else seen.messages)
    if seen is not None:
        place.say(
            f"    Nếu chuyển lúc này: {seen.due} lượt, trong {seen.judged} thông điệp đã xét.",
            f"    If it ran now: {seen.due} deliveries, of {seen.judged} messages judged.",
        )
    for reason, count in sorted((found.left_out if seen is None else seen.left_out).items()):
        place.say(f"    {count} không chuyển: {REASONS[reason].vi}", f"    {count} not due: {REASONS[reason].en}")


@requests.command(epilog=examples("lgsp -C tinh requests approve 5d0a3c52-… --reason 'đúng thẩm quyền'"))
@_id_argument
@_reason_option
@json_option
@click.pass_obj
def approve(place: Place, id_: str, reason: str) -> None:
    """Duyệt; trục chuyển những gì thoả thuận hôm nay cho phép. Approve; what today's agreements allow is delivered."""
    _decide(place, id_, "approve", reason)


@requests.command(epilog=examples("lgsp -C tinh requests refuse 5d0a3c52-… --reason 'chưa đủ căn cứ'"))
@_id_argument
@_reason_option
@json_option
@click.pass_obj
def refuse(place: Place, id_: str, reason: str) -> None:
    """Từ chối. Refuse."""
    _decide(place, id_, "refuse", reason)


@requests.command(epilog=examples("lgsp -C tinh requests cancel 5d0a3c52-… --reason 'đề nghị nhầm'"))
@_id_argument
@_reason_option
@json_option
@click.pass_obj
def cancel(place: Place, id_: str, reason: str) -> None:
    """Dừng; những gì đã chuyển vẫn đi tiếp. Stop; what was made goes on."""
    _decide(place, id_, "cancel", reason)


def _decide(place: Place, id_: str, act: Act, reason: str) -> None:
    from gateway.api.requests import for_operator

    decided = _do(place, lambda step: step.decide(id_, act, reason=reason, actor=actor()))
    place.give(for_operator(decided))
    _tell(place, decided, None)


def _tell(place: Place, found: Request, messages: int | None) -> None:
    phase = _PHASES[found.phase]
    until = Text("", "") if found.until is None else Text(
        f" đến trước {format_moment(found.until)}", f" to before {format_moment(found.until)}"
    )  # fmt: skip
    meant = Text("", "") if messages is None else Text(f"{messages} thông điệp liên quan, ", f"{messages} messages, ")
    since = format_moment(found.since)
    place.say(
        f"{found.id}  {phase.vi}\n    {found.system} đề nghị nhận lại {found.contract} từ {since}{until.vi}:"
        f" {found.reason}\n    {meant.vi}đã tạo {found.made} lượt chuyển",
        f"{found.id}  {phase.en}\n    {found.system} asks for {found.contract} from {since}{until.en}:"
        f" {found.reason}\n    {meant.en}{found.made} deliveries made",
    )
    if found.decided_by is not None:
        place.say(f"    {found.decided_by}: {found.decision}", f"    {found.decided_by}: {found.decision}")
