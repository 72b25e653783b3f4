"""The command ``doctor``: every check in the order in which a person would ask, told in words or as JSON."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.frame import DONE, FAILED, Place, examples, json_option
from gateway.core.diagnosis import SEVERITIES, Finding, is_sound
from gateway.core.faults import Misconfigured, Text

if TYPE_CHECKING:
    from gateway.config.settings import Settings
    from gateway.core.directory import Directory
    from gateway.trust.keyring import Keyring

_CHECKS: Final = {
    "config": Text("cấu hình", "configuration"),
    "law": Text("luật và lịch làm việc", "law and calendar"),
    "keys": Text("khoá", "keys"),
    "database": Text("cơ sở dữ liệu", "database"),
    "spool": Text("kho tệp", "files"),
    "registry": Text("danh mục", "registry"),
    "certificates": Text("chứng thư", "certificates"),
    "inspection": Text("chữ ký trong tệp và mã độc", "signatures in files, and malware"),
    "disk": Text("ổ đĩa", "disk"),
    "clocks": Text("đồng hồ", "clocks"),
    "ports": Text("cổng mạng", "ports"),
    "destinations": Text("nơi nhận", "destinations"),
    "backlog": Text("hàng chờ", "backlog"),
}
_SIGNS: Final = {"ok": "✓", "note": "•", "warning": "⚠", "error": "✗"}


@click.command(epilog=examples("lgsp -C tinh doctor", "lgsp -C tinh doctor --passive --json"))
@click.option("--active/--passive", default=True, show_default=True,
              help="Có gọi thử các nơi nhận (không gửi thông điệp). Whether destinations are called.")  # fmt: skip
@click.option("--thorough", is_flag=True, help="Kiểm tra hết cơ sở dữ liệu dù lâu. Check all of a large database.")
@json_option
@click.pass_obj
def doctor(place: Place, active: bool, thorough: bool) -> int:
    """Khám toàn bộ trục và cho biết phải làm gì; không sửa gì. Look at everything, say what to do, change nothing.

    Kết thúc với 0 khi không có lỗi (✗). Exit status 0 where nothing is an error.
    """
    found = examined(place, active=active, thorough=thorough)
    counted = Counter(finding.severity for finding in found)
    sound = is_sound(found)
    place.give(
        {
            "result": "sound" if sound else "unsound",
            "counts": {severity: counted[severity] for severity in SEVERITIES},
            "findings": [_members(finding) for finding in found],
        }
    )
    _tell(place, found)
    errors, warnings = counted["error"], counted["warning"]
    place.say(f"\n{errors} lỗi, {warnings} cảnh báo.", f"\n{errors} errors, {warnings} warnings.")
    return DONE if sound else FAILED


def examined(place: Place, *, active: bool, thorough: bool) -> list[Finding]:
    """Every finding, check by check."""
    from gateway.cli.doctor.law import on_law
    from gateway.cli.doctor.province import on_keyring, on_settings

    settings, found = on_settings(place.folder)
    if settings is None:
        return found
    found += on_law(settings, time.time())
    ring, keys = on_keyring(settings)
    found += keys
    found += _of_province(settings, ring, active=active, thorough=thorough)
    order = list(_CHECKS)
    return sorted(found, key=lambda finding: order.index(finding.check))


def _of_province(settings: Settings, ring: Keyring | None, *, active: bool, thorough: bool) -> list[Finding]:
    from gateway.cli.doctor import destinations, inspection, machine, province, store

    now = time.time()
    kept = store.on_store(settings, now, thorough=thorough)
    found = [*kept.findings, *province.on_registry(settings, kept.version, kept.rows)]
    places = [(settings.files_folder, kept.spool_bytes)]
    if settings.is_embedded:
        places.insert(0, (settings.store_path.parent, kept.database_bytes))
    found += machine.on_disks(settings, places)
    for folder in dict.fromkeys(folder for folder, _ in places):
        found += machine.on_writing(settings, folder)
    directory, unreadable = _directory(settings, kept)
    found += unreadable
    systems = list(directory.systems.values())
    own = () if ring is None else ring.certificates()
    found += province.on_sealing_keys(settings, systems)
    found += province.on_permissions(settings, province.secret_files(settings, systems))
    found += province.on_certificates(own, directory, settings.shown(settings.certificate), now)
    found += province.on_unused(settings, directory, kept.signers)
    found += destinations.on_folders(settings, systems)
    found += inspection.on_inspection(settings, now)
    found += asyncio.run(_over_the_network(settings, ring, directory, active=active))
    return found


def _directory(settings: Settings, kept: Any) -> tuple[Directory, list[Finding]]:
    from gateway.cli.doctor.province import of_mistakes
    from gateway.config.picture import directory_of
    from gateway.config.whereabouts import without_password

    try:
        return directory_of(kept.rows, gateway=settings.system, version=kept.version), []
    except Misconfigured as fault:
        found = of_mistakes("registry", fault)
    except (ValueError, KeyError) as error:
        found = [
            Finding(
                "registry",
                "error",
                without_password(settings.store_url),
                Text(f"Danh mục có dòng không đọc được ({error})", f"A row of the registry cannot be read ({error})"),
                Text("Chạy lại lgsp apply.", "Run lgsp apply again."),
            )
        ]
    return directory_of([], gateway=settings.system, version=0), found


async def _over_the_network(
    settings: Settings, ring: Keyring | None, directory: Directory, *, active: bool
) -> list[Finding]:
    from gateway import telemetry
    from gateway.cli.doctor.asking import session
    from gateway.cli.doctor.collecting import on_collecting
    from gateway.cli.doctor.destinations import addresses, on_addresses
    from gateway.cli.doctor.doors import on_doors
    from gateway.cli.doctor.inspection import on_scanner
    from gateway.cli.doctor.listening import on_listening

    found = await on_scanner(settings)
    if ring is not None:
        found += await on_doors(settings, ring, directory.systems.values())
    async with session() as line:
        if ring is not None:
            found += await on_listening(line, settings, ring.jwks())
        if active:
            found += await on_addresses(line, directory.systems.values())
            if ring is not None:
                # What an adapter logs on its way is no part of what doctor says.
                telemetry.set_up(level="error")
                found += await on_collecting(settings, ring, directory.systems.values())
        elif any(addresses(directory.systems.values())):
            said = Text("Không kết nối thử (--passive)", "Not called (--passive)")
            found.append(Finding("destinations", "note", "*", said))
    return found


def _members(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "severity": finding.severity,
        "where": finding.where,
        "what": finding.what._asdict(),
        "do": None if finding.do is None else finding.do._asdict(),
    }


def _tell(place: Place, found: Sequence[Finding]) -> None:
    """A line for each check that is well, and each thing that is not, with what to do."""
    if place.as_json:
        return
    by_check: Callable[[Finding], str] = lambda finding: finding.check  # noqa: E731 - a key, used once
    for check, group in groupby(found, key=by_check):
        listed = list(group)
        title = place.in_words(_CHECKS[check])
        others = [finding for finding in listed if finding.severity != "ok"]
        click.echo(f"{'✓' if not others else _worst(others)} {title}{_summed(place, listed, others)}")
        for finding in others:
            click.echo(f"    {_SIGNS[finding.severity]} {finding.where}: {place.in_words(finding.what)}")
            if finding.do is not None:
                click.echo(f"      → {place.in_words(finding.do)}")


def _worst(findings: Iterable[Finding]) -> str:
    return _SIGNS[max((finding.severity for finding in findings), key=SEVERITIES.index)]


def _summed(place: Place, listed: Sequence[Finding], others: Sequence[Finding]) -> str:
    well = [finding for finding in listed if finding.severity == "ok"]
    if not others and len(well) == 1:
        return f": {place.in_words(well[0].what)}"
    return "" if not well else place.in_words(Text(f": {len(well)} mục tốt", f": {len(well)} in order"))
