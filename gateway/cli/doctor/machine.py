"""Checks of the machine: room on its disks, whether they write, its clock."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding, on_disk, on_skew
from gateway.core.faults import Text


def on_disks(settings: Settings, held: Iterable[tuple[Path, int]]) -> list[Finding]:
    """The free space of each disk below a folder of the gateway; ``held`` are its bytes there, folder by folder."""
    disks: dict[int, tuple[Path, int]] = {}
    for folder, amount in held:
        place = _nearest(folder)
        device = place.stat().st_dev
        first, so_far = disks.get(device, (place, 0))
        disks[device] = first, so_far + amount
    found: list[Finding] = []
    for place, amount in disks.values():
        usage, nodes = shutil.disk_usage(place), os.statvfs(place)
        found += on_disk(
            settings.shown(place),
            free=usage.free,
            total=usage.total,
            held=amount,
            free_nodes=nodes.f_favail,
            nodes=nodes.f_files,
        )
    return found


def on_writing(settings: Settings, folder: Path) -> list[Finding]:
    """Whether a file can be written and synced in ``folder``, and what time the file system gives it."""
    shown = settings.shown(folder)
    if not folder.is_dir():
        return []
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"?")
            file.flush()
            os.fsync(file.fileno())
            written, now = os.fstat(file.fileno()).st_mtime, time.time()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return [
            Finding(
                "disk",
                "error",
                shown,
                Text(f"Không ghi được xuống đĩa ({reason})", f"Nothing can be written and synced ({reason})"),
                Text(
                    "Quản trị viên kiểm tra quyền của tài khoản chạy trục, dung lượng và lỗi đĩa (dmesg).",
                    "The administrator checks the service account's rights, free space and disk errors (dmesg).",
                ),
            )
        ]
    return [on_skew(shown, now, written, granularity=2.0)]


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that exists."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder
