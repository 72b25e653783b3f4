"""``dossiers``: where each dossier stands, what is odd about it, which deadlines were missed, a month as one table."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from gateway.cli.frame import FAILED, Misuse, Place, examples, json_option, opened_ledger
from gateway.core.faults import Text

if TYPE_CHECKING:
    from gateway.core.directory import Directory
    from gateway.core.dossiers.dossier import Dossier, Head
    from gateway.core.dossiers.table import Table
    from gateway.relay.dossiers import Dossiers

_Answer = TypeVar("_Answer")
#: Where a gateway keeps more coming than this, lists are as of a moment ago.
_ROUNDS: Final = 200
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")
_COUNTED: Final[tuple[tuple[str, Text], ...]] = (
    ("received", Text("Tiếp nhận", "Received")),
    ("carried_over", Text("  kỳ trước chuyển qua", "  carried over")),
    ("online", Text("  trực tuyến", "  online")),
    ("direct", Text("  trực tiếp", "  at the counter")),
    ("post", Text("  bưu chính", "  by post")),
    ("done", Text("Đã giải quyết", "Done")),
    ("done_early", Text("  trước hạn", "  early")),
    ("done_on_time", Text("  đúng hạn", "  on time")),
    ("done_overdue", Text("  quá hạn", "  overdue")),
    ("pending", Text("Đang giải quyết", "Pending")),
    ("pending_in_time", Text("  trong hạn", "  in time")),
    ("pending_overdue", Text("  quá hạn", "  overdue")),
    ("waiting", Text("Đang chờ", "Waiting")),
    ("supplement", Text("  bổ sung giấy tờ", "  for a supplement")),
    ("awaiting_payment", Text("  nghĩa vụ tài chính", "  for a payment")),
    ("stopped", Text("  dừng xử lý", "  stopped")),
    ("returned", Text("Trả lại, rút", "Returned, withdrawn")),
    ("not_received", Text("Không tiếp nhận, chưa tiếp nhận (không tính vào tổng)", "Not received (in no sum)")),
    ("unknown_channel", Text("Không rõ kênh (tính là trực tiếp)", "Of no known channel (as at the counter)")),
)
_limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Nhiều nhất bấy nhiêu. At most so many.",
)


@contextlib.asynccontextmanager
async def _looking(place: Place) -> AsyncIterator[tuple[Dossiers, Directory]]:
    """The step over the ledger, beside any running gateway, for the length of a ``with`` block.

    What was said since anybody looked is worked out first: without a gateway nobody else does.
    """
    from gateway import compose
    from gateway.config.law import read_law

    async with opened_ledger(place.settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        picture = compose.picture_of(place.settings, version, rows, compose.built_in_catalog())
        law = read_law(place.settings.law_folders, place.settings.folder)
        step = compose.dossiers_on(ledger, lambda: picture.catalog, law.calendar)
        for _ in range(_ROUNDS):
            if not await step.settle_once():
                break
        yield step, picture.directory


def _ask(place: Place, question: Callable[[Dossiers, Directory], Awaitable[_Answer]]) -> _Answer:
    async def run() -> _Answer:
        async with _looking(place) as (step, directory):
            return await question(step, directory)

    return asyncio.run(run())


@click.group(
    epilog=examples(
        "lgsp -C tinh dossiers list --lead H33.16", "lgsp -C tinh dossiers show H33.16-261012-0007",
        "lgsp -C tinh dossiers table --month 2026-10",
    )
)  # fmt: skip
def dossiers() -> None:
    """Hồ sơ một cửa: đang ở đâu, chặng nào quá hạn, bảng tháng. Where one-stop dossiers stand, and which are late."""


@dossiers.command("list", epilog=examples("lgsp -C tinh dossiers list --lead H33.16 --status 5"))
@click.option("--lead", metavar="AGENCY", help="Chỉ hồ sơ cơ quan này chịu trách nhiệm. Of this agency only.")
@click.option("--status", type=click.IntRange(1, 10), help="Chỉ trạng thái này. In this status only.")
@click.option("--after", metavar="CODE", default="", help="Trang sau mã này. The page after this code.")
@_limit_option
@json_option
@click.pass_obj
def list_(place: Place, lead: str | None, status: int | None, after: str, limit: int) -> None:
    """Hồ sơ theo mã, với trạng thái và hạn. Dossiers by code, with their status and due date."""
    _list(place, lead, after, limit, status=status)


@dossiers.command(epilog=examples("lgsp -C tinh dossiers overdue", "lgsp -C tinh dossiers overdue --lead H33.16"))
@click.option("--lead", metavar="AGENCY", help="Chỉ hồ sơ cơ quan này chịu trách nhiệm. Of this agency only.")
@click.option("--after", metavar="CODE", default="", help="Trang sau mã này. The page after this code.")
@_limit_option
@json_option
@click.pass_obj
def overdue(place: Place, lead: str | None, after: str, limit: int) -> None:
    """Hồ sơ chưa xong đã quá hạn, hoặc có chặng đã lỡ hạn. Unfinished dossiers that are late, or a part of which is."""
    _list(place, lead, after, limit, is_late=True)


def _list(place: Place, lead: str | None, after: str, limit: int, **wish: Any) -> None:
    from gateway.api.courses import head
    from gateway.cli.course import missed_words

    async def work(step: Dossiers, directory: Directory) -> tuple[list[Head], str | None]:
        return await step.heads(lead=_canonical(directory, lead), after=after, limit=limit, **wish)

    found, following = _ask(place, work)
    place.give({"dossiers": [head(each) for each in found], **({} if following is None else {"next": following})})
    for each in found:
        place.say(_line(each).vi, _line(each).en)
        for agency, hop, due in each.warned:
            place.say(f"    {missed_words(agency, hop, due).vi}", f"    {missed_words(agency, hop, due).en}")
    if following is not None:
        place.say(f"Còn nữa: --after {following}", f"More: --after {following}")
    elif not found:
        place.say("Không có hồ sơ nào như vậy.", "There is no such dossier.")


@dossiers.command(epilog=examples("lgsp -C tinh dossiers show H33.16-261012-0007"))
@click.argument("code", metavar="CODE")
@json_option
@click.pass_obj
def show(place: Place, code: str) -> None:
    """Một hồ sơ: các bước đã báo, điều bất thường, từng chặng. One dossier: its steps, what is odd, its parts.

    Không hiện dữ liệu của người nộp. Nothing of its applicant is shown.
    """
    from gateway.api.courses import dossier

    found = _ask(place, lambda step, _: step.course(code))
    if found is None:
        place.give({})
        place.complain(
            Text(
                f"Trục chưa thấy hồ sơ {code}. Hãy kiểm tra mã với đơn vị tiếp nhận.",
                f"The bus knows no dossier {code}. Check the code with the unit that received it.",
            )
        )
        raise click.exceptions.Exit(FAILED)
    now = time.time()
    place.give(dossier(found, now))
    _tell(place, found, now)


@dossiers.command(
    epilog=examples(
        "lgsp -C tinh dossiers table --month 2026-10",
        "lgsp -C tinh dossiers table --month 2026-10 --agency H33.16 --by procedure",
    )
)
@click.option("--month", metavar="YYYY-MM", required=True, help="Tháng. The month.")
@click.option("--agency", metavar="AGENCY", help="Chỉ cơ quan này. Of this agency only.")
@click.option("--by", type=click.Choice(["agency", "procedure"]), default="agency", show_default=True,
              help="Một bảng cho mỗi cơ quan, hay mỗi thủ tục. A table for each of these.")  # fmt: skip
@json_option
@click.pass_obj
def table(place: Place, month: str, agency: str | None, by: str) -> None:
    """Bảng tháng: tiếp nhận = đã giải quyết + đang giải quyết + trả lại + đang chờ. A month as a table.

    Số liệu theo những gì trục đã thấy, không thay báo cáo chính thức. By what the bus saw; no official report.
    """
    from gateway.core.dossiers.table import by_lead, by_procedure, month_of, total_of

    found = _MONTH.match(month)
    if found is None or found[1] == "0000":
        raise Misuse(
            Text(
                f"--month {month} không phải năm và tháng như 2026-10.",
                f"--month {month} is no year and month such as 2026-10.",
            )
        )
    since, until = month_of(int(found[1]), int(found[2]))

    async def work(step: Dossiers, directory: Directory) -> dict[str, Table]:
        counted = by_procedure if by == "procedure" else by_lead
        end = max(since, min(until, time.time()))
        return await step.tables(since, end, lead=_canonical(directory, agency), by=counted)

    tables = _ask(place, work)
    total = total_of(tables)
    place.give(
        {
            "month": month,
            "tables": [{by: name, **asdict(each)} for name, each in tables.items()],
            "total": asdict(total),
        }
    )
    if len(tables) > 1:
        _count(place, Text(f"Tất cả, {month}", f"All of them, {month}"), total)
    for name, each in tables.items():
        _count(place, Text(f"{name}, {month}", f"{name}, {month}"), each)
    if not tables:
        place.say(f"Không có hồ sơ nào trong tháng {month}.", f"There is no dossier in {month}.")


def _count(place: Place, title: Text, table: Table) -> None:
    place.say(title.vi, title.en)
    for name, words in _COUNTED:
        number = getattr(table, name)
        place.say(f"  {number:>8}  {words.vi}", f"  {number:>8}  {words.en}")


def _line(each: Head) -> Text:
    from gateway.cli.course import day_words, odd_words
    from gateway.core.dossiers.statuses import name_of

    status = Text("chưa rõ", "not known") if each.status is None else name_of(each.status)
    number = "" if each.status is None else f"{each.status} "
    due = "" if each.due is None else day_words(each.due)
    return Text(
        f"{each.code}  {each.lead}  {number}{status.vi}{f'  hạn {due}' if due else ''}{odd_words(each.flags).vi}",
        f"{each.code}  {each.lead}  {number}{status.en}{f'  due {due}' if due else ''}{odd_words(each.flags).en}",
    )


def _tell(place: Place, found: Dossier, now: float) -> None:
    from gateway.cli.course import course_words

    for line in course_words(found, now):
        place.say(line.vi, line.en)


def _canonical(directory: Directory, code: str | None) -> str | None:
    found = None if code is None else directory.agency(code) or directory.agency(code.upper())
    return code if found is None else found.code
