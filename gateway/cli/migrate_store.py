"""``migrate-store``: a province moves into another store with everything that it keeps, and is shown that it did."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.frame import DONE, FAILED, Misuse, Place, actor, examples, json_option
from gateway.config.whereabouts import EMBEDDED, POSTGRES, scheme_of, with_password, without_password
from gateway.core.faults import Text
from gateway.ports import AuditRow

if TYPE_CHECKING:
    from gateway.ports.relocation import Export, Import, Reached, Table
    from gateway.relay.relocate import Compared

#: A table is told of again after so many rows.
_OFTEN: Final = 50_000


@click.command(
    name="migrate-store",
    epilog=examples(
        "lgsp -C tinh migrate-store sqlite:var/lgsp.db postgresql://lgsp@db.example.vn/lgsp --dry-run",
        "lgsp -C tinh migrate-store sqlite:var/lgsp.db postgresql://lgsp@db.example.vn/lgsp --password-file keys/db",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--password-file", metavar="FILE", type=click.Path(path_type=Path),
              help="Tệp chứa mật khẩu PostgreSQL, một dòng. The file with PostgreSQL's password.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Chỉ xem hai nơi, không ghi gì. Look at both, write nothing.")
@json_option
@click.pass_obj
def migrate_store(place: Place, source: str, target: str, password_file: Path | None, dry_run: bool) -> int:
    """Chuyển cả sổ sang kho khác; trục phải dừng. Move the whole ledger into another store, with the gateway stopped.

    FROM và TO viết như [store] url trong lgsp.toml. Bị ngắt thì chạy lại như cũ, lệnh làm tiếp từ chỗ dừng. Tệp đính
    kèm nằm ngoài kho nên không phải chuyển. Addresses are written like [store] url in lgsp.toml. Interrupted, run it
    again: it goes on. Attachments lie outside the store and stay where they are.
    """
    for name, url in (("FROM", source), ("TO", target)):
        if scheme_of(url) not in (EMBEDDED, *POSTGRES):
            raise Misuse(Text(f"{name} không phải địa chỉ một kho: {scheme_of(url)}", f"{name} is no store's address."))
    if source == target:
        raise Misuse(Text("FROM và TO là một", "FROM and TO are the same."))
    _arm(place)
    file = password_file
    if file is not None and not file.exists():
        file = place.folder / file  # as in lgsp.toml
    addresses = [
        with_password(url, file, str(password_file)) if scheme_of(url) in POSTGRES else url for url in (source, target)
    ]
    return asyncio.run(_Move(place, _shown(source), _shown(target)).run(*addresses, dry_run=dry_run))


def _shown(url: str) -> str:
    """The address as it may be told and written down: what follows the path too, unless a password is in it."""
    query = url.partition("?")[2]
    return without_password(url) + (f"?{query}" if query and "password" not in query.lower() else "")


def _arm(place: Place) -> None:
    if (asked := place.settings.kill_at) is not None:
        from gateway import checkpoints

        checkpoints.arm(*asked, lambda: os.kill(os.getpid(), signal.SIGKILL))


@dataclass(slots=True)
class _Move:
    """One move, told as it goes; addresses are as people may see them."""

    place: Place
    left: str
    here: str
    begun: float = field(default_factory=time.monotonic)
    told: dict[str, int] = field(default_factory=dict)

    async def run(self, source: str, target: str, *, dry_run: bool) -> int:
        from gateway.compose.relocation import export_of, import_of
        from gateway.store import moving

        old, new = export_of(source, self.place.folder), import_of(target, self.place.folder)
        origin = await old.open()
        try:
            if origin.gone_to == self.here:
                return self._moved_before()
            if origin.gone_to is not None:
                raise moving.gone(self.left, origin.gone_to)
            reached = await new.look(origin)
            counts = await self._look(old, reached)
            if reached is None:  # the process ended after the last page, and before the old ledger heard of it
                await old.leave(self.here, at=time.time())
                return self._moved_before()
            if dry_run:
                self.place.give({"result": "possible", "from": self.left, "to": self.here, **counts})
                self.place.say("Có thể chuyển; chưa ghi gì.", "It can be moved; nothing was written.")
                return DONE
            return await self._move(old, new, origin, counts)
        finally:
            await new.close()
            await old.close()

    async def _look(self, old: Export, reached: Any) -> dict[str, Any]:
        from gateway.ports.relocation import TABLES

        found = {table.name: await old.count(table) for table in TABLES if table.name in {"messages", "deliveries"}}
        tables = sum(each.is_whole for each in (reached or {}).values())
        self.place.say(
            f"Rời {self.left}: {found['messages']} thông điệp, {found['deliveries']} lượt chuyển.",
            f"Leaving {self.left}: {found['messages']} messages, {found['deliveries']} deliveries.",
        )
        if reached:
            self.place.say(
                f"Đến {self.here}: đã có {tables} bảng từ lần trước, làm tiếp.",
                f"Moving to {self.here}: {tables} tables are there from before; going on.",
            )
        else:
            self.place.say(f"Đến {self.here}: còn trống.", f"Moving to {self.here}: empty.")
        return {**found, "tables_there": tables}

    async def _move(self, old: Export, new: Import, origin: Any, counts: dict[str, Any]) -> int:
        from gateway.relay.relocate import compare, copy

        await copy(old, new, dict(await new.begin(origin)), self._on_page)
        self.place.say("So từng dòng ở hai bên:", "Comparing both sides row by row:")
        compared = await compare(old, new, self._on_compared)
        is_equal = all(each.is_equal for each in compared)
        if is_equal:
            details = {"from": self.left, "to": self.here, "messages": counts["messages"]}
            await new.finish(AuditRow(time.time(), actor(), "store.moved", details))
            await old.leave(self.here, at=time.time())
        self._tell_end(compared, is_equal=is_equal)
        return DONE if is_equal else FAILED

    def _on_page(self, table: Table, reached: Reached) -> None:
        if reached.is_whole or reached.count - self.told.get(table.name, 0) >= _OFTEN:
            self.told[table.name] = reached.count
            more = "" if reached.is_whole else " …"
            self.place.say(f"  {table.name}: {reached.count} dòng{more}", f"  {table.name}: {reached.count} rows{more}")

    def _on_compared(self, found: Compared) -> None:
        sign, name = "✓" if found.is_equal else "✗", f"{found.table:14}"
        if found.is_equal:
            digest = found.here_digest[:16]
            self.place.say(
                f"  {sign} {name} {found.here:>10} dòng, sha256 {digest}…",
                f"  {sign} {name} {found.here:>10} rows, sha256 {digest}…",
            )
        else:
            self.place.say(
                f"  {sign} {name} {found.left} dòng ở nơi cũ, {found.here} ở nơi mới, khác từ khoá {found.differs_at}",
                f"  {sign} {name} {found.left} rows there, {found.here} here; not the same from key {found.differs_at}",
            )

    def _tell_end(self, compared: list[Compared], *, is_equal: bool) -> None:
        took = time.monotonic() - self.begun
        tables = {
            each.table: {"from": [each.left, each.left_digest], "to": [each.here, each.here_digest]}
            for each in compared
        }
        result = "moved" if is_equal else "differs"
        self.place.give(
            {"result": result, "from": self.left, "to": self.here, "seconds": round(took, 1), "tables": tables}
        )
        if is_equal:
            self.place.say(
                f"Đã chuyển xong sau {took:.0f} giây; mọi dòng ở hai bên giống nhau.\n{_NEXT.vi.format(self.here)}",
                f"Moved in {took:.0f} s; every row is the same on both sides.\n{_NEXT.en.format(self.here)}",
            )
        else:
            self.place.say(_DIFFERS.vi, _DIFFERS.en)

    def _moved_before(self) -> int:
        self.place.give({"result": "moved-before", "from": self.left, "to": self.here})
        self.place.say(
            f"Đã chuyển xong từ trước.\n{_NEXT.vi.format(self.here)}",
            f"It was moved before.\n{_NEXT.en.format(self.here)}",
        )
        return DONE


_NEXT: Final = Text(
    "Việc tiếp theo:\n"
    '  1. Ghi vào lgsp.toml: [store] url = "{}"\n'
    "  2. lgsp doctor, rồi lgsp serve; những gì chưa chuyển xong sẽ được chuyển tiếp.\n"
    "  3. Giữ kho cũ làm bản lưu; trục không mở lại nó nữa, vì sẽ gửi trùng.",
    "What comes next:\n"
    '  1. Write in lgsp.toml: [store] url = "{}"\n'
    "  2. lgsp doctor, then lgsp serve; what was under way goes on.\n"
    "  3. Keep the old store as a copy of the past; no gateway opens it any more, for it would send twice.",
)
_DIFFERS: Final = Text(
    "Hai bên KHÔNG giống nhau nên chưa chuyển: kho cũ vẫn dùng được, nơi mới chưa mở được. Xoá và tạo lại nơi mới rồi"
    " chạy lại; nếu vẫn thế, gửi kết quả --json cho nhà phát triển.",
    "The two are NOT the same, so nothing has moved: the old store still works, the new one opens for nobody. Drop the"
    " new one, make it again and run this again; if it stays so, send the result of --json to the developers.",
)
