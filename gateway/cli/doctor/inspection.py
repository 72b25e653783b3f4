"""Checks of what looks at files: is it installed, whom it trusts, does the scanner answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from gateway.config.settings import Settings
from gateway.core.diagnosis import Finding
from gateway.core.faults import Text
from gateway.ports.findings import ScannerAway
from gateway.trust.inspection.process import is_installed
from gateway.trust.scanning import Clamd

_CHECK: Final = "inspection"
#: How long clamd may take to say who it is (seconds).
_PATIENCE: Final = 5.0
_LARGEST: Final = 128 * 2**20


def on_inspection(settings: Settings, now: float) -> list[Finding]:
    """Whether signatures can be looked into, and by which lists."""
    if not is_installed():
        what = Text(
            "Chưa cài phần kiểm tra chữ ký trong tệp: mọi tệp là not-checked",
            "What looks into signatures is not installed: every file is not-checked",
        )
        do = Text("Quản trị viên cài lienthong[signatures].", "The administrator installs lienthong[signatures].")
        return [Finding(_CHECK, "warning", "pyhanko, signxml", what, do)]
    roots = [path for pattern in settings.trust_roots for path in sorted(settings.folder.glob(pattern))]
    lists = [path for pattern in settings.trust_crls for path in sorted(settings.folder.glob(pattern))]
    found = [each for path in roots for each in _on_root(settings, path, now)]
    found += [each for path in lists for each in _on_list(settings, path, now)]
    if not roots:
        what = Text(
            "Chưa có chứng thư gốc nào: mọi người ký văn bản đều là unknown-signer",
            "There is no trusted root: every signer of a document is unknown-signer",
        )
        do = Text(
            "Quản trị viên đặt chứng thư gốc (PEM) của Ban Cơ yếu và các CA vào trust/, CRL của họ vào trust/*.crl.",
            "The administrator puts the roots (PEM) of those who certify officials into trust/, and their CRLs.",
        )
        found.append(Finding(_CHECK, "note", "trust/", what, do))
    elif not lists:
        what = Text(
            "Chưa có danh sách thu hồi (CRL): không chữ ký nào được coi là hợp lệ",
            "There is no list of revoked certificates (CRL): no signature is called valid",
        )
        do = Text(
            "Quản trị viên tải CRL của các CA về trust/ mỗi ngày.", "The administrator fetches them into trust/ daily."
        )
        found.append(Finding(_CHECK, "warning", "trust/", what, do))
    if not found:
        said = Text(
            f"{len(roots)} tệp chứng thư gốc, {len(lists)} CRL", f"{len(roots)} files of roots, {len(lists)} CRLs"
        )
        found.append(Finding(_CHECK, "ok", "trust/", said))
    return found


def _on_root(settings: Settings, path: Path, now: float) -> Iterator[Finding]:
    shown = settings.shown(path)
    try:
        held = x509.load_pem_x509_certificates(path.read_bytes()[:_LARGEST])
    except (OSError, ValueError):
        what = Text("Không đọc được chứng thư trong tệp này", "No certificate can be read in this file")
        yield Finding(_CHECK, "warning", shown, what, Text("Thay bằng tệp PEM đúng.", "Put a right PEM file there."))
        return
    for each in held:
        if each.not_valid_after_utc.timestamp() < now:
            day = each.not_valid_after_utc.date()
            what = Text(f"Chứng thư đã hết hạn ngày {day}", f"A certificate has expired on {day}")
            do = Text("Xin chứng thư mới của nơi cấp.", "Ask the authority for its new one.")
            yield Finding(_CHECK, "warning", shown, what, do)


def _on_list(settings: Settings, path: Path, now: float) -> Iterator[Finding]:
    shown = settings.shown(path)
    try:
        data = path.read_bytes()[:_LARGEST]
        is_pem = data.lstrip().startswith(b"-----")
        held = x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data)
    except (OSError, ValueError):
        what = Text("Không đọc được danh sách thu hồi này", "This list of revoked certificates cannot be read")
        yield Finding(_CHECK, "warning", shown, what, Text("Tải lại từ nơi cấp.", "Fetch it again."))
        return
    until = held.next_update_utc
    if until is not None and until < datetime.fromtimestamp(now, UTC):
        what = Text(
            f"Danh sách thu hồi đã quá hạn từ {until.date()}: chữ ký của nơi cấp này là not-checked",
            f"The list is out of date since {until.date()}: signatures of this authority are not-checked",
        )
        yield Finding(_CHECK, "warning", shown, what, Text("Tải bản mới từ nơi cấp.", "Fetch the new one."))


async def on_scanner(settings: Settings) -> list[Finding]:
    """Whether clamd answers."""
    checks = settings.checks
    if not checks.clamd:
        what = Text("Tệp không được quét mã độc", "Files are not scanned for malware")
        do = Text(
            'Khi có ClamAV: ghi [scan] clamd = "unix:/run/clamav/clamd.ctl" vào lgsp.toml.',
            'Where there is ClamAV: write [scan] clamd = "unix:/run/clamav/clamd.ctl" into lgsp.toml.',
        )
        return [Finding(_CHECK, "note", "[scan]", what, do)]
    try:
        version = await Clamd(checks.clamd, _PATIENCE).version()
    except ScannerAway as error:
        what = Text(f"clamd không trả lời ({error})", f"clamd does not answer ({error})")
        do = (
            Text(
                "Quản trị viên khởi động clamd; tới lúc đó không tệp nào được nhận (required).",
                "The administrator starts clamd; until then no file is taken (required).",
            )
            if checks.is_scan_required
            else Text(
                "Quản trị viên khởi động clamd; tới lúc đó tệp được nhận mà không quét.",
                "The administrator starts clamd; until then files are taken unscanned.",
            )
        )
        return [Finding(_CHECK, "error" if checks.is_scan_required else "warning", checks.clamd, what, do)]
    return [Finding(_CHECK, "ok", checks.clamd, Text(f"clamd trả lời: {version}", f"clamd answers: {version}"))]
