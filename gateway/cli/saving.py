"""What goes into a backup: the ledger at one moment, the files it names, the province folder, keys unless left out."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from gateway import __version__
from gateway.cli.archive import Writing
from gateway.config.settings import Settings
from gateway.core.faults import Misconfigured, Text
from gateway.core.moments import format_moment
from gateway.ports import HeldFile
from gateway.ports.copies import Copied, Copies

#: Where an archive holds the copy of the ledger.
STORE: Final = "store"
_MARK: Final = b"PRIVATE KEY-----"
_SECRET_ENDS: Final = (".secret", ".hook", ".key", ".p12", ".pfx", ".password", ".amqp")
_LOOKED_AT: Final = 64 * 1024


@dataclass(slots=True)
class Saved:
    """What a backup holds, and what is amiss with it."""

    path: Path
    sha256: str = ""
    files: int = 0
    bytes: int = 0
    cut: dict[str, Any] = field(default_factory=dict)
    #: Files that a message names and that were not there, or not what their name says.
    missing: list[str] = field(default_factory=list)
    #: What was left out, and why.
    left_out: list[tuple[str, Text]] = field(default_factory=list)


def at_store(settings: Settings, store: str | None) -> Settings:
    """The settings with the ledger at the URL ``store`` where one is given; a password in it goes before a file's.

    Raises Misconfigured where none is given and a PgBouncer stands between: the tools of PostgreSQL change settings
    of their session, which would stay with connections that others use after them.
    """
    if store is not None:
        file = None if urlsplit(store).password is not None else settings.store_password_file
        return replace(settings, store_url=store, store_password_file=file, pgbouncer=False)
    if settings.pgbouncer:
        raise Misconfigured(
            "lgsp.toml [store] pgbouncer",
            Text("Sao lưu và khôi phục không đi qua PgBouncer được", "Backup and restore cannot go through PgBouncer"),
            Text(
                "Chỉ thẳng máy chủ PostgreSQL, ví dụ: --store postgresql://lgsp@db:5432/lgsp.",
                "Name the PostgreSQL server itself, for example: --store postgresql://lgsp@db:5432/lgsp.",
            ),
        )
    return settings


def archive_path(settings: Settings, target: Path) -> Path:
    """Where the archive goes: ``target`` itself, or a name with the moment in it inside the folder ``target``."""
    if not target.is_dir():
        return target
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return target / f"lgsp-{settings.system.replace('/', '-')}-{stamp}.tar"


def save(settings: Settings, target: Path, *, with_keys: bool) -> Saved:
    """Make the archive at ``target``, beside a running gateway or without one.

    Everything that was acknowledged before this call is in it. Raises Misconfigured where it cannot be made, with
    nothing left behind; Busy where another program keeps the database locked.
    """
    from gateway.compose import copies_of

    if target.exists():
        raise Misconfigured(
            str(target),
            Text("Đã có tệp này", "This file is there already"),
            Text("Đặt tên khác; bản sao cũ không bị ghi đè.", "Choose another name; no backup is written over."),
        )
    copies = copies_of(settings)
    try:
        with tempfile.TemporaryDirectory(prefix=".lgsp-backup-", dir=target.parent) as scratch:
            copy = Path(scratch) / copies.name
            return _write(settings, target, copy, copies.copy(copy), copies, with_keys=with_keys)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Misconfigured(
            str(error.filename or target),
            Text(f"Không sao lưu được ({reason})", f"The backup cannot be made ({reason})"),
            Text(
                "Chọn nơi khác còn đủ chỗ và ghi được; không có gì dở dang bị để lại.",
                "Choose a place with room where you may write; nothing half done is left behind.",
            ),
        ) from error


def _write(settings: Settings, target: Path, copy: Path, copied: Copied, copies: Copies, *, with_keys: bool) -> Saved:
    newest = None if copied.newest is None else format_moment(copied.newest)
    saved = Saved(target, cut={"messages": copied.messages, "journal": copied.journal, "newest": newest})
    head = {
        "made_at": format_moment(time.time()),
        "program": __version__,
        "system": settings.system,
        "store": copies.name,
        "schema": copied.schema,
        "cut": saved.cut,
        "with_keys": with_keys,
        "folders": {str(path.relative_to(settings.folder)): mode for path, mode in province_folders(settings)},
    }
    with closing(Writing(target, head)) as writing:
        _add_province(settings, writing, saved, with_keys=with_keys)
        writing.add(f"{STORE}/{copies.name}", copy)
        _add_files(settings, writing, copies.held_files(copy), saved)
        saved.sha256 = writing.finish()
        saved.files, saved.bytes = writing.count, writing.size
    return saved


def _add_province(settings: Settings, writing: Writing, saved: Saved, *, with_keys: bool) -> None:
    keys = (settings.signing_key, settings.webhook_key, settings.certificate)
    passwords = (settings.store_password_file, settings.broker_password_file, settings.management_password_file)
    storage = None if settings.storage is None else settings.storage.key_file
    for path in (*keys, *passwords, storage):
        if path is not None and not path.is_relative_to(settings.folder):
            saved.left_out.append((str(path), Text("nằm ngoài thư mục tỉnh", "outside the province folder")))
    for path in province_files(settings, saved):
        name = path.relative_to(settings.folder)
        if not with_keys and is_secret(path):
            saved.left_out.append((str(name), Text("khoá, theo --without-keys", "a key, as --without-keys asks")))
        else:
            writing.add(f"province/{name.as_posix()}", path)


def province_files(settings: Settings, saved: Saved) -> Iterator[Path]:
    """Every file of the province folder but data, database and spool; in order of names."""
    of_store: set[Path] = set()
    if settings.is_embedded:
        store = settings.store_path
        of_store = {store.with_name(store.name + end) for end in ("", "-wal", "-shm", "-journal")}
    for here, folders, names in _walk(settings):
        for folder in folders:
            if folder.is_symlink():
                shown = str(folder.relative_to(settings.folder))
                saved.left_out.append((shown, Text("liên kết tới thư mục khác", "a link to another folder")))
        for name in sorted(names):
            path = here / name
            if path.is_file() and path not in of_store and not _is_archive(path, saved.path):
                yield path


def province_folders(settings: Settings) -> Iterator[tuple[Path, int]]:
    """Every folder of the province folder, an empty one too, with its permissions."""
    for here, _, _ in _walk(settings):
        if here != settings.folder:
            yield here, here.stat().st_mode & 0o777


def _walk(settings: Settings) -> Iterator[tuple[Path, list[Path], list[str]]]:
    kept_apart = {settings.files_folder, settings.folder / ".git"}
    if settings.data != settings.folder:
        kept_apart.add(settings.data)
    for place, folders, names in os.walk(settings.folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if here / name not in kept_apart and not name.startswith(".lgsp-"))
        yield here, [here / name for name in folders], names


def is_secret(path: Path) -> bool:
    """Whether the file holds a private key or a shared secret."""
    with path.open("rb") as file:
        return path.name.endswith(_SECRET_ENDS) or _MARK in file.read(_LOOKED_AT)


def _is_archive(path: Path, target: Path) -> bool:
    """Whether it is a backup (this one on its way, or an older one in the same place), which holds no other."""
    return path.parent == target.parent and (path.name.startswith(f".{target.name}-") or path.suffix == ".tar")


def _add_files(settings: Settings, writing: Writing, held: Iterator[tuple[HeldFile, bool]], saved: Saved) -> None:
    from gateway.compose import open_spool

    is_there = settings.storage is not None or settings.files_folder.is_dir()
    spool = open_spool(settings) if is_there else None
    for file, is_named in held:
        try:
            if spool is None:
                raise FileNotFoundError
            source = spool.open(file.sha256)
        except FileNotFoundError:
            if is_named:
                saved.missing.append(file.sha256)
            continue
        with source:
            # Storage shows an object whole or not at all; of a file on a disk one never knows.
            size = file.size if settings.storage is not None else os.fstat(source.fileno()).st_size
            if writing.pour(f"files/{file.sha256}", source, size) != file.sha256:
                saved.missing.append(file.sha256)


def said_of(saved: Saved) -> Sequence[Text]:
    """What the operator should know about a backup besides that it is there."""
    said = [Text(f"Không kèm {name}: {why.vi}.", f"Left out {name}: {why.en}.") for name, why in saved.left_out]
    if saved.missing:
        said.append(
            Text(
                f"THIẾU {len(saved.missing)} tệp mà thông điệp có nêu, ví dụ {saved.missing[0]}; xem lgsp doctor.",
                f"{len(saved.missing)} files that messages name are MISSING, e.g. {saved.missing[0]}; see lgsp doctor.",
            )
        )
    return said
