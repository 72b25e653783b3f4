"""``failed``: what is dead, stuck or held, grouped by why, with what it means and what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import click

from gateway.cli.frame import Misuse, Place, examples, json_option
from gateway.cli.operate import operating
from gateway.cli.seeking import is_group, seeking, sought
from gateway.core.failure import explained
from gateway.core.faults import Rejected, Text
from gateway.core.moments import format_moment
from gateway.ports.failures import Failed, Group

_KINDS: Final = {
    "dead": Text("hỏng", "dead"),
    "stuck": Text("kẹt", "stuck"),
    "held": Text("tạm giữ", "held"),
}
_CAUSES: Final = {
    "refused": Text("bị nơi nhận từ chối", "refused by the recipient"),
    "deadline": Text("hết hạn thử lại", "the deadline passed"),
    "attempts": Text("hết số lần thử", "all attempts used up"),
}


@click.command(
    epilog=examples(
        "lgsp -C tinh failed",
        "lgsp -C tinh failed --recipient H33.16/dms --since 2d --json",
        "lgsp -C tinh failed 3f0c2f4e9f0b",
    )
)
@click.argument("group", metavar="[GROUP]", required=False)
@seeking
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@click.option("--after", metavar="ID", help="Trang sau: mã lượt cuối đã xem. The next page: the last id seen.")
@json_option
@click.pass_obj
def failed(place: Place, /, *, group: str | None, limit: int, after: str | None, **given: Any) -> None:
    """Những gì hỏng, kẹt hoặc bị giữ, gom theo nguyên nhân. Dead, stuck and held deliveries, grouped.

    Với mã nhóm: từng lượt chuyển của nhóm. With a group: its deliveries.
    """
    if group is not None and not is_group(group):
        raise Misuse(Text("mã nhóm GROUP gồm 12 chữ số hex", "a GROUP is 12 hex digits"))
    meant = sought(given, None if group is None else group.lower())

    async def work() -> tuple[list[Group], list[Failed], dict[str, float]]:
        from gateway.relay.clock import SystemClock

        now = SystemClock().now()
        async with operating(place) as desk:
            failures = desk.operations.failures
            while await failures.look():
                pass
            groups = await failures.groups(meant, now=now, limit=limit)
            members = await failures.members(meant, now=now, after=after, limit=limit) if group is not None else []
            return groups, members, await desk.ledger.holds()

    groups, members, holds = asyncio.run(work())
    if group is not None:
        _tell_group(place, group, groups, members)
        return
    shown = {name: at for name, at in sorted(holds.items()) if meant.recipient in {None, name}}
    _tell(place, groups, shown)


def _tell(place: Place, groups: Sequence[Group], holds: dict[str, float]) -> None:
    from gateway.api import shown

    held = {name: format_moment(at) for name, at in holds.items()}
    place.give({"groups": [shown.group(each) for each in groups], "holds": held})
    for name, since in held.items():
        place.say(f"{name}: tạm giữ từ {since}", f"{name}: on hold since {since}")
    for each in groups:
        _tell_one(place, each)
    if groups:
        place.say(
            "Xem từng lượt: lgsp failed NHÓM. Chuyển lại: lgsp replay NHÓM --reason …",
            "See the deliveries: lgsp failed GROUP. Try again: lgsp replay GROUP --reason …",
        )
    elif not holds:
        place.say("Không có lượt chuyển nào hỏng.", "Nothing has failed.")


def _tell_one(place: Place, group: Group) -> None:
    kind, means = _KINDS[group.kind], explained(group.error)
    cause = _CAUSES.get(group.cause or "")
    head = f"{group.fingerprint}  {group.recipient}  {group.contract}"
    why = Text("", "") if cause is None else Text(f", {cause.vi}", f", {cause.en}")
    said = f" ({group.text})" if group.text else ""
    first, last = format_moment(group.first), format_moment(group.last)
    place.say(f"{head}: {group.count} lượt {kind.vi}{why.vi}", f"{head}: {group.count} {kind.en}{why.en}")
    place.say(f"    {means.meaning.vi}{said}", f"    {means.meaning.en}{said}")
    place.say(f"    Từ {first} đến {last}. Ví dụ: {', '.join(group.samples[:2])}",
              f"    From {first} to {last}. For example: {', '.join(group.samples[:2])}")  # fmt: skip
    place.say(f"    Việc cần làm: {means.next_step.vi}", f"    Next: {means.next_step.en}")


def _tell_group(place: Place, group: str, groups: Sequence[Group], members: Sequence[Failed]) -> None:
    from gateway.api import shown

    if not groups:
        raise Rejected(
            "not-found",
            Text(f"Không có nhóm {group}. Xem các nhóm bằng: lgsp failed",
                 f"There is no group {group}. See the groups with: lgsp failed"),
        )  # fmt: skip
    place.give({**shown.group(groups[0]), "deliveries": [shown.failed(each) for each in members]})
    if not place.as_json:
        _tell_one(place, groups[0])
    for each in members:
        at, tried = format_moment(each.at), each.attempts
        status = "" if each.status is None else f"  HTTP {each.status}"
        detail = "" if each.detail is None else f"  {each.detail}"
        place.say(f"    {each.delivery}  {at}  từ {each.source}  {tried} lần thử{status}{detail}",
                  f"    {each.delivery}  {at}  from {each.source}  {tried} tries{status}{detail}")  # fmt: skip
