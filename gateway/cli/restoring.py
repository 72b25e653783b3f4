"""A backup becomes a province folder again: proven whole first, made beside its place, put there by renaming."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.cli.archive import read_archive
from gateway.cli.frame import actor, opened_ledger
from gateway.cli.saving import STORE, at_store
from gateway.config.settings import FILE, Settings, read_settings
from gateway.core.faults import Misconfigured, Text
from gateway.ports import AuditRow

_MANY: Final = 10_000
#: What the copy of a SQLite ledger is called.
_EMBEDDED: Final = "lgsp.db"


@dataclass(slots=True)
class Restored:
    """What the archive holds and where it went; ``aside`` is where the folder before it was kept."""

    head: Mapping[str, Any]
    folder: Path
    is_done: bool = False
    aside: Path | None = None
    leases: int = 0
    elsewhere: list[tuple[Path, Path]] = field(default_factory=list)


def look(archive: Path, folder: Path, *, force: bool) -> Restored:
    """Read the whole archive, and look at the place; raises Misconfigured as :func:`restore` would. Writes nothing."""
    is_checked = False

    def place(head: Mapping[str, Any], _: str) -> None:
        nonlocal is_checked
        if not is_checked:
            _check_program(archive, head)
            _check_place(folder, head, force=force)
            is_checked = True

    return Restored(read_archive(archive, place), folder)


def restore(archive: Path, folder: Path, *, force: bool, store: str | None = None) -> Restored:
    """Make ``folder`` what the archive holds, and the ledger where it lies on a server: at ``store``, if not as before.

    The folder appears whole or not at all; one that was there (``force``) is kept beside it under another name.
    Raises Misconfigured where the archive is damaged or newer than this program, the folder is in use, not empty,
    or another province's, or the server's database is not empty.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link the operator chose stays a link
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-restore-", dir=folder.parent) as scratch:
            return _restore(archive, folder, Path(scratch), force=force, store=store)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Misconfigured(
            str(error.filename or folder),
            Text(f"Không khôi phục được ({reason})", f"It cannot be restored ({reason})"),
            Text(
                "Kiểm tra quyền và dung lượng ở nơi khôi phục rồi chạy lại.",
                "Check rights and free space at that place, then run it again.",
            ),
        ) from error


def _restore(archive: Path, folder: Path, scratch: Path, *, force: bool, store: str | None) -> Restored:
    from gateway.compose import server_of

    made = scratch / "province"
    made.mkdir(mode=0o755)

    is_checked = False

    def place(head: Mapping[str, Any], name: str) -> Path:
        nonlocal is_checked
        if not is_checked:  # before anything is written
            _check_program(archive, head)
            _check_place(folder, head, force=force)
            is_checked = True
        return scratch / name

    head = read_archive(archive, place, scratch=scratch)
    restored = Restored(head, folder)
    _make_folders(made, head)
    settings = _settings_of(made, head, store)
    files = settings.files_folder
    server = None if settings.is_embedded else server_of(settings)
    if server is not None:
        server.check_place()
    _place_data(restored, scratch, made, settings)
    if server is None:
        restored.leases = asyncio.run(_made_ready(_within(made, scratch, settings), head))
    else:
        server.put_back(scratch / STORE / server.name)
    for before, after in restored.elsewhere:
        _move(before, after)
    if files.is_relative_to(made):
        files.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.exists():
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        if any(folder.iterdir()):
            restored.aside = folder.with_name(f"{folder.name}.before-restore-{stamp}")
            folder.rename(restored.aside)
        else:
            folder.rmdir()
    os.sync()
    made.rename(folder)
    if server is not None:
        # The server's database is changed once and as a whole; from here on any gateway could go on with it.
        restored.leases = asyncio.run(_made_ready(_settings_of(folder, head, store), head))
    restored.is_done = True
    return restored


def _settings_of(folder: Path, head: Mapping[str, Any], store: str | None) -> Settings:
    """The folder's settings, with the ledger at ``store`` where that is given; it must be of the archive's kind."""
    settings = at_store(read_settings(folder, {}), store)
    if settings.is_embedded != (_copy_in(head) == _EMBEDDED):
        raise Misconfigured(
            "--store" if store is not None else FILE,
            Text("Gói này không thuộc loại kho đó", "The archive was not made from that kind of store"),
            Text(
                "Khôi phục vào đúng loại kho cũ, rồi chuyển bằng lgsp migrate-store.",
                "Restore into the kind of store that it was, then move with lgsp migrate-store.",
            ),
        )
    return settings


def _within(made: Path, scratch: Path, settings: Settings) -> Settings:
    """The same settings while the SQLite file is not in its place yet."""
    path = settings.store_path
    now = path if path.is_relative_to(made) else scratch / STORE / _EMBEDDED
    return replace(settings, store_url=f"sqlite:{now}")


def _copy_in(head: Mapping[str, Any]) -> str:
    """What the copy of the ledger is called; archives that do not say hold a SQLite file."""
    return str(head.get("store", _EMBEDDED))


