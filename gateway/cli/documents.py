"""``documents``: what became of a document at each agency, statuses without a document, what is owed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar

import click

from gateway.cli.frame import FAILED, Place, examples, json_option, opened_ledger
from gateway.core.edxml.codelist import STATUS
from gateway.core.faults import Text
from gateway.core.moments import VIET_NAM

if TYPE_CHECKING:
    from gateway.core.documents.view import DocumentView, RecipientView
    from gateway.ports.documents import Registered
    from gateway.relay.documents import Documents

_Answer = TypeVar("_Answer")
_KINDS: Final[Mapping[str, Text]] = {
    "new": Text("văn bản", "document"),
    "recall": Text("thu hồi", "recall"),
    "update": Text("cập nhật", "update"),
    "replace": Text("thay thế", "replacement"),
    "cancel": Text("lấy lại (13)", "taking back (13)"),
    "status": Text("trạng thái", "status"),
}
_ANSWERS: Final[Mapping[str, Text]] = {
    "agreed": Text("đồng ý (15)", "agreed (15)"),
    "refused": Text("không đồng ý (16)", "refused (16)"),
    "open": Text("chưa trả lời", "no answer yet"),
}
_TRANSPORT: Final[Mapping[str, Text]] = {
    "queued": Text("đang chờ chuyển", "queued"),
    "leased": Text("đang chuyển", "being delivered"),
    "held": Text("bị giữ lại", "on hold"),
    "blocked": Text("chờ văn bản trước", "behind an earlier one"),
    "delivered": Text("đã chuyển", "delivered"),
    "dead": Text("không chuyển được", "could not be delivered"),
    "expired": Text("quá hạn", "expired"),
    "discarded": Text("bị bỏ", "discarded"),
}
_limit_option = click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Nhiều nhất bấy nhiêu. At most so many.",
)


@contextlib.asynccontextmanager
async def _looking(place: Place) -> AsyncIterator[Documents]:
    """The step over the ledger, beside any running gateway, for the length of a ``with`` block."""
    from gateway import compose

    async with opened_ledger(place.settings, must_exist=True) as ledger:
        version, rows = await ledger.registry()
        picture = compose.picture_of(place.settings, version, rows, compose.built_in_catalog())
        yield compose.documents_on(ledger, lambda: picture.directory)


def _ask(place: Place, question: Callable[[Documents], Awaitable[_Answer]]) -> _Answer:
    async def run() -> _Answer:
        async with _looking(place) as documents:
            return await question(documents)

    return asyncio.run(run())


@click.group(
    epilog=examples("lgsp -C tinh documents list H33.05", 'lgsp -C tinh documents show "H33.05,2026/10/12,1284/STC-NS"')
)
def documents() -> None:
    """Văn bản đã gửi và kết quả ở từng nơi nhận. Documents that were sent, and what became of them."""


@documents.command("list", epilog=examples("lgsp -C tinh documents list H33.05 --limit 10"))
@click.argument("agency", metavar="AGENCY")
@_limit_option
@json_option
@click.pass_obj
def list_(place: Place, agency: str, limit: int) -> None:
    """Văn bản một cơ quan đã ban hành, mới nhất trước. What an agency issued, the youngest first."""
    from gateway.api.registered import line

    found = _ask(place, lambda documents: documents.issued(agency, limit=limit))
    place.give({"documents": [line(each) for each in found]})
    for each in found:
        kind, to = _KINDS[each.entry.kind], each.entry.recipients
        by = _by(None if each.entry.is_vouched else each.source)
        place.say(
            f"{_day(each.accepted_at)}  {kind.vi:9}  {each.entry.document}  → {', '.join(to)}{by.vi}",
            f"{_day(each.accepted_at)}  {kind.en:11}  {each.entry.document}  → {', '.join(to)}{by.en}",
        )
    if not found:
        place.say(f"{agency} chưa ban hành văn bản nào qua trục.", f"{agency} has issued nothing through the bus.")


@documents.command(epilog=examples('lgsp -C tinh documents show "H33.05,2026/10/12,1284/STC-NS"'))
@click.argument("id_", metavar="ID")
@click.option("--issuer", metavar="AGENCY", help="Chỉ văn bản của cơ quan này. Of this agency only.")
@json_option
@click.pass_obj
def show(place: Place, id_: str, issuer: str | None) -> None:
    """Một văn bản: vận chuyển, trạng thái, thu hồi, thay thế. One document and what became of it everywhere."""
    from gateway.api.registered import document

    async def work(step: Documents) -> list[DocumentView]:
        if issuer is None:
            return await step.views(id_)
        view = await step.view(issuer, id_)
        return [] if view is None else [view]

    found = _ask(place, work)
    place.give({"documents": [document(view) for view in found]})
    for view in found:
        _tell(place, view)
    if not found:
        place.complain(
            Text(
                f"Trục chưa thấy văn bản {id_}. Hãy kiểm tra mã, hoặc nêu cơ quan ban hành bằng --issuer.",
                f"The bus knows no document {id_}. Check the id, or name its issuer with --issuer.",
            )
        )
        raise click.exceptions.Exit(FAILED)


@documents.command(epilog=examples("lgsp -C tinh documents parked", "lgsp -C tinh documents parked --given-up --json"))
@click.option("--given-up", is_flag=True, help="Những trạng thái không còn chờ. Those that are waited for no longer.")
@_limit_option
@json_option
@click.pass_obj
def parked(place: Place, given_up: bool, limit: int) -> None:
    """Trạng thái của văn bản trục chưa thấy. Statuses of documents that the bus does not know."""
    from gateway.api.registered import line

    async def work(step: Documents) -> list[Registered]:
        return list(await step.register.parked(is_given_up=given_up, limit=limit))

    found = _ask(place, work)
    place.give({"statuses": [line(each) for each in found]})
    for each in found:
        name, entry = STATUS.get(each.entry.code, Text("?", "?")), each.entry
        document = entry.document or entry.key
        place.say(
            f"{_day(each.accepted_at)}  {entry.reporter} báo {entry.code} {name.vi}: {document} của {entry.issuer}",
            f"{_day(each.accepted_at)}  {entry.reporter} reports {entry.code} {name.en}: {document} of {entry.issuer}",
        )
    if not found:
        place.say("Không có trạng thái nào chờ văn bản.", "No status is without its document.")


@documents.command(epilog=examples("lgsp -C tinh documents duties", "lgsp -C tinh documents duties --agency H33.16"))
@click.option("--agency", metavar="AGENCY", help="Chỉ của cơ quan này. Of this agency only.")
@_limit_option
@json_option
@click.pass_obj
def duties(place: Place, agency: str | None, limit: int) -> None:
    """Việc phải làm với văn bản mà chưa làm, việc đến hạn trước đứng trước. What is owed and not done yet."""
    from gateway.api.registered import duty

    found = _ask(place, lambda documents: documents.register.duties(agency=agency, limit=limit))
    place.give({"duties": [duty(each) for each in found]})
    for each in found:
        place.say(
            f"{each.agency}  {each.name}  hạn {_day(each.due)}  {each.document} của {each.issuer}"
            f"  (đã nhắc {each.level} lần)",
            f"{each.agency}  {each.name}  due {_day(each.due)}  {each.document} of {each.issuer}"
            f"  ({each.level} reminders)",
        )
    if not found:
        place.say("Không còn việc nào chưa làm.", "Nothing is owed.")


def _tell(place: Place, view: DocumentView) -> None:
    from gateway.api.registered import STANDINGS

    standing = STANDINGS[view.standing]
    unknown = Text("", "") if view.is_known else Text(" (trục chưa thấy văn bản này)", " (not seen by the bus)")
    place.say(f"{view.document}{unknown.vi}", f"{view.document}{unknown.en}")
    place.say(f"  {view.issuer} ban hành; {standing.vi}", f"  issued by {view.issuer}; {standing.en}")
    for issue in view.issues:
        kind, by = _KINDS[issue.kind], _by(issue.told_by)
        place.say(
            f"  {_moment(issue.accepted_at)}  {kind.vi}  {issue.key} → {', '.join(issue.recipients)}{by.vi}",
            f"  {_moment(issue.accepted_at)}  {kind.en}  {issue.key} → {', '.join(issue.recipients)}{by.en}",
        )
    for recipient in view.recipients:
        _tell_recipient(place, recipient)


def _tell_recipient(place: Place, view: RecipientView) -> None:
    from gateway.api.registered import STANDINGS

    way = Text("không rõ", "not known") if view.transport is None else _TRANSPORT[view.transport]
    far = Text("chưa báo trạng thái", "no status yet") if view.progress is None else STATUS[view.progress]
    code, standing = "" if view.progress is None else f"{view.progress} ", STANDINGS[view.standing]
    flags = [(flag, STATUS[flag]) for flag in view.flags]
    place.say(
        f"  {view.agency}: {way.vi}; {code}{far.vi}; {standing.vi}"
        + "".join(f"; {flag} {name.vi}" for flag, name in flags),
        f"  {view.agency}: {way.en}; {code}{far.en}; {standing.en}"
        + "".join(f"; {flag} {name.en}" for flag, name in flags),
    )
    for change, answer in view.changes:
        kind, said = _KINDS[change.kind], _ANSWERS[answer]
        place.say(f"      {kind.vi} {change.document}: {said.vi}", f"      {kind.en} {change.document}: {said.en}")
    for told in view.history:
        name, again = STATUS[told.code], Text(" (lặp lại)", " (again)") if told.is_repeat else Text("", "")
        by = _by(told.told_by)
        at = "?" if told.said_at is None else _moment(told.said_at)
        place.say(
            f"      {at}  {told.code} {name.vi}{again.vi}  [{_moment(told.accepted_at)}]{by.vi}",
            f"      {at}  {told.code} {name.en}{again.en}  [{_moment(told.accepted_at)}]{by.en}",
        )


def _by(system: str | None) -> Text:
    """Whose word it is, where that system may not speak for the agency that it names."""
    if system is None:
        return Text("", "")
    return Text(f"  (chỉ {system} nói vậy, không tính)", f"  (told by {system} alone, does not count)")


def _day(moment: float) -> str:
    return _moment(moment)[:16]


def _moment(moment: float) -> str:
    """Viet Nam's time, to the second."""
    return datetime.fromtimestamp(moment, tz=VIET_NAM).strftime("%Y-%m-%d %H:%M:%S")
