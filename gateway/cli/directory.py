"""``directory``: lists of agencies from files and systems, seen before they are approved or rejected, with a reason."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from gateway.cli.frame import FAILED, Misuse, Place, actor, examples, json_option, opened_ledger
from gateway.core.agency_changes import KINDS
from gateway.core.agency_reading import MAX_CSV, Reading, read_csv
from gateway.core.codes import split_system
from gateway.core.faults import Text
from gateway.core.moments import format_moment

if TYPE_CHECKING:
    from gateway.ports.agency_lists import KeptList, Proposal
    from gateway.relay.proposals import Act, Proposals

_Answer = TypeVar("_Answer")
_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PHASES: Final[Mapping[str, Text]] = {
    "waiting": Text("chờ duyệt", "to be decided"),
    "approved": Text("đã duyệt", "approved"),
    "rejected": Text("bị từ chối", "rejected"),
    "superseded": Text("đã có đề xuất mới hơn", "superseded by a younger one"),
}
_reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Lý do, được lưu lại. The reason, kept on record."
)
_number_argument = click.argument("number", metavar="N", type=click.IntRange(1, 2**53))


def _do(place: Place, work: Callable[[Proposals], Awaitable[_Answer]]) -> _Answer:
    """Work on the ledger, beside any running gateway."""
    from gateway import compose

    async def run() -> _Answer:
        async with opened_ledger(place.settings, must_exist=True) as ledger:
            version, rows = await ledger.registry()
            directory = compose.picture_of(place.settings, version, rows, compose.built_in_catalog()).directory
            return await work(compose.proposals_on(ledger, lambda: directory))

    return asyncio.run(run())


@click.group(
    epilog=examples(
        "lgsp -C tinh directory import danh-muc.csv --source so-noi-vu --via H33.14/axis",
        "lgsp -C tinh directory proposals",
        "lgsp -C tinh directory approve 3 --reason 'đã đối chiếu'",
    )
)
def directory() -> None:
    """Danh mục cơ quan ngoài tỉnh: nhập, so sánh, duyệt. Lists of agencies: taken in, compared, approved."""


@directory.command(name="import", epilog=examples("lgsp -C tinh directory import danh-muc.csv --source so-noi-vu"))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--source", required=True, metavar="NAME",
              help="Tên nguồn; nhập lại cùng tên là bản mới của danh sách đó. The list's name.")  # fmt: skip
@click.option("--via", metavar="CODE/NAME", help="Hệ thống chuyển hộ cho các cơ quan này. The system that carries.")
@json_option
@click.pass_obj
def import_(place: Place, file: Path, source: str, via: str | None) -> int | None:
    """Nhập tệp CSV (code,name,parent,level,aliases,closed,successor) thành đề xuất. A CSV file becomes a proposal."""
    if not _SOURCE.match(source):
        raise Misuse(Text("--source gồm chữ không dấu, số và . _ -", "--source is letters, digits and . _ -"))
    if via is not None and split_system(via) is None:
        raise Misuse(Text("--via có dạng CODE/NAME, ví dụ H33.14/axis", "--via is CODE/NAME, for example H33.14/axis"))
    with file.open("rb") as opened:
        read = read_csv(opened.read(MAX_CSV + 1), via=via)
    if read.wrong:
        return _tell_mistakes(place, file, read)
    if via is not None and not _do(place, lambda step: _is_registered(step, via)):
        place.complain(
            Text(
                f"Chưa có hệ thống {via}: khai báo trong agencies/ rồi chạy lgsp apply, sau đó nhập lại.",
                f"There is no system {via}: register it in agencies/, run lgsp apply, then import again.",
            )
        )
        return FAILED
    _tell_proposed(place, _do(place, lambda step: step.propose(source, read, by=actor())), source)
    return None


async def _is_registered(step: Proposals, via: str) -> bool:
    return step.directory().system(via) is not None


@directory.command(epilog=examples("lgsp -C tinh directory sync H33.14/axis"))
@click.argument("system", metavar="CODE/NAME")
@json_option
@click.pass_obj
def sync(place: Place, system: str) -> int | None:
    """Hỏi ngay một hệ thống (trục quốc gia) về danh mục của nó. Ask a system for its list of agencies now."""
    from gateway import compose, telemetry

    telemetry.set_up(level="warning")

    async def work() -> Proposal | None:
        opened = await compose.Gateway.open(place.settings)
        try:
            found = opened.picture.directory.system(system)
            if found is None:
                raise Misuse(Text(f"Không có hệ thống {system}", f"There is no system {system}"))
            return await opened.sync.of(found, by=actor())
        finally:
            await opened.let_go()

    from gateway.core.faults import TransientFailure

    try:
        made = asyncio.run(work())
    except (TransientFailure, OSError, TimeoutError) as failure:
        what = str(failure)[:300] or type(failure).__name__
        place.complain(Text(f"{system} không trả lời danh mục: {what}. Kiểm tra đường truyền rồi chạy lại.",
                            f"{system} does not tell its list: {what}. Check the line, then run again."))  # fmt: skip
        return FAILED
    _tell_proposed(place, made, system)
    return None


@directory.command(name="list", epilog=examples("lgsp -C tinh directory list"))
@json_option
@click.pass_obj
def list_(place: Place) -> None:
    """Các danh sách đang áp dụng. The lists in force."""
    from gateway.api.lists import as_list

    async def work(step: Proposals) -> list[KeptList]:
        return list(await step.lists.listed())

    found = _do(place, work)
    place.give({"lists": [as_list(each) for each in found]})
    for each in found:
        checked = format_moment(each.checked_at)
        place.say(f"{each.source}: {each.count} cơ quan, hỏi lần cuối {checked}",
                  f"{each.source}: {each.count} agencies, last asked {checked}")  # fmt: skip
    if not found:
        place.say("Chưa có danh sách nào.", "There is no list.")


@directory.command(epilog=examples("lgsp -C tinh directory proposals", "lgsp -C tinh directory proposals --all --json"))
@click.option("--all", "is_all", is_flag=True, help="Cả những đề xuất đã quyết định. Those that were decided too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True,
              help="Nhiều nhất bấy nhiêu. At most so many.")  # fmt: skip
@json_option
@click.pass_obj
def proposals(place: Place, is_all: bool, limit: int) -> None:
    """Các đề xuất, mới nhất trước. Proposals, the youngest first."""
    from gateway.api.lists import as_proposal

    async def work(step: Proposals) -> list[Proposal]:
        return list(await step.lists.proposals(phase=None if is_all else "waiting", limit=limit))

    found = _do(place, work)
    place.give({"proposals": [as_proposal(each, is_whole=False) for each in found]})
    for each in found:
        _tell(place, each)
    if not found:
        place.say("Không có đề xuất nào.", "There is no proposal.")


@directory.command(epilog=examples("lgsp -C tinh directory show 3"))
@_number_argument
@json_option
@click.pass_obj
def show(place: Place, number: int) -> None:
    """Một đề xuất và những gì sẽ thay đổi. One proposal, and what it would change."""
    from gateway.api.lists import as_proposal

    found = _do(place, lambda step: step.find(number))
    place.give(as_proposal(found))
    _tell(place, found)
    for each in found.summary.get("changes", ()):
        said = KINDS.get(each["kind"], Text(each["kind"], each["kind"]))
        is_told = bool({"before", "after"} & each.keys())
        arrow = f": {each.get('before', '∅')} → {each.get('after', '∅')}" if is_told else ""
        line = f"{_shown(each['code'])} {_shown(each['name'])}{_shown(arrow)}"
        place.say(f"    {said.vi}: {line}", f"    {said.en}: {line}")
    for each in (*found.summary.get("notes", ()), *found.summary.get("clashes", ())):
        at = f"{each['place']}: " if "place" in each else ""
        place.say(f"    ⚠ {at}{_shown(each['vi'])}", f"    ⚠ {at}{_shown(each['en'])}")


@directory.command(epilog=examples("lgsp -C tinh directory approve 3 --reason 'đã đối chiếu với quyết định'"))
@_number_argument
@_reason_option
@json_option
@click.pass_obj
def approve(place: Place, number: int, reason: str) -> None:
    """Duyệt; có hiệu lực trên mọi trục trong 2 giây. Approve; in force at every gateway within 2 seconds."""
    _decide(place, number, "approve", reason)


@directory.command(epilog=examples("lgsp -C tinh directory reject 3 --reason 'danh sách bị cắt'"))
@_number_argument
@_reason_option
@json_option
@click.pass_obj
def reject(place: Place, number: int, reason: str) -> None:
    """Từ chối; không có gì thay đổi. Reject; nothing changes."""
    _decide(place, number, "reject", reason)


def _decide(place: Place, number: int, act: Act, reason: str) -> None:
    from gateway.api.lists import as_proposal

    decided = _do(place, lambda step: step.decide(number, act, reason=reason, actor=actor()))
    place.give(as_proposal(decided, is_whole=False))
    _tell(place, decided)


def _tell_mistakes(place: Place, file: Path, read: Reading) -> int:
    mistakes = [{"line": each.place, **each.what._asdict()} for each in read.mistakes]
    place.give({"result": "refused", "wrong": read.wrong, "mistakes": mistakes})
    for each in read.mistakes:
        place.say(f"✗ {file}:{each.place}: {each.what.vi}", f"✗ {file}:{each.place}: {each.what.en}")
    place.say(f"Không nhập gì: {read.wrong} chỗ sai, sửa tệp rồi nhập lại.",
              f"Nothing was imported: {read.wrong} mistakes; mend the file and import again.")  # fmt: skip
    return FAILED


def _tell_proposed(place: Place, made: Proposal | None, source: str) -> None:
    from gateway.api.lists import as_proposal

    if made is None:
        place.give({"result": "unchanged", "source": source})
        place.say(f"Danh sách {source} không có gì mới.", f"The list {source} has nothing new.")
        return
    place.give({"result": "proposed", **as_proposal(made, is_whole=False)})
    _tell(place, made)
    place.say(f"Chưa thay đổi gì. Xem: lgsp directory show {made.number}",
              f"Nothing has changed yet. See: lgsp directory show {made.number}")  # fmt: skip


def _tell(place: Place, found: Proposal) -> None:
    phase, counts = _PHASES[found.phase], found.summary.get("counts", {})
    told = [(KINDS[kind], counts[kind]) for kind in KINDS if kind in counts]
    place.say(
        f"{found.number}  {found.source}  {phase.vi}: {found.count} cơ quan; "
        + (", ".join(f"{count} {kind.vi}" for kind, count in told) or "không đổi"),
        f"{found.number}  {found.source}  {phase.en}: {found.count} agencies; "
        + (", ".join(f"{count} {kind.en}" for kind, count in told) or "no change"),
    )
    if found.summary.get("suspicious"):
        place.say(
            "    ⚠ Đáng ngờ: hơn 10 % danh sách cũ biến mất. Kiểm tra nguồn trước khi duyệt.",
            "    ⚠ Suspicious: more than 10 % of the old list is gone. Look at the source before you approve.",
        )
    if found.decided_by is not None:
        place.say(f"    {found.decided_by}: {found.decision}", f"    {found.decided_by}: {found.decision}")


def _shown(text: Any) -> str:
    """Text of others, without signs that steer a terminal or turn the line round."""
    return "".join("?" if unicodedata.category(sign) in {"Cc", "Cf"} else sign for sign in str(text))
