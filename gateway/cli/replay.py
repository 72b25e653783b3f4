"""``replay``, ``discard``: by id, group or filter; many deliveries are an operation that is seen before it begins."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from gateway.cli.frame import FAILED, Misuse, Place, actor, examples, json_option
from gateway.cli.operate import Desk, operating
from gateway.cli.seeking import is_group, seeking, sought
from gateway.core.delivery import Delivery
from gateway.core.faults import Rejected, Text
from gateway.core.replay import AT_ONCE, CANARY, REASONS, Act, Phase, Plan, Verb
from gateway.ports.replays import Operation, Outcome

if TYPE_CHECKING:
    from gateway.relay.operations import Preview

_WINDOW: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)\Z")
_DO: Final = ""
_PHASES: Final[Mapping[Phase, Text]] = {
    Phase.PLANNED: Text("chờ bắt đầu", "planned"),
    Phase.RUNNING: Text("đang chạy", "running"),
    Phase.PAUSED: Text("tạm dừng", "paused"),
    Phase.STOPPED: Text("tự dừng vì nhiều lượt lỗi", "stopped, too many fail"),
    Phase.DONE: Text("xong", "done"),
    Phase.CANCELLED: Text("đã huỷ", "cancelled"),
}
_OUTCOMES: Final[Mapping[Outcome, Text]] = {
    "waiting": Text("chưa đến lượt", "waiting"),
    "skipped": Text("bỏ qua", "skipped"),
    "sent": Text("đang chuyển", "on their way"),
    "held": Text("tạm giữ", "held"),
    "failing": Text("đang lỗi, sẽ thử lại", "failing, tried again"),
    "delivered": Text("đã nhận", "delivered"),
    "failed": Text("lại hỏng", "dead again"),
    "expired": Text("quá hạn", "expired"),
    "discarded": Text("đã loại bỏ", "discarded"),
}


class Verbs(click.Group):
    """A command that does something itself, and has verbs beside for what it began."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no verb is for the command itself."""
        if not args or args[0] not in self.list_commands(ctx):
            args = [_DO, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs."""
        return [name for name in super().list_commands(ctx) if name != _DO]


@click.group(cls=Verbs, epilog=examples("lgsp -C tinh replay 3f0c2f4e9f0b --reason 'đã sửa'"))
def replay() -> None:
    """Chuyển lại những lượt đã hỏng. Put dead deliveries back."""


@click.group(cls=Verbs, epilog=examples("lgsp -C tinh discard 3f0c2f4e9f0b --reason 'gửi nhầm'"))
def discard() -> None:
    """Loại bỏ những lượt chưa xong; nơi gửi được báo. Take deliveries out for good; their senders are told."""


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """What both take."""
    options = (
        click.argument("what", metavar="[ID|GROUP]", required=False),
        seeking,
        click.option("--reason", metavar="TEXT", help="Lý do, được lưu lại. The reason, kept with the act."),
        click.option("--dry-run", is_flag=True,
                     help="Chỉ xem sẽ làm gì. Show what would be done, and do nothing."),
        click.option("--confirm", type=int, metavar="COUNT",
                     help="Xác nhận số lượt khi đợt xử lý lớn. The number of deliveries, to confirm a large one."),
        click.option("--wait", is_flag=True, help="Chờ đến khi xong. Wait until it is done."),
        json_option,
        click.pass_obj,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@replay.command(
    _DO,
    epilog=examples(
        "lgsp -C tinh replay 0190c2a4-… --reason 'đã sửa phần mềm bên nhận'",
        "lgsp -C tinh replay 3f0c2f4e9f0b --dry-run",
        "lgsp -C tinh replay --recipient H33.16/dms --since 2d --rate 5 --reason 'máy chủ đã chạy lại'",
        "lgsp -C tinh replay list",
        "lgsp -C tinh replay pause op-1a2b3c4d5e   (show, start, resume, cancel)",
    ),
)
@click.option("--rate", type=click.FloatRange(0, 10_000, min_open=True), default=Plan().rate, show_default=True,
              help="Số lượt mỗi giây. Deliveries a second.")  # fmt: skip
@click.option("--canary/--no-canary", default=True, show_default=True,
              help="Thử 1, 10, 100 lượt trước. Begin with 1, 10, 100.")  # fmt: skip
@click.option("--stop", "stop_percent", type=click.FloatRange(0, 100), default=Plan().stop_percent, show_default=True,
              help="Dừng khi quá ngần này phần trăm lỗi. Stop over so many percent failing.")  # fmt: skip
@click.option("--window", metavar="HH:MM-HH:MM", help="Chỉ chạy trong giờ này. Work only at these hours.")
@_common
def _replay(place: Place, *, rate: float, canary: bool, stop_percent: float, window: str | None, **given: Any) -> int:
    """Chuyển lại những lượt đã hỏng: theo mã, nhóm hoặc bộ lọc. Put dead deliveries back: by id, group or filter.

    Nhiều lượt là một đợt: xem trước, thử ít rồi tăng dần, tự dừng khi lỗi; theo dõi bằng list, show, pause, resume,
    cancel. Many are an operation: begun with a few, stopped where they fail.
    """
    plan = Plan(rate=rate, canary=CANARY if canary else (), stop_percent=stop_percent, window=_window(window))
    return _do(place, "replay", plan, given)


@discard.command(
    _DO,
    epilog=examples(
        "lgsp -C tinh discard 0190c2a4-… --reason 'gửi nhầm, đã có bản thay thế'",
        "lgsp -C tinh discard 3f0c2f4e9f0b --dry-run",
        "lgsp -C tinh discard --recipient H33.99/cu --until 2026-01-01 --reason 'hệ thống đã ngừng'",
        "lgsp -C tinh discard list",
    ),
)
@_common
def _discard(place: Place, **given: Any) -> int:
    """Loại bỏ những lượt chưa xong; nơi gửi được báo. Take deliveries out for good; their senders are told."""
    return _do(place, "discard", AT_ONCE, given)


def _do(place: Place, act: Act, plan: Plan, given: Mapping[str, Any]) -> int:
    what, reason = given["what"], given["reason"]
    is_filtered = any(given[name] is not None for name in ("recipient", "contract", "since", "until", "cause"))
    if what is None and not is_filtered:
        raise Misuse(Text("cần ID, GROUP hoặc bộ lọc", "an ID, a GROUP or a filter is needed"))
    if reason is None and not given["dry_run"]:
        raise click.MissingParameter(param_hint="'--reason'", param_type="option")
    if what is not None and not is_group(what):
        if is_filtered:
            raise Misuse(Text("ID không đi cùng bộ lọc", "an ID goes without a filter"))
        if not given["dry_run"]:
            return _do_one(place, act, what, reason)
    return asyncio.run(_do_many(place, act, plan, given))


async def _do_many(place: Place, act: Act, plan: Plan, given: Mapping[str, Any]) -> int:
    from gateway.api import shown

    what = given["what"]
    group = what.lower() if what is not None and is_group(what) else None
    named = [what] if what is not None and group is None else None
    async with operating(place) as desk:
        seen = await desk.operations.preview(act, sought(given, group), named, plan)
        if given["dry_run"]:
            place.give(shown.preview(seen))
            _tell_preview(place, seen)
            return 0
        if seen.eligible > place.settings.approval_above and given["confirm"] != seen.eligible:
            _tell_preview(place, seen)
            raise Misuse(
                Text(
                    f"đợt này lớn, người vận hành xác nhận bằng --confirm {seen.eligible}",
                    f"a large operation; the operator confirms it by --confirm {seen.eligible}",
                )
            )
        made = await desk.operations.create(seen, reason=given["reason"], author=actor(), start=True)
        _tell_preview(place, seen)
        place.say(
            f"Bắt đầu đợt {made.id}; trục đang chạy sẽ thực hiện. Theo dõi: lgsp {act} show {made.id}",
            f"Operation {made.id} begins; the running gateway carries it out. Look: lgsp {act} show {made.id}",
        )
        if not given["wait"]:
            place.give(shown.operation(made, await desk.operations.replays.counts(made.id)))
            return 0
        return await _wait(place, desk, made)


async def _wait(place: Place, desk: Desk, made: Operation) -> int:
    from gateway.api import shown

    # it is carried out by another process: there is no event to wait for
    while (now := await desk.operations.find(made.id)).phase is Phase.RUNNING:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    counts = await desk.operations.replays.counts(made.id)
    place.give(shown.operation(now, counts))
    _tell_operation(place, now, counts)
    return 0 if now.phase is Phase.DONE else FAILED


def _tell_preview(place: Place, seen: Preview) -> None:
    held = seen.is_held
    place.say(
        f"Làm được: {seen.eligible} lượt, ít nhất {seen.seconds:.0f} giây ở {seen.plan.rate:g} lượt/giây."
        + (f" Trong đó {held} lượt sẽ chờ vì nơi nhận đang tạm giữ." if held else ""),
        f"Eligible: {seen.eligible}, at least {seen.seconds:.0f} s at {seen.plan.rate:g} a second."
        + (f" {held} of them will wait for destinations on hold." if held else ""),
    )
    for reason, count in sorted(seen.left_out.items()):
        means = REASONS[reason]
        place.say(f"Không làm được: {count} lượt, {means.vi}.", f"Not eligible: {count}, {means.en}.")
    for each in seen.sample:
        place.say(f"    {each.delivery}  → {each.recipient}", f"    {each.delivery}  → {each.recipient}")


def _window(written: str | None) -> tuple[int, int] | None:
    if written is None:
        return None
    found = _WINDOW.match(written)
    if found is None:
        raise Misuse(
            Text("--window có dạng HH:MM-HH:MM, ví dụ 22:00-05:00", "--window is HH:MM-HH:MM, for example 22:00-05:00")
        )
    begins, begin, ends, end = map(int, found.groups())
    return begins * 60 + begin, ends * 60 + end


# ------------------------------------------------------------------------------------------------ one, done at once


def _do_one(place: Place, act: Act, id_: str, reason: str) -> int:
    """One delivery, or the dead deliveries of one message, at once."""
    moved = asyncio.run(_moved(place, act, id_.lower(), reason))
    place.give({"result": "replayed" if act == "replay" else "discarded", "deliveries": [_members(d) for d in moved]})
    for each in moved:
        if act == "replay":
            place.say(
                f"Sẽ chuyển lại {each.id} tới {each.recipient}.", f"{each.id} to {each.recipient} is tried again."
            )
        else:
            place.say(f"Đã loại bỏ {each.id} tới {each.recipient}.", f"{each.id} to {each.recipient} is discarded.")
    return 0


async def _moved(place: Place, act: Act, id_: str, reason: str) -> list[Delivery]:
    async with operating(place) as desk:
        step = desk.operate.replay if act == "replay" else desk.operate.discard
        if await desk.ledger.delivery(id_) is not None:
            return [await step(id_, reason, actor())]
        record = await desk.ledger.find(id_)
        if record is None:
            _unknown(id_)
        dead = [each.delivery.id for each in record.deliveries if each.delivery.state.value == "dead"]
        if not dead:
            raise Rejected(
                "illegal-state",
                Text(
                    f"Thông điệp {id_} không có lượt chuyển nào đã hỏng. Xem bằng: lgsp status {id_}",
                    f"No delivery of message {id_} is dead. Look with: lgsp status {id_}",
                ),
            )
        return [await step(each, reason, actor()) for each in dead]


def _unknown(id_: str) -> NoReturn:
    raise Rejected(
        "not-found",
        Text(
            f"Không có lượt chuyển hay thông điệp {id_}. Xem mã bằng: lgsp failed",
            f"There is no delivery or message {id_}. See the ids with: lgsp failed",
        ),
    )


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


# ------------------------------------------------------------------------------------------------------------ verbs


def _tell_operation(place: Place, found: Operation, counts: Mapping[Outcome, int]) -> None:
    phase = _PHASES[found.phase]
    why = f" ({found.why})" if found.why else ""
    told = ", ".join(f"{count} {place.in_words(_OUTCOMES[name])}" for name, count in sorted(counts.items()))
    place.say(
        f"{found.id}  {found.act}  {phase.vi}{why}  {found.total} lượt: {told}",
        f"{found.id}  {found.act}  {phase.en}{why}  {found.total} deliveries: {told}",
    )
    place.say(f"    {found.author}: {found.reason}", f"    {found.author}: {found.reason}")


def _add_verbs(group: click.Group, act: Act) -> None:
    """``list``, ``show`` and the verbs that turn an operation, for one kind of them."""

    @group.command("list", epilog=examples(f"lgsp -C tinh {act} list"))
    @click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True,
                  help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
    @json_option
    @click.pass_obj
    def listed(place: Place, limit: int) -> None:
        """Các đợt, mới nhất trước. Operations, the youngest first."""

        async def work() -> list[tuple[Operation, dict[Outcome, int]]]:
            async with operating(place) as desk:
                replays = desk.operations.replays
                mine = [each for each in await replays.listed(limit=1000) if each.act == act][:limit]
                return [(each, await replays.counts(each.id)) for each in mine]

        _give(place, asyncio.run(work()))

    @group.command("show", epilog=examples(f"lgsp -C tinh {act} show op-1a2b3c4d5e"))
    @click.argument("id_", metavar="OP")
    @json_option
    @click.pass_obj
    def show(place: Place, id_: str) -> None:
        """Một đợt và kết quả đến lúc này. One operation and how far it is."""
        _give_one(place, asyncio.run(_looked_at(place, act, id_)))

    for verb, help_ in _VERBS.items():
        _add_verb(group, act, verb, help_)


_VERBS: Final[dict[Verb, str]] = {
    "start": "Bắt đầu đợt đã lên kế hoạch. Start what was planned.",
    "pause": "Tạm dừng; lượt đã chuyển vẫn đi tiếp. Pause; what was put back goes on.",
    "resume": "Tiếp tục. Go on.",
    "cancel": "Huỷ phần còn lại. Cancel the rest.",
}


def _add_verb(group: click.Group, act: Act, verb: Verb, help_: str) -> None:
    @group.command(verb, help=help_, epilog=examples(f"lgsp -C tinh {act} {verb} op-1a2b3c4d5e"))
    @click.argument("id_", metavar="OP")
    @json_option
    @click.pass_obj
    def turned(place: Place, id_: str) -> None:
        async def work() -> tuple[Operation, dict[Outcome, int]]:
            async with operating(place) as desk:
                await _of(desk, act, id_)
                found = await desk.operations.turn(id_, verb, author=actor())
                return found, await desk.operations.replays.counts(id_)

        _give_one(place, asyncio.run(work()))


async def _looked_at(place: Place, act: Act, id_: str) -> tuple[Operation, dict[Outcome, int]]:
    async with operating(place) as desk:
        return await _of(desk, act, id_), await desk.operations.replays.counts(id_)


async def _of(desk: Desk, act: Act, id_: str) -> Operation:
    found = await desk.operations.find(id_)
    if found.act != act:
        raise Rejected("not-found", Text(f"{id_} không phải là đợt {act}.", f"{id_} is no {act}."))
    return found


def _give(place: Place, found: list[tuple[Operation, dict[Outcome, int]]]) -> None:
    from gateway.api import shown

    place.give({"operations": [shown.operation(each, counts) for each, counts in found]})
    for each, counts in found:
        _tell_operation(place, each, counts)
    if not found:
        place.say("Chưa có đợt nào.", "There is none yet.")


def _give_one(place: Place, told: tuple[Operation, dict[Outcome, int]]) -> None:
    from gateway.api import shown

    found, counts = told
    place.give(shown.operation(found, counts))
    _tell_operation(place, found, counts)


_add_verbs(replay, "replay")
_add_verbs(discard, "discard")