def _move(before: Path, after: Path) -> None:
    """A file or folder to where nothing is, or an empty folder (where a drive is mounted, say)."""
    after.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if after.is_dir():
        for each in sorted(before.iterdir()):
            shutil.move(each, after / each.name)
    else:
        shutil.move(before, after)


def _make_folders(made: Path, head: Mapping[str, Any]) -> None:
    """The folders that were there, the empty ones too, with the permissions that they had."""
    for name, mode in dict(head["folders"]).items():
        folder = made / str(name)
        if ".." in folder.parts or not folder.is_relative_to(made):
            raise ValueError(f"{name} lies outside the province folder")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(int(mode) & 0o777)


def _place_data(restored: Restored, scratch: Path, made: Path, settings: Settings) -> None:
    """Database and files go where the restored lgsp.toml says: within the folder now, elsewhere at the end.

    But for storage on another machine: what goes there is known by its digest, so too much does no harm.
    """
    wanted = [(scratch / STORE / _EMBEDDED, settings.store_path)] if settings.is_embedded else []
    came = scratch / "files"
    came.mkdir(exist_ok=True, mode=0o700)
    if settings.storage is not None:
        _store_away(settings, came)
    else:
        wanted.append((_arranged(scratch, came), settings.files_folder))
    for before, after in wanted:
        if after.is_relative_to(made):
            after.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            before.rename(after)
        elif after.exists() and (after.is_file() or any(after.iterdir())):
            raise Misconfigured(
                str(after),
                Text(
                    "Dữ liệu nằm ngoài thư mục tỉnh và đã có ở đó", "Data outside the folder, and it is there already"
                ),
                Text("Dừng trục, dời dữ liệu cũ sang chỗ khác rồi chạy lại.", "Stop the gateway, move it, run again."),
            )
        else:
            restored.elsewhere.append((before, after))


def _arranged(scratch: Path, came: Path) -> Path:
    """The files as a spool keeps them."""
    from gateway.store.files import Files

    arranged = scratch / "arranged"
    spool = Files(arranged)
    for path in came.iterdir():
        target = spool.path(path.name)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.rename(target)
    return arranged


def _store_away(settings: Settings, came: Path) -> None:
    """The files go to the storage that the settings name; one that is there already is the same one."""
    from gateway.compose import open_spool

    spool = open_spool(settings)
    with asyncio.Runner() as runner:
        for path in came.iterdir():
            if not spool.is_present(path.name):
                runner.run(spool.adopt(path, path.name))


async def _made_ready(settings: Settings, head: Mapping[str, Any]) -> int:
    """The ledger opens (an older one is upgraded), every lease is given back, the journal tells of the restore."""
    now = time.time()
    given_back = 0
    async with opened_ledger(settings) as ledger:
        while leased := await ledger.deliveries(states=("leased",), limit=_MANY):
            for owner in {delivery.lease_owner for delivery in leased if delivery.lease_owner is not None}:
                given_back += len(await ledger.lapse(now, owner=owner))
        details = {"made_at": head["made_at"], "messages": head["cut"]["messages"], "leases": given_back}
        await ledger.audit([AuditRow(now, actor(), "ledger.restored", details)])
    return given_back


def _check_program(archive: Path, head: Mapping[str, Any]) -> None:
    from gateway.compose import known_steps

    known = known_steps(_copy_in(head))
    if known is None or int(head["schema"]) > known:
        raise Misconfigured(
            str(archive),
            Text(
                f"Gói do phiên bản mới hơn tạo ({head['program']}, bước {head['schema']})",
                f"A newer program made it ({head['program']}, step {head['schema']})",
            ),
            Text("Cài phiên bản đó rồi khôi phục.", "Install that version, then restore."),
        )


def _check_place(folder: Path, head: Mapping[str, Any], *, force: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    system = _system_of(folder)
    if system != head["system"]:
        raise Misconfigured(
            str(folder),
            Text(
                "Thư mục này không trống và không phải của tỉnh này", "This folder is neither empty nor this province's"
            ),
            Text("Chọn thư mục mới; không có gì bị thay đổi.", "Choose a new folder; nothing was changed."),
        )
    if not force:
        raise Misconfigured(
            str(folder),
            Text("Thư mục tỉnh này đang có dữ liệu", "This province folder is there, with its data"),
            Text(
                "Khôi phục sang thư mục mới, hoặc thêm --force: thư mục cũ được đổi tên và giữ lại.",
                "Restore to a new folder, or add --force: the old one is renamed and kept.",
            ),
        )
    _check_idle(folder)


def _system_of(folder: Path) -> str | None:
    if not (folder / FILE).is_file():
        return None
    try:
        return read_settings(folder, {}).system
    except Misconfigured:
        return None


def _check_idle(folder: Path) -> None:
    from gateway.compose import looking

    settings = read_settings(folder, {})
    if settings.is_embedded and looking.is_in_use(settings.store_path):
        raise Misconfigured(
            str(folder),
            Text("Trục vẫn đang chạy trên thư mục này", "A gateway still runs on this folder"),
            Text("Dừng trục trước: systemctl stop lgsp.", "Stop it first: systemctl stop lgsp."),
        )
