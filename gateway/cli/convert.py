"""``convert``: files of an agency's tongue tried out, a line a file, nothing sent."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import click

from gateway.cli.frame import FAILED, Misuse, Place, examples, json_option
from gateway.core.faults import Misconfigured, Text

MAX_FILE: Final = 256 * 2**20
#: Kinds of files, and what makes messages of each.
KINDS: Final = {"edxml": "gateway.core.documents.inward"}
#: The file itself could not be read: the one thing that is a failure of the command and not of the file's author.
UNREADABLE_FILE: Final = "unreadable-file"


@click.command(epilog=examples("lgsp convert edxml congvan.edxml", "lgsp convert edxml --json *.edxml"))
@click.argument("tongue", metavar="edxml")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def convert(place: Place, tongue: str, files: tuple[Path, ...]) -> int | None:
    """Thử chuyển tệp edXML thành thông điệp của trục. Try edXML files: what would become of each.

    Mỗi tệp một dòng: relayed (chuyển được) hoặc refused (từ chối, kèm lý do). Kết thúc 0 dù có tệp bị từ chối.
    A line a file: relayed or refused with the reason. The exit status is 0 even when some are refused.
    """
    mapping = mapping_of(tongue)
    is_whole = True
    for file in files:
        members = converted(place, mapping, file)
        is_whole = is_whole and members.get("reason") != UNREADABLE_FILE
        place.give(members)
        if not place.as_json:
            click.echo(_line(members))
    return None if is_whole else FAILED


def mapping_of(tongue: str) -> ModuleType:
    """The mapping of a kind of file; raises Misuse where there is none."""
    if tongue not in KINDS:
        known = ", ".join(KINDS)
        raise Misuse(
            Text(f"không có kiểu tệp {tongue}, chỉ có {known}", f"there is no kind of file {tongue}, only {known}")
        )
    return importlib.import_module(KINDS[tongue])


def converted(place: Place, mapping: ModuleType, file: Path) -> dict[str, Any]:
    """One file's line as JSON."""
    from gateway.core.edxml.values import Unreadable

    members: dict[str, Any] = {"file": str(file), "result": "refused", "warnings": []}
    try:
        made = mapping.convert(_read(file))
    except Unreadable as refusal:
        return {**members, "reason": refusal.name, "detail": place.in_words(refusal.detail)}
    except Misconfigured as fault:
        return {**members, "reason": UNREADABLE_FILE, "detail": place.in_words(fault.wrong)}
    return {
        **members,
        "result": "relayed",
        "contract": made.contract,
        "id": made.id,
        "warnings": [place.in_words(warning) for warning in made.warnings],
    }


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Misconfigured(
            str(file),
            Text(f"Không đọc được tệp ({reason})", f"The file cannot be read ({reason})"),
            Text("Hãy kiểm tra đường dẫn.", "Check the path."),
        ) from None
    if len(raw) > MAX_FILE:
        raise Misconfigured(
            str(file),
            Text("Tệp lớn hơn 256 MiB", "The file is over 256 MiB"),
            Text("Hãy tách tệp.", "Split it."),
        )
    return raw


def _line(members: dict[str, Any]) -> str:
    if members["result"] == "relayed":
        warnings = [f"    ⚠ {warning}" for warning in members["warnings"]]
        return "\n".join([f"✓ {members['file']}: {members['contract']} {members['id']}", *warnings])
    return f"✗ {members['file']}: {members['reason']}: {members['detail']}"
