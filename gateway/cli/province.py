"""``init`` and ``apply``: a province folder is made, and put in force."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.frame import FAILED, Misuse, Place, actor, examples, json_option, opened_ledger
from gateway.core.codes import split_system
from gateway.core.faults import Text

if TYPE_CHECKING:
    from gateway.cli.applying import Applied
    from gateway.cli.rights import Granted


@click.command(epilog=examples("lgsp init tinh", "lgsp init /srv/lgsp/tinh --system H33.14/lgsp"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--system", default="H33.14/lgsp", show_default=True, metavar="CODE/NAME",
              help="Hệ thống của trục. The gateway's own system.")  # fmt: skip
@json_option
@click.pass_obj
def init(place: Place, folder: Path, system: str) -> int | None:
    """Tạo thư mục tỉnh mới: cấu hình mặc định chạy được ngay và khoá. Make a new province folder."""
    from gateway.cli.founding import found_province

    if split_system(system) is None:
        raise Misuse(
            Text("--system có dạng CODE/NAME, ví dụ H33.14/lgsp", "--system is CODE/NAME, for example H33.14/lgsp")
        )
    made = found_province(folder, system)
    place.give({"result": "made", "folder": str(folder), "system": system, "files": made})
    place.say(
        f"Đã tạo thư mục tỉnh {folder} cho {system}.\n"
        f"Việc tiếp theo:\n"
        f"  1. Khai báo cơ quan trong {folder}/agencies và thoả thuận trong {folder}/agreements (mẫu ở README.md).\n"
        f"  2. lgsp -C {folder} apply\n"
        f"  3. lgsp -C {folder} serve",
        f"Made the province folder {folder} for {system}.\n"
        f"What comes next:\n"
        f"  1. Describe agencies in {folder}/agencies and agreements in {folder}/agreements (see README.md).\n"
        f"  2. lgsp -C {folder} apply\n"
        f"  3. lgsp -C {folder} serve",
    )
    return None


@click.command(epilog=examples("lgsp -C tinh apply --dry-run", "lgsp apply tinh"))
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Chỉ xem thay đổi. Show the difference, change nothing.")
@json_option
@click.pass_obj
def apply(place: Place, folder: Path | None, dry_run: bool) -> int | None:
    """Áp dụng thư mục tỉnh vào danh mục của trục. Make the registry equal to the folder.

    Chỉ đụng tới những gì do thư mục này khai báo. Chạy được cả khi trục đang chạy.
    Touches only what the folder declared; works beside a running gateway.
    """
    from gateway.cli.applying import apply_folder, plan
    from gateway.cli.rights import Granted, grant, rows_after

    if folder is not None:
        place.folder = folder
    settings = place.settings

    async def work() -> tuple[Applied, Granted]:
        if not settings.is_founded:
            # judged before anything is made; a database appears only for a folder that is right
            planned, province = plan(settings, 0, [])
            if dry_run:
                return planned, await grant(settings, province.rows, planned.difference, dry_run=True)
        async with opened_ledger(settings) as ledger:
            applied = await apply_folder(ledger, settings, actor=actor(), now=time.time(), dry_run=dry_run)
            if applied.difference.clashes:
                return applied, Granted()
            _, rows = await ledger.registry()
            after = rows_after(rows, applied.difference)
            return applied, await grant(settings, after, applied.difference, dry_run=dry_run)

    applied, granted = asyncio.run(work())
    _tell(place, applied, granted, dry_run=dry_run)
    return FAILED if applied.difference.clashes or granted.fault is not None else None


def _tell(place: Place, applied: Applied, granted: Granted, *, dry_run: bool) -> None:
    from gateway.cli import rights_told

    found, folder = applied.difference, place.settings
    result = "refused" if found.clashes else "planned" if dry_run else "applied" if applied.is_written else "unchanged"
    place.give(
        {
            "result": result,
            "version": applied.version,
            **found.as_json(),
            "keys": [{"system": pair.system, "key": folder.shown(pair.key)} for pair in applied.pairs],
            "warnings": [{"where": each.where, **each.said._asdict()} for each in applied.warnings],
            "broker": rights_told.as_json(granted, folder),
        }
    )
    for each in applied.warnings:
        place.say(f"⚠ {each.where}: {each.said.vi}", f"⚠ {each.where}: {each.said.en}")
    if not place.as_json:
        for line in found.lines(place.language or "vi"):
            click.echo(line)
    for pair in applied.pairs:
        shown = folder.shown(pair.certificate if pair.has_key else pair.key)
        if applied.is_written:
            place.say(f"* đã tạo {shown} cho {pair.system}", f"* made {shown} for {pair.system}")
        else:
            place.say(f"* sẽ tạo {shown} cho {pair.system}", f"* would make {shown} for {pair.system}")
    if found.clashes:
        place.say("Không áp dụng gì, vì có chỗ trùng (!).", "Nothing was applied, because of the clashes (!).")
    elif dry_run and not found.is_empty:
        place.say("Chưa thay đổi gì (--dry-run).", "Nothing was changed (--dry-run).")
    elif applied.is_written:
        counts = len(found.added), len(found.changed), len(found.removed)
        place.say("Đã áp dụng: thêm {}, sửa {}, bỏ {}.".format(*counts),
                  "Applied: {} added, {} changed, {} removed.".format(*counts))  # fmt: skip
    rights_told.tell(place, granted)
