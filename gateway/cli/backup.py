"""``backup`` and ``restore``: everything a gateway needs to go on elsewhere, as one file, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from gateway.cli.frame import DONE, FAILED, Place, examples, json_option
from gateway.core.diagnosis import size
from gateway.core.faults import Misconfigured, Text

#: Where the tools of PostgreSQL go themselves: not through a PgBouncer, perhaps to another server.
_store_option: Final = click.option(
    "--store", metavar="URL", help="Nối thẳng tới PostgreSQL này. The PostgreSQL itself, if not [store] url."
)


@click.command(epilog=examples("lgsp -C tinh backup /mnt/saoluu", "lgsp -C tinh backup tinh.tar --without-keys"))
@click.argument("target", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--without-keys", is_flag=True, help="Không kèm khoá và bí mật. Leave private keys and secrets out.")
@_store_option
@json_option
@click.pass_obj
def backup(place: Place, target: Path, without_keys: bool, store: str | None) -> int:
    """Sao lưu trong lúc trục vẫn chạy: sổ, tệp, cấu hình, khoá. Back up beside a running gateway.

    Gói có khoá bí mật thì chỉ chủ tệp đọc được; hãy cất nơi an toàn. With keys in it, keep the archive safe.
    """
    from gateway.cli.saving import archive_path, at_store, said_of, save

    settings = at_store(place.settings, store)
    if not settings.is_founded:
        raise Misconfigured(
            settings.shown(settings.store_path),
            Text("Chưa có kho dữ liệu để sao lưu", "There is no database to back up yet"),
            Text("Hãy chạy trước: lgsp apply", "Run first: lgsp apply"),
        )
    saved = save(settings, archive_path(settings, target), with_keys=not without_keys)
    place.give(
        {
            "result": "incomplete" if saved.missing else "saved",
            "file": str(saved.path),
            "sha256": saved.sha256,
            "files": saved.files,
            "bytes": saved.bytes,
            "cut": saved.cut,
            "with_keys": not without_keys,
            "missing": saved.missing,
            "left_out": [name for name, _ in saved.left_out],
        }
    )
    place.say(
        f"Đã sao lưu vào {saved.path}: {saved.files} tệp, {size(saved.bytes)}, đến thông điệp thứ"
        f" {saved.cut['messages']}.\nSHA-256 {saved.sha256}",
        f"Saved to {saved.path}: {saved.files} files, {size(saved.bytes)}, up to message number"
        f" {saved.cut['messages']}.\nSHA-256 {saved.sha256}",
    )
    for said in said_of(saved):
        place.say(f"⚠ {said.vi}", f"⚠ {said.en}")
    if not without_keys:
        place.say(
            "Gói có khoá bí mật của trục: ai đọc được gói là ký được thay trục. Hãy mã hoá hoặc cất nơi an toàn.",
            "The archive holds the gateway's private keys: whoever reads it can sign as the gateway. Keep it safe.",
        )
    return FAILED if saved.missing else DONE


@click.command(
    epilog=examples("lgsp restore tinh.tar /srv/lgsp/tinh --dry-run", "lgsp restore tinh.tar /srv/lgsp/tinh")
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Chỉ kiểm tra gói. Read and judge the archive, write nothing.")
@click.option("--force", is_flag=True, help="Thay thư mục cũ của chính tỉnh này, vẫn giữ nó bên cạnh."
              " Replace this province's own folder; it is kept beside.")  # fmt: skip
@_store_option
@json_option
@click.pass_obj
def restore(place: Place, *, file: Path, folder: Path, dry_run: bool, force: bool, store: str | None) -> int:
    """Khôi phục thư mục tỉnh từ gói sao lưu; kiểm tra cả gói trước. Make a province folder from a backup.

    Trọn vẹn hoặc không thay đổi gì. Whole, or nothing changes.
    """
    from gateway.cli import restoring

    if dry_run:
        done = restoring.look(file, folder, force=force)
    else:
        done = restoring.restore(file, folder, force=force, store=store)
    head = done.head
    place.give(
        {
            "result": "restored" if done.is_done else "sound",
            "folder": str(folder),
            "aside": None if done.aside is None else str(done.aside),
            "leases_given_back": done.leases,
            **{name: head[name] for name in ("system", "made_at", "program", "schema", "cut", "with_keys")},
            **{name: head[name] for name in ("files", "bytes")},
        }
    )
    place.say(
        f"Gói nguyên vẹn: {head['system']}, lập lúc {head['made_at']}, {head['files']} tệp, {size(head['bytes'])},"
        f" {head['cut']['messages']} thông điệp.",
        f"The archive is sound: {head['system']}, made at {head['made_at']}, {head['files']} files,"
        f" {size(head['bytes'])}, {head['cut']['messages']} messages.",
    )
    if done.is_done:
        _tell_what_is_next(place, done.aside, folder, with_keys=bool(head["with_keys"]))
    return DONE


def _tell_what_is_next(place: Place, aside: Path | None, folder: Path, *, with_keys: bool) -> None:
    if aside is not None:
        place.say(f"Thư mục cũ được giữ ở {aside}.", f"The folder before is kept at {aside}.")
    if not with_keys:
        place.say(
            f"Gói không có khoá: hãy đặt lại các tệp khoá vào {folder}/keys trước khi chạy.",
            f"The archive holds no keys: put the key files back into {folder}/keys before you start.",
        )
    place.say(
        f"Đã khôi phục vào {folder}. Việc tiếp theo:\n"
        f"  1. lgsp -C {folder} doctor\n"
        f"  2. lgsp -C {folder} serve (hoặc systemctl start lgsp); những gì chưa chuyển xong sẽ được chuyển tiếp.\n"
        "  3. Báo các cơ quan: thông điệp trục nhận sau lúc lập gói cần gửi lại đúng bản cũ (cùng mã, không bị trùng);"
        " nơi nhận có thể gặp lại thông điệp đã nhận sau lúc đó.",
        f"Restored to {folder}. What comes next:\n"
        f"  1. lgsp -C {folder} doctor\n"
        f"  2. lgsp -C {folder} serve (or systemctl start lgsp); what was under way goes on.\n"
        "  3. Tell the agencies: what the bus accepted after the backup was made must be sent again as it was (same id,"
        " nothing doubles); recipients may meet again what they took since then.",
    )
