"""``reconcile``: both sides of a day, what is missing, a table to compare, and sending again what was lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from gateway.cli.frame import FAILED, Misuse, Place, actor, examples, json_option, opened_ledger
from gateway.core.faults import Text
from gateway.core.moments import day_of, format_moment
from gateway.core.reconciliation import KINDS, MEANINGS, Direction, Gap, Kind, Summary, read_day

if TYPE_CHECKING:
    from gateway.core.directory import Directory
    from gateway.ports.manifests import States
    from gateway.ports.replays import Operation
    from gateway.relay.missing import Missing, ReplayMissing
    from gateway.relay.reconcile import Judged, Reconcile

_Answer = TypeVar("_Answer")
_SIDES: Final = {"bus": Text("trục", "bus"), "system": Text("hệ thống", "system")}
_WAYS: Final[dict[Direction, Text]] = {"sent": Text("gửi", "sent"), "received": Text("nhận", "received")}
_SHOWN: Final = 20
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Steps:
    """What the commands ask, over the ledger, beside any running gateway."""

    reconcile: Reconcile
    missing: ReplayMissing
    directory: Directory


@contextlib.asynccontextmanager
async def _opened(place: Place) -> AsyncIterator[_Steps]:
    from gateway import compose
    from gateway.config.law import read_law

    async with opened_ledger(place.settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        picture = compose.picture_of(place.settings, version, rows, compose.built_in_catalog())
        law = read_law(place.settings.law_folders, place.settings.folder)
        operations = compose.operations_on(ledger, lambda: picture.directory)
        yield _Steps(
            compose.reconcile_on(ledger, lambda: picture.directory, lambda: picture.catalog, lambda: law.calendar),
            compose.missing_on(ledger, operations),
            picture.directory,
        )


def _do(place: Place, work: Callable[[_Steps], Awaitable[_Answer]]) -> _Answer:
    async def run() -> _Answer:
        async with _opened(place) as steps:
            return await work(steps)

    return asyncio.run(run())


def _day(_: click.Context, __: click.Parameter, value: str | None) -> date:
    if value is None:
        return day_of(time.time()) - timedelta(days=1)
    found = read_day(value)
    if found is None:
        raise Misuse(Text(f"--day {value} không phải ngày YYYY-MM-DD.", f"--day {value} is no day, YYYY-MM-DD."))
    return found


_day_option = click.option(
    "--day", metavar="YYYY-MM-DD", callback=_day, help="Ngày, mặc định hôm qua. The day; yesterday unless said."
)
_system_option = click.option(
    "--system", metavar="AGENCY/SYSTEM", required=True, help="Hệ thống, ví dụ H33.16/dms. The system."
)


@click.group(
    epilog=examples(
        "lgsp -C tinh reconcile list",
        "lgsp -C tinh reconcile compare nhan.csv --system H33.16/dms --day 2026-11-23",
        "lgsp -C tinh reconcile replay-missing --system H33.16/dms --day 2026-11-23 --reason 'mất ổ đĩa'",
    )
)
def reconcile() -> None:
    """Đối soát hằng ngày: thông điệp nào thiếu ở bên nào. Which messages are missing, and on which side."""


@reconcile.command("list", epilog=examples("lgsp -C tinh reconcile list", "lgsp -C tinh reconcile list --kind lost"))
@click.option("--system", metavar="AGENCY/SYSTEM", help="Chỉ hệ thống này. Of this system only.")
@click.option("--kind", type=click.Choice(KINDS), help="Chỉ loại này. Of this kind only.")
@click.option("--all", "is_all", is_flag=True, help="Cả những gì đã khớp lại. Those that are over too.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=100, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@json_option
@click.pass_obj
def list_(place: Place, system: str | None, kind: Kind | None, is_all: bool, limit: int) -> None:
    """Những gì còn thiếu, mọi ngày. What is missing, of every day."""
    from gateway.api.manifests import gap_members

    found = _do(
        place,
        lambda steps: steps.reconcile.manifests.gaps(system=system, kind=kind, is_open=not is_all, limit=limit),
    )
    place.give({"gaps": [gap_members(gap) for gap in found]})
    _tell_gaps(place, found)
    if not found:
        place.say("Không thiếu gì.", "Nothing is missing.")


@reconcile.command(epilog=examples("lgsp -C tinh reconcile show --day 2026-11-23 --system H33.16/dms"))
@_day_option
@click.option("--system", metavar="AGENCY/SYSTEM", help="Chỉ hệ thống này. Of this system only.")
@json_option
@click.pass_obj
def show(place: Place, day: date, system: str | None) -> None:
    """Bản kê hai bên của một ngày. Both sides of a day: delivered, accepted and processed apart."""
    from gateway.api.manifests import gap_members, summary_members

    async def work(steps: _Steps) -> tuple[list[Summary], dict[Any, States], list[Gap]]:
        manifests = steps.reconcile.manifests
        return (
            await manifests.summaries(day, system=system),
            dict(await manifests.states(day, system)),
            await manifests.gaps(day=day, system=system),
        )

    found, states, gaps = _do(place, work)
    place.give(
        {
            "day": day.isoformat(),
            "manifests": [summary_members(each, states.get(each.section)) for each in found],
            "gaps": [gap_members(gap) for gap in gaps],
        }
    )
    for each in found:
        section, side, way = each.section, _SIDES[each.side], _WAYS[each.section.direction]
        known = states.get(section) if each.side == "bus" else None
        vi = f"; đã chuyển {known.delivered}, đã nhận {known.accepted}, đã xử lý {known.processed}" if known else ""
        en = f"; delivered {known.delivered}, accepted {known.accepted}, processed {known.processed}" if known else ""
        mark = each.root[:16]
        place.say(
            f"{section.system}  {way.vi}  {section.contract}  [{side.vi}] {each.count}  {mark}{vi}",
            f"{section.system}  {way.en}  {section.contract}  [{side.en}] {each.count}  {mark}{en}",
        )
    _tell_gaps(place, gaps)
    if not found:
        place.say(
            f"Chưa có bản kê ngày {day}: trục lập sau nửa đêm.",
            f"There is no manifest of {day}: the bus makes it after midnight.",
        )


@reconcile.command(
    epilog=examples(
        "lgsp -C tinh reconcile compare nhan.csv --system H33.16/dms --day 2026-11-23",
        "lgsp -C tinh reconcile compare gui.csv --system H33.05/dms --day 2026-11-23 --sent",
    )
)
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_system_option
@_day_option
@click.option("--sent", is_flag=True, help="Tệp kê những gì hệ thống đã gửi. The file lists what the system sent.")
@json_option
@click.pass_obj
def compare(place: Place, file: Path, system: str, day: date, sent: bool) -> int:
    """So tệp CSV của một hệ thống với bản kê của trục. Compare a system's table (CSV) with the bus's manifest.

    Cột id, nếu có thêm digest, contract, direction. Kết thúc bằng 1 khi có gì khác nhau. Exit status 1 where they
    differ.
    """
    from gateway.api.manifests import judged_members
    from gateway.core.manifest_table import read_table
    from gateway.ports.manifests import statements_of

    direction: Direction = "sent" if sent else "received"
    said = statements_of(read_table(file.read_bytes(), direction), direction)

    async def work(steps: _Steps) -> list[Judged]:
        _check(steps.directory, system)
        known = {each.day for each in await steps.reconcile.manifests.days()}
        if day not in known and day < day_of(time.time()):
            await steps.reconcile.gather.day(day)
        return await steps.reconcile.said(system, day, said, is_all=False)

    judged = _do(place, work)
    place.give({"day": day.isoformat(), "manifests": [judged_members(each) for each in judged]})
    for each in judged:
        way, contract = _WAYS[each.section.direction], each.section.contract
        if not each.is_compared:
            place.say(
                f"{way.vi} {contract}: đã ghi nhận, so khi hết ngày",
                f"{way.en} {contract}: kept, compared when the day is over",
            )
        elif each.is_same:
            place.say(f"{way.vi} {contract}: khớp", f"{way.en} {contract}: the same")
        _tell_gaps(place, each.gaps)
    return FAILED if any(each.gaps for each in judged) else 0


@reconcile.command(
    "replay-missing",
    epilog=examples(
        "lgsp -C tinh reconcile replay-missing --system H33.16/dms --day 2026-11-23 --dry-run",
        "lgsp -C tinh reconcile replay-missing --system H33.16/dms --day 2026-11-23 --reason 'mất ổ đĩa'",
    ),
)
@_system_option
@_day_option
@click.option("--contract", metavar="NAME", help="Chỉ hợp đồng này. Of this contract only.")
@click.option("--id", "ids", metavar="ID", multiple=True, help="Chỉ thông điệp này. Only this message; repeatable.")
@click.option("--reason", metavar="TEXT", help="Lý do, được lưu lại. The reason, kept with the act.")
@click.option("--dry-run", is_flag=True, help="Chỉ xem sẽ làm gì. Show what would be done, and do nothing.")
@json_option
@click.pass_obj
def replay_missing(place: Place, *, system: str, day: date, contract: str | None, ids: tuple[str, ...],
                   reason: str | None, dry_run: bool) -> None:  # fmt: skip
    """Gửi lại những gì bên nhận bị mất, đúng một lần. Send again what the receiver lost, each once."""
    from gateway.api.manifests import missing_members

    if not dry_run and not (reason or "").strip():
        raise Misuse(Text("Cần --reason, hoặc --dry-run để xem trước.", "Give --reason, or --dry-run to look first."))

    async def work(steps: _Steps) -> tuple[Missing, Operation | None]:
        seen = await steps.missing.preview(day, system, contract=contract, ids=ids or None)
        if dry_run:
            return seen, None
        return seen, await steps.missing.do(seen, reason=reason or "", author=actor())

    seen, made = _do(place, work)
    place.give({**missing_members(seen), **({} if made is None else {"operation": made.id})})
    for gap in seen.gaps[:_SHOWN]:
        place.say(f"  {gap.section.contract}  {gap.id}", f"  {gap.section.contract}  {gap.id}")
    for name, count in sorted(seen.left_out.items()):
        why = seen.why(name)
        place.say(f"  {count} không gửi lại: {why.vi}", f"  {count} not sent again: {why.en}")
    if made is None:
        place.say(f"Sẽ gửi lại {len(seen.gaps)} thông điệp.", f"{len(seen.gaps)} messages would be sent again.")
    else:
        place.say(
            f"Đợt {made.id}: gửi lại {made.total} thông điệp. Theo dõi: lgsp replay show {made.id}",
            f"Operation {made.id}: {made.total} messages are sent again. Follow it: lgsp replay show {made.id}",
        )


def _check(directory: Directory, system: str) -> None:
    if directory.system(system) is None:
        raise Misuse(Text(f"Không có hệ thống {system} trong danh mục.", f"There is no system {system}."))


def _tell_gaps(place: Place, gaps: list[Gap] | tuple[Gap, ...]) -> None:
    for kind in KINDS:
        alike = [gap for gap in gaps if gap.kind == kind]
        if alike:
            place.say(f"{len(alike)}: {MEANINGS[kind].vi}", f"{len(alike)}: {MEANINGS[kind].en}")
        for gap in alike[:_SHOWN]:
            section, again = gap.section, "" if gap.operation is None else f"  → {gap.operation}"
            at = format_moment(gap.at) if gap.at else ""
            line = f"    {section.day}  {section.system}  {section.contract}  {gap.id}  {at}{again}"
            place.say(line, line)
        if len(alike) > _SHOWN:
            more = len(alike) - _SHOWN
            place.say(f"    … và {more} nữa (xem --json)", f"    … and {more} more (see --json)")
