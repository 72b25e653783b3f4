"""The command ``calendar``: the working calendar in force, a year of it, and when a deadline ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.frame import Misuse, Place, examples, json_option
from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM, day_of

if TYPE_CHECKING:
    from gateway.core.calendar import DayOff
    from gateway.core.law.deadlines import Term
    from gateway.core.law.rules import Law

_WEEKDAYS: Final = (
    Text("thứ Hai", "Monday"), Text("thứ Ba", "Tuesday"), Text("thứ Tư", "Wednesday"), Text("thứ Năm", "Thursday"),
    Text("thứ Sáu", "Friday"), Text("thứ Bảy", "Saturday"), Text("Chủ nhật", "Sunday"),
)  # fmt: skip


@click.group(epilog=examples("lgsp calendar show 2027", 'lgsp calendar deadline "2026-11-20 16:50" receipt'))
def calendar() -> None:
    """Lịch làm việc, ngày nghỉ và thời hạn theo luật. The working calendar, holidays and deadlines of the law."""


@calendar.command(epilog=examples("lgsp -C tinh calendar check"))
@json_option
@click.pass_obj
def check(place: Place) -> None:
    """Đọc lịch và các quy tắc, cho biết chỗ sai, thiếu hoặc chưa chắc chắn. Whether all can be read, and is certain."""
    law = _law(place)
    years = sorted(law.calendar.years)
    doubts = [each for year in years for each in law.calendar.doubts(year)]
    place.give(
        {
            "result": "sound",
            "years": years,
            "uncertain": [_members(each) for each in doubts],
            "rules": [each.id for each in law.rules],
            "watchwords": [each.id for each in law.watch.watchwords],
        }
    )
    place.say(f"✓ Đọc được lịch các năm: {_listed(years)}", f"✓ Holidays are known of: {_listed(years)}")
    for rule in law.rules:
        place.say(f"✓ {rule.id}: {rule.title.vi} ({rule.basis})", f"✓ {rule.id}: {rule.title.en} ({rule.basis})")
    for each in doubts:
        place.say(f"• Chưa chắc chắn: {_line(place, each)}", f"• Not certain: {_line(place, each)}")


@calendar.command(epilog=examples("lgsp calendar show", "lgsp calendar show 2026 --json"))
@click.argument("year", type=click.IntRange(1990, 2200), required=False)
@click.option("--toml", "as_toml", is_flag=True,
              help="Dạng tệp law/NĂM.toml, để sửa cho năm khác. As a file of law/, to be edited.")  # fmt: skip
@json_option
@click.pass_obj
def show(place: Place, year: int | None, as_toml: bool) -> None:
    """Ngày nghỉ và ngày làm bù của một năm (mặc định: năm nay). A year's days off, and days made up for."""
    law = _law(place)
    asked = year or day_of(datetime.now(UTC).timestamp()).year
    off = sorted((each for each in law.calendar.days_off.values() if each.day.year == asked), key=_day)
    made_up = sorted((each for each in law.calendar.make_up.values() if each.day.year == asked), key=_day)
    if as_toml:
        click.echo("\n".join(_as_toml(asked, off, made_up)))
        return
    working = law.calendar.working_days_between(date(asked - 1, 12, 31), date(asked, 12, 31))
    is_known = law.calendar.covers(asked)
    place.give(
        {
            "year": asked,
            "known": is_known,
            "working_days": working,
            "days_off": [_members(each) for each in off],
            "working": [_members(each) for each in made_up],
        }
    )
    if not is_known:
        place.say(
            f"⚠ Chưa có bảng ngày nghỉ năm {asked}: chỉ trừ thứ Bảy, Chủ nhật. Ghi vào law/{asked}.toml.",
            f"⚠ There is no table of {asked}: weekends alone are left out. Write one into law/{asked}.toml.",
        )
    for each in off:
        place.say(_line(place, each), _line(place, each))
    for each in made_up:
        place.say(f"{_line(place, each)} (làm việc)", f"{_line(place, each)} (offices work)")
    place.say(f"{working} ngày làm việc.", f"{working} working days.")


@calendar.command(
    epilog=examples('lgsp calendar deadline "2026-02-13 16:50" "2 working days"', "lgsp calendar deadline now receipt")
)
@click.argument("since", metavar="MOMENT")
@click.argument("term", metavar="TERM|RULE")
@click.option("--priority", type=click.Choice(["normal", "urgent", "very-urgent", "express"]), default="normal",
              help="Độ khẩn, khi nêu quy tắc. The priority, where a rule is named.")  # fmt: skip
