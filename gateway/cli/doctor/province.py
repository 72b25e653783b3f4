"""Checks of what the province folder says: settings, keys, certificates, and whether it is in force."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from gateway.cli.applying import plan
from gateway.config.documents import each
from gateway.config.keys import is_pair, read_certificate_file, read_key
from gateway.config.settings import Settings, read_settings
from gateway.core import jws
from gateway.core.diagnosis import Finding, on_certificate
from gateway.core.directory import Certificate, Directory, System
from gateway.core.faults import Misconfigured, Text
from gateway.ports import RegistryRow
from gateway.trust.keyring import Keyring

#: Of so many last messages the signing certificates are looked at.
RECENT: Final = 2000


def of_mistakes(check: str, fault: Misconfigured) -> list[Finding]:
    """Each mistake as an error."""
    return [Finding(check, "error", one.where, one.wrong, one.right) for one in each(fault)]


def on_settings(folder: Path) -> tuple[Settings | None, list[Finding]]:
    """lgsp.toml and the environment; the settings where they can be used at all."""
    try:
        settings = read_settings(folder)
    except Misconfigured as fault:
        return None, of_mistakes("config", fault)
    return settings, [Finding("config", "ok", "lgsp.toml", Text("Đọc được, đúng quy cách", "Read, and in order"))]


def on_keyring(settings: Settings) -> tuple[Keyring | None, list[Finding]]:
    """The gateway's own keys: there, of a usable kind, matching their certificate."""
    try:
        ring = Keyring.read(settings)
    except Misconfigured as fault:
        return None, of_mistakes("keys", fault)
    shown = settings.shown(settings.signing_key)
    said = Text(f"Đúng cặp với chứng thư, loại {ring.signer.alg}", f"A pair with its certificate, {ring.signer.alg}")
    return ring, [Finding("keys", "ok", shown, said)]


def on_sealing_keys(settings: Settings, systems: Iterable[System]) -> list[Finding]:
    """The keys that the gateway keeps for systems it seals for: each a pair with a registered certificate."""
    found: list[Finding] = []
    for system in systems:
        if system.key_file is None:
            continue
        shown = f"{system.name}: {system.key_file}"
        try:
            key = read_key(settings.folder / system.key_file, system.key_file)
        except Misconfigured as fault:
            found += of_mistakes("keys", fault)
            continue
        if any(is_pair(key, certificate) for certificate in system.certificates):
            found.append(Finding("keys", "ok", shown, Text("Đúng cặp với chứng thư", "A pair with a certificate")))
        else:
            found.append(
                Finding(
                    "keys",
                    "error",
                    shown,
                    Text("Khoá không khớp chứng thư nào đã đăng ký", "The key fits no registered certificate"),
                    Text(
                        "Đặt lại đúng khoá, hoặc ghi chứng thư của khoá này vào agencies/ rồi chạy lgsp apply.",
                        "Put the right key back, or list this key's certificate in agencies/ and run lgsp apply.",
                    ),
                )
            )
    return found


def secret_files(settings: Settings, systems: Iterable[System]) -> list[Path]:
    """Every file that only the gateway may read: its keys, those it keeps for systems, shared secrets."""
    named = [settings.signing_key, settings.webhook_key]
    for system in systems:
        named += [settings.folder / name for name in (system.key_file, system.webhook_secret_file) if name]
    named += sorted((settings.folder / "keys").glob("*.secret"))
    return list(dict.fromkeys(path for path in named if path.is_file()))


def on_permissions(settings: Settings, files: Iterable[Path]) -> list[Finding]:
    """Files that others on this machine could read or change."""
    found: list[Finding] = []
    for path in files:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 == 0:
            continue
        found.append(
            Finding(
                "keys",
                "error" if mode & 0o022 else "warning",
                settings.shown(path),
                Text(f"Người khác trên máy này đọc được (quyền {mode:03o})", f"Others here may read it ({mode:03o})"),
                Text(
                    f"chmod 600 {path}; nếu đã có người lạ đọc được thì thay khoá mới.",
                    f"chmod 600 {path}; where a stranger may have read it, replace the key.",
                ),
            )
        )
    return found or [Finding("keys", "ok", "keys/", Text("Chỉ trục đọc được khoá", "Only the gateway reads the keys"))]


