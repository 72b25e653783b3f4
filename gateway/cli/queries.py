"""``queries``: who asked what of whom and why, who looked at one person, the log that the law wants, counts a month.

Whoever reads it here is on record, as at the operators' door.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import re
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

from gateway.cli.frame import Misuse, Place, actor, examples, json_option, opened_ledger
from gateway.cli.seeking import Moment
from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM
from gateway.ports.queries import Outcome

if TYPE_CHECKING:
    from gateway.ports.queries import Logged
    from gateway.relay.lookups import Lookups, Sought

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")
_OUTCOMES: Final = get_args(Outcome)
_NAMES: Final = {
    "asked": Text("chưa xong", "not ended"),
    "answered": Text("đã trả lời", "answered"),
    "empty": Text("không có bản ghi", "no record"),
    "failed": Text("nơi cung cấp không trả lời", "the provider did not answer"),
}
#: What a spreadsheet would take for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_since_option = click.option("--since", type=Moment(), metavar="WHEN",
                             help="Hỏi từ lúc này: 2026-11-22, 2d, … Asked since then.")  # fmt: skip
_until_option = click.option("--until", type=Moment(), metavar="WHEN", help="Hỏi trước lúc này. Asked before then.")
_key_option = click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE",
    help="Khoá webhook cũ, để tìm dấu cũ; mặc định khoá hiện nay. An older webhook key, for older marks.",
)  # fmt: skip


@contextlib.asynccontextmanager
async def _looking(place: Place, key: Path | None = None) -> AsyncIterator[Lookups]:
    """The step over the ledger, beside any running gateway, for the length of a ``with`` block."""
    from gateway import compose
    from gateway.trust.keyring import read_mark_key

    path = place.settings.webhook_key if key is None else key
    async with opened_ledger(place.settings, must_exist=True) as ledger:
        yield compose.lookups_on(ledger, lambda: read_mark_key(path, place.settings.shown(path)))


@click.group(
    epilog=examples(
        "lgsp -C tinh queries list --source H33.05/dms --since 2d", "lgsp -C tinh queries who 000000000000",
        "lgsp -C tinh queries export --since 2026-11-01 --until 2026-12-01 --format csv > nhat-ky.csv",
        "lgsp -C tinh queries count --month 2026-11",
    )
)  # fmt: skip
def queries() -> None:
    """Nhật ký tra cứu: ai hỏi gì, về ai, để làm gì. The log of queries: who asked what, about whom, and why."""


@queries.command("list", epilog=examples("lgsp -C tinh queries list --provider H33.16/dms --outcome failed"))
@click.option("--source", metavar="CODE/NAME", help="Chỉ hệ thống này hỏi. Asked by this system only.")
@click.option("--provider", metavar="CODE/NAME", help="Chỉ hỏi hệ thống này. Asked of this system only.")
@_since_option
@_until_option
@click.option("--outcome", type=click.Choice(_OUTCOMES), help="Chỉ kết quả này. With this outcome only.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@json_option
@click.pass_obj
def list_(
    place: Place, *, source: str | None, provider: str | None, since: float | None, until: float | None,
    outcome: Any, limit: int,
) -> None:  # fmt: skip
    """Truy vấn, mới nhất trước; không có nội dung hỏi đáp. Queries, the youngest first; nothing of what was said."""
    from gateway.relay.lookups import Sought

    asyncio.run(_told(place, Sought(source, provider, since, until, outcome), "list", limit))


@queries.command(epilog=examples("lgsp -C tinh queries who -", "lgsp -C tinh queries who 000000000000 --since 30d"))
@click.argument("subject", metavar="SUBJECT")
@_key_option
@_since_option
@_until_option
@json_option
@click.pass_obj
def who(place: Place, subject: str, key: Path | None, since: float | None, until: float | None) -> None:
    """Ai đã tra cứu người hoặc đối tượng này. Who looked at this person or thing, when and why.

    SUBJECT là mã đã hỏi (subject của truy vấn); ghi - để nhập từ bàn phím, không lưu vào lịch sử lệnh.
    SUBJECT is what was asked about; - reads it from stdin, so that it stands in no shell's history.
    """
    from gateway.relay.lookups import Sought

    named = sys.stdin.readline() if subject == "-" else subject
    if not named.strip():
        raise Misuse(Text("SUBJECT không được trống.", "SUBJECT must not be empty."))

    async def work() -> None:
        async with _looking(place, key) as step:
            sought = Sought(since=since, until=until, mark=step.mark(named))
            await _say_all(place, step, sought, "who", None)

    asyncio.run(work())


@queries.command(epilog=examples("lgsp -C tinh queries export --since 2026-11-01 --until 2026-12-01 --format json"))
@_since_option
@_until_option
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True,
              help="Dạng kết quả; json: mỗi dòng một đối tượng. The form; json: an object a line.")  # fmt: skip
@json_option
@click.pass_obj
def export(place: Place, since: float | None, until: float | None, form: str) -> None:
    """Nhật ký theo Điều 45 Nghị định 47/2020/NĐ-CP. The log of Decree 47/2020, article 45, on stdout."""
    from gateway.api.looked import COLUMNS, record
    from gateway.relay.lookups import Sought

    async def work() -> None:
        async with _looking(place) as step:
            sought = Sought(since=since, until=until)
            await step.looked(actor(), sought, form=f"export {form}")
            table = csv.writer(sys.stdout, lineterminator="\n")
            if form == "csv" and not place.as_json:
                table.writerow(COLUMNS)
            async for each in step.every(sought):
                row = record(each)
                if form == "json" or place.as_json:
                    click.echo(json.dumps(row, ensure_ascii=False))
                else:
                    table.writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in row.values()])

    asyncio.run(work())


@queries.command(epilog=examples("lgsp -C tinh queries count --month 2026-11"))
@click.option("--month", metavar="YYYY-MM", required=True, help="Tháng. The month.")
@json_option
@click.pass_obj
def count(place: Place, month: str) -> None:
    """Số lượt tra cứu của từng cơ quan trong tháng. How many queries each agency asked in a month."""
    from gateway.core.dossiers.table import month_of

    found = _MONTH.match(month)
    if found is None or found[1] == "0000":
        raise Misuse(
            Text(
                f"--month {month} không phải năm và tháng như 2026-11.",
                f"--month {month} is no year and month such as 2026-11.",
            )
        )
    since, until = month_of(int(found[1]), int(found[2]))

    async def work() -> Any:
        async with _looking(place) as step:
            return await step.counted(since, until)

    counts = asyncio.run(work())
    place.give(
        {
            "month": month,
            "counts": [
                {"agency": agency, "contract": contract, "provider": provider, "asked": sum(outcomes.values())}
                | {name: outcomes[name] for name in ("answered", "empty", "failed")}
                for (agency, contract, provider), outcomes in counts.items()
            ],
        }
    )
    for (agency, contract, provider), outcomes in counts.items():
        asked, answered = sum(outcomes.values()), outcomes["answered"]
        place.say(
            f"{agency:12}  {contract} → {provider}: hỏi {asked}, được trả lời {answered}",
            f"{agency:12}  {contract} → {provider}: asked {asked}, answered {answered}",
        )
    if not counts:
        place.say(f"Không có truy vấn nào trong tháng {month}.", f"There is no query in {month}.")


async def _told(place: Place, sought: Sought, form: str, limit: int | None) -> None:
    async with _looking(place) as step:
        await _say_all(place, step, sought, form, limit)


async def _say_all(place: Place, step: Lookups, sought: Sought, form: str, limit: int | None) -> None:
    """Show them as they are read, one a line."""
    from gateway.api.looked import line

    await step.looked(actor(), sought, form=form)
    shown = 0
    async for each in step.every(sought):
        if limit is not None and shown == limit:
            place.say("Còn nữa: tăng --limit, hoặc dùng --until.", "There are more: raise --limit, or use --until.")
            break
        shown += 1
        place.give(line(each))
        place.say(_words(each).vi, _words(each).en)
    if not shown:
        place.say("Không có truy vấn nào như vậy.", "There is no such query.")


def _words(each: Logged) -> Text:
    asking, name = each.asking, _NAMES[each.outcome]
    at = datetime.fromtimestamp(asking.asked_at, tz=VIET_NAM).strftime("%Y-%m-%d %H:%M:%S")
    officer, dossier = asking.officer or "?", asking.dossier or "?"
    return Text(
        f"{at}  {asking.source} (cán bộ {officer}) hỏi {asking.provider} {asking.contract}; hồ sơ {dossier};"
        f" mục đích {asking.purpose or '?'}: {name.vi}",
        f"{at}  {asking.source} (officer {officer}) asked {asking.provider} {asking.contract}; dossier {dossier};"
        f" purpose {asking.purpose or '?'}: {name.en}",
    )