@json_option
@click.pass_obj
def deadline(place: Place, since: str, term: str, priority: str) -> None:
    """Thời hạn kết thúc lúc nào. When a term ends: MOMENT is "YYYY-MM-DD HH:MM" in Viet Nam, or now.

    TERM: "end of working day", "next working morning", "end of next working morning", "end of next working day",
    "N working hours", "N working days"; hoặc mã quy tắc (lgsp calendar check), or the id of a rule.
    """
    law = _law(place)
    start = _moment(since)
    length = _term(law, term, priority)
    end = length.after(start, law.calendar)
    years = range(day_of(start).year, day_of(end).year + 1)
    unknown = [year for year in years if not law.calendar.covers(year)]
    shown = datetime.fromtimestamp(end, VIET_NAM)
    place.give({"from": _iso(start), "term": str(length), "until": _iso(end), "unknown_years": unknown})
    weekday = _WEEKDAYS[shown.weekday()]
    place.say(
        f"{shown:%H:%M} {weekday.vi} {shown:%d/%m/%Y}  ({length})",
        f"{shown:%H:%M} {weekday.en} {shown:%Y-%m-%d}  ({length})",
    )
    if unknown:
        place.say(
            f"⚠ Chưa có bảng ngày nghỉ năm {_listed(unknown)}: ngày lễ chưa được trừ.",
            f"⚠ There is no table of {_listed(unknown)}: its holidays are not left out.",
        )


def _law(place: Place) -> Law:
    """The law of the province folder; the one that comes with the gateway where there is none."""
    from gateway.config.law import read_law
    from gateway.config.settings import FILE

    if not (place.folder / FILE).is_file():
        return read_law()
    return read_law(place.settings.law_folders, place.settings.folder)


def _moment(written: str) -> float:
    if written == "now":
        return datetime.now(UTC).timestamp()
    try:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=VIET_NAM)).timestamp()
    except (ValueError, OverflowError):
        raise Misuse(
            Text(
                f'{written} không phải thời điểm, ví dụ đúng: "2026-11-20 16:50"',
                f'{written} is no moment; for example: "2026-11-20 16:50"',
            )
        ) from None


def _term(law: Law, written: str, priority: str) -> Term:
    from gateway.core.envelope import PRIORITIES
    from gateway.core.law.deadlines import parse_term

    rule = law.rule(written)
    term = parse_term(written) if rule is None else rule.term(PRIORITIES.index(priority))
    if term is None:
        known = _listed([each.id for each in law.rules])
        raise Misuse(
            Text(
                f'{written} không phải thời hạn hay quy tắc; ví dụ "2 working days", hoặc: {known}',
                f'{written} is neither a term nor a rule; for example "2 working days", or: {known}',
            )
        )
    return term


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).isoformat(timespec="seconds")


def _day(each: DayOff) -> date:
    return each.day


def _listed(items: list[Any]) -> str:
    return ", ".join(map(str, items)) or "∅"


def _line(place: Place, each: DayOff) -> str:
    weekday = place.in_words(_WEEKDAYS[each.day.weekday()])
    return f"{each.day}  {weekday}  {each.name}" + ("" if each.is_sure else "  (?)")


def _members(each: DayOff) -> dict[str, Any]:
    return {"day": each.day.isoformat(), "name": each.name, "basis": each.basis, "sure": each.is_sure}


def _as_toml(year: int, off: list[DayOff], made_up: list[DayOff]) -> Iterator[str]:
    """The year as a table of law/YEAR.toml; days on end with one name are one line."""
    bases = [each.basis for each in (*off, *made_up)]
    basis = max(bases, key=bases.count, default="")
    yield "[[years]]"
    yield f"year = {year}"
    yield f"basis = {json.dumps(basis, ensure_ascii=False)}"
    yield "days_off = ["
    first = 0
    for n, each in enumerate(off):
        following = off[n + 1] if n + 1 < len(off) else None
        if following is not None and following.day == each.day + timedelta(1) and _same(following, each):
            continue
        yield f"    {_entry(off[first], each, basis)},"
        first = n + 1
    yield "]"
    yield "working = ["
    yield from (f"    {_entry(each, each, basis)}," for each in made_up)
    yield "]"


def _same(one: DayOff, other: DayOff) -> bool:
    return (one.name, one.basis, one.is_sure) == (other.name, other.basis, other.is_sure)


def _entry(first: DayOff, last: DayOff, basis: str) -> str:
    days = f"day = {first.day}" if first is last else f"from = {first.day}, to = {last.day}"
    said = f"{days}, name = {json.dumps(first.name, ensure_ascii=False)}"
    said += "" if first.basis == basis else f", basis = {json.dumps(first.basis, ensure_ascii=False)}"
    return f"{{ {said}{'' if first.is_sure else ', sure = false'} }}"