def on_certificates(own: Sequence[Certificate], directory: Directory, where: str, now: float) -> list[Finding]:
    """The dates of the gateway's certificate and of every registered one.

    Of several certificates of one system an ended one is no error while another is in force.
    """
    found = [on_certificate(where, directory.gateway, one.not_before, one.not_after, now) for one in own[:1]]
    for system in directory.systems.values():
        is_served = any(one.is_in_force(now) for one in system.certificates)
        for one in system.certificates:
            place = f"{system.name} {one.thumbprint[:12]}…"
            if is_served and one.not_after < now:
                found.append(
                    Finding(
                        "certificates",
                        "note",
                        place,
                        Text("Chứng thư cũ đã hết hạn, đã có cái khác thay", "Ended; another one has taken its place"),
                        Text("Bỏ khỏi agencies/ rồi chạy lgsp apply.", "Take it out of agencies/, run lgsp apply."),
                    )
                )
            else:
                found.append(on_certificate(place, system.name, one.not_before, one.not_after, now))
    return found


def signers_of(envelopes: Iterable[bytes]) -> Iterator[str]:
    """The thumbprint by which each envelope names its signer."""
    for envelope in envelopes:
        try:
            header = jws.split(envelope).header
        except ValueError:
            continue
        if header.thumbprint is not None:
            yield header.thumbprint


def on_unused(settings: Settings, directory: Directory, seen: frozenset[str]) -> list[Finding]:
    """Certificates that lie in keys/ and belong to nobody, and those of several that nobody signs with any more."""
    found: list[Finding] = []
    registered = {one.thumbprint for system in directory.systems.values() for one in system.certificates}
    own = settings.certificate.absolute()
    for path in sorted((settings.folder / "keys").glob("*.crt")):
        if path.absolute() == own:
            continue
        shown = settings.shown(path)
        try:
            certificate = read_certificate_file(path, shown)
        except Misconfigured as fault:
            found += of_mistakes("certificates", fault)
            continue
        if certificate.thumbprint not in registered:
            found.append(
                Finding(
                    "certificates",
                    "note",
                    shown,
                    Text("Không hệ thống nào đăng ký chứng thư này", "No system is registered with this certificate"),
                    Text("Ghi vào agencies/ và chạy lgsp apply, hoặc cất đi.", "List it in agencies/, or put it away."),
                )
            )
    for system in directory.systems.values():
        used = [one for one in system.certificates if one.thumbprint in seen]
        for one in system.certificates if used else ():
            if one.thumbprint not in seen:
                found.append(
                    Finding(
                        "certificates",
                        "note",
                        f"{system.name} {one.thumbprint[:12]}…",
                        Text(
                            f"Có đăng ký nhưng không ký thông điệp nào trong {RECENT} thông điệp gần đây",
                            f"Registered, yet it signed none of the last {RECENT} messages",
                        ),
                        Text(
                            "Nếu là chứng thư cũ đã thay, bỏ khỏi agencies/ rồi chạy lgsp apply.",
                            "If it was replaced, take it out of agencies/ and run lgsp apply.",
                        ),
                    )
                )
    return found


def on_registry(settings: Settings, version: int, rows: Sequence[RegistryRow]) -> list[Finding]:
    """Whether the folder is right, and whether it is in force."""
    try:
        planned, _ = plan(settings, version, rows)
    except Misconfigured as fault:
        return of_mistakes("config", fault)
    found = [Finding("config", "note", one.where, one.said) for one in planned.warnings]
    change = planned.difference
    if change.clashes:
        found += [
            Finding(
                "registry",
                "error",
                clash.name,
                Text("Đã do nơi khác quản lý", "Kept from elsewhere already"),
                Text("Xem: lgsp apply --dry-run; bỏ ở một nơi.", "See lgsp apply --dry-run; take one of the two out."),
            )
            for clash in change.clashes
        ]
    if change.added or change.changed or change.removed or planned.pairs:
        counts = len(change.added), len(change.changed), len(change.removed)
        found.append(
            Finding(
                "registry",
                "warning",
                settings.shown(settings.folder / "agencies"),
                Text(
                    "Thư mục khác danh mục đang dùng: thêm {}, sửa {}, bỏ {}".format(*counts),
                    "The folder is not in force: {} to add, {} to change, {} to remove".format(*counts),
                ),
                Text("Xem: lgsp apply --dry-run; áp dụng: lgsp apply.", "See lgsp apply --dry-run, then lgsp apply."),
            )
        )
    if not found:
        said = Text(f"Đang áp dụng đúng thư mục (bản {version})", f"The folder is in force (version {version})")
        found.append(Finding("registry", "ok", "agencies/, agreements/", said))
    return found
