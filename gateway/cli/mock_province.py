"""``mock province``: all agencies' software in small together, behind lines as bad as wished, the same for a seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import gateway
from gateway.cli.frame import Place, examples, json_option
from gateway.cli.mock import for_seconds, run, tell
from gateway.cli.mock_axis import mock
from gateway.core.faults import Misconfigured, Text

if TYPE_CHECKING:
    from gateway.cli.mocked.lives import Lives
    from gateway.cli.mocked.plan import Placed
    from gateway.cli.mocked.standing import Standing
    from gateway.cli.mocked.tally import Tally
    from gateway.client.weather import Profile

_PLAN: Final = Path(gateway.__file__).resolve().parent.parent / "deploy" / "mock-province"
#: Systems of this adapter fetch for themselves: they are played by a commune.
_FETCHING: Final = "inbox"
#: Who sends to whom: communes to a department, and who fetches there to a commune.
_RECIPIENTS: Final = {"commune": "H33.05", "province": "H33.07.03"}
#: A line that fell silent is given up after this (seconds); a piece at 64 kbit/s takes a quarter of it.
_WITHIN: Final = 8.0
_WORDS: Final = {
    "dropped": Text("→ để sẵn", "→ left waiting"),
    "called": Text("→ đã gọi vào trục", "→ called the bus"),
    "sent": Text("→ đã gửi", "→ sent"),
    "arrived": Text("← đã tới", "← arrived"),
    "fetched": Text("← đã lấy", "← fetched"),
    "refused": Text("✗ bị trả lại", "✗ given back"),
    "unreachable": Text("! không gọi được trục", "! the bus cannot be reached"),
    "trouble": Text("! trục trặc", "! trouble"),
    "life": Text("· hồ sơ", "· dossier"),
}


@mock.command(
    epilog=examples(
        "lgsp mock province --write tinh-mau --seed 7",
        "lgsp mock province --write tinh-mau --profile commune=offline:0.45,rate:64kbit,cut:200k",
        "lgsp mock province --write tinh-mau --fault vnpost.slow=2 --fault dvcqg.DongBoHoSoMC=lost-reply --for 60",
    )
)
@click.option("--write", "folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Ghi thư mục tỉnh nối sẵn, rồi chạy: lgsp -C DIR serve. A folder wired to it.")  # fmt: skip
@click.option("--bus", metavar="URL", help="Địa chỉ trục, mặc định trong DIR. Where the bus is.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Cổng của trục trong DIR mới. The bus' port.")
@click.option("--seed", type=int, default=1, show_default=True, help="Hạt giống: cùng số, cùng chuyện. The seed.")
@click.option("--every", type=click.FloatRange(min=0.05), default=5.0, show_default=True, metavar="SECONDS",
              help="Mỗi phần mềm gửi một việc sau chừng ấy giây. How often each brings something.")  # fmt: skip
@click.option("--profile", "profiles", multiple=True, metavar="WHO=LINE",
              help="Đường truyền: offline:0.45,rate:64kbit,cut:200k,latency:300ms,window:20s. A line.")  # fmt: skip
@click.option("--fault", "faults", multiple=True, metavar="NAME.SWITCH=VALUE",
              help="Bật một lỗi. Switch a fault on.")  # fmt: skip
@click.option("--only", multiple=True, metavar="WHO", help="Chỉ những nơi này. Only these.")
@click.option("--with", "others", multiple=True, metavar="NAME",
              help="Thêm phần mềm chưa có chỗ trong tỉnh. Software without a place, too.")  # fmt: skip
@for_seconds
@json_option
@click.pass_obj
def province(place: Place, /, seconds: float | None, **wish: Any) -> None:
    """Cả tỉnh thu nhỏ: mọi phần mềm giả lập cùng chạy. All agencies' software in small at once.

    Hồ sơ sống từ lúc nộp đến lúc trả; cuối cùng có tổng kết: đưa, nhận, thấy, thiếu, trùng. Dossiers live from filing
    to the end; then it is counted what was brought, taken, seen, missing (or still under way) and doubled.

    WHO là bộ chuyển đổi, hệ thống, mã hoặc cấp cơ quan (commune). WHO: an adapter, a system, an agency's code or level.
    """
    # The time is counted from when all stand.
    run(_Province(place, seconds=seconds, **wish).live(), None)


@dataclass(slots=True)
class _Province:
    """What was wished for, and what stands."""

    place: Place
    folder: Path | None
    bus: str | None
    port: int
    seed: int
    every: float
    profiles: Sequence[str]
    faults: Sequence[str]
    only: Sequence[str]
    others: Sequence[str]
    seconds: float | None
    _lines: dict[str, Profile] = field(default_factory=dict)
    _story: str = ""

    async def live(self) -> None:
        """Stand, tell where, and go on for as long as it is told."""
        from gateway.cli.mocked import plan
        from gateway.cli.mocked.cast import Cast
        from gateway.cli.mocked.lives import Lives

        self._story = f"{self.seed} 1"
        self._lines = dict(map(_line, self.profiles))
        systems = self._systems()
        self._check_names(systems)
        async with AsyncExitStack() as stack:
            if self.folder is None:
                folder = Path(
                    stack.enter_context(tempfile.TemporaryDirectory(prefix="lgsp-mock-", ignore_cleanup_errors=True))
                )
            else:
                folder = self.folder.absolute()
                plan.found(folder, self.port)
                self._story = f"{self.seed} {plan.next_run(folder)}"
            random.seed(self.seed)  # stand-ins that draw by chance draw the same
            stood = [await self._stand(stack, each, folder) for each in systems if each.adapter != _FETCHING]
            for fault in self.faults:
                _switch(stood, fault)
            bus = (self.bus or "").rstrip("/")
            if self.folder is not None:
                fetching: list[tuple[Placed, Mapping[str, Any]]] = [
                    (each, {}) for each in systems if each.adapter == _FETCHING
                ]
                url = await plan.write(folder, _PLAN, [*((each.placed, each.settings) for each in stood), *fetching])
                bus = bus or url
                self.place.say(
                    f"Đã ghi {folder}; chạy: lgsp -C {folder} serve", f"Written; run: lgsp -C {folder} serve"
                )
                self.place.give({"event": "written", "folder": str(folder), "bus": url})
            lives = Lives(Cast(), self.every, self._story, self._live_told, self._trouble_told)
            work = [await self._actor(stack, each, folder, bus, lives) for each in stood]
            if bus and self.folder is not None:
                fetchers = [each for each in systems if each.adapter == _FETCHING]
                work += [await self._commune(stack, each, folder, bus, lives) for each in fetchers]
            work.append(lives.go_on())
            self.place.give({"event": "ready", "systems": [each.placed.system for each in stood]})
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.seconds), asyncio.TaskGroup() as all_of_them:
                        for each in work:
                            all_of_them.create_task(each)
                        await asyncio.Event().wait()
            finally:
                self._sum_up(lives.cast.tally)

    def _sum_up(self, tally: Tally) -> None:
        from gateway.cli.mocked.tally import in_words

        counted = tally.count()
        self.place.give({"event": "summary", "seed": self.seed, "kinds": counted, "missing": tally.missing()[:100]})
        self.place.say("Tổng kết", "Summary")
        for kind, line in counted.items():
            words = in_words(kind, line)
            self.place.say(words.vi, words.en)

    def _systems(self) -> list[Placed]:
        """The plan's systems whose software is there, and those asked for besides; the others are told."""
        from gateway.cli.mocked import plan
        from gateway.cli.mocked.standing import needs_server
        from gateway.compose import stand_in, stand_ins

        there = stand_ins()
        placed = plan.read_plan(_PLAN)
        chosen = [each for each in placed if each.adapter in there]
        chosen += [plan.placed_elsewhere(name) for name in self.others if name in there]
        if self.only:
            chosen = [each for each in chosen if each.names & set(self.only)]
        idle = sorted({*there, *(each.adapter for each in placed)} - {each.adapter for each in chosen})
        for name in idle:
            missing = name not in there
            why = "no-stand-in" if missing else "server" if needs_server(stand_in(name)) else "not-asked-for"
            self.place.give({"event": "left-out", "name": name, "why": why})
        if not self.place.as_json and idle:
            self.place.say(f"Không chạy: {', '.join(idle)}", f"Left out: {', '.join(idle)}")
        return chosen

    def _check_names(self, systems: Iterable[Placed]) -> None:
        """Raises Misconfigured for a line or a fault of somebody who is not there."""
        known = {name for each in systems for name in each.names}
        for who in (*self._lines, *(fault.partition("=")[0].rpartition(".")[0] for fault in self.faults), *self.only):
            if who not in known:
                raise Misconfigured(
                    who,
                    Text("Không có nơi này", "There is nobody of that name"),
                    Text(f"Chọn một trong: {', '.join(sorted(known))}.", f"One of: {', '.join(sorted(known))}."),
                )

    def _line_of(self, placed: Placed) -> Profile | None:
        return next((line for who, line in self._lines.items() if who in placed.names), None)

    async def _stand(self, stack: AsyncExitStack, placed: Placed, folder: Path) -> Standing:
        from gateway.cli.mocked.standing import standing
        from gateway.compose import stand_in

        line = self._line_of(placed)
        stood = await stack.enter_async_context(standing(placed, folder, stand_in(placed.adapter), line, self.seed))
        self.place.say(f"{placed.system:<16} {placed.adapter:<16} {stood.url}", f"{placed.system:<16} {stood.url}")
        self.place.give({"event": "listening", "name": placed.adapter, "system": placed.system, "url": stood.url})
        return stood

    async def _near_end(self, stack: AsyncExitStack, placed: Placed, bus: str) -> str:
        """Where a system finds the bus: itself, or the near end of its line."""
        from urllib.parse import urlsplit

        from gateway.client.weather import a_bad_line

        line, parts = self._line_of(placed), urlsplit(bus)
        if line is None or not bus or parts.scheme != "http":
            return bus
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        return (await stack.enter_async_context(a_bad_line(host, port, line, self.seed))).url

    async def _actor(self, stack: AsyncExitStack, stood: Standing, folder: Path, bus: str, lives: Lives) -> Any:
        from gateway.cli.mocked.lives import PARTS
        from gateway.cli.mocked.traffic import Actor
        from gateway.relay.reception import door_at
        from gateway.tongues import load_kind

        adapter = stood.placed.adapter
        kind = load_kind(adapter, ())
        near = await self._near_end(stack, stood.placed, bus)
        answers = bool(getattr(kind, "ANSWERS", False))
        door = door_at(near, stood.placed.system) if near and answers else ""
        file = stood.placed.members.get("secret_file")
        secret = (folder / file).read_text("utf-8").strip() if file and self.folder is not None else ""
        actor = Actor(
            stood, self._tell, self.every, self.seed, bool(kind.COLLECTS), answers, door, near, secret, lives.cast,
            adapter in PARTS,
        )  # fmt: skip
        actor.connect()
        lives.join(adapter, stood.software, door)
        return actor.work()

    async def _commune(self, stack: AsyncExitStack, placed: Placed, folder: Path, bus: str, lives: Lives) -> Any:
        from gateway.cli.mocked.commune import Commune
        from gateway.cli.mocked.desk import Desk
        from gateway.client.bus import Bus
        from gateway.client.identity import find_files, read_signer

        signer = read_signer(*find_files(folder / "keys", placed.system))
        near = await self._near_end(stack, placed, bus)
        self.place.give({"event": "listening", "name": placed.adapter, "system": placed.system, "url": near})
        reach = await stack.enter_async_context(Bus.reach(near, public_url=bus, within=_WITHIN))
        desk = Desk(placed.system, signer, reach)
        lives.fetches(desk)
        level = placed.agency["level"]
        wants = {each["contract"] for each in placed.members.get("subscriptions", [])}
        to = _RECIPIENTS.get(level, "") if "document.issued" in wants else ""
        return Commune(desk, lives.cast, self._tell, self.every, self._story, to).work()

    def _live_told(self, who: str, code: str, what: str) -> None:
        tell(self.place, "life", f"{code} {what}", _WORDS["life"], who=who, code=code, what=what)

    def _trouble_told(self, code: str, why: str) -> None:
        tell(self.place, "trouble", f"{code}: {why}", _WORDS["trouble"], code=code, what=why)

    def _tell(self, event: str, who: Any, **more: Any) -> None:
        system = who.placed.system if hasattr(who, "placed") else who.system
        what = next((str(more[name]) for name in ("what", "id", "status", "why") if name in more), "")
        words = _WORDS[event]
        tell(self.place, event, f"{system}: {what}", words, system=system, **more)


def _line(text: str) -> tuple[str, Profile]:
    from gateway.client.weather import Profile

    who, _, written = text.partition("=")
    try:
        return who, Profile.read(written)
    except ValueError as error:
        raise Misconfigured(
            f"--profile {text}",
            Text(f"Không hiểu: {error}", f"Not understood: {error}"),
            Text(
                "Ghi như commune=offline:0.45,rate:64kbit,cut:200k,latency:300ms,window:20s.",
                "Write it as commune=offline:0.45,rate:64kbit,cut:200k,latency:300ms,window:20s.",
            ),
        ) from None


def _switch(stood: Iterable[Standing], text: str) -> None:
    name, _, value = text.partition("=")
    who, _, switch = name.rpartition(".")
    for each in stood:
        if who in each.placed.names:
            each.switch(switch, value)


__all__ = ["mock", "province"]
